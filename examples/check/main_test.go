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

// TestCheck: a mailbox that opens, one whose password is wrong, and two of which one
// side alone is used.
func TestCheck(t *testing.T) {
	p := presettest.NewProvider(nil)
	defer p.Close()
	p.Add("ann@contoso.example", secret.New("correct horse"))
	path := filepath.Join(t.TempDir(), "mail.json")
	const sets = `{"version": 1, "sets": {
		"ann": {"provider": "contoso", "account": "ann@contoso.example", "password": "env:RIGHT"},
		"cat": {"provider": "contoso", "account": "ann@contoso.example", "password": "env:RIGHT", "mode": "read-only"},
		"dan": {"provider": "contoso", "account": "ann@contoso.example", "password": "env:RIGHT", "mode": "send-only"},
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
			for _, side := range []*profile.Side{p.Incoming, p.Outgoing} {
				if side != nil {
					side.Server.Transcript = testlog.New(t)
				}
			}
		},
	}
	for set, want := range map[string][]string{
		"ann": {"sign-in", "passed"},
		"ben": {"sign-in", "failed", "Check user name and password"},
		"cat": {"imap ", "sign-in", "\nthe way out is not checked: this session is read-only, and it sends nothing\n"},
		"dan": {"the way in is not checked: this session is send-only, and it reads nothing\n\nsmtp ", "sign-in"},
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
