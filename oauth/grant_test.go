package oauth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

func TestTokenIsReplacedBeforeItExpires(t *testing.T) {
	for _, tt := range []struct {
		lifetime, margin time.Duration
	}{
		{time.Hour, 5 * time.Minute},
		{24 * time.Hour, 5 * time.Minute},
		{10 * time.Minute, time.Minute},
		{10 * time.Second, time.Second},
	} {
		t.Run(tt.lifetime.String(), func(t *testing.T) {
			inBubble(t, oauthtest.Options{AccessLifetime: tt.lifetime}, func(b *bed) {
				source := b.signIn().For("")
				first := b.token(source)
				let(time.Until(first.Expiry) - tt.margin - time.Nanosecond)
				if again := b.token(source); !again.AccessToken.Equal(first.AccessToken) {
					b.t.Errorf("another token before the margin of %v", tt.margin)
				}
				let(time.Nanosecond)
				if next := b.token(source); next.AccessToken.Equal(first.AccessToken) || b.refreshes() != 1 {
					b.t.Errorf("same token %t, %d refreshes, want another after 1", next.AccessToken.Equal(first.AccessToken), b.refreshes())
				}
			})
		})
	}
}

// TestGrantsDoNotRefreshTogether: a grant replaces its token up to half a margin
// earlier than it must, and keeps to its own moment.
func TestGrantsDoNotRefreshTogether(t *testing.T) {
	for _, tt := range []struct {
		random float64
		margin time.Duration
	}{{0, 5 * time.Minute}, {0.5, 375 * time.Second}, {0.9999999, 450 * time.Second}} {
		inBubble(t, oauthtest.Options{}, func(b *bed) {
			b.cfg.Rand = func() float64 { return tt.random }
			source := b.signIn().For("")
			for n := range 3 {
				let(time.Until(b.token(source).Expiry) - tt.margin - time.Second)
				if b.token(source); b.refreshes() != n {
					b.t.Errorf("chance %v: %d refreshes a second before a margin of %v, want %d", tt.random, b.refreshes(), tt.margin, n)
				}
				let(time.Second + time.Millisecond)
				if b.token(source); b.refreshes() != n+1 {
					b.t.Errorf("chance %v: %d refreshes at a margin of %v, want %d", tt.random, b.refreshes(), tt.margin, n+1)
				}
			}
		})
	}
	drawn := make(map[time.Duration]bool)
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Rand = nil
		for range 5 {
			before, source := b.refreshes(), b.signIn().For("")
			start := time.Now()
			for b.token(source); b.refreshes() == before; b.token(source) {
				let(time.Second)
			}
			drawn[time.Since(start)] = true
		}
	})
	if len(drawn) < 2 {
		t.Errorf("five grants all replaced their token after %v", drawn)
	}
}

// BenchmarkTokenCached measures what a token costs that is still good.
func BenchmarkTokenCached(b *testing.B) {
	srv := oauthtest.New(nil)
	defer srv.Close()
	cfg := &oauth.Config{
		ClientID: oauthtest.DefaultClientID, Scopes: []string{mailScope}, HTTPClient: srv.Client(),
		Endpoint: oauth.Endpoint{AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
	}
	grant, err := oauth.SignIn(b.Context(), cfg, &oauth.SignInOptions{OpenURL: srv.Browser})
	if err != nil {
		b.Fatalf("SignIn: %v", err)
	}
	source := grant.For("")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := source.Token(ctx); err != nil {
			b.Fatalf("Token: %v", err)
		}
	}
}

func TestNoLifetimeMeansOneHour(t *testing.T) {
	inBubble(t, oauthtest.Options{OmitExpiresIn: true}, func(b *bed) {
		source := b.signIn().For("")
		if tok := b.token(source); tok.Expiry.Sub(tok.Issued) != time.Hour {
			b.t.Errorf("the token lives for %v, want 1h", tok.Expiry.Sub(tok.Issued))
		}
		let(56 * time.Minute)
		if b.token(source); b.refreshes() != 1 {
			b.t.Errorf("%d refreshes, want 1", b.refreshes())
		}
	})
}

