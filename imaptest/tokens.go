package imaptest

import "strings"

// tokens reads the structured value of a header field (RFC 5322, section 3.2).
// It passes over comments and never fails.
type tokens struct {
	s string
	i int
}

func (t *tokens) peek() byte {
	if t.i < len(t.s) {
		return t.s[t.i]
	}
	return 0
}

func (t *tokens) accept(c byte) bool {
	if t.i < len(t.s) && t.s[t.i] == c {
		t.i++
		return true
	}
	return false
}

// skipSpace passes over white space and comments, and returns the last comment.
func (t *tokens) skipSpace() (comment string) {
	for t.i < len(t.s) {
		switch t.s[t.i] {
		case ' ', '\t', '\r', '\n':
			t.i++
		case '(':
			comment = t.comment()
		default:
			return comment
		}
	}
	return comment
}

// comment reads a comment, nested ones included.
func (t *tokens) comment() string {
	start, depth := t.i, 0
	for t.i < len(t.s) {
		c := t.s[t.i]
		t.i++
		switch c {
		case '\\':
			t.i = min(t.i+1, len(t.s))
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return t.s[start+1 : t.i-1]
		}
	}
	return t.s[start+1:]
}

// quoted reads a quoted string and returns what it stands for.
func (t *tokens) quoted() string {
	t.i++
	var b strings.Builder
	for t.i < len(t.s) {
		c := t.s[t.i]
		t.i++
		if c == '"' {
			break
		}
		if c == '\\' && t.i < len(t.s) {
			c = t.s[t.i]
			t.i++
		}
		b.WriteByte(c)
	}
	return b.String()
}

// until reads up to one of the stop bytes, without comments and surrounding
// white space. Quoted strings are passed through as they are.
func (t *tokens) until(stop string) string {
	var b strings.Builder
	for t.i < len(t.s) {
		c := t.s[t.i]
		switch {
		case strings.IndexByte(stop, c) >= 0:
			return strings.Trim(b.String(), " \t\r\n")
		case c == '(':
			t.comment()
		case c == '"':
			start := t.i
			t.quoted()
			b.WriteString(t.s[start:t.i])
		default:
			b.WriteByte(c)
			t.i++
		}
	}
	return strings.Trim(b.String(), " \t\r\n")
}
