package smtpx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-smtp"
)

// Error is a server's refusal, or an answer that makes no sense. [errors.As]
// finds a [*smtp.SMTPError] with the same codes in it, so that a server built
// on go-smtp can hand it on.
type Error struct {
	// Server is the "host:port" that answered.
	Server string

	// Op is the command that was refused: "EHLO", "STARTTLS", "AUTH", "MAIL",
	// "RCPT", "DATA" or "RSET"; "greeting" for the server's first line and
	// "message" for its answer to the last byte of a message.
	Op string

	// Recipient is the address that a RCPT was about.
	Recipient string

	// Code is the three-digit reply code (RFC 5321 section 4.2.3), 0 where the
	// answer was not SMTP.
	Code int

	// Enhanced is the status code of RFC 3463, zero where the server sent
	// none.
	Enhanced smtp.EnhancedCode

	// Text is what the server said, without the codes, in one line.
	Text string

	// Remedy says what to do, where that is known.
	Remedy string

	spent bool // it is the connection that will not do any more, and a new one will
}

// Error returns where, at what and with which codes and words the server refused.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Server, e.Op)
	if e.Recipient != "" {
		fmt.Fprintf(&b, " %s", e.Recipient)
	}
	b.WriteString(": ")
	if e.Code != 0 {
		fmt.Fprintf(&b, "%d ", e.Code)
	}
	if e.Enhanced != (smtp.EnhancedCode{}) {
		fmt.Fprintf(&b, "%d.%d.%d ", e.Enhanced[0], e.Enhanced[1], e.Enhanced[2])
	}
	b.WriteString(e.Text)
	if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return b.String()
}

// Unwrap returns the codes and the text as a [*smtp.SMTPError], nil where the
// answer was not SMTP.
func (e *Error) Unwrap() error {
	if e.Code == 0 {
		return nil
	}
	return &smtp.SMTPError{Code: e.Code, EnhancedCode: e.Enhanced, Message: e.Text}
}

// Temporary reports whether the server says that the same may succeed later. A 552
// for too many recipients counts as 452, as RFC 5321 section 4.5.3.1.10 wants it.
func (e *Error) Temporary() bool { return e.Code/100 == 4 || e.TooManyRecipients() }

// TooManyRecipients reports whether a recipient was refused since the message has as
// many as the server takes at a time, by the code that RFC 5321 has for it or that of
// RFC 821. The message may be sent to the rest at once.
func (e *Error) TooManyRecipients() bool {
	return e.Op == opRcpt && (e.Code == 452 || e.Code == 552) &&
		(e.Enhanced == smtp.EnhancedCode{e.Code / 100, 5, 3} || strings.Contains(strings.ToLower(e.Text), "too many recipients"))
}

// ConcernsAll reports whether the server refused whoever sends, and not one message:
// it wants a sign-in, or STARTTLS, before it takes mail.
func (e *Error) ConcernsAll() bool { return e.Op == opMail && e.Code == codeSignInFirst }

// ExtensionError says that a message, or the settings, need what the server
// does not offer. Nothing of the message was sent. It matches
// [errors.ErrUnsupported].
type ExtensionError struct {
	// Server is the "host:port" that was asked.
	Server string
	// Extension is the keyword that its answer to EHLO lacks: "STARTTLS",
	// "AUTH", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS" or "DELIVERBY".
	Extension string
	// Remedy says what to do.
	Remedy string
}

// Error returns what the server does not offer, and what to do.
func (e *ExtensionError) Error() string {
	return fmt.Sprintf("%s does not offer %s; %s", e.Server, e.Extension, e.Remedy)
}

// Unwrap returns [errors.ErrUnsupported].
func (e *ExtensionError) Unwrap() error { return errors.ErrUnsupported }

// SizeError says that a message is larger than what the server takes (RFC
// 1870). Nothing of it was sent, but where its size was not known beforehand: it
// was broken off at the limit then, and nobody gets it.
type SizeError struct {
	Server string // "host:port"
	Size   int64  // of the message on the line, in bytes; -1 where it was not known beforehand
	Limit  int64  // of the server, in bytes
}

// Error returns both sizes.
func (e *SizeError) Error() string {
	if e.Size < 0 {
		return fmt.Sprintf("%s takes messages of up to %d bytes, this one has more; it was not sent", e.Server, e.Limit)
	}
	return fmt.Sprintf("%s takes messages of up to %d bytes, this one has %d; nothing was sent", e.Server, e.Limit, e.Size)
}

// LimitError says that a message has more recipients than the server takes at a
// time (RFC 9422). Nothing of it was sent. It is not cut into several messages
// here: each of them would have an outcome of its own.
type LimitError struct {
	Server string // "host:port"
	Limit  string // "RCPTMAX", or "RCPTDOMAINMAX" for the recipients' domains
	Most   int    // what the server takes
	Count  int    // what the message has
}

// Error returns the limit, and what to do.
func (e *LimitError) Error() string {
	what := "recipients"
	if e.Limit == limitDomains {
		what = "domains of recipients"
	}
	return fmt.Sprintf("%s takes up to %d %s a message (%s), this one has %d: send it in several; nothing was sent",
		e.Server, e.Most, what, e.Limit, e.Count)
}

// AddressError says that an address cannot stand in an envelope. Nothing was
// sent.
type AddressError struct {
	Address string // as it was given
	Reason  string // what is wrong with it, in words that follow it
}

// Error returns the address, and what is wrong with it.
func (e *AddressError) Error() string {
	return fmt.Sprintf("the envelope address %q %s; nothing was sent", e.Address, e.Reason)
}
