package presettest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestACheckTellsOfTheGrant: a token that was revoked costs a refresh, which the
// report tells; a grant that was revoked fails the check at the token, with what
// the authorization server said.
func TestACheckTellsOfTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		p.Add(ann, secret.Text{})
		s := open(t, p, nil)
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		c := s.Check(t.Context(), &session.CheckOptions{From: ann})
		if err := c.Err(); err != nil {
			t.Errorf("the check of what works: %v", err)
		}
		for _, r := range []session.Report{c.Incoming, c.Outgoing} {
			if token, ok := r.Stage(session.StageToken); !ok || token.Outcome != session.CheckPassed || token.Detail("expires") == "" {
				t.Errorf("%s: the token %+v, want one that passed and expires", r.Backend, token)
			}
			if in, _ := r.Stage(session.StageSignIn); in.Detail("mechanism") != "XOAUTH2" {
				t.Errorf("%s: signed in by %q, want XOAUTH2", r.Backend, in.Detail("mechanism"))
			}
		}

		p.OAuth.RevokeAccess(ann)
		c = s.Check(t.Context(), nil)
		if err := c.Err(); err != nil {
			t.Errorf("the check after the token was revoked: %v", err)
		}
		in, _ := c.Incoming.Stage(session.StageSignIn)
		out, _ := c.Outgoing.Stage(session.StageSignIn)
		if told := strings.Join(append(in.Warnings, out.Warnings...), "\n"); !strings.Contains(told, "The first token was refused, and a fresh one asked for") {
			t.Errorf("the warnings are %q, want one about the first token", told)
		}

		p.OAuth.Revoke(ann)
		c = s.Check(t.Context(), nil)
		for _, r := range []session.Report{c.Incoming, c.Outgoing} {
			failed, _ := r.Failed()
			if failed.Stage != session.StageToken || failed.Detail("oauth kind") != oauth.KindRevoked.String() || failed.Detail("oauth error") != "invalid_grant" {
				t.Errorf("%s: after the grant was revoked:\n%v", r.Backend, r)
			}
			if !strings.Contains(failed.Remedy, "sign in again") || !session.NeedsSignIn(r.Err()) {
				t.Errorf("%s: the remedy is %q of %v, want a new sign-in", r.Backend, failed.Remedy, r.Err())
			}
			if !strings.Contains(strings.Join(failed.Warnings, "\n"), "Sign in again.") {
				t.Errorf("%s: the warnings are %q, want what the grant knows of itself", r.Backend, failed.Warnings)
			}
		}
	})
}

// TestACheckTellsOfTheToken: a fixed token of somebody else is refused with the
// server's explanation.
func TestACheckTellsOfTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := presettest.NewProvider(&presettest.Options{InMemory: true})
		defer p.Close()
		p.Add(ann, secret.Text{})
		s := open(t, p, &session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New("a-token-for-a-horse")))})
		c := s.Check(t.Context(), nil)
		failed, _ := c.Incoming.Failed()
		e, ok := errors.AsType[*session.AuthError](c.Incoming.Err())
		if failed.Stage != session.StageSignIn || !ok || failed.Detail("status") == "" || failed.Detail("challenge") != e.Challenge {
			t.Errorf("a token that nobody issued:\n%v", c.Incoming)
		}
		if strings.Contains(fmt.Sprint(c), "horse") {
			t.Error("the report holds the token")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
