package state

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// Version identifies one value of a record. It is opaque, comparable, and
// never used twice for the same key, not even after the record was deleted and
// made anew. The zero Version means that there is no record.
type Version string

// Record is a value and its version.
type Record struct {
	// Value is the caller's own to keep and change. A record with an empty
	// value has an empty Value that is not nil.
	Value []byte
	// Version is "" where there is no record.
	Version Version
}

// Store keeps records under keys, which are paths of one or more segments of
// letters, digits and "._@+-=" joined by "/"; [CheckKey] has the exact rules,
// and every method refuses other keys with an error that wraps
// [ErrInvalidKey]. A Store is safe for concurrent use, by all processes that
// share it.
//
// A context that has ended before a method begins its work makes it return an
// error that wraps the context's, with nothing changed.
type Store interface {
	// Load returns the record at key. A key without one is the zero Record
	// and no error. What CompareAndSwap has returned for, any Load that
	// begins afterwards sees, in every process.
	Load(ctx context.Context, key string) (Record, error)

	// CompareAndSwap replaces the record at key if its version is old, and
	// returns the new version; a nil value deletes the record and returns "".
	// The old version "" stands for no record. The Store keeps no reference
	// to value.
	//
	// Where the version is another one it changes nothing and returns an
	// error that wraps [ErrConflict]. When it returns without an error, the
	// value survives a crash of the machine as far as the Store survives one.
	// Any other error leaves open whether the record was replaced; Load tells.
	CompareAndSwap(ctx context.Context, key string, old Version, value []byte) (Version, error)
}

// ErrConflict says that a record is not of the version that was expected:
// somebody else has changed it. Load it again and decide anew.
var ErrConflict = errors.New("the record has been changed by somebody else")

// Locker is a further ability of a Store: locks that all who share it respect.
type Locker interface {
	// Lock waits for the lock at key and returns the function that gives it
	// back. The lock ends with the process that holds it, at once or, as
	// [Leases] do, after a while. It is not reentrant.
	//
	// Locks have the same keys as records and are apart from them: a lock at
	// a key hinders nobody from changing the record there. Calling unlock
	// again does nothing and returns the same error. Where ctx ends before
	// the lock is taken, the error wraps the context's; once the lock is
	// taken, ctx has no influence on it.
	Lock(ctx context.Context, key string) (unlock func() error, err error)
}

// Lister is a further ability of a Store.
type Lister interface {
	// List iterates over the keys that begin with prefix, in ascending order
	// of their bytes. The prefix need not end with a segment. Keys that begin
	// with a dot are left out unless prefix does so too. Records made or
	// deleted meanwhile may or may not be seen. An error is the last item.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// Listed reports whether [Lister.List] yields key for prefix. It is for those
// who write a Store.
func Listed(key, prefix string) bool {
	return strings.HasPrefix(key, prefix) && (!strings.HasPrefix(key, ".") || strings.HasPrefix(prefix, "."))
}

// As finds a further ability of a Store, such as [Locker] or [Lister]: in the
// Store itself, or in what it wraps, where it has a method
// `Unwrap() Store`. A wrapper that has to change an ability implements it; one
// that must hide what it wraps has no Unwrap.
func As[T any](store Store) (T, bool) {
	for store != nil {
		if ability, ok := store.(T); ok {
			return ability, true
		}
		wrapper, ok := store.(interface{ Unwrap() Store })
		if !ok {
			break
		}
		store = wrapper.Unwrap()
	}
	var none T
	return none, false
}

// Update replaces the record at key with what change makes of its value, and
// returns the new record. Change is called again, with the newer value, each
// time somebody else has changed the record meanwhile; it gets nil where there
// is no record, and returns nil to delete it. An error of change ends the
// update, changes nothing and is returned as it is.
func Update(ctx context.Context, store Store, key string, change func(value []byte) ([]byte, error)) (Record, error) {
	pace := retry.Policy{Initial: time.Millisecond, Max: 100 * time.Millisecond, Jitter: 1}
	for try := 1; ; try++ {
		record, err := store.Load(ctx, key)
		if err != nil {
			return Record{}, err
		}
		value, err := change(record.Value)
		if err != nil {
			return Record{}, err
		}
		version, err := store.CompareAndSwap(ctx, key, record.Version, value)
		if err == nil {
			return Record{Value: value, Version: version}, nil
		}
		if !errors.Is(err, ErrConflict) {
			return Record{}, err
		}
		if err := retry.Sleep(ctx, pace.Wait(try, nil)); err != nil {
			return Record{}, fmt.Errorf("state: update %s: %w", key, err)
		}
	}
}

// begin returns an error where a method must not begin: because of its key, or
// because its context has ended.
func begin(ctx context.Context, doing, key string) error {
	if err := CheckKey(key); err != nil {
		return fmt.Errorf("state: %s: %w", doing, err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("state: %s %s: %w", doing, key, retry.Ended(ctx))
	}
	return nil
}

// conflict returns the error of a CompareAndSwap that came second.
func conflict(key string) error {
	return fmt.Errorf("state: compare and swap %s: %w; load it again", key, ErrConflict)
}
