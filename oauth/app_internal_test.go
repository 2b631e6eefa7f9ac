package oauth

import (
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
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// testCertificate returns a certificate and its public key.
func testCertificate(tb testing.TB) (*Certificate, *rsa.PublicKey) {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		tb.Fatalf("GenerateKey: %v", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "robot"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatalf("CreateCertificate: %v", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("ParseCertificate: %v", err)
	}
	c, err := NewCertificate([]*x509.Certificate{parsed}, key)
	if err != nil {
		tb.Fatalf("NewCertificate: %v", err)
	}
	return c, &key.PublicKey
}

// verified returns the header and the claims of a compact JWS whose signature
// is of a key, by the standard library alone.
func verified(t *testing.T, text string, alg Algorithm, key *rsa.PublicKey) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	var decoded [3][]byte
	for i, p := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			t.Fatalf("part %d is not base64url: %v", i, err)
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], decoded[2])
	if alg == PS256 {
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], decoded[2], &rsa.PSSOptions{SaltLength: sha256.Size})
	}
	if err != nil {
		t.Fatalf("the %s signature: %v", alg, err)
	}
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &claims) != nil {
		t.Fatal("the header or the claims are not JSON")
	}
	return header, claims
}

// FuzzAssertion: what is signed is verified by others and says what it was to
// say.
func FuzzAssertion(f *testing.F) {
	f.Add("11111111-2222-3333-4444-555555555555", "https://login.microsoftonline.com/t/oauth2/v2.0/token", "", int64(946684800), false)
	f.Add(`a "client" <&> `, "\x00\u2028é", "key.1", int64(-1), true)
	c, key := testCertificate(f)
	sum := sha256.Sum256(c.chain[0].Raw)
	f.Fuzz(func(t *testing.T, clientID, audience, keyID string, now int64, old bool) {
		o := CertificateOptions{Algorithm: PS256, KeyID: keyID, SendChain: old}
		if old {
			o.Algorithm = RS256
		}
		now %= 1 << 40 // Larger numbers lose digits in a float64, which tests read JSON with.
		text, err := c.assertion(clientID, audience, o, time.Unix(now, 0))
		if err != nil {
			t.Fatalf("assertion: %v", err)
		}
		header, claims := verified(t, text.Reveal(), o.Algorithm, key)
		valid := func(s string) string { return string([]rune(s)) }
		for name, want := range map[string]any{
			"iss": valid(clientID), "sub": valid(clientID), "aud": valid(audience),
			"iat": float64(now), "nbf": float64(now), "exp": float64(now + 300),
		} {
			if claims[name] != want {
				t.Errorf("claim %s = %q, want %q", name, claims[name], want)
			}
		}
		if id, _ := claims["jti"].(string); len(id) < 22 || len(claims) != 7 {
			t.Errorf("claims %v, want seven with a jti of 128 bits", claims)
		}
		if header["alg"] != string(o.Algorithm) || header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
			t.Errorf("header %v, want the algorithm and the SHA-256 of the certificate", header)
		}
		if _, ok := header["x5t"]; ok != old {
			t.Errorf("header %v has an x5t: %t, want %t", header, ok, old)
		}
		if chain, _ := header["x5c"].([]any); (len(chain) == 1) != old {
			t.Errorf("header %v has a chain of %d", header, len(chain))
		}
		if kid, _ := header["kid"].(string); kid != valid(keyID) {
			t.Errorf("kid %q, want %q", kid, keyID)
		}
		if !compactJWT(text.Reveal()) {
			t.Error("compactJWT does not know what is signed here")
		}
	})
}

