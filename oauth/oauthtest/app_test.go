package oauthtest_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"

	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

const (
	robot      = "robot"
	outlook    = "https://outlook.example"
	asApp      = outlook + "/IMAP.AccessAsApp"
	boxOfRobot = "info@example.org"
	gmail      = "https://mail.google.com/"
	reader     = "reader@contoso.iam.gserviceaccount.com"
)

// robotKey returns a key and a certificate of it.
func robotKey(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: robot}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate
}

// robots returns a server where a program may get tokens in its own name.
func robots(t *testing.T, microsoft bool, certificates ...*x509.Certificate) *oauthtest.Server {
	t.Helper()
	srv := oauthtest.New(&oauthtest.Options{
		Microsoft: microsoft, MailScopes: []string{asApp},
		Clients: []oauthtest.Client{{ID: robot, Secret: secret.New("s"), App: &oauthtest.App{
			Permissions: []string{asApp}, Mailboxes: []string{boxOfRobot}, Certificates: certificates,
		}}},
	})
	t.Cleanup(srv.Close)
	return srv
}

// fetch asks as x/oauth2 does.
func fetch(t *testing.T, srv *oauthtest.Server, scope string, params url.Values) (*oauth2.Token, *oauth2.RetrieveError) {
	t.Helper()
	cfg := clientcredentials.Config{
		ClientID: robot, TokenURL: srv.TokenURL(), AuthStyle: oauth2.AuthStyleInParams, Scopes: strings.Fields(scope), EndpointParams: params,
	}
	if params == nil {
		cfg.ClientSecret = "s"
	}
	tok, err := cfg.Token(context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client()))
	if err == nil {
		return tok, nil
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		t.Fatalf("Token: %v", err)
	}
	return nil, refused
}

// assert returns a client assertion by PS256, as RFC 7515 and RFC 7523 have it.
func assert(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) url.Values {
	t.Helper()
	var parts []string
	for _, part := range []map[string]any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
	}
	input := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {input + "." + base64.RawURLEncoding.EncodeToString(signature)},
	}
}

// TestClientCredentials: what x/oauth2 gets by a secret opens the program's
// mailbox alone.
func TestClientCredentials(t *testing.T) {
	for _, microsoft := range []bool{false, true} {
		srv := robots(t, microsoft)
		tok, refused := fetch(t, srv, outlook+"/.default", nil)
		if refused != nil {
			t.Fatal(refused)
		}
		if err := srv.CheckToken(boxOfRobot, secret.New(tok.AccessToken)); err != nil || tok.RefreshToken != "" {
			t.Errorf("CheckToken = %v, refresh token %q, want a good token and no refresh token", err, tok.RefreshToken)
		}
		if err := srv.CheckToken("ann@example.org", secret.New(tok.AccessToken)); !errors.Is(err, oauthtest.ErrOtherUser) {
			t.Errorf("another mailbox: %v, want ErrOtherUser", err)
		}
		srv.OpenMailbox(robot, "ann@example.org")
		if tok, _ = fetch(t, srv, outlook+"/.default", nil); srv.CheckToken("ann@example.org", secret.New(tok.AccessToken)) != nil {
			t.Error("OpenMailbox does not open the mailbox to new tokens")
		}
		tok, _ = fetch(t, srv, "https://graph.example/.default", nil)
		if err := srv.CheckToken(boxOfRobot, secret.New(tok.AccessToken)); !errors.Is(err, oauthtest.ErrWrongScope) {
			t.Errorf("without a permission: %v, want a token that opens nothing", err)
		}
	}
}

// TestAssertionsAreVerified: each thing that is wrong with one is enough to
// refuse it, and a good one is taken once.
func TestAssertionsAreVerified(t *testing.T) {
	key, certificate := robotKey(t)
	stranger, _ := robotKey(t)
	sum := sha256.Sum256(certificate.Raw)
	srv := robots(t, true, certificate)
	now := time.Now().Unix()
	goodHeader := map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}
	goodClaims := map[string]any{"iss": robot, "sub": robot, "aud": srv.TokenURL(), "jti": "1", "iat": now, "nbf": now, "exp": now + 300}
	changed := func(m map[string]any, name string, value any) map[string]any {
		m = maps.Clone(m)
		m[name] = value
		return m
	}
	for name, tt := range map[string]struct {
		key            *rsa.PrivateKey
		header, claims map[string]any
		want           float64
	}{
		"another key":       {stranger, goodHeader, goodClaims, 700027},
		"another algorithm": {key, changed(goodHeader, "alg", "RS256"), goodClaims, 700027},
		"none":              {key, changed(goodHeader, "alg", "none"), goodClaims, 700027},
		"no thumbprint":     {key, changed(goodHeader, "x5t#S256", ""), goodClaims, 700027},
		"another issuer":    {key, goodHeader, changed(goodClaims, "iss", "x"), 700021},
		"another subject":   {key, goodHeader, changed(goodClaims, "sub", "x"), 700021},
		"another audience":  {key, goodHeader, changed(goodClaims, "aud", "x"), 700023},
		"has expired":       {key, goodHeader, changed(goodClaims, "exp", now-1), 700024},
		"of the future":     {key, goodHeader, changed(goodClaims, "nbf", now+60), 700024},
		"for hours":         {key, goodHeader, changed(goodClaims, "exp", now+7200), 700024},
		"without a name":    {key, goodHeader, changed(goodClaims, "jti", ""), 50013},
	} {
		_, refused := fetch(t, srv, outlook+"/.default", assert(t, tt.key, tt.header, tt.claims))
		if refused == nil || refused.ErrorCode != "invalid_client" || refused.Response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %v, want invalid_client", name, refused)
			continue
		}
		var body map[string]any
		if err := json.Unmarshal(refused.Body, &body); err != nil {
			t.Fatal(err)
		}
		if codes, _ := body["error_codes"].([]any); len(codes) != 1 || codes[0] != tt.want || body["correlation_id"] == "" {
			t.Errorf("%s: %v, want the number %v and a correlation id", name, body, tt.want)
		}
	}
	good := assert(t, key, goodHeader, goodClaims)
	if _, refused := fetch(t, srv, outlook+"/.default", good); refused != nil {
		t.Errorf("a good assertion: %v", refused)
	}
	if _, refused := fetch(t, srv, outlook+"/.default", good); refused == nil {
		t.Error("an assertion is taken twice")
	}
}

