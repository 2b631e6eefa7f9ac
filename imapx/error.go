package imapx

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
)

// Error is a server's refusal, in its own words.
type Error struct {
	// Server is "host:port".
	Server string
	// Op is what was asked for: "select", "fetch", "move".
	Op string
	// Type is "NO", "BAD" or "BYE".
	Type string
	// Code is the response code without brackets and arguments, such as
	// "NONEXISTENT" or "OVERQUOTA" (RFC 5530), empty where there is none.
	Code string
	// Text is what the server says to people.
	Text string
}

// Error returns where, at what and with which words the server refused.
func (e *Error) Error() string {
	code := ""
	if e.Code != "" {
		code = " [" + e.Code + "]"
	}
	return fmt.Sprintf("%s: %s: server answered %s%s %s", e.Server, e.Op, e.Type, code, e.Text)
}

// Temporary reports whether the server says of itself that the trouble will
// pass (RFC 5530 and the throttling codes of large providers).
func (e *Error) Temporary() bool {
	switch e.Code {
	case "UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED":
		return true
	}
	return e.Type == "BYE"
}

// Is makes a goodbye match [io.ErrUnexpectedEOF], since it ends the connection,
// and what the codes say match what the other backends say in the same way.
func (e *Error) Is(target error) bool {
	switch target {
	case io.ErrUnexpectedEOF:
		return e.Type == "BYE"
	case session.ErrNoFolder:
		return e.Code == "TRYCREATE" || e.Code == "NONEXISTENT"
	case session.ErrOverQuota:
		return e.Code == "OVERQUOTA"
	case session.ErrFolderExists:
		return e.Code == "ALREADYEXISTS" || e.Op == "create" && e.Type == "NO" && e.Code == "" && saysExists(e.Text)
	}
	return false
}

// saysExists reports whether a server without a code for it says that a folder is
// there already.
func saysExists(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "already exist") || strings.Contains(text, "mailbox exists") || strings.Contains(text, "folder exists")
}

// refused reports whether err is the refusal of credentials.
func refused(err error) bool {
	if !isSASL(err) {
		return notConnected(err)
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.Type != "BYE" && !e.Temporary()
}

func isSASL(err error) bool {
	_, ok := errors.AsType[*sasl.Error](err)
	return ok
}

// notConnected recognizes Exchange's way to say, one command after it took the
// token, that the token opens no mailbox.
func notConnected(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && strings.Contains(e.Text, "authenticated but not connected")
}

func remedy(err error) string {
	if notConnected(err) {
		return "the token is good but does not open this mailbox: check that User is the mailbox of the person who signed in, or one that person has full access to, that it has a licence, and that IMAP is switched on for it"
	}
	return ""
}

// explain turns what ended an operation into what a caller sees: the server's
// answer, or why the connection died.
func (c *conn) explain(op string, err error) error {
	if notConnected(err) {
		return &session.AuthError{Server: c.address, User: c.user, Mechanism: c.mechanism, Remedy: remedy(err), Err: err}
	}
	if _, answered := errors.AsType[*Error](err); err == nil || answered {
		return err
	}
	cause := c.wire.Err()
	if cause == nil {
		return err
	}
	if c.bye != "" && !backend.Deliberate(cause) {
		cause = &Error{Server: c.address, Op: op, Type: "BYE", Text: c.bye}
	}
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF // no connection ends by itself during an operation
	}
	return &backend.LostError{Server: c.address, Op: op, Err: cause}
}

// noMessage says that the message an operation is about is gone.
func (c *conn) noMessage(op string) error {
	return fmt.Errorf("%s: %s: %w", c.address, op, session.ErrNoMessage)
}

// partError says that a change was made in part, and that making it once more
// would double that part.
type partError struct{ err error }

func (e *partError) Error() string { return e.err.Error() }
func (e *partError) Unwrap() error { return e.err }

// Temporary returns false, whatever the cause says of itself.
func (*partError) Temporary() bool { return false }

// LeftCopies returns true: messages that were to be moved may be in both folders.
func (*partError) LeftCopies() bool { return true }
