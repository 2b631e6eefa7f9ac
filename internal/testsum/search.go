package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/leak"
)

// A search looks for secrets in all that was printed: by tests and packages,
// by builds, and by the programs around them.
type search struct {
	lines  map[testID]*line
	leaks  map[leakage]*places
	counts struct{ bytes, lines, loggers, transcripts int }
}

// A line is what a test has printed since its last line feed, which may have
// come in several events.
type line struct {
	text   string
	number int  // of the test's output, from 1
	rest   bool // of a line that was searched in part
}

// A leakage is one kind of secret, in one kind of line of one test.
type leakage struct {
	id      testID
	kind    leak.Kind
	through string
	label   string
}

// places are the lines of one leakage; a logger that leaks does so often.
type places struct {
	first, count int
}

// outside is the name of what no test and no package printed.
const outside = "outside of tests"

// A longer line is searched in pieces, which overlap so that no secret falls
// between two.
const (
	maxLine = 1 << 20
	overlap = 1 << 13
)

func newSearch() *search {
	return &search{lines: map[testID]*line{}, leaks: map[leakage]*places{}}
}

// add takes one event in.
func (s *search) add(e event) {
	id := testID{cmp.Or(e.Package, e.ImportPath), e.Test}
	if e.Action == "output" || e.Action == "build-output" {
		s.write(id, e.Output)
	}
}

// text takes a line in that is no event.
func (s *search) text(text string) {
	s.write(testID{pkg: outside}, text)
}

func (s *search) write(id testID, text string) {
	s.counts.bytes += len(text)
	l := s.lines[id]
	if l == nil {
		l = &line{number: 1}
		s.lines[id] = l
	}
	for part := range strings.Lines(text) {
		l.text += part
		switch {
		case strings.HasSuffix(part, "\n"):
			s.look(id, l)
			l.text, l.rest = "", false
			l.number++
		case len(l.text) > maxLine:
			s.look(id, l)
			l.text, l.rest = l.text[len(l.text)-overlap:], true
		}
	}
}

// flush searches the lines that the end of the stream cut short. Another
// stream may follow, whose lines are counted anew.
func (s *search) flush() {
	for id, l := range s.lines {
		if l.text != "" {
			s.look(id, l)
		}
	}
	clear(s.lines)
}

// look searches a line and counts it.
func (s *search) look(id testID, l *line) {
	label := labelOf(l.text)
	if !l.rest {
		s.counts.lines++
		switch {
		case strings.HasPrefix(label, "level="):
			s.counts.loggers++
		case label == ofTranscript:
			s.counts.transcripts++
		}
	}
	for _, h := range leak.Find(l.text) {
		at := leakage{id: id, kind: h.Kind, through: h.Through, label: label}
		if s.leaks[at] == nil {
			s.leaks[at] = &places{first: l.number}
		}
		s.leaks[at].count++
	}
}

// The beginnings of lines that say who wrote them: the place of a t.Log, the
// constant message of a logger, and the direction of a transcript.
var (
	loggedLine     = regexp.MustCompile(`^\s*(\w+\.go:\d+): `)
	loggerLine     = regexp.MustCompile(`^\s*(?:time=\S+ )?(level=\S+ (?:source=\S+ )?msg=(?:"[^"]*"|\S+))`)
	transcriptLine = regexp.MustCompile(`^\s*[CS]: `)
)

// ofTranscript is the label of the lines of transcripts.
const ofTranscript = "a transcript"

// labelOf says what wrote a line, "" where that is not known or holds a secret.
func labelOf(text string) string {
	if transcriptLine.MatchString(text) {
		return ofTranscript
	}
	for _, form := range []*regexp.Regexp{loggerLine, loggedLine} {
		if m := form.FindStringSubmatch(text); m != nil && len(leak.Find(m[1])) == 0 {
			return m[1]
		}
	}
	return ""
}

// print writes what was found and how much was searched; the error says that
// there was a secret.
func (s *search) print(w io.Writer) error {
	var report strings.Builder
	for _, at := range slices.SortedFunc(maps.Keys(s.leaks), compareLeakages) {
		fmt.Fprintf(&report, "leaked: %s: %s", at.id, at.kind)
		if at.through != "" {
			fmt.Fprintf(&report, " in %s", at.through)
		}
		fmt.Fprintf(&report, ", line %d of its output", s.leaks[at].first)
		if at.label != "" {
			fmt.Fprintf(&report, " (%s)", at.label)
		}
		if more := s.leaks[at].count - 1; more > 0 {
			fmt.Fprintf(&report, " and %d more", more)
		}
		fmt.Fprintln(&report)
	}
	outcome := "no hit"
	if len(s.leaks) > 0 {
		outcome = fmt.Sprintf("%d found", len(s.leaks))
	}
	fmt.Fprintf(&report, "secrets: searched %d bytes in %d lines, %d of loggers and %d of transcripts: %s\n",
		s.counts.bytes, s.counts.lines, s.counts.loggers, s.counts.transcripts, outcome)
	_, err := io.WriteString(w, report.String())
	if err == nil && len(s.leaks) > 0 {
		err = errLeak
	}
	return err
}

func compareLeakages(a, b leakage) int {
	return cmp.Or(
		cmp.Compare(a.id.pkg, b.id.pkg), cmp.Compare(a.id.name, b.id.name),
		cmp.Compare(a.kind, b.kind), cmp.Compare(a.through, b.through), cmp.Compare(a.label, b.label),
	)
}
