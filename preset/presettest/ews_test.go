package presettest_test

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestAPersonAndAProgramReadByEWS: what one mailbox got is read with a person's
// token, and another one with a program's, which acts for it.
func TestAPersonAndAProgramReadByEWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		p.Add(ann, secret.Text{})
		p.AddShared(info)
		if err := p.Box.Deliver(mailtest.CRLF("From: bob@example.org\nSubject: Offer\n\nHello.\n"), ann, info); err != nil {
			t.Fatal(err)
		}
		grant, err := oauth.SignIn(t.Context(), p.Config(preset.EWS), p.Browser(ann))
		if err != nil {
			t.Fatal(err)
		}
		app, err := p.App(preset.EWS)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range []struct {
			creds session.Credentials
			opts  ews.Options
		}{
			{session.Credentials{User: ann, Tokens: grant}, ews.Options{}},
			{session.Credentials{User: info, Tokens: app}, ews.Options{Impersonate: &ews.ConnectingID{SMTPAddress: info}}},
		} {
			s, err := session.New(in.creds, ews.Backend(p.EWSServer(), &in.opts), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := subjects(t, s); got != "Offer" {
				t.Errorf("%s sees %q, want Offer", in.creds.User, got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if got, want := p.Preset().EWS.URL, "https://mail.contoso.example/EWS/Exchange.asmx"; got != want {
			t.Errorf("EWS.URL = %q, want %q", got, want)
		}
	})
}

// TestATokenForIMAPOpensNoEWS: a token opens only the protocols whose scopes it
// has.
func TestATokenForIMAPOpensNoEWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		p.Add(ann, secret.Text{})
		grant, err := oauth.SignIn(t.Context(), p.Config(preset.IMAP), p.Browser(ann))
		if err != nil {
			t.Fatal(err)
		}
		s, err := session.New(session.Credentials{User: ann, Tokens: grant}, ews.Backend(p.EWSServer(), nil), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, err := range s.Folders(t.Context()) {
			if !session.NeedsSignIn(err) {
				t.Errorf("Folders: %v, want that a new sign-in is needed", err)
			}
			return
		}
		t.Error("Folders ends without an error")
	})
}
