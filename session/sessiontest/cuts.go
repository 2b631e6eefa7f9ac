package sessiontest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// cuts is at how many places a run is broken.
const cuts = 8

// lineRules are about lines that break.
func lineRules() []incomingRule {
	return []incomingRule{
		{"a line cut anywhere loses and doubles no message", cutListing},
		{"a listing goes on after a lost line", resumedListing},
		{"a line that is lost inside the loop is made again", lostInTheLoop},
		{"a change that was cut tells the truth", cutChanges},
		{"a server that cannot be reached is an error, and is dialled again", unreachable},
	}
}

// cutListing cuts the very first use, at any byte of it.
func cutListing(ctx context.Context, r *reading) {
	r.seed(many)
	whole := strings.Fields(sequence(1, many))
	r.line.arm(nil)
	r.oldest(ctx)
	sent, received, _, _ := r.line.counts()
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts)) {
		r.renew()
		struck := r.line.arm(&f)
		messages, err := collect(ctx, r.in, session.Query{OldestFirst: true})
		got := strings.Fields(numbers(messages))
		if !hasStruck(struck) {
			r.Errorf("the line was not cut after %d bytes %v", f.after, f.dir)
		}
		if len(got) > many || !slices.Equal(got, whole[:len(got)]) || err == nil && len(got) != many {
			r.Errorf("cut after %d bytes %v: Messages = %v, %v; want the first of %v, all of them where there is no error", f.after, f.dir, got, err, whole)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !session.Temporary(err) {
			r.Errorf("cut after %d bytes %v: error %v, want io.ErrUnexpectedEOF, or one that is temporary", f.after, f.dir, err)
		}
		wantNoSecret(r, err, r.Credentials.Password)
		r.wantWorking(ctx, many)
	}
}

func hasStruck(struck <-chan struct{}) bool {
	select {
	case <-struck:
		return true
	default:
		return false
	}
}

// resumedListing cuts a listing by a backend that has signed in before.
func resumedListing(ctx context.Context, r *reading) {
	r.seed(many)
	r.facts(ctx)
	r.line.arm(nil)
	r.oldest(ctx)
	_, received, _, _ := r.line.counts()
	for _, f := range places(receiving, received, cuts) {
		r.renew()
		r.facts(ctx)
		r.line.arm(&f)
		messages, err := collect(ctx, r.in, session.Query{OldestFirst: true})
		if got, want := numbers(messages), sequence(1, many); err != nil || got != want {
			r.Errorf("cut after %d of %d bytes: Messages = %s, %v; want %s", f.after, received, got, err, want)
		}
	}
}

func lostInTheLoop(ctx context.Context, r *reading) {
	r.seed(many)
	for _, at := range []int{1, 10, 11, many - 1} {
		var got []*session.Message
		for m, err := range r.in.Messages(ctx, session.Query{}) {
			if err != nil {
				r.Errorf("Messages after %d messages and a lost line: %v", len(got), err)
				break
			}
			if got = append(got, m); len(got) == at {
				r.line.cutAll()
			}
		}
		if got, want := numbers(got), sequence(many, 1); got != want {
			r.Errorf("the line was lost after %d messages: Messages = %s, want %s", at, got, want)
		}
	}
}

// cutChanges cuts changes at any byte, and compares what the backend says with
// what the mailbox holds.
func cutChanges(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seed(1)
	if !facts.NoFlags {
		r.cutChange(ctx, session.Change{Set: session.Flags{session.Flagged}}, session.Change{Clear: session.Flags{session.Flagged}},
			func() (done, lost bool) { return strings.Contains(r.snapshot(), string(session.Flagged)), false })
	}
	if facts.SafeDelete {
		r.cutChange(ctx, session.Change{Delete: true}, session.Change{},
			func() (done, lost bool) { return r.storedNumbers(inbox) == "", false })
	}
	if facts.SafeMove && !facts.OneFolder {
		archive := r.archive(ctx)
		r.cutChange(ctx, session.Change{MoveTo: session.Archive}, session.Change{}, func() (done, lost bool) {
			here, there := len(r.kept(inbox)), len(r.kept(archive))
			return here == 0, here+there == 0
		})
	}
}

// cutChange cuts one change at several places. Back undoes it; where it is
// zero, a new message takes the place of the old.
func (r *reading) cutChange(ctx context.Context, c, back session.Change, look func() (done, lost bool)) {
	r.Helper()
	fresh := func() session.ID {
		if back.Check() != nil {
			r.clear()
			r.seed(1)
		}
		id := r.first(ctx, session.Query{}).ID
		if back.Check() == nil {
			r.done(ctx, back, id)
		}
		return id
	}
	id := fresh()
	r.line.arm(nil)
	r.done(ctx, c, id)
	sent, received, _, _ := r.line.counts()
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts), []fault{{dir: sending, after: sent}}) {
		id := fresh()
		r.line.arm(&f)
		results, err := r.in.Apply(ctx, c, id)
		r.line.settle()
		done, lost := look()
		if len(results) != 1 || results[0].ID != id {
			r.Errorf("%+v cut after %d bytes %v: %d results for one id, %v", c, f.after, f.dir, len(results), err)
			continue
		}
		switch res := results[0]; {
		case lost:
			r.Errorf("%+v cut after %d bytes %v: the message is lost; the result is %v, %v", c, f.after, f.dir, res.Outcome, res.Err)
		case res.Outcome == session.Done && (!done || res.Err != nil):
			r.Errorf("%+v cut after %d bytes %v: done, %v; the mailbox has it done: %t", c, f.after, f.dir, res.Err, done)
		case res.Outcome == session.NotDone && (done || res.Err == nil):
			r.Errorf("%+v cut after %d bytes %v: not done, %v; the mailbox has it done: %t", c, f.after, f.dir, res.Err, done)
		case res.Outcome == session.DoneUnknown && res.Err == nil:
			r.Errorf("%+v cut after %d bytes %v: unknown, without an error", c, f.after, f.dir)
		}
	}
	r.line.arm(nil)
	r.clear()
	r.seed(1)
}

// clear empties the inbox.
func (r *reading) clear() {
	r.Helper()
	for range r.kept(inbox) {
		if err := r.Mailbox.Remove(inbox, 1); err != nil {
			r.Fatal(err)
		}
	}
}

func unreachable(ctx context.Context, r *reading) {
	r.seed(2)
	r.wantWorking(ctx, 2)
	id := r.first(ctx, session.Query{}).ID
	change := r.someChanges(ctx)[0]
	r.line.refuse(true)
	r.line.cutAll()
	for _, op := range operations() {
		if err := op.run(ctx, r.in, id, change); err == nil {
			r.Errorf("%s at a server that refuses connections: no error", op.name)
		}
	}
	r.line.refuse(false)
	r.wantWorking(ctx, 2)
}
