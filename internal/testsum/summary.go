package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// An outcome is how a test ended; the order is the one in which an outcome
// gives way to another when phases are put together.
type outcome int

const (
	skipped outcome = iota
	passed
	failed
)

// A testID names a test; a package that failed without a failing test has the
// empty name.
type testID struct {
	pkg, name string
}

func (id testID) String() string {
	if id.name == "" {
		return id.pkg
	}
	return id.pkg + " " + id.name
}

// A summary is what the streams of all phases say together.
type summary struct {
	outcomes map[testID]outcome
	reasons  map[testID]string // the last thing a skipped test said
	data     []string          // how much of the test data ran, as the tests say it
	broken   map[string]bool   // packages with a failed test
}

func newSummary() *summary {
	return &summary{
		outcomes: map[testID]outcome{},
		reasons:  map[testID]string{},
		broken:   map[string]bool{},
	}
}

// dataMark is how a test says how much of the data outside of the repository
// it went through: t.Logf("data: ran %d of %d messages", ran, all).
const dataMark = " data: "

// add takes one event in.
func (s *summary) add(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "output":
		s.addOutput(id, strings.TrimSpace(e.Output))
	case "pass":
		if e.Test != "" {
			s.outcomes[id] = max(s.outcomes[id], passed)
		}
	case "skip":
		if _, known := s.outcomes[id]; !known && e.Test != "" {
			s.outcomes[id] = skipped
		}
	case "fail":
		s.addFailure(id)
	}
}

func (s *summary) addFailure(id testID) {
	if id.name != "" {
		s.broken[id.pkg] = true
		s.outcomes[id] = failed
	} else if !s.broken[id.pkg] {
		s.outcomes[id] = failed
	}
}

// addOutput remembers the last line of a test that go test did not write itself.
func (s *summary) addOutput(id testID, line string) {
	if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
		return
	}
	s.reasons[id] = line
	if _, text, ok := strings.Cut(line, dataMark); ok {
		s.data = append(s.data, fmt.Sprintf("%s: %s", id, text))
	}
}

// print writes the report; the line with the totals is the last.
func (s *summary) print(w io.Writer) error {
	var report strings.Builder
	counts := map[outcome]int{}
	for _, o := range s.outcomes {
		counts[o]++
	}
	s.list(&report, "failed:", failed)
	s.list(&report, "did not run:", skipped)
	slices.Sort(s.data)
	if data := slices.Compact(s.data); len(data) > 0 {
		fmt.Fprintf(&report, "ran of the data outside of the repository:\n  %s\n", strings.Join(data, "\n  "))
	}
	fmt.Fprintf(&report, "tests: %d passed, %d failed, %d skipped\n", counts[passed], counts[failed], counts[skipped])
	_, err := io.WriteString(w, report.String())
	return err
}

// list writes the tests of one outcome under a title, and nothing where there
// are none.
func (s *summary) list(report *strings.Builder, title string, o outcome) {
	ids := slices.SortedFunc(maps.Keys(s.outcomes), func(a, b testID) int {
		return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name))
	})
	ids = slices.DeleteFunc(ids, func(id testID) bool { return s.outcomes[id] != o })
	if len(ids) == 0 {
		return
	}
	fmt.Fprintln(report, title)
	for _, id := range ids {
		fmt.Fprintf(report, "  %s", id)
		if reason := s.reasons[id]; o == skipped && reason != "" {
			fmt.Fprintf(report, "\n      %s", reason)
		}
		fmt.Fprintln(report)
	}
}
