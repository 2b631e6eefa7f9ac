package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/state"
)

func TestASignInIsKeptBeforeItIsHandedOut(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := &hooked{Store: state.NewMemory()}
		store.set(from(0), nil, nil)
		b.opts.Keep = &oauth.Keep{Store: store, Key: keepKey}
		grant, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
		if grant != nil || !errors.Is(err, errDisk) {
			b.t.Errorf("SignIn = %v, %v, want the Store's error", grant, err)
		}
		store.set(nil, nil, func(string) error { return errDisk })
		before := b.srv.Hits(oauthtest.AuthorizePath)
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); !errors.Is(err, errDisk) || b.srv.Hits(oauthtest.AuthorizePath) != before {
			b.t.Errorf("SignIn = %v, want the Store's error before the browser opens", err)
		}
		b.mustNotContain("the error", err.Error())
	})
}

// TestATokenThatIsNotKeptIsNotHandedOut: where the Store fails after the server
// has replaced the refresh token, the caller gets an error, and the new refresh
// token is kept as soon as the Store can, without another request.
func TestATokenThatIsNotKeptIsNotHandedOut(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		store := &hooked{Store: state.NewMemory()}
		keep, grant := b.kept(store)
		let(time.Hour)
		store.set(from(2), nil, nil) // the lease's claim of the record and the mark are kept
		for range 3 {
			tok, err := grant.For("").Token(b.t.Context())
			if tok != nil || !errors.Is(err, errDisk) || !oauth.Temporary(err) {
				b.t.Fatalf("Token = %v, %v, want the Store's error", tok, err)
			}
			store.set(from(1), nil, nil) // the claim
		}
		if fields(b.t, store)["pending_since"] == nil {
			b.t.Error("the record is not marked while an answer is not kept")
		}
		store.set(nil, nil, nil)
		tok := b.token(grant.For(""))
		if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil || b.refreshes() != 1 {
			b.t.Errorf("CheckToken = %v after %d refreshes, want nil after 1", err, b.refreshes())
		}
		let(time.Hour)
		b.token(b.open(keep).For("")) // with the rotated refresh token
		b.mustNotContain("the log", b.log.String())
	})
}

// TestAChangeWithALostAnswerIsKept: a Store may fail after it has done its work.
func TestAChangeWithALostAnswerIsKept(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		store := &hooked{Store: state.NewMemory()}
		keep, grant := b.kept(store)
		for range 3 {
			let(time.Hour)
			store.set(nil, from(1), nil)
			b.token(grant.For(""))
			store.set(nil, nil, nil)
			b.token(b.open(keep).For(""))
		}
		if b.refreshes() != 3 {
			b.t.Errorf("%d refreshes, want 3", b.refreshes())
		}
	})
}

// TestALostLeaseDoesNotOverwrite: a process that stood still while it waited
// for the server comes back when another one has refreshed.
func TestALostLeaseDoesNotOverwrite(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateKeepOld}, func(b *bed) {
		shared := state.NewMemory()
		slow := &hooked{Store: shared}
		_, first := b.kept(slow)
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: 25 * time.Second})
		var both sync.WaitGroup
		both.Go(func() {
			_, err := first.For("").Token(b.t.Context())
			if !errors.Is(err, state.ErrLockLost) && !errors.Is(err, state.ErrConflict) {
				b.t.Errorf("Token = %v, want that the lock was lost", err)
			}
		})
		let(time.Second)
		slow.set(func(key string) error { // no lease is renewed
			if strings.HasPrefix(key, ".lease/") {
				return errDisk
			}
			return nil
		}, nil, nil)
		quick := &hooked{Store: shared}
		second := b.open(oauth.Keep{Store: quick, Key: keepKey})
		tok := b.token(second.For(""))
		refresh := fields(b.t, shared)["refresh_token"]
		both.Wait()
		if now := fields(b.t, shared)["refresh_token"]; now != refresh || b.refreshes() != 2 {
			b.t.Errorf("record overwritten %t after %d refreshes, want no, after 2", now != refresh, b.refreshes())
		}
		slow.set(nil, nil, nil)
		if again := b.token(first.For("")); !again.AccessToken.Equal(tok.AccessToken) || b.refreshes() != 2 {
			b.t.Error("the first process did not take the second one's token")
		}
	})
}