// keyFile returns a key file of a service account.
func keyFile(tb testing.TB) []byte {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		tb.Fatalf("GenerateKey: %v", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	data, err := json.Marshal(map[string]string{ //nolint:gosec // G101: a new key each time
		"type": "service_account", "client_email": "a@b.example", "private_key": string(text), "private_key_id": "k", "token_uri": "https://x.example/token",
	})
	if err != nil {
		tb.Fatalf("Marshal: %v", err)
	}
	return data
}

// FuzzServiceAccountKey: a file that is read has an account and a key that
// signs; an error quotes nothing of it.
func FuzzServiceAccountKey(f *testing.F) {
	f.Add(keyFile(f))
	f.Add([]byte(`{"type":"service_account","client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseServiceAccountKey(data)
		if err != nil {
			if text := err.Error(); len(text) > 300 || strings.ContainsFunc(text, unfit) && strings.ContainsAny(text, "\r\n\x00") {
				t.Errorf("error %q", text)
			}
			return
		}
		claims := []byte(`{"iss":"me"}`)
		text, err := k.SignJWT(t.Context(), claims)
		if err != nil {
			t.Fatalf("SignJWT: %v", err)
		}
		public, _ := k.key.Public().(*rsa.PublicKey)
		header, got := verified(t, text.Reveal(), RS256, public)
		if got["iss"] != "me" || header["alg"] != "RS256" || !strings.Contains(k.Account(), "@") {
			t.Errorf("header %v, claims %v of %q", header, got, k.Account())
		}
	})
}

// FuzzSupplied: what others answer becomes a token that can be handed out and
// ends, or an error without anything secret.
func FuzzSupplied(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"t","expires_in":"3599","expires_on":"1506484173","resource":"r","token_type":"Bearer"}`,
		`{"access_token":"t","expires_on":1506484173.5}`, `{"access_token":"t","expiry":"2026-11-21T12:00:00Z"}`,
		`{"access_token":"t","expires_in":1e300}`, `{"access_token":"t","expires_on":"NaN"}`, `{"access_token":"t","expires_on":"Inf","expires_in":-1}`,
		`{"error":"invalid_request","error_description":"Identity not found"}`, `{"error":{"code":403,"status":"X"}}`, "token\n", "{", "[]",
	} {
		f.Add([]byte(s))
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, parse := range map[string]func([]byte, time.Time) (*Token, error){"JSON": parseSupplied, "plain": parsePlain} {
			tok, err := parse(body, now)
			if err != nil {
				if e, ok := errors.AsType[*Error](err); !ok && len(err.Error()) > 100 || ok && e.Code == "" {
					t.Errorf("%s: error %q", name, err)
				}
				continue
			}
			value := tok.AccessToken.Reveal()
			if value == "" || strings.ContainsAny(value, " \r\n\t\x00\x01\x7f") || tok.Type == "" {
				t.Errorf("%s: token %q of type %q cannot be sent", name, value, tok.Type)
			}
			if tok.Expiry.IsZero() || tok.Expiry.Year() > 3000 || !tok.Issued.Equal(now) {
				t.Errorf("%s: issued %v, ends %v", name, tok.Issued, tok.Expiry)
			}
			if !strings.Contains(string(body), value) && !strings.Contains(string(body), `\`) {
				t.Errorf("%s: token %q is not in %q", name, value, body)
			}
		}
	})
}

// FuzzIdentityAnswer: whatever the interface to managed identities answers is a
// token or an error with a kind, never one that sends a person to sign in.
func FuzzIdentityAnswer(f *testing.F) {
	f.Add(200, []byte(`{"access_token":"t","expires_in":"3599"}`))
	f.Add(400, []byte(`{"error":"invalid_request","error_description":"Identity not found"}`))
	f.Add(404, []byte(""))
	f.Add(500, []byte(`{"error":"unknown","error_description":"Failed to retrieve token from the Active directory."}`))
	f.Add(403, []byte(`{"statusCode":403,"message":"\u202e no"}`))
	cfg := (&Config{}).at("http://169.254.169.254/metadata/identity/oauth2/token")
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := &reply{status: status, header: http.Header{}, body: body}
		if status == http.StatusOK {
			tok, err := parseSupplied(body, time.Now())
			if (tok == nil) != (err != nil) {
				t.Errorf("token %v, error %v", tok, err)
			}
			return
		}
		err := unattended(identityRefusal(cfg.refused(r, secret.New("hush-hush"))))
		text := err.Error()
		if NeedsSignIn(err) || strings.Contains(text, "hush-hush") || strings.ContainsAny(text, "\r\n\x00\u202e") || len(text) > 5000 {
			t.Errorf("status %d, %q: %q", status, body, text)
		}
		if status >= 500 && !Temporary(err) {
			t.Errorf("status %d is not temporary: %v", status, err)
		}
	})
}

// TestCertificatesThatAreNone: the error says what is missing.
func TestCertificatesThatAreNone(t *testing.T) {
	c, _ := testCertificate(t)
	other, _ := testCertificate(t)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key, _ := c.key.(*rsa.PrivateKey)
	own, stranger := block("CERTIFICATE", c.chain[0].Raw), block("CERTIFICATE", other.chain[0].Raw)
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	small, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // G403: too short on purpose
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ data, want string }{
		{"", "no CERTIFICATE block"},
		{pkcs1, "no CERTIFICATE block"},
		{own, "no private key"},
		{stranger + pkcs1, "none of the 1 certificates belongs"},
		{own + pkcs1 + pkcs1, "several private keys"},
		{own + block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)), "1024 bits"},
		{own + block("ENCRYPTED PRIVATE KEY", []byte("x")), "is encrypted"},
		{own + "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "is encrypted"},
		{own + block("PRIVATE KEY", []byte("x")), "not a private key"},
		{block("CERTIFICATE", []byte("x")) + pkcs1, "cannot be read"},
	} {
		if _, err := ParseCertificate([]byte(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseCertificate = %v, want %q", err, tt.want)
		}
	}
	chain, err := ParseCertificate([]byte(block("X", nil) + stranger + pkcs1 + own))
	if err != nil || len(chain.chain) != 2 || !chain.chain[0].Equal(c.chain[0]) {
		t.Errorf("a chain in another order: %v, %v, want its own certificate first", chain, err)
	}
	if got, want := chain.String(), `certificate of "CN=robot" until `+c.NotAfter().UTC().Format(time.DateOnly); got != want || len(chain.Thumbprint()) != 64 {
		t.Errorf("String() = %q, want %q; Thumbprint() = %q", got, want, chain.Thumbprint())
	}
}
