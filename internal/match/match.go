package match

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// Verdict is what is known of a message.
type Verdict int

// The verdicts.
const (
	No Verdict = iota
	// Open: the message has to be read.
	Open
	Yes
)

// Matcher compares messages with a filter.
type Matcher struct{ tree node }

// New returns a Matcher for f.
func New(f session.Filter) *Matcher { return &Matcher{tree: build(f, false)} }

// summaryFields are the header fields that every summary has, see
// [session.Message].
func summaryFields() []string {
	return []string{
		"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To",
		"References", "Content-Type", "Auto-Submitted", "Precedence", "List-Id",
	}
}

// Reads returns what has to be known of messages to compare them, nothing where
// there is no Matcher.
func (m *Matcher) Reads() session.Reads {
	var r session.Reads
	if m == nil {
		return r
	}
	for f := range m.tree.conditions {
		switch {
		case headerOf(f) != "":
			r.Fields |= session.FieldHeader
			if !slices.ContainsFunc(summaryFields(), func(s string) bool { return strings.EqualFold(s, headerOf(f)) }) {
				r.WholeHeader = true
			}
		case f.HasAttachment != session.Any:
			r.Fields |= session.FieldStructure
		case f.Body != "" || f.Text != "":
			r.Body = true
		case !f.Since.IsZero() || !f.Before.IsZero():
			r.Fields |= session.FieldReceived
		case f.Larger != 0 || f.Smaller != 0:
			r.Fields |= session.FieldSize
		case len(f.IDs) == 0:
			r.Fields |= session.FieldFlags
		}
	}
	return r
}

// impossible returns the conditions that nobody but a server can decide, as
// their words with a colon.
func (m *Matcher) impossible() []string {
	var words []string
	for f := range m.tree.conditions {
		if f.Native != "" && !slices.Contains(words, "native:") {
			words = append(words, "native:")
		}
		if f.Label != "" && !slices.Contains(words, "label:") {
			words = append(words, "label:")
		}
	}
	return words
}

// conditions calls yield for each single condition, without Not around it.
func (n node) conditions(yield func(session.Filter) bool) {
	n.walk(yield)
}

