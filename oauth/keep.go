package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/state"
)

// keepTimeout limits keeping what a request brought, for which no caller's
// context is the limit.
const keepTimeout = 30 * time.Second

// ErrNoGrant says that no grant is kept under a key: nobody has signed in, or
// the record was deleted. NeedsSignIn reports true for it.
var ErrNoGrant = errors.New("no grant is kept there: sign in first")

// ErrOtherUser says that a grant is another user's than before: somebody else
// has signed in under its key, or a pin was replaced by one of somebody else.
var ErrOtherUser = errors.New("the grant is another user's")

// ErrOtherTenant says that a grant is of another tenant of Microsoft's than
// before, or than the Config. It is of no use there: a new sign-in is.
var ErrOtherTenant = errors.New("the grant is another tenant's")

// Keep names the place where a grant outlives the program: a record in a
// Store. The record is JSON and holds the refresh token in plain; package
// state/seal encrypts a whole Store.
//
// Any number of processes may use one record at the same time. A refresh
// happens under the Store's lock for the key (see state.LockerFor), so that one
// process refreshes and the others take the token from the record.
type Keep struct {
	// Store is where the record lives.
	Store state.Store
	// Key is the record's key, such as "grant/ann@example.org"; see
	// state.CheckKey.
	Key string
	// Provider is a name of the provider that a sign-in writes into the
	// record, for people and tools. It has no effect.
	Provider string
	// NoAccessTokens keeps access tokens out of the record. Each process then
	// refreshes for itself, and the refresh token alone is shared.
	NoAccessTokens bool
}

// Open returns the grant that is kept under a key: by a sign-in with
// SignInOptions.Keep, in this process or another. It reads the record and does
// no other I/O; whether the server still honours the grant shows when a token
// is asked for.
//
// Without a record the error wraps ErrNoGrant. Where the record's grant was
// issued to another client, by another issuer or at another token URL than the
// Config names, it is an *Error of KindClientConfig that says what differs; the
// record is left as it is, and the way on is that Config or a new sign-in. At
// Microsoft the tenant is part of all that: the token URL has it, or "common"
// or "organizations", and the id_token says which it was. Where the Endpoint is
// of one tenant by its id and the grant of another, the error wraps
// ErrOtherTenant too.
func Open(ctx context.Context, cfg *Config, keep Keep) (*Grant, error) {
	if err := cfg.checkClient(); err != nil {
		return nil, err
	}
	cfg = cfg.clone()
	k, err := newStoreKeeper(keep)
	if err != nil {
		return nil, fmt.Errorf("oauth: open a grant: %w", err)
	}
	rec, _, err := k.read(ctx, k.store)
	if err != nil {
		return nil, fmt.Errorf("oauth: open the grant %s: %w", keep.Key, err)
	}
	if err := rec.fits(cfg, "open the grant"); err != nil {
		return nil, err
	}
	return newGrant(cfg, rec, k, nil), nil
}

// OpenOrSignIn returns the grant that is kept where SignInOptions.Keep says, and has
// the user sign in, as SignIn does, where there is none or it is known to need that:
// the server refused it the last time, or the user signed out. So a program that a
// person starts now and then opens the browser the first time, and when there is no
// other way.
//
// The grant is the one of its Key, whomever SignInOptions.LoginHint names: a program
// with several users needs a Key for each. A grant of another client or tenant than
// the Config's is the error of Open. What
// the server thinks of the grant by now shows when a token is asked for: where
// NeedsSignIn reports true for that error, the next OpenOrSignIn opens the browser.
func OpenOrSignIn(ctx context.Context, cfg *Config, o *SignInOptions) (*Grant, error) {
	if o == nil || o.Keep == nil {
		return nil, errors.New("oauth: open a grant or sign in: SignInOptions.Keep does not say where the grant is kept")
	}
	g, err := Open(ctx, cfg, *o.Keep)
	if errors.Is(err, ErrNoGrant) {
		return SignIn(ctx, cfg, o)
	}
	if err != nil {
		return nil, err
	}
	facts, err := g.Facts(ctx)
	switch {
	case err != nil:
		return nil, err
	case facts.NeedsSignIn:
		return SignIn(ctx, cfg, o)
	}
	return g, nil
}

