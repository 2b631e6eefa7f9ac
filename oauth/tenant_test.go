package oauth_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/state"
)

// Two tenants, and the issuer of the first at Microsoft.
const (
	tenant1 = "5f1f6e0c-3a0b-4a51-9a4d-0d6f3a9a1c11"
	tenant2 = "8a2d7b44-90ce-4f0e-8c1b-2b7d5e6f7a22"
	issuer1 = "https://login.microsoftonline.com/" + tenant1 + "/v2.0"
)

// inTenant returns options for a server whose user is of tenant1, and what
// changes the id_tokens.
func inTenant(more map[string]any) (oauthtest.Options, map[string]any) {
	claims := map[string]any{"tid": tenant1}
	maps.Copy(claims, more)
	return oauthtest.Options{
		Rotation: oauthtest.RotateRevokeFamily, OmitIss: true,
		Accounts: []oauthtest.Account{{Email: oauthtest.DefaultEmail, Claims: claims}},
	}, claims
}

// facts returns those of a grant.
func (b *bed) facts(grant *oauth.Grant) oauth.GrantFacts {
	b.t.Helper()
	facts, err := grant.Facts(b.t.Context())
	if err != nil {
		b.t.Fatalf("Facts: %v", err)
	}
	return facts
}

// TestTheTenantIsKept: the record has it, and one of an older version, which had
// none, is taken and completed.
func TestTheTenantIsKept(t *testing.T) {
	o, _ := inTenant(nil)
	inBubble(t, o, func(b *bed) {
		store := state.NewMemory()
		keep, grant := b.kept(store)
		if got := fields(b.t, store)["tenant"]; got != tenant1 || b.facts(grant).Tenant != tenant1 {
			b.t.Errorf("tenant %v in the record, %q in the facts, want %s in both", got, b.facts(grant).Tenant, tenant1)
		}
		rewrite(b.t, store, func(m map[string]any) { delete(m, "tenant") })
		let(time.Hour)
		old := b.open(keep)
		if facts := b.facts(old); facts.Tenant != "" || facts.Subject != oauthtest.DefaultEmail {
			b.t.Errorf("an older record has the facts %+v, want no tenant and the subject", facts)
		}
		b.token(old.For(""))
		b.token(grant.For("")) // It knew the tenant.
		if got := b.facts(old).Tenant; got != tenant1 || old.Address() != oauthtest.DefaultEmail || b.refreshes() != 1 {
			b.t.Errorf("after %d refreshes the tenant is %q, the address %q, want 1, %s and the same address", b.refreshes(), got, old.Address(), tenant1)
		}
	})
}

// TestOpenWithAnotherTenant: a grant is taken by none but the tenant that it is
// of, also where only the id_token has said which that is.
func TestOpenWithAnotherTenant(t *testing.T) {
	at := func(tenant string) oauth.Endpoint { return oauth.MicrosoftEndpoint("", tenant) }
	fixed := at("common")
	fixed.Issuer = strings.Replace(issuer1, tenant1, tenant2, 1)
	anyIssuer := at("common")
	anyIssuer.Issuer = ""
	for _, tt := range []struct {
		name     string
		kept     oauth.Endpoint
		tenant   string
		endpoint oauth.Endpoint
		other    bool     // the error wraps ErrOtherTenant
		words    []string // nil where the grant is taken
	}{
		{"another tenant", at(tenant1), tenant1, at(tenant2), true, []string{tenant1, tenant2}},
		{"one of all tenants", at("common"), tenant1, at(tenant2), true, []string{tenant1, tenant2}},
		{"one of all organizations", at("organizations"), tenant1, at(tenant2), true, []string{tenant1, tenant2}},
		{"one of all, which the record does not know", at("organizations"), "", at(tenant2), false, []string{"/organizations/", tenant2}},
		{"all tenants instead of one", at(tenant1), tenant1, at("common"), false, []string{"/common/", tenant1}},
		{"organizations instead of all", at("common"), tenant1, at("organizations"), false, []string{"/common/", "/organizations/"}},
		{"the issuer of another tenant", anyIssuer, tenant1, fixed, true, []string{tenant1, tenant2}},
		{"the same", at(tenant1), tenant1, at(tenant1), false, nil},
		{"the same in capitals", at(tenant1), strings.ToUpper(tenant1), at(tenant1), false, nil},
		{"all tenants", at("common"), tenant1, at("common"), false, nil},
		{"all tenants, of any issuer", at("common"), tenant1, anyIssuer, false, nil},
		{"a domain", at("contoso.example"), tenant1, at("contoso.example"), false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				store := state.NewMemory()
				keep, _ := b.kept(store)
				rewrite(b.t, store, func(m map[string]any) {
					m["token_url"], m["issuer"], m["tenant"] = tt.kept.TokenURL, tt.kept.Issuer, tt.tenant
				})
				before := fmt.Sprint(fields(b.t, store))
				b.cfg.Endpoint = tt.endpoint
				_, err := oauth.Open(b.t.Context(), b.cfg, keep)
				if tt.words == nil {
					if err != nil {
						b.t.Errorf("Open = %v, want nil", err)
					}
					return
				}
				e := b.failed(err, oauth.KindClientConfig)
				if errors.Is(err, oauth.ErrOtherTenant) != tt.other {
					b.t.Errorf("Open = %v, want ErrOtherTenant %t", err, tt.other)
				}
				for _, want := range append(tt.words, "needs a new sign-in") {
					if !strings.Contains(e.Error(), want) {
						b.t.Errorf("Open = %v, want %q in it", err, want)
					}
				}
				if after := fmt.Sprint(fields(b.t, store)); after != before {
					b.t.Errorf("the record was changed to %s", after)
				}
			})
		})
	}
}

