package statetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/state"
)

// shortTerm is the term of the leases that a test waits for, in real time,
// since a Store may have sockets. An owner that is so slow that it loses its
// lease too early is given another one.
const shortTerm = 200 * time.Millisecond

// lockTests are about the locks of [state.LockerFor], and about leases in any
// Store.
func lockTests() []storeTest {
	return []storeTest{
		{"a lock is held by one at a time", testLockExcludes},
		{"locks of different keys do not hinder each other, nor records", testLocksApart},
		{"giving a lock back twice does not take it from the next owner", testUnlockTwice},
		{"waiting for a lock ends with the context", testLockContext},
		{"a lease tells its owner that it is held, and its number grows", testLease},
		{"what a stalled owner writes late is refused", testStalledOwner},
		{"what was on its way when the owner stalled is refused too", testStalledWrite},
	}
}

// lock takes a lock.
func lock(t *testing.T, locker state.Locker, key string) (unlock func() error) {
	t.Helper()
	unlock, err := locker.Lock(t.Context(), key)
	if err != nil {
		t.Fatalf("Lock(%q): %v", key, err)
	}
	return unlock
}

// release gives a lock back that was never lost.
func release(t *testing.T, unlock func() error) {
	t.Helper()
	if err := unlock(); err != nil {
		t.Errorf("unlock: %v", err)
	}
}

