package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// String returns a table of the stages: their outcomes and times, and below each
// what is known of it. Where nothing was checked it says why.
func (r Report) String() string {
	if r.Unchecked != nil {
		return "not checked: " + line(r.Unchecked.Error()) + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s as %s, %s, %s\n",
		orDash(r.Backend), orDash(r.Server), orDash(r.User), r.Began.UTC().Format("2006-01-02 15:04:05 UTC"), round(r.Took))
	for _, s := range r.Stages {
		s.print(&b)
	}
	return b.String()
}

// print writes one stage: a row of the table, and what is known of it below.
func (s StageReport) print(b *strings.Builder) {
	took := ""
	if s.Outcome == CheckPassed || s.Outcome == CheckFailed {
		took = round(s.Took)
	}
	row := fmt.Sprintf("  %-11s  %-12s  %s", s.Outcome, line(string(s.Stage)), took)
	b.WriteString(strings.TrimRight(row, " ") + "\n")
	note := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "      %s: %s\n", name, line(value))
		}
	}
	for _, d := range s.Details {
		note(line(d.Name), d.Value)
	}
	for _, warning := range s.Warnings {
		note("warning", warning)
	}
	if s.Err != nil {
		note("error", s.Err.Error())
	}
	note("remedy", s.Remedy)
}

// String returns both tables, or why there is none of a side.
func (c Checkup) String() string {
	return c.Incoming.of("the way in") + "\n" + c.Outgoing.of("the way out")
}

// of is String, and says of which side it speaks where the table does not.
func (r Report) of(side string) string {
	if r.Unchecked != nil {
		return side + " is " + r.String()
	}
	return r.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return line(s)
}

// round shortens a time to what matters to people.
func round(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// line puts words on one line: a server's words must not look like other lines
// of the table.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// MarshalText implements [encoding.TextMarshaler]: the outcome as String has it.
func (o CheckOutcome) MarshalText() ([]byte, error) {
	if int(o) < 0 || int(o) >= len(outcomeNames()) {
		return nil, fmt.Errorf("session: %v does not exist", o)
	}
	return []byte(o.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *CheckOutcome) UnmarshalText(text []byte) error {
	for i, name := range outcomeNames() {
		if name == string(text) {
			*o = CheckOutcome(i)
			return nil
		}
	}
	return fmt.Errorf("session: %q is no outcome of a check; there are %q", text, outcomeNames())
}

// stageJSON is a StageReport as JSON.
type stageJSON struct {
	Stage    Stage        `json:"stage"`
	Outcome  CheckOutcome `json:"outcome"`
	TookMS   float64      `json:"took_ms"`
	Details  []Detail     `json:"details,omitempty"`
	Warnings []string     `json:"warnings,omitempty"`
	Error    string       `json:"error,omitempty"`
	Remedy   string       `json:"remedy,omitempty"`
}

// MarshalJSON implements [json.Marshaler]. Times are in milliseconds, and the
// error is its text.
func (s StageReport) MarshalJSON() ([]byte, error) {
	return json.Marshal(stageJSON{
		Stage: s.Stage, Outcome: s.Outcome, TookMS: milliseconds(s.Took),
		Details: s.Details, Warnings: s.Warnings, Error: text(s.Err), Remedy: s.Remedy,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. Of the error there is its text.
func (s *StageReport) UnmarshalJSON(b []byte) error {
	var j stageJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("session: stage of a report: %w", err)
	}
	*s = StageReport{
		Stage: j.Stage, Outcome: j.Outcome, Took: fromMilliseconds(j.TookMS),
		Details: j.Details, Warnings: j.Warnings, Err: toError(j.Error), Remedy: j.Remedy,
	}
	return nil
}

// reportJSON is a Report as JSON.
type reportJSON struct {
	Backend   string        `json:"backend,omitempty"`
	Server    string        `json:"server,omitempty"`
	User      string        `json:"user,omitempty"`
	Began     time.Time     `json:"began"`
	TookMS    float64       `json:"took_ms"`
	Failed    Stage         `json:"failed,omitempty"`
	Unchecked string        `json:"unchecked,omitempty"`
	Stages    []StageReport `json:"stages,omitempty"`
}

// MarshalJSON implements [json.Marshaler]. What it adds is "failed": the first
// stage that failed.
func (r Report) MarshalJSON() ([]byte, error) {
	failed, _ := r.Failed()
	return json.Marshal(reportJSON{
		Backend: r.Backend, Server: r.Server, User: r.User, Began: r.Began.UTC(), TookMS: milliseconds(r.Took),
		Failed: failed.Stage, Unchecked: text(r.Unchecked), Stages: r.Stages,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. Of errors there are their texts.
func (r *Report) UnmarshalJSON(b []byte) error {
	var j reportJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("session: report: %w", err)
	}
	*r = Report{
		Backend: j.Backend, Server: j.Server, User: j.User, Began: j.Began, Took: fromMilliseconds(j.TookMS),
		Stages: j.Stages, Unchecked: toError(j.Unchecked),
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func fromMilliseconds(ms float64) time.Duration {
	return time.Duration(ms*1000+0.5) * time.Microsecond
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func toError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
