package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
)

// TestWatch: the token is revoked after a day, which the program tells, and goes on
// when the file has another one.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		inbox := p.Add("ann@contoso.example", secret.Text{})
		if _, err := inbox.Append("INBOX", mailtest.Sample(1), nil); err != nil {
			t.Fatal(err)
		}
		server, cfg := p.Preset().IMAP, p.Config(preset.IMAP)
		server.Transcript, cfg.Logger = testlog.New(t), testlog.Logger(testlog.New(t))
		dir := t.TempDir()
		file := filepath.Join(dir, "token")
		pin := func() {
			issued, err := p.OAuth.Issue("ann@contoso.example", cfg.Scopes...)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(issued.Refresh.Reveal()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pin()
		var out strings.Builder
		ctx, stop := context.WithTimeout(t.Context(), 72*time.Hour+30*time.Minute)
		defer stop()
		time.AfterFunc(24*time.Hour, func() { p.OAuth.Revoke("ann@contoso.example") })
		time.AfterFunc(48*time.Hour, pin)
		if err := watch(ctx, &out, server, cfg, "ann@contoso.example", file, filepath.Join(dir, "store")); err != nil {
			t.Fatal(err)
		}
		fine, revoked := strings.Count(out.String(), "1 unread\n"), strings.Count(out.String(), "revoked")
		if fine < 46 || revoked < 22 || fine+revoked < 72 {
			t.Errorf("in three days %d counts and %d refusals, want two days of the first and one of the second", fine, revoked)
		}
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); lines[len(lines)-1] != "1 unread" {
			t.Errorf("it ends in %q", lines[len(lines)-1])
		}
	})
}
