package mailtest

import (
	"math"
	"strings"
	"time"
)

// The occasions of a connection that are not commands but can have a [Fault].
// An empty Fault.Command does not stand for them.
const (
	// Handshake is the TLS handshake, of a TLS connection or after STARTTLS.
	Handshake = "HANDSHAKE"
	// Greeting is the server's first line.
	Greeting = "GREETING"
	// Continue is the server's invitation to send the rest of a command, such
	// as the "+" before an IMAP literal. The challenges of signing in belong to
	// their command instead.
	Continue = "+"
	// Content is the arrival of a message's bytes, after DATA or in a chunk of
	// BDAT. Here a fault's StopAfter, CallAfter and Chunk count bytes that the
	// client sends, and Before and Reply go out when CallAfter of them have come:
	// the server hangs up within a message, falls silent, or reads slowly. Where
	// there is a Reply, it is what a Stop waits for. Contains looks at the command
	// that announced the bytes.
	Content = "CONTENT"
)

// Fault is one thing that a fake server does wrong. The first group of fields
// says when, the second what; fields of the second group combine. Make one with
// a constructor such as [Silence], [Reply] or [Drop], change fields where
// needed, and give it to a fake server's Inject method.
//
// A fault belongs to all connections of the server together. Where several fit
// a command, the one injected first is used, and the others do not count that
// command.
type Fault struct {
	// Command is the name of the command that is answered wrongly, in any case:
	// "FETCH", "MAIL", "RETR". Part of a name that ends in it is enough, so
	// that "FETCH" also fits "UID FETCH". The empty string fits every command.
	// [Handshake], [Greeting], [Continue] and [Content] name other occasions.
	Command string
	// Contains restricts the fault to commands whose line, as it appears in
	// [Command.Line], contains this text, in any case.
	Contains string
	// Skip is how many fitting commands are answered properly before.
	Skip int
	// Times is how many fitting commands are then answered wrongly: once where
	// it is 0, without end where it is negative.
	Times int

	// Call, if not nil, is run by the server after CallAfter bytes of the answer,
	// or at its end if it is shorter, with all bytes before already sent; where
	// CallAfter is 0, that is before the command is carried out. It is the place
	// to change the mailbox under the client's hands, or to wait for something.
	// It must not close the server, which waits for it.
	Call      func()
	CallAfter int
	// Delay is how long the server waits before it does anything.
	Delay time.Duration
	// Before is sent as it stands ahead of the answer.
	Before string
	// Reply is the answer given in place of carrying out the command, without
	// its last line end; lines are parted by CRLF. An IMAP server puts the
	// command's tag before the last line, unless that starts with "* " or "+ ".
	Reply string
	// Refuse makes the server answer as it does where the command is not
	// allowed, above all a sign-in: with the mechanism's error challenge first.
	Refuse bool
	// Expire makes the access token expire that the client signed in with. A
	// sign-in is refused as by Refuse. In answer to any other command the server
	// takes its leave in the words of its protocol, without carrying the command
	// out, and closes the connection. From then on no connection of the server
	// takes that token. A client that signed in with a password is sent away
	// and let in again.
	Expire bool
	// Ignore makes the server pass the command over: it is not carried out and
	// gets no answer, while later commands do.
	Ignore bool
	// SizeError is added to every size announced ahead of data, such as that of
	// an IMAP literal.
	SizeError int
	// Line, if not nil, is given each line of the answer with its CRLF, counted
	// from 1, and returns what is sent in its place: nothing, the line twice,
	// another line. What is called a byte of the answer elsewhere in a Fault is
	// then one of what it returned. Only CRLF ends a line.
	Line func(n int, line string) string
	// Chunk and Pause make a slow line: the answer goes out Chunk bytes at a time
	// (1 where that is 0), with a Pause after each.
	Chunk int
	Pause time.Duration
	// Stop is what happens after StopAfter bytes of the answer, or at its end if
	// it is shorter. The command itself has been carried out; set Ignore for one
	// that has not. StopAfter may be [HalfLine].
	Stop      Stop
	StopAfter int
	// After is sent as it stands behind the answer, together with it.
	After string
}

// HalfLine as Fault.StopAfter stops in the middle of the first line.
const HalfLine = -1

// Stop is how a connection ends in a [Fault].
type Stop int

const (
	// StopNever goes on as if nothing had happened.
	StopNever Stop = iota
	// StopSilent sends nothing more and keeps the connection open until the
	// client or the server's Close ends it.
	StopSilent
	// StopClose closes the connection.
	StopClose
)

// Silence carries out the command and never answers, on a connection that stays
// open.
func Silence(command string) Fault { return Fault{Command: command, Stop: StopSilent} }

// Half sends half of the answer's first line and then nothing more, on a
// connection that stays open.
func Half(command string) Fault {
	return Fault{Command: command, Stop: StopSilent, StopAfter: HalfLine}
}

