//go:build interop

package interop_test

import (
	"context"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/oauth"
)

// discovered describes a server to a program by what the server says of itself.
func discovered(t *testing.T, server *interop.OIDC) *authorization {
	t.Helper()
	found, err := oauth.Discover(t.Context(), server.Issuer, nil)
	must(t, err)
	want := oauth.Endpoint{
		Issuer: server.Issuer, AuthURL: server.AuthURL, TokenURL: server.TokenURL, DeviceURL: server.DeviceURL,
		RevokeURL: server.RevokeURL, IssuerInRedirect: true,
		GrantTypes: []string{
			"implicit", oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode,
		},
	}
	if !reflect.DeepEqual(found.Endpoint, want) {
		t.Errorf("Discover found %+v, want %+v", found.Endpoint, want)
	}
	a := realAuthorization(server)
	a.config.Endpoint = found.Endpoint
	return a
}

// TestDiscoverAndRevokeAtOIDCProvider finds the endpoints, signs in, and has the
// grant revoked: its tokens are good no more.
func TestDiscoverAndRevokeAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	a := discovered(t, server)
	grant := a.signIn(t, ann)
	token := tokenOf(t, grant)
	if !introspect(t, server, token).Active {
		t.Fatal("the access token is not active")
	}
	must(t, grant.Revoke(t.Context()))
	if introspect(t, server, token).Active {
		t.Error("the access token outlives the revocation")
	}
	_, err := grant.For("").Token(t.Context())
	wantKind(t, err, oauth.KindRevoked, true)
}

// TestFixedRedirectAtOIDCProvider signs in with a redirect whose port and path
// are given, in both response modes.
func TestFixedRedirectAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	for _, mode := range []string{"query", "form_post"} {
		a := discovered(t, server)
		a.config.RedirectURL = "http://localhost:" + freePort(t) + "/Callback"
		a.config.Endpoint.ResponseMode = mode
		if grant := a.signIn(t, bob); grant.Address() != bob {
			t.Errorf("%s: signed in as %q, want %q", mode, grant.Address(), bob)
		}
	}
}

// freePort returns a port that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	must(t, err)
	return port
}

// TestDeviceCodeAtOIDCProvider signs in with a device code, while the server is
// in trouble for a moment, and is declined once.
func TestDeviceCodeAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	cfg := discovered(t, server).config
	cfg.Scopes = []string{mailScope, "openid", "email"}
	must(t, server.InjectToken(t.Context(), 503))
	grant, err := oauth.SignInDevice(t.Context(), &cfg, &oauth.DeviceOptions{Show: func(ctx context.Context, d oauth.DeviceCode) error {
		if left := time.Until(d.Expiry); left < 9*time.Minute || left > 10*time.Minute {
			t.Errorf("the code is good for %v, want 10 minutes", left)
		}
		return server.Approve(ctx, d.UserCode, ann)
	}})
	must(t, err)
	if known := introspect(t, server, tokenOf(t, grant)); grant.Address() != ann || !known.Active || known.Email != ann {
		t.Errorf("signed in as %q, introspection %+v; want an active token of %s", grant.Address(), known, ann)
	}
	must(t, invalidate(t, grant.For("")))
	_, err = oauth.SignInDevice(t.Context(), &cfg, &oauth.DeviceOptions{Show: func(ctx context.Context, d oauth.DeviceCode) error {
		return server.Deny(ctx, d.UserCode)
	}})
	wantKind(t, err, oauth.KindPolicy, false)
	hits, err := server.Hits(t.Context())
	must(t, err)
	if got := hits["/token urn:ietf:params:oauth:grant-type:device_code"]; got != 3 {
		t.Errorf("%d requests with a device code, want 3: one failed, one gave tokens, one was declined", got)
	}
}
