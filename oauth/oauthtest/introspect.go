package oauthtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// serveIntrospect is the introspection endpoint (RFC 7662). Credentials are
// optional; where a request has some, they must be right.
func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	if _, _, basic := r.BasicAuth(); basic || r.PostForm.Get("client_id") != "" {
		if _, no := s.authenticate(r); no != nil {
			writeJSON(w, no.status, errorBody(no.code, "", no.description))
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[r.PostForm.Get("token")]
	if t == nil || !t.active(time.Now()) {
		writeJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	body := map[string]any{
		"active": true, "iss": s.base, "sub": t.family.account.subject(), "client_id": t.family.client,
		"username": t.family.account.Email, "email": t.family.account.Email,
		"scope": strings.Join(t.scopes, " "), "iat": t.issued.Unix(),
	}
	if !t.refresh {
		body["token_type"] = "Bearer"
	}
	if !t.expires.IsZero() {
		body["exp"] = t.expires.Unix()
	}
	writeJSON(w, http.StatusOK, body)
}

// serveRevoke is the revocation endpoint (RFC 7009): an access token is
// revoked alone, a refresh token with everything of its sign-in. A token that
// nobody knows is no error.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	client, no := s.authenticate(r)
	if no != nil {
		writeJSON(w, no.status, errorBody(no.code, "", no.description))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[r.PostForm.Get("token")]; t != nil && t.family.client == client.ID {
		t.revoked = true
		t.family.revoked = t.family.revoked || t.refresh
	}
	w.WriteHeader(http.StatusOK)
}

// serveUserinfo is the userinfo endpoint (OpenID Connect Core section 5.3).
func (s *Server) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	value, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[value]
	if t == nil || t.refresh || !t.active(time.Now()) || !slices.Contains(t.family.scopes, "openid") {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"sub": t.family.account.subject(), "email": t.family.account.Email, "name": t.family.account.Name,
	})
}
