package message

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"
)

// ErrNotReport tells that a message is not a report, or none that can be read.
var ErrNotReport = errors.New("message: not a report on another message, as far as can be told")

// A Report is what a mail system or a mail program says of a message that was
// sent: that it bounced or is late, that it was read, or that its recipient
// complains about it. [ReadReport] makes one of a message.
//
// Whoever sends mail can write a report. It proves nothing: what counts is that
// MessageID, EnvelopeID or the address it came to is one of those that were used.
type Report struct {
	// Kind is what the report is about.
	Kind ReportKind
	// Certainty is how sure it is that the report was read as it was meant.
	Certainty Certainty
	// MessageID is the identifier of the message that is reported on, without angle
	// brackets, or "" if the report does not name it. It is taken from the report's
	// Original-Message-ID, else from the message or header that came back with it,
	// else from what the text quotes, else from In-Reply-To and References.
	MessageID string
	// Original is the header of the message that came back, or of what came back of
	// it. It is empty if nothing did.
	Original Header
	// Recipients are those whom the report is about, and what became of the message
	// for each, at most a thousand of them. More counts the others.
	Recipients []ReportedRecipient
	More       int
	// EnvelopeID is the ENVID that the message was sent with (RFC 3461 section
	// 4.4), or "".
	EnvelopeID string
	// ReportingMTA is the host that reports, without its type, or "".
	ReportingMTA string
	// ReceivedFrom is the host that the reporting one got the message from, or "".
	ReceivedFrom string
	// Arrived is when the message came to the reporting host, or zero.
	Arrived time.Time
	// UserAgent is the program that reports that a message was read or is
	// complained about, or "".
	UserAgent string
	// Complaint is what only reports of abuse have.
	Complaint Complaint
}

// A ReportKind is what a [Report] is about, in the words of the report-type of
// its Content-Type (RFC 6522 section 3).
type ReportKind string

// The kinds of reports.
const (
	// ReportDelivery is about the delivery of a message: a bounce, a warning that
	// it is late, a confirmation (RFC 3464).
	ReportDelivery ReportKind = "delivery-status"
	// ReportDisposition is about what a recipient did with a message: a read
	// receipt (RFC 8098).
	ReportDisposition ReportKind = "disposition-notification"
	// ReportFeedback is about what a recipient thinks of a message: a report of
	// abuse (RFC 5965).
	ReportFeedback ReportKind = "feedback-report"
)

// Certainty is how sure it is that a report was read as it was meant.
type Certainty string

// From the most certain to the least.
const (
	// CertaintyStated: it is in a part that is there to be read by programs.
	CertaintyStated Certainty = "stated"
	// CertaintyMarked: it is in a form that one mail system writes and keeps, or in
	// a report without the part for programs: qmail's bounces, Exim's
	// X-Failed-Recipients.
	CertaintyMarked Certainty = "marked"
	// CertaintyWorded: it is in sentences for people, which mail systems change as
	// they like.
	CertaintyWorded Certainty = "worded"
)

// A ReportedRecipient is what a report says of one recipient.
type ReportedRecipient struct {
	// Original is the address that the sender used, and Final the one that the
	// reporting host or program used in the end, as after a redirection. Either may
	// be "". What stands in place of an address, such as the name of a local user,
	// is as it came.
	Original, Final string
	// Action is what was done with the message. It is "" where that is not told, as
	// in reports of abuse.
	Action Action
	// Status says why. Where the report has none that can be read, it is that in
	// the diagnostic, if there is one.
	Status StatusCode
	// DiagnosticType is the kind of Diagnostic, as "smtp", in lower case; Diagnostic
	// is what the host said that did not take the message, on one line.
	DiagnosticType, Diagnostic string
	// RemoteMTA is the host that said so, without its type, or "".
	RemoteMTA string
	// LogID is the name of the message in the log of the reporting host, or "".
	LogID string
	// LastAttempt and RetryUntil are when delivery was tried last, and until when it
	// will be tried again, or zero.
	LastAttempt, RetryUntil time.Time
	// Disposition is what the recipient did with the message, in read receipts.
	Disposition Disposition
}

