package sessiontest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// bulkRules are about Bodies.
func bulkRules() []incomingRule {
	return []incomingRule{
		{"Bodies gives each message once, with its exact bytes", allBodies},
		{"a message that is gone is an ItemError of Bodies, and the loop goes on", goneBodies},
		{"any call is legal inside a loop over Bodies", callsInBodies},
		{"break ends Bodies and leaks nothing", brokenOffBodies},
		{"a body of Bodies is over with its turn", bodyTurns},
		{"a body of Bodies ends in io.EOF only if it is whole", cutBulk},
	}
}

// expected returns the bytes of messages by their ids, as the mailbox has them.
func (r *reading) expected(ctx context.Context) map[session.ID]string {
	r.Helper()
	want := map[session.ID]string{}
	kept, err := r.Mailbox.Messages(inbox)
	if err != nil {
		r.Fatalf("look into %s: %v", inbox, err)
	}
	for i, m := range r.oldest(ctx) {
		want[m.ID] = r.sent(kept[i].Raw)
	}
	return want
}

func allBodies(ctx context.Context, r *reading) {
	r.seed(many)
	r.put(inbox, Stored{Raw: big(300_000)})
	r.put(inbox, Stored{Raw: sample(1) + "no final line break"})
	s := r.session(session.ReadWrite)
	before := r.snapshot()
	want := r.expected(ctx)
	ids := idsOf(r.oldest(ctx))
	slices.Reverse(ids)
	seen := map[session.ID]bool{}
	for b, err := range s.Bodies(ctx, append(ids, ids[3])...) {
		if err != nil {
			r.Fatalf("Bodies after %d messages: %v", len(seen), err)
		}
		raw, err := io.ReadAll(b)
		if err != nil || string(raw) != want[b.ID] {
			r.Errorf("the body of %v has %d bytes, %v; want %d", b.ID, len(raw), err, len(want[b.ID]))
		}
		if seen[b.ID] {
			r.Errorf("Bodies gives the message %v twice", b.ID)
		}
		seen[b.ID] = true
	}
	if len(seen) != len(want) {
		r.Errorf("Bodies gives %d messages, want %d", len(seen), len(want))
	}
	for b, err := range s.Bodies(ctx) {
		r.Errorf("Bodies of nothing gives %v, %v", b.ID, err)
	}
	if after := r.snapshot(); after != before {
		r.Errorf("Bodies changed %s to %s", before, after)
	}
}

func goneBodies(ctx context.Context, r *reading) {
	r.seed(5)
	s := r.session(session.ReadWrite)
	ids := idsOf(r.oldest(ctx))
	if err := r.Mailbox.Remove(inbox, 2); err != nil {
		r.Fatal(err)
	}
	parts, err := ids[0].Parts()
	if err != nil {
		r.Fatal(err)
	}
	parts.Mailbox = "another"
	other := session.NewID(parts)
	told := map[session.ID]error{}
	for b, err := range s.Bodies(ctx, append(ids, other)...) {
		e, item := errors.AsType[*session.ItemError](err)
		switch {
		case err == nil:
			_, err = io.ReadAll(b)
			told[b.ID] = err
		case item:
			told[e.ID] = err
		default:
			r.Fatalf("Bodies after %d messages: %v", len(told), err)
		}
	}
	for i, id := range append(ids, other) {
		var want error
		switch i {
		case 1:
			want = session.ErrNoMessage
		case len(ids):
			want = session.ErrOtherMailbox
		}
		if err, there := told[id]; !there || !errors.Is(err, want) {
			r.Errorf("Bodies tells of message %d: %t, %v; want %v", i+1, there, err, want)
		}
	}
}

func callsInBodies(ctx context.Context, r *reading) {
	r.seed(many)
	s := r.session(session.ReadWrite)
	facts := r.facts(ctx)
	ids := idsOf(r.oldest(ctx))
	n := 0
	for b, err := range s.Bodies(ctx, ids...) {
		if err != nil {
			r.Fatalf("Bodies after %d messages: %v", n, err)
		}
		head := make([]byte, 10)
		if _, err := io.ReadFull(b, head); err != nil {
			r.Errorf("Read: %v", err)
		}
		if n++; n%8 == 1 {
			r.callsInside(ctx, s, facts, b.ID)
		}
		rest, err := io.ReadAll(b)
		if got := numberOf(string(head) + string(rest)); err != nil || got != sequence(1+slices.Index(ids, b.ID), 1+slices.Index(ids, b.ID)) {
			r.Errorf("after calls inside the loop, the body of %v is that of sample %s, %v", b.ID, got, err)
		}
	}
	if n != many {
		r.Errorf("Bodies gives %d messages, want %d", n, many)
	}
}

