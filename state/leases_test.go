package state_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/statetest"
)

// term is the term of the leases that these tests give out.
const term = 30 * time.Second

// troubled is a Store whose next calls fail, or whose answers get lost.
type troubled struct {
	state.Store

	mu   sync.Mutex
	swap func(do func() (state.Version, error)) (state.Version, error)
}

// trouble sets what happens to swaps; nil ends the trouble.
func (s *troubled) trouble(swap func(do func() (state.Version, error)) (state.Version, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swap = swap
}

func (s *troubled) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	s.mu.Lock()
	swap := s.swap
	s.mu.Unlock()
	do := func() (state.Version, error) { return s.Store.CompareAndSwap(ctx, key, old, value) }
	if swap == nil {
		return do()
	}
	return swap(do)
}

var errLine = errors.New("the line is down")

// unreachable is what a Store does that cannot be reached.
func unreachable(func() (state.Version, error)) (state.Version, error) { return "", errLine }

// answerLost is what a Store does whose answers get lost.
func answerLost(do func() (state.Version, error)) (state.Version, error) {
	if v, err := do(); err != nil {
		return v, err
	}
	return "", errLine
}

// leasesIn returns leases of the tests' term.
func leasesIn(s state.Store) *state.Leases {
	return state.NewLeases(s, &state.LeaseOptions{Term: term})
}

// acquire takes the lease "a".
func acquire(t *testing.T, l *state.Leases) state.Lease {
	t.Helper()
	lease, err := state.Acquire(t.Context(), l, "a")
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return lease
}

// wantHeld checks that nobody else can have a lease.
func wantHeld(t *testing.T, lease state.Lease) {
	t.Helper()
	if err := lease.Check(t.Context()); err != nil {
		t.Errorf("Check: %v, want none", err)
	}
	select {
	case <-lease.Lost():
		t.Error("the lease is lost")
	default:
	}
}

func TestALeaseIsRenewedForAsLongAsItIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := statetest.Plain(state.NewMemory())
		owner := acquire(t, leasesIn(store))
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		if _, err := leasesIn(store).Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock beside a living owner: %v, want context.DeadlineExceeded after a day", err)
		}
		wantHeld(t, owner)
		if err := owner.Release(); err != nil {
			t.Errorf("Release: %v", err)
		}
	})
}

func TestALeaseThatIsReleasedIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := statetest.Plain(state.NewMemory())
		owner := acquire(t, leasesIn(store))
		released := make(chan time.Time)
		go func() {
			time.AfterFunc(10*time.Minute, func() {
				if err := owner.Release(); err != nil {
					t.Errorf("Release: %v", err)
				}
				released <- time.Now()
			})
		}()
		begun := make(chan time.Time, 1)
		go func() {
			next := acquire(t, leasesIn(store))
			begun <- time.Now()
			_ = next.Release()
		}()
		at := <-released
		if waited := (<-begun).Sub(at); waited > state.DefaultPoll {
			t.Errorf("the lock was taken %v after its release, want at most %v", waited, state.DefaultPoll)
		}
	})
}

// A contender that comes late in the term of a dead owner knows nothing of when
// it began, and waits for a whole one.
func TestATakeOverWaitsForAWholeTermOfItsOwnLooking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := state.NewMemory()
		line := &troubled{Store: memory}
		owner := acquire(t, leasesIn(line))
		line.trouble(unreachable)
		wait(t, term*8/10)

		begun := time.Now()
		next := acquire(t, leasesIn(memory))
		if waited := time.Since(begun); waited < term || waited > term+state.DefaultPoll {
			t.Errorf("the take-over came after %v, want %v to %v", waited, term, term+state.DefaultPoll)
		}
		if next.Fence() != owner.Fence()+1 {
			t.Errorf("Fence() = %d after %d", next.Fence(), owner.Fence())
		}
		line.trouble(nil)
		if err := owner.Release(); !errors.Is(err, state.ErrLockLost) {
			t.Errorf("Release of the lost lease: %v, want ErrLockLost", err)
		}
		wantHeld(t, next)
		if err := next.Release(); err != nil {
			t.Errorf("Release: %v", err)
		}
	})
}

// A contender with a shorter term respects the owner's.
func TestATakeOverGoesByTheOwnersTerm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := state.NewMemory()
		line := &troubled{Store: memory}
		owner := acquire(t, leasesIn(line))
		line.trouble(unreachable)
		begun := time.Now()
		hasty := state.NewLeases(memory, &state.LeaseOptions{Term: time.Second, Poll: 10 * time.Millisecond})
		next := acquire(t, hasty)
		if waited := time.Since(begun); waited < term {
			t.Errorf("the take-over came after %v, want at least %v", waited, term)
		}
		_, _ = next.Release(), owner.Release()
	})
}

