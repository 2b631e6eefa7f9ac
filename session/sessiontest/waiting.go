package sessiontest

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
)

// waitRules are about WaitFor, which every backend gets from its Session.
func waitRules() []incomingRule {
	return []incomingRule{
		{"a wait finds what is there already, and what comes", waitFinds},
		{"a wait misses no message that comes while the line is cut", waitCut},
		{"a wait ends with its context, at the same instant", waitEnds},
	}
}

// waitOptions has looks come soon where time is real.
func (r *reading) waitOptions() *session.WatchOptions {
	if !r.realTime {
		return nil
	}
	return &session.WatchOptions{Interval: time.Second, FirstWait: 50 * time.Millisecond, MaxWait: time.Second}
}

// found is what a wait ended in.
type found struct {
	m   *session.Message
	err error
}

// waitFor waits for a message of the inbox in the background.
func (r *reading) waitFor(ctx context.Context, where session.Filter) <-chan found {
	r.Helper()
	s := r.over()
	done := make(chan found, 1)
	go func() {
		m, err := s.WaitFor(ctx, session.Query{Where: where}, r.waitOptions())
		done <- found{m, err}
	}()
	return done
}

// wantEnd waits for the end of a wait.
func (r *reading) wantEnd(what string, done <-chan found, want string) {
	r.Helper()
	bound := boundOf(r.realTime)
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case f := <-done:
		if f.err != nil || number(f.m) != want {
			r.Errorf("%s: WaitFor = %v, %v; want sample %s", what, f.m, f.err, want)
		}
	case <-timer.C:
		r.Fatalf("%s: WaitFor did not end within %v", what, bound)
	}
}

func waitFinds(ctx context.Context, r *reading) {
	r.seed(3)
	for subject, want := range map[string]string{"": "3", "Sample 2": "2"} {
		r.wantEnd("there already", r.waitFor(ctx, session.Filter{Subject: subject}), want)
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := r.waitFor(inner, session.Filter{Subject: "Sample 12"})
	for n := 10; n <= 13; n++ {
		if !r.realTime {
			synctest.Wait()
		}
		r.put(inbox, Stored{Raw: sample(n)})
		r.pause(ctx, 7*time.Minute)
	}
	r.wantEnd("what comes", done, "12")
	if facts := r.facts(ctx); facts.NoFlags {
		return
	}
	id := idsOf(r.oldest(ctx))[0]
	done = r.waitFor(inner, session.Filter{Flagged: session.Yes})
	if !r.realTime {
		synctest.Wait()
	}
	r.done(ctx, session.Change{Set: session.Flags{session.Flagged}}, id)
	r.wantEnd("what is flagged", done, "1")
}

// waitCut has the message come at the moment at which the line is cut, at any
// byte of a wait.
func waitCut(ctx context.Context, r *reading) {
	r.seed(many)
	n := many
	where := func() session.Filter { return session.Filter{Subject: "Sample " + sequence(n, n)} }
	r.renew()
	r.line.arm(nil)
	n++
	done := r.waitFor(ctx, where())
	if !r.realTime {
		synctest.Wait()
	}
	r.put(inbox, Stored{Raw: sample(n)})
	r.wantEnd("with a good line", done, sequence(n, n))
	sent, received, _, _ := r.line.counts()
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts)) {
		r.renew()
		r.facts(ctx) // a server that was never reached is no lost line
		struck := r.line.arm(&f)
		n++
		inner, cancel := context.WithCancel(ctx)
		done := r.waitFor(inner, where())
		select {
		case <-struck:
		case <-(&day{r: r}).later(5 * time.Minute): // it waits, and nothing goes over the line
		}
		r.put(inbox, Stored{Raw: sample(n)})
		r.wantEnd("cut", done, sequence(n, n))
		cancel()
		r.line.arm(nil)
	}
}

// later is when some time has gone by; a moment where time is real.
func (d *day) later(t time.Duration) <-chan time.Time {
	if d.r.realTime {
		t = 100 * time.Millisecond
	}
	return time.After(t)
}

func waitEnds(ctx context.Context, r *reading) {
	r.seed(3)
	never := session.Filter{Subject: "never"}
	inner, cancel := context.WithCancel(ctx)
	done := r.waitFor(inner, never)
	r.pause(ctx, 90*time.Minute)
	if !r.realTime {
		synctest.Wait()
	}
	start := time.Now()
	cancel()
	if f := <-done; !errors.Is(f.err, context.Canceled) || !r.realTime && time.Since(start) != 0 {
		r.Errorf("WaitFor that was cancelled = %v, %v after %v, want context.Canceled at once", f.m, f.err, time.Since(start))
	}
	r.wantNoLines("after a wait that was cancelled")
}
