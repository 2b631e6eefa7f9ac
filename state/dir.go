package state

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/mailsession/mailsession/internal/retry"
)

const (
	recordEnding = ".rec"
	tempEnding   = ".rec.tmp"
	lockEnding   = ".lock"
	// writeLocks is how many locks all changes share. Changes of records that
	// share one wait for each other.
	writeLocks = 64
)

// ErrRights says that others than its owner have rights to a file or folder of
// a [Dir].
var ErrRights = errors.New("others have rights to it")

// Dir is a [Store] in a folder, with locks and listings, for all processes of
// one machine. It holds no file open while it is idle and need not be closed.
// It must not be copied.
type Dir struct {
	records string // the folder of the records' files
	locks   string // the folder of the lock files
	inside  queue  // orders the goroutines of this process before they meet others

	// reached is told which point a change has come to; nil outside of tests.
	reached func(point string)
}

var (
	_ Store  = (*Dir)(nil)
	_ Locker = (*Dir)(nil)
	_ Lister = (*Dir)(nil)
)

// OpenDir returns the store in the folder at path, which it makes if there is
// none. The empty path is refused.
//
// # Files
//
// Each record is a file of its own in path/records, of mode 0600, and path and
// its folders are of mode 0700. Where others than the owner have rights to a
// folder, or to a file when it is read, the error wraps [ErrRights] and says
// which chmod to run; Windows has no such check. A file's name is its record's
// key in lower case with "," for "/" and a note of the upper-case letters, so
// it can be read by people and suits every file system. Inside stand key,
// version, a checksum and the value; a file that was damaged, or renamed by
// hand, is an error and never taken for another record or for none.
//
// # Changes
//
// A change is written to a temporary file, synced, renamed over the old file,
// and the folder is synced. Whoever crashes, at any point, leaves the old record
// or the new one. The temporary file that may remain is removed by the next
// OpenDir or the next change of the record, never under a living writer.
//
// # Locks
//
// [Dir.Lock] locks a file in path/locks, apart from the data, by flock or
// LockFileEx: the system unlocks it when the process ends, however it ends.
// Lock files are empty and stay; removing them while any process uses the
// folder breaks the locks. A network file system that does not lock files for
// all its clients is no place for a Dir.
func OpenDir(path string) (*Dir, error) {
	if path == "" { // not the folder that the program happens to run in
		return nil, errors.New("state: open: no folder is named; give its path")
	}
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("state: open %s: %w", path, err)
	}
	d := &Dir{records: filepath.Join(root, "records"), locks: filepath.Join(root, "locks")}
	for _, folder := range []string{root, d.records, d.locks} {
		if err := makeFolder(folder); err != nil {
			return nil, fmt.Errorf("state: open %s: %w", path, err)
		}
	}
	if err := d.sweep(); err != nil {
		return nil, fmt.Errorf("state: open %s: %w", path, err)
	}
	return d, nil
}

// makeFolder makes a folder if there is none, and checks its rights.
func makeFolder(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		// The folder above may be one that this user cannot open to sync it.
		if err := syncFolder(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		info, err = os.Stat(path)
	}
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	default:
		return checkRights(path, info)
	}
}

// Load implements [Store].
func (d *Dir) Load(ctx context.Context, key string) (r Record, err error) {
	if err := begin(ctx, "load", key); err != nil {
		return Record{}, err
	}
	if readersLock {
		unlock, err := d.lockFile(ctx, writeLock(key))
		if err != nil {
			return Record{}, fmt.Errorf("state: load %s: %w", key, err)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	if r, err = d.read(key); err != nil {
		return Record{}, fmt.Errorf("state: load %s: %w", key, err)
	}
	return r, nil
}

// Lock implements [Locker].
func (d *Dir) Lock(ctx context.Context, key string) (unlock func() error, err error) {
	if err := begin(ctx, "lock", key); err != nil {
		return nil, err
	}
	release, err := d.lockFile(ctx, fileName(key)+lockEnding)
	if err != nil {
		return nil, fmt.Errorf("state: lock %s: %w", key, err)
	}
	return sync.OnceValue(func() error {
		if err := release(); err != nil {
			return fmt.Errorf("state: unlock %s: %w", key, err)
		}
		return nil
	}), nil
}

// List implements [Lister]. Files that are not named like records are none of
// the store's, and left out.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := d.keys(recordEnding)
		if err != nil {
			yield("", fmt.Errorf("state: list %q: %w", prefix, err))
			return
		}
		yieldKeys(ctx, keys, prefix, yield)
	}
}

// keys returns the keys that have a file of an ending, in no order.
func (d *Dir) keys(ending string) ([]string, error) {
	folder, err := os.Open(d.records)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, name := range names {
		name, ok := strings.CutSuffix(name, ending)
		if !ok {
			continue
		}
		if key, ok := keyOf(name); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// writeLock returns the name of the lock file under which a key's record is
// changed.
func writeLock(key string) string {
	sum := fnv.New32a()
	sum.Write([]byte(key))
	return fmt.Sprintf("write-%02d%s", sum.Sum32()%writeLocks, lockEnding)
}

// lockFile waits for a lock file and returns the function that gives it back.
// The system would wait without a context, so it is asked again and again.
func (d *Dir) lockFile(ctx context.Context, name string) (unlock func() error, err error) {
	leave, err := d.inside.enter(ctx, name)
	if err != nil {
		return nil, err
	}
	file := flock.New(filepath.Join(d.locks, name))
	pace := retry.Policy{Initial: time.Millisecond, Max: 25 * time.Millisecond, Jitter: 0.5}
	for try := 1; ; try++ {
		locked, err := file.TryLock()
		if err == nil && locked {
			return func() error {
				defer leave()
				return file.Unlock()
			}, nil
		}
		if err == nil {
			err = retry.Sleep(ctx, pace.Wait(try, nil))
		}
		if err != nil {
			leave()
			return nil, err
		}
	}
}
