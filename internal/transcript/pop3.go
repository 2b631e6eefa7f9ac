package transcript

import "bytes"

// pop3Commands are the commands whose lines are shown: those of RFC 1939, RFC
// 2449, RFC 2595 and RFC 6856.
const pop3Commands = " USER STAT LIST RETR DELE NOOP RSET QUIT TOP UIDL CAPA STLS UTF8 LANG XTND "

// maxPending is how many unanswered commands are followed.
const maxPending = 1 << 16

// A pop3Kind is what the reply to a command looks like.
type pop3Kind byte

const (
	oneLine pop3Kind = iota
	listing          // several lines that are shown
	mail             // a message
	signIn           // an authentication
)

type pop3 struct {
	auth    exchange
	pending []pop3Kind // of the commands without a reply

	body pop3Kind // of the reply being read: listing, mail, or none
	crlf bool     // its first line ended in CR LF
	end  bool     // the line before ended like the first one
}

// POP3 returns the Masker of POP3 (RFC 1939): it hides the argument of PASS,
// the digest of APOP, the initial response of AUTH (RFC 5034) and the lines
// that answer its challenges, and the messages that RETR and TOP bring.
func POP3() Masker { return &pop3{} }

func (m *pop3) client(l line) verdict {
	if m.auth.answer() {
		return mask(l, 0)
	}
	verb, args := word(l.head)
	switch {
	case known(pop3Commands, verb):
		m.push(kindOf(verb, args))
		return verdict{show: true}
	case known(" PASS ", verb):
		m.push(oneLine)
		return mask(l, len(verb))
	case known(" APOP ", verb):
		m.push(oneLine)
		if name, digest := word(args); len(digest) > 0 {
			return mask(l, len(verb)+1+len(name))
		}
		return mask(l, len(verb))
	case known(" AUTH ", verb) && l.size == int64(len(verb)):
		m.push(listing)
		return verdict{show: true}
	case known(" AUTH ", verb):
		m.push(signIn)
		m.auth.open = true
		return maskAuth(l, len(verb)+1)
	}
	return mask(l, 0)
}

// kindOf returns what a successful reply to a command looks like.
func kindOf(verb, args []byte) pop3Kind {
	switch {
	case known(" RETR TOP ", verb):
		return mail
	case known(" CAPA XTND ", verb):
		return listing
	case known(" LIST UIDL LANG ", verb) && len(bytes.TrimSpace(args)) == 0:
		return listing
	}
	return oneLine
}

func (m *pop3) push(k pop3Kind) {
	if len(m.pending) < maxPending {
		m.pending = append(m.pending, k)
	}
}

func (m *pop3) server(l line) verdict {
	if m.body != oneLine {
		return m.more(l)
	}
	status, _, _ := bytes.Cut(l.head, []byte(" "))
	switch string(bytes.ToUpper(status[:min(len(status), 5)])) {
	case "+":
		m.auth.challenge()
	case "+OK":
		k := m.pop()
		if k == listing || k == mail {
			m.body, m.crlf, m.end = k, l.crlf, true
		}
	case "-ERR":
		m.pop()
	}
	return verdict{show: true}
}

// more judges a line of a multi-line reply. Only a dot between line ends like
// that of the first line ends it, because a message may hold a dot between
// line feeds.
func (m *pop3) more(l line) verdict {
	ended := m.end && l.is(".") && l.crlf == m.crlf
	m.end = l.crlf == m.crlf
	k := m.body
	if ended {
		m.body = oneLine
	}
	switch {
	case k == listing:
		return verdict{show: true}
	case ended:
		return verdict{end: true}
	default:
		return verdict{hide: true}
	}
}

// pop takes the command that the server answers.
func (m *pop3) pop() pop3Kind {
	if len(m.pending) == 0 {
		return oneLine // the greeting
	}
	k := m.pending[0]
	m.pending = m.pending[1:]
	if k == signIn {
		m.auth.open = false
	}
	return k
}
