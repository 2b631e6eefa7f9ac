package transcript

import (
	"bytes"
	"strconv"
)

// smtpCommands are the commands whose lines are shown: those of RFC 5321 and
// of the registered extensions, without those that may hold a secret, such as
// BURL.
const smtpCommands = " EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY EXPN HELP STARTTLS ETRN SEND SOML SAML TURN "

type smtp struct {
	auth exchange
	data bool // DATA was sent and not answered yet
	body bool // a message is on its way
	end  bool // the line before ended in CR LF, so a dot may end the message
}

// SMTP returns the Masker of SMTP and LMTP (RFC 5321, RFC 2033): it hides the
// initial response of AUTH (RFC 4954) and every line that answers a 334, and
// what is sent by DATA and BDAT (RFC 3030).
func SMTP() Masker { return &smtp{} }

func (m *smtp) client(l line) verdict {
	if m.body {
		ended := m.end && l.crlf && l.is(".")
		m.end = l.crlf
		if ended {
			m.body = false
			return verdict{end: true}
		}
		return verdict{hide: true}
	}
	m.data = false
	if m.auth.answer() {
		return mask(l, 0)
	}
	verb, args := word(l.head)
	switch {
	case known(smtpCommands, verb):
		m.data = known(" DATA ", verb)
		v := verdict{show: true}
		if known(" BDAT ", verb) {
			v.body = chunk(args)
		}
		return v
	case known(" AUTH ", verb) && len(args) > 0:
		m.auth.open = true
		return maskAuth(l, len(l.head)-len(args))
	}
	return mask(l, 0)
}

// chunk returns the body that a BDAT command announces.
func chunk(args []byte) body {
	size, _ := word(args)
	n, err := strconv.ParseUint(string(size), 10, 63)
	if err != nil {
		return body{}
	}
	return body{kind: content, size: int64(n)}
}

func (m *smtp) server(l line) verdict {
	code, last := replyCode(l)
	switch {
	case !last:
	case code == "334":
		m.auth.challenge()
	case code == "354":
		if m.data {
			m.data, m.body, m.end = false, true, true
		}
	default:
		m.auth.open = false
	}
	return verdict{show: true}
}

// replyCode returns the code of a reply line, and whether it is the last line
// of the reply (RFC 5321 section 4.2.1).
func replyCode(l line) (code string, last bool) {
	if len(l.head) < 3 || bytes.ContainsFunc(l.head[:3], func(r rune) bool { return r < '0' || r > '9' }) {
		return "", false
	}
	return string(l.head[:3]), len(l.head) == 3 || l.head[3] == ' '
}
