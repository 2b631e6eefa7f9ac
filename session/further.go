package session

import (
	"context"
	"errors"
	"fmt"
)

// As finds a further ability of a backend, such as [Explainer]: T is the
// interface that has it. What wraps a backend, to count or to log its calls,
// tells by a method Unwrap() Incoming, or Unwrap() Outgoing, what it wraps, so
// that it need not repeat what it does not change; an ability that it has to
// see calls of it has itself. ok is false where neither backend nor wrapper
// has the ability.
func As[T any](backend any) (ability T, ok bool) {
	for backend != nil {
		if ability, ok = backend.(T); ok {
			return ability, true
		}
		switch w := backend.(type) {
		case interface{ Unwrap() Incoming }:
			backend = w.Unwrap()
		case interface{ Unwrap() Outgoing }:
			backend = w.Unwrap()
		default:
			return ability, false
		}
	}
	return ability, false
}

// readingAs returns the further ability T of the way in, or why there is none
// for op.
func readingAs[T any](s *Session, op string) (ability T, err error) {
	in, err := s.reader(op)
	if err != nil {
		return ability, err
	}
	ability, ok := As[T](in)
	if !ok {
		return ability, fmt.Errorf("session: %s: the incoming backend cannot: %w", op, errors.ErrUnsupported)
	}
	return ability, nil
}

// changingAs is readingAs for what changes the mailbox.
func changingAs[T any](s *Session, op string) (ability T, err error) {
	if s.mode == ReadOnly {
		return ability, &ModeError{Mode: s.mode, Op: op}
	}
	return readingAs[T](s, op)
}

// Purger removes what is marked as deleted. It is a further interface of an
// [Incoming]; see [Session.PurgeMarked].
type Purger interface {
	PurgeMarked(ctx context.Context, folder FolderRef) ([]Result, error)
}

// PurgeMarked removes the messages of a folder that carry the flag [Deleted],
// for good, and no others. The zero folder is the inbox. There is one Result
// for each message that carried the flag: it is NotDone where the flag was
// taken away before the message could go. Where the backend has no such flag,
// the error wraps [errors.ErrUnsupported].
func (s *Session) PurgeMarked(ctx context.Context, folder FolderRef) ([]Result, error) {
	p, err := changingAs[Purger](s, "purge messages")
	if err != nil {
		return nil, err
	}
	return p.PurgeMarked(ctx, folder)
}
