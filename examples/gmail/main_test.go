package main

import (
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// TestMarkRead: Ann signs in once. Of four messages one has no label and one is
// older than a week; what was listed is read, and the second run finds nothing.
func TestMarkRead(t *testing.T) {
	p := presettest.NewProvider(&presettest.Options{Gmail: true})
	defer p.Close()
	ann := p.Add("ann@contoso.example", secret.Text{})
	now := time.Now()
	for n, label := range []string{"work", "work", "", "work"} { // nine days ago, six, three, now
		uid, err := ann.Append("INBOX", mailtest.Sample(n+1), &mailtest.AppendOptions{Received: now.AddDate(0, 0, 3*n-9)})
		if err == nil && label != "" {
			err = ann.ChangeLabels("INBOX", []mailtest.UID{uid}, func(labels []string) []string { return append(labels, label) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	server := p.Preset().IMAP
	server.Transcript = testlog.New(t)
	how := p.Browser("ann@contoso.example")
	how.Keep = &oauth.Keep{Store: state.NewMemory(), Key: "grant"}
	var out strings.Builder
	for range 2 {
		if err := markRead(t.Context(), &out, server, p.Config(preset.IMAP), how, "work"); err != nil {
			t.Fatal(err)
		}
	}
	want := now.UTC().Format(time.DateOnly) + "  Sample 4\n" + now.UTC().AddDate(0, 0, -6).Format(time.DateOnly) + "  Sample 2\n"
	if out.String() != want {
		t.Errorf("two runs print\n%s, want\n%s", out.String(), want)
	}
	if n := p.OAuth.Hits(oauthtest.AuthorizePath); n == 0 || n > 2 {
		t.Errorf("%d requests to sign in, want those of one sign-in", n)
	}
}