// callsInside makes calls of all kinds.
func (r *reading) callsInside(ctx context.Context, s *session.Session, facts session.Facts, id session.ID) {
	r.Helper()
	if messages, err := collect(ctx, s, session.Query{}); err != nil || len(messages) != many {
		r.Errorf("Messages inside the loop = %d messages, %v", len(messages), err)
	}
	if raw, err := read(ctx, s, id); err != nil || numberOf(string(raw)) == "" {
		r.Errorf("Open inside the loop = %d bytes, %v", len(raw), err)
	}
	if !facts.NoFlags {
		results, err := s.Apply(ctx, session.Change{Set: session.Flags{session.Flagged}}, id)
		if err != nil || len(results) != 1 || results[0].Outcome != session.Done {
			r.Errorf("Apply inside the loop = %+v, %v", results, err)
		}
	}
	inner := 0
	for _, err := range s.Bodies(ctx, id) {
		if inner++; err != nil {
			r.Errorf("Bodies inside the loop: %v", err)
		}
	}
	if inner != 1 {
		r.Errorf("Bodies inside the loop gives %d messages, want one", inner)
	}
}

func brokenOffBodies(ctx context.Context, r *reading) {
	for n := range many {
		r.put(inbox, Stored{Raw: strings.Replace(big(ahead/8), "<sample-1@", "<sample-"+sequence(n+1, n+1)+"@", 1)})
	}
	ids := idsOf(r.oldest(ctx))
	closeIt(r, r.in)
	r.line.arm(nil) // the listing may have taken whole messages
	s := r.session(session.ReadWrite)
	for at := range 4 {
		n := 0
		for b, err := range s.Bodies(ctx, ids...) {
			if err != nil {
				r.Fatalf("Bodies: %v", err)
			}
			if _, err := io.ReadFull(b, make([]byte, 100)); err != nil {
				r.Errorf("Read: %v", err)
			}
			if n++; n > at {
				break
			}
		}
		if n != at+1 {
			r.Errorf("the loop went on for %d messages after break in turn %d", n, at+1)
		}
	}
	if _, received, _, _ := r.line.counts(); received > many*ahead/8 {
		r.Errorf("%d bytes came for the beginnings of few messages", received)
	}
	if n := r.line.open(); n > 1 {
		r.Errorf("%d connections are open after loops that were left, want one at most", n)
	}
	raw, err := read(ctx, s, ids[0])
	if err != nil || numberOf(string(raw)) != "1" {
		r.Errorf("afterwards, Open = %d bytes, %v", len(raw), err)
	}
}

func bodyTurns(ctx context.Context, r *reading) {
	r.seed(3)
	r.put(inbox, Stored{Raw: big(500_000)})
	s := r.session(session.ReadWrite)
	var kept []session.Body
	check := func() {
		for _, b := range kept {
			if n, err := b.Read(make([]byte, 100)); n != 0 || err == nil || errors.Is(err, io.EOF) {
				r.Errorf("Read of a body whose turn is over = %d bytes, %v; want an error that is not io.EOF", n, err)
			}
		}
	}
	want := r.expected(ctx)
	for b, err := range s.Bodies(ctx, idsOf(r.oldest(ctx))...) {
		if err != nil {
			r.Fatalf("Bodies: %v", err)
		}
		check()
		head := make([]byte, 50)
		if _, err := io.ReadFull(b, head); err != nil || !strings.HasPrefix(want[b.ID], string(head)) {
			r.Errorf("the body of %v begins with %q, %v", b.ID, head, err)
		}
		kept = append(kept, b)
	}
	check()
	if len(kept) != len(want) {
		r.Errorf("Bodies gives %d messages, want %d", len(kept), len(want))
	}
}

func cutBulk(ctx context.Context, r *reading) {
	for n := range 3 {
		r.put(inbox, Stored{Raw: strings.Replace(big(40_000), "<sample-1@", "<sample-"+sequence(n+1, n+1)+"@", 1)})
	}
	want := r.expected(ctx)
	ids := idsOf(r.oldest(ctx))
	s := r.session(session.ReadWrite)
	all := func() (whole int, failed error) {
		for b, err := range s.Bodies(ctx, ids...) {
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			raw, err := io.ReadAll(b)
			switch {
			case err == nil && string(raw) == want[b.ID]:
				whole++
			case err == nil:
				r.Errorf("a body of %d bytes, want %d, ends in io.EOF", len(raw), len(want[b.ID]))
			case !errors.Is(err, io.ErrUnexpectedEOF):
				r.Errorf("a body that was cut: error %v, want io.ErrUnexpectedEOF", err)
			default:
				failed = errors.Join(failed, err)
			}
		}
		return whole, failed
	}
	for range 2 { // the first time signs in
		r.line.arm(nil)
		if whole, err := all(); err != nil || whole != len(ids) {
			r.Fatalf("%d whole bodies, %v; want %d", whole, err, len(ids))
		}
	}
	_, total, _, _ := r.line.counts()
	for _, f := range places(receiving, total, cuts) {
		r.line.arm(&f)
		if whole, err := all(); err == nil && whole != len(ids) {
			r.Errorf("cut after %d of %d bytes: %d whole bodies and no error, want %d", f.after, total, whole, len(ids))
		}
		r.line.arm(nil)
		if whole, err := all(); err != nil || whole != len(ids) {
			r.Errorf("after the line was cut: %d whole bodies, %v; want %d", whole, err, len(ids))
		}
	}
}