// TestACallerWhoChangesTheTokenHarmsNoMoreThanThat: callers share a token, and
// what the grant needs to know of it is out of their reach.
func TestACallerWhoChangesTheTokenHarmsNoMoreThanThat(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		b.opts.Keep = &oauth.Keep{Store: store, Key: "grant"}
		source := b.signIn().For("")
		tok := b.token(source)
		kept := *tok
		tok.AccessToken, tok.Scopes[0], tok.Expiry = secret.New("x"), "x", time.Time{}
		other := b.token(b.open(*b.opts.Keep).For(""))
		if !other.AccessToken.Equal(kept.AccessToken) || other.Scopes[0] == "x" || !other.Expiry.Equal(kept.Expiry) {
			b.t.Error("a caller changed what is kept")
		}
		invalidator, _ := source.(oauth.Invalidator)
		if err := invalidator.Invalidate(b.t.Context(), &kept); err != nil || b.refreshes() != 1 {
			b.t.Errorf("Invalidate = %v after %d refreshes, want nil and 1: the grant no longer knows its token", err, b.refreshes())
		}
		b.token(source).Expiry = time.Time{}
		let(time.Hour)
		if b.token(source); b.refreshes() != 2 {
			b.t.Errorf("%d refreshes, want 2: a caller changed when the token ends", b.refreshes())
		}
	})
}

func TestTenThousandCallersRefreshOnce(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		grant := b.signIn()
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Second})
		var all sync.WaitGroup
		for range 10_000 {
			all.Go(func() {
				tok, err := grant.For("").Token(b.t.Context())
				if err != nil || b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken) != nil {
					b.t.Errorf("Token = %v, %v, want a good token", tok, err)
				}
			})
		}
		all.Wait()
		if got := b.refreshes(); got != 1 {
			b.t.Errorf("%d refreshes, want 1", got)
		}
	})
}

func TestAThousandCallersRefreshOnceOverTCP(t *testing.T) {
	b := newBed(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily})
	grant := b.signIn()
	source, ok := grant.For("").(oauth.Invalidator)
	if !ok {
		t.Fatal("the source is no Invalidator")
	}
	bad := b.token(grant.For(""))
	b.srv.RevokeAccess(oauthtest.DefaultEmail)
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if err := source.Invalidate(t.Context(), bad); err != nil {
				t.Errorf("Invalidate = %v, want nil", err)
			}
			tok, err := grant.For("").Token(t.Context())
			if err != nil || b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken) != nil {
				t.Errorf("Token = %v, %v, want a good token", tok, err)
			}
		})
	}
	all.Wait()
	if got := b.refreshes(); got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

func TestACallerLeavesAndTheOthersGoOn(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: 10 * time.Second})
		start := time.Now()
		hasty, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		left := make(chan error, 1)
		go func() { // begins the refresh, and leaves
			_, err := source.Token(hasty)
			left <- err
		}()
		synctest.Wait()
		tok := b.token(source)
		if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("the hasty caller got %v, want DeadlineExceeded", err)
		}
		if time.Since(start) != 10*time.Second || b.refreshes() != 1 || !tok.Valid(time.Now()) {
			b.t.Errorf("token %v after %v and %d refreshes, want a valid one after 10s and 1", tok, time.Since(start), b.refreshes())
		}
	})
}

func TestARefreshThatNobodyWaitsForIsKept(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateAlways}, func(b *bed) {
		source := b.signIn().For("")
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Second})
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Millisecond)
		defer cancel()
		if _, err := source.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Fatalf("Token = %v, want DeadlineExceeded", err)
		}
		let(2 * time.Second)
		if b.token(source); b.refreshes() != 1 {
			b.t.Errorf("%d refreshes, want 1: the answer that came late is kept", b.refreshes())
		}
		let(2 * time.Hour)
		b.token(source) // with the refresh token that came late
	})
}

