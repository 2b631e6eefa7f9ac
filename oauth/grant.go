package oauth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/secret"
)

const (
	// flightTimeout limits a refresh with all its tries. It is not the
	// callers' limit: each of them leaves when its own context ends.
	flightTimeout = 2 * time.Minute
	// failureMemory is how long a refusal is handed to further callers
	// without asking the server again.
	failureMemory = time.Minute
)

// Grant is one sign-in of one user. It holds the refresh token and an access
// token for each resource, in memory. It is safe for concurrent use and must
// not be copied. It prints the user's address and no secret.
type Grant struct {
	cfg    *Config
	user   identity
	keeper keeper
	log    *slog.Logger
	// pause holds all refreshes while the server asks for it.
	pause throttle.Governor

	mu    sync.Mutex // never held during I/O
	slots map[string]*slot
}

// slot is the state of one set of scopes. Its fields belong to Grant.mu.
type slot struct {
	scopes []string
	token  *Token
	// refused is the newest token that was invalidated. It is not taken back
	// from the record.
	refused secret.Text
	flight  *flight
	failure error
	until   time.Time // how long failure is remembered
}

// newGrant returns a grant whose sign-in gave first for the given scopes.
func newGrant(cfg *Config, user identity, scopes []string, first *answer) *Grant {
	key := slotKey(scopes)
	return &Grant{
		cfg:  cfg,
		user: user,
		log:  observe.Logger(cfg.Logger),
		keeper: newMemoryKeeper(record{
			refresh:       first.refresh,
			refreshExpiry: first.refreshExpiry,
			tokens:        map[string]*Token{key: first.token},
		}),
		slots: map[string]*slot{key: {scopes: scopes, token: first.token}},
	}
}

// Address returns the mail address that the id_token names: the first of
// email, preferred_username and upn that is one. It is empty where there was
// no id_token, for want of the scope openid, or no address in it. The mailbox's
// address may differ from it: only a login tells.
func (g *Grant) Address() string { return g.user.address }

// Subject returns the user's stable identifier at the server (the claim sub),
// or "" where there was no id_token.
func (g *Grant) Subject() string { return g.user.subject }

// For returns the source of access tokens for a resource, such as
// "https://outlook.office.com". Its requests name the scopes that begin with
// the resource, and with them openid, profile, email and offline_access as far
// as the Config has them. For the resource "", and for one that no scope of the
// Config begins with, they name all scopes.
//
// The source is an [Invalidator] as well.
func (g *Grant) For(resource string) TokenSource {
	return &source{grant: g, slot: g.slotFor(scopesFor(g.cfg.Scopes, resource))}
}

var (
	_ Sources        = (*Grant)(nil)
	_ TokenSource    = (*source)(nil)
	_ Invalidator    = (*source)(nil)
	_ fmt.Formatter  = (*Grant)(nil)
	_ fmt.Formatter  = (*source)(nil)
	_ slog.LogValuer = (*Grant)(nil)
)

// String returns the user's address and the server.
func (g *Grant) String() string {
	who := g.user.address
	if who == "" {
		who = g.user.subject
	}
	return "grant of " + who + " at " + hostOf(g.cfg.Endpoint.TokenURL)
}

// Format implements [fmt.Formatter]: every verb prints String.
func (g *Grant) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, g.String())
}

// LogValue implements [slog.LogValuer].
func (g *Grant) LogValue() slog.Value { return slog.StringValue(g.String()) }

// slotKey is the name of a set of scopes.
func slotKey(scopes []string) string { return strings.Join(scopes, " ") }

// slotFor returns the slot of a set of scopes.
func (g *Grant) slotFor(scopes []string) *slot {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := slotKey(scopes)
	if g.slots[key] == nil {
		g.slots[key] = &slot{scopes: scopes}
	}
	return g.slots[key]
}

// source is a TokenSource of a grant.
type source struct {
	grant *Grant
	slot  *slot
}

// String returns what the source is of.
func (s *source) String() string { return "token source of the " + s.grant.String() }

// Format implements [fmt.Formatter]: every verb prints String.
func (s *source) Format(state fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(state, s.String())
}

// Token implements [TokenSource]. Where a refresh fails and the present token
// has not expired yet, that one is returned: the margin is there for such
// times.
func (s *source) Token(ctx context.Context) (*Token, error) {
	tok, err := s.next(ctx)
	if err == nil || ctx.Err() != nil {
		return tok, err
	}
	s.grant.mu.Lock()
	defer s.grant.mu.Unlock()
	if present := s.slot.token; present.usable(time.Now()) {
		return present.clone(), nil
	}
	return nil, err
}

// next returns the present token, or the one after it where its time is
// nearly over.
func (s *source) next(ctx context.Context) (*Token, error) {
	g := s.grant
	g.mu.Lock()
	now := time.Now()
	if s.slot.token.Valid(now) {
		defer g.mu.Unlock()
		return s.slot.token.clone(), nil
	}
	if s.slot.failure != nil && now.Before(s.slot.until) {
		defer g.mu.Unlock()
		return nil, s.slot.failure
	}
	f := g.join(ctx, s.slot)
	g.mu.Unlock()
	return f.wait(ctx)
}

// Invalidate implements [Invalidator].
func (s *source) Invalidate(ctx context.Context, t *Token) error {
	g := s.grant
	g.mu.Lock()
	present, f := s.slot.token, s.slot.flight
	if t != nil && present != nil && present.AccessToken.Equal(t.AccessToken) {
		s.slot.token, s.slot.refused = nil, present.AccessToken
		f = g.join(ctx, s.slot)
	}
	g.mu.Unlock()
	if f == nil {
		return nil
	}
	_, err := f.wait(ctx)
	return err
}
