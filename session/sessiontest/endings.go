package sessiontest

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// endingRules are about calls that are ended, calls at the same time, and
// modes.
func endingRules() []incomingRule {
	return []incomingRule{
		{"a call ends with its context, at the same instant", endsWithContext},
		{"a call whose context has ended does nothing", endedContext},
		{"Close ends calls that are under way with ErrClosed", closeEnds},
		{"a closed backend is ErrClosed", closed},
		{"calls at the same time do not disturb each other", concurrently},
		{"a read-only session reads and changes nothing", readOnly},
		{"a mode that forbids a call is a ModeError before any I/O", forbidden},
	}
}

// operation is a call that waits for a server.
type operation struct {
	name string
	run  func(ctx context.Context, in session.Incoming, id session.ID, change session.Change) error
}

// operations returns the calls of a way in.
func operations() []operation {
	return []operation{
		{"Messages", func(ctx context.Context, in session.Incoming, _ session.ID, _ session.Change) error {
			_, err := collect(ctx, in, session.Query{})
			return err
		}},
		{"Open", func(ctx context.Context, in session.Incoming, id session.ID, _ session.Change) error {
			body, err := in.Open(ctx, id)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }() // the reading has told
			_, err = io.Copy(io.Discard, body)
			return err
		}},
		{"Folders", func(ctx context.Context, in session.Incoming, _ session.ID, _ session.Change) error {
			for _, err := range in.Folders(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Changes", func(ctx context.Context, in session.Incoming, _ session.ID, _ session.Change) error {
			if _, able := session.As[session.Syncer](in); !able && isBackend(in) {
				_, err := collect(ctx, in, session.Query{Limit: 1})
				return err
			}
			for _, err := range changesOf(ctx, in, "", session.Cursor{}, session.SyncOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Apply", func(ctx context.Context, in session.Incoming, id session.ID, change session.Change) error {
			results, err := in.Apply(ctx, change, id)
			if err == nil && len(results) == 1 {
				err = results[0].Err
			}
			return err
		}},
	}
}

// isBackend reports whether a way in is none of a Session.
func isBackend(in session.Incoming) bool {
	_, wrapped := in.(*session.Session)
	return !wrapped
}

// stalled runs a call on a line that falls silent, ends it, and returns how it
// ended. In virtual time the call has to end when so much time has passed.
func stalled(tb testing.TB, l *line, f fault, realTime bool, call func() error, end func(), after time.Duration) error {
	tb.Helper()
	start := time.Now()
	struck := l.arm(&f)
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	if realTime {
		select {
		case <-struck:
		case err := <-ended:
			tb.Errorf("the call ended before the line fell silent: %v", err)
			return err
		}
	} else {
		synctest.Wait()
	}
	end()
	err := await(tb, l, ended, realTime)
	if took := time.Since(start); !realTime && took != after {
		tb.Errorf("silent after %d bytes: the call ended after %v, want %v", f.after, took, after)
	}
	return err
}

// boundOf is how long to wait for what is to come: longer than any bound of a
// backend where time is virtual, and as long as a test has patience for where it
// is real.
func boundOf(realTime bool) time.Duration {
	if realTime {
		return 30 * time.Second
	}
	return 2 * time.Hour
}

// await waits for a call. One that does not end is ended by cutting its line.
func await(tb testing.TB, l *line, ended <-chan error, realTime bool) error {
	tb.Helper()
	bound := boundOf(realTime)
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		tb.Errorf("the call did not end within %v", bound)
		l.cutAll()
		return <-ended
	}
}

// stalls returns where to silence a line over which so many bytes came.
func stalls(received int64) []fault {
	all := places(receiving, received, 4)
	for i := range all {
		all[i].stall = true
	}
	return all
}

