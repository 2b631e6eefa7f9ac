package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// maxFormer is how many earlier pins a record remembers.
const maxFormer = 4

// PinOptions change how Pinned goes about it.
type PinOptions struct {
	// Keep is where rotated refresh tokens and access tokens are kept. Without
	// it a server that replaces refresh tokens makes the pin useless when the
	// program ends. The record belongs to the pin: it cannot be that of a
	// sign-in.
	Keep *Keep
	// AllowOtherUser lets a pin be replaced by one of another user, who may be of
	// another tenant. Whose a pin is shows in the id_token of a refresh; servers
	// give one where the Config's Scopes and the grant have openid.
	AllowOtherUser bool
}

// Pinned returns the grant of a refresh token that comes from outside of the
// program. It reads the pin and the record, and does no other I/O.
//
// What the server puts in the pin's place is kept in the record, beside a
// digest of the pin, and used from then on. A pin that has changed wins over
// the record; that is looked for now, and whenever the server refuses the
// present token, so that replacing the pin takes effect without a restart,
// within a minute. A pin that comes back finds what became of it before.
//
// Where the new pin turns out to be another user's, or of another tenant,
// tokens are refused with an *Error that wraps ErrOtherUser or ErrOtherTenant,
// until the pin changes or the options allow it. Where the record is of another client than the Config's, and the pin has
// not changed, the error is that of Open. The options may be nil.
func Pinned(ctx context.Context, cfg *Config, pin Pin, o *PinOptions) (*Grant, error) {
	if err := cfg.checkClient(); err != nil {
		return nil, err
	}
	cfg = cfg.clone()
	options := PinOptions{}
	if o != nil {
		options = *o
	}
	token, err := pin.token(ctx)
	if err != nil {
		return nil, pinError(cfg, err)
	}
	p := &pinned{pin: pin, allowOther: options.AllowOtherUser, seen: pinSum(token)}
	if options.Keep == nil {
		rec := newRecord(cfg)
		rec.turnTo(token)
		return newGrant(cfg, rec, newMemoryKeeper(rec), p), nil
	}
	k, err := newStoreKeeper(*options.Keep)
	if err != nil {
		return nil, pinError(cfg, err)
	}
	rec, err := overlaid(ctx, cfg, k, token, options.Keep.Provider)
	if err != nil {
		if _, ok := errors.AsType[*Error](err); ok {
			return nil, err
		}
		return nil, pinError(cfg, fmt.Errorf("the record %s: %w", k.key, err))
	}
	return newGrant(cfg, rec, k, p), nil
}

// pinError says that a pin cannot be used.
func pinError(cfg *Config, err error) error {
	return fmt.Errorf("oauth: pinned grant at %s: %w", hostOf(cfg.Endpoint.TokenURL), err)
}

// overlaid returns the record of a pin, made anew where there is none or where
// it is of another pin.
func overlaid(ctx context.Context, cfg *Config, k *storeKeeper, token secret.Text, provider string) (rec record, err error) {
	h, err := k.lock(ctx)
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, h.release()) }()
	switch rec, err = h.load(ctx); {
	case errors.Is(err, ErrNoGrant):
		rec = newRecord(cfg)
		rec.provider = provider
	case err != nil:
		return rec, err
	case rec.pin == "":
		return rec, &Error{
			Kind: KindClientConfig, Op: "open the pinned grant", Server: hostOf(cfg.Endpoint.TokenURL),
			Err: errors.New("the record " + k.key + " is that of a sign-in: keep the pinned grant under a key of its own"),
		}
	case rec.pin == pinSum(token):
		return rec, rec.fits(cfg, "open the pinned grant")
	case rec.fits(cfg, "") != nil:
		// A new pin of a new client: what the former one got is of no use to it.
		user, more := rec.user, rec.extra
		user.tenant = "" // The new client may be of another one.
		rec = newRecord(cfg)
		rec.user, rec.extra, rec.provider = user, more, provider
	}
	rec.turnTo(token)
	return rec, h.save(ctx, rec)
}

