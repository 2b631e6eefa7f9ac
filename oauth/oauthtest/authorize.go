package oauthtest

import (
	"html/template"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// serveAuthorize is the authorization endpoint (RFC 6749 section 4.1.1, RFC
// 7636). A login_hint that names an account approves at once; without one the
// answer is a page with a link for each account.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if !s.validRedirect(w, r) {
		return
	}
	if code, description := s.checkAuthorize(r.Form); code != "" {
		s.redirect(w, r, url.Values{"error": {code}, "error_description": {description}})
		return
	}
	s.mu.Lock()
	account, ok := s.account(r.Form.Get("login_hint"))
	s.mu.Unlock()
	if !ok {
		s.choose(w, r)
		return
	}
	s.redirect(w, r, url.Values{"code": {s.newCode(r.Form, account)}})
}

// refuseAuthorize sends a fault's error to the redirect URI.
func (s *Server) refuseAuthorize(w http.ResponseWriter, r *http.Request, f Fault) {
	if !s.validRedirect(w, r) {
		return
	}
	answer := url.Values{}
	for name, value := range errorBody(f.Error, f.Suberror, f.Description) {
		answer.Set(name, value)
	}
	s.redirect(w, r, answer)
}

// validRedirect checks what must hold before anything may be sent to the
// redirect URI, and answers with a page where it does not (RFC 6749 section
// 4.1.2.1).
func (s *Server) validRedirect(w http.ResponseWriter, r *http.Request) bool {
	for name, values := range r.Form {
		if len(values) > 1 {
			http.Error(w, "the parameter "+name+" is repeated", http.StatusBadRequest)
			return false
		}
	}
	client, ok := s.clientByID(r.Form.Get("client_id"))
	if !ok {
		http.Error(w, "the client_id is not registered", http.StatusBadRequest)
		return false
	}
	if !client.allowsRedirect(r.Form.Get("redirect_uri")) {
		http.Error(w, "the redirect_uri is not registered for this client", http.StatusBadRequest)
		return false
	}
	return true
}

// checkAuthorize returns the error code and description of a request that is
// refused.
func (s *Server) checkAuthorize(form url.Values) (code, description string) {
	switch {
	case form.Get("response_type") != "code":
		return "unsupported_response_type", "response_type must be code"
	case form.Get("code_challenge") == "" || form.Get("code_challenge_method") != "S256":
		return "invalid_request", "PKCE with the method S256 is required"
	case !slices.Contains([]string{"", "query", "form_post"}, form.Get("response_mode")):
		return "invalid_request", "response_mode must be query or form_post"
	}
	if no := s.checkScopes(form.Get("scope")); no != nil {
		return no.code, no.description
	}
	return "", ""
}

// checkScopes refuses scopes that the server does not know.
func (s *Server) checkScopes(scopes string) *refusal {
	for scope := range strings.FieldsSeq(scopes) {
		if s.opts.Scopes != nil && !isProtocolScope(scope) && !slices.Contains(s.opts.Scopes, scope) {
			return refuse("invalid_scope", "the scope "+scope+" is not known")
		}
	}
	return nil
}

// allowsRedirect compares a redirect URI with the registered ones. For a
// loopback redirect any port is right (RFC 8252 section 7.3); a missing path
// and "/" are the same.
func (c Client) allowsRedirect(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Fragment != "" {
		return false
	}
	if c.RedirectURIs == nil {
		return loopback(u)
	}
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		if registered == uri {
			return true
		}
		v, err := url.Parse(registered)
		return err == nil && loopback(u) && v.Scheme == u.Scheme && v.Hostname() == u.Hostname() &&
			strings.TrimSuffix(v.Path, "/") == strings.TrimSuffix(u.Path, "/") && v.RawQuery == u.RawQuery
	})
}

// loopback reports whether u is an http URL of this machine.
func loopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || (err == nil && ip.IsLoopback()))
}

// newCode grants what was asked and returns the code.
func (s *Server) newCode(form url.Values, account Account) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &family{
		account: account,
		client:  form.Get("client_id"),
		scopes:  s.granted(form.Get("scope")),
		nonce:   form.Get("nonce"),
	}
	if form.Has("max_age") {
		f.loggedIn = time.Now()
	}
	value := s.random("code-")
	s.codes[value] = &code{
		family:      f,
		redirectURI: form.Get("redirect_uri"),
		challenge:   form.Get("code_challenge"),
		expires:     time.Now().Add(s.opts.CodeLifetime),
	}
	return value
}

// granted returns the scopes that the user consents to.
func (s *Server) granted(asked string) []string {
	return slices.DeleteFunc(strings.Fields(asked), func(scope string) bool { return slices.Contains(s.opts.Withheld, scope) })
}

// redirect sends an answer to the redirect URI in the response mode asked for.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, answer url.Values) {
	if state := r.Form.Get("state"); state != "" {
		answer.Set("state", state)
	}
	if !s.opts.OmitIss {
		answer.Set("iss", s.base)
	}
	target := r.Form.Get("redirect_uri")
	w.Header().Set("Cache-Control", "no-store")
	if r.Form.Get("response_mode") == "form_post" {
		render(w, postPage, struct {
			Action string
			Fields url.Values
		}{target, answer})
		return
	}
	// The trailing slash is what Microsoft puts after a bare authority.
	u, err := url.Parse(target)
	if err != nil {
		http.Error(w, "the redirect_uri cannot be parsed", http.StatusBadRequest)
		return
	}
	if u.Path == "" {
		u.Path = "/"
	}
	query := u.Query()
	maps.Copy(query, answer)
	u.RawQuery = query.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound) //nolint:gosec // G710: validRedirect compared the target with the registered ones.
}

// choose answers with the page of accounts.
func (s *Server) choose(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	accounts := slices.Clone(s.accounts)
	s.mu.Unlock()
	type link struct{ Href, Email string }
	var links []link
	for _, a := range accounts {
		query := maps.Clone(r.Form)
		query.Set("login_hint", a.Email)
		links = append(links, link{r.URL.Path + "?" + query.Encode(), a.Email})
	}
	render(w, accountPage, links)
}

// render answers with a page.
func render(w http.ResponseWriter, page string, data any) {
	t, err := template.New("page").Parse(page)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = t.Execute(w, data) // The client may be gone.
}

const accountPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title></head><body><h1>Who are you?</h1><ul>
{{range .}}<li><a class="account" href="{{.Href}}">{{.Email}}</a></li>
{{end}}</ul></body></html>
`

const postPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Back to the program</title></head>
<body onload="document.forms[0].submit()"><form method="post" action="{{.Action}}">
{{range $name, $values := .Fields}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<button>Continue</button></form></body></html>
`