// Drop closes the connection after n bytes of the answer, or at its end if it
// is shorter. With n = 0 the command is carried out but not answered.
func Drop(command string, n int) Fault {
	return Fault{Command: command, Stop: StopClose, StopAfter: n}
}

// Reply answers with the line instead of carrying out the command: an IMAP
// "NO [THROTTLED] wait", which gets the command's tag, or an SMTP
// "451 4.7.1 try later".
func Reply(command, line string) Fault { return Fault{Command: command, Reply: line} }

// Bye answers with the line instead of carrying out the command and closes the
// connection: IMAP's "* BYE shutting down", SMTP's "421 4.3.2 shutting down".
func Bye(command, line string) Fault {
	return Fault{Command: command, Reply: line, Stop: StopClose, StopAfter: len(line) + len("\r\n")}
}

// Refuse answers as if the command were not allowed. For a sign-in that is the
// whole dance of a refused password or token.
func Refuse(command string) Fault { return Fault{Command: command, Refuse: true} }

// Expire ends the life of the client's access token with the command: see
// [Fault]. It is what becomes of a connection that is older than its token.
func Expire(command string) Fault { return Fault{Command: command, Expire: true} }

// Drip sends the answer n bytes at a time and pauses after each.
func Drip(command string, n int, pause time.Duration) Fault {
	return Fault{Command: command, Chunk: n, Pause: pause}
}

// Delay waits before carrying out the command.
func Delay(command string, wait time.Duration) Fault { return Fault{Command: command, Delay: wait} }

// Before sends data as it stands ahead of the proper answer.
func Before(command, data string) Fault { return Fault{Command: command, Before: data} }

// After sends data as it stands behind the proper answer, in the same write.
// After("STARTTLS", …) plays somebody who injects plain text ahead of TLS.
func After(command, data string) Fault { return Fault{Command: command, After: data} }

// WrongSize announces data as delta bytes longer, or shorter, than what is sent.
func WrongSize(command string, delta int) Fault { return Fault{Command: command, SizeError: delta} }

// Lines changes the answer line by line: see [Fault.Line].
func Lines(command string, change func(n int, line string) string) Fault {
	return Fault{Command: command, Line: change}
}

// WithoutLine leaves out line n of the answer, counted from 1.
func WithoutLine(command string, n int) Fault {
	return onLine(command, n, func(string) string { return "" })
}

// RepeatLine sends line n of the answer twice, counted from 1.
func RepeatLine(command string, n int) Fault {
	return onLine(command, n, func(line string) string { return line + line })
}

// ReplaceLine sends the text, which may be empty, as line n of the answer,
// counted from 1. It gets the line end.
func ReplaceLine(command string, n int, text string) Fault {
	return onLine(command, n, func(string) string { return text + "\r\n" })
}

// DropAfterLine closes the connection behind line n of the answer, counted from
// 1. The command has been carried out.
func DropAfterLine(command string, n int) Fault {
	f := Lines(command, func(i int, line string) string {
		if i > n {
			return ""
		}
		return line
	})
	f.Stop, f.StopAfter = StopClose, math.MaxInt
	return f
}

// onLine changes one line of the answer.
func onLine(command string, n int, change func(line string) string) Fault {
	return Lines(command, func(i int, line string) string {
		if i == n {
			return change(line)
		}
		return line
	})
}

// Call runs f in the server before the command is carried out.
func Call(command string, f func()) Fault { return Fault{Command: command, Call: f} }

// CallAfter runs f in the server when n bytes of the answer have been sent.
func CallAfter(command string, n int, f func()) Fault {
	return Fault{Command: command, Call: f, CallAfter: n}
}

// Skipping returns the fault with Skip set: n fitting commands are answered
// properly first.
func (f Fault) Skipping(n int) Fault {
	f.Skip = n
	return f
}

// Repeating returns the fault with Times set: n fitting commands are answered
// wrongly, or all that come where n is negative.
func (f Fault) Repeating(n int) Fault {
	f.Times = n
	return f
}

// Containing returns the fault with Contains set: only commands whose line
// contains the text are answered wrongly.
func (f Fault) Containing(text string) Fault {
	f.Contains = text
	return f
}

// Fits reports whether a command of this name and line is one that the fault is
// about. It does not look at Skip and Times.
func (f Fault) Fits(name, line string) bool {
	if !containsFold(line, f.Contains) {
		return false
	}
	if f.Command == "" {
		return name != Handshake && name != Greeting && name != Continue && name != Content
	}
	if strings.EqualFold(name, f.Command) {
		return true
	}
	before, ok := cutSuffixFold(name, f.Command)
	return ok && strings.HasSuffix(before, " ")
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func cutSuffixFold(s, suffix string) (before string, found bool) {
	if n := len(s) - len(suffix); n >= 0 && strings.EqualFold(s[n:], suffix) {
		return s[:n], true
	}
	return s, false
}
