package ewstest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// writer makes the XML of an answer.
type writer struct {
	b    []byte
	open []string
	raw  bool // write characters that XML forbids as they are
}

// start opens an element. The attributes are names and values in turn; one
// whose value is empty is left out.
func (w *writer) start(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b = append(w.b, '>')
	w.open = append(w.open, name)
}

func (w *writer) tag(name string, attrs []string) {
	w.b = append(w.b, '<')
	w.b = append(w.b, name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] == "" {
			continue
		}
		w.b = append(w.b, ' ')
		w.b = append(w.b, attrs[i]...)
		w.b = append(w.b, `="`...)
		w.text(attrs[i+1])
		w.b = append(w.b, '"')
	}
}

// end closes the element that was opened last.
func (w *writer) end() {
	name := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.b = append(w.b, "</"...)
	w.b = append(w.b, name...)
	w.b = append(w.b, '>')
}

// elem writes an element with text.
func (w *writer) elem(name, text string, attrs ...string) {
	if text == "" {
		w.empty(name, attrs...)
		return
	}
	w.start(name, attrs...)
	w.text(text)
	w.end()
}

// given writes an element with text unless that is empty.
func (w *writer) given(name, text string) {
	if text != "" {
		w.elem(name, text)
	}
}

// empty writes an element without content.
func (w *writer) empty(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b = append(w.b, "/>"...)
}

func (w *writer) boolean(name string, value bool) { w.elem(name, strconv.FormatBool(value)) }

func (w *writer) integer(name string, value int) { w.elem(name, strconv.Itoa(value)) }

func (w *writer) time(name string, value time.Time) { w.elem(name, stamp(value)) }

// stamp writes an instant as Exchange does, in UTC and with whole seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// text escapes text. What XML forbids is written as a character reference,
// which is just as forbidden and what Exchange does.
func (w *writer) text(s string) {
	plain := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if escaped, special := w.escape(r, size); special {
			w.b = append(w.b, s[plain:i]...)
			w.b = append(w.b, escaped...)
			plain = i + size
		}
		i += size
	}
	w.b = append(w.b, s[plain:]...)
}

func (w *writer) escape(r rune, size int) (escaped string, special bool) {
	switch {
	case r == '&':
		return "&amp;", true
	case r == '<':
		return "&lt;", true
	case r == '>':
		return "&gt;", true
	case r == '"':
		return "&quot;", true
	case r == '\r':
		return "&#xD;", true
	case r == '\n', r == '\t':
		return "", false
	case r == utf8.RuneError && size == 1:
		return "\ufffd", !w.raw
	case r < ' ', r == 0xFFFE, r == 0xFFFF:
		return fmt.Sprintf("&#x%X;", r), !w.raw
	}
	return "", false
}

// mark and cut take back what was written since.
func (w *writer) mark() (length, depth int) { return len(w.b), len(w.open) }

func (w *writer) cut(length, depth int) { w.b, w.open = w.b[:length], w.open[:depth] }

// tidy returns text in which runs of white space are one space.
func tidy(s string) string { return strings.Join(strings.Fields(s), " ") }
