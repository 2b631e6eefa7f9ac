package message

import (
	"crypto/rand"
	"encoding/hex"
	"net/mail"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// A Draft is a message that is being written. [Draft.Source] gives its bytes.
// It is for one goroutine at a time.
//
// Text, HTML and Calendar are the same message in several forms; a mail program
// shows the last of them that it can. All of them may be empty.
type Draft struct {
	// From is the author. It is required.
	From mail.Address
	// Sender is who sends on behalf of From, if that is someone else (RFC 5322
	// section 3.6.2).
	Sender mail.Address
	// ReplyTo are the addresses that answers are to go to, if not to From.
	ReplyTo []mail.Address
	// To, Cc and Bcc are the recipients. Bcc is never written into the message; one
	// that has nobody else is to "undisclosed-recipients:;".
	To, Cc, Bcc []mail.Address
	// Subject is the subject, in whatever script.
	Subject string
	// Text is the plain text, with LF or CR LF at the ends of lines.
	Text string
	// HTML is the text as a page. Pictures that are in Files are referred to by
	// their ContentID, as <img src="cid:logo@example.com">.
	HTML string
	// TextFromHTML has [HTMLText] write the plain text where there is HTML and no
	// Text. Programs that show no HTML, and filters that look for text, thank it.
	TextFromHTML bool
	// Flowed writes Text as format=flowed (RFC 3676): lines longer than 76
	// characters are broken in such a way that a reader's program joins them again
	// and breaks them where its window ends. A line of Text is then a paragraph.
	// White space at the ends of lines is lost.
	Flowed bool
	// EightBit lets text that is not ASCII travel as it is (8bit) instead of as
	// quoted-printable or base64, where its lines are short enough. Servers have to
	// offer 8BITMIME (RFC 6152), which nearly all do.
	EightBit bool
	// Calendar is an iCalendar object (RFC 5545), such as an invitation. What it
	// asks for by its METHOD is told in the Content-Type too (RFC 6047 section
	// 2.4).
	Calendar string
	// Files are attachments, and pictures that HTML shows.
	Files []DraftFile
	// MessageID identifies the message, with or without angle brackets. Where it
	// is empty, Source fills in one that is unique.
	MessageID string
	// Date is when the message was written. Where it is zero, Source fills in the
	// current time.
	Date time.Time
	// InReplyTo and References are the identifiers of the messages that this one
	// answers, with or without angle brackets; of References the oldest first.
	InReplyTo, References []string
	// Importance is how much the author thinks of it.
	Importance Importance
	// ReceiptTo are those who want to know that the message was read (RFC 8098).
	// The reader's program asks the reader, or does nothing. Reports of delivery
	// are asked of servers, in the envelope of the session package.
	ReceiptTo []mail.Address
	// Unsubscribe are addresses by which a recipient gets no more of such
	// messages, https and mailto, the preferred one first (RFC 2369 section 3.2).
	Unsubscribe []string
	// OneClick says that a POST to the https address among Unsubscribe does it
	// without another question (RFC 8058), as large providers want it of whoever
	// sends to many. It counts for them only where the message has a DKIM signature
	// over both fields.
	OneClick bool
	// AutoSubmitted is "auto-replied" for the answer of a program to a message,
	// "auto-generated" for other mail of programs, and empty or "no" for that of
	// people (RFC 3834). Programs do not answer what is automatic.
	AutoSubmitted string
	// Extra are further fields, in this order. They may not be any that a Draft
	// has a place for, nor those of MIME.
	Extra []Field
}

// An Importance is how much the author of a message thinks of it. The zero value
// says nothing.
type Importance string

// The importance of a message. They are written as Importance (RFC 4021 section
// 2.1.54), Priority, and X-Priority, each of which some programs read alone.
const (
	ImportanceHigh Importance = "high"
	ImportanceLow  Importance = "low"
)

// A Field is a header field.
type Field struct {
	Name string
	// Value is text; words outside of ASCII are written as encoded words.
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
// ends of lines, in ASCII but for what EightBit and attached messages bring, and
// for addresses with a local part outside of ASCII, which are written as UTF-8
// (RFC 6532) and need a server with SMTPUTF8. International domains of others are
// written as xn--. No line is longer than 998 bytes.
//
// Parts are put into multipart/alternative, multipart/related and
// multipart/mixed, each only where it holds more than one. Files are read as the
// message is read, in memory that does not grow with them. The Size of the
// Source is known if that of each file is. Open opens all files, so that one
// which is missing shows before anything is sent.
//
// The first call settles MessageID and Date where they are not set, so that the
// message stays the same message however often it has to be sent. A Draft that
// is not changed gives the same bytes each time. The error is a [*FieldError], or
// that of reading an attached message, which is looked through beforehand.
func (d *Draft) Source() (Source, error) {
	if err := d.settle(); err != nil {
		return nil, err
	}
	c := composer{id: d.MessageID, eightBit: d.EightBit}
	d.header(&c.w)
	root := d.tree(&c)
	if c.w.err != nil {
		return nil, c.w.err
	}
	return c.source(root)
}

// header writes the fields of the message but for those of its content.
func (d *Draft) header(w *headerWriter) {
	w.plain("Date", formatDate(d.Date))
	w.addresses("From", d.From)
	if d.Sender != (mail.Address{}) {
		w.addresses("Sender", d.Sender)
	}
	w.addresses("Reply-To", d.ReplyTo...)
	if len(d.To)+len(d.Cc) == 0 && len(d.Bcc) > 0 {
		w.plain("To", "undisclosed-recipients:;") // filters count a message to nobody as spam
	}
	w.addresses("To", d.To...)
	w.addresses("Cc", d.Cc...)
	w.text("Subject", d.Subject)
	w.ids("Message-ID", d.MessageID)
	w.ids("In-Reply-To", d.InReplyTo...)
	w.ids("References", d.References...)
	w.importance(d.Importance)
	w.addresses("Disposition-Notification-To", d.ReceiptTo...)
	w.unsubscribe(d.Unsubscribe, d.OneClick)
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
// quotes (RFC 5321 section 4.1.2), and its international domain is xn--. Two
// addresses are the same if they differ only in the case of the domain.
func (d *Draft) Recipients() []string {
	var list []string
	seen := make(map[string]bool)
	for _, a := range slices.Concat(d.To, d.Cc, d.Bcc) {
		address := quoteAddress(a.Address)
		key := addressKey(address)
		if address == "" || seen[key] {
			continue
		}
		seen[key] = true
		list = append(list, address)
	}
	return list
}

// ReturnPath returns the address that stands as the sender of the envelope, to
// which bounces go: that of Sender, or else of From, in the form that SMTP
// takes. The answer of a program (AutoSubmitted is "auto-replied") has the null
// sender, "": so that nothing answers it, not even a bounce (RFC 3834 section
// 3.3). Every server has to accept that (RFC 6409 section 3.2).
func (d *Draft) ReturnPath() string {
	if firstWord(d.AutoSubmitted) == "auto-replied" {
		return ""
	}
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
	domain, err := idna.Lookup.ToASCII(address[strings.LastIndexByte(address, '@')+1:])
	if domain == "" || err != nil || strings.ContainsFunc(domain, func(r rune) bool { return !isAtom(r) && r != '.' }) {
		domain = "localhost"
	}
	return hex.EncodeToString(random) + "@" + domain
}
