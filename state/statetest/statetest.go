// Package statetest holds the tests that every [state.Store] has to pass. It is
// for _test.go files.
//
// # One process
//
// [TestStore] takes a function that opens a new, empty Store:
//
//	func TestConformance(t *testing.T) {
//		statetest.TestStore(t, func(t *testing.T) state.Store {
//			d, err := state.OpenDir(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			return d
//		})
//	}
//
// The suite asks the Store for its further abilities with [state.As] and tests
// those it has. What has no locks is tested under [state.Leases].
//
// # Several processes
//
// [TestProcesses] starts the test's own program again, many times, and lets all
// of them work on one Store. A child comes by the Store through an [Opener] that
// TestMain names, since it shares nothing with the test but the location that
// the test gives to it:
//
//	func TestMain(m *testing.M) {
//		os.Exit(statetest.Main(m, map[string]statetest.Opener{
//			"dir": func(path string) (state.Store, error) { return state.OpenDir(path) },
//		}))
//	}
//
//	func TestManyProcesses(t *testing.T) {
//		path := t.TempDir()
//		d, err := state.OpenDir(path)
//		if err != nil {
//			t.Fatal(err)
//		}
//		statetest.TestProcesses(t, d, "dir", path)
//	}
package statetest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/mailsession/mailsession/state"
)

// TestStore tests that the Stores that open returns keep the contract of
// [state.Store], and of [state.Locker] and [state.Lister] where they offer
// them. Open is called for each test and returns a Store without records; it
// closes what is to be closed by t.Cleanup. The tests run one after the other.
func TestStore(t *testing.T, open func(t *testing.T) state.Store) {
	t.Helper()
	for _, group := range [][]storeTest{recordTests(), keyTests(), concurrencyTests(), listTests(), lockTests()} {
		for _, test := range group {
			t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
		}
	}
}

// storeTest is one test of the suite.
type storeTest struct {
	name string
	run  func(t *testing.T, s state.Store)
}

// Plain returns store without its further abilities: nobody finds its locks or
// its listings, so that [state.LockerFor] makes leases in it.
func Plain(store state.Store) state.Store { return plain{store} }

// plain hides what a Store has beside the two methods.
type plain struct{ store state.Store }

func (p plain) Load(ctx context.Context, key string) (state.Record, error) {
	return p.store.Load(ctx, key)
}

func (p plain) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	return p.store.CompareAndSwap(ctx, key, old, value)
}

// put writes a record of a known version.
func put(t *testing.T, s state.Store, key string, old state.Version, value []byte) state.Version {
	t.Helper()
	v, err := s.CompareAndSwap(t.Context(), key, old, value)
	if err != nil {
		t.Fatalf("CompareAndSwap(%q, %q, %d bytes): %v", key, old, len(value), err)
	}
	if (value == nil) != (v == "") {
		t.Fatalf("CompareAndSwap(%q, %q, %d bytes, nil: %t) = version %q", key, old, len(value), value == nil, v)
	}
	return v
}

// load returns a record.
func load(t *testing.T, s state.Store, key string) state.Record {
	t.Helper()
	r, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load(%q): %v", key, err)
	}
	return r
}

// wantRecord checks what a key holds.
func wantRecord(t *testing.T, s state.Store, key string, version state.Version, value []byte) {
	t.Helper()
	r := load(t, s, key)
	if r.Version != version {
		t.Errorf("Load(%q) = version %q, want %q", key, r.Version, version)
	}
	switch {
	case (r.Value == nil) != (value == nil):
		t.Errorf("Load(%q) = nil value: %t, want %t", key, r.Value == nil, value == nil)
	case bytes.Equal(r.Value, value):
	case max(len(r.Value), len(value)) > 100:
		t.Errorf("Load(%q) = %d bytes that differ from the %d written", key, len(r.Value), len(value))
	default:
		t.Errorf("Load(%q) = %q, want %q", key, r.Value, value)
	}
}

// wantConflict checks that a swap is refused.
func wantConflict(t *testing.T, s state.Store, key string, old state.Version, value []byte) {
	t.Helper()
	v, err := s.CompareAndSwap(t.Context(), key, old, value)
	if !errors.Is(err, state.ErrConflict) {
		t.Errorf("CompareAndSwap(%q, %q) = %q, %v; want ErrConflict", key, old, v, err)
	}
}
