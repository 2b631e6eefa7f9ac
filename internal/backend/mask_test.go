package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// renewing gives the tokens "horse-1", "horse-2" and so on, the next one after
// each that is refused.
type renewing struct{ n int }

func (r *renewing) Token(context.Context) (*oauth.Token, error) {
	return &oauth.Token{AccessToken: secret.New(fmt.Sprintf("horse-%d", r.n+1))}, nil
}

func (r *renewing) Invalidate(context.Context, *oauth.Token) error {
	r.n++
	return nil
}

// TestReportsHoldNoToken: not that which signs in, nor the one that was refused
// before, when a server repeats both.
func TestReportsHoldNoToken(t *testing.T) {
	refusal := errors.New("refused")
	creds := session.Credentials{User: "ann", Tokens: oauth.AnyResource(&renewing{})}
	login := backend.Login[int]{
		Attempt: func(ctx context.Context, c sasl.Credentials) (int, error) {
			backend.StagesOf(ctx).Enter(session.StageSignIn)
			return 0, fmt.Errorf("%w: %s", refusal, c.Token.Reveal())
		},
		Refused: func(err error) bool { return errors.Is(err, refusal) },
		Remedy:  func(error) string { return "" },
	}
	const address = "mail.example.com:143"
	r := backend.Checked{Backend: "test", Address: address, Credentials: creds}.Check(t.Context(), func(ctx context.Context) error {
		_, err := login.Connect(ctx, creds, session.Server{}, address)
		return err
	})
	text, err := json.Marshal(r)
	if all := r.String() + string(text); err != nil || strings.Contains(all, "horse") || strings.Count(all, secret.Redacted) != 4 {
		t.Errorf("the report shows a token, or does not show where they were: %v\n%s", err, all)
	}
}
