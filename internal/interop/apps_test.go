//go:build interop

package interop_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

// TestProgramsWithoutAPerson gets tokens of a certified server by a secret and
// by assertions that its library verifies, in both algorithms.
func TestProgramsWithoutAPerson(t *testing.T) {
	t.Parallel()
	certificate, key := newCertificate(t)
	stranger, _ := newCertificate(t)
	server := startOIDC(t, &interop.OIDCOptions{RobotKey: key, AccessLifetime: 10 * time.Minute})
	for _, tt := range []struct {
		name       string
		client     interop.OIDCClient
		credential oauth.Credential
		refused    bool
	}{
		{"secret", server.Service, oauth.ClientSecret(server.Service.Secret), false},
		{"wrong secret", server.Service, oauth.ClientSecret(secret.New("wrong")), true},
		{"PS256", server.Robot, oauth.ClientCertificate(certificate, nil), false},
		{"RS256", server.Robot, oauth.ClientCertificate(certificate, &oauth.CertificateOptions{Algorithm: oauth.RS256, SendChain: true}), false},
		{"audience is the issuer", server.Robot, oauth.ClientCertificate(certificate, &oauth.CertificateOptions{Audience: server.Issuer}), false},
		{"key of somebody else", server.Robot, oauth.ClientCertificate(stranger, nil), true},
		{"audience is another server", server.Robot, oauth.ClientCertificate(certificate, &oauth.CertificateOptions{Audience: "https://else.example"}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			app, err := oauth.ClientCredentials(&oauth.Config{
				ClientID: tt.client.ID, Endpoint: oauth.Endpoint{TokenURL: server.TokenURL}, Scopes: []string{"mail"},
			}, tt.credential, nil)
			must(t, err)
			source := app.For("")
			tok, err := source.Token(t.Context())
			if tt.refused {
				if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindClientConfig || e.Code != "invalid_client" {
					t.Fatalf("Token = %v, want invalid_client", err)
				}
				return
			}
			must(t, err)
			if left := time.Until(tok.Expiry); left < 9*time.Minute || left > 10*time.Minute {
				t.Errorf("the token lives for %v, want 10m", left)
			}
			checkIntrospection(t, server, tok, tt.client.ID)
			// A second request needs an assertion of its own.
			invalidator, _ := source.(oauth.Invalidator)
			must(t, invalidator.Invalidate(t.Context(), tok))
			next, err := source.Token(t.Context())
			must(t, err)
			if next.AccessToken.Equal(tok.AccessToken) {
				t.Error("the same token after Invalidate, want another")
			}
		})
	}
}

// checkIntrospection asks the server whose token it is and what it is good for.
func checkIntrospection(t *testing.T, server *interop.OIDC, tok *oauth.Token, client string) {
	t.Helper()
	_, answer := post(t, server.IntrospectURL, url.Values{
		"client_id": {server.MailServer.ID}, "client_secret": {server.MailServer.Secret.Reveal()}, "token": {tok.AccessToken.Reveal()},
	})
	var known struct {
		Active   bool   `json:"active"`
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
	}
	must(t, json.Unmarshal([]byte(answer), &known))
	if !known.Active || known.ClientID != client || known.Scope != "mail" || strings.Join(tok.Scopes, " ") != "mail" {
		t.Errorf("introspection %s, scopes %q, want an active token of %s for mail", answer, tok.Scopes, client)
	}
}

// newCertificate returns a certificate and its public key.
func newCertificate(t *testing.T) (*oauth.Certificate, *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "robot"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	c, err := oauth.NewCertificate([]*x509.Certificate{parsed}, key)
	must(t, err)
	return c, &key.PublicKey
}
