package oauth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/state"
)

// TestFactsOfAKeptGrant: all that the record knows, through the life of a grant:
// signed in, refused, signed in again, signed out.
func TestFactsOfAKeptGrant(t *testing.T) {
	o, _ := inTenant(nil)
	o.RefreshLifetime = 7 * day
	inBubble(t, o, func(b *bed) {
		keep := oauth.Keep{Store: state.NewMemory(), Key: keepKey, Provider: "example"}
		b.opts.Keep = &keep
		want := oauth.GrantFacts{
			Provider: "example", ClientID: b.cfg.ClientID, Tenant: tenant1, Subject: oauthtest.DefaultEmail, Scopes: b.cfg.Scopes,
			Refreshable: true, Status: oauth.GrantStatus{State: oauth.StateOK}, Server: strings.TrimPrefix(b.srv.URL(), "http://"),
		}
		check := func(when string) {
			b.t.Helper()
			got, want := inSeconds(b.facts(b.open(keep))), inSeconds(want)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				b.t.Errorf("%s: Facts = %+v, want %+v", when, got, want)
			}
		}
		b.signIn()
		want.LastUse = time.Now().Round(0)
		want.Ends = want.LastUse.Add(7 * day)
		check("signed in")

		let(day)
		b.token(b.open(keep).For(""))
		want.LastUse, want.Ends = time.Now().Round(0), time.Now().Round(0).Add(7*day)
		check("used")

		let(day)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant", Description: "The account was disabled."})
		_, err := b.open(keep).For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		want.NeedsSignIn = true
		want.Status = oauth.GrantStatus{
			State: oauth.StateNeedsSignIn, Kind: oauth.KindRevoked, Code: "invalid_grant", Reason: "The account was disabled.", Since: time.Now().Round(0),
		}
		check("refused")

		let(day)
		grant := b.signIn()
		want.NeedsSignIn, want.Status = false, oauth.GrantStatus{State: oauth.StateOK}
		want.LastUse, want.Ends = time.Now().Round(0), time.Now().Round(0).Add(7*day)
		check("signed in again")

		let(day)
		if err := grant.Forget(b.t.Context()); err != nil {
			b.t.Fatalf("Forget: %v", err)
		}
		want.Refreshable, want.NeedsSignIn, want.Ends = false, true, time.Time{}
		want.Status = oauth.GrantStatus{State: oauth.StateSignedOut, Since: time.Now().Round(0)}
		check("signed out")
		b.mustNotContain("the facts", fmt.Sprintf("%+v", want))
	})
}

// inSeconds returns the facts with times in whole seconds: a sign-in may wait
// some milliseconds until its listener is shut down.
func inSeconds(f oauth.GrantFacts) oauth.GrantFacts {
	for _, t := range []*time.Time{&f.LastUse, &f.Ends, &f.IdleEnd, &f.Status.Since} {
		*t = t.Round(time.Second)
	}
	return f
}

// A page of a program shows what is known of each account, without asking
// anybody.
func ExampleGrant_Facts() {
	srv := oauthtest.New(nil)
	defer srv.Close()

	ctx := context.Background()
	grant, err := oauth.SignIn(ctx, &oauth.Config{
		ClientID: oauthtest.DefaultClientID,
		Endpoint: oauth.Endpoint{AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
		Scopes:   []string{"openid", "email", "offline_access"},
	}, &oauth.SignInOptions{
		LoginHint: "ann@example.org", OpenURL: srv.Browser,
		Keep: &oauth.Keep{Store: state.NewMemory(), Key: "grant/ann@example.org", Provider: "example"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	facts, err := grant.Facts(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(facts.Provider, facts.ClientID, facts.Subject, facts.Scopes)
	fmt.Println(facts.Status.State)

	// The user takes the access away.
	srv.Revoke("ann@example.org")
	_, err = grant.KeepAlive(ctx, time.Nanosecond)
	facts, _ = grant.Facts(ctx)
	fmt.Println(oauth.NeedsSignIn(err), facts.Status.State, facts.Status.Kind, facts.Status.Since.IsZero())
	// Output:
	// example test-client 1001 [openid email offline_access]
	// ok
	// true needs_sign_in revoked false
}
