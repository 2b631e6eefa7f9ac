package message

import (
	"crypto/rand"
	"encoding/hex"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// A Draft is a message that is being written. [Draft.Source] gives its bytes.
// It is for one goroutine at a time.
type Draft struct {
	// From is the author. It is required.
	From mail.Address
	// Sender is who sends on behalf of From, if that is someone else (RFC 5322
	// section 3.6.2).
	Sender mail.Address
	// ReplyTo are the addresses that answers are to go to, if not to From.
	ReplyTo []mail.Address
	// To, Cc and Bcc are the recipients. Bcc is never written into the message.
	To, Cc, Bcc []mail.Address
	// Subject is the subject, in whatever script.
	Subject string
	// Text is the plain text, with LF or CR LF at the ends of lines.
	Text string
	// MessageID identifies the message, with or without angle brackets. Where it
	// is empty, Source fills in one that is unique.
	MessageID string
	// Date is when the message was written. Where it is zero, Source fills in the
	// current time.
	Date time.Time
	// InReplyTo and References are the identifiers of the messages that this one
	// answers, with or without angle brackets; of References the oldest first.
	InReplyTo, References []string
	// AutoSubmitted is "auto-replied" for the answer of a program to a message,
	// "auto-generated" for other mail of programs, and empty or "no" for that of
	// people (RFC 3834). Programs do not answer what is automatic.
	AutoSubmitted string
	// Extra are further fields, in this order. They may not be any that a Draft
	// has a place for, nor those of MIME.
	Extra []Field
}

// A Field is a header field.
type Field struct {
	Name string
	// Value is text; characters outside of ASCII are written as encoded words.
	Value string
}

// A FieldError tells that a field of a [Draft] cannot be written.
type FieldError struct {
	// Field is the name of the header field.
	Field string
	// Problem is what is wrong with it.
	Problem string
}

// Error says which field is wrong and what about it, without its content.
func (e *FieldError) Error() string { return "message: draft: " + e.Field + ": " + e.Problem }

// Source returns the message as it is sent: header and text with CR LF at the
// ends of lines, in ASCII but for addresses outside of ASCII, which are written
// as UTF-8 (RFC 6532) and need a server with SMTPUTF8. No line is longer than
// 998 bytes.
//
// The first call settles MessageID and Date where they are not set, so that the
// message stays the same message however often it has to be sent. A Draft that
// is not changed gives the same bytes each time. The error is a [*FieldError].
func (d *Draft) Source() (Source, error) {
	if err := d.settle(); err != nil {
		return nil, err
	}
	var w headerWriter
	w.plain("Date", formatDate(d.Date))
	w.addresses("From", d.From)
	if d.Sender != (mail.Address{}) {
		w.addresses("Sender", d.Sender)
	}
	w.addresses("Reply-To", d.ReplyTo...)
	w.addresses("To", d.To...)
	w.addresses("Cc", d.Cc...)
	w.text("Subject", d.Subject)
	w.ids("Message-ID", d.MessageID)
	w.ids("In-Reply-To", d.InReplyTo...)
	w.ids("References", d.References...)
	if d.AutoSubmitted != "" {
		w.token("Auto-Submitted", d.AutoSubmitted)
	}
	for _, f := range d.Extra {
		w.extra(f)
	}
	for _, a := range d.Bcc {
		w.check("Bcc", a)
	}
	w.plain("MIME-Version", "1.0")
	body := w.body(d.Text)
	if w.err != nil {
		return nil, w.err
	}
	return Bytes(append(w.buf, body...)), nil
}

// settle fills in what makes the message the one that it is.
func (d *Draft) settle() error {
	if d.From.Address == "" {
		return &FieldError{"From", "is missing; every message has an author"}
	}
	if d.Date.IsZero() {
		d.Date = time.Now().Truncate(time.Second)
	}
	if d.MessageID == "" {
		d.MessageID = newID(d.From.Address)
	}
	if d.Date.Year() < 1900 || d.Date.Year() > 9999 {
		return &FieldError{"Date", "is not in a year of four digits after 1900"}
	}
	return nil
}

// Recipients returns the addresses of To, Cc and Bcc in this order, each once,
// in the form that SMTP takes: a local part with special characters is in
// quotes (RFC 5321 section 4.1.2). Two addresses are the same if they differ
// only in the case of the domain.
func (d *Draft) Recipients() []string {
	var list []string
	seen := make(map[string]bool)
	for _, a := range slices.Concat(d.To, d.Cc, d.Bcc) {
		key := addressKey(a.Address)
		if a.Address == "" || seen[key] {
			continue
		}
		seen[key] = true
		list = append(list, quoteAddress(a.Address))
	}
	return list
}

// ReturnPath returns the address that stands as the sender of the envelope, to
// which bounces go: that of Sender, or else of From, in the form that SMTP
// takes.
func (d *Draft) ReturnPath() string {
	if d.Sender.Address != "" {
		return quoteAddress(d.Sender.Address)
	}
	return quoteAddress(d.From.Address)
}

// addressKey returns a, with its domain in lower case.
func addressKey(a string) string {
	i := strings.LastIndexByte(a, '@') + 1
	return a[:i] + strings.ToLower(a[i:])
}

// formatDate returns t in the form of RFC 5322 section 3.3, in its zone if that
// is whole minutes from UTC.
func formatDate(t time.Time) string {
	if _, offset := t.Zone(); offset%60 != 0 {
		t = t.UTC()
	}
	return t.Format("Mon, 02 Jan 2006 15:04:05 -0700")
}

// newID returns a new message identifier in the domain of address.
func newID(address string) string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if domain == "" || strings.ContainsFunc(domain, func(r rune) bool { return !isAtom(r) && r != '.' }) {
		domain = "localhost"
	}
	return hex.EncodeToString(random) + "@" + domain
}
