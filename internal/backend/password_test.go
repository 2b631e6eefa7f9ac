package backend_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// vault is where a password is kept that somebody changes.
type vault struct {
	now   string
	next  string
	err   error
	asked []string // for another password than these
}

// Password implements [session.PasswordSource].
func (v *vault) Password(_ context.Context, refused secret.Text) (secret.Text, error) {
	if refused.IsZero() {
		return secret.New(v.now), nil
	}
	v.asked = append(v.asked, refused.Reveal())
	if v.next != "" {
		v.now = v.next
	}
	return secret.New(v.now), v.err
}

// TestAPasswordThatSomebodyChanged: a refused password is asked for again once,
// and tried again only where it is another one.
func TestAPasswordThatSomebodyChanged(t *testing.T) {
	refusal := errors.New("NO authentication failed")
	for _, tt := range []struct {
		name  string
		vault vault
		tried []string
		fails string
	}{
		{"it is good", vault{now: "new horse"}, []string{"new horse"}, ""},
		{"it was replaced", vault{now: "old horse", next: "new horse"}, []string{"old horse", "new horse"}, ""},
		{"it is the same", vault{now: "old horse"}, []string{"old horse"}, "check user name and password"},
		{"the new one is wrong too", vault{now: "old horse", next: "lame horse"}, []string{"old horse", "lame horse"}, "check user name and password"},
		{"the vault is shut", vault{now: "old horse", err: errors.New("the vault is shut")}, []string{"old horse"}, "the vault is shut"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tried []string
			login := backend.Login[string]{
				Attempt: func(_ context.Context, creds sasl.Credentials) (string, error) {
					tried = append(tried, creds.Password.Reveal())
					if creds.Password.Reveal() != "new horse" {
						return "", refusal
					}
					return "a connection", nil
				},
				Refused: func(err error) bool { return errors.Is(err, refusal) },
				Remedy:  func(error) string { return "" },
			}
			creds := session.Credentials{User: "ann@example.com", Password: secret.New("unused horse"), Passwords: &tt.vault}
			_, err := login.Connect(t.Context(), creds, session.Server{Host: "imap.example.com"}, "imap.example.com:993")
			if !slices.Equal(tried, tt.tried) {
				t.Errorf("tried %q, want %q", tried, tt.tried)
			}
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("Connect: %v, want %q", err, tt.fails)
			}
			if err != nil && strings.Contains(err.Error(), "horse") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}
