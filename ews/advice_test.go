package ews_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// TestWhatToSet: who gives nothing to sign in with, or what does not go together, is told
// which settings there are.
func TestWhatToSet(t *testing.T) {
	for name, tt := range map[string]struct {
		creds session.Credentials
		mechs []string
		want  []string
	}{
		"nothing to sign in with": {session.Credentials{User: ann}, nil, []string{"Credentials.Password", "Credentials.Tokens", "offers Basic"}},
		"nobody at all":           {session.Credentials{}, nil, []string{"Credentials.Password", "Credentials.Tokens"}},
		"a mechanism of SMTP": {
			session.Credentials{User: ann, Password: password()},
			[]string{"PLAIN"},
			[]string{"PLAIN", "but BASIC or NTLM", "BEARER is for a token", "Server.Mechanisms"},
		},
		"a password's for a token": {
			session.Credentials{User: ann, Tokens: oauth.AnyResource(&renewing{})},
			[]string{"NTLM"},
			[]string{"NTLM goes with", "but BEARER"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{server: ewstest.Options{Schemes: []string{ewstest.Basic}}})
				s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial, Mechanisms: tt.mechs}
				c, err := ews.New(s, tt.creds, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_, err = c.Count(t.Context(), session.Inbox)
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("Count: %v, want %q in it", err, want)
					}
				}
			})
		})
	}
}

// TestSomebodyElsesPort: who answers in another protocol is not what was looked for, and
// https knows no STARTTLS.
func TestSomebodyElsesPort(t *testing.T) {
	for name, tt := range map[string]struct {
		says     string
		security session.Security
	}{
		"plain where TLS is expected": {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", session.TLS},
		"a mail server":               {"220 mail.example.com ESMTP\r\n", session.None},
		"what looks like HTTP":        {"HTTP/1.1 hello\r\n\r\n", session.None},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := session.Server{Host: "localhost", Security: tt.security, AllowPlainAuth: true, Dial: saying(tt.says)}
				c, err := ews.New(s, session.Credentials{User: ann, Password: password()}, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_, err = c.Count(t.Context(), session.Inbox)
				report := c.Check(t.Context(), nil)
				for what, words := range map[string]string{"Count": fmt.Sprint(err), "Check": report.String()} {
					if !strings.Contains(words, "check host and port") || strings.Contains(words, "STARTTLS") {
						t.Errorf("%s: %s; want to check host and port, and nothing of STARTTLS", what, words)
					}
				}
			})
		})
	}
}

// saying dials a server that says one thing, whatever it hears.
func saying(words string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := pipe.New()
		go func() {
			defer server.Close()
			_, _ = io.WriteString(server, words)
			_, _ = io.Copy(io.Discard, server)
		}()
		return client, nil
	}
}
