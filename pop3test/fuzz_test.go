package pop3test_test

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
)

// removal is what a client has to say for a message to be removed.
var removal = regexp.MustCompile(`(?is)DELE [0-9]+\r\n.*QUIT\r\n`)

// FuzzDialogue says anything at all to a server. It answers in whole lines,
// removes nothing that it was not told to, writes no password down, and comes to
// an end.
func FuzzDialogue(f *testing.F) {
	for _, said := range []string{
		"STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\n", "DELE 1\r\nDELE 2\r\nQUIT\r\n", "dele 1\r\nRSET\r\nquit\r\n",
		"AUTH PLAIN\r\n*\r\nAUTH\r\n", "USER " + ann + "\r\nPASS " + password + "\r\nPASS x\r\n", "UTF8\r\nLANG de\r\nCAPA\r\n",
		"AUTH XOAUTH2 " + xoauth2(ann, token) + "\r\n", "STLS\r\nUSER a\r\n", "NOOP\nQUIT\r\n", "RETR 99999999999\r\n\x00\r\n",
	} {
		f.Add(said, true)
		f.Add(said, false)
	}
	f.Fuzz(func(t *testing.T, said string, in bool) {
		box := mailtest.New()
		account := box.Add(ann, secret.New(password))
		account.AcceptTokens(mailtest.Tokens(secret.New(token)))
		for n := range 2 {
			if _, err := account.Append("INBOX", mailtest.Sample(n), nil); err != nil {
				t.Fatal(err)
			}
		}
		server := pop3test.New(box, &pop3test.Options{Last: true, APOP: true})
		if in {
			said = "USER " + ann + "\r\nPASS " + password + "\r\n" + said
		}
		heard := converse(t, server, said)
		if !strings.HasPrefix(heard, "+OK pop3test ready <") || !strings.HasSuffix(heard, "\r\n") {
			t.Errorf("said %q, heard %q, want whole lines behind a greeting", said, heard)
		}
		left, err := account.Messages("INBOX")
		if err != nil || len(left) < 2 && !removal.MatchString(said) {
			t.Errorf("said %q, and %d messages are left, %v", said, len(left), err)
		}
		for _, c := range server.Commands() {
			if c.Name == "PASS" && c.Line != "PASS" && c.Line != "PASS [redacted]" {
				t.Errorf("said %q, and it is recorded as %q", said, c.Line)
			}
		}
	})
}

// converse says everything, hangs up, and returns what the server said.
func converse(t *testing.T, server *pop3test.Server, said string) string {
	t.Helper()
	c, err := server.Dial(context.WithoutCancel(t.Context()), "tcp", "pop.example.com:110")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(c, said)
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	heard, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("said %q: %v", said, err)
	}
	_ = c.Close()
	_ = server.Close()
	return string(heard)
}
