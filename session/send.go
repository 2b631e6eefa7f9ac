package session

import (
	"fmt"
	"strings"
)

// Envelope is what the servers on the way see: who sends and who is to get
// the message (RFC 5321 section 2.3.1). Header fields play no part in it.
type Envelope struct {
	// From is the address that bounces go to. Empty is the null sender of
	// notifications.
	From string
	// To is every recipient's address, whether the header names it or not.
	To []string
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
	// Recipients has one entry for each of Envelope.To, in its order, as far
	// as the server answered.
	Recipients []Recipient
	// QueueID is the server's own name of the message, where it told one.
	QueueID string
	// MessageID is the message's Message-ID without angle brackets, to look for
	// it later.
	MessageID string
}

// Recipient is the server's answer for one recipient.
type Recipient struct {
	Address  string
	Accepted bool
	// Err says why the recipient was refused: a protocol's error with its
	// codes.
	Err error
}

// SendError says that a message was not accepted for everybody. It wraps the
// protocol's error.
type SendError struct {
	Receipt Receipt
	Err     error
}

func (e *SendError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "message %v", e.Receipt.Outcome)
	if e.Receipt.MessageID != "" {
		fmt.Fprintf(&b, " (Message-ID %s)", e.Receipt.MessageID)
	}
	refused := 0
	for _, r := range e.Receipt.Recipients {
		if r.Err != nil {
			refused++
		}
	}
	if refused > 0 {
		fmt.Fprintf(&b, ", %d of %d recipients refused", refused, len(e.Receipt.Recipients))
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the protocol's error.
func (e *SendError) Unwrap() error { return e.Err }
