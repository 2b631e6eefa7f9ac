package ewstest

import (
	"strings"
	"testing"
)

// FuzzPart reads a message and writes it again. What was written is read and
// written as the same, and no attachment is lost on the way.
func FuzzPart(f *testing.F) {
	for _, seed := range []string{
		"Subject: a\r\n b\r\n\r\nbody\r\n", "no header", "Content-Type: multipart/mixed; boundary=x\r\n\r\npre\r\n--x\r\n\r\na\r\n--x\r\nContent-Type: text/html\r\n\r\nb\r\n--x--\r\nend",
		"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x", "Content-Type: multipart/a; boundary=\"\"\r\n\r\n", "", "\r\n\r\n", "a:b\r\n",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once := parsePart(raw, 0)
		text := once.String()
		again := parsePart(text, 0)
		if got := again.String(); got != text {
			t.Errorf("%q is written as %q, and that as %q", raw, text, got)
		}
		if a, b := len(contentOf(once).files), len(contentOf(again).files); a != b {
			t.Errorf("%q has %d attachments, and %q has %d", raw, a, text, b)
		}
	})
}

// FuzzAQS reads a query and its negation, of which at most one holds.
func FuzzAQS(f *testing.F) {
	for _, seed := range []string{`a`, `subject:"x y"`, `(a OR b) AND NOT c`, `received:>=2024-01-01`, `size:1..2`, `((`, `"`, `NOT`, `from:`, `isread:yes`} {
		f.Add(seed)
	}
	get := func(path) (value, bool) { return textValue("a b x y"), true }
	f.Fuzz(func(t *testing.T, query string) {
		c, err := parseAQS(query)
		if err != nil {
			return
		}
		if negated, err := parseAQS("NOT (" + query + ")"); err == nil && strings.Count(query, `"`)%2 == 0 && negated(get) == c(get) {
			t.Errorf("%q and its negation agree", query)
		}
	})
}

// FuzzAuthenticate reads the last message of NTLM, which proves nothing unless
// it was made with the password.
func FuzzAuthenticate(f *testing.F) {
	f.Add(ntlmChallenge(make([]byte, 8)))
	f.Add(make([]byte, 64))
	f.Add(authenticate(ntlmChallenge(make([]byte, 8)), "ann", "wrong horse"))
	f.Fuzz(func(t *testing.T, message []byte) {
		p, ok := parseAuthenticate(message)
		if !ok {
			return
		}
		if p.holds(make([]byte, 8), "correct horse") {
			t.Errorf("%q is taken for a proof", message)
		}
		size := 0
		for _, value := range p.pairs() {
			size += len(value)
		}
		if size > len(p.response) {
			t.Errorf("%q has %d bytes of pairs", message, size)
		}
	})
}