func TestRotatedTokensOfTwoResources(t *testing.T) {
	o := oauthtest.Options{OneResource: true, RequireOffline: true, Rotation: oauthtest.RotateRevokeFamily}
	inBubble(t, o, func(b *bed) {
		b.cfg.Scopes = []string{"openid", mailScope, graphScope, "offline_access"}
		grant := b.signIn()
		for range 50 {
			let(time.Hour)
			// Both need the one refresh token at the same moment.
			var both sync.WaitGroup
			for resource, scope := range map[string]string{mailResource: mailScope, graphResource: graphScope} {
				both.Go(func() {
					tok := b.token(grant.For(resource))
					if err := b.srv.Checker(scope)(oauthtest.DefaultEmail, tok.AccessToken); err != nil {
						b.t.Errorf("token for %s: %v", resource, err)
					}
				})
			}
			both.Wait()
		}
		if got := b.refreshes(); got != 100 {
			b.t.Errorf("%d refreshes, want 100", got)
		}
	})
}

// TestRefreshNamesItsScopes: those of the resource, and never those of two.
func TestRefreshNamesItsScopes(t *testing.T) {
	for _, tt := range []struct{ resource, want string }{
		{mailResource, "openid " + mailScope + " offline_access"},
		{mailResource + "/", "openid " + mailScope + " offline_access"},
		{graphResource, "openid " + graphScope + " offline_access"},
		{"", "openid " + mailScope + " offline_access"},
		{"https://other.example", "openid " + mailScope + " offline_access"},
		{"https://mail.example", "openid " + mailScope + " offline_access"},
	} {
		inBubble(t, oauthtest.Options{}, func(b *bed) {
			b.cfg.Scopes = []string{"openid", mailScope, graphScope, "offline_access"}
			grant := b.signIn()
			let(time.Hour)
			tok := b.token(grant.For(tt.resource))
			if got := b.tokenRequest().Form["scope"]; got != tt.want || strings.Join(tok.Scopes, " ") != tt.want {
				b.t.Errorf("For(%q) asked for %q and got %q, want %q", tt.resource, got, tok.Scopes, tt.want)
			}
		})
	}
}

func TestInvalidate(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		invalidator, ok := source.(oauth.Invalidator)
		if !ok {
			b.t.Fatal("the source is no Invalidator")
		}
		bad := b.token(source)
		b.srv.RevokeAccess(oauthtest.DefaultEmail)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Second})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := invalidator.Invalidate(b.t.Context(), bad); err != nil {
					b.t.Errorf("Invalidate = %v, want nil", err)
				}
				if tok := b.token(source); tok.AccessToken.Equal(bad.AccessToken) {
					b.t.Error("the refused token came back")
				}
			})
		}
		all.Wait()
		for _, other := range []*oauth.Token{bad, nil, {AccessToken: secret.New("x")}} {
			if err := invalidator.Invalidate(b.t.Context(), other); err != nil {
				b.t.Errorf("Invalidate of a token that is not the present one = %v, want nil", err)
			}
		}
		if got := b.refreshes(); got != 1 {
			b.t.Errorf("%d refreshes, want 1", got)
		}
	})
}

func TestARefusedTokenDoesNotComeBackAfterAFailure(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		bad := b.token(source)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "access_denied"})
		invalidator, _ := source.(oauth.Invalidator)
		b.failed(invalidator.Invalidate(b.t.Context(), bad), oauth.KindPolicy)
		_, err := source.Token(b.t.Context())
		b.failed(err, oauth.KindPolicy)
		let(time.Hour)
		if tok := b.token(source); tok.AccessToken.Equal(bad.AccessToken) {
			b.t.Error("the refused token came back")
		}
	})
}

func TestManyGrantsAndCallersAtOnce(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily, AccessLifetime: time.Minute}, func(b *bed) {
		grant := b.signIn()
		var all sync.WaitGroup
		var got atomic.Int64
		for i := range 50 {
			all.Go(func() {
				source := grant.For([]string{"", mailResource}[i%2])
				invalidator, _ := source.(oauth.Invalidator)
				for range 20 {
					let(time.Duration(i+1) * time.Second)
					tok := b.token(source)
					if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil {
						b.t.Errorf("CheckToken = %v", err)
					}
					if i%10 == 0 {
						if err := invalidator.Invalidate(b.t.Context(), tok); err != nil {
							b.t.Errorf("Invalidate = %v", err)
						}
					}
					got.Add(1)
				}
			})
		}
		all.Wait()
		if got.Load() != 1000 {
			b.t.Errorf("%d tokens, want 1000", got.Load())
		}
	})
}
