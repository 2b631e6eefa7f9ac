package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

const (
	// flightTimeout limits getting a token, with all tries. It is not the
	// callers' limit: each of them leaves when its own context ends.
	flightTimeout = 2 * time.Minute
	// failureMemory is how long a refusal is handed to further callers
	// without asking the server again.
	failureMemory = time.Minute
)

// maxJitter is by how much of itself chance lengthens the margin at most.
const maxJitter = 0.5

// cache hands out access tokens. Each set of scopes has its present token and at
// most one request under way, for which everybody waits. Its owner knows how a
// token is got.
//
// A token is replaced when it is nearer to its expiry than its margin, or up to
// half as much again: each cache draws how much earlier, so that many that
// began together do not stay together.
type cache struct {
	// owner names whose tokens these are, for messages, without secrets.
	owner fmt.Stringer
	// fetch gets a token for scopes that is not the refused one. It is called
	// from a goroutine of its own, for one set of scopes once at a time.
	fetch  func(ctx context.Context, scopes []string, refused secret.Text) (*Token, error)
	jitter float64

	mu    sync.Mutex // never held during I/O
	slots map[string]*slot
}

// slot is the state of one set of scopes. Its fields but present belong to
// cache.mu.
type slot struct {
	scopes []string
	// present is the token to hand out, nil if there is none. Who has
	// cache.mu changes it.
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

// handout is a token for all callers. What the cache itself needs to know of it
// is beside it, out of their reach.
type handout struct {
	token  *Token
	access secret.Text
	// fresh and usable are until when the token is handed out and until when it
	// is good, in nanoseconds since 1970.
	fresh, usable int64
}

// newCache returns an empty cache.
func newCache(cfg *Config, owner fmt.Stringer, fetch func(context.Context, []string, secret.Text) (*Token, error)) cache {
	return cache{owner: owner, fetch: fetch, jitter: maxJitter * cfg.random(), slots: make(map[string]*slot)}
}

// newHandout returns a copy of a token for callers, nil for none.
func (c *cache) newHandout(t *Token) *handout {
	if t == nil || t.AccessToken.IsZero() {
		return nil
	}
	h := &handout{token: t.clone(), access: t.AccessToken, fresh: math.MaxInt64, usable: math.MaxInt64}
	if !t.Expiry.IsZero() {
		h.usable, h.fresh = nanos(t.Expiry), nanos(t.Expiry.Add(-c.margin(t)))
	}
	return h
}

// nanos returns the nanoseconds since 1970, as near as they can be counted.
func nanos(t time.Time) int64 {
	const last = math.MaxInt64 / int64(time.Second)
	return min(max(t.Unix(), 0), last-1)*int64(time.Second) + int64(t.Nanosecond())
}

// margin returns how long before its expiry this cache replaces a token.
func (c *cache) margin(t *Token) time.Duration {
	return t.margin() + time.Duration(c.jitter*float64(t.margin()))
}

// fresh reports whether a token need not be replaced yet.
func (c *cache) fresh(t *Token) bool {
	if t == nil || t.AccessToken.IsZero() {
		return false
	}
	return t.Expiry.IsZero() || time.Now().Before(t.Expiry.Add(-c.margin(t)))
}

// slotKey is the name of a set of scopes.
func slotKey(scopes []string) string { return strings.Join(scopes, " ") }

// slotFor returns the slot of a set of scopes.
func (c *cache) slotFor(scopes []string) *slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := slotKey(scopes)
	if c.slots[key] == nil {
		c.slots[key] = &slot{scopes: scopes}
	}
	return c.slots[key]
}

// source is a TokenSource of a cache.
type source struct {
	cache *cache
	slot  *slot
}

// String returns what the source is of.
func (s *source) String() string { return "token source of the " + s.cache.owner.String() }

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
	c := s.cache
	c.mu.Lock()
	now := time.Now()
	if h := s.slot.present.Load(); h != nil && now.UnixNano() < h.fresh {
		c.mu.Unlock()
		return h.token, nil
	}
	if err := s.slot.failure; err != nil && now.Before(s.slot.until) {
		c.mu.Unlock()
		return nil, err
	}
	f := c.join(ctx, s.slot)
	c.mu.Unlock()
	return f.wait(ctx)
}

// Invalidate implements [Invalidator].
func (s *source) Invalidate(ctx context.Context, t *Token) error {
	c := s.cache
	c.mu.Lock()
	present, f := s.slot.present.Load(), s.slot.flight
	if t != nil && present != nil && present.access.Equal(t.AccessToken) {
		s.slot.present.Store(nil)
		s.slot.refused = present.access
		f = c.join(ctx, s.slot)
	}
	c.mu.Unlock()
	if f == nil {
		return nil
	}
	_, err := f.wait(ctx)
	return err
}

// flight is a request for a token under way, for everybody who waits for it.
type flight struct {
	done chan struct{} // closed at the end; the fields below are set before
	tok  *Token
	err  error
}

// wait returns the flight's outcome, or the end of ctx if that comes first.
func (f *flight) wait(ctx context.Context) (*Token, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("oauth: waiting for a token: %w", retry.Ended(ctx))
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.tok, nil
}

// join returns the slot's flight and starts one where there is none. The
// caller holds c.mu. The flight keeps the values of ctx, not its end: a
// request that was sent must be seen through, for its answer may replace the
// refresh token.
func (c *cache) join(ctx context.Context, s *slot) *flight {
	if s.flight != nil {
		return s.flight
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	refused := s.refused
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		tok, err := c.fetch(ctx, s.scopes, refused)
		c.land(s, f, tok, err)
	}()
	return f
}

// land puts a flight's outcome into its slot and releases those who wait.
func (c *cache) land(s *slot, f *flight, tok *Token, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.flight, s.failure = nil, nil
	if err == nil {
		h := c.newHandout(tok)
		s.present.Store(h)
		s.missing = missingScopes(s.scopes, tok.Scopes)
		f.tok = h.token
	} else if e, ok := errors.AsType[*Error](err); ok && e.Kind != KindTemporary && e.Kind != KindReplyLost {
		s.failure, s.until = err, time.Now().Add(failureMemory)
	}
	f.err = err
	close(f.done)
}
