package oauthtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The path of the API that signs for service accounts has the account in it.
const (
	signJWTPrefix = "/v1/projects/-/serviceAccounts/"
	signJWTSuffix = ":signJwt"
)

// SignJWTPath returns the path of the API that signs for a service account, for
// [Server.Inject] and [Server.Hits].
func SignJWTPath(account string) string { return signJWTPrefix + account + signJWTSuffix }

// signs reports whether a token with a scope may have something signed.
func signs(scope string) bool {
	return scope == "https://www.googleapis.com/auth/iam" || scope == "https://www.googleapis.com/auth/cloud-platform"
}

// serviceAccount is an account of a program, as Google has them.
type serviceAccount struct {
	email     string
	keyID     string
	key       *rsa.PrivateKey
	delegated []string
}

// AddServiceAccount adds a service account and returns its JSON key file. An
// administrator has delegated to it the mail of all accounts, with the given
// scopes.
func (s *Server) AddServiceAccount(email string, delegated ...string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("oauthtest: cannot make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("oauthtest: cannot write a key: %w", err)
	}
	a := &serviceAccount{email: email, keyID: strings.ToLower(rand.Text()), key: key, delegated: delegated}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps.accounts == nil {
		s.apps.accounts = make(map[string]*serviceAccount)
	}
	s.apps.accounts[email] = a
	return json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": "contoso", "private_key_id": a.keyID,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": email, "client_id": "117000000000000000001",
		"auth_uri": s.AuthURL(), "token_uri": s.TokenURL(),
	}, "", "  ")
}

// Delegate replaces the scopes that an administrator delegated to a service
// account.
func (s *Server) Delegate(email string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.apps.accounts[email]; a != nil {
		a.delegated = scopes
	}
}

// delegate answers the assertion of a service account (RFC 7523 section 2.1)
// in Google's words.
func (s *Server) delegate(form url.Values) (map[string]any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(form.Get("assertion"))
	j, ok := parseJWT(form.Get("assertion"))
	if !ok {
		return nil, refuse("invalid_grant", "Bad Request")
	}
	a := s.apps.accounts[j.claims.Issuer]
	scopes := strings.Fields(j.claims.Scope)
	switch {
	case a == nil:
		return nil, refuse("invalid_grant", "Invalid grant: account not found")
	case j.header.Algorithm != "RS256", j.header.KeyID != "" && j.header.KeyID != a.keyID, !j.verifies(&a.key.PublicKey):
		return nil, refuse("invalid_grant", "Invalid JWT Signature.")
	case j.claims.Audience != s.TokenURL():
		return nil, refuse("invalid_grant", "Invalid JWT: Failed audience check.")
	case !j.inTime(time.Now(), time.Hour):
		return nil, refuse("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "+
			"Check your iat and exp values in the JWT claim.")
	case len(scopes) == 0:
		return nil, refuse("invalid_scope", "Empty or missing scope not allowed.")
	}
	owner := Account{Subject: a.email, Email: a.email}
	if user := j.claims.Subject; user != "" {
		if slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(a.delegated, scope) }) {
			return nil, &refusal{
				status: http.StatusUnauthorized, code: "unauthorized_client",
				description: "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
			}
		}
		if owner, ok = s.account(user); !ok {
			return nil, refuse("invalid_grant", "Invalid email or User ID")
		}
	}
	return s.answer(&family{account: owner, client: a.email, scopes: scopes}, scopes, "")
}

// serveSignJWT is signJwt of Google's IAM Service Account Credentials API.
func (s *Server) serveSignJWT(w http.ResponseWriter, r *http.Request) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	email := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, signJWTPrefix), signJWTSuffix)
	var request struct {
		Payload string `json:"payload"`
	}
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	t, a := s.tokens[bearer], s.apps.accounts[email]
	switch {
	case t == nil || t.refresh || !t.active(time.Now()):
		refuseAPI(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
	case a == nil || !slices.ContainsFunc(t.scopes, signs):
		refuseAPI(w, http.StatusForbidden, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist).")
	case err != nil || json.Unmarshal(body, &request) != nil || !json.Valid([]byte(request.Payload)):
		refuseAPI(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Request contains an invalid argument.")
	default:
		signed, err := a.sign(request.Payload)
		if err != nil {
			refuseAPI(w, http.StatusInternalServerError, "INTERNAL", "Internal error encountered.")
			return
		}
		s.remember(signed)
		writeJSON(w, http.StatusOK, map[string]string{"keyId": a.keyID, "signedJwt": signed})
	}
}

// sign returns the payload as a JWT.
func (a *serviceAccount) sign(payload string) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": a.keyID, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	input := encode(header) + "." + encode([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	return input + "." + encode(signature), err
}

// refuseAPI answers as Google's APIs do.
func refuseAPI(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "status": code}})
}