func (n node) walk(yield func(session.Filter) bool) bool {
	if n.kind == leaf {
		f := n.leaf
		if f.Not != nil {
			f = *f.Not
		}
		return yield(f)
	}
	for _, c := range n.children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

// headerOf returns the name of the header field that a condition looks at.
func headerOf(f session.Filter) string {
	switch {
	case f.From != "":
		return "From"
	case f.To != "":
		return "To"
	case f.Cc != "":
		return "Cc"
	case f.Bcc != "":
		return "Bcc"
	case f.Subject != "":
		return "Subject"
	}
	return f.Header.Name
}

// Match compares a message with the filter. The summary has the fields that
// Reads names; a structure that is missing is made up for by the body. Where body
// is nil, the verdict may be Open; otherwise it is not.
func (m *Matcher) Match(summary *session.Message, body *message.Message) Verdict {
	return (&candidate{summary: summary, body: body}).judge(m.tree)
}

// candidate is a message that is compared. Its texts are folded once.
type candidate struct {
	summary *session.Message
	body    *message.Message
	texts   []string
	headers []string
}

func (c *candidate) judge(n node) Verdict {
	switch n.kind {
	case leaf:
		return c.condition(n.leaf)
	case some:
		v := No
		for _, child := range n.children {
			if v = max(v, c.judge(child)); v == Yes {
				break
			}
		}
		return v
	case every:
	}
	v := Yes
	for _, child := range n.children {
		if v = min(v, c.judge(child)); v == No {
			break
		}
	}
	return v
}

func verdict(holds bool) Verdict {
	if holds {
		return Yes
	}
	return No
}

func (c *candidate) condition(f session.Filter) Verdict {
	s := c.summary
	switch {
	case f.Not != nil:
		return Yes - c.condition(*f.Not)
	case f.Body != "", f.Text != "", f.HasAttachment != session.Any:
		return c.content(f)
	case headerOf(f) != "":
		return verdict(hasField(s.Header, headerOf(f), fieldText(f)))
	case !f.Since.IsZero():
		return verdict(!s.Received.Before(f.Since))
	case !f.Before.IsZero():
		return verdict(s.Received.Before(f.Before))
	case f.Larger != 0:
		return verdict(s.Size > f.Larger)
	case f.Smaller != 0:
		return verdict(s.Size < f.Smaller)
	case len(f.IDs) > 0:
		return verdict(slices.Contains(f.IDs, s.ID))
	case f.Keyword != "":
		return verdict(s.Flags.Has(f.Keyword))
	}
	return c.flags(f)
}

func (c *candidate) flags(f session.Filter) Verdict {
	fs := c.summary.Flags
	for _, x := range []struct {
		asked session.Condition
		has   bool
	}{
		{f.Unread, !fs.Has(session.Seen)},
		{f.Flagged, fs.Has(session.Flagged)},
		{f.Answered, fs.Has(session.Answered)},
		{f.Draft, fs.Has(session.Draft)},
		{f.Deleted, fs.Has(session.Deleted)},
	} {
		if x.asked != session.Any {
			return verdict(x.has == (x.asked == session.Yes))
		}
	}
	return No // only a server decides it, see impossible
}

// content judges what only the whole message tells.
func (c *candidate) content(f session.Filter) Verdict {
	switch {
	case f.HasAttachment != session.Any && c.summary.Structure != nil:
		has := slices.ContainsFunc(c.summary.Structure.Attachments(), func(a message.AttachedPart) bool { return !a.Inline })
		return verdict(has == (f.HasAttachment == session.Yes))
	case c.body == nil:
		return Open
	case f.HasAttachment != session.Any:
		has := slices.ContainsFunc(c.body.Attachments, func(a message.Attachment) bool { return !a.Inline })
		return verdict(has == (f.HasAttachment == session.Yes))
	}
	if c.texts == nil {
		c.texts, c.headers = texts(c.body, maxEnclosed)
	}
	if f.Text != "" && contained(c.headers, fold(f.Text)) {
		return Yes
	}
	return verdict(contained(c.texts, fold(f.Body+f.Text))) // one of them is set
}

// maxEnclosed is how deep messages within messages are looked into.
const maxEnclosed = 8

// texts returns the text parts and the lines of the header of a message and of
// those within it, folded.
func texts(m *message.Message, depth int) (bodies, headers []string) {
	bodies = []string{fold(m.Text), fold(m.HTML)}
	for name, value := range m.Header.Fields() {
		headers = append(headers, fold(name+": "+decoded(value)))
	}
	for _, a := range m.Attachments {
		switch {
		case strings.HasPrefix(a.ContentType, "text/"):
			bodies = append(bodies, fold(a.Text()))
		case a.ContentType == "message/rfc822" && depth > 0:
			inner, err := message.Parse(bytes.NewReader(a.Content), nil)
			if err != nil {
				continue
			}
			b, h := texts(inner, depth-1)
			bodies, headers = append(bodies, b...), append(headers, h...)
		}
	}
	return bodies, headers
}

func contained(texts []string, folded string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, folded) })
}

func fieldText(f session.Filter) string {
	return fold(f.From + f.To + f.Cc + f.Bcc + f.Subject + f.Header.Value) // one of them is set
}

func hasField(h message.Header, name, folded string) bool {
	for value := range h.Values(name) {
		if strings.Contains(fold(decoded(value)), folded) {
			return true
		}
	}
	return false
}

// decoded undoes the encoded words of a field's value.
func decoded(value string) string {
	if !strings.Contains(value, "=?") {
		return value
	}
	return message.ParseHeader([]byte("X: " + value)).Text("X")
}

// Day returns the beginning of the day of t in UTC, some days later.
func Day(t time.Time, later int) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d+later, 0, 0, 0, 0, time.UTC)
}
