package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestSignIn goes through mechanisms, encryption and what servers leave out.
func TestSignIn(t *testing.T) {
	token := secret.New("ya29.horse")
	bearer := session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(token))}
	for _, tt := range []struct {
		name    string
		options imaptest.Options
		creds   *session.Credentials
		server  session.Server
		want    string // what the server was told
	}{
		{name: "TLS", options: imaptest.Options{Security: mailtest.TLS}, server: session.Server{Security: session.TLS}, want: "AUTHENTICATE PLAIN"},
		{name: "STARTTLS", options: imaptest.Options{Security: mailtest.STARTTLS}, server: session.Server{Security: session.STARTTLS}, want: "AUTHENTICATE PLAIN"},
		{name: "capabilities only when asked", options: imaptest.Options{Security: mailtest.STARTTLS, QuietCapabilities: true}, server: session.Server{Security: session.STARTTLS}, want: "AUTHENTICATE PLAIN"},
		{name: "no initial response", options: imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without("SASL-IR")}, want: "AUTHENTICATE PLAIN"},
		{name: "LOGIN mechanism", options: imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without("AUTH=PLAIN")}, want: "AUTHENTICATE LOGIN"},
		{name: "LOGIN command", options: imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without("AUTH=PLAIN", "AUTH=LOGIN")}, want: "LOGIN"},
		{name: "OAUTHBEARER first", options: imaptest.Options{Security: mailtest.TLS}, creds: &bearer, want: "AUTHENTICATE OAUTHBEARER"},
		{name: "XOAUTH2", options: imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without("AUTH=OAUTHBEARER")}, creds: &bearer, want: "AUTHENTICATE XOAUTH2"},
		{name: "XOAUTH2 without initial response", options: imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without("AUTH=OAUTHBEARER", "SASL-IR")}, creds: &bearer, want: "AUTHENTICATE XOAUTH2"},
		{name: "forced", options: imaptest.Options{Security: mailtest.TLS}, creds: &bearer, server: session.Server{Mechanisms: []string{"XOAUTH2"}}, want: "AUTHENTICATE XOAUTH2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1, &tt.options, func(s *session.Server, c *session.Credentials, _ *imapx.Options) {
				s.Security, s.Mechanisms, s.AllowPlainAuth = tt.server.Security, tt.server.Mechanisms, false
				if tt.creds != nil {
					*c = *tt.creds
				}
			})
			w.account.AcceptTokens(mailtest.Tokens(token))
			if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 1 {
				t.Errorf("%d messages, want 1", got)
			}
			var told []string
			for _, c := range w.server.Commands() {
				told = append(told, c.Line)
				if !c.Encrypted && c.Name != "CAPABILITY" && c.Name != "STARTTLS" {
					t.Errorf("%q in plain text", c.Line)
				}
			}
			if !strings.Contains(strings.Join(told, "\n"), tt.want) {
				t.Errorf("the server was told %q, want %q", told, tt.want)
			}
		})
	}
}

// Somebody who may act for others signs in under his own name and opens the mailbox
// of the user; where the server has no way to say so nothing is sent.
func TestSignInForSomebodyElse(t *testing.T) {
	for _, without := range [][]string{nil, {"AUTH=PLAIN"}, {"AUTH=PLAIN", "AUTH=LOGIN"}} {
		w := newWorld(t, 1, &imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without(without...)},
			func(s *session.Server, c *session.Credentials, _ *imapx.Options) {
				s.Security, c.AuthUser, c.Password = session.TLS, "admin", secret.New("master horse")
			})
		w.account.Box().AddMaster("admin", secret.New("master horse"))
		_, err := w.client.Facts(t.Context())
		told := false
		for _, c := range w.server.Commands() {
			told = told || c.Name == "AUTHENTICATE" || c.Name == "LOGIN"
		}
		switch {
		case without == nil && err != nil:
			t.Errorf("Facts = %v, want nil", err)
		case without != nil && (err == nil || !strings.Contains(err.Error(), "AuthUser") || told):
			t.Errorf("without %v: Facts = %v, credentials were sent: %t; want an error beforehand", without, err, told)
		}
	}
}

