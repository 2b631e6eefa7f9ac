package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// NotArrivedError says that a message was not seen within the time there was. It
// may still come.
type NotArrivedError struct {
	// MessageID is that of the message, without angle brackets.
	MessageID string
	// Folders are those that were looked into.
	Folders []FolderRef
	// Waited is how long.
	Waited time.Duration
	// Err is the context's error, with that of the last look that failed.
	Err error
}

// Error returns what was waited for, where, how long, and why that ended.
func (e *NotArrivedError) Error() string {
	names := make([]string, len(e.Folders))
	for i, f := range e.Folders {
		names[i] = string(f)
	}
	return fmt.Sprintf("message %s not seen in %s within %v: %v", e.MessageID, strings.Join(names, ", "), e.Waited.Round(time.Millisecond), e.Err)
}

// Unwrap returns the cause.
func (e *NotArrivedError) Unwrap() error { return e.Err }

// arrivalPace is how long to wait between two looks: short at first, since mail to
// oneself mostly takes a second or two, and never so long that much is added to
// what is measured.
func arrivalPace() retry.Policy {
	return retry.Policy{Initial: 250 * time.Millisecond, Factor: 1.5, Max: 15 * time.Second, Jitter: 0.1}
}

// arrival waits for the message with a Message-ID in any of some folders, and
// returns it with the folder that it is in. A folder that does not exist is
// passed over until it does.
//
// It looks at a pace of its own besides listening: the time that it takes is
// measured, and some servers take theirs to tell those who listen.
func (s *Session) arrival(ctx context.Context, messageID string, folders []FolderRef) (*Message, FolderRef, error) {
	pace, began := arrivalPace(), time.Now()
	q := Query{Where: withMessageID(messageID), Fields: FieldHeader | FieldReceived | FieldFlags}
	w := newWait(s.in, q, distinct(folders), WatchOptions{FirstWait: pace.Initial, MaxWait: pace.Max})
	w.lenient, w.pace = true, &pace
	w.fits = func(m *Message) bool { return m.Header.MessageID() == messageID }
	m, folder, err := w.run(ctx)
	if err != nil && ctx.Err() != nil {
		err = &NotArrivedError{MessageID: messageID, Folders: folders, Waited: time.Since(began), Err: err}
	}
	return m, folder, err
}
