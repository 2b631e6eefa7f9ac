package oauth

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// maxJitter is by how much of itself chance lengthens the margin at most.
const maxJitter = 0.5

// Grant is one sign-in of one user. It holds the refresh token and an access
// token for each resource, in memory or in a Store. It is safe for concurrent
// use and must not be copied. It prints the user's address and no secret.
//
// A token is replaced when it is nearer to its expiry than its margin (see
// Token.Valid), or up to half as much again: each Grant draws how much earlier,
// so that many that began together do not stay together.
type Grant struct {
	cfg    *Config
	user   atomic.Pointer[identity]
	keeper keeper
	pin    *pinned // nil unless the refresh token is pinned
	log    *slog.Logger
	jitter float64
	// pause holds all refreshes while the server asks for it.
	pause throttle.Governor

	mu    sync.Mutex // never held during I/O
	slots map[string]*slot
	// unsaved is what a request brought and the keeper failed to keep.
	unsaved *unsaved
}

// slot is the state of one set of scopes. Its fields but present belong to
// Grant.mu.
type slot struct {
	scopes []string
	// present is the token to hand out, nil if there is none. Who has
	// Grant.mu changes it.
	present atomic.Pointer[handout]
	// refused is the newest token that was invalidated. It is not taken back
	// from the record.
	refused secret.Text
	// missing are the scopes that the newest answer did not grant.
	missing []string
	flight  *flight
	failure error
	until   time.Time // how long failure is remembered
}

// handout is a token for all callers. What the grant itself needs to know of it
// is beside it, out of their reach.
type handout struct {
	token  *Token
	access secret.Text
	// fresh and usable are until when the token is handed out and until when it
	// is good, in nanoseconds since 1970.
	fresh, usable int64
}

// newHandout returns a copy of a token for callers, nil for none.
func (g *Grant) newHandout(t *Token) *handout {
	if t == nil || t.AccessToken.IsZero() {
		return nil
	}
	h := &handout{token: t.clone(), access: t.AccessToken, fresh: math.MaxInt64, usable: math.MaxInt64}
	if !t.Expiry.IsZero() {
		h.usable, h.fresh = nanos(t.Expiry), nanos(t.Expiry.Add(-g.margin(t)))
	}
	return h
}

// nanos returns the nanoseconds since 1970, as near as they can be counted.
func nanos(t time.Time) int64 {
	const last = math.MaxInt64 / int64(time.Second)
	return min(max(t.Unix(), 0), last-1)*int64(time.Second) + int64(t.Nanosecond())
}

// margin returns how long before its expiry this grant replaces a token.
func (g *Grant) margin(t *Token) time.Duration {
	return t.margin() + time.Duration(g.jitter*float64(t.margin()))
}

// fresh reports whether a token need not be replaced yet.
func (g *Grant) fresh(t *Token) bool {
	if t == nil || t.AccessToken.IsZero() {
		return false
	}
	return t.Expiry.IsZero() || time.Now().Before(t.Expiry.Add(-g.margin(t)))
}

// newGrant returns the grant of a record that k keeps, of a pin if that is not
// nil.
func newGrant(cfg *Config, rec record, k keeper, pin *pinned) *Grant {
	g := &Grant{
		cfg: cfg, keeper: k, pin: pin, log: observe.Logger(cfg.Logger),
		jitter: maxJitter * cfg.random(),
		slots:  make(map[string]*slot),
	}
	g.user.Store(&rec.user)
	for key, tok := range rec.tokens {
		s := &slot{scopes: strings.Fields(key)}
		s.missing = missingScopes(s.scopes, tok.Scopes)
		s.present.Store(g.newHandout(tok))
		g.slots[key] = s
	}
	return g
}

// Address returns the mail address that the id_token names: the first of
// email, preferred_username and upn that is one. It is empty where there was
// no id_token, for want of the scope openid, or no address in it. The mailbox's
// address may differ from it: only a login tells. A pinned grant has none until
// its first refresh, unless its record does.
func (g *Grant) Address() string { return g.user.Load().address }

// Subject returns the user's stable identifier at the server (the claim sub),
// or "" where there was no id_token.
func (g *Grant) Subject() string { return g.user.Load().subject }

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

// Missing returns the scopes that the newest token of each resource was asked
// for and not granted, as where the user unticked one of them on the consent
// page, in alphabetical order. It does no I/O: a resource is heard of once there
// was a token for it, in this process or in the record.
func (g *Grant) Missing() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var missing []string
	for _, s := range g.slots {
		missing = append(missing, s.missing...)
	}
	slices.Sort(missing)
	return slices.Compact(missing)
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
	who := cmp.Or(g.Address(), g.Subject(), "an unknown user")
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
	if h := s.slot.present.Load(); h != nil && time.Now().UnixNano() < h.fresh {
		return h.token, nil
	}
	tok, err := s.next(ctx)
	if err == nil || ctx.Err() != nil {
		return tok, err
	}
	if h := s.slot.present.Load(); h != nil && time.Now().UnixNano() < h.usable {
		return h.token, nil
	}
	return nil, err
}

// next returns the token after the present one.
func (s *source) next(ctx context.Context) (*Token, error) {
	g := s.grant
	g.mu.Lock()
	now := time.Now()
	if h := s.slot.present.Load(); h != nil && now.UnixNano() < h.fresh {
		g.mu.Unlock()
		return h.token, nil
	}
	if err := s.slot.failure; err != nil && now.Before(s.slot.until) {
		g.mu.Unlock()
		return nil, err
	}
	f := g.join(ctx, s.slot)
	g.mu.Unlock()
	return f.wait(ctx)
}

// Invalidate implements [Invalidator].
func (s *source) Invalidate(ctx context.Context, t *Token) error {
	g := s.grant
	g.mu.Lock()
	present, f := s.slot.present.Load(), s.slot.flight
	if t != nil && present != nil && present.access.Equal(t.AccessToken) {
		s.slot.present.Store(nil)
		s.slot.refused = present.access
		f = g.join(ctx, s.slot)
	}
	g.mu.Unlock()
	if f == nil {
		return nil
	}
	_, err := f.wait(ctx)
	return err
}
