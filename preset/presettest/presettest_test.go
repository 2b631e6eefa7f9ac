package presettest_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

const ann = "ann@contoso.example"

// open signs in and opens a session with both sides.
func open(t *testing.T, p *presettest.Provider, creds *session.Credentials) *session.Session {
	t.Helper()
	log := testlog.New(t)
	if creds == nil {
		cfg := p.Config()
		cfg.Logger, cfg.Observer = testlog.Logger(log), testlog.NewObserver(log)
		grant, err := oauth.SignIn(t.Context(), cfg, p.Browser(ann))
		if err != nil {
			t.Fatal(err)
		}
		creds = &session.Credentials{User: grant.Address(), Tokens: grant}
	}
	known := p.Preset()
	known.IMAP.Transcript, known.SMTP.Transcript = log, log
	s, err := session.New(*creds, imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil),
		&session.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// sendToOneself sends a message and returns the one that arrived.
func sendToOneself(t *testing.T, s *session.Session, subject string) *session.Message {
	t.Helper()
	me := mail.Address{Address: ann}
	receipt, err := s.SendDraft(t.Context(), &message.Draft{From: me, To: []mail.Address{me}, Subject: subject, Text: "Hello.\n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.MessageID() == receipt.MessageID {
			return m
		}
	}
	t.Fatalf("%q did not arrive", subject)
	return nil
}

// TestWholeProvider signs in, sends and reads in all kinds of encryption, over
// TCP.
func TestWholeProvider(t *testing.T) {
	for _, security := range []session.Security{session.TLS, session.STARTTLS, session.None} {
		t.Run(security.String(), func(t *testing.T) {
			p := presettest.NewProvider(&presettest.Options{Security: security})
			defer p.Close()
			p.Add(ann, secret.Text{})
			s := open(t, p, nil)
			if got := sendToOneself(t, s, "Hello").Header.Subject(); got != "Hello" {
				t.Errorf("subject %q", got)
			}
			for name, commands := range map[string][]mailtest.Command{"IMAP": p.IMAP.Commands(), "SMTP": p.SMTP.Commands()} {
				var told strings.Builder
				for _, c := range commands {
					told.WriteString(c.Line + "\n")
				}
				if !strings.Contains(told.String(), "XOAUTH2 [redacted]") {
					t.Errorf("%s was told\n%s\nwant a sign-in by XOAUTH2", name, told.String())
				}
			}
		})
	}
}

// TestDaysInVirtualTime: a program that is left alone for days finds its
// connections closed and its access token expired, and goes on, with one
// refresh for both sides.
func TestDaysInVirtualTime(t *testing.T) {
	for _, rotation := range []oauthtest.Rotation{oauthtest.RotateNever, oauthtest.RotateRevokeFamily} {
		synctest.Test(t, func(t *testing.T) {
			p := presettest.NewProvider(&presettest.Options{InMemory: true, Rotation: rotation})
			defer p.Close()
			p.Add(ann, secret.Text{})
			s := open(t, p, nil)
			before := p.OAuth.Hits(oauthtest.TokenPath)
			for day := range 5 {
				sendToOneself(t, s, fmt.Sprintf("Day %d", day))
				<-time.After(24 * time.Hour)
			}
			if got := p.OAuth.Hits(oauthtest.TokenPath) - before; got != 4 {
				t.Errorf("%d refreshes in 5 days with mail once a day, want 4", got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTokenRevokedMeanwhile costs one refresh, and the grant's end needs a new
// sign-in.
func TestTokenRevokedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		p.Add(ann, secret.Text{})
		s := open(t, p, nil)
		sendToOneself(t, s, "Before")
		p.OAuth.RevokeAccess(ann)
		p.IMAP.Disconnect()
		p.SMTP.Disconnect()
		sendToOneself(t, s, "After the token was revoked")

		p.OAuth.Revoke(ann)
		p.IMAP.Disconnect()
		var err error
		for _, err = range s.Messages(t.Context(), session.Query{Limit: 1}) {
			continue
		}
		if !session.NeedsSignIn(err) || session.Temporary(err) {
			t.Errorf("error %v, want one that asks for a new sign-in", err)
		}
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindRevoked {
			t.Errorf("error %v, want an oauth.Error of the kind revoked", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestWhatTheProviderRefuses goes through credentials that do not open the
// mailbox.
func TestWhatTheProviderRefuses(t *testing.T) {
	p := presettest.NewProvider(nil)
	defer p.Close()
	p.Add(ann, secret.New("correct horse"))
	p.Add("bob@contoso.example", secret.Text{})
	issue := func(address string, scopes ...string) oauth.Sources {
		issued, err := p.OAuth.Issue(address, scopes...)
		if err != nil {
			t.Fatal(err)
		}
		return oauth.AnyResource(oauth.StaticToken(issued.Access))
	}
	scopes := p.Preset().Scopes
	for _, tt := range []struct {
		name  string
		creds session.Credentials
		want  string
	}{
		{"the right password", session.Credentials{User: ann, Password: secret.New("correct horse")}, ""},
		{"a token with the scope", session.Credentials{User: ann, Tokens: issue(ann, scopes[preset.IMAP]...)}, ""},
		{"a wrong password", session.Credentials{User: ann, Password: secret.New("wrong horse")}, "check user name and password"},
		{"another user's token", session.Credentials{User: ann, Tokens: issue("bob@contoso.example", scopes[preset.IMAP]...)}, `"status":"401"`},
		{"a token without the scope", session.Credentials{User: ann, Tokens: issue(ann, "openid")}, `"status":"400"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, p, &tt.creds).Facts(t.Context())
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestNothingShowsASecret looks for every token that was issued in what was
// logged and said.
func TestNothingShowsASecret(t *testing.T) {
	p := presettest.NewProvider(nil)
	defer p.Close()
	p.Add(ann, secret.Text{})
	s := open(t, p, nil)
	sendToOneself(t, s, "Hello")
	seen := fmt.Sprintf("%+v %+v %+v %+v", p.IMAP.Commands(), p.SMTP.Commands(), p.OAuth.Log(), s)
	for _, token := range p.OAuth.Secrets() {
		if strings.Contains(seen, token.Reveal()) {
			t.Errorf("a token shows in %s", seen)
		}
	}
}

func Example() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	provider.Add("ann@contoso.example", secret.Text{})

	// From here on the program does what it does with a real provider.
	ctx := context.Background()
	known := provider.Preset()
	grant, err := oauth.SignIn(ctx, provider.Config(preset.SMTP), provider.Browser("ann@contoso.example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := session.New(session.Credentials{User: grant.Address(), Tokens: grant}, nil, smtpx.Backend(known.SMTP, nil),
		&session.Options{Mode: session.SendOnly})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	receipt, err := s.SendDraft(ctx, &message.Draft{
		From: mail.Address{Address: grant.Address()}, To: []mail.Address{{Address: "ann@contoso.example"}},
		Subject: "Report", Text: "All is well.\n",
	}, nil)
	fmt.Println(receipt.Outcome, err)

	// And the test looks into the mailbox.
	account, _ := provider.Box.Account("ann@contoso.example")
	messages, err := account.Messages("INBOX")
	fmt.Println(len(messages), err)
	// Output:
	// accepted <nil>
	// 1 <nil>
}
