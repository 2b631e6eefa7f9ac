package transcript

import (
	"bytes"
	"strings"
)

// redacted stands for a secret.
const redacted = "[redacted]"

// A Masker tells the secrets and the message bodies of one protocol from what
// may be shown. It follows both directions of one connection, so every
// [Recorder] needs one of its own. Maskers come from [IMAP], [SMTP] and [POP3].
type Masker interface {
	client(l line) verdict
	server(l line) verdict
}

// A line is a protocol line without its end.
type line struct {
	head []byte // its first maxShown bytes, or all of it
	tail []byte // its last bytes
	size int64  // its length
	crlf bool   // it ended in CR LF, not in LF alone
}

// is reports whether the whole line is s.
func (l line) is(s string) bool { return l.size == int64(len(s)) && string(l.head) == s }

// A verdict is what becomes of a line. One of show, hide, end is set, or text
// replaces the line.
type verdict struct {
	show bool   // as it is
	hide bool   // part of a body that ends in a line of its own
	end  bool   // the line that ends such a body
	text []byte // what is written in place of the line

	body   body     // what the line says will follow it
	cancel bool     // the literal that the client announced is refused
	learn  [][]byte // secrets to be masked where the server repeats them
}

// A body is a run of bytes whose length was announced.
type body struct {
	kind  bodyKind
	size  int64
	learn bool // it is a secret that a server may repeat
}

type bodyKind int

const (
	noBody        bodyKind = iota
	literal                // in the midst of a line
	secretLiteral          // likewise, and not even its length is told
	content                // between lines
)

// mask is the verdict on a line that is shown up to keep bytes only.
func mask(l line, keep int) verdict {
	rest := bytes.TrimSpace(l.head[min(keep, len(l.head)):])
	text := append([]byte(nil), l.head[:min(keep, len(l.head))]...)
	if keep > 0 {
		text = append(text, ' ')
	}
	return verdict{text: append(text, redacted...), learn: [][]byte{rest}}
}

// An exchange is an authentication: the client answers challenges with lines
// that are secrets.
type exchange struct {
	open  bool // begun, and its result has not come
	asked int  // challenges that no client line has answered
}

// challenge notes that the server waits for an answer.
func (e *exchange) challenge() { e.asked++ }

// answer reports whether the next client line is an answer, and so a secret.
// It outlives the end of the exchange as long as challenges are unanswered: a
// server may send the challenge and the result at once.
func (e *exchange) answer() bool {
	if e.asked > 0 {
		e.asked--
		return true
	}
	return e.open
}

// word cuts l at the first space. A line with a control character in it has no
// words: nothing good can be said of it.
func word(b []byte) (first, rest []byte) {
	if bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, nil
	}
	first, rest, _ = bytes.Cut(b, []byte(" "))
	return first, rest
}

// known reports whether b, in whatever case, is among the words of list, which
// are in upper case and stand between spaces.
func known(list string, b []byte) bool {
	if len(b) == 0 || len(b) > 20 || bytes.ContainsRune(b, ' ') {
		return false
	}
	return strings.Contains(list, " "+strings.ToUpper(string(b))+" ")
}

// mechanisms are the names that may follow AUTH and AUTHENTICATE in a
// transcript. Any other word there may be the secret itself.
const mechanisms = " PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM GSSAPI GSS-SPNEGO KERBEROS_V4 KERBEROS_V5 " +
	"EXTERNAL ANONYMOUS OTP SKEY XOAUTH XOAUTH2 OAUTHBEARER OAUTH10A " +
	"SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS SCRAM-SHA-512 SCRAM-SHA-512-PLUS "

// maskAuth is the verdict on a line whose first used bytes are the command
// that begins an authentication, up to and with the space before the
// mechanism. What follows the mechanism is masked.
func maskAuth(l line, used int) verdict {
	mech, _, initial := bytes.Cut(l.head[used:], []byte(" "))
	switch {
	case !known(mechanisms, mech):
		return mask(l, used-1)
	case initial:
		return mask(l, used+len(mech))
	default:
		return verdict{show: true}
	}
}
