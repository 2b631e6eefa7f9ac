package smtpx_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// renewable is a source of tokens "horse-1", "horse-2" and so on, the next one
// after each that was refused.
type renewable struct {
	mu          sync.Mutex
	n           int
	invalidated []string
}

func (r *renewable) Token(context.Context) (*oauth.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &oauth.Token{AccessToken: r.token()}, nil
}

func (r *renewable) token() secret.Text { return secret.New(fmt.Sprintf("horse-%d", r.n)) }

func (r *renewable) Invalidate(_ context.Context, t *oauth.Token) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.invalidated = append(r.invalidated, t.AccessToken.Reveal())
	if t.AccessToken.Equal(r.token()) {
		r.n++
	}
	return nil
}

func withTokens(source oauth.TokenSource) session.Credentials {
	return session.Credentials{User: ann, Tokens: oauth.AnyResource(source)}
}

// tokenServer takes the tokens given.
func tokenServer(t *testing.T, o *smtptest.Options, good ...string) *smtptest.Server {
	t.Helper()
	box := newBox()
	account, _ := box.Account(ann)
	var texts []secret.Text
	for _, g := range good {
		texts = append(texts, secret.New(g))
	}
	account.AcceptTokens(mailtest.Tokens(texts...))
	s := smtptest.New(box, o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestMechanisms(t *testing.T) {
	long := "token-" + strings.Repeat("x", 2000)
	tests := []struct {
		name  string
		offer string
		force []string
		creds session.Credentials
		want  string // the lines of AUTH
	}{
		{"PLAIN", "AUTH LOGIN PLAIN", nil, withPassword(), "AUTH PLAIN [redacted]"},
		{"LOGIN", "AUTH=LOGIN", nil, withPassword(), "AUTH LOGIN, [redacted], [redacted]"},
		{"forced", "AUTH LOGIN PLAIN", []string{"LOGIN"}, withPassword(), "AUTH LOGIN, [redacted], [redacted]"},
		{"Google", "AUTH PLAIN XOAUTH2 OAUTHBEARER", nil, withTokens(oauth.StaticToken(secret.New("horse-0"))), "AUTH OAUTHBEARER [redacted]"},
		{"Microsoft", "AUTH LOGIN XOAUTH2", nil, withTokens(oauth.StaticToken(secret.New("horse-0"))), "AUTH XOAUTH2 [redacted]"},
		{"long token", "AUTH XOAUTH2", nil, withTokens(oauth.StaticToken(secret.New(long))), "AUTH XOAUTH2, [redacted]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				extensions := []string{strings.Replace(tt.offer, "AUTH=", "AUTH ", 1)}
				s := tokenServer(t, &smtptest.Options{Extensions: extensions}, "horse-0", long)
				server := inMemory(s)
				server.Mechanisms = tt.force
				mustSend(t, newClient(t, server, tt.creds, nil))
				var lines []string
				for _, c := range s.Commands() {
					if c.Name == "AUTH" {
						lines = append(lines, c.Line)
					}
				}
				if got := strings.Join(lines, ", "); got != tt.want {
					t.Errorf("the client said %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// Somebody who may act for others signs in under his own name and opens the mailbox
// of the user; where the server has no way to say so nothing is sent.
func TestSignInForSomebodyElse(t *testing.T) {
	for _, tt := range []struct {
		offer, password string
		want            any // pointer to a pointer of the error's type, nil where it goes well
	}{
		{"AUTH LOGIN PLAIN", "master horse", nil},
		{"AUTH LOGIN PLAIN", password, new(*session.AuthError)},
		{"AUTH LOGIN", "master horse", new(*session.SendError)},
	} {
		synctest.Test(t, func(t *testing.T) {
			box := newBox()
			box.AddMaster("admin", secret.New("master horse"))
			s := smtptest.New(box, &smtptest.Options{Extensions: []string{tt.offer}})
			defer s.Close()
			c := newClient(t, inMemory(s), session.Credentials{User: ann, AuthUser: "admin", Password: secret.New(tt.password)}, nil)
			_, err := c.Send(t.Context(), toBob(), source(letter))
			if tt.want == nil {
				if err != nil || s.Messages()[0].User != ann {
					t.Errorf("Send = %v, and the server has %+v, want it sent by %s", err, s.Messages(), ann)
				}
				return
			}
			if !errors.As(err, tt.want) || strings.Contains(err.Error(), tt.password) || !strings.Contains(err.Error(), "AuthUser") && !strings.Contains(err.Error(), "admin") {
				t.Errorf("%s: Send = %v, want a %T about the one who signs in", tt.offer, err, tt.want)
			}
			if tt.offer == "AUTH LOGIN" && strings.Contains(said(s), "AUTH") {
				t.Errorf("the server heard\n%s\nwant no AUTH", said(s))
			}
		})
	}
}

// A refused token is replaced once and by all connections together, and then
// the message goes out.
func TestTokenIsReplaced(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		t.Run(fmt.Sprintf("without a challenge %v", quiet), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tokenServer(t, &smtptest.Options{NoTokenChallenge: quiet}, "horse-1")
				source := &renewable{}
				c := newClient(t, inMemory(s), withTokens(source), nil)
				mustSend(t, c)
				if len(source.invalidated) != 1 || source.invalidated[0] != "horse-0" {
					t.Errorf("invalidated %q, want horse-0 once", source.invalidated)
				}
				synctest.Wait()
				if made, open := s.Connections(); made != 2 || open != 1 {
					t.Errorf("%d connections were made and %d are open, want 2 and 1", made, open)
				}
			})
		})
	}
}

func TestTokenIsRefusedForGood(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		t.Run(fmt.Sprintf("without a challenge %v", quiet), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tokenServer(t, &smtptest.Options{NoTokenChallenge: quiet})
				source := &renewable{}
				c := newClient(t, inMemory(s), withTokens(source), nil)
				rec, err := c.Send(t.Context(), toBob(), source2())
				checkOutcome(t, rec, err, session.NotSent)
				e, ok := errors.AsType[*session.AuthError](err)
				if !ok {
					t.Fatalf("Send = %v, want an AuthError", err)
				}
				status, challenge := "invalid_token", `{"status":"invalid_token","scope":"mail"}`
				if quiet {
					status, challenge = "", ""
				}
				if e.User != ann || e.Mechanism != "OAUTHBEARER" || e.Status != status || e.Challenge != challenge || e.Remedy == "" {
					t.Errorf("the AuthError is %#v", e)
				}
				if pe, ok := errors.AsType[*smtpx.Error](err); !ok || pe.Code != 535 {
					t.Errorf("Send = %v, want a 535 in it", err)
				}
				if !session.NeedsSignIn(err) || strings.Contains(fmt.Sprintf("%v %+v", err, e), "token-") {
					t.Errorf("Send = %v, want a call to sign in and no token", err)
				}
				if len(source.invalidated) != 1 {
					t.Errorf("invalidated %q, want one", source.invalidated)
				}
			})
		})
	}
}