// eachStalled runs every call with the line falling silent at several places
// of it, on a new backend each time.
func (r *reading) eachStalled(ctx context.Context, check func(op operation, call func(context.Context) error, f fault)) {
	r.Helper()
	r.put(inbox, Stored{Raw: big(100_000)})
	r.put(inbox, Stored{Raw: sample(2)})
	id := r.oldest(ctx)[0].ID
	change := r.someChanges(ctx)[0]
	if change.Delete {
		change = session.Change{}
	}
	for _, op := range operations() {
		if op.name == "Apply" && change.Check() != nil {
			continue // the backend has no change that can be made again and again
		}
		r.renew()
		r.line.arm(nil)
		if err := op.run(ctx, r.in, id, change); err != nil {
			r.Fatalf("%s: %v", op.name, err)
		}
		_, received, _, _ := r.line.counts()
		for _, f := range stalls(received) {
			r.renew()
			check(op, func(ctx context.Context) error { return op.run(ctx, r.in, id, change) }, f)
			r.line.arm(nil)
		}
	}
}

func endsWithContext(ctx context.Context, r *reading) {
	r.eachStalled(ctx, func(op operation, call func(context.Context) error, f fault) {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		err := stalled(r, r.line, f, r.realTime, func() error { return call(inner) }, cancel, 0)
		if !errors.Is(err, context.Canceled) {
			r.Errorf("%s, silent after %d bytes, cancelled: error %v, want context.Canceled", op.name, f.after, err)
		}
		r.line.arm(nil)
		if n := r.line.open(); n != 0 {
			r.Errorf("%s, cancelled: %d connections are open, want that the one in use is closed", op.name, n)
			r.line.cutAll()
		}
		if err := call(ctx); err != nil {
			r.Errorf("%s after one that was cancelled: %v", op.name, err)
		}
		closeIt(r, r.in)
		if r.realTime {
			return
		}
		r.renew()
		late, cancelLate := context.WithTimeout(ctx, time.Second)
		defer cancelLate()
		err = stalled(r, r.line, f, r.realTime, func() error { return call(late) }, func() {}, time.Second)
		if !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("%s, silent after %d bytes, out of time: error %v, want context.DeadlineExceeded", op.name, f.after, err)
		}
		closeIt(r, r.in)
	})
}

func endedContext(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	change := r.someChanges(ctx)[0]
	before := r.snapshot()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	r.renew()
	made := r.line.dialled()
	for _, op := range operations() {
		if err := op.run(ended, r.in, id, change); !errors.Is(err, context.Canceled) {
			r.Errorf("%s with an ended context: error %v, want context.Canceled", op.name, err)
		}
	}
	if after := r.snapshot(); after != before || r.line.dialled() != made {
		r.Errorf("calls with an ended context changed %s to %s, with %d connections", before, after, r.line.dialled()-made)
	}
}

func closeEnds(ctx context.Context, r *reading) {
	r.eachStalled(ctx, func(op operation, call func(context.Context) error, f fault) {
		in := r.in
		err := stalled(r, r.line, f, r.realTime, func() error { return call(ctx) }, func() { closeIt(r, in) }, 0)
		if !errors.Is(err, session.ErrClosed) {
			r.Errorf("%s, silent after %d bytes, closed: error %v, want ErrClosed", op.name, f.after, err)
		}
		if n := r.line.open(); n != 0 {
			r.Errorf("%s, closed: %d connections are open", op.name, n)
		}
	})
}

func closed(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	change := r.someChanges(ctx)[0]
	before := r.snapshot()
	for range 2 {
		closeIt(r, r.in)
	}
	made := r.line.dialled()
	for _, op := range operations() {
		if err := op.run(ctx, r.in, id, change); !errors.Is(err, session.ErrClosed) {
			r.Errorf("%s of a closed backend: error %v, want ErrClosed", op.name, err)
		}
	}
	if after := r.snapshot(); after != before || r.line.dialled() != made || r.line.open() != 0 {
		r.Errorf("a closed backend changed %s to %s, made %d connections and has %d open",
			before, after, r.line.dialled()-made, r.line.open())
	}
}

// workers is how many goroutines use a backend at the same time.
const workers = 8

