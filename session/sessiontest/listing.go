package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// listingRules are about Messages.
func listingRules() []incomingRule {
	return []incomingRule{
		{"nothing is dialled before the first use", lazy},
		{"messages come newest first, or oldest first where asked", order},
		{"a limit ends the iteration", limits},
		{"conditions hold one by one and together", conditions},
		{"a summary has the fields that were asked for", fields},
		{"an empty folder has no messages", emptyFolder},
		{"any call is legal inside the loop", callsInsideTheLoop},
		{"loops within loops hold no connections", loopsWithinLoops},
		{"break leaks nothing", breakLeaksNothing},
		{ruleBadMessage, badMessage},
		{ruleBadCompared, badCompared},
		{"a message that came after the last listing is in the next", newMessages},
	}
}

const (
	ruleBadMessage  = "a message that cannot be read is an ItemError and the loop goes on"
	ruleBadCompared = "a message that cannot be read ends no search for others"
)

func lazy(_ context.Context, r *reading) {
	in := r.connect()
	closeIt(r, in)
	if n := r.line.dialled(); n != 0 {
		r.Errorf("%d connections were made before anything was asked for", n)
	}
}

func order(ctx context.Context, r *reading) {
	r.seed(many)
	for _, tt := range []struct {
		query session.Query
		want  string
	}{
		{session.Query{}, sequence(many, 1)},
		{session.Query{OldestFirst: true}, sequence(1, many)},
		{session.Query{Folder: session.Inbox}, sequence(many, 1)},
		{session.Query{Folder: session.FolderAt(inbox)}, sequence(many, 1)},
	} {
		if got := numbers(r.list(ctx, tt.query)); got != tt.want {
			r.Errorf("Messages(%+v) = %s, want %s", tt.query, got, tt.want)
		}
	}
}

func limits(ctx context.Context, r *reading) {
	r.seed(many)
	for _, n := range []int{1, 9, 10, 11, many - 1, many, many + 1} {
		if got, want := numbers(r.list(ctx, session.Query{Limit: n})), sequence(many, max(many-n+1, 1)); got != want {
			r.Errorf("Messages with the limit %d = %s, want %s", n, got, want)
		}
		if got, want := numbers(r.list(ctx, session.Query{Limit: n, OldestFirst: true})), sequence(1, min(n, many)); got != want {
			r.Errorf("Messages with the limit %d, oldest first = %s, want %s", n, got, want)
		}
	}
}

// conditionFlags are the flags that a Query asks for by name.
func conditionFlags() []session.Flag {
	return []session.Flag{session.Seen, session.Answered, session.Flagged}
}

// conditions asks every query that can be made of the conditions, over
// messages with every set of flags.
func conditions(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedFlags(facts)
	all := r.kept(inbox)
	each := []session.Condition{session.Any, session.Yes, session.No}
	for _, unread := range each {
		for _, answered := range each {
			for _, flagged := range each {
				for _, limit := range []int{0, 2} {
					q := session.Query{Where: session.Filter{Unread: unread, Answered: answered, Flagged: flagged}, Limit: limit}
					r.wantConditions(ctx, facts, q, all)
				}
			}
		}
	}
}

// seedFlags puts one message with every set of flags into the inbox, or
// messages without any where the server keeps none.
func (r *reading) seedFlags(facts session.Facts) {
	r.Helper()
	for n := range 8 {
		var flags session.Flags
		for bit, f := range conditionFlags() {
			if n&(1<<bit) != 0 && !facts.NoFlags {
				flags = append(flags, f)
			}
		}
		r.put(inbox, Stored{Raw: sample(n + 1), Flags: flags})
	}
}

// wantConditions compares a query's answer with what the mailbox itself holds.
func (r *reading) wantConditions(ctx context.Context, facts session.Facts, q session.Query, all []Stored) {
	r.Helper()
	got, err := collect(ctx, r.in, q)
	if facts.NoFlags && (q.Where.Unread != session.Any || q.Where.Answered != session.Any || q.Where.Flagged != session.Any) {
		wantUnsupported(r, fmt.Sprintf("Messages(%+v)", q), err, "flag")
		return
	}
	var want []string
	for _, m := range slices.Backward(all) {
		if fits(q.Where.Unread, !m.Flags.Has(session.Seen)) && fits(q.Where.Answered, m.Flags.Has(session.Answered)) &&
			fits(q.Where.Flagged, m.Flags.Has(session.Flagged)) && (q.Limit == 0 || len(want) < q.Limit) {
			want = append(want, numberOf(m.Raw))
		}
	}
	if err != nil || numbers(got) != strings.Join(want, " ") {
		r.Errorf("Messages(%+v) = %s, %v; want %s", q, numbers(got), err, strings.Join(want, " "))
	}
}

