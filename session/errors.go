package session

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/oauth"
)

// What several backends say in the same way. Their errors wrap these.
var (
	// ErrNoFolder: the mailbox has no such folder.
	ErrNoFolder = errors.New("no such folder")
	// ErrFolderExists: there is a folder at the path already, or one whose path the
	// server takes for the same.
	ErrFolderExists = errors.New("the folder is there already")
	// ErrNoMessage: the message is gone, moved or deleted by somebody.
	ErrNoMessage = errors.New("no such message any more")
	// ErrOtherMailbox: the id belongs to another mailbox or another protocol.
	ErrOtherMailbox = errors.New("the id belongs to another mailbox")
	// ErrStaleID: the server has renumbered the folder since the id was made;
	// list the folder again.
	ErrStaleID = errors.New("the id is from before the server renumbered the folder; list the folder again")
	// ErrOtherFolder: the id that a query goes on behind is of another folder than
	// the query.
	ErrOtherFolder = errors.New("the id belongs to another folder")
	// ErrChanged: somebody changed the message since the version that the change
	// depends on; look at it again.
	ErrChanged = errors.New("the message was changed meanwhile; look at it again")
	// ErrOverQuota: the mailbox has no room for more; somebody has to remove
	// messages, or to grant more room.
	ErrOverQuota = errors.New("the mailbox is full")
	// ErrEmptyMessage: what was to be sent or kept has no bytes, as a []byte that was
	// never set. Nothing is said of it to a server.
	ErrEmptyMessage = errors.New("there is no message: the source has no bytes, and a message has a header at least (RFC 5322 section 3.6)")
	// ErrClosed: the backend was closed.
	ErrClosed = errors.New("closed")
)

// ModeError says that the Session's mode forbids an operation.
type ModeError struct {
	// Mode is the Session's.
	Mode Mode
	// Op is what was forbidden, in words that follow "to".
	Op string
}

// Error returns what the mode forbids.
func (e *ModeError) Error() string {
	return fmt.Sprintf("session: the mode %v does not allow to %s", e.Mode, e.Op)
}

// ItemError says that one message could not be read; others can.
type ItemError struct {
	// ID is the message.
	ID ID
	// Err is why it could not be read.
	Err error
}

// Error returns which message could not be read, and why.
func (e *ItemError) Error() string { return fmt.Sprintf("message %v: %v", e.ID, e.Err) }

// Unwrap returns the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// AuthError says that a server refused the credentials. It wraps the
// protocol's error with the server's own words.
type AuthError struct {
	// Server is "host:port".
	Server string
	// User is the name that was refused.
	User string
	// Mechanism is the SASL mechanism, or "LOGIN" for IMAP's command.
	Mechanism string
	// Status, Schemes and Scope are from the JSON that the server sent when it
	// refused a token (RFC 7628 section 3.2.2). Microsoft's servers send none.
	Status, Schemes, Scope string
	// Challenge is that JSON as it came, cut where it is very long.
	Challenge string
	// Remedy says what to do.
	Remedy string
	// Err is the protocol's error.
	Err error
}

// Error returns who was refused where, the server's words and the remedy.
func (e *AuthError) Error() string {
	var b strings.Builder
	switch {
	case e.Mechanism != "":
		fmt.Fprintf(&b, "%s refused %s for %s", e.Server, e.Mechanism, e.User)
	case e.User != "": // who gave nothing to sign in with
		fmt.Fprintf(&b, "%s refused %s", e.Server, e.User)
	default:
		b.WriteString(e.Server + " refuses who does not sign in")
	}
	if e.Err != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Err.Error(), e.Server+": "))
	}
	if e.Challenge != "" {
		fmt.Fprintf(&b, " (%s)", e.Challenge)
	}
	if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return b.String()
}

// Unwrap returns the protocol's error.
func (e *AuthError) Unwrap() error { return e.Err }

// Temporary reports whether the same operation may succeed later without
// anybody doing anything. Whether a message may be sent again is another
// question, see [SendOutcome].
func Temporary(err error) bool {
	if oauth.Temporary(err) {
		return true
	}
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// RetryAfter returns how long the server asked to wait, zero where it did not.
func RetryAfter(err error) time.Duration {
	if d := oauth.RetryAfter(err); d > 0 {
		return d
	}
	r, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err)
	if !ok {
		return 0
	}
	return r.RetryAfter()
}

// NeedsSignIn reports whether a person has to sign in again, or to correct the
// password.
func NeedsSignIn(err error) bool {
	if oauth.NeedsSignIn(err) {
		return true
	}
	_, ok := errors.AsType[*AuthError](err)
	return ok
}