// overlay is what became of a pin: the refresh token that the server has put in
// its place.
type overlay struct {
	pin           string
	refresh       secret.Text
	refreshExpiry time.Time
	pending       time.Time
	extra         extras
}

// turnTo makes a pin the record's refresh token, or what became of it. The
// overlay of the pin before is remembered.
func (r *record) turnTo(token secret.Text) {
	next := overlay{pin: pinSum(token), refresh: token}
	last := overlay{pin: r.pin, refresh: r.refresh, refreshExpiry: r.refreshExpiry, pending: r.pending}
	if i := slices.IndexFunc(r.former, func(o overlay) bool { return o.pin == next.pin }); i >= 0 {
		next = r.former[i]
		r.former = slices.Delete(r.former, i, i+1)
	}
	// One that is as it came has nothing to remember.
	if last.pin != "" && pinSum(last.refresh) != last.pin {
		r.former = append([]overlay{last}, r.former...)
		r.former = r.former[:min(len(r.former), maxFormer)]
	}
	r.pin, r.refresh, r.refreshExpiry, r.pending = next.pin, next.refresh, next.refreshExpiry, next.pending
	r.status = status{}
	clear(r.tokens)
	clear(r.tokenExtra)
}

// pinned is the pin of a grant.
type pinned struct {
	pin        Pin
	allowOther bool

	mu   sync.Mutex
	seen string // the sum of the pin when it was last read
}

// allowsOthers reports whether the grant may become another user's.
func (p *pinned) allowsOthers() bool { return p != nil && p.allowOther }

// changed reads the pin after a refresh ended in err, and turns the record to it
// where it has been replaced. What this process has read before is no news: the
// record may have been turned to a newer one by another process.
func (p *pinned) changed(ctx context.Context, g *Grant, rec *record, err error) bool {
	if e, ok := errors.AsType[*Error](err); p == nil || !ok || e.Kind == KindTemporary || e.lost() {
		return false
	}
	token, err := p.pin.token(ctx)
	if err != nil {
		g.log.LogAttrs(ctx, slog.LevelWarn, "the pin cannot be looked at again",
			slog.String("grant", g.String()), slog.String("error", clean(err.Error())))
		return false
	}
	sum := pinSum(token)
	p.mu.Lock()
	news := sum != p.seen && sum != rec.pin
	p.seen = sum
	p.mu.Unlock()
	if news {
		rec.turnTo(token)
		g.log.LogAttrs(ctx, slog.LevelInfo, "the pin was replaced", slog.String("grant", g.String()))
	}
	return news
}

// take puts a good answer into the record, and looks whose it is: that of
// another user, or of another tenant, goes no further than the refresh token,
// which may be the only good one. OpenID Connect Core section 12.2 forbids it,
// but for a pin that was replaced.
func (g *Grant) take(ctx context.Context, rec *record, key string, got *answer) error {
	user := g.userOf(ctx, got)
	rec.take(key, got)
	if state := rec.user.changed(user); state != "" && !g.pin.allowsOthers() {
		clear(rec.tokens)
		clear(rec.tokenExtra)
		rec.status = status{State: state, Since: rec.lastUse}
		return g.stranger(state)
	}
	rec.user = rec.user.updated(user)
	return nil
}

// become notes whose the grant is. Where that has changed, the tokens of the
// former user are not handed out any more.
func (g *Grant) become(user identity) {
	if g.user.Swap(&user).changed(user) == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.slots {
		s.present.Store(nil)
	}
}

// userOf returns whom the id_token of a refresh names, nobody where there is
// none that can be read. Of one of another issuer the tenant counts.
func (g *Grant) userOf(ctx context.Context, got *answer) identity {
	if got.idToken.IsZero() {
		return identity{}
	}
	user, err := readIDToken(got.idToken, idTokenRules{
		clientID: g.cfg.ClientID, issuer: g.cfg.Endpoint.Issuer, now: time.Now(),
	})
	if err != nil {
		g.log.LogAttrs(ctx, slog.LevelWarn, "the id_token of a refresh is not taken", slog.String("error", err.Error()))
	}
	return user
}
