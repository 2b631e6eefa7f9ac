package profile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mistake is one thing that is wrong with a file.
type Mistake struct {
	// Path is where, as a JSON Pointer (RFC 6901): "/sets/ann/incoming/port".
	Path string
	// Reason says what is wrong, Fix what to do about it. Neither holds a secret,
	// nor anything that a reference gave.
	Reason, Fix string
}

// String returns path, reason and fix.
func (m Mistake) String() string {
	text := m.Path + ": " + m.Reason
	if m.Fix != "" {
		text += "; " + m.Fix
	}
	return text
}

// InvalidError says what is wrong with a file, all at once.
type InvalidError struct {
	// Mistakes are in the order of their paths.
	Mistakes []Mistake
}

// Error returns all mistakes, each on a line of its own where there are
// several.
func (e *InvalidError) Error() string {
	if len(e.Mistakes) == 1 {
		return "profile: " + e.Mistakes[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "profile: %d mistakes:", len(e.Mistakes))
	for _, m := range e.Mistakes {
		b.WriteString("\n  " + m.String())
	}
	return b.String()
}

// Warning is something that works, or did, and will not for ever.
type Warning struct {
	// Mistake says where, what and what to do. Its Path may be that of the whole
	// set.
	Mistake
	// Date is when what it warns of ends or has ended, zero where there is no
	// date. Due tells that it has.
	Date time.Time
	Due  bool
}

// String returns path, date, reason and fix.
func (w Warning) String() string {
	m := w.Mistake
	if !w.Date.IsZero() {
		tense := "on "
		if w.Due {
			tense = "since "
		}
		m.Reason = tense + w.Date.Format(time.DateOnly) + ": " + m.Reason
	}
	return m.String()
}

// mistakes gathers what is wrong.
type mistakes struct {
	list []Mistake
	// suspects are paths about which something was said, or that another name
	// probably stands for: that they are missing is no news. They are numbered from
	// 0, in the order in which they became suspect.
	suspects map[string]int
}

func (m *mistakes) suspect(path string) {
	if m.suspects == nil {
		m.suspects = map[string]int{}
	}
	if _, was := m.suspects[path]; !was {
		m.suspects[path] = len(m.suspects)
	}
}

func (m *mistakes) suspected(path string) bool {
	_, ok := m.suspects[path]
	return ok
}

func (m *mistakes) add(path, reason, fix string) {
	m.suspect(path)
	m.list = append(m.list, Mistake{Path: path, Reason: reason, Fix: fix})
}

// err returns all that is wrong, nil where nothing is.
func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b Mistake) int { return cmp.Compare(a.Path, b.Path) })
	return &InvalidError{Mistakes: slices.Compact(m.list)}
}
