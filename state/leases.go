package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

const (
	// DefaultTerm is the term of a lease whose options do not say otherwise.
	DefaultTerm = 15 * time.Second
	// DefaultPoll is the longest pause between two looks at a lease that
	// somebody else holds.
	DefaultPoll = 250 * time.Millisecond
)

// LeaseOptions change how [Leases] work. Owners and contenders may have
// different ones.
type LeaseOptions struct {
	// Term is how long a lease outlives its last renewal; it is renewed after a
	// third of it. A crashed owner blocks the lock for about this long, and
	// one that stands still for longer loses it. 0 means [DefaultTerm]; at
	// least 1 ms, at most 24 h.
	Term time.Duration
	// Poll is the longest pause between two looks at a lease that somebody
	// else holds; the first pauses are shorter. 0 means [DefaultPoll].
	Poll time.Duration
}

// Leases is a [Locker] for Stores that have none of their own: a lock is a
// record that its owner renews in the background for as long as it holds it.
//
// Nobody compares clocks. A contender takes over when it has itself seen the
// same version of the record for the whole term that the record states; the
// owner counts itself out a tenth of a term earlier, for clocks that run at
// different speeds. As every take-over is a compare-and-swap, two contenders
// cannot both succeed, and an owner that was away finds another version than
// its own.
//
// Records lie below ".lease/" and stay when the lock is given back.
type Leases struct {
	store Store
	term  time.Duration
	poll  time.Duration
	// inside lets one goroutine for each key look at the Store.
	inside queue
}

var (
	_ Locker = (*Leases)(nil)
	_ Leaser = (*Leases)(nil)
)

// NewLeases returns locks that are leases in store. Options may be nil.
func NewLeases(store Store, options *LeaseOptions) *Leases {
	l := &Leases{store: store, term: DefaultTerm, poll: DefaultPoll}
	if options != nil && options.Term > 0 {
		l.term = min(max(options.Term, time.Millisecond), maxTerm)
	}
	if options != nil && options.Poll > 0 {
		l.poll = options.Poll
	}
	return l
}

// Lock implements [Locker]. Unlock returns an error that wraps [ErrLockLost]
// where the lease had been lost.
func (l *Leases) Lock(ctx context.Context, key string) (unlock func() error, err error) {
	lease, err := l.Lease(ctx, key)
	if err != nil {
		return nil, err
	}
	return lease.Release, nil
}

// Lease implements [Leaser]. The lease is renewed until it is released or lost.
// Once it is taken, ctx has no influence on it.
func (l *Leases) Lease(ctx context.Context, key string) (Lease, error) {
	if err := begin(ctx, "lock", key); err != nil {
		return nil, err
	}
	leave, err := l.inside.enter(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("state: lock %s: %w", key, err)
	}
	h := newHeld(l, key)
	begun, err := l.contend(ctx, h)
	if err != nil {
		leave()
		return nil, fmt.Errorf("state: lock %s: %w", key, err)
	}
	h.start(context.WithoutCancel(ctx), begun, leave)
	return h, nil
}

// contend waits until h has the lease, and returns when the term began.
func (l *Leases) contend(ctx context.Context, h *held) (begun time.Time, err error) {
	pace := retry.Policy{Initial: 2 * time.Millisecond, Max: l.poll, Jitter: 0.5}
	var seen sighting
	for try := 1; ; try++ {
		looked := time.Now()
		record, err := l.store.Load(ctx, h.record)
		if err != nil {
			return begun, err
		}
		present, err := parseClaim(record.Value)
		if err != nil {
			return begun, err
		}
		left := seen.left(record.Version, present.term(), looked)
		if present.Holder == "" || left <= 0 {
			begun, err := h.take(ctx, record.Version, present.Fence+1)
			if !errors.Is(err, ErrConflict) {
				return begun, err
			}
			left = l.poll
		}
		if err := retry.Sleep(ctx, min(left, pace.Wait(try, nil))); err != nil {
			return begun, err
		}
	}
}

// sighting is for how long a contender has seen the same version of a record.
type sighting struct {
	version Version
	since   time.Time
}

// left returns how much is left of a term, of which the whole is to pass while
// a record stays the same, when a look that began at looked has now shown it.
// A version's time begins when the look at it is over.
func (s *sighting) left(version Version, term time.Duration, looked time.Time) time.Duration {
	if s.version != version {
		s.version, s.since = version, time.Now()
		return term
	}
	return term - looked.Sub(s.since)
}

// newHeld returns a lease that is not held yet.
func newHeld(l *Leases, key string) *held {
	return &held{
		store:  l.store,
		key:    key,
		record: leaseKey(key),
		mine:   claim{Holder: rand.Text(), Term: l.term.Milliseconds()},
		lost:   make(chan struct{}),
		stop:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
}
