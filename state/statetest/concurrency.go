package statetest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/mailsession/mailsession/state"
)

const (
	// goroutines is how many count together in one process.
	goroutines = 8
	// rounds is how often each of them does.
	rounds = 20
)

// concurrencyTests are about many who change the same record.
func concurrencyTests() []storeTest {
	return []storeTest{
		{"goroutines that count together lose no count", func(t *testing.T, s state.Store) {
			t.Helper()
			together(t, func() error { return count(t.Context(), s, rounds) })
			wantCount(t, s, goroutines*rounds)
		}},
		{"of many who make a record one succeeds", func(t *testing.T, s state.Store) {
			t.Helper()
			var mu sync.Mutex
			var made []state.Version
			together(t, func() error {
				v, err := s.CompareAndSwap(t.Context(), "a", "", []byte("made"))
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					made = append(made, v)
				}
				return nil
			})
			if len(made) != 1 {
				t.Fatalf("%d goroutines made the record, want 1", len(made))
			}
			wantRecord(t, s, "a", made[0], []byte("made"))
		}},
		{"goroutines that count under a lock never meet", func(t *testing.T, s state.Store) {
			t.Helper()
			locker := state.LockerFor(s)
			together(t, func() error { return countLocked(t.Context(), s, locker, rounds) })
			wantCount(t, s, goroutines*rounds)
		}},
	}
}

// together runs a function in several goroutines and reports their errors.
func together(t *testing.T, work func() error) {
	t.Helper()
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = work() })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("goroutine %d: %v", i, err)
		}
	}
}

// counter is the record that everybody counts in.
const counter = "counter"

// count adds one to the counter n times, by compare-and-swap alone.
func count(ctx context.Context, s state.Store, n int) error {
	for range n {
		if _, err := state.Update(ctx, s, counter, addOne); err != nil {
			return err
		}
	}
	return nil
}

// countLocked adds one to the counter n times, each time under the lock, where
// nobody else may have changed it between the reading and the writing.
func countLocked(ctx context.Context, s state.Store, locker state.Locker, n int) error {
	for range n {
		err := state.With(ctx, locker, counter, func(ctx context.Context, lease state.Lease) error {
			guarded := state.Guard(s, lease)
			r, err := guarded.Load(ctx, counter)
			if err != nil {
				return err
			}
			value, err := addOne(r.Value)
			if err != nil {
				return err
			}
			_, err = guarded.CompareAndSwap(ctx, counter, r.Version, value)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addOne returns the next number.
func addOne(value []byte) ([]byte, error) {
	n, err := number(value)
	return strconv.AppendInt(nil, int64(n)+1, 10), err
}

// number reads a counter's value.
func number(value []byte) (int, error) {
	if value == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return 0, fmt.Errorf("the counter is %q: %w", value, err)
	}
	return n, nil
}

// wantCount checks the counter.
func wantCount(t *testing.T, s state.Store, want int) {
	t.Helper()
	if got := string(load(t, s, counter).Value); got != strconv.Itoa(want) {
		t.Errorf("the counter is %q, want %d", got, want)
	}
}
