package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

func TestTemporaryFailuresAreTriedAgain(t *testing.T) {
	busy := oauthtest.Fault{Status: http.StatusServiceUnavailable}
	for _, tt := range []struct {
		name   string
		faults []oauthtest.Fault
		atMost time.Duration
		least  time.Duration
	}{
		{"503", []oauthtest.Fault{busy, busy, busy}, 4 * time.Second, time.Second},
		{"429 with a pause", []oauthtest.Fault{{Status: 429, Header: http.Header{"Retry-After": {"40"}}}}, 41 * time.Second, 40 * time.Second},
		{"temporarily_unavailable", []oauthtest.Fault{{Error: "temporarily_unavailable"}}, time.Second, 1},
		{"a page instead of an answer", []oauthtest.Fault{{Status: 200, Body: "<html>log in to the hotel</html>", ContentType: "text/html"}}, time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
				source := b.signIn().For("")
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, tt.faults...)
				start := time.Now()
				b.token(source)
				if waited := time.Since(start); waited < tt.least || waited > tt.atMost {
					b.t.Errorf("waited %v, want %v to %v", waited, tt.least, tt.atMost)
				}
				if got := b.refreshes(); got != len(tt.faults)+1 {
					b.t.Errorf("%d refreshes, want %d", got, len(tt.faults)+1)
				}
			})
		})
	}
}

func TestALongPauseBindsAllRefreshes(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Scopes = append(b.cfg.Scopes, graphScope)
		grant := b.signIn()
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"3600"}}})
		start := time.Now()
		for range 50 {
			for _, resource := range []string{mailResource, graphResource} {
				_, err := grant.For(resource).Token(b.t.Context())
				b.failed(err, oauth.KindTemporary)
				if wait := oauth.RetryAfter(err); wait < 59*time.Minute || wait > time.Hour {
					b.t.Fatalf("RetryAfter(%v) = %v, want 1h", err, wait)
				}
			}
		}
		if waited := time.Since(start); waited > time.Second || b.refreshes() != 1 {
			b.t.Errorf("%d refreshes in %v, want 1 and no waiting", b.refreshes(), waited)
		}
		let(time.Hour)
		b.token(grant.For(mailResource))
	})
}

func TestTheServerIsOutOfReach(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		reachable := true
		b.cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if !reachable {
				r.URL.Host = "127.0.0.1:1"
			}
			return b.srv.Client().Transport.RoundTrip(r)
		})}
		source := b.signIn().For("")
		let(time.Hour)
		reachable = false
		_, err := source.Token(b.t.Context())
		if b.failed(err, oauth.KindTemporary); !oauth.Temporary(err) || oauth.NeedsSignIn(err) {
			b.t.Errorf("error %v: temporary %t, needs sign-in %t", err, oauth.Temporary(err), oauth.NeedsSignIn(err))
		}
		reachable = true
		b.token(source)
	})
}

// roundTrip makes a transport of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestALostReply(t *testing.T) {
	lost := []oauthtest.Fault{
		{ReplyLost: true},
		{Silent: true},
		{Status: http.StatusBadGateway},
		{Status: http.StatusGatewayTimeout, Body: "<html>", ContentType: "text/html"},
		{Status: http.StatusOK, Body: `{"access_token":"at-12`, ContentType: "application/json"},
		{Status: http.StatusOK, Body: `{"a":"` + strings.Repeat("x", 2<<20) + `"}`, ContentType: "application/json"},
	}
	for i, fault := range lost {
		t.Run(fmt.Sprint("strict ", i), func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
				source := b.signIn().For("")
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, fault)
				_, err := source.Token(b.t.Context())
				b.failed(err, oauth.KindReplyLost)
				if oauth.Temporary(err) || oauth.NeedsSignIn(err) || b.refreshes() != 1 {
					b.t.Errorf("error %v: temporary %t, needs sign-in %t, after %d refreshes; want false, false, 1",
						err, oauth.Temporary(err), oauth.NeedsSignIn(err), b.refreshes())
				}
				// The next call tries once more and learns what happened.
				tok, err := source.Token(b.t.Context())
				if !fault.ReplyLost {
					if err != nil || !tok.Valid(time.Now()) {
						b.t.Errorf("the second call: %v, %v, want a token", tok, err)
					}
					return
				}
				if e := b.failed(err, oauth.KindReplyLost); e.Code != "invalid_grant" || !oauth.NeedsSignIn(err) {
					b.t.Errorf("the second call: %v, needs sign-in %t", err, oauth.NeedsSignIn(err))
				}
			})
		})
		t.Run(fmt.Sprint("lenient ", i), func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateKeepOld}, func(b *bed) {
				b.cfg.Endpoint.RefreshTokensReusable = true
				source := b.signIn().For("")
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, fault)
				if b.token(source); b.refreshes() != 2 {
					b.t.Errorf("%d refreshes, want 2", b.refreshes())
				}
			})
		})
	}
}

func TestALostReplyIsRememberedThroughOtherFailures(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateAlways}, func(b *bed) {
		source := b.signIn().For("")
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{ReplyLost: true}, oauthtest.Fault{Status: 401, Error: "invalid_client"})
		_, err := source.Token(b.t.Context())
		b.failed(err, oauth.KindReplyLost)
		_, err = source.Token(b.t.Context())
		b.failed(err, oauth.KindClientConfig)
		let(time.Hour)
		_, err = source.Token(b.t.Context())
		if e := b.failed(err, oauth.KindReplyLost); e.Code != "invalid_grant" {
			b.t.Errorf("error %v, want invalid_grant told as a lost reply", err)
		}
	})
}