func testLockExcludes(t *testing.T, s state.Store) {
	t.Helper()
	locker := state.LockerFor(s)
	var mu sync.Mutex
	inside, most := 0, 0
	together(t, func() error {
		for range rounds {
			unlock, err := locker.Lock(t.Context(), "a")
			if err != nil {
				return err
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			// Another look at the Store gives others the time to come in.
			_, err = s.Load(t.Context(), "a")
			mu.Lock()
			inside--
			mu.Unlock()
			if err := errors.Join(err, unlock()); err != nil {
				return err
			}
		}
		return nil
	})
	if most != 1 {
		t.Errorf("%d held the lock at a time, want 1", most)
	}
}

func testLocksApart(t *testing.T, s state.Store) {
	t.Helper()
	locker := state.LockerFor(s)
	v := put(t, s, "a", "", []byte("before"))
	var held []func() error
	for _, key := range []string{"a", "A", "a/b", "b", strings.Repeat("k", state.MaxKey), strings.Repeat("K", state.MaxKey)} {
		held = append(held, lock(t, locker, key))
	}
	wantRecord(t, s, "a", v, []byte("before"))
	v = put(t, s, "a", v, []byte("after"))
	for _, unlock := range held {
		release(t, unlock)
	}
	wantRecord(t, s, "a", v, []byte("after"))
	wantRecord(t, s, "b", "", nil)
}

func testUnlockTwice(t *testing.T, s state.Store) {
	t.Helper()
	locker := state.LockerFor(s)
	first := lock(t, locker, "a")
	release(t, first)
	second := lock(t, locker, "a")
	release(t, first)
	wantLocked(t, locker, "a")
	release(t, second)
	release(t, lock(t, locker, "a"))
}

// wantLocked checks that a lock cannot be taken.
func wantLocked(t *testing.T, locker state.Locker, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	unlock, err := locker.Lock(ctx, key)
	if err == nil {
		t.Errorf("Lock(%q) took a lock that somebody holds", key)
		release(t, unlock)
		return
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock(%q) until the deadline: %v, want context.DeadlineExceeded", key, err)
	}
}

func testLockContext(t *testing.T, s state.Store) {
	t.Helper()
	locker := state.LockerFor(s)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locker.Lock(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with an ended context: %v, want context.Canceled", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	unlock, err := locker.Lock(ctx, "a")
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	cancel() // It has no influence on a lock that is taken.
	wantLocked(t, locker, "a")
	release(t, unlock)
	release(t, lock(t, locker, "a"))
}

func testLease(t *testing.T, s state.Store) {
	t.Helper()
	leases := state.NewLeases(Plain(s), nil)
	var fence uint64
	for range 3 {
		lease, err := state.Acquire(t.Context(), leases, "a")
		if err != nil {
			t.Fatalf("Acquire: %v", err)
		}
		if lease.Fence() <= fence {
			t.Errorf("Fence() = %d after %d, want more", lease.Fence(), fence)
		}
		fence = lease.Fence()
		if err := lease.Check(t.Context()); err != nil {
			t.Errorf("Check of a lease that is held: %v", err)
		}
		release(t, lease.Release)
		release(t, lease.Release)
		if err := lease.Check(t.Context()); !errors.Is(err, state.ErrLockLost) {
			t.Errorf("Check after Release: %v, want ErrLockLost", err)
		}
	}
}

// frozen is a Store as a process sees it that may be stopped: while it is, no
// method begins or returns, whatever its context says.
type frozen struct {
	store state.Store
	ice   sync.RWMutex // locked while stopped
	// before is called by each CompareAndSwap with its key. It belongs to ice.
	before func(key string)
}

// pass waits while the process is stopped.
func (f *frozen) pass() {
	f.ice.RLock()
	defer f.ice.RUnlock()
}

// hook waits while the process is stopped, and returns before.
func (f *frozen) hook() func(key string) {
	f.ice.RLock()
	defer f.ice.RUnlock()
	return f.before
}

func (f *frozen) Load(ctx context.Context, key string) (state.Record, error) {
	f.pass()
	defer f.pass()
	return f.store.Load(ctx, key)
}

func (f *frozen) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if before := f.hook(); before != nil {
		before(key)
	}
	defer f.pass()
	return f.store.CompareAndSwap(ctx, key, old, value)
}

// slowOwner takes a lease of a short term, loads the record under it, and
// returns the guarded Store too.
func slowOwner(t *testing.T, s state.Store) (owner state.Lease, guarded state.Store, r state.Record) {
	t.Helper()
	leases := state.NewLeases(s, &state.LeaseOptions{Term: shortTerm, Poll: shortTerm / 10})
	for {
		owner = acquire(t, leases)
		guarded = state.Guard(s, owner)
		r, err := guarded.Load(t.Context(), "a")
		if err == nil {
			return owner, guarded, r
		}
		if !errors.Is(err, state.ErrLockLost) {
			t.Fatalf("Load(%q), guarded: %v", "a", err)
		}
		_ = owner.Release() // It says that the lease is lost.
	}
}

// acquire takes a lease.
func acquire(t *testing.T, leases *state.Leases) state.Lease {
	t.Helper()
	lease, err := state.Acquire(t.Context(), leases, "a")
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return lease
}

// successor waits until the lease of an owner that stands still is over, takes
// the lock and loads the record. Its own lease has a long term.
func successor(t *testing.T, s state.Store) (next state.Lease, guarded state.Store, r state.Record) {
	t.Helper()
	next = acquire(t, state.NewLeases(s, nil))
	guarded = state.Guard(s, next)
	return next, guarded, load(t, guarded, "a")
}

// wantLost checks that an owner knows that its lease is lost.
func wantLost(t *testing.T, lease state.Lease) {
	t.Helper()
	if err := lease.Check(t.Context()); !errors.Is(err, state.ErrLockLost) {
		t.Errorf("Check of a lost lease: %v, want ErrLockLost", err)
	}
	<-lease.Lost()
	if err := lease.Release(); !errors.Is(err, state.ErrLockLost) {
		t.Errorf("Release of a lost lease: %v, want ErrLockLost", err)
	}
}

// testStalledOwner stops an owner between two calls.
func testStalledOwner(t *testing.T, s state.Store) {
	t.Helper()
	v := put(t, s, "a", "", []byte("before"))
	stalled := &frozen{store: s}
	owner, owners, r := slowOwner(t, stalled)
	if r.Version == v {
		t.Errorf("the owner's Load left the version %q that others know", v)
	}

	stalled.ice.Lock()
	next, nexts, newer := successor(t, s)
	stalled.ice.Unlock()

	if next.Fence() <= owner.Fence() {
		t.Errorf("Fence() = %d after %d, want more", next.Fence(), owner.Fence())
	}
	_, err := owners.CompareAndSwap(t.Context(), "a", r.Version, []byte("late"))
	if !errors.Is(err, state.ErrLockLost) {
		t.Errorf("the late guarded write: %v, want ErrLockLost", err)
	}
	wantConflict(t, stalled, "a", r.Version, []byte("late, without the guard"))
	if _, err := owners.Load(t.Context(), "a"); !errors.Is(err, state.ErrLockLost) {
		t.Errorf("the late guarded Load: %v, want ErrLockLost", err)
	}
	wantLost(t, owner)

	wantRecord(t, s, "a", newer.Version, []byte("before"))
	put(t, nexts, "a", newer.Version, []byte("after"))
	release(t, next.Release)
}

// testStalledWrite stops an owner in the middle of a guarded write, after its
// last check of the lease.
func testStalledWrite(t *testing.T, s state.Store) {
	t.Helper()
	put(t, s, "a", "", []byte("before"))
	for {
		stalled := &frozen{store: s}
		owner, owners, r := slowOwner(t, stalled)
		var next state.Lease
		var newer state.Record
		stalled.ice.Lock()
		stalled.before = func(key string) {
			if key != "a" {
				return
			}
			stalled.ice.Lock()
			defer stalled.ice.Unlock()
			next, _, newer = successor(t, s)
		}
		stalled.ice.Unlock()

		_, err := owners.CompareAndSwap(t.Context(), "a", r.Version, []byte("late"))
		wantLost(t, owner)
		if next == nil && errors.Is(err, state.ErrLockLost) {
			continue // The owner was too slow and never came to the write.
		}
		if !errors.Is(err, state.ErrConflict) {
			t.Errorf("the write that was on its way: %v, want ErrConflict", err)
		}
		wantRecord(t, s, "a", newer.Version, []byte("before"))
		release(t, next.Release)
		return
	}
}