func TestAnOwnerThatCannotRenewKnowsBeforeOthersTakeOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		store func(do func() (state.Version, error)) (state.Version, error)
	}{
		{"the store fails", unreachable},
		{"the store does not answer", func(do func() (state.Version, error)) (state.Version, error) {
			<-time.After(time.Hour)
			return do()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				line := &troubled{Store: state.NewMemory()}
				owner := acquire(t, leasesIn(line))
				begun := time.Now()
				line.trouble(tc.store)
				<-owner.Lost()
				if passed := time.Since(begun); passed >= term {
					t.Errorf("the owner learned of it after %v, want less than %v", passed, term)
				}
				line.trouble(nil)
				if err := owner.Check(t.Context()); !errors.Is(err, state.ErrLockLost) {
					t.Errorf("Check: %v, want ErrLockLost", err)
				}
				if err := owner.Release(); !errors.Is(err, state.ErrLockLost) {
					t.Errorf("Release: %v, want ErrLockLost", err)
				}
			})
		})
	}
}

func TestAnOwnerOutlivesShortTroubleAndLostAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := state.NewMemory()
		line := &troubled{Store: memory}
		owner := acquire(t, leasesIn(line))
		line.trouble(unreachable)
		wait(t, term/2)
		line.trouble(answerLost)
		wait(t, term/4)
		line.trouble(nil)
		wait(t, 10*term)
		wantHeld(t, owner)

		line.trouble(answerLost)
		if err := owner.Release(); !errors.Is(err, errLine) {
			t.Errorf("Release whose answer is lost: %v, want that error", err)
		}
		line.trouble(nil)
		begun := time.Now()
		next := acquire(t, leasesIn(memory))
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("the lock was taken after %v, want at once", waited)
		}
		_ = next.Release()
	})
}

// The answer to taking a lease is lost: nobody holds what nobody knows of.
func TestALeaseThatWasTakenUnknowinglyIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := state.NewMemory()
		line := &troubled{Store: memory}
		times := 0
		line.trouble(func(do func() (state.Version, error)) (state.Version, error) {
			if times++; times == 1 {
				return answerLost(do)
			}
			return do()
		})
		if _, err := leasesIn(line).Lock(t.Context(), "a"); !errors.Is(err, errLine) {
			t.Errorf("Lock whose answer is lost: %v, want that error", err)
		}
		begun := time.Now()
		next := acquire(t, leasesIn(memory))
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("the lock was taken after %v, want at once", waited)
		}
		_ = next.Release()
	})
}

func TestWithEndsTheContextWhenTheLockIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := &troubled{Store: state.NewMemory()}
		err := state.With(t.Context(), leasesIn(line), "a", func(ctx context.Context, _ state.Lease) error {
			line.trouble(unreachable)
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, state.ErrLockLost) {
				t.Errorf("Cause = %v, want ErrLockLost", cause)
			}
			line.trouble(nil)
			return nil
		})
		if !errors.Is(err, state.ErrLockLost) {
			t.Errorf("With = %v, want ErrLockLost though the function returned nil", err)
		}
	})
}

func TestWithReturnsTheErrorOfTheFunctionAndGivesTheLockBack(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	refused := errors.New("not today")
	for range 2 {
		err := state.With(t.Context(), memory, "a", func(ctx context.Context, lease state.Lease) error {
			if lease.Fence() != 0 || lease.Lost() != nil || lease.Check(ctx) != nil {
				t.Errorf("the lease of a lock that cannot be lost = %d, %v, %v", lease.Fence(), lease.Lost(), lease.Check(ctx))
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Errorf("With = %v, want the function's error", err)
		}
	}
}

func TestALeaseRecordThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "{", `{"holder":"x"}`, `{"holder":"x","term_ms":-1}`, `{"holder":"x","term_ms":86400001}`} {
		memory := state.NewMemory()
		if _, err := memory.CompareAndSwap(t.Context(), ".lease/a", "", []byte(value)); err != nil {
			t.Fatalf("CompareAndSwap: %v", err)
		}
		if _, err := leasesIn(memory).Lock(t.Context(), "a"); err == nil {
			t.Errorf("Lock with the lease record %q took the lock, want an error", value)
		}
	}
}

// wait lets virtual time pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test has ended")
	}
}

func FuzzLeaseRecord(f *testing.F) {
	f.Add([]byte(`{"holder":"","fence":7,"term_ms":0}`))
	f.Add([]byte(`{"holder":"x","fence":18446744073709551615,"term_ms":15000}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, value []byte) {
		once, err := state.RewriteClaim(value)
		if err != nil {
			return
		}
		twice, err := state.RewriteClaim(once)
		if err != nil || string(twice) != string(once) {
			t.Errorf("%q is read as %s, and that as %s, %v", value, once, twice, err)
		}
	})
}

// Two processes would redeem the same refresh token; under the lock the second
// one finds what the first has stored.
func ExampleWith() {
	store := state.NewMemory()
	ctx := context.Background()
	refresh := func(ctx context.Context, lease state.Lease) error {
		_, err := state.Update(ctx, state.Guard(store, lease), "grant/ann@contoso.com", func(value []byte) ([]byte, error) {
			if value != nil {
				fmt.Println("refreshed already:", string(value))
				return value, nil
			}
			fmt.Println("refreshing")
			return []byte("token 1"), nil
		})
		return err
	}
	for range 2 {
		if err := state.With(ctx, state.LockerFor(store), "grant/ann@contoso.com", refresh); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// refreshing
	// refreshed already: token 1
}
