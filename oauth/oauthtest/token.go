package oauthtest

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// refusal is an OAuth error of the token endpoint (RFC 6749 section 5.2).
type refusal struct {
	status            int
	code, description string
	extra             map[string]any // further members of the answer
}

func refuse(code, description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, description: description}
}

// body is the refusal as JSON has it.
func (no *refusal) body() map[string]any {
	body := map[string]any{"error": no.code, "error_description": no.description}
	maps.Copy(body, no.extra)
	return body
}

// serveToken is the token endpoint.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	answer, no := s.token(r)
	if no != nil {
		writeRefusal(w, no)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// writeRefusal answers with an OAuth error.
func writeRefusal(w http.ResponseWriter, no *refusal) {
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauthtest"`)
	}
	writeJSON(w, no.status, no.body())
}

// token does the work of the token endpoint.
func (s *Server) token(r *http.Request) (map[string]any, *refusal) {
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, refuse("invalid_request", "the parameter "+name+" is repeated")
		}
	}
	if answer, no, mine := s.appToken(r); mine {
		return answer, no
	}
	client, no := s.authenticate(r)
	if no != nil {
		return nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		return s.redeem(client, r.PostForm)
	case "refresh_token":
		return s.refresh(client, r.PostForm)
	case deviceGrant, "device_code": // the second is what Microsoft's libraries say
		return s.redeemDevice(client, r.PostForm)
	default:
		return nil, refuse("unsupported_grant_type", "grant_type must be authorization_code, refresh_token or "+deviceGrant)
	}
}

// authenticate finds the client of a request and checks its secret.
func (s *Server) authenticate(r *http.Request) (Client, *refusal) {
	bad := &refusal{status: http.StatusUnauthorized, code: "invalid_client", description: "the client's credentials are wrong"}
	id, given := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	user, password, basic := r.BasicAuth()
	if basic {
		if given != "" {
			return Client{}, refuse("invalid_request", "the client secret was sent in two ways")
		}
		var err1, err2 error
		// RFC 6749 section 2.3.1: both parts are form-encoded first.
		id, err1 = url.QueryUnescape(user)
		given, err2 = url.QueryUnescape(password)
		if err1 != nil || err2 != nil {
			return Client{}, bad
		}
	}
	client, ok := s.clientByID(id)
	switch {
	case !ok:
		return Client{}, bad
	case client.Secret.IsZero() && (given != "" || basic):
		return Client{}, &refusal{status: http.StatusUnauthorized, code: "invalid_client", description: "a public client must not send a secret"}
	case client.Secret.IsZero():
		return client, nil
	case client.Auth == AuthPost && basic, client.Auth == AuthBasic && !basic:
		return Client{}, &refusal{status: http.StatusUnauthorized, code: "invalid_client", description: "the client must send its secret the other way"}
	case !client.Secret.Equal(secret.New(given)):
		return Client{}, bad
	}
	return client, nil
}

// redeem answers an authorization code (RFC 6749 section 4.1.3). The caller
// holds the lock.
func (s *Server) redeem(client Client, form url.Values) (map[string]any, *refusal) {
	c := s.codes[form.Get("code")]
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case c == nil || c.family.client != client.ID || !time.Now().Before(c.expires):
		return nil, refuse("invalid_grant", "the code is not known or has expired")
	case c.used:
		c.family.revoked = true
		return nil, refuse("invalid_grant", "the code was used before; everything it gave is revoked")
	case c.redirectURI != form.Get("redirect_uri"):
		return nil, refuse("invalid_grant", "the redirect_uri is not that of the authorization request")
	case encode(challenge[:]) != c.challenge:
		return nil, refuse("invalid_grant", "the code_verifier does not fit the code_challenge")
	}
	return s.firstAnswer(c.family, form, func() { c.used = true })
}

