// Package report gathers what a benchmark prints: notes on what was measured,
// and one line for each figure that is to be reached, in a form that people and
// scripts read alike.
package report

import (
	"fmt"
	"io"
	"strings"
)

// A Report gathers lines: targets, and before them what they are made of.
type Report struct{ notes, targets strings.Builder }

// Note adds a line on what was measured.
func (r *Report) Note(format string, args ...any) { fmt.Fprintf(&r.notes, format+"\n", args...) }

// AtMost adds a target that is met if value is bound or less.
func (r *Report) AtMost(name string, value, bound float64) {
	r.target(name, value, "<=", bound, value <= bound)
}

// AtLeast adds a target that is met if value is bound or more.
func (r *Report) AtLeast(name string, value, bound float64) {
	r.target(name, value, ">=", bound, value >= bound)
}

func (r *Report) target(name string, value float64, relation string, bound float64, met bool) {
	verdict := "missed"
	if met {
		verdict = "met"
	}
	fmt.Fprintf(&r.targets, "target %s %.2f %s %g %s\n", name, value, relation, bound, verdict)
}

// Print writes the notes and then the targets.
func (r *Report) Print(w io.Writer) error {
	_, err := io.WriteString(w, r.notes.String()+r.targets.String())
	return err
}
