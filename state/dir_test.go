package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/state"
)

// files returns the names in a store's folder of records.
func files(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(path, "records"))
	if err != nil {
		t.Fatalf("ReadDir: %v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestFilesAreNamedAfterTheirKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"grant/ann@contoso.com": "r-grant,ann@contoso.com",
		"grant/Ann":             "r-grant,ann!0g",
		"A":                     "r-a!g",
		"aA":                    "r-aa!8",
		"con":                   "r-con",
		".lease/a":              "r-.lease,a",
	} {
		if got := state.FileName(key); got != want {
			t.Errorf("fileName(%q) = %q, want %q", key, got, want)
		}
		if got, ok := state.KeyOf(want); got != key || !ok {
			t.Errorf("keyOf(%q) = %q, %t; want %q", want, got, ok, key)
		}
	}
	for _, name := range []string{"", "a", "r-", "r-A", "r-a!", "r-a!0", "r-a!8", "r-a!g0", "r-a!gg", "r-a!!", "r-a!~", "r-a/b", "r-a,", "r-,", "r-..", "r-a~1", "R-a", "r-r- "} {
		if key, ok := state.KeyOf(name); ok {
			t.Errorf("keyOf(%q) = %q, want none", name, key)
		}
	}
}

func FuzzFileNamesAreReversible(f *testing.F) {
	for _, key := range []string{"a", "A/b", "grant/Ann@Contoso.COM", "..a/B.", "con", strings.Repeat("K", state.MaxKey)} {
		f.Add(key)
		f.Add(state.FileName(key))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if key, ok := state.KeyOf(s); ok && (state.CheckKey(key) != nil || state.FileName(key) != s) {
			t.Errorf("keyOf(%q) = %q, whose name is %q", s, key, state.FileName(key))
		}
		if state.CheckKey(s) != nil {
			return
		}
		name := state.FileName(s)
		if key, ok := state.KeyOf(name); key != s || !ok {
			t.Errorf("keyOf(%q) = %q, %t; want %q", name, key, ok, s)
		}
		if strings.ToLower(name) != name || strings.ContainsAny(name, `/\:*?"<>|~ `) || len(name) > 255-len(".rec.tmp") {
			t.Errorf("fileName(%q) = %q of %d bytes, which is not safe everywhere", s, name, len(name))
		}
	})
}

func FuzzRecordFile(f *testing.F) {
	for _, r := range []state.Record{{Version: "V1"}, {Version: "V2", Value: []byte("a\n\nb")}} {
		f.Add(state.EncodeFile("grant/Ann", r))
	}
	f.Add([]byte("mailsession state 1\nkey a\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A file is read as what would be written so, or not at all.
		if key, r, err := state.DecodeFile(data); err == nil {
			if again := state.EncodeFile(key, r); !bytes.Equal(again, data) {
				t.Errorf("%q is read as %q, %q, which is written as %q", data, key, r, again)
			}
		}
		// Any value is read as it was written, and no shorter one.
		r := state.Record{Version: "V", Value: data}
		file := state.EncodeFile("a", r)
		key, got, err := state.DecodeFile(file)
		if err != nil || key != "a" || got.Version != "V" || !bytes.Equal(got.Value, data) {
			t.Errorf("%q is read as %q, %q, %v", file, key, got, err)
		}
		if _, _, err := state.DecodeFile(file[:len(file)-1]); err == nil {
			t.Errorf("%q is read though it was cut short", file[:len(file)-1])
		}
	})
}

