package sessiontest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func checkRules() []incomingRule {
	return []incomingRule{
		{"a check tells how far it comes and why not further, and changes nothing", checksIn},
	}
}

func senderCheckRules() []outgoingRule {
	return []outgoingRule{
		{"a check tells how far it comes and why not further, and sends nothing", checksOut},
	}
}

// checks is one test of a Checker.
type checks struct {
	testing.TB

	line  *line
	creds session.Credentials
	// with returns the Checker of another backend with these credentials.
	with func(creds session.Credentials) session.Checker
	opts *session.CheckOptions
}

// checksIn holds a way in to what [session.Checker] says.
func checksIn(ctx context.Context, r *reading) {
	r.seed(3)
	if _, ok := session.As[session.Checker](r.in); !ok {
		c := r.session(session.ReadOnly).Check(ctx, nil)
		wantUnsupported(r, "Check", c.Incoming.Unchecked, "check")
		r.wantWorking(ctx, 3)
		return
	}
	before := r.kept(inbox)
	c := &checks{TB: r, line: r.line, creds: r.Credentials, with: func(creds session.Credentials) session.Checker {
		in, err := r.Backend(r.line.Dial)(setupFor(creds))
		if err != nil {
			r.Fatalf("make the backend: %v", err)
		}
		r.Cleanup(func() { closeIt(r, in) })
		checker, _ := session.As[session.Checker](in)
		return checker
	}}
	c.run(ctx)
	if after := r.kept(inbox); !reflect.DeepEqual(after, before) {
		r.Errorf("the inbox holds %v after checks, want %v", after, before)
	}
	c.opts = &session.CheckOptions{Folder: session.FolderAt("No such folder, for sure")}
	report := c.with(c.creds).Check(ctx, c.opts)
	if failed := c.wantFailure("of a folder that is not there", report); failed.Stage != session.StageFolder {
		r.Errorf("the check of a folder that is not there fails at %q, want %q", failed.Stage, session.StageFolder)
	}
	r.wantWorking(ctx, 3)
}

// checksOut holds a way out to it.
func checksOut(ctx context.Context, p *posting) {
	if _, ok := session.As[session.Checker](p.out); !ok {
		s, err := session.New(p.Credentials, nil, p.Backend(p.line.Dial), nil)
		if err != nil {
			p.Fatalf("session.New: %v", err)
		}
		p.Cleanup(func() { closeIt(p, s) })
		wantUnsupported(p, "Check", s.Check(ctx, nil).Outgoing.Unchecked, "check")
		p.wantSending(ctx)
		return
	}
	c := &checks{TB: p, line: p.line, creds: p.Credentials, opts: &session.CheckOptions{From: p.From}, with: func(creds session.Credentials) session.Checker {
		out, err := p.Backend(p.line.Dial)(setupFor(creds))
		if err != nil {
			p.Fatalf("make the backend: %v", err)
		}
		p.Cleanup(func() { closeIt(p, out) })
		checker, _ := session.As[session.Checker](out)
		return checker
	}}
	before := p.arrivedTo(ctx)
	c.run(ctx)
	if after := p.arrivedTo(ctx); !maps.Equal(before, after) {
		p.Errorf("the messages that arrived are %v after checks, %v before", after, before)
	}
	p.wantSending(ctx)
}

// arrivedTo counts what each recipient has, which may be more than this rule sent.
func (p *posting) arrivedTo(ctx context.Context) map[string]int {
	p.Helper()
	counts := map[string]int{}
	for _, to := range p.To {
		arrived, err := p.Arrived(ctx, to)
		if err != nil {
			p.Fatalf("what arrived for %s: %v", to, err)
		}
		counts[to] = len(arrived)
	}
	return counts
}

// run checks what works, and then what does not.
func (c *checks) run(ctx context.Context) {
	c.Helper()
	checker := c.with(c.creds)
	made := c.line.dialled()
	report := checker.Check(ctx, c.opts)
	c.wantReport("of what works", report)
	if err := report.Err(); err != nil {
		c.Errorf("the check of what works fails: %v", err)
	}
	if again := checker.Check(ctx, c.opts); again.Err() != nil || c.line.dialled() != made+2 {
		c.Errorf("two checks made %d connections and ended in %v, want one each", c.line.dialled()-made, again.Err())
	}

	c.line.refuse(true)
	c.wantFailure("of a server that cannot be reached", c.with(c.creds).Check(ctx, c.opts))
	c.line.refuse(false)

	ended, end := context.WithCancel(ctx)
	end()
	report = c.with(c.creds).Check(ended, c.opts)
	c.wantFailure("whose context has ended", report)
	if !errors.Is(report.Err(), context.Canceled) {
		c.Errorf("the check whose context has ended fails by %v, want the context's error", report.Err())
	}

	if c.creds.Tokens == nil && c.creds.Password.IsZero() {
		return // there is nothing to refuse
	}
	report = c.with(wrong(c.creds)).Check(ctx, c.opts)
	if failed := c.wantFailure("with credentials that are refused", report); failed.Stage != session.StageSignIn {
		c.Errorf("the check with credentials that are refused fails at %q, want %q", failed.Stage, session.StageSignIn)
	}
	wantAuthError(c, "Check", report.Err())
	if all := words(c, report); strings.Contains(all, wrongSecret) {
		c.Errorf("the report of refused credentials shows them")
	}
}

// wantFailure checks the report of what does not work, and returns the stage
// that failed.
func (c *checks) wantFailure(what string, r session.Report) session.StageReport {
	c.Helper()
	c.wantReport(what, r)
	failed, ok := r.Failed()
	if !ok {
		c.Errorf("the check %s finds nothing wrong", what)
		return failed
	}
	if failed.Err == nil || failed.Remedy == "" {
		c.Errorf("the check %s fails at %s by %v with the remedy %q, want an error and what to do", what, failed.Stage, failed.Err, failed.Remedy)
	}
	return failed
}

// wantReport checks what holds of every report.
func (c *checks) wantReport(what string, r session.Report) {
	c.Helper()
	if r.Backend == "" || r.Server == "" || r.User != c.creds.User || r.Began.IsZero() || r.Unchecked != nil {
		c.Errorf("the check %s is about %q at %q for %q, began at %v (%v)", what, r.Backend, r.Server, r.User, r.Began, r.Unchecked)
	}
	failed := false
	seen := map[session.Stage]bool{}
	for _, s := range r.Stages {
		fits := s.Outcome == session.CheckPassed || s.Outcome == session.CheckSkipped
		switch {
		case failed:
			fits = s.Outcome == session.CheckNotReached
		case s.Outcome == session.CheckFailed:
			failed, fits = true, true
		}
		if !fits || seen[s.Stage] || s.Stage == "" || s.Took < 0 {
			c.Errorf("the check %s: stage %q %v after %v, in a report of\n%v", what, s.Stage, s.Outcome, s.Took, r)
		}
		if s.Outcome != session.CheckFailed && (s.Err != nil || s.Remedy != "") {
			c.Errorf("the check %s: stage %q %v with the error %v", what, s.Stage, s.Outcome, s.Err)
		}
		seen[s.Stage] = true
	}
	if len(r.Stages) == 0 {
		c.Errorf("the check %s has no stages", what)
	}
	if p := c.creds.Password; p != (secret.Text{}) && strings.Contains(words(c, r), p.Reveal()) {
		c.Errorf("the report of the check %s shows the password", what)
	}
}

// words returns all that a report may show.
func words(tb testing.TB, r session.Report) string {
	tb.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		tb.Fatalf("a report as JSON: %v", err)
	}
	return r.String() + string(b)
}
