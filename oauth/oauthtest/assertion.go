package oauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// jwt is a signed JWT, taken apart.
type jwt struct {
	signed    string // what the signature is of
	signature []byte
	header    struct {
		Algorithm  string `json:"alg"`
		Type       string `json:"typ"`
		KeyID      string `json:"kid"`
		Thumbprint string `json:"x5t#S256"`
	}
	claims struct {
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		Audience  string `json:"aud"`
		ID        string `json:"jti"`
		Scope     string `json:"scope"`
		IssuedAt  int64  `json:"iat"`
		NotBefore int64  `json:"nbf"`
		Expires   int64  `json:"exp"`
	}
}

// parseJWT takes a compact JWS apart. It verifies nothing.
func parseJWT(text string) (*jwt, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	j := &jwt{signed: parts[0] + "." + parts[1]}
	for i, into := range []any{&j.header, &j.claims} {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return nil, false
		}
	}
	var err error
	j.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2])
	return j, err == nil
}

// verifies reports whether the signature is of a key, by the algorithm that the
// header names.
func (j *jwt) verifies(key crypto.PublicKey) bool {
	sum := sha256.Sum256([]byte(j.signed))
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch j.header.Algorithm {
		case "RS256":
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], j.signature) == nil
		case "PS256":
			// RFC 7518 section 3.5: the salt is as long as the hash.
			opts := &rsa.PSSOptions{SaltLength: sha256.Size}
			return rsa.VerifyPSS(key, crypto.SHA256, sum[:], j.signature, opts) == nil
		}
	case *ecdsa.PublicKey:
		if j.header.Algorithm != "ES256" || len(j.signature) != 2*coordinate {
			return false
		}
		r, t := new(big.Int).SetBytes(j.signature[:coordinate]), new(big.Int).SetBytes(j.signature[coordinate:])
		return ecdsa.Verify(key, sum[:], r, t)
	}
	return false
}

// checkAssertion verifies what a client proves itself with (RFC 7523 section
// 3), once.
func (s *Server) checkAssertion(client Client, form url.Values) *refusal {
	text := form.Get("client_assertion")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(text)
	j, ok := parseJWT(text)
	if !ok || form.Get("client_assertion_type") != assertionType {
		return s.noApp(http.StatusUnauthorized, "invalid_client", 50027, "JWT token is invalid or malformed.")
	}
	now := time.Now()
	if !j.inTime(now, 10*time.Minute) {
		return s.noApp(http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range.")
	}
	if j.claims.Issuer == s.workloadIssuer() {
		return s.checkWorkload(client, j)
	}
	switch {
	case j.claims.Issuer != client.ID || j.claims.Subject != client.ID:
		return s.noApp(http.StatusUnauthorized, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	case j.claims.Audience != s.TokenURL():
		return s.noApp(http.StatusUnauthorized, "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer.")
	case !s.signedBy(client.App, j, now):
		return s.noApp(http.StatusUnauthorized, "invalid_client", 700027,
			"The certificate with identifier used to sign the client assertion is not registered on application.")
	case j.claims.ID == "" || s.apps.assertions[j.claims.ID]:
		return s.noApp(http.StatusUnauthorized, "invalid_client", 50013, "The client assertion has no identifier, or was used before.")
	}
	if s.apps.assertions == nil {
		s.apps.assertions = make(map[string]bool)
	}
	s.apps.assertions[j.claims.ID] = true
	return nil
}

// inTime reports whether an assertion is of now and not for longer than longest.
func (j *jwt) inTime(now time.Time, longest time.Duration) bool {
	issued, ends := time.Unix(j.claims.IssuedAt, 0), time.Unix(j.claims.Expires, 0)
	return !issued.After(now) && !time.Unix(j.claims.NotBefore, 0).After(now) && ends.After(now) && ends.Sub(issued) <= longest
}

// signedBy reports whether an assertion was signed with one of the client's
// certificates, which it names.
func (s *Server) signedBy(app *App, j *jwt, now time.Time) bool {
	algorithms := app.Algorithms
	if algorithms == nil {
		algorithms = []string{"PS256"}
	}
	if !slices.Contains(algorithms, j.header.Algorithm) {
		return false
	}
	return slices.ContainsFunc(app.Certificates, func(c *x509.Certificate) bool {
		sum := sha256.Sum256(c.Raw)
		named := j.header.Thumbprint == encode(sum[:])
		if s.opts.Microsoft && (!named || now.After(c.NotAfter)) {
			return false
		}
		return (named || j.header.Thumbprint == "") && j.verifies(c.PublicKey)
	})
}

// workloadIssuer is the issuer of tokens for workloads.
func (s *Server) workloadIssuer() string { return s.base + "/workloads" }

// workloadAudience is who they are for, Microsoft's name for it.
const workloadAudience = "api://AzureADTokenExchange"

// WorkloadToken returns a token as a cluster gives to its workloads, good for
// ten minutes. A client whose App.Federated has the subject may prove with it
// who it is.
func (s *Server) WorkloadToken(subject string) (secret.Text, error) {
	now := time.Now()
	text, err := s.key.sign(map[string]any{
		"iss": s.workloadIssuer(), "sub": subject, "aud": workloadAudience,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	})
	if err != nil {
		return secret.Text{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(text)
	return secret.New(text), nil
}

// checkWorkload verifies a token of WorkloadToken, which may be used more than
// once.
func (s *Server) checkWorkload(client Client, j *jwt) *refusal {
	if j.claims.Audience != workloadAudience || !slices.Contains(client.App.Federated, j.claims.Subject) || !j.verifies(&s.key.key.PublicKey) {
		return s.noApp(http.StatusUnauthorized, "invalid_client", 70021, "No matching federated identity record found for presented assertion.")
	}
	return nil
}
