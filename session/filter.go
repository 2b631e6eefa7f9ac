package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Condition asks for a property: that messages have it, lack it, or either. In
// JSON it is true, false or null.
type Condition int8

// The conditions. Any is the zero value.
const (
	Any Condition = iota
	Yes
	No
)

// MaxFilterDepth is how deep filters may be nested in All, AnyOf and Not.
const MaxFilterDepth = 32

// HeaderMatch asks for a header field by its name.
type HeaderMatch struct {
	// Name is the field's name, such as "List-Id". Letters' case does not
	// count.
	Name string `json:"name"`
	// Value is contained in the field. Where it is empty, the field has to be
	// there.
	Value string `json:"value,omitempty"`
}

// Filter says which messages to list. All of its fields that are set have to
// hold; the zero value matches every message. Filters are combined by All,
// AnyOf and Not:
//
//	session.Filter{Unread: session.Yes, AnyOf: []session.Filter{{From: "ann"}, {From: "bob"}}}
//
// It has a text form, see [ParseFilter], and a JSON form, in which unknown
// fields are refused.
//
// # Text
//
// Text is looked for as a substring of the decoded text: encoded words,
// transfer encodings and charsets are undone and folded lines joined. Case does
// not count, nor do differences of Unicode's compatibility decomposition
// (i;unicode-casemap, RFC 5051). This is what [Filter] means wherever this
// library compares by itself. A server that can search is taken at its word, and
// servers differ: some find whole words or their beginnings alone (Gmail, and
// most that keep a full-text index), some fold the case of ASCII letters alone,
// some do not look into HTML or attached messages (RFC 9051 section 6.4.4 leaves
// it to them).
type Filter struct {
	// From, To, Cc, Bcc and Subject are contained in the header fields of these
	// names; of the address fields, in names and addresses alike.
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Cc      string `json:"cc,omitempty"`
	Bcc     string `json:"bcc,omitempty"`
	Subject string `json:"subject,omitempty"`
	// Body is contained in one of the text parts (text/plain, text/html and
	// other text), attached ones and those of attached messages included.
	Body string `json:"body,omitempty"`
	// Text is contained in one of the text parts or in the header, also of an
	// attached message.
	Text string `json:"text,omitempty"`
	// Header asks for any header field.
	Header HeaderMatch `json:"header,omitzero"`

	// Since and Before are instants: the message came to its mailbox at Since or
	// later, and earlier than Before. See [Message.Received].
	Since  time.Time `json:"since,omitzero"`
	Before time.Time `json:"before,omitzero"`

	// Unread asks for messages without \Seen, the others for messages with the
	// flag of that name.
	Unread   Condition `json:"unread,omitempty"`
	Flagged  Condition `json:"flagged,omitempty"`
	Answered Condition `json:"answered,omitempty"`
	Draft    Condition `json:"draft,omitempty"`
	Deleted  Condition `json:"deleted,omitempty"`
	// Keyword is a flag that is set, such as "$Important", or "Red category" of
	// Exchange. What cannot be a flag of the backend, see [Facts.FreeKeywords], it
	// refuses before it asks its server.
	Keyword Flag `json:"keyword,omitempty"`
	// Label is the name of a label of Gmail. Other servers have none.
	Label string `json:"label,omitempty"`

	// Larger and Smaller are sizes in bytes: [Message.Size] is above the one and
	// below the other.
	Larger  int64 `json:"larger,omitempty"`
	Smaller int64 `json:"smaller,omitempty"`
	// HasAttachment asks for messages that have an attachment which is not
	// [message.Attachment.Inline].
	HasAttachment Condition `json:"hasAttachment,omitempty"`
	// IDs are those of which the message has one. An empty list asks for
	// nothing.
	IDs []ID `json:"ids,omitempty"`

	// Native is a condition in the server's own language: on Gmail what one
	// types into its search field (X-GM-RAW). Nobody but the server can
	// evaluate it.
	Native string `json:"native,omitempty"`

	// All holds where each of its filters does.
	All []Filter `json:"all,omitempty"`
	// AnyOf holds where at least one of its filters does. An empty list asks for
	// nothing.
	AnyOf []Filter `json:"anyOf,omitempty"`
	// Not holds where its filter does not.
	Not *Filter `json:"not,omitempty"`
}

// IsZero reports whether f asks for nothing and so matches every message.
func (f Filter) IsZero() bool {
	return cmp.Or(f.From, f.To, f.Cc, f.Bcc, f.Subject, f.Body, f.Text, f.Label, f.Native, string(f.Keyword)) == "" &&
		f.Header == (HeaderMatch{}) && f.Since.IsZero() && f.Before.IsZero() &&
		cmp.Or(f.Unread, f.Flagged, f.Answered, f.Draft, f.Deleted, f.HasAttachment) == Any &&
		f.Larger == 0 && f.Smaller == 0 && len(f.IDs) == 0 && len(f.All) == 0 && len(f.AnyOf) == 0 && f.Not == nil
}

// Check reports what no server could be asked: text of several lines or that is
// not UTF-8, a name that no header field can have, negative sizes, times beyond
// the years 1 to 9999, filters nested deeper than [MaxFilterDepth].
func (f Filter) Check() error {
	if err := f.check(MaxFilterDepth); err != nil {
		return fmt.Errorf("session: filter: %w", err)
	}
	return nil
}

func (f Filter) check(depth int) error {
	if depth == 0 {
		return fmt.Errorf("nested deeper than %d", MaxFilterDepth)
	}
	if err := cmp.Or(f.checkTexts(), f.checkValues()); err != nil {
		return err
	}
	inner := slices.Concat(f.All, f.AnyOf)
	if f.Not != nil {
		inner = append(inner, *f.Not)
	}
	for _, g := range inner {
		if err := g.check(depth - 1); err != nil {
			return err
		}
	}
	return nil
}

func (f Filter) checkTexts() error {
	for _, t := range []struct{ name, text string }{
		{"from", f.From},
		{"to", f.To},
		{"cc", f.Cc},
		{"bcc", f.Bcc},
		{"subject", f.Subject},
		{"body", f.Body},
		{"text", f.Text},
		{"header", f.Header.Value},
		{"keyword", string(f.Keyword)},
		{"label", f.Label},
		{"native", f.Native},
	} {
		if strings.ContainsAny(t.text, "\x00\r\n") || !utf8.ValidString(t.text) {
			return fmt.Errorf("%s is not one line of UTF-8", t.name)
		}
	}
	if f.Header.Name == "" && f.Header.Value != "" {
		return errors.New("header has a value and no name")
	}
	if i := strings.IndexFunc(f.Header.Name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }); i >= 0 {
		return errors.New("header has a name that no field can have")
	}
	return nil
}

func (f Filter) checkValues() error {
	for _, t := range []time.Time{f.Since, f.Before} {
		if y := t.UTC().Year(); y < 1 || y > 9999 {
			return fmt.Errorf("since or before is in the year %d", y)
		}
	}
	for _, c := range []Condition{f.Unread, f.Flagged, f.Answered, f.Draft, f.Deleted, f.HasAttachment} {
		if c < Any || c > No {
			return fmt.Errorf("condition %d does not exist; use Any, Yes or No", int(c))
		}
	}
	if f.Larger < 0 || f.Smaller < 0 {
		return errors.New("larger or smaller is negative")
	}
	for _, id := range f.IDs {
		if id.IsZero() || !utf8.ValidString(id.text) {
			return errors.New("ids has one that names no message")
		}
	}
	return nil
}
