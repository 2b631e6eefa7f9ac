package message

import (
	"slices"
	"strings"
)

// A Passage is a piece of a message's text that is of one kind.
type Passage struct {
	// Kind says who the text is from.
	Kind PassageKind
	// Text is the text, in whole lines.
	Text string
}

// A PassageKind says what a [Passage] is. The zero value is what the author of
// the message wrote.
type PassageKind int

// The kinds of passages.
const (
	// PassageWritten is what the author of the message wrote.
	PassageWritten PassageKind = iota
	// PassageQuoted is from earlier messages, with the lines that introduce them,
	// such as "On Monday, Ann wrote:".
	PassageQuoted
	// PassageSignature is the author's signature.
	PassageSignature
)

// String returns "written", "quoted" or "signature".
func (k PassageKind) String() string {
	switch k {
	case PassageQuoted:
		return "quoted"
	case PassageSignature:
		return "signature"
	case PassageWritten:
	}
	return "written"
}

// Passages tells apart what the author of a plain text wrote and what is quoted
// of earlier messages. The texts of the passages put together are the text that
// was given, to the byte.
//
// Quoted are: lines that begin with ">"; the line before them that says who
// wrote them, in some twenty languages; and from the following lines on all the
// rest, unless it is marked with ">" anyway: "-----Original Message-----" and its
// translations, the block of From, Sent, To and Subject that Outlook writes, and
// an attribution with a date and a time. Answers between quotes are written. The
// signature begins with the line "-- " (RFC 3676 section 4.3), or is the one that
// a phone adds. A program cannot know for certain: what is in doubt is written.
func Passages(text string) []Passage {
	return joinPassages(text, nil)
}

// NewText returns what the author of a plain text wrote, without what is quoted
// and without the signature: the lines of the written [Passages], without empty
// lines around.
func NewText(text string) string { return written(Passages(text)) }

// HTMLPassages is [Passages] for HTML. The texts put together are what [HTMLText]
// returns. It knows besides the elements in which mail programs put quotes and
// signatures: those of Gmail, Outlook, Apple Mail, Thunderbird, Yahoo and Proton.
func HTMLPassages(page string) []Passage {
	r := htmlReader{links: true}
	r.read(page)
	return joinPassages(r.out.String(), r.kinds)
}

// written joins the written passages.
func written(passages []Passage) string {
	var b strings.Builder
	for _, p := range passages {
		if p.Kind == PassageWritten {
			b.WriteString(p.Text)
		}
	}
	text := b.String()
	// Whole lines go: the white space of the first one that stays is meant.
	for line := range strings.SplitAfterSeq(text, "\n") {
		if strings.TrimSpace(line) != "" {
			break
		}
		text = text[len(line):]
	}
	return strings.TrimRight(text, " \t\r\n")
}

// joinPassages makes passages of lines of the same kind. The hints are what is
// known of the lines beforehand, if anything.
func joinPassages(text string, hints []PassageKind) []Passage {
	if text == "" {
		return nil
	}
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	c := classifier{lines: lines, kinds: make([]PassageKind, len(lines))}
	copy(c.kinds, hints)
	c.classify()
	var passages []Passage
	from, pos := 0, 0
	for i, line := range lines {
		pos += len(line)
		if i+1 == len(lines) || c.kinds[i+1] != c.kinds[i] {
			passages = append(passages, Passage{c.kinds[i], text[from:pos]})
			from = pos
		}
	}
	return passages
}

// A classifier finds the kinds of lines.
type classifier struct {
	lines  []string
	kinds  []PassageKind
	marked []int // the number of lines from each on that are marked with ">"
}

func (c *classifier) classify() {
	c.countMarks()
	for i := 0; i < len(c.lines); i++ {
		switch {
		case c.isMarked(i):
			c.kinds[i] = PassageQuoted
		case c.kinds[i] != PassageWritten || isBlank(c.lines[i]):
		default:
			n, history := c.introduction(i)
			if n > 0 && history {
				n = len(c.lines) - i
			}
			c.fill(i, i+n, PassageQuoted)
			i += max(n-1, 0)
		}
	}
	c.joinBlanks()
	c.signatures()
}

// countMarks counts the lines marked with ">".
func (c *classifier) countMarks() {
	c.marked = make([]int, len(c.lines)+1)
	for i := len(c.lines) - 1; i >= 0; i-- {
		c.marked[i] = c.marked[i+1]
		if c.isMarked(i) {
			c.marked[i]++
		}
	}
}