func TestTheEndOfAGrant(t *testing.T) {
	const quarter = 90 * 24 * time.Hour
	inBubble(t, oauthtest.Options{RefreshLifetime: quarter}, func(b *bed) {
		source := b.signIn().For("")
		let(quarter)
		_, err := source.Token(b.t.Context())
		if b.failed(err, oauth.KindExpired); !oauth.NeedsSignIn(err) {
			b.t.Errorf("NeedsSignIn(%v) = false, want true", err)
		}
	})
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		b.srv.Revoke(oauthtest.DefaultEmail)
		let(time.Hour)
		_, err := source.Token(b.t.Context())
		if b.failed(err, oauth.KindRevoked); !oauth.NeedsSignIn(err) {
			b.t.Errorf("NeedsSignIn(%v) = false, want true", err)
		}
	})
	inBubble(t, oauthtest.Options{RequireOffline: true}, func(b *bed) {
		b.cfg.Scopes = []string{mailScope}
		grant := b.signIn()
		if grant.Address() != "" || grant.Subject() != "" {
			b.t.Errorf("Address, Subject = %q, %q without an id_token", grant.Address(), grant.Subject())
		}
		b.token(grant.For(""))
		let(time.Hour)
		_, err := grant.For("").Token(b.t.Context())
		if e := b.failed(err, oauth.KindExpired); !strings.Contains(e.Error(), "offline_access") {
			b.t.Errorf("error %v does not name offline_access", err)
		}
		if b.refreshes() != 0 {
			b.t.Errorf("%d refreshes without a refresh token", b.refreshes())
		}
	})
}

func TestARefusalIsRememberedAndTheGrantKept(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Status: 401, Error: "invalid_client", Suberror: "secret_expired"})
		for range 100 {
			_, err := source.Token(b.t.Context())
			if e := b.failed(err, oauth.KindClientConfig); e.Suberror != "secret_expired" || e.StatusCode() != 401 {
				b.t.Fatalf("error %v", err)
			}
		}
		if got := b.refreshes(); got != 1 {
			b.t.Errorf("%d refreshes, want 1: a refusal is not asked for again at once", got)
		}
		let(time.Minute) // the administrator renews the secret
		b.token(source)
	})
}

func TestTheMarginIsThereForFailures(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		first := b.token(source)
		let(56 * time.Minute)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "access_denied"})
		if tok := b.token(source); !tok.AccessToken.Equal(first.AccessToken) {
			b.t.Error("Token did not fall back on the token that is still good")
		}
		ctx, cancel := context.WithCancel(b.t.Context())
		cancel()
		let(2 * time.Minute)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Second})
		if _, err := source.Token(ctx); !errors.Is(err, context.Canceled) {
			b.t.Errorf("Token with an ended context = %v, want Canceled", err)
		}
		if tok := b.token(source); tok.AccessToken.Equal(first.AccessToken) {
			b.t.Error("the token was not replaced when that was possible again")
		}
	})
}

func TestTokenEndpointRedirectsAreNotFollowed(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		source := b.signIn().For("")
		let(time.Hour)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{
			Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {b.srv.URL() + "/stolen"}},
		})
		_, err := source.Token(b.t.Context())
		b.failed(err, oauth.KindClientConfig)
		if got := b.srv.Hits("/stolen"); got != 0 {
			b.t.Errorf("the redirect was followed %d times", got)
		}
	})
}

func TestOddAnswersAreUnderstood(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"text/plain":          {Status: 200, Body: `{"access_token":"odd","expires_in":7200}`, ContentType: "text/plain"},
		"lifetime in quotes":  {Status: 200, Body: `{"access_token":"odd","expires_in":"7200"}`, ContentType: "application/json"},
		"lifetime with parts": {Status: 200, Body: `{"access_token":"odd","expires_in":7200.5}`, ContentType: "application/json"},
		"byte order mark":     {Status: 200, Body: "\ufeff{\"access_token\":\"odd\",\"expires_in\":7200}", ContentType: "application/json"},
		"form":                {Status: 200, Body: "access_token=odd&expires_in=7200", ContentType: "application/x-www-form-urlencoded"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				source := b.signIn().For("")
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, fault)
				if tok := b.token(source); tok.AccessToken.Reveal() != "odd" || time.Until(tok.Expiry) != 2*time.Hour || tok.Type != "Bearer" {
					b.t.Errorf("token of type %q, ends in %v, want Bearer and 2h", tok.Type, time.Until(tok.Expiry))
				}
				let(2 * time.Hour)
				b.token(source) // The refresh token was kept.
			})
		})
	}
	for name, lifetime := range map[string]string{"empty": `""`, "null": "null", "zero": "0", "negative": "-5", "words": `"soon"`, "object": "{}"} {
		t.Run("lifetime "+name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				source := b.signIn().For("")
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{
					Status: 200, Body: `{"access_token":"odd","expires_in":` + lifetime + `}`, ContentType: "application/json",
				})
				if tok := b.token(source); time.Until(tok.Expiry) != time.Hour {
					b.t.Errorf("the token ends in %v, want 1h", time.Until(tok.Expiry))
				}
			})
		})
	}
}
