package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrLockLost says that a lease was not renewed in time: somebody else may hold
// the lock by now. What was begun under it has to be looked at anew.
var ErrLockLost = errors.New("the lock has been lost")

// Lease is a lock that is held, and may be lost before it is given back.
type Lease interface {
	// Lost returns a channel that is closed when the lease is lost, as far as
	// its owner can know: its term is over, or somebody else has taken over.
	// The channel of a lock that cannot be lost is nil. Giving a lease back
	// does not close it.
	Lost() <-chan struct{}
	// Check asks the Store and returns nil if the lease was held at that time,
	// and an error that wraps [ErrLockLost] if it was not.
	Check(ctx context.Context) error
	// Fence returns the lease's number, which is greater than those of all
	// earlier leases of the same key. A lock that cannot be lost has the
	// number 0.
	Fence() uint64
	// Release gives the lease back. Where it had been lost the error wraps
	// [ErrLockLost]. Releasing it again does nothing and returns the same.
	Release() error
}

// Leaser is a further ability of a [Locker] whose locks can be lost.
type Leaser interface {
	// Lease waits for the lock at key as [Locker.Lock] does.
	Lease(ctx context.Context, key string) (Lease, error)
}

// LockerFor returns the locks of a Store: its own where it is a [Locker] or
// wraps one, else new [Leases] in it with the default options. All who share
// the Store have to get their locks in the same way.
func LockerFor(store Store) Locker {
	if locker, ok := As[Locker](store); ok {
		return locker
	}
	return NewLeases(store, nil)
}

// Acquire waits for the lock at key and returns it as a [Lease]; it is one that
// is never lost unless locker is a [Leaser].
func Acquire(ctx context.Context, locker Locker, key string) (Lease, error) {
	if leaser, ok := locker.(Leaser); ok {
		return leaser.Lease(ctx, key)
	}
	unlock, err := locker.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	return firmLock(unlock), nil
}

// firmLock is a lock that cannot be lost, by the function that gives it back.
type firmLock func() error

func (firmLock) Lost() <-chan struct{}       { return nil }
func (firmLock) Check(context.Context) error { return nil }
func (firmLock) Fence() uint64               { return 0 }
func (f firmLock) Release() error            { return f() }

// With runs do under the lock at key. The context that do gets ends when the
// lock is lost, and [context.Cause] then returns an error that wraps
// [ErrLockLost]; lease is for [Guard]. The lock is given back when do returns.
//
// The error joins that of do and that of giving the lock back, so that it wraps
// ErrLockLost where the lock was lost even if do did not notice.
func With(ctx context.Context, locker Locker, key string, do func(ctx context.Context, lease Lease) error) (err error) {
	lease, err := Acquire(ctx, locker, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-lease.Lost():
			cancel(fmt.Errorf("state: under the lock %s: %w", key, ErrLockLost))
		case <-held.Done():
		}
	}()
	return do(held, lease)
}

// Guard returns store as the owner of a lease should see it: what the owner
// writes after it has lost the lease is refused, whoever has noticed.
//
// Two things do that. Each method first makes sure, by [Lease.Check], that the
// lease is held, and fails with [ErrLockLost] if not. And the first Load of a
// record under a lease that has a [Lease.Fence] stores its value again, so that
// it has a new version: an earlier owner that stands still between its check
// and its write comes back with a version that is no longer valid, and gets
// [ErrConflict]. A record that does not exist cannot be stored again; whoever
// makes it first wins, and the other one gets ErrConflict.
//
// A lock that cannot be lost needs no guard, and costs nothing here. The Store
// that is returned has no further abilities.
func Guard(store Store, lease Lease) Store {
	return &guarded{store: store, lease: lease, claimed: map[string]bool{}}
}

// guarded is a Store under a lease.
type guarded struct {
	store  Store
	lease  Lease
	claims queue // one claim of a record at a time

	mu      sync.Mutex
	claimed map[string]bool // the records that have a version of this lease
}

// Load implements [Store].
func (g *guarded) Load(ctx context.Context, key string) (Record, error) {
	if err := g.check(ctx, key); err != nil {
		return Record{}, err
	}
	if g.lease.Fence() == 0 || g.isClaimed(key) {
		return g.store.Load(ctx, key)
	}
	leave, err := g.claims.enter(ctx, key)
	if err != nil {
		return Record{}, fmt.Errorf("state: load %s: %w", key, err)
	}
	defer leave()
	if g.isClaimed(key) {
		return g.store.Load(ctx, key)
	}
	return g.claim(ctx, key)
}

// claim loads a record and gives it a new version.
func (g *guarded) claim(ctx context.Context, key string) (Record, error) {
	r, err := g.store.Load(ctx, key)
	if err != nil || r.Version == "" {
		return r, err
	}
	same := func(value []byte) ([]byte, error) { return value, nil }
	if r, err = Update(ctx, g.store, key, same); err != nil {
		return Record{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.claimed[key] = true
	return Record{Value: bytes.Clone(r.Value), Version: r.Version}, nil
}

// CompareAndSwap implements [Store].
func (g *guarded) CompareAndSwap(ctx context.Context, key string, old Version, value []byte) (Version, error) {
	if err := g.check(ctx, key); err != nil {
		return "", err
	}
	return g.store.CompareAndSwap(ctx, key, old, value)
}

// check returns an error where the lease is lost.
func (g *guarded) check(ctx context.Context, key string) error {
	if err := g.lease.Check(ctx); err != nil {
		return fmt.Errorf("state: %s, under a lock: %w", key, err)
	}
	return nil
}

// isClaimed reports whether a record has a version of this lease.
func (g *guarded) isClaimed(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.claimed[key]
}