// TestGooglesServiceAccounts: x/oauth2's own client acts for a user, and reads
// the refusals in Google's words.
func TestGooglesServiceAccounts(t *testing.T) {
	srv := oauthtest.New(&oauthtest.Options{MailScopes: []string{gmail}})
	t.Cleanup(srv.Close)
	file, err := srv.AddServiceAccount(reader, gmail)
	if err != nil {
		t.Fatal(err)
	}
	var key map[string]string
	if err := json.Unmarshal(file, &key); err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode([]byte(key["private_key"])); block == nil || key["type"] != "service_account" {
		t.Fatalf("the key file is not one: %v", key["type"])
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client())
	fetch := func(subject, audience string, lifetime time.Duration, scopes ...string) (*oauth2.Token, error) {
		cfg := jwt.Config{
			Email: key["client_email"], PrivateKey: []byte(key["private_key"]), PrivateKeyID: key["private_key_id"],
			TokenURL: key["token_uri"], Subject: subject, Scopes: scopes, Audience: audience, Expires: lifetime,
		}
		return cfg.TokenSource(ctx).Token()
	}
	tok, err := fetch(oauthtest.DefaultEmail, "", 0, gmail)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.CheckToken(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); err != nil {
		t.Errorf("CheckToken = %v, want nil", err)
	}
	for want, ask := range map[string]func() (*oauth2.Token, error){
		"Client is unauthorized to retrieve access tokens using this method": func() (*oauth2.Token, error) {
			return fetch(oauthtest.DefaultEmail, "", 0, gmail, "https://www.googleapis.com/auth/drive")
		},
		"Invalid email or User ID": func() (*oauth2.Token, error) { return fetch("nobody@example.org", "", 0, gmail) },
		"Failed audience check":    func() (*oauth2.Token, error) { return fetch("", "https://else.example", 0, gmail) },
		"short-lived token":        func() (*oauth2.Token, error) { return fetch("", "", 3*time.Hour, gmail) },
		"missing scope":            func() (*oauth2.Token, error) { return fetch("", "", 0) },
	} {
		_, err := ask()
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || !strings.Contains(string(refused.Body), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestManagedIdentityInterfaces: what the interfaces demand, and what their
// answers look like: strings for numbers.
func TestManagedIdentityInterfaces(t *testing.T) {
	srv := oauthtest.New(&oauthtest.Options{Identities: []oauthtest.Identity{{ClientID: "c", Permissions: []string{asApp}, Mailboxes: []string{boxOfRobot}}}})
	t.Cleanup(srv.Close)
	ask := func(path string, header http.Header) (int, map[string]any) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
	imds := oauthtest.IMDSPath + "?api-version=2018-02-01&resource=" + url.QueryEscape(outlook)
	metadata := http.Header{"Metadata": {"true"}}
	app := oauthtest.AppServicePath + "?api-version=2019-08-01&resource=" + url.QueryEscape(outlook)
	key := http.Header{"X-Identity-Header": {srv.RoomKey().Reveal()}}
	for _, tt := range []struct {
		path   string
		header http.Header
		status int
	}{
		{imds, metadata, 200},
		{imds + "&client_id=c", metadata, 200},
		{imds + "&client_id=x", metadata, 400},
		{imds, nil, 400},
		{imds, http.Header{"Metadata": {"true"}, "X-Forwarded-For": {"10.0.0.1"}}, 400},
		{oauthtest.IMDSPath + "?api-version=2018-02-01", metadata, 400},
		{oauthtest.IMDSPath, metadata, 400},
		{app, key, 200},
		{app, http.Header{"X-Identity-Header": {"x"}}, 401},
		{oauthtest.AppServicePath, key, 400},
	} {
		status, body := ask(tt.path, tt.header)
		token, _ := body["access_token"].(string)
		_, text := body["expires_on"].(string)
		if status != tt.status || (status == 200) != (srv.CheckToken(boxOfRobot, secret.New(token)) == nil) || (status == 200) != text {
			t.Errorf("%s: status %d, %v, want %d", tt.path, status, body, tt.status)
		}
	}
}