// firstAnswer is the answer to what a user has just agreed to; spend is called
// once nothing stands against it. The caller holds the lock.
func (s *Server) firstAnswer(f *family, form url.Values, spend func()) (map[string]any, *refusal) {
	scopes, no := s.narrow(f, form.Get("scope"))
	if no != nil {
		return nil, no
	}
	if s.opts.OneResource {
		first, several := firstResource(scopes)
		if several && form.Has("scope") {
			return nil, refuse("invalid_scope", "the scopes belong to more than one resource")
		}
		scopes = first
	}
	spend()
	refresh := ""
	if !s.opts.RequireOffline || slices.Contains(f.scopes, "offline_access") {
		refresh = s.newRefresh(f)
	}
	return s.answer(f, scopes, refresh)
}

// refresh answers a refresh token (RFC 6749 section 6). The caller holds the
// lock.
func (s *Server) refresh(client Client, form url.Values) (map[string]any, *refusal) {
	t := s.tokens[form.Get("refresh_token")]
	switch {
	case t == nil || !t.refresh || t.family.client != client.ID:
		return nil, refuse("invalid_grant", "the refresh token is not known")
	case t.family.revoked || t.revoked:
		return nil, refuse("invalid_grant", "the refresh token was revoked")
	case t.used:
		if s.opts.Rotation == RotateRevokeFamily {
			t.family.revoked = true
		}
		return nil, refuse("invalid_grant", "the refresh token was used before")
	case t.expired(time.Now()):
		return nil, refuse("invalid_grant", "the refresh token has expired")
	}
	scopes, no := s.narrow(t.family, form.Get("scope"))
	if no != nil {
		return nil, no
	}
	if s.opts.OneResource {
		scopes, _ = firstResource(scopes)
	}
	next := ""
	offline := !s.opts.RequireOffline || slices.Contains(scopes, "offline_access")
	if s.opts.Rotation != RotateNever && offline {
		next = s.newRefresh(t.family)
		t.used = s.opts.Rotation != RotateKeepOld
	}
	return s.answer(t.family, scopes, next)
}

// narrow returns the scopes asked for, all granted ones where none are named.
func (s *Server) narrow(f *family, asked string) ([]string, *refusal) {
	scopes := s.granted(asked)
	if strings.TrimSpace(asked) == "" {
		return f.scopes, nil
	}
	for _, scope := range scopes {
		if !slices.Contains(f.scopes, scope) {
			return nil, refuse("invalid_scope", "the scope "+scope+" was not granted")
		}
	}
	return scopes, nil
}

// answer is the body of a good answer (RFC 6749 section 5.1). The caller holds
// the lock.
func (s *Server) answer(f *family, scopes []string, refresh string) (map[string]any, *refusal) {
	body := map[string]any{
		"access_token": s.newAccess(f, scopes),
		"token_type":   "Bearer",
		"scope":        strings.Join(scopes, " "),
	}
	if !s.opts.OmitExpiresIn {
		body["expires_in"] = int64(s.opts.AccessLifetime / time.Second)
	}
	if refresh != "" {
		body["refresh_token"] = refresh
		if s.opts.RefreshLifetime != 0 {
			body["refresh_token_expires_in"] = int64(s.opts.RefreshLifetime / time.Second)
		}
	}
	if slices.Contains(f.scopes, "openid") {
		idToken, err := s.key.sign(s.claims(f))
		if err != nil {
			return nil, &refusal{status: http.StatusInternalServerError, code: "server_error", description: err.Error()}
		}
		body["id_token"] = idToken
		s.secrets = append(s.secrets, secret.New(idToken))
	}
	return body, nil
}

// claims are those of an id_token (OpenID Connect Core section 2).
func (s *Server) claims(f *family) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": s.base, "sub": f.account.subject(), "aud": f.client,
		"iat": now.Unix(), "exp": now.Add(s.opts.AccessLifetime).Unix(),
	}
	if f.nonce != "" {
		claims["nonce"] = f.nonce
	}
	if !f.loggedIn.IsZero() {
		claims["auth_time"] = f.loggedIn.Unix()
	}
	if slices.Contains(f.scopes, "email") {
		claims["email"] = f.account.Email
	}
	if slices.Contains(f.scopes, "profile") {
		claims["name"] = f.account.Name
		claims["preferred_username"] = f.account.Email
	}
	for name, value := range f.account.Claims {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}