func TestTheStatusIsKept(t *testing.T) {
	for _, tt := range []struct {
		fault oauthtest.Fault
		kind  oauth.Kind
		state string
	}{
		{oauthtest.Fault{Error: "invalid_grant", Description: "AADSTS50173: …"}, oauth.KindRevoked, "needs_sign_in"},
		{oauthtest.Fault{Error: "invalid_grant", Suberror: "token_expired"}, oauth.KindExpired, "needs_sign_in"},
		{oauthtest.Fault{Error: "invalid_grant", Suberror: "consent_required"}, oauth.KindConsent, "needs_sign_in"},
		{oauthtest.Fault{Error: "interaction_required", Suberror: "basic_action"}, oauth.KindInteraction, "needs_sign_in"},
		{oauthtest.Fault{Error: "invalid_client", Status: 401}, oauth.KindClientConfig, "ok"},
		{oauthtest.Fault{Error: "unauthorized_client"}, oauth.KindClientConfig, "ok"},
		{oauthtest.Fault{Error: "access_denied"}, oauth.KindPolicy, "ok"},
		{oauthtest.Fault{Status: 400, Body: "?"}, oauth.KindUnknown, "ok"},
	} {
		t.Run(tt.kind.String(), func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				store := state.NewMemory()
				keep, grant := b.kept(store)
				refresh := fields(b.t, store)["refresh_token"]
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, tt.fault)
				_, err := grant.For("").Token(b.t.Context())
				b.failed(err, tt.kind)
				m := fields(b.t, store)
				status, _ := m["status"].(map[string]any)
				if status["state"] != tt.state || m["refresh_token"] != refresh || m["pending_since"] != nil {
					b.t.Fatalf("the record's status is %v, refresh token kept %t", status, m["refresh_token"] == refresh)
				}
				_, again := b.open(keep).For("").Token(b.t.Context())
				if tt.state == "ok" {
					if again != nil {
						b.t.Errorf("another process got %v, want a token", again)
					}
					return
				}
				if status["kind"] != tt.kind.String() || again == nil || again.Error() != err.Error() || b.refreshes() != 1 {
					b.t.Errorf("status %v, another process got %v after %d refreshes, want the same error after 1", status, again, b.refreshes())
				}
				let(time.Minute) // Perhaps it has passed.
				b.token(b.open(keep).For(""))
				if got := fmt.Sprint(fields(b.t, store)["status"]); got != "map[state:ok]" {
					b.t.Errorf("the status is %s after a refresh, want ok", got)
				}
			})
		})
	}
}

// TestALostAnswerThatCostsNothing: where used refresh tokens stay good, a grant
// that is refused after a lost answer was revoked.
func TestALostAnswerThatCostsNothing(t *testing.T) {
	for reusable, want := range map[bool]oauth.Kind{true: oauth.KindRevoked, false: oauth.KindReplyLost} {
		inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateKeepOld}, func(b *bed) {
			b.cfg.Endpoint.RefreshTokensReusable = reusable
			store := state.NewMemory()
			keep, _ := b.kept(store)
			rewrite(b.t, store, func(m map[string]any) { m["pending_since"] = time.Now() }) // a process died
			b.srv.Revoke(oauthtest.DefaultEmail)
			let(time.Hour)
			_, err := b.open(keep).For("").Token(b.t.Context())
			if b.failed(err, want); !oauth.NeedsSignIn(err) {
				b.t.Errorf("NeedsSignIn(%v) = false, want true", err)
			}
		})
	}
}

// TestConsentIsAMatterOfOneResource: what one resource asks for does not hinder
// the others.
func TestConsentIsAMatterOfOneResource(t *testing.T) {
	inBubble(t, oauthtest.Options{OneResource: true}, func(b *bed) {
		b.cfg.Scopes = []string{"openid", "offline_access", mailScope, graphScope}
		store := state.NewMemory()
		keep, grant := b.kept(store)
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant", Suberror: "consent_required"})
		_, err := grant.For(graphResource).Token(b.t.Context())
		b.failed(err, oauth.KindConsent)
		b.token(b.open(keep).For(mailResource))
		_, err = b.open(keep).For(graphResource).Token(b.t.Context())
		b.failed(err, oauth.KindConsent)
		if b.refreshes() != 2 {
			b.t.Errorf("%d refreshes, want 2", b.refreshes())
		}
	})
}

func TestANewSignInReachesTheProgramsThatRun(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.srv.AddAccount(oauthtest.Account{Email: "bob@example.org"})
		keep, grant := b.kept(state.NewMemory())
		b.srv.Revoke(oauthtest.DefaultEmail)
		let(time.Hour)
		_, err := grant.For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		b.signIn()
		let(time.Minute)
		b.token(grant.For(""))
		b.opts.LoginHint = "bob@example.org"
		b.signIn()
		let(time.Hour)
		_, err = grant.For("").Token(b.t.Context())
		if b.failed(err, oauth.KindClientConfig); !errors.Is(err, oauth.ErrOtherUser) || grant.Address() != oauthtest.DefaultEmail {
			b.t.Errorf("Token of %s = %v, want ErrOtherUser", grant.Address(), err)
		}
		if tok := b.token(b.open(keep).For("")); b.srv.CheckToken("bob@example.org", tok.AccessToken) != nil {
			b.t.Error("the grant that is opened anew is not Bob's")
		}
	})
}

func TestCallersWithoutATimeLeaveAStoreThatHangs(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		_, grant := b.kept(store)
		let(time.Hour)
		unlock, err := store.Lock(b.t.Context(), keepKey)
		if err != nil {
			b.t.Fatalf("Lock: %v", err)
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if _, err := grant.For("").Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("Token = %v, want DeadlineExceeded", err)
		}
		if err := unlock(); err != nil {
			b.t.Errorf("unlock: %v", err)
		}
		b.token(grant.For(""))
	})
}
