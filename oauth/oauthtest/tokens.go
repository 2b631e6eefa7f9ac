package oauthtest

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// family is everything that came from one sign-in.
type family struct {
	account Account
	client  string
	scopes  []string // granted
	nonce   string
	revoked bool
	// loggedIn is when the user logged in, zero where nobody asked (max_age).
	loggedIn time.Time
}

// code is an authorization code.
type code struct {
	family      *family
	redirectURI string
	challenge   string
	expires     time.Time
	used        bool
}

// token is an access token or a refresh token.
type token struct {
	family  *family
	refresh bool
	scopes  []string
	issued  time.Time
	expires time.Time // zero: never
	revoked bool
	used    bool // a refresh token that was replaced
}

// expired reports whether the token's time is over.
func (t *token) expired(now time.Time) bool {
	return !t.expires.IsZero() && !now.Before(t.expires)
}

// active reports whether the token is good.
func (t *token) active(now time.Time) bool {
	return !t.revoked && !t.family.revoked && !t.used && !t.expired(now)
}

// random returns a new secret that begins with prefix, and remembers it for
// Secrets. The caller holds the lock.
func (s *Server) random(prefix string) string {
	value := prefix + rand.Text()
	s.secrets = append(s.secrets, secret.New(value))
	return value
}

// newAccess stores an access token. The caller holds the lock.
func (s *Server) newAccess(f *family, scopes []string) string {
	now := time.Now()
	value := s.random("at-")
	s.tokens[value] = &token{family: f, scopes: scopes, issued: now, expires: now.Add(s.opts.AccessLifetime)}
	return value
}

// newRefresh stores a refresh token. The caller holds the lock.
func (s *Server) newRefresh(f *family) string {
	now := time.Now()
	t := &token{family: f, refresh: true, scopes: f.scopes, issued: now}
	if s.opts.RefreshLifetime != 0 {
		t.expires = now.Add(s.opts.RefreshLifetime)
	}
	value := s.random("rt-")
	s.tokens[value] = t
	return value
}

// clientByID returns the registered client with that id.
func (s *Server) clientByID(id string) (Client, bool) {
	i := slices.IndexFunc(s.opts.Clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return s.opts.Clients[i], true
}

// account returns the account with that address. The caller holds the lock.
func (s *Server) account(email string) (Account, bool) {
	i := slices.IndexFunc(s.accounts, func(a Account) bool { return strings.EqualFold(a.Email, email) })
	if i < 0 {
		return Account{}, false
	}
	return s.accounts[i], true
}

// subject returns the account's stable identifier.
func (a Account) subject() string {
	if a.Subject != "" {
		return a.Subject
	}
	return a.Email
}

// owns reports whether the account may open the mailbox of user.
func (a Account) owns(user string) bool {
	return strings.EqualFold(a.Email, user) ||
		slices.ContainsFunc(a.Mailboxes, func(m string) bool { return strings.EqualFold(m, user) })
}

// isProtocolScope reports whether a scope belongs to no resource.
func isProtocolScope(scope string) bool {
	switch scope {
	case "openid", "profile", "email", "address", "phone", "offline_access":
		return true
	}
	return false
}

// resource returns what a scope is a permission on: scheme and host of a URL,
// and the empty string for other scopes.
func resource(scope string) string {
	scheme, rest, ok := strings.Cut(scope, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// firstResource returns the scopes of the first resource and those of none,
// and whether that left any out.
func firstResource(scopes []string) (kept []string, several bool) {
	i := slices.IndexFunc(scopes, func(s string) bool { return !isProtocolScope(s) })
	if i < 0 {
		return scopes, false
	}
	first := resource(scopes[i])
	for _, s := range scopes {
		if isProtocolScope(s) || resource(s) == first {
			kept = append(kept, s)
		}
	}
	return kept, len(kept) < len(scopes)
}
