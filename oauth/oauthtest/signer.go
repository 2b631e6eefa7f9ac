package oauthtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
)

// coordinate is the length of a P-256 coordinate in bytes.
const coordinate = 32

// signer signs id_tokens with ES256 (RFC 7518 section 3.4).
type signer struct {
	key *ecdsa.PrivateKey
	id  string
}

// newSigner makes a new key.
func newSigner() *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		// The system's random source does not fail; crypto/rand says so.
		panic(fmt.Sprintf("oauthtest: cannot make a key: %v", err))
	}
	return &signer{key: key, id: rand.Text()[:8]}
}

// sign returns claims as a compact JWS.
func (s *signer) sign(claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": s.id, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("oauthtest: claims cannot be marshalled: %w", err)
	}
	input := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(input))
	r, t, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 2*coordinate)
	r.FillBytes(signature[:coordinate])
	t.FillBytes(signature[coordinate:])
	return input + "." + encode(signature), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// serveKeys answers with the public key (RFC 7517).
func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	// The encoding is 0x04, x, y.
	point, err := s.key.key.PublicKey.Bytes()
	if err != nil {
		http.Error(w, "the key cannot be encoded", http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": s.key.id,
		"x": encode(point[1 : 1+coordinate]),
		"y": encode(point[1+coordinate:]),
	}}})
}

// serveMetadata answers with the server's metadata (RFC 8414).
func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"issuer":                                         s.base,
		"authorization_endpoint":                         s.AuthURL(),
		"token_endpoint":                                 s.TokenURL(),
		"introspection_endpoint":                         s.IntrospectURL(),
		"revocation_endpoint":                            s.RevokeURL(),
		"device_authorization_endpoint":                  s.DeviceURL(),
		"userinfo_endpoint":                              s.base + UserinfoPath,
		"jwks_uri":                                       s.base + KeysPath,
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query", "form_post"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token", deviceGrant, grantClientCredentials, grantJWTBearer},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_post", "client_secret_basic", "private_key_jwt"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": !s.opts.OmitIss,
	}
	if s.opts.Scopes != nil {
		document["scopes_supported"] = s.opts.Scopes
	}
	writeJSON(w, http.StatusOK, document)
}
