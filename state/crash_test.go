package state_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/state"
)

// A child with these variables changes a record and is killed on the way. The
// hook that kills it is a field of Dir that only tests can set, so that no
// program can be crashed by its environment.
const (
	crashVariable = "STATE_TEST_CRASH" // "write" or "remove", a colon, and the point
	pathVariable  = "STATE_TEST_PATH"
)

// crashKey is the record that a crashing child changes.
const crashKey = "grant/Ann"

// The values before and after, of very different sizes.
func oldValue() []byte { return []byte("the old value") }
func newValue() []byte { return bytes.Repeat([]byte("the new value "), 20_000) }

// crash changes a record and kills this process at a point on the way.
func crash(path, at string) error {
	d, err := state.OpenDir(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	r, err := d.Load(ctx, crashKey)
	if err != nil {
		return err
	}
	change, point, _ := strings.Cut(at, ":")
	value := newValue()
	if change == "remove" {
		value = nil
	}
	state.AtPoints(d, func(reached string) {
		if reached != point {
			return
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err == nil {
			select {} // until the kill arrives
		}
	})
	_, err = d.CompareAndSwap(ctx, crashKey, r.Version, value)
	return errors.Join(errors.New("the change came to its end"), err)
}

// crashAt runs a child that is killed at a point.
func crashAt(t *testing.T, path, change, point string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // It is this very program.
	cmd.Env = append(os.Environ(), crashVariable+"="+change+":"+point, pathVariable+"="+path)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed at %q: %v: %s", point, err, said)
	}
}

func TestACrashLeavesTheOldRecordOrTheNewOne(t *testing.T) {
	t.Parallel()
	write, remove := state.Points()
	for _, point := range write {
		t.Run("write, "+point, func(t *testing.T) {
			t.Parallel()
			testCrash(t, "write", point, newValue())
		})
	}
	for _, point := range remove {
		t.Run("remove, "+point, func(t *testing.T) {
			t.Parallel()
			testCrash(t, "remove", point, nil)
		})
	}
}

// testCrash crashes a change, looks at what is left, and works on.
func testCrash(t *testing.T, change, point string, after []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	d := openDir(t, path)
	before, err := d.CompareAndSwap(t.Context(), crashKey, "", oldValue())
	if err != nil {
		t.Fatalf("CompareAndSwap: %v", err)
	}
	crashAt(t, path, change, point)

	r, err := d.Load(t.Context(), crashKey)
	if err != nil {
		t.Fatalf("Load after a crash at %q: %v", point, err)
	}
	done := slices.Contains([]string{"renamed", "removed", "folder synced"}, point)
	switch {
	case done && (!bytes.Equal(r.Value, after) || r.Version == before):
		t.Errorf("after a crash at %q the record has %d bytes, want the new %d", point, len(r.Value), len(after))
	case !done && (!bytes.Equal(r.Value, oldValue()) || r.Version != before):
		t.Errorf("after a crash at %q the record is %.20q, want the old one", point, r.Value)
	}
	// The store that was open all along works on, and so does one that is
	// opened now; the crash's temporary file is gone.
	v, err := d.CompareAndSwap(t.Context(), crashKey, r.Version, []byte("next"))
	if err != nil {
		t.Fatalf("CompareAndSwap after a crash at %q: %v", point, err)
	}
	crashAt(t, path, "write", point2(point))
	again := openDir(t, path)
	wantTemps(t, path, 0)
	if _, err := again.CompareAndSwap(t.Context(), crashKey, latest(t, again, v), nil); err != nil {
		t.Errorf("CompareAndSwap in the store opened after a crash at %q: %v", point, err)
	}
}

// point2 returns where the second crash is to happen.
func point2(point string) string {
	if point == "removed" {
		return "renamed"
	}
	return point
}

// latest returns the record's present version, which is v unless the second
// crash came after the change.
func latest(t *testing.T, d *state.Dir, v state.Version) state.Version {
	t.Helper()
	r, err := d.Load(t.Context(), crashKey)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if r.Version != v && !bytes.Equal(r.Value, newValue()) {
		t.Errorf("the record is %.20q, want the old or the new one", r.Value)
	}
	return r.Version
}

// wantTemps counts the temporary files of a store.
func wantTemps(t *testing.T, path string, want int) {
	t.Helper()
	temps, err := filepath.Glob(filepath.Join(path, "records", "*.tmp"))
	if err != nil {
		t.Fatalf("Glob: %v", err)
	}
	if len(temps) != want {
		t.Errorf("temporary files: %q, want %d", temps, want)
	}
}

func TestAWriteIsSyncedBeforeItIsRenamedAndItsFolderAfterwards(t *testing.T) {
	t.Parallel()
	d := openDir(t, t.TempDir()+"/state")
	var came []string
	state.AtPoints(d, func(point string) { came = append(came, point) })
	write, remove := state.Points()
	v, err := d.CompareAndSwap(t.Context(), "a", "", []byte("v"))
	if err != nil || !slices.Equal(came, write) {
		t.Errorf("a write came to %q, %v; want %q", came, err, write)
	}
	came = nil
	if _, err := d.CompareAndSwap(t.Context(), "a", v, nil); err != nil || !slices.Equal(came, remove) {
		t.Errorf("a deletion came to %q, %v; want %q", came, err, remove)
	}
}

// A store is opened while a writer of another one is in the middle of a write.
func TestOpenDirLeavesALivingWritersTemporaryFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state"
	d := openDir(t, path)
	state.AtPoints(d, func(point string) {
		if point == "header written" {
			wantTemps(t, path, 1)
			openDir(t, path)
			wantTemps(t, path, 1)
		}
	})
	v, err := d.CompareAndSwap(t.Context(), "a", "", []byte("v"))
	if err != nil {
		t.Fatalf("CompareAndSwap: %v", err)
	}
	r, err := d.Load(t.Context(), "a")
	if err != nil || r.Version != v || string(r.Value) != "v" {
		t.Errorf("Load = %q, %q, %v; want what was written", r.Value, r.Version, err)
	}
	wantTemps(t, path, 0)
}