func source2() brokenSource { return brokenSource{text: letter, size: int64(len(letter))} }

func TestRefusedSignIns(t *testing.T) {
	static := withTokens(oauth.StaticToken(secret.New("old-horse")))
	tests := []struct {
		name    string
		creds   session.Credentials
		reply   string // in place of AUTH; the server's own where empty
		remedy  string // part of the AuthError's, no AuthError where empty
		dialled int
	}{
		{"password", session.Credentials{User: ann, Password: secret.New("wrong horse")}, "", "check user name and password", 1},
		{"fixed token", static, "", "fresh access token", 1},
		{
			"SMTP AUTH is off", static,
			"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
			`"Authenticated SMTP"`, 1,
		},
		{
			"security defaults", withPassword(),
			"535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.",
			"sign in with OAuth", 1,
		},
		{"Exchange", static, "535 5.7.3 Authentication unsuccessful [AM0.eurprd.PROD.OUTLOOK.COM]", "SMTP.Send", 1},
		{"Google", withPassword(), "534-5.7.9 Application-specific password required. For more information, go to\r\n534 5.7.9  https://support.google.com/mail", "app password", 1},
		{"later", withPassword(), "454 4.7.0 Temporary authentication failure", "", 1},
		{"too many", withPassword(), "421 4.7.0 Too many login attempts", "", 1},
		{"not understood", withPassword(), "501 5.5.2 Cannot decode", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tokenServer(t, nil)
				if tt.reply != "" {
					s.Inject(mailtest.Reply("AUTH", tt.reply))
				}
				c := newClient(t, inMemory(s), tt.creds, nil)
				rec, err := c.Send(t.Context(), toBob(), source(letter))
				checkOutcome(t, rec, err, session.NotSent)
				e, ok := errors.AsType[*session.AuthError](err)
				if ok != (tt.remedy != "") || ok && !strings.Contains(e.Remedy, tt.remedy) {
					t.Errorf("Send = %v, want an AuthError whose remedy has %q, or none", err, tt.remedy)
				}
				if !strings.Contains(err.Error(), tt.remedy) {
					t.Errorf("Send = %v, want %q in it", err, tt.remedy)
				}
				if made, _ := s.Connections(); made != tt.dialled {
					t.Errorf("%d connections were made, want %d", made, tt.dialled)
				}
			})
		})
	}
}

func TestSignInThatCannotBe(t *testing.T) {
	tests := []struct {
		name       string
		extensions []string
		plainAuth  bool
		creds      session.Credentials
		text       string
	}{
		{"no encryption", nil, false, withPassword(), "not encrypted"},
		{"no AUTH", smtptest.Without("AUTH"), true, withPassword(), "does not offer AUTH"},
		{"no mechanism", []string{"AUTH XOAUTH2"}, true, withPassword(), "the server offers XOAUTH2"},
		{"line end in the name", nil, true, session.Credentials{User: "ann\r\n", Password: secret.New("x")}, "control character"},
		{"no credentials", nil, true, session.Credentials{}, "give credentials"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: tt.extensions})
				server := inMemory(s)
				server.AllowPlainAuth = tt.plainAuth
				c := newClient(t, server, tt.creds, nil)
				rec, err := c.Send(t.Context(), toBob(), source(letter))
				checkOutcome(t, rec, err, session.NotSent)
				if !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Send = %v, want %q in it", err, tt.text)
				}
				if strings.Contains(said(s), "AUTH") {
					t.Errorf("the server heard %q, want no AUTH", said(s))
				}
			})
		})
	}
}

func TestTokenSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		broken := errors.New("no network")
		c := newClient(t, inMemory(s), withTokens(failing{broken}), nil)
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if !errors.Is(err, broken) {
			t.Errorf("Send = %v, want %v in it", err, broken)
		}
		if made, _ := s.Connections(); made != 0 {
			t.Errorf("%d connections were made, want none", made)
		}
	})
}

type failing struct{ err error }

func (f failing) Token(context.Context) (*oauth.Token, error) { return nil, f.err }

// TestServersThatEchoSecrets: what a server repeats of the credentials does not
// come into errors, also where it is longer than what is kept of its words.
func TestServersThatEchoSecrets(t *testing.T) {
	long := "horse-" + strings.Repeat("x", 2000)
	for said, creds := range map[string]session.Credentials{
		password: withPassword(), "AGFubkBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNl": withPassword(), // \0ann@example.com\0correct horse
		long: withTokens(oauth.StaticToken(secret.New(long))),
	} {
		s := newServer(t, &smtptest.Options{NoTokenChallenge: true, Words: smtptest.Words{WrongToken: "535 5.7.8 what is " + said}})
		if said != long { // which is sent behind the server's agreement to AUTH
			s.Inject(mailtest.Reply("AUTH", "535-5.7.8 no\r\n535 5.7.8 what is "+said).Repeating(-1))
		}
		c := newClient(t, inMemory(s), creds, nil)
		_, err := c.Send(t.Context(), toBob(), source(letter))
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), said[:12]) || !strings.Contains(err.Error(), secret.Redacted) {
			t.Errorf("Send = %v, want an error with %.12q masked", err, said)
		}
	}
}

// TestEveryStepEchoesSecrets: at no step, and in no kind of answer, not even one
// that is none, do the credentials come into what is told of it.
func TestEveryStepEchoesSecrets(t *testing.T) {
	const initial = "AGFubkBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNl" // which AUTH sends
	token := withTokens(oauth.StaticToken(secret.New("horse-0")))
	secrets := map[string]session.Credentials{
		password: withPassword(), "Y29ycmVjdCBob3JzZQ": withPassword(), initial: withPassword(), "horse-0": token, "aG9yc2UtMA": token,
	}
	steps := []string{mailtest.Greeting, "EHLO", "AUTH", "RSET", "MAIL", "RCPT", "DATA", smtptest.EndOfData, "BDAT"}
	for form, fault := range map[string]func(step, said string) mailtest.Fault{
		"nonsense":       func(step, said string) mailtest.Fault { return mailtest.Reply(step, `what is "`+said) },
		"noise":          func(step, said string) mailtest.Fault { return mailtest.Before(step, "250"+said+"\r\n") },
		"a refusal":      func(step, said string) mailtest.Fault { return mailtest.Reply(step, "554-what is\r\n554 "+said) },
		"for the moment": func(step, said string) mailtest.Fault { return mailtest.Reply(step, "451 4.3.0 "+said) },
		"one too many":   func(step, said string) mailtest.Fault { return mailtest.After(step, "250 "+said+"\r\n") },
	} {
		masked := 0
		for said, creds := range secrets {
			for i, step := range steps {
				if said == initial && i < slices.Index(steps, "AUTH") {
					continue
				}
				told := errorsUnder(t, fault(step, said), creds)
				masked += strings.Count(told, secret.Redacted)
				if strings.Contains(told, said) {
					t.Errorf("%s at %s: %q is to be masked in %s", form, step, said, told)
				}
			}
		}
		if masked == 0 {
			t.Errorf("%s: the errors tell nothing of it, want the server's words", form)
		}
	}
}

// errorsUnder returns the errors and results of sending one message, and several
// together, to a server with a fault that lasts.
func errorsUnder(t *testing.T, fault mailtest.Fault, creds session.Credentials) string {
	t.Helper()
	var told strings.Builder
	synctest.Test(t, func(t *testing.T) {
		s := tokenServer(t, nil, "horse-0")
		fault = fault.Repeating(-1)
		if fault.Command == "MAIL" {
			fault.Skip = 1 // and meets one that is sent behind another message
		}
		s.Inject(fault)
		c := newClient(t, inMemory(s), creds, &smtpx.Options{MaxConnections: 1, Retry: smtpx.Retry{Count: -1}})
		_, err := c.Send(t.Context(), toBob(), source(letter))
		fmt.Fprintf(&told, "%v %+v", err, err)
		for r, err := range c.SendAll(t.Context(), circulars(5), nil) {
			fmt.Fprintf(&told, " %v %+v %+v", err, err, r)
		}
	})
	return told.String()
}
