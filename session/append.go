package session

import (
	"context"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/message"
)

// Appender puts messages into folders. It is a further interface of an
// [Incoming]; see [Session.Append].
type Appender interface {
	Append(ctx context.Context, folder FolderRef, m message.Source, opts *AppendOptions) (ID, error)
}

// AppendOptions are what the server is to keep with a message. Nil and the
// zero value mean no flags and the present time.
type AppendOptions struct {
	// Flags are the message's first flags.
	Flags Flags
	// Received is when it came to the mailbox, now where it is zero. Servers
	// keep whole seconds.
	Received time.Time
}

// AppendError says that a message was not put into a folder, or that nobody
// knows. It wraps [ErrNoFolder], [ErrOverQuota] or the protocol's error.
type AppendError struct {
	// Folder is where it was to go.
	Folder FolderRef
	// Outcome is NotDone, so that the message may be appended again, or
	// DoneUnknown: the line was lost after its last byte, and it could not be
	// found in the folder. It may come to be there; another try may double it.
	Outcome ChangeOutcome
	// MessageID is the message's Message-ID without angle brackets, to look for
	// it later.
	MessageID string
	// Err is the cause.
	Err error
}

// Error returns what became of the message, and why.
func (e *AppendError) Error() string {
	if e.Outcome == DoneUnknown {
		return fmt.Sprintf("append to %s: the answer was lost, the message %s may be there or not: %v", e.Folder, e.MessageID, e.Err)
	}
	return fmt.Sprintf("append to %s: %v", e.Folder, e.Err)
}

// Unwrap returns the cause.
func (e *AppendError) Unwrap() error { return e.Err }

// Append puts a message into a folder, as it stands, and returns its id, which
// is zero where the server does not tell and the message cannot be found by its
// Message-ID. The zero folder is the inbox. The error is an [*AppendError]
// unless the session's mode or the backend does not allow it. Where the backend
// cannot append, it wraps [errors.ErrUnsupported].
func (s *Session) Append(ctx context.Context, folder FolderRef, m message.Source, opts *AppendOptions) (ID, error) {
	a, err := changingAs[Appender](s, "append a message")
	if err != nil {
		return ID{}, err
	}
	return a.Append(ctx, folder, m, opts)
}
