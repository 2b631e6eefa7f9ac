package sessiontest

import (
	"context"
	"errors"

	"github.com/mailsession/mailsession/session"
)

const (
	ruleChecks       = "a check tells how far it comes and why not further, and changes nothing"
	ruleSenderChecks = "a check tells how far it comes and why not further, and sends nothing"
)

// checkLie is a way in with another report.
type checkLie struct {
	session.Incoming

	alter func(ctx context.Context, r session.Report) session.Report
}

func (l checkLie) Check(ctx context.Context, o *session.CheckOptions) session.Report {
	checker, _ := session.As[session.Checker](l.Incoming)
	return l.alter(ctx, checker.Check(ctx, o))
}

// senderCheckLie is the same for a way out.
type senderCheckLie struct {
	session.Outgoing

	alter func(ctx context.Context, r session.Report) session.Report
}

func (l senderCheckLie) Check(ctx context.Context, o *session.CheckOptions) session.Report {
	checker, _ := session.As[session.Checker](l.Outgoing)
	return l.alter(ctx, checker.Check(ctx, o))
}

// wrongReports are what can be wrong with a report, in either direction.
func wrongReports() map[string]func(context.Context, session.Report) session.Report {
	failing := func(change func(*session.StageReport)) func(context.Context, session.Report) session.Report {
		return func(_ context.Context, r session.Report) session.Report {
			for i := range r.Stages {
				if r.Stages[i].Outcome == session.CheckFailed {
					change(&r.Stages[i])
				}
			}
			return r
		}
	}
	return map[string]func(context.Context, session.Report) session.Report{
		"finds nothing wrong":         failing(func(s *session.StageReport) { *s = session.StageReport{Stage: s.Stage, Outcome: session.CheckPassed} }),
		"says nothing of what to do":  failing(func(s *session.StageReport) { s.Remedy = "" }),
		"does not say why":            failing(func(s *session.StageReport) { s.Err = nil }),
		"shows what was refused":      failing(func(s *session.StageReport) { s.Details = []session.Detail{{Name: "password", Value: wrongSecret}} }),
		"tells a refusal as the line": failing(func(s *session.StageReport) { s.Err = errors.New("connection lost") }),
		"goes on behind a failure": func(_ context.Context, r session.Report) session.Report {
			r.Stages = append(r.Stages, session.StageReport{Stage: "further", Outcome: session.CheckPassed})
			return r
		},
		"has no stages": func(_ context.Context, r session.Report) session.Report {
			r.Stages = nil
			return r
		},
		"shows the password": func(_ context.Context, r session.Report) session.Report {
			r.Stages[0].Warnings = []string{"with " + correct}
			return r
		},
		"does not say for whom": func(_ context.Context, r session.Report) session.Report {
			r.User = ""
			return r
		},
	}
}

// brokenChecks returns what can be wrong with how a way in checks itself. What
// both directions have in common is tried on ways out, whose suite is the faster
// one.
func brokenChecks() []brokenWay {
	return []brokenWay{
		{
			name: "marks what it checks as read", rules: []string{ruleChecks},
			in: func(b *bed, _ Dial, in session.Incoming) session.Incoming {
				return checkLie{in, func(_ context.Context, r session.Report) session.Report {
					_ = b.account.AddFlags("INBOX", []string{string(session.Seen)}, 1) // there may be no message
					return r
				}}
			},
		},
		{
			name: "checks itself and finds nothing wrong", rules: []string{ruleChecks},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return checkLie{in, wrongReports()["finds nothing wrong"]}
			},
		},
	}
}

// brokenSenderChecks returns the same for a way out.
func brokenSenderChecks() []brokenWay {
	var all []brokenWay
	for name, alter := range wrongReports() {
		all = append(all, brokenWay{
			name: "checks itself and " + name, rules: []string{ruleSenderChecks},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing { return senderCheckLie{out, alter} },
		})
	}
	return all
}
