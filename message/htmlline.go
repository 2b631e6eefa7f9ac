package message

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A lineStyle is how a line looks.
type lineStyle struct {
	quote, indent int
	kind          PassageKind
}

// The most of quote marks and of spaces that a line begins with.
const (
	maxQuoteMarks = 16
	maxIndent     = 40
)

// A lineWriter lays out text in lines. Breaks and spaces are asked for, and
// written when text follows.
type lineWriter struct {
	out    strings.Builder
	kinds  []PassageKind // of the lines that have begun
	line   int           // how many lines have begun
	starts int           // how many of them with text
	begin  int           // where the text of the last one begins in out
	style  lineStyle     // of the last one

	gap       int  // line breaks before the next text
	tabs      int  // ends of cells before the next text
	spaces    int  // spaces before the next text that are meant
	soft      bool // white space before the next text
	hollow    bool // a no-break space stands where a line would begin
	cell      bool // nothing was written since a cell began
	preBegins bool // a line break that comes next is not counted
	joiner    rune // before the next character
	bullet    string
}

// ask asks for line breaks before the next text.
func (w *lineWriter) ask(n int) {
	if w.cell {
		return // blocks at the beginning of a cell do not end the row's line
	}
	if w.hollow {
		n = 2
	}
	w.gap, w.spaces, w.soft, w.hollow = max(w.gap, n), 0, false, false
}

// lineBreak ends a line. On an empty one, it makes an empty line.
func (w *lineWriter) lineBreak() {
	if w.cell {
		return
	}
	w.dashes()
	w.gap, w.spaces, w.soft, w.hollow = min(w.gap+1, 2), 0, false, false
}

// dashes keeps the space of the line "-- " that a signature begins with.
func (w *lineWriter) dashes() {
	if (w.soft || w.spaces > 0) && w.out.String()[w.begin:] == "--" {
		w.out.WriteByte(' ')
	}
}

// beginCell begins a cell of a table. It returns what [lineWriter.endCell]
// needs: how many lines will have been started if the cell is of one line.
func (w *lineWriter) beginCell() int {
	w.cell, w.spaces, w.soft = true, 0, false
	if w.line == 0 || w.gap > 0 {
		return w.starts + 1
	}
	return w.starts
}

// endCell ends a cell that began at that length of the output. The next one goes
// on behind a tab if the cell is of one line.
func (w *lineWriter) endCell(began, starts int) {
	w.cell, w.spaces, w.soft, w.hollow = false, 0, false, false
	switch empty := w.out.Len() == began; {
	case empty && (w.line == 0 || w.gap > 0):
	case empty, w.starts == starts:
		w.gap = 0
		w.tabs++
	default:
		w.gap = max(w.gap, 1)
	}
}

// endRow ends a row of cells.
func (w *lineWriter) endRow() { w.cell, w.tabs = false, 0 }

// write writes text whose white space says nothing but that words are apart.
func (w *lineWriter) write(text []byte, style lineStyle) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch r {
		case ' ', '\t', '\n', '\r', '\f':
			w.soft = true
		case '\u00a0':
			w.noBreakSpace()
		default:
			w.rune(r, style)
		}
		text = text[size:]
	}
}

// noBreakSpace asks for one more space.
func (w *lineWriter) noBreakSpace() {
	w.spaces++
	w.hollow = w.gap > 0 && w.tabs == 0
}

// writePre writes text whose white space is meant.
func (w *lineWriter) writePre(text []byte, style lineStyle) {
	if w.preBegins && len(text) > 0 {
		text = bytes.TrimPrefix(bytes.TrimPrefix(text, []byte("\r")), []byte("\n"))
		w.preBegins = false
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch r {
		case '\n':
			w.dashes()
			w.gap++
			w.spaces, w.soft, w.cell = 0, false, false
		case ' ', '\u00a0':
			w.spaces++
		case '\t':
			w.start(style)
			w.out.WriteByte('\t')
		default:
			w.rune(r, style)
		}
		text = text[size:]
	}
}

// rune writes a character that is not white space, and before it what was asked
// for.
func (w *lineWriter) rune(r rune, style lineStyle) {
	switch {
	case r == '\u200c' || r == '\u200d':
		// A joiner that does not stand between letters is a filler.
		if !w.soft && w.spaces == 0 && w.gap == 0 && w.out.Len() > w.begin {
			w.joiner = r
		}
		return
	case isControl(r), isFormat(r) && r != '\u200e' && r != '\u200f', r == '\u034f':
		return // controls of direction other than marks, soft hyphens, fillers
	case unicode.Is(unicode.Zs, r) && w.out.Len() == w.begin:
		return
	}
	if w.joiner != 0 && !w.soft && w.spaces == 0 && w.gap == 0 && w.tabs == 0 {
		w.out.WriteRune(w.joiner)
	}
	w.joiner = 0
	w.start(style)
	w.out.WriteRune(r)
}

// start gets the output to where the next character goes.
func (w *lineWriter) start(style lineStyle) {
	switch {
	case w.line == 0:
		w.startLine(style)
	case w.gap > 0:
		w.out.WriteByte('\n')
		for range w.gap - 1 {
			w.out.WriteString(strings.Repeat(">", min(style.quote, w.style.quote, maxQuoteMarks)) + "\n")
			w.kinds = append(w.kinds, w.style.kind)
			w.line++
		}
		w.startLine(style)
	case w.tabs > 0:
		w.out.WriteString(strings.Repeat("\t", w.tabs))
		w.spaces, w.soft = 0, false
	}
	if w.soft && w.spaces == 0 && w.out.Len() > w.begin {
		w.spaces = 1
	}
	for range w.spaces {
		w.out.WriteByte(' ')
	}
	w.gap, w.tabs, w.spaces, w.soft = 0, 0, 0, false
	w.cell, w.hollow, w.preBegins = false, false, false
}

// startLine begins a line with its quote marks, indentation and bullet.
func (w *lineWriter) startLine(style lineStyle) {
	if style.quote > 0 {
		w.out.WriteString(strings.Repeat(">", min(style.quote, maxQuoteMarks)) + " ")
	}
	w.out.WriteString(strings.Repeat(" ", max(min(style.indent, maxIndent)-len(w.bullet), 0)) + w.bullet)
	w.bullet = ""
	w.kinds = append(w.kinds, style.kind)
	w.line++
	w.starts++
	w.style, w.begin = style, w.out.Len()
}

// finish ends the text.
func (w *lineWriter) finish() {
	if w.line > 0 {
		w.out.WriteByte('\n')
	}
}
