package outbox

import (
	"errors"
	"fmt"
)

// What is wrong with a call. Errors wrap these.
var (
	// ErrKeyUsed: another message was enqueued under the key.
	ErrKeyUsed = errors.New("the key was used for another message")
	// ErrNoEntry: nothing was enqueued under the key, or it was pruned.
	ErrNoEntry = errors.New("there is no message under the key")
	// ErrOtherVersion: another version of this library wrote the entry, with more in it
	// than this one knows. It is left alone, and so are its bytes.
	ErrOtherVersion = errors.New("another version of this library wrote the entry; use that one, or let it send what it has first")
	// ErrTooLarge: the message is larger than the outbox takes.
	ErrTooLarge = errors.New("the message is too large for the outbox")
)

// errLost is the cause of a context that ended since the worker's claim was lost.
var errLost = errors.New("outbox: the claim of this worker has been lost")

// StateError says that what was asked for cannot be done with a message in its
// state.
type StateError struct {
	// Key is the message.
	Key string
	// State is the message's.
	State State
	// Op is what was asked for, in words that follow "to".
	Op string
}

// Error returns what cannot be done, and why.
func (e *StateError) Error() string {
	return fmt.Sprintf("outbox: the message %q is %s, and not one to %s", e.Key, e.State, e.Op)
}
