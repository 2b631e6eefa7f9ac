package match

import (
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

// Reads returns what has to be known of messages to compare them.
func (m *Matcher) Reads() session.Reads {
	var r session.Reads
	for f := range m.tree.conditions {
		switch {
		case headerOf(f) != "":
			r.Fields |= session.FieldHeader
			if !slices.ContainsFunc(summaryFields(), func(s string) bool { return strings.EqualFold(s, headerOf(f)) }) {
				r.WholeHeader = true
			}
		case f.Body != "" || f.Text != "" || f.HasAttachment != session.Any:
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

// Impossible returns the conditions that nobody but a server can decide, as
// their words with a colon.
func (m *Matcher) Impossible() []string {
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
// Reads names. Where body is nil, the verdict may be Open; otherwise it is not.
func (m *Matcher) Match(summary *session.Message, body *message.Message) Verdict {
	return (&candidate{summary: summary, body: body}).judge(m.tree)
}

// candidate is a message that is compared. Its texts are folded once.
type candidate struct {
	summary *session.Message
	body    *message.Message
	texts   []string
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
	return No // only a server decides it, see Impossible
}

// content judges what only the whole message tells.
func (c *candidate) content(f session.Filter) Verdict {
	switch {
	case c.body == nil:
		return Open
	case f.HasAttachment != session.Any:
		has := slices.ContainsFunc(c.body.Attachments, func(a message.Attachment) bool { return !a.Inline })
		return verdict(has == (f.HasAttachment == session.Yes))
	case f.Text != "" && headerHas(c.body.Header, Fold(f.Text)):
		return Yes
	}
	if c.texts == nil {
		c.texts = texts(c.body, maxEnclosed)
	}
	wanted := Fold(f.Body + f.Text)
	return verdict(slices.ContainsFunc(c.texts, func(t string) bool { return strings.Contains(t, wanted) }))
}

// maxEnclosed is how deep messages within messages are looked into.
const maxEnclosed = 8

// texts returns the text parts of a message, folded; of enclosed messages with
// their headers.
func texts(m *message.Message, depth int) []string {
	all := []string{Fold(m.Text), Fold(m.HTML)}
	for _, a := range m.Attachments {
		switch {
		case a.ContentType == "message/rfc822" && depth > 0:
			if inner, err := message.Parse(strings.NewReader(string(a.Content)), nil); err == nil {
				all = append(append(all, texts(inner, depth-1)...), headerLines(inner.Header)...)
			}
		case strings.HasPrefix(a.ContentType, "text/"):
			// Its charset is not told any more: it is guessed.
			part := "Content-Type: text/plain\r\n\r\n" + string(a.Content)
			if inner, err := message.Parse(strings.NewReader(part), nil); err == nil {
				all = append(all, Fold(inner.Text))
			}
		}
	}
	return all
}

func fieldText(f session.Filter) string {
	return Fold(f.From + f.To + f.Cc + f.Bcc + f.Subject + f.Header.Value) // one of them is set
}

func hasField(h message.Header, name, folded string) bool {
	for value := range h.Values(name) {
		if strings.Contains(Fold(decoded(value)), folded) {
			return true
		}
	}
	return false
}

func headerHas(h message.Header, folded string) bool {
	return slices.ContainsFunc(headerLines(h), func(line string) bool { return strings.Contains(line, folded) })
}

func headerLines(h message.Header) []string {
	var lines []string
	for name, value := range h.Fields() {
		lines = append(lines, Fold(name+": "+decoded(value)))
	}
	return lines
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