// fits returns an error where the record is of another client than the
// Config's.
func (r *record) fits(cfg *Config, op string) error {
	var errs []error
	differ := func(what, kept, configured string) {
		if kept != configured {
			errs = append(errs, fmt.Errorf("the grant that is kept is of the %s %q, the Config has %q", what, kept, configured))
		}
	}
	differ("client", r.clientID, cfg.ClientID)
	if tenant := cfg.Endpoint.tenant(); tenant != "" && r.user.tenant != "" && !strings.EqualFold(tenant, r.user.tenant) {
		// The addresses differ then as well, which would say the same.
		errs = append(errs, fmt.Errorf("%w: it is of %q, the Config has %q", ErrOtherTenant, r.user.tenant, tenant))
	} else {
		differ("token URL", r.tokenURL, cfg.Endpoint.TokenURL)
		if r.issuer != "" && cfg.Endpoint.Issuer != "" {
			differ("issuer", r.issuer, cfg.Endpoint.Issuer)
		}
	}
	if errs == nil {
		return nil
	}
	return &Error{
		Kind: KindClientConfig, Op: op, Server: hostOf(cfg.Endpoint.TokenURL),
		Err: fmt.Errorf("%w; a grant is good for its own client alone, another one needs a new sign-in", errors.Join(errs...)),
	}
}

// storeKeeper keeps a record in a Store.
type storeKeeper struct {
	store      state.Store
	locker     state.Locker
	key        string
	withTokens bool
}

func newStoreKeeper(keep Keep) (*storeKeeper, error) {
	if keep.Store == nil {
		return nil, errors.New("the Keep has no Store: state.OpenDir opens one")
	}
	if err := state.CheckKey(keep.Key); err != nil {
		return nil, fmt.Errorf("the Keep's Key: %w", err)
	}
	return &storeKeeper{
		store: keep.Store, locker: state.LockerFor(keep.Store), key: keep.Key, withTokens: !keep.NoAccessTokens,
	}, nil
}

// read returns the record as store has it, and its version.
func (k *storeKeeper) read(ctx context.Context, store state.Store) (record, state.Version, error) {
	got, err := store.Load(ctx, k.key)
	if err != nil {
		return record{}, "", err
	}
	if got.Version == "" {
		return record{}, "", ErrNoGrant
	}
	rec, err := decodeRecord(got.Value)
	return rec, got.Version, err
}

// check returns an error where a sign-in must not or could not be kept, so that
// nobody signs in for nothing.
func (k *storeKeeper) check(ctx context.Context) error {
	_, _, err := k.read(ctx, k.store)
	return replaceable(err)
}

// replaceable returns nil where what was found instead of a record may be
// overwritten: nothing, or something unreadable. What a newer version wrote may
// not.
func replaceable(err error) error {
	if errors.Is(err, ErrNoGrant) || errors.Is(err, errUnreadable) {
		return nil
	}
	return err
}

// replace keeps a record in place of any other.
func (k *storeKeeper) replace(ctx context.Context, rec record) (err error) {
	h, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.release()) }()
	if _, err := h.load(ctx); replaceable(err) != nil {
		return err
	}
	return h.save(ctx, rec)
}

// lock implements [keeper].
func (k *storeKeeper) lock(ctx context.Context) (hold, error) {
	lease, err := state.Acquire(ctx, k.locker, k.key)
	if err != nil {
		return nil, err
	}
	return &storeHold{storeKeeper: k, lease: lease, guarded: state.Guard(k.store, lease)}, nil
}

// storeHold is the lock of a record in a Store. Where the lock is a lease and
// was lost, saving is refused.
type storeHold struct {
	*storeKeeper

	lease   state.Lease
	guarded state.Store
	version state.Version // of the record as last seen
}

// release implements [hold].
func (h *storeHold) release() error { return h.lease.Release() }

// load implements [hold].
func (h *storeHold) load(ctx context.Context) (rec record, err error) {
	rec, h.version, err = h.read(ctx, h.guarded)
	return rec, err
}

// save implements [hold]. It tries again for a moment where the Store fails:
// what is saved may be the only copy of a refresh token.
func (h *storeHold) save(ctx context.Context, r record) error {
	value, err := r.encode(h.withTokens)
	if err != nil {
		return err
	}
	again := retry.Policy{Initial: 50 * time.Millisecond, Max: time.Second, Count: 4}
	return retry.Do(ctx, again, func(ctx context.Context) error { return h.write(ctx, value) })
}

// write replaces the record's value. Where the Store fails, that leaves open
// whether it did so; what it has then decides.
func (h *storeHold) write(ctx context.Context, value []byte) error {
	version, err := h.guarded.CompareAndSwap(ctx, h.key, h.version, value)
	if err == nil {
		h.version = version
		return nil
	}
	now, loadErr := h.guarded.Load(ctx, h.key)
	switch {
	case loadErr == nil && bytes.Equal(now.Value, value):
		h.version = now.Version
		return nil
	case loadErr == nil && now.Version != h.version, errors.Is(err, state.ErrLockLost):
		return err
	}
	return unsavedError{err}
}

// unsavedError is a failure of a Store that may pass.
type unsavedError struct{ error }

// Temporary reports true.
func (unsavedError) Temporary() bool { return true }

// Unwrap returns the Store's error.
func (e unsavedError) Unwrap() error { return e.error }
