package smtpx

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
)

// lines reads lines as a connection does.
type lines struct{ r *bufio.Reader }

func (l lines) ReadLine() ([]byte, error) {
	line, err := l.r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

func parse(s string) (reply, error) {
	return readReply(lines{bufio.NewReader(strings.NewReader(s))}, nil)
}

func TestReadReply(t *testing.T) {
	tests := []struct {
		in       string
		code     int
		enhanced smtp.EnhancedCode
		text     string
	}{
		{"250 OK\r\n", 250, smtp.EnhancedCode{}, "OK"},
		{"250\r\n", 250, smtp.EnhancedCode{}, ""},
		{"220 mx ESMTP\n", 220, smtp.EnhancedCode{}, "mx ESMTP"},
		{"250 2.0.0 Ok: queued as 4X\r\n", 250, smtp.EnhancedCode{2, 0, 0}, "Ok: queued as 4X"},
		{"250 2.1.0\r\n", 250, smtp.EnhancedCode{2, 1, 0}, ""},
		{"250 5.0.0 is of another class\r\n", 250, smtp.EnhancedCode{}, "5.0.0 is of another class"},
		{"220 1.2.3.4 greets\r\n", 220, smtp.EnhancedCode{}, "1.2.3.4 greets"},
		{"535-5.7.8 Username and Password\r\n535 5.7.8 not accepted\r\n", 535, smtp.EnhancedCode{5, 7, 8}, "Username and Password not accepted"},
		{"550-\r\n550 no\x1b[2J\x07 such\tuser\r\n", 550, smtp.EnhancedCode{}, "no[2J such user"},
		{"554 caf\xe9\r\n", 554, smtp.EnhancedCode{}, "caf\uFFFD"},
	}
	for _, tt := range tests {
		r, err := parse(tt.in)
		if err != nil {
			t.Errorf("readReply(%q) = %v", tt.in, err)
			continue
		}
		if r.code != tt.code || r.enhanced() != tt.enhanced || r.text() != tt.text {
			t.Errorf("readReply(%q) = %d %v %q, want %d %v %q",
				tt.in, r.code, r.enhanced(), r.text(), tt.code, tt.enhanced, tt.text)
		}
	}
}

func TestReadReplyRefuses(t *testing.T) {
	for _, in := range []string{
		"OK\r\n", "\r\n", "25\r\n", "2x0 a\r\n", "150 a\r\n", "650 a\r\n", "2500 a\r\n", "250_a\r\n",
		"250-a\r\n550 b\r\n", "* OK IMAP4rev1\r\n", "+OK POP3\r\n", "\x15\x03\x01\x00\x02\x02\r\n",
		strings.Repeat("250-x\r\n", maxReplyLines+1),
	} {
		if _, err := parse(in); !errors.Is(err, errSyntax) {
			t.Errorf("readReply(%.20q) = %v, want errSyntax", in, err)
		}
	}
	for _, in := range []string{"", "250", "250-a\r\n", "250-a\r\n250"} {
		if _, err := parse(in); !errors.Is(err, io.EOF) {
			t.Errorf("readReply(%q) = %v, want %v", in, err, io.EOF)
		}
	}
}

// Whatever a server sends, an answer has a code of an answer, its text is fit
// to be shown, and what was read, written out again, is read as the same.
func FuzzReadReply(f *testing.F) {
	for _, s := range []string{
		"250 OK\r\n", "250-mx\r\n250-SIZE 1\r\n250 DSN\r\n", "535 5.7.139 no\r\n", "334 \r\n", "250\r\n",
		"421-\xff\r\n421 \x00\r\n", "250-a\r\n251 b\r\n", "999 x\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parse(string(p))
		if err != nil {
			if r.code != 0 || len(r.lines) != 0 {
				t.Errorf("an answer %v beside the error %v", r, err)
			}
			return
		}
		if r.code < 200 || r.code > 599 || len(r.lines) == 0 || len(r.lines) > maxReplyLines {
			t.Fatalf("code %d with %d lines", r.code, len(r.lines))
		}
		text := r.text()
		if !utf8.ValidString(text) || len(text) > maxText+len("…") ||
			strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("text %q is not fit to be shown", text)
		}
		var b strings.Builder
		for i, line := range r.lines {
			sep := '-'
			if i == len(r.lines)-1 {
				sep = ' '
			}
			fmt.Fprintf(&b, "%d%c%s\r\n", r.code, sep, line)
		}
		again, err := parse(b.String())
		if err != nil || again.code != r.code || strings.Join(again.lines, "\n") != strings.Join(r.lines, "\n") {
			t.Errorf("%q is read as %v, %v", b.String(), again, err)
		}
		_ = parseExtensions(r).sizeLimit()
	})
}

