package oauthtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// What [Server.CheckToken] finds wrong with a token.
var (
	// ErrUnknownToken means that the server never issued the token.
	ErrUnknownToken = errors.New("oauthtest: the token is not known")
	// ErrExpiredToken means that the token's time is over.
	ErrExpiredToken = errors.New("oauthtest: the token has expired")
	// ErrRevokedToken means that the token or its sign-in was revoked.
	ErrRevokedToken = errors.New("oauthtest: the token was revoked")
	// ErrOtherUser means that the token is good, but not for this user.
	ErrOtherUser = errors.New("oauthtest: the token is another user's")
	// ErrWrongScope means that the token lacks the scope.
	ErrWrongScope = errors.New("oauthtest: the token lacks the scope")
)

// CheckToken returns nil if token is an access token with which user may open
// their mail now, and one of the errors above otherwise. It is what a fake mail
// server checks logins with; the user is an address, whose case does not matter.
func (s *Server) CheckToken(user string, token secret.Text) error {
	return s.check(user, token, s.opts.MailScopes)
}

// Checker returns a function like [Server.CheckToken] that asks for one of
// the given scopes instead of Options.MailScopes.
func (s *Server) Checker(scopes ...string) func(user string, token secret.Text) error {
	return func(user string, token secret.Text) error { return s.check(user, token, scopes) }
}

func (s *Server) check(user string, token secret.Text, scopes []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[token.Reveal()]
	wanted := func(scope string) bool { return slices.Contains(scopes, scope) }
	switch {
	case t == nil || t.refresh:
		return ErrUnknownToken
	case t.revoked || t.family.revoked:
		return ErrRevokedToken
	case t.expired(time.Now()):
		return ErrExpiredToken
	case len(scopes) > 0 && !slices.ContainsFunc(t.scopes, wanted):
		return ErrWrongScope
	case !t.family.account.owns(user):
		return ErrOtherUser
	}
	return nil
}

// AddAccount adds a user.
func (s *Server) AddAccount(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts = append(s.accounts, a)
}

// Issued is a pair of tokens.
type Issued struct {
	// Access and Refresh are the tokens.
	Access, Refresh secret.Text
	// Expiry is when the access token expires.
	Expiry time.Time
}

// Issue gives an account tokens without a sign-in, as from the first
// registered client. The access token has the given scopes. It fails where no
// account has that address.
func (s *Server) Issue(email string, scopes ...string) (Issued, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account, ok := s.account(email)
	if !ok {
		return Issued{}, fmt.Errorf("oauthtest: no account %s", email)
	}
	f := &family{account: account, scopes: slices.Clone(scopes)}
	if len(s.opts.Clients) > 0 {
		f.client = s.opts.Clients[0].ID
	}
	access := s.newAccess(f, f.scopes)
	return Issued{
		Access:  secret.New(access),
		Refresh: secret.New(s.newRefresh(f)),
		Expiry:  s.tokens[access].expires,
	}, nil
}

// ExpireAccess ends the time of all access tokens of an account.
func (s *Server) ExpireAccess(email string) {
	s.each(email, func(t *token) {
		if !t.refresh {
			t.expires = time.Now()
		}
	})
}

// ExpireRefresh ends the time of all refresh tokens of an account.
func (s *Server) ExpireRefresh(email string) {
	s.each(email, func(t *token) {
		if t.refresh {
			t.expires = time.Now()
		}
	})
}

// RevokeAccess revokes all access tokens of an account and leaves the refresh
// tokens good.
func (s *Server) RevokeAccess(email string) {
	s.each(email, func(t *token) { t.revoked = t.revoked || !t.refresh })
}

// Revoke revokes every sign-in of an account, as a user does who withdraws
// access.
func (s *Server) Revoke(email string) {
	s.each(email, func(t *token) { t.family.revoked = true })
}

// each calls change for every token of an account.
func (s *Server) each(email string, change func(*token)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if strings.EqualFold(t.family.account.Email, email) {
			change(t)
		}
	}
}

// Secrets returns every code, access token, refresh token and id_token that
// the server has issued, so that a test can search logs and errors for them.
func (s *Server) Secrets() []secret.Text {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}
