package state_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/statetest"
)

func TestMain(m *testing.M) {
	if point, ok := os.LookupEnv(crashVariable); ok {
		fmt.Fprintln(os.Stderr, crash(os.Getenv(pathVariable), point))
		os.Exit(1) //nolint:forbidigo // A TestMain exits.
	}
	os.Exit(statetest.Main(m, openers())) //nolint:forbidigo // A TestMain exits.
}

// openers are how the children of a test open its store.
func openers() map[string]statetest.Opener {
	return map[string]statetest.Opener{
		"dir": func(path string) (state.Store, error) { return state.OpenDir(path) },
		"plain": func(path string) (state.Store, error) {
			d, err := state.OpenDir(path)
			return statetest.Plain(d), err
		},
		"leases": func(path string) (state.Store, error) {
			d, err := state.OpenDir(path)
			return newLeased(d), err
		},
	}
}

// leased is a Store without locks of its own, under leases of a term that a
// test can wait for.
type leased struct {
	state.Store
	*state.Leases
}

func newLeased(s state.Store) leased {
	return leased{statetest.Plain(s), state.NewLeases(statetest.Plain(s), &state.LeaseOptions{Term: 2 * time.Second})}
}

// openDir opens the store in a folder.
func openDir(t *testing.T, path string) *state.Dir {
	t.Helper()
	d, err := state.OpenDir(path)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	return d
}

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	statetest.TestStore(t, func(*testing.T) state.Store { return state.NewMemory() })
}

func TestDirIsAStore(t *testing.T) {
	t.Parallel()
	statetest.TestStore(t, func(t *testing.T) state.Store {
		t.Helper()
		return openDir(t, t.TempDir()+"/state")
	})
}

func TestPlainStoresHaveLeases(t *testing.T) {
	t.Parallel()
	statetest.TestStore(t, func(*testing.T) state.Store { return statetest.Plain(state.NewMemory()) })
}

// Twelve processes count to 1,200: with the locks of the system, and with
// leases in the same files.
func TestProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dir", "plain"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, path := openAs(t, name)
			statetest.TestProcesses(t, store, name, path)
		})
	}
}

func TestALeaseOfAKilledProcessIsTakenOver(t *testing.T) {
	t.Parallel()
	store, path := openAs(t, "leases")
	statetest.TestKilledOwner(t, store, "leases", path)
}

// openAs opens a store as the children do, in a folder of its own.
func openAs(t *testing.T, opener string) (store state.Store, path string) {
	t.Helper()
	path = t.TempDir() + "/state"
	store, err := openers()[opener](path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return store, path
}
