package imapx

import (
	"bytes"
	"strings"
)

// status is a status response (RFC 9051 section 7.1): the end of a command, or
// an untagged remark.
type status struct {
	typ  string // "OK", "NO", "BAD", "BYE", "PREAUTH"
	code string // "CAPABILITY", in capitals
	args string // what follows the code inside the brackets
	text string
}

// parseStatus reads what follows the tag. Servers leave out the text, and some
// the closing bracket; ok is false only where there is no known type.
func parseStatus(line []byte) (s status, ok bool) {
	word, rest, _ := bytes.Cut(line, []byte{' '})
	s.typ = strings.ToUpper(string(word))
	switch s.typ {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
	default:
		return status{}, false
	}
	if inner, found := bytes.CutPrefix(rest, []byte{'['}); found {
		code, text, closed := bytes.Cut(inner, []byte{']'})
		if closed {
			name, args, _ := strings.Cut(string(code), " ")
			s.code, s.args = strings.ToUpper(name), args
			rest = text
		}
	}
	s.text = printable(string(bytes.TrimSpace(rest)))
	return s, true
}

// maxText bounds what is kept of a server's words.
const maxText = 500

// printable keeps a server's words fit for an error.
func printable(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// capabilities is what a server offers, in capitals.
type capabilities map[string]bool

func parseCapabilities(words string) capabilities {
	caps := capabilities{}
	for w := range strings.FieldsSeq(words) {
		caps[strings.ToUpper(w)] = true
	}
	return caps
}

// has reports whether the server offers name. IMAP4rev2 contains what used to
// be extensions of IMAP4rev1 (RFC 9051 appendix E).
func (c capabilities) has(name string) bool {
	if c[name] {
		return true
	}
	if !c["IMAP4REV2"] {
		return false
	}
	switch name {
	case "MOVE", "UIDPLUS", "SPECIAL-USE", "UNSELECT", "IDLE", "NAMESPACE", "SASL-IR", "LIST-EXTENDED", "LIST-STATUS", "ESEARCH", "LITERAL-":
		return true
	}
	return false
}

// mechanisms returns the SASL mechanisms offered, and LOGIN-the-command's
// absence is not among them.
func (c capabilities) mechanisms() []string {
	var names []string
	for name := range c {
		if m, ok := strings.CutPrefix(name, "AUTH="); ok {
			names = append(names, m)
		}
	}
	return names
}