// fits reports whether a condition is met.
func fits(c session.Condition, has bool) bool {
	return c == session.Any || (c == session.Yes) == has
}

func fields(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	var flags session.Flags
	if !facts.NoFlags {
		flags = session.Flags{session.Flagged}
	}
	raw := sample(1)
	r.put(inbox, Stored{Raw: raw, Flags: flags, Received: arrival(1)})
	for _, f := range []session.Fields{
		0, session.FieldsAll, session.FieldFlags, session.FieldReceived, session.FieldSize, session.FieldHeader,
		session.FieldSize | session.FieldFlags, session.FieldStructure, session.FieldPreview | session.FieldFlags,
	} {
		messages := r.list(ctx, session.Query{Fields: f})
		if len(messages) != 1 {
			r.Errorf("Messages with the fields %b: %d messages, want 1", f, len(messages))
			continue
		}
		size := len(raw)
		if r.NoArrival {
			size += len(stamped(arrival(1)))
		}
		r.wantSummary(messages[0], f, facts, int64(size))
	}
}

// wantSummary checks which fields of a summary are there.
func (r *reading) wantSummary(m *session.Message, f session.Fields, facts session.Facts, size int64) {
	r.Helper()
	asked := f
	if f == 0 {
		f = session.FieldsAll
	}
	if got, want := m.Flags.Has(session.Flagged), f&session.FieldFlags != 0 && !facts.NoFlags; got != want {
		r.Errorf("fields %b: flags %v, want \\Flagged: %t", asked, m.Flags, want)
	}
	if got, want := m.Size, size; f&session.FieldSize != 0 && got != want || f&session.FieldSize == 0 && got != 0 {
		r.Errorf("fields %b: size %d, the message has %d bytes", asked, got, want)
	}
	if has := f&session.FieldReceived != 0; has != !m.Received.IsZero() || has && !m.Received.Equal(arrival(1)) {
		r.Errorf("fields %b: received %v, the message came at %v", asked, m.Received, arrival(1))
	}
	want := ""
	if f&session.FieldHeader != 0 {
		want = "Sample 1"
	}
	if got := m.Header.Subject(); got != want {
		r.Errorf("fields %b: subject %q, want %q", asked, got, want)
	}
	if has := f&session.FieldStructure != 0; has != (len(m.Structure) > 0) {
		r.Errorf("fields %b: structure %v, want one: %t", asked, m.Structure, has)
	}
	if has := f&session.FieldPreview != 0; has != (m.Preview != "") {
		r.Errorf("fields %b: preview %q, want one: %t", asked, m.Preview, has)
	}
	if m.ID.IsZero() {
		r.Errorf("fields %b: no id", asked)
	}
}

func emptyFolder(ctx context.Context, r *reading) {
	if got := r.list(ctx, session.Query{}); len(got) != 0 {
		r.Errorf("Messages of an empty inbox = %s, want none", numbers(got))
	}
}

func callsInsideTheLoop(ctx context.Context, r *reading) {
	r.seed(many)
	facts := r.facts(ctx)
	n := 0
	for m, err := range r.in.Messages(ctx, session.Query{OldestFirst: true}) {
		if err != nil {
			r.Fatalf("Messages after %d of %d: %v", n, many, err)
		}
		n++
		raw, err := read(ctx, r.in, m.ID)
		if err != nil || string(raw) != sample(n) {
			r.Errorf("Open inside the loop = %d bytes, %v; want message %d", len(raw), err, n)
		}
		if inner, err := collect(ctx, r.in, session.Query{Limit: 3}); err != nil || numbers(inner) != sequence(many, many-2) {
			r.Errorf("Messages inside the loop = %s, %v; want %s", numbers(inner), err, sequence(many, many-2))
		}
		if !facts.NoFlags {
			r.done(ctx, session.Change{Set: session.Flags{session.Flagged}}, m.ID)
		}
		for _, err := range r.in.Folders(ctx) {
			if err != nil {
				r.Errorf("Folders inside the loop: %v", err)
			}
		}
		if _, err := r.in.Facts(ctx); err != nil {
			r.Errorf("Facts inside the loop: %v", err)
		}
	}
	if n != many {
		r.Errorf("the loop had %d messages, want %d", n, many)
	}
}

