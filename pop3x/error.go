package pop3x

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/sasl"
)

// What a connection was doing, as errors name it.
const (
	opGreeting = "greeting"
	opCapa     = "CAPA"
	opSTLS     = "STLS"
	opAuth     = "AUTH"
	opUser     = "USER"
	opPass     = "PASS"
	opAPOP     = "APOP"
	opUTF8     = "UTF8"
	opStat     = "STAT"
	opList     = "LIST"
	opUIDL     = "UIDL"
	opTop      = "TOP"
	opRetr     = "RETR"
	opDele     = "DELE"
	opRset     = "RSET"
	opNoop     = "NOOP"
	opQuit     = "QUIT"
)

// Error is a server's refusal, or an answer that makes no sense.
type Error struct {
	// Server is "host:port".
	Server string
	// Op is the command that was answered, such as "RETR", or "greeting".
	Op string
	// Code is the response code, such as "IN-USE" or "SYS/TEMP" (RFC 2449
	// section 8, RFC 3206), empty where the server sent none.
	Code string
	// Text is what the server said, or what is wrong with its answer, in one
	// line.
	Text string
	// Refused says that the server answered -ERR. Otherwise its answer was not
	// to be understood.
	Refused bool
	// Remedy says what to do, where that is known.
	Remedy string

	delay time.Duration
	ended bool // the session has ended with it, and a new one may fare better
}

// Error returns where, at what and with which words the server refused.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: ", e.Server, e.Op)
	if e.Refused {
		b.WriteString("server answered -ERR ")
	}
	if e.Code != "" {
		fmt.Fprintf(&b, "[%s] ", e.Code)
	}
	b.WriteString(e.Text)
	if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return strings.TrimSpace(b.String())
}

// Temporary reports whether the server says of itself that the trouble will
// pass: another session has the maildrop, the last sign-in was too short a
// while ago, or the system has a trouble (RFC 3206 section 4).
func (e *Error) Temporary() bool {
	switch e.Code {
	case codeInUse, codeLoginDelay, codeSysTemp:
		return true
	}
	return false
}

// Is makes an answer that ended the session match [io.ErrUnexpectedEOF].
func (e *Error) Is(target error) bool { return e.ended && target == io.ErrUnexpectedEOF }

// RetryAfter returns how long the server wants there to be between two
// sign-ins, where that was the trouble and the server tells.
func (e *Error) RetryAfter() time.Duration { return e.delay }

// The response codes that decide what is done (RFC 2449 section 8.1, RFC 3206).
const (
	codeInUse      = "IN-USE"
	codeLoginDelay = "LOGIN-DELAY"
	codeSysTemp    = "SYS/TEMP"
	codeSysPerm    = "SYS/PERM"
	codeAuth       = "AUTH"
)

// refusal makes an error of an answer of -ERR.
func (c *conn) refusal(op string, r reply) *Error {
	e := &Error{Server: c.server, Op: op, Code: r.code, Text: clean(r.text), Refused: true}
	if e.Code == "" && signingIn(op) && locked(e.Text) {
		e.Code = codeInUse
	}
	switch e.Code {
	case codeAuth:
		e.ended = !signingIn(op) // the token that opened the session has expired
	case codeInUse:
		e.Remedy = "another session has the maildrop; try again when it has ended"
	case codeLoginDelay:
		e.delay = c.caps.loginDelay()
		e.Remedy = "the server wants more time between two sign-ins"
	case codeSysPerm:
		if signingIn(op) {
			e.Remedy = "check that POP is switched on for the mailbox; a new password or token does not help"
		}
	}
	return e
}

func signingIn(op string) bool {
	return op == opAuth || op == opUser || op == opPass || op == opAPOP || op == opGreeting
}

// locked recognizes the words of servers without response codes for a maildrop
// that another session has. An account may be locked too, which is no matter of
// time.
func locked(text string) bool {
	text = strings.ToLower(text)
	return (strings.Contains(text, "maildrop") || strings.Contains(text, "mailbox") || strings.Contains(text, "mail drop")) &&
		(strings.Contains(text, "lock") || strings.Contains(text, "in use") || strings.Contains(text, "busy"))
}

// refused reports whether err is the refusal of credentials.
func refused(err error) bool {
	e, is := errors.AsType[*Error](err)
	return is && e.Refused && signingIn(e.Op) && e.Op != opGreeting && !e.Temporary() && e.Code != codeSysPerm
}

func remedy(error) string { return "" }

// answered reports whether err is about the answer to one command, so that the
// connection can serve further ones.
func answered(err error) bool {
	e, is := errors.AsType[*Error](err)
	return is && e.Refused && !e.Temporary() && !e.ended
}

// signInError gives USER, PASS and APOP the form that a failed exchange of SASL
// has, so that the name of the way is told.
func signInError(way string, err error) error { return &sasl.Error{Mechanism: way, Err: err} }
