package main

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
)

// TestCountAll: two mailboxes open to the program with one token, and that of a
// person, which does not, is told.
func TestCountAll(t *testing.T) {
	p := presettest.NewProvider(nil)
	defer p.Close()
	p.Add("ann@contoso.example", secret.Text{})
	for n, address := range []string{"info@contoso.example", "sales@contoso.example"} {
		shared := p.AddShared(address)
		for i := range n + 2 {
			uid, err := shared.Append("INBOX", mailtest.Sample(i), nil)
			if err == nil && i == 0 {
				err = shared.AddFlags("INBOX", []string{mailtest.Seen}, uid)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	app, err := p.App(preset.IMAP)
	if err != nil {
		t.Fatal(err)
	}
	server := p.Preset().IMAP
	server.Transcript = testlog.New(t)
	var out strings.Builder
	err = countAll(t.Context(), &out, server, app, []string{"info@contoso.example", "ann@contoso.example", "sales@contoso.example"})
	testlog.Error(t, err)
	if want := "info@contoso.example: 1 unread of 2\nsales@contoso.example: 2 unread of 3\n"; out.String() != want {
		t.Errorf("countAll prints\n%s, want\n%s", out.String(), want)
	}
	if err == nil || !strings.Contains(err.Error(), "ann@contoso.example") || strings.Contains(err.Error(), "info@") {
		t.Errorf("countAll: %v, want an error about Ann's mailbox alone", err)
	}
	if got := p.OAuth.Hits(oauthtest.TokenPath); got > 2 {
		t.Errorf("%d token requests for three mailboxes, want one, and one more for the token that Ann's refused", got)
	}
}
