package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // G505: x5t is a name for a certificate and protects nothing.
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// Algorithm is how an assertion is signed (RFC 7518 section 3.1).
type Algorithm string

// The algorithms.
const (
	// PS256 is RSASSA-PSS with SHA-256, which Microsoft Entra ID asks for.
	PS256 Algorithm = "PS256"
	// RS256 is RSASSA-PKCS1-v1_5 with SHA-256, for AD FS and Google.
	RS256 Algorithm = "RS256"
)

// assertionLifetime is how long a client assertion is good: it is used at once,
// and the two clocks may differ a little.
const assertionLifetime = 5 * time.Minute

// assertionClaims are those of a client assertion (RFC 7523 section 3).
type assertionClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	ID        string `json:"jti"`
	IssuedAt  int64  `json:"iat"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
}

// newAssertionClaims returns the claims of an assertion that is good once, from
// now on.
func newAssertionClaims(clientID, audience string, now time.Time) assertionClaims {
	return assertionClaims{
		Issuer: clientID, Subject: clientID, Audience: audience, ID: rand.Text(),
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(assertionLifetime).Unix(),
	}
}

// header returns the JOSE header of what the certificate signs. It names the
// certificate by its SHA-256, and for RS256 by its SHA-1 too, which AD FS goes
// by (RFC 7515 sections 4.1.6 to 4.1.8).
func (c *Certificate) header(alg Algorithm, keyID string, withChain bool) map[string]any {
	leaf := c.chain[0].Raw
	sum := sha256.Sum256(leaf)
	h := map[string]any{"alg": alg, "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}
	if alg == RS256 {
		old := sha1.Sum(leaf) //nolint:gosec // G401: as above.
		h["x5t"] = base64.RawURLEncoding.EncodeToString(old[:])
	}
	if keyID != "" {
		h["kid"] = keyID
	}
	if withChain {
		var chain []string
		for _, cert := range c.chain {
			chain = append(chain, base64.StdEncoding.EncodeToString(cert.Raw))
		}
		h["x5c"] = chain
	}
	return h
}

// signJWT returns a signed JWT in its compact form (RFC 7515 section 7.1). Its
// errors hold nothing of the key or the claims.
func signJWT(key crypto.Signer, alg Algorithm, header map[string]any, claims []byte) (secret.Text, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return secret.Text{}, errors.New("oauth: the header of an assertion cannot be written as JSON")
	}
	var opts crypto.SignerOpts = crypto.SHA256
	if alg == PS256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := key.Sign(rand.Reader, sum[:], opts)
	if err != nil {
		return secret.Text{}, fmt.Errorf("oauth: an assertion cannot be signed: %w", err)
	}
	return secret.New(input + "." + base64.RawURLEncoding.EncodeToString(signature)), nil
}

// blameClock says in a refusal that this machine's clock is far from the
// server's: an assertion is dated, and a server that finds it too old or too
// new often says no more than that the client is not valid.
func (e *Error) blameClock(h http.Header, now time.Time) {
	theirs, err := http.ParseTime(h.Get("Date"))
	if err != nil || e.Err != nil || e.Code == "" {
		return
	}
	ahead := now.Sub(theirs).Round(time.Second)
	if ahead.Abs() < assertionLifetime {
		return
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	e.Err = fmt.Errorf("this machine's clock is %v %s the server's: set it right", ahead.Abs(), direction)
}