func TestParseExtensions(t *testing.T) {
	r, err := parse("250-mx.example.com at your service\r\n250-size 1000\r\n250-PIPELINING\r\n" +
		"250-AUTH=LOGIN\r\n250-AUTH LOGIN PLAIN\r\n250-STARTTLS\r\n250 8bitmime \r\n")
	if err != nil {
		t.Fatal(err)
	}
	ext := parseExtensions(r)
	for _, k := range []string{"SIZE", "PIPELINING", "AUTH", "STARTTLS", "8BITMIME"} {
		if !ext.has(k) {
			t.Errorf("%s is not seen", k)
		}
	}
	if ext.has("MX.EXAMPLE.COM") {
		t.Error("the greeting is taken for an extension")
	}
	if got := ext.sizeLimit(); got != 1000 {
		t.Errorf("sizeLimit() = %d, want 1000", got)
	}
	if got := strings.Fields(ext["AUTH"]); len(got) != 3 || got[0] != "LOGIN" || got[2] != "PLAIN" {
		t.Errorf("AUTH = %q, want LOGIN, LOGIN and PLAIN", got)
	}
	for _, s := range []string{"", "0", "-1", "many"} {
		if got := (extensions{"SIZE": s}).sizeLimit(); got != 0 {
			t.Errorf("sizeLimit() of %q = %d, want 0", s, got)
		}
	}
}

func TestQueueID(t *testing.T) {
	for text, want := range map[string]string{
		"Ok: queued as 4ZBx1z2Yk9z9t":             "4ZBx1z2Yk9z9t",
		"OK id=1rABCD-0001-2x":                    "1rABCD-0001-2x",
		"OK  1700000000 5b1f17b1804b1-40 - gsmtp": "5b1f17b1804b1-40",
		"OK 5b1f17b1804b1-40 - gsmtp":             "", // to MAIL and RCPT
		"Flushed 5b1f17b1804b1-40 - gsmtp":        "",
		"<a@b> [InternalId=1234567, Hostname=X] 99 bytes in 0.1 Queued mail for delivery": "1234567",
		"3AB1cD2e Message accepted for delivery":                                          "3AB1cD2e",
		"ok 1700000000 qp 4711":                                                           "4711",
		"Ok 0102018c0a1b2c3d-00000000-0000-000000":                                        "0102018c0a1b2c3d-00000000-0000-000000",
		"Ok":            "",
		"OK":            "",
		"Ok thanks":     "",
		"Message taken": "",
		"":              "",
		"queued as ":    "",
	} {
		if got := queueID(text); got != want {
			t.Errorf("queueID(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for _, a := range []string{
		"ann@example.com", "postmaster", `"ann b"@example.com`, `"a\"b>"@example.com`, "ann+tag@[192.0.2.1]",
		"müller@example.com", "ann@bücher.example", "a=b@example.com", `"a,b"@example.com`, `"@"@example.com`, "ann",
	} {
		if err := checkAddress(a); err != nil {
			t.Errorf("checkAddress(%q) = %v, want nil", a, err)
		}
	}
	for _, a := range []string{
		"", "a@b\r\nRCPT TO:<c@d>", "a@b\n", "a\x00@b", "a@b> SIZE=1", "<a@b>", "Ann <a@b>", "a b@c", `"a@b`,
		`"a\`, "\"a\r\nDATA\"@b", "a\xff@b", strings.Repeat("a", maxAddress) + "@b", "a@b\x7f",
		"ann@example.com,bob@example.com", "ann@example.com;bob@example.com", "ann@", "@example.com", "@relay.example:ann@example.com",
	} {
		err := checkAddress(a)
		if _, ok := errors.AsType[*AddressError](err); !ok {
			t.Errorf("checkAddress(%q) = %v, want an AddressError", a, err)
		}
	}
}

// An address that passes stays one path in one line.
func FuzzCheckAddress(f *testing.F) {
	f.Add("ann@example.com")
	f.Add("\"a\\\"> \"@b\r\n")
	f.Fuzz(func(t *testing.T, a string) {
		if checkAddress(a) != nil {
			return
		}
		quoted, escaped := false, false
		for _, b := range []byte(a) {
			switch {
			case b < ' ' || b == 0x7f:
				t.Fatalf("%q has a control character", a)
			case escaped:
				escaped = false
			case quoted && b == '\\':
				escaped = true
			case b == '"':
				quoted = !quoted
			case !quoted && (b == '>' || b == '<' || b == ' '):
				t.Fatalf("%q ends its path early", a)
			}
		}
		if quoted {
			t.Fatalf("%q leaves the path open", a)
		}
	})
}
