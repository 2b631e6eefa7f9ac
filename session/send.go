package session

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Envelope is what the servers on the way see: who sends and who is to get
// the message (RFC 5321 section 2.3.1). Header fields play no part in it.
type Envelope struct {
	// From is the address that bounces go to. Empty is the null sender of
	// notifications.
	From string
	// To is every recipient's address, whether the header names it or not.
	To []string
	// SaveSent says whether the Session keeps a copy in the folder of sent mail.
	// It is not for servers.
	SaveSent SentPolicy
	// Reports asks the servers on the way for reports of delivery. nil leaves it to
	// them: they report what failed for good, and perhaps what is late.
	Reports *DeliveryReports
	// AllOrNone has the message sent only where the server agrees to every
	// recipient. Where it refuses one, nobody gets the message; the refusal of
	// the others' share is [ErrNotAll].
	AllOrNone bool
	// RequireTLS asks that the message goes on over verified TLS alone, on all
	// of its way (RFC 8689); it bounces where that cannot be. A server that does
	// not offer it, or that is reached without TLS or with a certificate that nobody
	// verifies, is left before anything is sent: the error matches
	// [errors.ErrUnsupported].
	RequireTLS bool
	// DeliverBy bounds the time that delivery may take. nil sets no bound.
	DeliverBy *DeliverBy
	// Priority is from -9 to 9, higher first; 0 is usual (RFC 6710). It is a wish:
	// a server that knows no priorities gets the message without it.
	Priority int
}

// ErrNotAll is why a message with [Envelope.AllOrNone] was not sent to the
// recipients that the server would have accepted.
var ErrNotAll = errors.New("another recipient was refused, and the message is for all of them or for nobody")

// DeliverBy bounds the time that delivery may take (RFC 2852). A server that does
// not know how, or not within so short a time, is left before anything is sent:
// the error matches [errors.ErrUnsupported].
type DeliverBy struct {
	// Within is the time from now on, in whole seconds. It has to be positive where
	// Return is set.
	Within time.Duration
	// Return has the message returned, and not delivered, where it is late.
	// Otherwise the sender is notified, and delivery goes on.
	Return bool
	// Trace asks each server on the way to report that it handed the message on.
	Trace bool
}

// DeliveryReports say what the servers on the way are to report to
// [Envelope.From], for each recipient (RFC 3461 section 4.1). All of them false
// asks for no report whatever happens. A server that does not know how is left
// before anything is sent: the error matches [errors.ErrUnsupported].
type DeliveryReports struct {
	// Success reports that the message is in the mailbox, Failure that it will
	// never be, and Delay that it takes long.
	Success, Failure, Delay bool
	// WholeMessage asks for all of the message in reports of failure instead of
	// its header.
	WholeMessage bool
	// ID comes back in the reports as Original-Envelope-Id: up to 100 printable
	// ASCII characters without spaces. It may be empty.
	ID string
}

// SendOptions say what the envelope of a draft has that does not follow from
// the draft.
type SendOptions struct {
	// ReturnPath is the address that bounces go to: one of their own for each
	// recipient of a newsletter, or that of a program whose server refuses the null
	// sender of its answers. Empty leaves it to the draft.
	ReturnPath string
	// Reports asks for reports of delivery, as in [Envelope.Reports].
	Reports *DeliveryReports
}

// envelope returns the envelope of a draft.
func (o *SendOptions) envelope(from string, to []string) Envelope {
	e := Envelope{From: from, To: to}
	if o != nil {
		e.From, e.Reports = cmp.Or(o.ReturnPath, from), o.Reports
	}
	return e
}

// SendOutcome is what became of a message.
type SendOutcome int

// The outcomes of sending.
const (
	// SentUnknown: the line was lost after the last byte of the message and
	// before the server's answer. It may be delivered or not; sending it again
	// may double it.
	SentUnknown SendOutcome = iota
	// NotSent: no recipient gets the message. It may be sent again.
	NotSent
	// Accepted: the server took the message for every recipient.
	Accepted
	// Partial: the server took the message for some recipients; see
	// Receipt.Recipients for which.
	Partial
)

// String returns "unknown", "not sent", "accepted" or "partial".
func (o SendOutcome) String() string {
	switch o {
	case SentUnknown:
		return "unknown"
	case NotSent:
		return "not sent"
	case Accepted:
		return "accepted"
	case Partial:
		return "partial"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// Receipt is what the server said of a message.
type Receipt struct {
	Outcome SendOutcome
	// Recipients has one entry for each of Envelope.To, in its order. It is
	// empty where the message never got as far as a connection.
	Recipients []Recipient
	// QueueID is the server's own name of the message, where it told one.
	QueueID string
	// MessageID is the message's Message-ID without angle brackets, to look for
	// it later.
	MessageID string
	// Copy is the sender's own copy in the folder of sent mail.
	Copy SentCopy
}

// Recipient is the server's answer for one recipient. Where Accepted is false
// and Err is nil, the server gave no final answer; Receipt.Outcome tells whether
// the message may have arrived all the same. Whom the server refused before the
// message left has Err also where the outcome is [SentUnknown].
type Recipient struct {
	// Address is that of the envelope.
	Address string
	// Accepted is true only where the server took the message for the
	// recipient.
	Accepted bool
	// Err says why the server refused the recipient: a protocol's error with
	// its codes.
	Err error
}

// SendError says that a message was not accepted for everybody. It wraps the
// protocol's error.
type SendError struct {
	// Receipt is what the server said.
	Receipt Receipt
	// Err is the protocol's error.
	Err error
}

// Error returns what became of the message, and why.
func (e *SendError) Error() string {
	name := "message"
	if e.Receipt.MessageID != "" {
		name += " " + e.Receipt.MessageID
	}
	return fmt.Sprintf("%s %s: %v", name, e.Receipt.fate(), e.Err)
}

// fate says what became of the message, in words that follow "message".
func (r Receipt) fate() string {
	switch r.Outcome {
	case NotSent:
		return "not sent"
	case Accepted:
		return "accepted"
	case Partial:
		accepted := 0
		for _, rcpt := range r.Recipients {
			if rcpt.Accepted {
				accepted++
			}
		}
		return fmt.Sprintf("accepted for %d of %d recipients", accepted, len(r.Recipients))
	case SentUnknown:
	}
	return "sent, and the server's answer lost, so that it may be accepted or not"
}

// Unwrap returns the protocol's error.
func (e *SendError) Unwrap() error { return e.Err }
