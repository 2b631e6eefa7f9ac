package presettest_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// popLine signs in with a token for the protocols and returns what the POP3
// server says to it, and to STAT or to an empty line then.
func popLine(t *testing.T, p *presettest.Provider, next string, protocols ...preset.Protocol) (first, second string) {
	t.Helper()
	grant, err := oauth.SignIn(t.Context(), p.Config(protocols...), p.Browser(ann))
	if err != nil {
		t.Fatal(err)
	}
	server := p.Preset().POP3
	token, err := grant.For(server.Resource).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := server.Dial(t.Context(), "tcp", server.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lines := bufio.NewScanner(c)
	say := func(line string) string {
		if _, err := io.WriteString(c, line); err != nil || !lines.Scan() {
			t.Fatalf("the dialogue ends: %v, %v", err, lines.Err())
		}
		return lines.Text()
	}
	say("")
	say("AUTH XOAUTH2\r\n")
	blob := fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", ann, token.AccessToken.Reveal())
	return say(base64.StdEncoding.EncodeToString([]byte(blob)) + "\r\n"), say(next + "\r\n")
}

// TestPOP3OpensByItsOwnScope: a token for POP3 opens the mailbox that IMAP
// serves, and one for IMAP is refused with the reason.
func TestPOP3OpensByItsOwnScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// None, since the dialogue is about tokens.
		p := presettest.NewProvider(&presettest.Options{InMemory: true, Security: session.None})
		defer p.Close()
		account := p.Add(ann, secret.Text{})
		if _, err := account.Append("INBOX", mailtest.Sample(1), nil); err != nil {
			t.Fatal(err)
		}
		first, second := popLine(t, p, "STAT", preset.POP3)
		if want := fmt.Sprintf("+OK 1 %d", len(mailtest.Sample(1))); first != "+OK Signed in" || second != want {
			t.Errorf("a token for POP3 gets %q and %q, want it signed in and %q", first, second, want)
		}
		first, second = popLine(t, p, "", preset.IMAP, preset.SMTP)
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(first, "+ "))
		if err != nil || !strings.Contains(string(challenge), `"status":"400"`) || !strings.HasPrefix(second, "-ERR [AUTH]") {
			t.Errorf("a token for IMAP and SMTP gets %q, %v, and %q, want it refused for its scope", challenge, err, second)
		}
	})
}
