package session

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// String returns the filter in the language of [ParseFilter], which reads it
// back as an equal one.
func (f Filter) String() string {
	var w filterWriter
	w.filter(f)
	return w.b.String()
}

// filterWriter writes terms with spaces between them.
type filterWriter struct {
	b     strings.Builder
	apart bool // the next term needs a space before it
}

func (w *filterWriter) term(s string) {
	if w.apart {
		w.b.WriteByte(' ')
	}
	w.b.WriteString(s)
	w.apart = true
}

// open writes what the next term follows without a space.
func (w *filterWriter) open(s string) {
	w.term(s)
	w.apart = false
}

func (w *filterWriter) close(s string) {
	w.b.WriteString(s)
	w.apart = true
}

func (w *filterWriter) filter(f Filter) {
	for _, t := range f.texts() {
		if t.value != "" {
			w.term(t.key + ":" + quoteValue(t.value, ""))
		}
	}
	if f.Header.Name != "" {
		w.header(f.Header)
	}
	for _, c := range f.conditions() {
		switch c.condition {
		case Yes:
			w.term(c.yes)
		case No:
			w.term(c.no)
		case Any:
		}
	}
	w.values(f)
	w.combined(f)
}

func (w *filterWriter) header(h HeaderMatch) {
	term := "header:" + quoteValue(h.Name, "=")
	if h.Value != "" {
		term += "=" + quoteValue(h.Value, "")
	}
	w.term(term)
}

func (w *filterWriter) values(f Filter) {
	if !f.Since.IsZero() {
		w.term("since:" + f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Before.IsZero() {
		w.term("before:" + f.Before.UTC().Format(time.RFC3339Nano))
	}
	if f.Larger != 0 {
		w.term("larger:" + formatSize(f.Larger))
	}
	if f.Smaller != 0 {
		w.term("smaller:" + formatSize(f.Smaller))
	}
	if len(f.IDs) > 0 {
		ids := make([]string, len(f.IDs))
		for i, id := range f.IDs {
			ids[i] = quoteValue(id.String(), ",")
		}
		w.term("id:" + strings.Join(ids, ","))
	}
}

func (w *filterWriter) combined(f Filter) {
	if f.Not != nil {
		w.open("-")
		w.group(*f.Not)
	}
	switch len(f.AnyOf) {
	case 0:
	case 1: // has no OR
		w.open("{")
		w.group(f.AnyOf[0])
		w.close("}")
	default:
		w.open("(")
		for i, g := range f.AnyOf {
			if i > 0 {
				w.term("OR")
			}
			w.member(g)
		}
		w.close(")")
	}
	for _, g := range f.All {
		w.group(g)
	}
}

// group writes a filter between parentheses.
func (w *filterWriter) group(f Filter) {
	w.open("(")
	w.filter(f)
	w.close(")")
}

// member writes one of several filters, without parentheses where it is a single
// term.
func (w *filterWriter) member(f Filter) {
	if f.single() {
		w.filter(f)
		return
	}
	w.group(f)
}

// single reports whether the filter is written as one term that reads back by
// itself as the same.
func (f Filter) single() bool {
	n := 0
	for _, v := range reflect.ValueOf(f).Fields() {
		if !v.IsZero() {
			n++
		}
	}
	return n == 1 && len(f.All) == 0
}

// filterText is a field of a filter that holds text, with its word.
type filterText struct{ key, value string }

func (f Filter) texts() []filterText {
	return []filterText{
		{"from", f.From},
		{"to", f.To},
		{"cc", f.Cc},
		{"bcc", f.Bcc},
		{"subject", f.Subject},
		{"body", f.Body},
		{"text", f.Text},
		{"keyword", string(f.Keyword)},
		{"label", f.Label},
		{"native", f.Native},
	}
}

// filterCondition is a field that holds a condition, with the words for it.
type filterCondition struct {
	condition Condition
	yes, no   string
}

func (f Filter) conditions() []filterCondition {
	return []filterCondition{
		{f.Unread, "is:unread", "is:read"},
		{f.Flagged, "is:flagged", "-is:flagged"},
		{f.Answered, "is:answered", "-is:answered"},
		{f.Draft, "is:draft", "-is:draft"},
		{f.Deleted, "is:deleted", "-is:deleted"},
		{f.HasAttachment, "has:attachment", "-has:attachment"},
	}
}

// sizeUnits are the largest first.
func sizeUnits() []struct {
	letter string
	bytes  int64
} {
	return []struct {
		letter string
		bytes  int64
	}{{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}}
}

func formatSize(n int64) string {
	for _, u := range sizeUnits() {
		if n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.letter
		}
	}
	return strconv.FormatInt(n, 10)
}

// quoteValue puts quotes around what would not be read as one value, in which a
// backslash goes before quotes and backslashes. Stop are characters that end an
// unquoted value here.
func quoteValue(s, stop string) string {
	if s != "" && !strings.ContainsFunc(s, endsWord) && !strings.ContainsAny(s, `"`+stop) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
