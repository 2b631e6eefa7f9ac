package pop3x_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestServersThatEchoSecrets: what a server repeats of the credentials does not
// come into errors, also where it is longer than what is kept of its words, or the
// answer is none.
func TestServersThatEchoSecrets(t *testing.T) {
	long := "horse-" + strings.Repeat("x", 2000)
	withToken := session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New(long)))}
	for _, tt := range []struct {
		mechanism, command, answer, said string
		creds                            session.Credentials
	}{
		{"USER", "PASS", "-ERR what is PASS ", password().Reveal(), withPassword()},
		{"USER", "PASS", "PASS ", password().Reveal(), withPassword()},
		{"XOAUTH2", "AUTH", "-ERR no such token: ", long, withToken},
	} {
		w := newWorld(t, 1, &pop3test.Options{NoTokenChallenge: true, Words: pop3test.Words{WrongToken: strings.TrimPrefix(tt.answer, "-ERR ") + tt.said}}, nil)
		s := w.settings()
		s.Mechanisms = []string{tt.mechanism}
		c := w.open(s, tt.creds, nil)
		if tt.said != long { // which is sent behind the server's agreement to AUTH
			w.server.Inject(mailtest.Reply(tt.command, tt.answer+tt.said).Repeating(-1))
		}
		_, err := c.Facts(t.Context())
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), tt.said[:12]) || !strings.Contains(err.Error(), secret.Redacted) {
			t.Errorf("%s: Facts = %v, want an error with %.12q masked", tt.mechanism, err, tt.said)
		}
	}
}