// isMarked reports whether a line is marked with ">". One ">From " alone was
// written by the author, and marked by a mailbox file.
func (c *classifier) isMarked(i int) bool {
	marked := func(i int) bool {
		return i >= 0 && i < len(c.lines) && strings.HasPrefix(strings.TrimLeft(c.lines[i], " \t"), ">")
	}
	if marked(i) && strings.HasPrefix(strings.TrimLeft(c.lines[i], ">"), "From ") {
		return marked(i-1) || marked(i+1)
	}
	return marked(i)
}

// fill makes the lines from i to end of one kind.
func (c *classifier) fill(i, end int, kind PassageKind) {
	for ; i < end; i++ {
		c.kinds[i] = kind
	}
}

// introduction returns how many lines from i on introduce a quote, and whether
// all that follows is history.
func (c *classifier) introduction(i int) (n int, history bool) {
	if isSeparator(c.lines[i]) {
		return 1, !c.markedNext(i + 1)
	}
	from := i
	if isRule(c.lines[i]) {
		from = c.nextLine(i + 1) // Outlook draws a line above its block
	}
	if n := c.headerBlock(from); n > 0 {
		return from - i + n, !c.markedNext(from + n)
	}
	n, line := c.attribution(i)
	if n == 0 {
		return 0, false
	}
	next := c.nextLine(i + n)
	quoted := next < len(c.lines) && (c.isMarked(next) || c.kinds[next] == PassageQuoted)
	begins := i == 0 || isBlank(c.lines[i-1]) || c.kinds[i-1] != PassageWritten
	switch {
	case quoted:
		history = false
	case c.marked[i] == 0 && begins && next < len(c.lines):
		history = true
	default:
		return 0, false
	}
	if history && !isDatedAttribution(line) || !history && !isAttribution(line) || n > 1 && !c.wraps(i, n) {
		return 0, false
	}
	return n, history
}

// nextLine returns the index of the first line from i on that is not empty.
func (c *classifier) nextLine(i int) int {
	for i < len(c.lines) && isBlank(c.lines[i]) {
		i++
	}
	return i
}

// markedNext reports whether the next line that is not empty is marked.
func (c *classifier) markedNext(i int) bool {
	i = c.nextLine(i)
	return i < len(c.lines) && c.isMarked(i)
}

// joinBlanks gives empty lines the kind of what is before them.
func (c *classifier) joinBlanks() {
	for i := 1; i < len(c.lines); i++ {
		if isBlank(c.lines[i]) {
			c.kinds[i] = c.kinds[i-1]
		}
	}
}

// maxSignature is how many lines a signature may have that begins with "--"
// alone, without the space that tells it from a rule between paragraphs.
const maxSignature = 8

// signatures finds signatures in what is written.
func (c *classifier) signatures() {
	end, lines := len(c.lines), 0 // of a written passage, from its end
	for i, line := range slices.Backward(c.lines) {
		if c.kinds[i] != PassageWritten {
			end, lines = i, 0
			continue
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "-- ", line == "--" && lines > 0 && lines <= maxSignature, lines == 0 && isPhoneSignature(line):
			c.fill(i, end, PassageSignature)
			end, lines = i, 0
		case !isBlank(line):
			lines++
		}
	}
}

// isBlank reports whether a line is empty but for white space.
func isBlank(line string) bool { return strings.TrimSpace(line) == "" }

// maxHeaderBlock is how many lines the block may have that Outlook writes above
// a quote.
const maxHeaderBlock = 24

// headerBlock returns how many lines from i on are a block of From, Sent or
// Date, and Subject.
func (c *classifier) headerBlock(i int) int {
	if i >= len(c.lines) || headerKey(c.lines[i]) != keyFrom {
		return 0
	}
	var date, subject bool
	end := 0
	for j := i + 1; j < len(c.lines) && j < i+maxHeaderBlock; j++ {
		switch headerKey(c.lines[j]) {
		case keyDate:
			date, end = true, j+1
		case keySubject:
			subject, end = true, j+1
		case keyRest:
			end = j + 1
		case keyFrom:
			return 0
		case keyNone:
			// The list of recipients may go on, and lines may be apart.
			if j > end+1 && end > 0 || j > i+3 && end == 0 {
				j = len(c.lines)
			}
		}
	}
	if date && subject {
		return end - i
	}
	return 0
}
