package oauth

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/throttle"
)

// Grant is one sign-in of one user. It holds the refresh token and an access
// token for each resource, in memory or in a Store. It is safe for concurrent
// use and must not be copied. It prints the user's address and no secret.
//
// A token is replaced when it is nearer to its expiry than its margin (see
// Token.Valid), or up to half as much again: each Grant draws how much earlier,
// so that many that began together do not stay together.
type Grant struct {
	cache

	cfg    *Config
	user   atomic.Pointer[identity]
	keeper keeper
	pin    *pinned // nil unless the refresh token is pinned
	log    *slog.Logger
	// pause holds all refreshes while the server asks for it.
	pause throttle.Governor
	// unsaved is what a request brought and the keeper failed to keep. It
	// belongs to cache.mu.
	unsaved *unsaved
}

// newGrant returns the grant of a record that k keeps, of a pin if that is not
// nil.
func newGrant(cfg *Config, rec record, k keeper, pin *pinned) *Grant {
	g := &Grant{cfg: cfg, keeper: k, pin: pin, log: observe.Logger(cfg.Logger)}
	g.cache = newCache(cfg, g, g.fetch)
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
// Config begins with, they name all scopes, or those of the first resource where
// they belong to several: no request is for two.
//
// The source is an [Invalidator] as well.
func (g *Grant) For(resource string) TokenSource {
	return &source{cache: &g.cache, slot: g.slotFor(scopesFor(g.cfg.Scopes, resource))}
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