func concurrently(ctx context.Context, r *reading) {
	r.seed(many)
	ids := idsOf(r.oldest(ctx))
	facts := r.facts(ctx)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for n := w; n < many; n += workers {
				raw, err := read(ctx, r.in, ids[n])
				if err != nil || string(raw) != sample(n+1) {
					r.Errorf("Open at the same time = %d bytes, %v; want message %d", len(raw), err, n+1)
				}
				messages, err := collect(ctx, r.in, session.Query{})
				if got, want := numbers(messages), sequence(many, 1); err != nil || got != want {
					r.Errorf("Messages at the same time = %s, %v; want %s", got, err, want)
				}
				if facts.NoFlags {
					continue
				}
				results, err := r.in.Apply(ctx, session.Change{Set: session.Flags{session.Flagged}}, ids[n])
				if err != nil || len(results) != 1 || results[0].Outcome != session.Done {
					r.Errorf("Apply at the same time = %+v, %v", results, err)
				}
			}
		})
	}
	group.Wait()
	for n, m := range r.kept(inbox) {
		if m.Flags.Has(session.Flagged) == facts.NoFlags {
			r.Errorf("message %d has the flags %v after all were flagged (the backend keeps none: %t)", n+1, m.Flags, facts.NoFlags)
		}
	}
}

func readOnly(ctx context.Context, r *reading) {
	r.seed(many)
	before := r.snapshot()
	s := r.session(session.ReadOnly)
	got, err := collect(ctx, s, session.Query{})
	if numbers(got) != sequence(many, 1) || err != nil {
		r.Fatalf("Messages of a read-only session = %s, %v", numbers(got), err)
	}
	raw, err := read(ctx, s, got[0].ID)
	if err != nil || string(raw) != sample(many) {
		r.Errorf("Open in a read-only session = %d bytes, %v; want message %d", len(raw), err, many)
	}
	if m, err := s.Read(ctx, got[0].ID); err != nil || m.Header.Subject() != got[0].Header.Subject() {
		r.Errorf("Read in a read-only session: %v, want the message %q", err, got[0].Header.Subject())
	}
	sent, received, made, _ := r.line.counts()
	results, err := s.Apply(ctx, session.Change{Delete: true}, got[0].ID)
	if _, ok := errors.AsType[*session.ModeError](err); !ok || len(results) != 1 || results[0].Outcome != session.NotDone {
		r.Errorf("Apply in a read-only session = %+v, %v; want not done, and a ModeError", results, err)
	}
	if s2, r2, m2, _ := r.line.counts(); s2 != sent || r2 != received || m2 != made {
		r.Errorf("Apply in a read-only session made I/O")
	}
	if _, err := s.Send(ctx, session.Envelope{From: "a@example.com", To: []string{"b@example.com"}}, message.Bytes([]byte(sample(1)))); !isModeError(err) {
		r.Errorf("Send in a read-only session: error %v, want a ModeError", err)
	}
	if after := r.snapshot(); after != before {
		r.Errorf("a read-only session changed %s to %s", before, after)
	}
}

func isModeError(err error) bool {
	_, ok := errors.AsType[*session.ModeError](err)
	return ok
}

// forbidden: a session that may only send does not even make the way in.
func forbidden(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	made := r.line.dialled()
	out := func(session.Setup) (session.Outgoing, error) { return nowhere{}, nil }
	s, err := session.New(r.Credentials, r.Backend(r.line.Dial), out, &session.Options{Mode: session.SendOnly})
	if err != nil {
		r.Fatalf("session.New: %v", err)
	}
	for _, op := range operations() {
		if err := op.run(ctx, s, id, session.Change{Delete: true}); !isModeError(err) {
			r.Errorf("%s in a send-only session: error %v, want a ModeError", op.name, err)
		}
	}
	if _, err := s.Facts(ctx); !isModeError(err) {
		r.Errorf("Facts in a send-only session: error %v, want a ModeError", err)
	}
	closeIt(r, s)
	if n := r.line.dialled() - made; n != 0 {
		r.Errorf("a send-only session made %d connections to read", n)
	}
}

// nowhere is a way out that takes nothing.
type nowhere struct{}

func (nowhere) Send(context.Context, session.Envelope, message.Source) (session.Receipt, error) {
	return session.Receipt{Outcome: session.NotSent}, errors.ErrUnsupported
}

func (nowhere) Close() error { return nil }
