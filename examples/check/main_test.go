package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
)

// TestCheck: a mailbox that opens, and one whose password is wrong.
func TestCheck(t *testing.T) {
	p := presettest.NewProvider(nil)
	defer p.Close()
	p.Add("ann@contoso.example", secret.New("correct horse"))
	path := filepath.Join(t.TempDir(), "mail.json")
	const sets = `{"version": 1, "sets": {
		"ann": {"provider": "contoso", "account": "ann@contoso.example", "password": "env:RIGHT"},
		"ben": {"provider": "contoso", "account": "ann@contoso.example", "password": "env:WRONG"}
	}}`
	if err := os.WriteFile(path, []byte(sets), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RIGHT", "correct horse")
	t.Setenv("WRONG", "a wrong horse")
	o := &profile.Options{
		Providers: map[string]preset.Provider{"contoso": p.Preset()},
		Configure: func(_ string, p *profile.Plan) {
			p.Incoming.Server.Transcript, p.Outgoing.Server.Transcript = testlog.New(t), testlog.New(t)
		},
	}
	for set, want := range map[string][]string{
		"ann": {"sign-in", "passed"},
		"ben": {"sign-in", "failed", "Check user name and password"},
	} {
		var out strings.Builder
		err := check(t.Context(), &out, path, set, o)
		testlog.Error(t, err)
		if (err != nil) != (set == "ben") {
			t.Errorf("check %s: %v", set, err)
		}
		for _, words := range want {
			if !strings.Contains(out.String(), words) {
				t.Errorf("check %s lacks %q:\n%s", set, words, out.String())
			}
		}
	}
}