func TestOddPasswords(t *testing.T) {
	for _, p := range []string{`quo"te and \horse`, "pässhörsehorse", "horse and space ", "horse{5}"} {
		w := newWorld(t, 1, &imaptest.Options{Security: mailtest.TLS, Capabilities: imaptest.Without("AUTH=PLAIN", "AUTH=LOGIN")},
			func(s *session.Server, c *session.Credentials, _ *imapx.Options) {
				s.Security, c.Password = session.TLS, secret.New(p)
			})
		w.account.SetPassword(secret.New(p))
		if _, err := w.client.Facts(t.Context()); err != nil {
			t.Errorf("LOGIN with the password %q: %v", p, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	static := session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New("stale-horse-123")))}
	for _, tt := range []struct {
		name    string
		options imaptest.Options
		adjust  func(*session.Server, *session.Credentials, *imapx.Options)
		want    []string // in the error
		auth    bool
	}{
		{
			name: "wrong password",
			adjust: func(_ *session.Server, c *session.Credentials, _ *imapx.Options) {
				c.Password = secret.New("wrong-horse-123")
			},
			want: []string{"localhost:143", "refused PLAIN for ann@example.com", "AUTHENTICATIONFAILED", "check user name and password"}, auth: true,
		},
		{
			name:   "refused token by OAUTHBEARER",
			adjust: func(_ *session.Server, c *session.Credentials, _ *imapx.Options) { *c = static },
			want:   []string{"refused OAUTHBEARER", `{"status":"invalid_token"`, "fresh access token"}, auth: true,
		},
		{
			name:    "refused token by XOAUTH2",
			options: imaptest.Options{Capabilities: imaptest.Without("AUTH=OAUTHBEARER", "SASL-IR")},
			adjust:  func(_ *session.Server, c *session.Credentials, _ *imapx.Options) { *c = static },
			want:    []string{"refused XOAUTH2", `{"status":"401"`}, auth: true,
		},
		{
			name:    "refused token without a word, as Microsoft does",
			options: imaptest.Options{Capabilities: imaptest.Without("AUTH=OAUTHBEARER"), NoTokenChallenge: true},
			adjust:  func(_ *session.Server, c *session.Credentials, _ *imapx.Options) { *c = static },
			want:    []string{"refused XOAUTH2", "NO"}, auth: true,
		},
		{
			name:   "no encryption",
			adjust: func(s *session.Server, _ *session.Credentials, _ *imapx.Options) { s.AllowPlainAuth = false },
			want:   []string{"not encrypted", "TLS or STARTTLS"},
		},
		{
			name:   "no STARTTLS",
			adjust: func(s *session.Server, _ *session.Credentials, _ *imapx.Options) { s.Security = session.STARTTLS },
			want:   []string{"does not offer STARTTLS"},
		},
		{
			name:   "an injecting user name",
			adjust: func(_ *session.Server, c *session.Credentials, _ *imapx.Options) { c.User = "ann\r\nA1 LOGOUT" },
			want:   []string{"user name"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, &tt.options, tt.adjust)
				_, err := w.client.Facts(t.Context())
				if err == nil {
					t.Fatal("no error")
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q, want %q in it", err, want)
					}
				}
				if _, ok := errors.AsType[*session.AuthError](err); ok != tt.auth || session.NeedsSignIn(err) != tt.auth {
					t.Errorf("error %v is an AuthError: %t, want %t", err, ok, tt.auth)
				}
				for _, s := range []string{"wrong-horse-123", "stale-horse-123", password().Reveal()} {
					if strings.Contains(fmt.Sprintf("%v %+v", err, err), s) {
						t.Errorf("the error shows %q: %v", s, err)
					}
				}
				synctest.Wait()
				if _, open := w.server.Connections(); open != 0 {
					t.Errorf("%d connections stay open", open)
				}
			})
		})
	}
}

// renewing is a source whose tokens have numbers.
type renewing struct {
	mu     sync.Mutex
	number int
}

func (r *renewing) Token(context.Context) (*oauth.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &oauth.Token{AccessToken: secret.New(fmt.Sprintf("horse-%d", r.number)), Type: "Bearer"}, nil
}

func (r *renewing) Invalidate(context.Context, *oauth.Token) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	return nil
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	for name, good := range map[string]string{"the next one is good": "horse-1", "the next one is refused too": "horse-2"} {
		t.Run(name, func(t *testing.T) {
			source := &renewing{}
			w := newWorld(t, 1, &imaptest.Options{}, func(_ *session.Server, c *session.Credentials, _ *imapx.Options) {
				c.Tokens = oauth.AnyResource(source)
			})
			w.account.AcceptTokens(mailtest.Tokens(secret.New(good)))
			_, err := w.client.Facts(t.Context())
			if good == "horse-1" && err != nil {
				t.Errorf("Facts: %v", err)
			}
			if e, ok := errors.AsType[*session.AuthError](err); good == "horse-2" && (!ok || !strings.Contains(e.Remedy, "a fresh token was refused too")) {
				t.Errorf("Facts error %v, want an AuthError that tells of the second try", err)
			}
			if source.number != 1 {
				t.Errorf("the token was replaced %d times, want once", source.number)
			}
		})
	}
}

func TestAuthenticatedButNotConnected(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.server.Inject(mailtest.Reply("SELECT", "BAD User is authenticated but not connected."))
	for _, err := range w.client.Messages(t.Context(), session.Query{}) {
		e, ok := errors.AsType[*session.AuthError](err)
		if !ok || !strings.Contains(e.Remedy, "IMAP is switched on") {
			t.Errorf("error %v, want an AuthError that explains it", err)
		}
	}
}
