package transcript

import (
	"bytes"
	"strconv"
)

// imapCommands are the commands whose lines are shown: those of RFC 9051, RFC
// 3501 and the registered extensions. Commands with secrets are not among them.
const imapCommands = " CAPABILITY NOOP LOGOUT STARTTLS UNAUTHENTICATE " +
	"ENABLE SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE LIST LSUB XLIST RLIST RLSUB " +
	"NAMESPACE STATUS APPEND REPLACE IDLE CHECK CLOSE UNSELECT EXPUNGE SEARCH ESEARCH SORT THREAD " +
	"FETCH STORE COPY MOVE UID ID COMPRESS NOTIFY CANCELUPDATE CONVERSIONS CONVERT LANGUAGE COMPARATOR " +
	"GETACL SETACL DELETEACL LISTRIGHTS MYRIGHTS GETQUOTA GETQUOTAROOT SETQUOTA " +
	"GETMETADATA SETMETADATA GETANNOTATION SETANNOTATION UIDBATCHES GETJMAPACCESS X-GM-EXT-1 "

type imap struct {
	// Client: a literal is part of a command line that goes on behind it.
	cont   bool
	tag    []byte // of the last command
	secret bool   // its arguments are secrets
	args   int    // how many of them have begun

	auth    exchange
	authTag []byte

	goAhead    bool // the server asked for the literal announced last
	serverCont bool
}

// IMAP returns the Masker of IMAP4 (RFC 9051, RFC 3501): it hides the arguments
// of LOGIN in every form, the initial response of AUTHENTICATE and all lines
// that follow until its result, and every literal.
func IMAP() Masker { return &imap{} }

func (m *imap) client(l line) verdict {
	if m.cont {
		return m.continued(l)
	}
	if m.auth.answer() {
		return mask(l, 0)
	}
	if l.is("DONE") || l.size == 0 {
		return verdict{show: true}
	}
	tag, rest := word(l.head)
	verb, args := word(rest)
	m.secret, m.args = false, 0
	switch {
	case !isTag(tag):
	case known(imapCommands, verb):
		m.tag = append(m.tag[:0], tag...)
		v := verdict{show: true}
		v.body = m.literal(l)
		return v
	case known(" LOGIN ", verb):
		m.tag = append(m.tag[:0], tag...)
		return m.login(l, args, len(l.head)-len(args)-1)
	case known(" AUTHENTICATE ", verb) && len(args) > 0:
		m.auth = exchange{open: true}
		m.authTag = append(m.authTag[:0], tag...)
		return maskAuth(l, len(l.head)-len(args))
	}
	return m.unknown(l)
}

// continued judges what follows a literal. The client may have been refused
// the literal and be on to its next command, so nothing of it is shown.
func (m *imap) continued(l line) verdict {
	m.cont = false
	switch {
	case m.secret && l.size > 0:
		return m.login(l, l.head, 0)
	case l.size == 0 || l.is(")"):
		return verdict{show: true}
	}
	v := verdict{text: []byte("[" + strconv.FormatInt(l.size, 10) + " bytes]"), learn: [][]byte{l.head}}
	v.body = m.literal(l)
	return v
}

// unknown judges a line that is no command. It may be anything, also a
// password whose literal was announced in a way that was not recognised.
func (m *imap) unknown(l line) verdict {
	m.secret, m.args = true, 1
	v := mask(l, 0)
	v.body = m.literal(l)
	m.secret = v.body.kind != noBody
	return v
}

// login masks arguments of LOGIN. The user name is not looked for in later
// server lines: that an answer names the user is useful.
func (m *imap) login(l line, args []byte, keep int) verdict {
	m.secret = true
	v := mask(l, keep)
	v.learn = nil
	for _, a := range loginArgs(args) {
		if m.args > 0 {
			v.learn = append(v.learn, a, unquote(a))
		}
		m.args++
	}
	v.body = m.literal(l)
	if v.body.kind == noBody {
		m.secret = false
	} else {
		v.body.learn = m.args > 0
		m.args++
	}
	return v
}

// literal returns the body that the end of the line announces, and notes that
// the command goes on behind it.
func (m *imap) literal(l line) body {
	n, ok := literalSize(l.tail)
	if !ok {
		return body{}
	}
	m.cont, m.goAhead = true, false
	if m.secret {
		return body{kind: secretLiteral, size: n, learn: true}
	}
	return body{kind: literal, size: n}
}

func (m *imap) server(l line) verdict {
	v := verdict{show: true}
	if m.serverCont {
		v.body, m.serverCont = serverLiteral(l)
		return v
	}
	tag, rest := word(l.head)
	first, _ := word(rest)
	status := known(" OK NO BAD BYE PREAUTH ", first)
	switch {
	case bytes.HasPrefix(l.head, []byte("+")):
		m.goAhead = true
		if m.auth.open {
			m.auth.challenge()
		}
		return v
	case !status:
		v.body, m.serverCont = serverLiteral(l)
		return v
	}
	if bytes.Equal(tag, m.authTag) && len(tag) > 0 {
		m.auth.open = false
	}
	if bytes.Equal(tag, m.tag) && !known(" OK ", first) && m.cont && !m.secret && !m.goAhead {
		// The literal is refused (RFC 9051 section 2.2.1); the client goes on
		// with another command. One that may be a password is waited for all
		// the same.
		m.cont, v.cancel = false, true
	}
	return v
}

// serverLiteral returns the literal that a server line announces.
func serverLiteral(l line) (body, bool) {
	n, ok := literalSize(l.tail)
	if !ok {
		return body{}, false
	}
	return body{kind: literal, size: n}, true
}

// literalSize reads the announcement of a literal at the end of a line: {n},
// {n+}, {n-} and the same with a tilde (RFC 9051 section 4.3, RFC 7888, RFC
// 3516). A number that cannot be a size is none.
func literalSize(tail []byte) (int64, bool) {
	i := bytes.LastIndexByte(tail, '{')
	if i < 0 || !bytes.HasSuffix(tail, []byte("}")) {
		return 0, false
	}
	digits := bytes.TrimRight(tail[i+1:len(tail)-1], "+-")
	if len(digits)+2 < len(tail)-1-i {
		return 0, false
	}
	n, err := strconv.ParseUint(string(digits), 10, 63)
	return int64(n), err == nil
}

// isTag reports whether b can be the tag of a command (RFC 9051 section 9).
func isTag(b []byte) bool {
	return len(b) > 0 && len(b) <= 64 && !bytes.ContainsAny(b, "+(){%*\"\\")
}

// loginArgs cuts the arguments of LOGIN apart: atoms and quoted strings, the
// latter with their quotes. The announcement of a literal is left out.
func loginArgs(b []byte) [][]byte {
	var args [][]byte
	for {
		b = bytes.TrimLeft(b, " ")
		if len(b) == 0 || b[0] == '{' {
			return args
		}
		n := bytes.IndexByte(b, ' ')
		if b[0] == '"' {
			n = quotedLen(b)
		}
		if n < 0 {
			n = len(b)
		}
		args = append(args, b[:n])
		b = b[n:]
	}
}

// quotedLen returns the length of the quoted string that b begins with, or -1
// if it does not end.
func quotedLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote returns what a quoted string stands for (RFC 9051 section 4.3).
func unquote(b []byte) []byte {
	if len(b) < 2 || b[0] != '"' {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return out
		case b[i] == '\\' && i+1 < len(b):
			i++
		}
		out = append(out, b[i])
	}
	return out
}
