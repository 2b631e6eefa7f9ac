//go:build unix

package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/state"
)

func TestFilesAndFoldersAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/of/state"
	d := openDir(t, path)
	if _, err := d.CompareAndSwap(t.Context(), "a", "", []byte("v")); err != nil {
		t.Fatalf("CompareAndSwap: %v", err)
	}
	unlock, err := d.Lock(t.Context(), "a")
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	if err := unlock(); err != nil {
		t.Errorf("unlock: %v", err)
	}
	err = filepath.WalkDir(path, func(file string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %04o, want %04o", file, got, want)
		}
		return nil
	})
	if err != nil {
		t.Errorf("WalkDir: %v", err)
	}
}

func TestRightsOfOthersAreRefusedWithTheCommandThatEndsThem(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		of   string // below the store's folder
		mode os.FileMode
		run  string
	}{
		{"", 0o750, "chmod 700"},
		{"", 0o701, "chmod 700"},
		{"records", 0o755, "chmod 700"},
		{"locks", 0o720, "chmod 700"},
		{"records/r-a.rec", 0o640, "chmod 600"},
		{"records/r-a.rec", 0o602, "chmod 600"},
	} {
		t.Run(tc.of+" "+tc.mode.String(), func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/ann's state"
			d := openDir(t, path)
			v, err := d.CompareAndSwap(t.Context(), "a", "", []byte("v"))
			if err != nil {
				t.Fatalf("CompareAndSwap: %v", err)
			}
			file := filepath.Join(path, tc.of)
			if err := os.Chmod(file, tc.mode); err != nil {
				t.Fatalf("Chmod: %v", err)
			}
			d, err = state.OpenDir(path)
			if err == nil {
				_, err = d.Load(t.Context(), "a")
				if _, swap := d.CompareAndSwap(t.Context(), "a", v, []byte("w")); !errors.Is(swap, state.ErrRights) {
					t.Errorf("CompareAndSwap: %v, want ErrRights", swap)
				}
			}
			run := tc.run + " '" + strings.ReplaceAll(file, "'", `'\''`) + "'"
			if !errors.Is(err, state.ErrRights) || !strings.Contains(err.Error(), run) {
				t.Errorf("error %v, want ErrRights and %s", err, run)
			}
		})
	}
}
