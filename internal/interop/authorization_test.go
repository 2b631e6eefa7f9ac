//go:build interop

package interop_test

import (
	"context"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

const mailScope = "mail"

// An authorization is an authorization server, with what a program has to know
// of it, what Dovecot has to know, and what a test does behind their backs.
type authorization struct {
	// config is a public client's, without scopes.
	config oauth.Config
	// browser plays the user's.
	browser func(ctx context.Context, address string) error
	// tokens is how Dovecot asks about tokens.
	tokens *interop.Introspection
	// revokeAccess ends all access tokens of an address, and them alone.
	revokeAccess func(t *testing.T, address string)
	// revokeGrants ends every sign-in of an address.
	revokeGrants func(t *testing.T, address string)
	// refreshes returns how many requests came with a refresh token.
	refreshes func(t *testing.T) int
}

// authorizations are the servers whose tokens the stories are told with: our
// fake, and one that others wrote.
func authorizations() map[string]func(t *testing.T) *authorization {
	return map[string]func(t *testing.T) *authorization{
		"oauthtest": fakeAuthorization,
		"oidc-provider": func(t *testing.T) *authorization {
			t.Helper()
			return realAuthorization(startOIDC(t, nil))
		},
	}
}

// fakeAuthorization starts the fake.
func fakeAuthorization(t *testing.T) *authorization {
	t.Helper()
	dovecot := oauthtest.Client{ID: "dovecot", Secret: secret.New("between the two horses")}
	server := oauthtest.New(&oauthtest.Options{
		Accounts: []oauthtest.Account{{Email: ann}, {Email: bob}},
		Scopes:   []string{mailScope, "calendar", "openid", "email"},
		Clients:  []oauthtest.Client{{ID: oauthtest.DefaultClientID}, dovecot},
	})
	t.Cleanup(server.Close)
	return &authorization{
		config: oauth.Config{
			ClientID:   oauthtest.DefaultClientID,
			Endpoint:   oauth.Endpoint{Issuer: server.Issuer(), AuthURL: server.AuthURL(), TokenURL: server.TokenURL()},
			HTTPClient: server.Client(),
		},
		browser: server.Browser,
		tokens: &interop.Introspection{
			URL: server.IntrospectURL(), ClientID: dovecot.ID, ClientSecret: dovecot.Secret, Scope: mailScope,
		},
		revokeAccess: func(_ *testing.T, address string) { server.RevokeAccess(address) },
		revokeGrants: func(_ *testing.T, address string) { server.Revoke(address) },
		refreshes: func(*testing.T) int {
			n := 0
			for _, r := range server.Log() {
				if r.Form["grant_type"] == "refresh_token" {
					n++
				}
			}
			return n
		},
	}
}

// realAuthorization describes a running server of others.
func realAuthorization(server *interop.OIDC) *authorization {
	return &authorization{
		config: oauth.Config{
			ClientID: server.Public.ID,
			Endpoint: oauth.Endpoint{
				Issuer: server.Issuer, AuthURL: server.AuthURL, TokenURL: server.TokenURL, IssuerInRedirect: true,
			},
		},
		browser: server.Browser,
		tokens:  server.Introspection(),
		revokeAccess: func(t *testing.T, address string) {
			t.Helper()
			must(t, server.RevokeAccess(t.Context(), address))
		},
		revokeGrants: func(t *testing.T, address string) {
			t.Helper()
			must(t, server.Revoke(t.Context(), address))
		},
		refreshes: func(t *testing.T) int {
			t.Helper()
			return refreshHits(t, server)
		},
	}
}

// refreshHits returns how many requests came with a refresh token.
func refreshHits(t *testing.T, server *interop.OIDC) int {
	t.Helper()
	hits, err := server.Hits(t.Context())
	must(t, err)
	return hits["/token refresh_token"]
}

// startOIDC starts an authorization server for one test and writes its logs
// down.
func startOIDC(t *testing.T, opts *interop.OIDCOptions) *interop.OIDC {
	t.Helper()
	server, err := interop.StartOIDC(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Log(server.Logs())
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// client is the configuration of a mail program.
func (a *authorization) client(t *testing.T) *oauth.Config {
	t.Helper()
	cfg, log := a.config, testlog.New(t)
	cfg.Observer = testlog.NewObserver(log)
	if cfg.Logger == nil {
		cfg.Logger = testlog.Logger(log)
	}
	cfg.Scopes = []string{mailScope, "openid", "email"}
	return &cfg
}

// signIn goes through the whole of a sign-in in a browser, to a grant in memory.
func (a *authorization) signIn(t *testing.T, address string) *oauth.Grant {
	t.Helper()
	return a.signInAt(t, address, nil)
}

// signInAt is signIn to a grant that is kept.
func (a *authorization) signInAt(t *testing.T, address string, place *oauth.Keep) *oauth.Grant {
	t.Helper()
	grant, err := oauth.SignIn(t.Context(), a.client(t), &oauth.SignInOptions{LoginHint: address, OpenURL: a.browser, Keep: place})
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

// must ends the test where something failed that it only prepares with.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