// depth is how many loops are within each other: more than a backend keeps
// connections.
const depth = 12

func loopsWithinLoops(ctx context.Context, r *reading) {
	r.seed(many)
	most := 0
	var nest func(level int)
	nest = func(level int) {
		turns := 0
		for _, err := range r.in.Messages(ctx, session.Query{}) {
			if err != nil {
				r.Fatalf("Messages within %d loops: %v", level, err)
			}
			most = max(most, r.line.open())
			if turns++; turns == 1 && level < depth {
				nest(level + 1)
			}
		}
		if turns != many {
			r.Errorf("a loop within %d others had %d messages, want %d", level, turns, many)
		}
	}
	nest(0)
	if most > 1 {
		r.Errorf("loops one within the other had %d connections, want that each lets go of its own before it yields", most)
	}
}

func breakLeaksNothing(ctx context.Context, r *reading) {
	r.seed(many)
	for range 20 {
		for _, err := range r.in.Messages(ctx, session.Query{}) {
			if err != nil {
				r.Fatalf("Messages: %v", err)
			}
			break
		}
		for _, err := range r.in.Folders(ctx) {
			if err != nil {
				r.Fatalf("Folders: %v", err)
			}
			break
		}
	}
	if n := r.line.open(); n > 1 {
		r.Errorf("%d connections are open after loops that were left early, want one at most", n)
	}
	closeIt(r, r.in)
	if n := r.line.open(); n != 0 {
		r.Errorf("%d connections are open after Close", n)
	}
}

func badMessage(ctx context.Context, r *reading) {
	r.seed(many)
	r.wantAllBut(ctx, r.Spoil, session.Filter{})
}

func badCompared(ctx context.Context, r *reading) {
	r.seed(many)
	for _, where := range []session.Filter{{Body: "sample number"}, {Text: "bob@example.org"}, not(session.Filter{Body: "nothing of the kind"})} {
		r.wantAllBut(ctx, r.Spoil, where)
		if r.SpoilContent != nil {
			r.wantAllBut(ctx, r.SpoilContent, where)
		}
	}
}

// wantAllBut checks that a search which all messages match tells of all but one, which
// cannot be read, and of this that it cannot.
func (r *reading) wantAllBut(ctx context.Context, spoil func(n int) (old, broken string), where session.Filter) {
	r.Helper()
	const bad = 13
	id := idsOf(r.oldest(ctx))[bad-1]
	old, broken := spoil(bad)
	if len(old) != len(broken) || old == broken {
		r.Fatalf("what spoils message %d is %q, %q; want two different texts of one length", bad, old, broken)
	}
	before := r.line.hits()
	r.line.corrupt(old, broken)
	defer r.line.corrupt("", "")
	var words []string
	for m, err := range r.in.Messages(ctx, session.Query{Where: where, OldestFirst: true}) {
		item, isItem := errors.AsType[*session.ItemError](err)
		switch {
		case isItem && item.ID == id && m == nil:
			words = append(words, "bad")
		case err != nil:
			r.Errorf("Messages(%v) after %d items: %v, %v; want an ItemError about %v alone", where, len(words), m, err, id)
		default:
			words = append(words, number(m))
		}
	}
	want := strings.Replace(" "+sequence(1, many)+" ", " 13 ", " bad ", 1)
	if got := strings.Join(words, " "); got != strings.TrimSpace(want) {
		r.Errorf("Messages(%v) = %s, want %s", where, got, want)
	}
	if r.line.hits() == before {
		r.Errorf("the server never sent %q, so that nothing was spoiled", old)
	}
}

func newMessages(ctx context.Context, r *reading) {
	r.seed(2)
	r.wantWorking(ctx, 2)
	r.put(inbox, Stored{Raw: sample(3)})
	r.wantWorking(ctx, 3)
	if err := r.Mailbox.Remove(inbox, 3); err != nil {
		r.Fatal(err)
	}
	r.wantWorking(ctx, 2)
}

// drop ends a body without reading the rest of it.
func drop(r *reading, body io.Closer) {
	r.Helper()
	if err := body.Close(); err != nil {
		r.Errorf("Close of a body: %v", err)
	}
}
