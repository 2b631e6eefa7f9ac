package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mailsession/mailsession/session"
)

var (
	_ session.Checker = (*referenceClient)(nil)
	_ session.Checker = referenceSender{}
)

// Check implements [session.Checker].
func (c *referenceClient) Check(ctx context.Context, o *session.CheckOptions) session.Report {
	var folder session.FolderRef
	if o != nil {
		folder = o.Folder
	}
	return c.report(session.StageFolder, func() error {
		_, err := c.collectOnce(ctx, question{
			Op: "search", Folder: string(cmp.Or(folder, session.Inbox)), Query: session.Query{Limit: 1},
		})
		return err
	})
}

// Check implements [session.Checker]. The server looks at a sender only when the
// message comes.
func (s referenceSender) Check(ctx context.Context, _ *session.CheckOptions) session.Report {
	r := s.client.report("", func() error {
		_, err := s.client.collectOnce(ctx, question{Op: "facts"})
		return err
	})
	sender := session.StageReport{Stage: session.StageSender, Outcome: session.CheckSkipped}
	if r.Err() != nil {
		sender.Outcome = session.CheckNotReached
	}
	r.Stages = append(r.Stages, sender)
	return r
}

// report asks one question and tells how far it came: to the server, past the
// sign-in, and to what the question is about, where it is about anything.
func (c *referenceClient) report(about session.Stage, ask func() error) session.Report {
	r := session.Report{Backend: referenceName, Server: referenceName + ":1", User: c.creds.User, Began: time.Now()}
	err := ask()
	r.Took = time.Since(r.Began)
	at := session.StageConnect
	if _, refused := errors.AsType[*session.AuthError](err); refused {
		at = session.StageSignIn
	} else if errors.Is(err, session.ErrNoFolder) || errors.Is(err, errors.ErrUnsupported) {
		at = about
	}
	reached := true
	for _, stage := range []session.Stage{session.StageConnect, session.StageSignIn, about} {
		if stage == "" {
			continue
		}
		s := session.StageReport{Stage: stage}
		switch {
		case err != nil && stage == at:
			s.Outcome, s.Took, s.Err, s.Remedy = session.CheckFailed, r.Took, err, "Go by what the server says."
			reached = false
		case reached:
			s.Outcome = session.CheckPassed
		}
		r.Stages = append(r.Stages, s)
	}
	return r
}
