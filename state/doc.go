// Package state keeps small versioned records under compare-and-swap, and
// locks: it is where grants, cursors, leases and outboxes live.
//
//	store, err := state.OpenDir("/var/lib/myprogram")
//	record, err := state.Update(ctx, store, "runs", func(value []byte) ([]byte, error) {
//		return append(value, '.'), nil // called again where somebody else was first
//	})
//
// # Stores
//
// A [Store] has two methods. [Store.Load] returns a record with its version,
// and [Store.CompareAndSwap] replaces it if the version is still the same, so
// that of two writers one learns that it came second. [Update] is the loop
// around them.
//
//   - [NewMemory] keeps records in memory: for tests, and for programs that
//     need not remember.
//   - [OpenDir] keeps each record in a file, shared by all processes of one
//     machine.
//   - Package seal encrypts what any Store keeps.
//   - Package statetest holds the tests that every Store has to pass.
//
// # Locks
//
// Compare-and-swap protects a record. A lock protects what cannot be done
// twice, such as redeeming a refresh token that the server replaces with each
// use. [LockerFor] returns the locks of a Store: its own, or [Leases], which
// need nothing but compare-and-swap. [With] runs a function under a lock, with
// a context that ends when the lock is lost.
//
// A lock that the operating system keeps ends with its process and is never
// lost before. A lease can be lost: its owner stands still for longer than the
// lease's term and somebody else takes over. [Guard] refuses what such an owner
// writes when it wakes up.
//
// # Keys that begin with a dot
//
// They belong to the packages that keep house in a Store: leases are kept below
// ".lease/". Listings leave them out unless they are asked for.
package state
