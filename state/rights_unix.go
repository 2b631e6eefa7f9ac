//go:build unix

package state

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readersLock says whether a file that somebody reads cannot be replaced.
const readersLock = false

// checkRights refuses a file or folder that others than its owner have rights
// to.
func checkRights(path string, info fs.FileInfo) error {
	perm := info.Mode().Perm()
	if perm&0o077 == 0 {
		return nil
	}
	want := "600"
	if info.IsDir() {
		want = "700"
	}
	return fmt.Errorf("%w: %s has the mode %04o; run: chmod %s %s", ErrRights, path, perm, want, shellWord(path))
}

// shellWord quotes a path for a shell where it has to be.
func shellWord(path string) string {
	plain := true
	for i := range len(path) {
		plain = plain && inKey(path[i])
	}
	if plain {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// syncFolder makes what was renamed or removed in a folder survive a crash.
func syncFolder(path string) error {
	f, err := os.Open(path) //nolint:gosec // The path is the store's own.
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
