package presettest_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestAnAddressIsAllThatIsKnown: a program that is given an address finds the
// provider, signs in and reads.
func TestAnAddressIsAllThatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		if _, err := p.Add(ann, secret.Text{}).Append("INBOX", mailtest.CRLF("Subject: Offer\n\nHello.\n"), nil); err != nil {
			t.Fatal(err)
		}

		found, err := lookup.Find(t.Context(), ann, p.Lookup())
		if err != nil {
			t.Fatalf("%v\n%v", err, found)
		}
		if found.Method != lookup.ByMX || found.Provider.Name != "Contoso" {
			t.Errorf("found by %s: %s", found.Method, found.Provider.Name)
		}
		config := found.Provider.Config(presettest.ClientID, preset.IMAP)
		config.HTTPClient = p.OAuth.Client()
		grant, err := oauth.SignIn(t.Context(), config, p.Browser(ann))
		if err != nil {
			t.Fatal(err)
		}
		s, err := session.New(session.Credentials{User: found.Users[preset.IMAP], Tokens: grant}, imapx.Backend(found.Provider.IMAP, nil), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := subjects(t, s); got != "Offer" {
			t.Errorf("subjects %q, want Offer", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := lookup.Find(t.Context(), "bob@fabrikam.example", p.Lookup()); !errors.Is(err, lookup.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound for a domain of somebody else", err)
		}
	})
}