func TestADamagedOrRenamedFileIsAnErrorAndStays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, file string, content []byte)
		want   string
	}{
		{"emptied", func(t *testing.T, file string, _ []byte) {
			t.Helper()
			overwrite(t, file, nil)
		}, "cut short"},
		{"cut in its value", func(t *testing.T, file string, content []byte) {
			t.Helper()
			overwrite(t, file, content[:len(content)-3])
		}, "its sum"},
		{"changed in one bit", func(t *testing.T, file string, content []byte) {
			t.Helper()
			content[len(content)-1] ^= 1
			overwrite(t, file, content)
		}, "its sum"},
		{"written by something else", func(t *testing.T, file string, _ []byte) {
			t.Helper()
			overwrite(t, file, []byte("hello\n\n"))
		}, "does not begin with"},
		{"of another record", func(t *testing.T, file string, _ []byte) {
			t.Helper()
			other, err := os.ReadFile(filepath.Join(filepath.Dir(file), "r-b.rec"))
			if err != nil {
				t.Fatalf("ReadFile: %v", err)
			}
			overwrite(t, file, other)
		}, `it holds the record "b"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/state"
			d := openDir(t, path)
			for _, key := range []string{"a", "b"} {
				if _, err := d.CompareAndSwap(t.Context(), key, "", []byte("the value")); err != nil {
					t.Fatalf("CompareAndSwap: %v", err)
				}
			}
			file := filepath.Join(path, "records", "r-a.rec")
			content, err := os.ReadFile(file) //nolint:gosec // The path is the test's own.
			if err != nil {
				t.Fatalf("ReadFile: %v", err)
			}
			tc.damage(t, file, content)
			_, err = d.Load(t.Context(), "a")
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("Load: %v, want an error with %q and the file's name", err, tc.want)
			}
			for _, old := range []state.Version{"", "V"} {
				_, err = d.CompareAndSwap(t.Context(), "a", old, []byte("over it"))
				if err == nil || errors.Is(err, state.ErrConflict) {
					t.Errorf("CompareAndSwap(%q) over a damaged file: %v, want an error that is no conflict", old, err)
				}
			}
		})
	}
}

// overwrite replaces a file's content.
func overwrite(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil { //nolint:gosec // The path is the test's own.
		t.Fatalf("WriteFile: %v", err)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state"
	openDir(t, path)
	foreign := []string{".DS_Store", "r-A.rec", "r-a.rec~", "r-a!8.rec.tmp"}
	for _, name := range foreign {
		overwrite(t, filepath.Join(path, "records", name), []byte("x"))
	}
	d := openDir(t, path)
	for key, err := range d.List(t.Context(), "") {
		t.Errorf("List = %q, %v; want none", key, err)
	}
	if got := files(t, path); len(got) != len(foreign) {
		t.Errorf("the folder has %q, want all of %q", got, foreign)
	}
}

// TestOpenDirRefusesNoPath: a setting that is missing does not make the folder that the
// program runs in a store.
func TestOpenDirRefusesNoPath(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := state.OpenDir(""); err == nil || !strings.Contains(err.Error(), "give its path") {
		t.Errorf("OpenDir of no path: %v, want what to do", err)
	}
	if made, err := os.ReadDir("."); len(made) != 0 || err != nil {
		t.Errorf("there are %v, %v, want nothing", made, err)
	}
}

func TestOpenDirRefusesAFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state"
	overwrite(t, path, nil)
	if _, err := state.OpenDir(path); err == nil {
		t.Error("OpenDir of a file succeeded, want an error")
	}
}

func TestDeletedRecordsLeaveNoFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state"
	d := openDir(t, path)
	v, err := d.CompareAndSwap(t.Context(), "a", "", []byte("v"))
	if err == nil {
		_, err = d.CompareAndSwap(t.Context(), "a", v, nil)
	}
	if got := files(t, path); err != nil || len(got) != 0 {
		t.Errorf("after the deletion: %q, %v; want no file", got, err)
	}
}

// A writer waits for another one, or until its context ends.
func TestAChangeWaitsForAnotherUnderItsContext(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state"
	d := openDir(t, path)
	unlock, err := state.LockFile(t.Context(), openDir(t, path), state.WriteLock("a"))
	if err != nil {
		t.Fatalf("LockFile: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := d.CompareAndSwap(ctx, "a", "", []byte("v"))
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("CompareAndSwap beside another writer: %v, want context.Canceled", err)
	}
	if err := unlock(); err != nil {
		t.Errorf("unlock: %v", err)
	}
	if _, err := d.CompareAndSwap(t.Context(), "a", "", []byte("v")); err != nil {
		t.Errorf("CompareAndSwap: %v", err)
	}
}

func ExampleOpenDir() {
	path, err := os.MkdirTemp("", "state")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(path)
	store, err := state.OpenDir(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	version, err := store.CompareAndSwap(ctx, "cursor/ann@contoso.com", "", []byte("42"))
	if err != nil {
		fmt.Println(err)
		return
	}
	// Somebody else, who believes that there is no record yet, comes second.
	_, err = store.CompareAndSwap(ctx, "cursor/ann@contoso.com", "", []byte("7"))
	fmt.Println(errors.Is(err, state.ErrConflict))

	record, err := store.Load(ctx, "cursor/ann@contoso.com")
	fmt.Println(string(record.Value), record.Version == version, err)
	// Output:
	// true
	// 42 true <nil>
}
