//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// foreignFake starts the fake authorization server for clients that others
// wrote, with TLS where that is wanted.
func foreignFake(t *testing.T, tls bool) *oauthtest.Server {
	t.Helper()
	o := &oauthtest.Options{
		Accounts:       []oauthtest.Account{{Subject: "1001", Email: ann, Name: "Ann"}},
		Rotation:       oauthtest.RotateRevokeFamily,
		RequireOffline: true, DeviceInterval: time.Second,
	}
	if tls {
		authority, err := testtls.New()
		must(t, err)
		o.TLS, o.RootCAs = authority.Server(), authority.Client().RootCAs
	}
	server := oauthtest.New(o)
	t.Cleanup(server.Close)
	return server
}

// grantTypes returns which grants the server was asked for, in order.
func grantTypes(server *oauthtest.Server) string {
	var types []string
	for _, r := range server.Log() {
		if grant := r.Form["grant_type"]; grant != "" && r.Status == http.StatusOK {
			types = append(types, grant[strings.LastIndex(grant, ":")+1:])
		}
	}
	return strings.Join(types, " ")
}

// TestXOAuth2OnTheFake: golang.org/x/oauth2 signs in with a code and PKCE and
// with a device code, and refreshes.
func TestXOAuth2OnTheFake(t *testing.T) {
	t.Parallel()
	server := foreignFake(t, false)
	cfg := &oauth2.Config{
		ClientID: oauthtest.DefaultClientID, RedirectURL: "http://127.0.0.1/callback", Scopes: []string{mailScope, "offline_access"},
		Endpoint: oauth2.Endpoint{
			AuthURL: server.AuthURL(), TokenURL: server.TokenURL(), DeviceAuthURL: server.DeviceURL(), AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, server.Client())
	verifier := oauth2.GenerateVerifier()
	landed, err := server.Landing(ctx, cfg.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("login_hint", ann)))
	must(t, err)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, landed, http.NoBody)
	must(t, err)
	first, err := cfg.Exchange(ctx, req.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
	must(t, err)
	second, err := cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	must(t, err)
	if second.AccessToken == first.AccessToken || second.RefreshToken == first.RefreshToken {
		t.Error("the refresh gave no new tokens")
	}
	device, err := cfg.DeviceAuth(ctx)
	must(t, err)
	must(t, server.Approve(device.UserCode, ann))
	third, err := cfg.DeviceAccessToken(ctx, device)
	must(t, err)
	for _, token := range []*oauth2.Token{second, third} {
		must(t, server.CheckToken(ann, secret.New(token.AccessToken)))
	}
	if got, want := grantTypes(server), "authorization_code refresh_token device_code"; got != want {
		t.Errorf("grants %q, want %q", got, want)
	}
}

// TestMSALOnTheFake: Microsoft's own library signs in with a browser and with a
// device code, and refreshes. It takes the fake for one of Microsoft's tenants.
func TestMSALOnTheFake(t *testing.T) {
	t.Parallel()
	server := foreignFake(t, true)
	client, err := public.New(oauthtest.DefaultClientID, public.WithAuthority(server.URL()+"/contoso"),
		public.WithHTTPClient(server.Client()), public.WithInstanceDiscovery(false))
	must(t, err)
	scopes := []string{mailScope}
	browser := func(address string) error { return server.Browser(t.Context(), address) }
	first, err := client.AcquireTokenInteractive(t.Context(), scopes, public.WithLoginHint(ann), public.WithOpenURL(browser))
	must(t, err)
	if first.Account.PreferredUsername != ann {
		t.Errorf("the account is %q, want %q", first.Account.PreferredUsername, ann)
	}
	server.ExpireAccess(ann)
	second, err := client.AcquireTokenSilent(t.Context(), scopes, public.WithSilentAccount(first.Account), public.WithClaims(`{"access_token":{"nbf":{"essential":true}}}`))
	must(t, err)
	if second.AccessToken == first.AccessToken {
		t.Error("the refresh gave no new access token")
	}
	must(t, server.CheckToken(ann, secret.New(second.AccessToken)))
	device, err := client.AcquireTokenByDeviceCode(t.Context(), scopes)
	must(t, err)
	must(t, server.Approve(device.Result.UserCode, ann))
	third, err := device.AuthenticationResult(t.Context())
	must(t, err)
	must(t, server.CheckToken(ann, secret.New(third.AccessToken)))
	if got, want := grantTypes(server), "authorization_code refresh_token device_code"; got != want {
		t.Errorf("grants %q, want %q", got, want)
	}
}

// TestOpenIDClientOnTheFake: openid-client, which is certified for OpenID
// Connect, finds the fake's endpoints, checks the id_token's signature with its
// keys, signs in both ways, refreshes and revokes.
func TestOpenIDClientOnTheFake(t *testing.T) {
	t.Parallel()
	server := foreignFake(t, false)
	node, err := interop.Node()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), node, "oidc/client.mjs", server.Issuer(), oauthtest.DefaultClientID, ann) //nolint:gosec // G204: the command is ours.
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("client.mjs: %v\n%s", err, stderrOf(err))
	}
	var got struct {
		Email, Refreshed, Device, AfterRevocation string
	}
	must(t, json.Unmarshal(out, &got))
	if got.Email != ann || got.Refreshed != "new tokens" || got.Device != ann || got.AfterRevocation != "invalid_grant" {
		t.Errorf("the client says %+v", got)
	}
	if got, want := grantTypes(server), "authorization_code refresh_token device_code"; got != want {
		t.Errorf("grants %q, want %q", got, want)
	}
	if server.Hits(oauthtest.KeysPath) == 0 || server.Hits(oauthtest.RevokePath) != 1 {
		t.Errorf("%d requests for keys, %d for revocation; want some and 1", server.Hits(oauthtest.KeysPath), server.Hits(oauthtest.RevokePath))
	}
}

// stderrOf returns what a command printed before it failed.
func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // exec.Cmd.Output documents this very type, unwrapped.
		return string(e.Stderr)
	}
	return ""
}