// TestTheTenantChangesInALaterAnswer: a refresh brings tokens of another
// tenant, or of another user. None of them is handed out, by no program, until
// somebody signs in anew; the server is asked once.
func TestTheTenantChangesInALaterAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		issuer string
		before map[string]any
		after  map[string]any
		want   error
		state  oauth.GrantState
	}{
		"any issuer": {"", nil, map[string]any{"tid": tenant2}, oauth.ErrOtherTenant, oauth.StateOtherTenant},
		"an issuer for each tenant": {
			"https://login.microsoftonline.com/{tenantid}/v2.0",
			map[string]any{"iss": issuer1},
			map[string]any{"tid": tenant2, "iss": strings.Replace(issuer1, tenant1, tenant2, 1)},
			oauth.ErrOtherTenant, oauth.StateOtherTenant,
		},
		"the issuer of one tenant": {
			issuer1,
			map[string]any{"iss": issuer1},
			map[string]any{"tid": tenant2, "iss": strings.Replace(issuer1, tenant1, tenant2, 1)},
			oauth.ErrOtherTenant, oauth.StateOtherTenant,
		},
		"another user": {"", nil, map[string]any{"sub": "another"}, oauth.ErrOtherUser, oauth.StateOtherUser},
	} {
		t.Run(name, func(t *testing.T) {
			o, claims := inTenant(tt.before)
			inBubble(t, o, func(b *bed) {
				b.cfg.Endpoint.Issuer = tt.issuer
				store := state.NewMemory()
				keep, grant := b.kept(store)
				let(time.Hour)
				b.token(grant.For(""))
				let(time.Hour)
				maps.Copy(claims, tt.after)
				changed := time.Now()
				for _, g := range []*oauth.Grant{grant, grant, b.open(keep)} {
					_, err := g.For("").Token(b.t.Context())
					if b.failed(err, oauth.KindClientConfig); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "sign in again") {
						b.t.Errorf("Token = %v, want %v and to sign in again", err, tt.want)
					}
				}
				facts := b.facts(grant)
				if s := facts.Status; s.State != tt.state || !s.Since.Equal(changed) || facts.Tenant != tenant1 || facts.Subject != oauthtest.DefaultEmail {
					b.t.Errorf("Facts = %+v, want the state %s since %v, and the user as before", facts, tt.state, changed)
				}
				if m := fields(b.t, store); m["access_tokens"] != nil || b.refreshes() != 2 {
					b.t.Errorf("the record has the tokens %v after %d refreshes, want none after 2", m["access_tokens"] != nil, b.refreshes())
				}
				if tt.issuer == issuer1 {
					return // Nobody of another tenant may sign in.
				}
				b.signIn()
				b.token(b.open(keep).For(""))
				let(2 * time.Minute)
				_, err := grant.For("").Token(b.t.Context())
				if b.failed(err, oauth.KindClientConfig); !errors.Is(err, tt.want) {
					b.t.Errorf("Token of the program that runs on = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// TestASignInOfAnotherTenant is refused where the Endpoint is of one.
func TestASignInOfAnotherTenant(t *testing.T) {
	o, _ := inTenant(map[string]any{"iss": issuer1, "tid": tenant2})
	inBubble(t, o, func(b *bed) {
		b.cfg.Endpoint.Issuer = issuer1
		_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
		if b.failed(err, oauth.KindClientConfig); !errors.Is(err, oauth.ErrOtherTenant) {
			b.t.Errorf("SignIn = %v, want ErrOtherTenant", err)
		}
	})
}

// TestAPinOfAnotherTenant is refused unless the options allow others, and taken
// where it comes with a Config of its own.
func TestAPinOfAnotherTenant(t *testing.T) {
	o, claims := inTenant(nil)
	inBubble(t, o, func(b *bed) {
		at := newPlace(b.t, b.issue(oauthtest.DefaultEmail))
		options := &oauth.PinOptions{Keep: &oauth.Keep{Store: state.NewMemory(), Key: keepKey}}
		b.token(b.pinned(at.pin(), options).For(""))
		claims["tid"] = tenant2
		at.put(b.t, b.issue(oauthtest.DefaultEmail))
		grant := b.pinned(at.pin(), options)
		_, err := grant.For("").Token(b.t.Context())
		if b.failed(err, oauth.KindClientConfig); !errors.Is(err, oauth.ErrOtherTenant) || !strings.Contains(err.Error(), "correct the pin") {
			b.t.Errorf("Token = %v, want ErrOtherTenant and to correct the pin", err)
		}
		options.AllowOtherUser = true
		allowed := b.pinned(at.pin(), options)
		b.token(allowed.For(""))
		if got := b.facts(allowed); got.Tenant != tenant2 || got.Status.State != oauth.StateOK {
			b.t.Errorf("Facts = %+v, want a good grant of %s", got, tenant2)
		}
		options.AllowOtherUser = false
		claims["tid"], claims["iss"] = tenant1, issuer1
		b.cfg.Endpoint.Issuer = issuer1
		at.put(b.t, b.issue(oauthtest.DefaultEmail))
		moved := b.pinned(at.pin(), options)
		b.token(moved.For(""))
		if got := b.facts(moved).Tenant; got != tenant1 {
			b.t.Errorf("the tenant is %q, want %s", got, tenant1)
		}
	})
}
