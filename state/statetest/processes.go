package statetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/state"
)

const (
	// Processes is how many processes count together.
	Processes = 12
	// Counts is how often each of them does.
	Counts = 100
)

// The variables that make a test program a child.
const (
	openerVariable   = "STATETEST_OPENER"
	locationVariable = "STATETEST_LOCATION"
	jobVariable      = "STATETEST_JOB"
)

// held is what a child says when it has the lock.
const held = "held"

// Opener opens the Store at a location, which is for it to understand: a path,
// an address. It is called in a process of its own.
type Opener func(location string) (state.Store, error)

// Main runs the tests of a TestMain, or, in a child that [TestProcesses] has
// started, the child's work. It returns the code to exit with.
func Main(m *testing.M, openers map[string]Opener) int {
	name, isChild := os.LookupEnv(openerVariable)
	if !isChild {
		return m.Run()
	}
	if err := work(openers[name], os.Getenv(locationVariable), os.Getenv(jobVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// jobs are what a child can do.
func jobs() map[string]func(ctx context.Context, s state.Store) error {
	return map[string]func(ctx context.Context, s state.Store) error{
		"count": func(ctx context.Context, s state.Store) error {
			return count(ctx, s, Counts)
		},
		"count locked": func(ctx context.Context, s state.Store) error {
			return countLocked(ctx, s, state.LockerFor(s), Counts)
		},
		"hold": func(ctx context.Context, s state.Store) error {
			return state.With(ctx, state.LockerFor(s), counter, func(context.Context, state.Lease) error {
				fmt.Fprintln(os.Stdout, held)
				_, err := io.Copy(io.Discard, os.Stdin) // until the parent ends this process
				return err
			})
		},
	}
}

// work is what a child does.
func work(open Opener, location, job string) error {
	if open == nil || jobs()[job] == nil {
		return errors.New("statetest: no such opener or job")
	}
	store, err := open(location)
	if err != nil {
		return err
	}
	return jobs()[job](context.Background(), store)
}

// TestProcesses tests that [Processes] processes which share a Store lose
// nothing: each counts [Counts] times, by compare-and-swap alone and then under
// the lock. Where the Store is a [state.Locker], it tests too that a lock ends
// with the process that holds it.
//
// The children open the Store at location by the opener of the given name, one
// of those that TestMain gives to [Main]; store is the same Store as the test
// itself has it. It holds no records yet.
func TestProcesses(t *testing.T, store state.Store, opener, location string) {
	t.Helper()
	t.Run("processes that count together lose no count", func(t *testing.T) {
		runAll(t, opener, location, "count")
		wantCount(t, store, Processes*Counts)
	})
	t.Run("processes that count under a lock never meet", func(t *testing.T) {
		put(t, store, counter, load(t, store, counter).Version, nil)
		runAll(t, opener, location, "count locked")
		wantCount(t, store, Processes*Counts)
	})
	if _, ok := state.As[state.Locker](store); ok {
		t.Run("a lock ends with its process", func(t *testing.T) {
			TestKilledOwner(t, store, opener, location)
		})
	}
}

// TestKilledOwner tests that a lock ends with the process that holds it: a
// child takes the lock of the Store and is killed. The arguments are those of
// [TestProcesses], which does this too for a Store with locks of its own.
// Leases take their term.
func TestKilledOwner(t *testing.T, store state.Store, opener, location string) {
	t.Helper()
	locker := state.LockerFor(store)
	kill := holdIn(t, opener, location)
	wantLocked(t, locker, counter)
	kill()
	release(t, lock(t, locker, counter))
}

// child returns the command that runs this program as a child.
func child(t *testing.T, opener, location, job string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // It is this very program.
	cmd.Env = append(os.Environ(), openerVariable+"="+opener, locationVariable+"="+location, jobVariable+"="+job)
	return cmd
}

// runAll runs a job in all processes at once.
func runAll(t *testing.T, opener, location, job string) {
	t.Helper()
	said := make([]strings.Builder, Processes)
	started := make([]*exec.Cmd, Processes)
	for i := range started {
		started[i] = child(t, opener, location, job)
		started[i].Stderr = &said[i]
		if err := started[i].Start(); err != nil {
			t.Fatalf("start process %d: %v", i, err)
		}
	}
	for i, cmd := range started {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, said[i].String())
		}
	}
}

// holdIn starts a process, waits until it has the lock, and returns what kills
// it.
func holdIn(t *testing.T, opener, location string) (kill func()) {
	t.Helper()
	cmd := child(t, opener, location, "hold")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("StdinPipe: %v", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("StdoutPipe: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start: %v", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != held {
		t.Fatalf("the process said %q, %v; want %q", line, err, held)
	}
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		_ = cmd.Wait() // It says that the process was killed.
		_ = in.Close()
	}
}