// Address returns the address that the sender used, as far as it is known: else
// the final one.
func (r ReportedRecipient) Address() string {
	if r.Original != "" {
		return r.Original
	}
	return r.Final
}

// An Action is what a mail system did with a message (RFC 3464 section 2.3.3).
type Action string

// The actions.
const (
	// ActionFailed: the message was not delivered, and it will not be.
	ActionFailed Action = "failed"
	// ActionDelayed: the message was not delivered yet. It will be tried again.
	ActionDelayed Action = "delayed"
	// ActionDelivered: the message was delivered, to a mailbox or a mailing list.
	ActionDelivered Action = "delivered"
	// ActionRelayed: the message was passed on to a host that may send no reports.
	ActionRelayed Action = "relayed"
	// ActionExpanded: the message was passed on to several addresses. More reports
	// may follow.
	ActionExpanded Action = "expanded"
)

// A Disposition is what a recipient did with a message (RFC 8098 section 3.2.6).
// The words are in lower case.
type Disposition struct {
	// Type is "displayed", "deleted", "dispatched" or "processed", and in older
	// programs "denied" or "failed". It is "" in other reports.
	Type string
	// Automatic says that a program did it, not a person; SentAutomatically that no
	// person was asked whether to send the report.
	Automatic, SentAutomatically bool
	// Modifiers are such as "error".
	Modifiers []string
}

// A Complaint is what a report of abuse says besides (RFC 5965 section 3).
type Complaint struct {
	// Type is "abuse", "fraud", "virus", "not-spam" (RFC 6430), "auth-failure" (RFC
	// 6591), "opt-out" or another, in lower case.
	Type string
	// SourceIP is the address that the message came from, or zero.
	SourceIP netip.Addr
	// MailFrom is the sender of its envelope, without angle brackets, or "".
	MailFrom string
	// Domains and URIs are what the report calls the reason, up to a hundred each.
	Domains, URIs []string
	// Incidents is how many alike the report stands for, at least 1 in a report of
	// abuse.
	Incidents int
}

// ReadReport reads a message and returns what it reports, in memory that does not
// grow with it. A message that is not a report, or that says nothing which could
// be read with safety, gives [ErrNotReport] and no Report. An error of r itself is
// returned as it is, wrapped; a report that is cut off gives what there is.
//
// Reports by the standards are read in whatever state they are: with fields that
// are missing or malformed, split or repeated parts, in base64, in UTF-8 (RFC
// 6533), within a multipart that a mailing list put around them, and as plain
// text if they were flattened. A report that a person forwards is not one.
//
// Bounces without a part for programs are looked at if the message is marked as
// one of a mail system. Those of qmail, Exim, Postfix, sendmail, Exchange and
// Gmail are known.
func ReadReport(r io.Reader, opts *WalkOptions) (*Report, error) {
	source := &failingReader{r: r}
	c := reportCollector{limits: opts}
	c.walk(Walk(source, opts))
	if source.err != nil {
		return nil, errors.Join(errors.New("message: reading a report"), source.err)
	}
	return c.result()
}

// Report returns what the message reports, as [ReadReport] does.
func (m *Message) Report() (*Report, error) { return ReadReport(bytes.NewReader(m.raw), nil) }

// Recipient returns the first of Recipients with that address, original or final,
// in whatever case, and whether there is one.
func (r *Report) Recipient(address string) (ReportedRecipient, bool) {
	for _, rcpt := range r.Recipients {
		if strings.EqualFold(rcpt.Original, address) || strings.EqualFold(rcpt.Final, address) {
			return rcpt, true
		}
	}
	return ReportedRecipient{}, false
}

// reportKind returns the kind of report that a part of that media type is, or "".
func reportKind(mediaType string) ReportKind {
	switch mediaType {
	case "message/delivery-status", "message/global-delivery-status":
		return ReportDelivery
	case "message/disposition-notification", "message/global-disposition-notification":
		return ReportDisposition
	case "message/feedback-report":
		return ReportFeedback
	}
	return ""
}

// A failingReader remembers why r failed, which is not that a message is cut off.
type failingReader struct {
	r   io.Reader
	err error
}

func (f *failingReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
