package presettest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const info = "info@contoso.example"

// subjects returns those of a mailbox's messages.
func subjects(t *testing.T, s *session.Session) string {
	t.Helper()
	var list []string
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m.Header.Subject())
	}
	return strings.Join(list, ",")
}

// TestAProgramReadsASharedMailbox: with tokens of its own it signs in by IMAP as
// the mailbox, for days, also after its tokens were revoked; other mailboxes
// stay shut.
func TestAProgramReadsASharedMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		p.Add(ann, secret.Text{})
		_, err := p.AddShared(info).Append("INBOX", mailtest.CRLF("From: ann@contoso.example\nSubject: Offer\n\nHello.\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		app, err := p.App(preset.IMAP)
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, p, &session.Credentials{User: info, Tokens: app})
		for day := range 3 {
			if got := subjects(t, s); got != "Offer" {
				t.Errorf("day %d: subjects %q, want Offer", day, got)
			}
			<-time.After(24 * time.Hour)
		}
		if got := p.OAuth.Hits(oauthtest.TokenPath); got != 3 {
			t.Errorf("%d token requests in 3 days with mail once a day, want 3", got)
		}
		subjects(t, s)
		p.OAuth.RevokeAccess(presettest.AppID)
		other := open(t, p, &session.Credentials{User: info, Tokens: app})
		if got := subjects(t, other); got != "Offer" {
			t.Errorf("after the token was revoked: subjects %q, want Offer", got)
		}
		if got := p.OAuth.Hits(oauthtest.TokenPath); got != 5 {
			t.Errorf("%d token requests, want 5: one more for the revoked token", got)
		}
		anns := open(t, p, &session.Credentials{User: ann, Tokens: app})
		for _, err := range anns.Messages(t.Context(), session.Query{}) {
			if refused, ok := errors.AsType[*session.AuthError](err); !ok || refused == nil {
				t.Errorf("a mailbox that nobody opened to the program: %v, want an AuthError", err)
			}
		}
		if err := errors.Join(s.Close(), other.Close(), anns.Close()); err != nil {
			t.Error(err)
		}
	})
}

// ExampleProvider_App is a service that reads a department's mailbox.
func ExampleProvider_App() {
	p := presettest.NewProvider(nil)
	defer p.Close()
	_, err := p.AddShared("info@contoso.example").Append("INBOX", mailtest.CRLF("Subject: Offer\n\nHello.\n"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	app, err := p.App()
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := session.New(session.Credentials{User: "info@contoso.example", Tokens: app}, imapx.Backend(p.Preset().IMAP, nil), nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range s.Messages(context.Background(), session.Query{}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(m.Header.Subject())
	}
	if err := s.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: Offer
}
