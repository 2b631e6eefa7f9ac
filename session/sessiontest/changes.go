package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// flagRules are about flags.
func flagRules() []incomingRule {
	return []incomingRule{
		{"flags are set and cleared, and others stay", setAndClear},
		{"keywords are kept where Facts say so", keywords},
		{"keywords hold blanks where Facts say so, and are refused elsewhere", freeKeywords},
		{"a change that contradicts itself is refused", badChange},
	}
}

// changeRules are about messages that move or go.
func changeRules() []incomingRule {
	return []incomingRule{
		{"a moved message is in one place, and its new id works", move},
		{"a copied message is in two places", copyOnce},
		{"flags are changed before a message moves", flagsAndMove},
		{"deleting removes only what was named", deleteNamed},
	}
}

// flagsOfMessage returns the flags that the mailbox has for the inbox's n-th
// message.
func (r *reading) flagsOfMessage(n int) string {
	r.Helper()
	kept := r.kept(inbox)
	if n > len(kept) {
		r.Fatalf("the inbox holds %d messages, want %d and more", len(kept), n)
	}
	return fmt.Sprint(sorted(kept[n-1].Flags))
}

func setAndClear(ctx context.Context, r *reading) {
	r.seed(3)
	ids := idsOf(r.oldest(ctx))
	if r.facts(ctx).NoFlags {
		r.refused(ctx, session.Change{Set: session.Flags{session.Seen}}, ids[0], "flag")
		r.refused(ctx, session.Change{Clear: session.Flags{session.Seen}}, ids[0], "flag")
		return
	}
	all := session.Flags{session.Seen, session.Answered, session.Flagged, session.Draft}
	for _, step := range []struct {
		set, clear session.Flags
		want       session.Flags
	}{
		{session.Flags{session.Seen}, nil, session.Flags{session.Seen}},
		{session.Flags{session.Seen}, nil, session.Flags{session.Seen}},
		{session.Flags{session.Flagged, session.Answered}, nil, session.Flags{session.Seen, session.Flagged, session.Answered}},
		{nil, session.Flags{session.Seen}, session.Flags{session.Flagged, session.Answered}},
		{nil, session.Flags{session.Seen, session.Draft}, session.Flags{session.Flagged, session.Answered}},
		{session.Flags{session.Seen}, session.Flags{session.Flagged}, session.Flags{session.Seen, session.Answered}},
		{session.Flags{session.Deleted}, session.Flags{session.Answered}, session.Flags{session.Seen, session.Deleted}},
		{nil, session.Flags{session.Deleted}, session.Flags{session.Seen}},
		{all, nil, all},
	} {
		r.done(ctx, session.Change{Set: step.set, Clear: step.clear}, ids[1])
		if got, want := r.flagsOfMessage(2), fmt.Sprint(sorted(step.want)); got != want {
			r.Errorf("after setting %v and clearing %v the flags are %s, want %s", step.set, step.clear, got, want)
		}
		m := r.oldest(ctx)[1]
		if got, want := fmt.Sprint(sorted(m.Flags)), fmt.Sprint(sorted(step.want)); got != want || m.Unread() == step.want.Has(session.Seen) {
			r.Errorf("the summary has the flags %s, unread %t; want %s", got, m.Unread(), want)
		}
	}
	for _, n := range []int{1, 3} {
		if got := r.flagsOfMessage(n); got != "[]" {
			r.Errorf("message %d was not named and has the flags %s", n, got)
		}
	}
}

func keywords(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	if !r.facts(ctx).Keywords {
		r.refused(ctx, session.Change{Set: session.Flags{"$Work"}}, id, "keyword", "flag")
		return
	}
	r.done(ctx, session.Change{Set: session.Flags{"$Work", "Later", session.Flagged}}, id)
	r.done(ctx, session.Change{Clear: session.Flags{"Later"}}, id)
	if got, want := r.flagsOfMessage(1), fmt.Sprint(session.Flags{"$Work", session.Flagged}); got != want {
		r.Errorf("the flags are %s, want %s", got, want)
	}
	if m := r.first(ctx, session.Query{}); !m.Flags.Has("$work") || !m.Flags.Has(session.Flagged) || m.Flags.Has("later") {
		r.Errorf("the summary has the flags %v, want $Work and \\Flagged", m.Flags)
	}
}

// freeKeywords: what holds blanks or letters beyond ASCII is a flag like any other
// where Facts say so, and else it is refused, also in a search.
func freeKeywords(ctx context.Context, r *reading) {
	r.seed(2)
	ids := idsOf(r.oldest(ctx))
	facts := r.facts(ctx)
	for _, name := range []session.Flag{"Red category", "Größe", "R&D <EU> (50%)"} {
		found := session.Query{Where: session.Filter{Keyword: name}}
		if !facts.FreeKeywords {
			for _, c := range []session.Change{{Set: session.Flags{name}}, {Clear: session.Flags{name}}} {
				if results, err := r.in.Apply(ctx, c, ids[0]); err == nil || len(results) != 1 || results[0].Outcome != session.NotDone {
					r.Errorf("Apply(%+v) = %+v, %v; want an error and one result, not done", c, results, err)
				}
			}
			if got, err := collect(ctx, r.in, found); err == nil || len(got) > 0 {
				r.Errorf("Messages(%v) = %s, %v; want an error alone", found, numbers(got), err)
			}
			continue
		}
		r.done(ctx, session.Change{Set: session.Flags{name, session.Flagged}}, ids[1])
		if m := r.oldest(ctx)[1]; !m.Flags.Has(name) {
			r.Errorf("the summary has the flags %q, want %q among them", m.Flags, name)
		}
		r.wantFound(ctx, found, "2")
		r.done(ctx, session.Change{Clear: session.Flags{name}}, ids[1])
		r.wantFound(ctx, found, "")
	}
	if m := r.oldest(ctx)[1]; facts.FreeKeywords && (len(m.Flags) != 1 || !m.Flags.Has(session.Flagged)) {
		r.Errorf("the summary has the flags %q, want \\Flagged alone", m.Flags)
	}
}

func badChange(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	before := r.snapshot()
	for _, c := range []session.Change{
		{},
		{Delete: true, MoveTo: session.Archive},
		{CopyTo: session.Sent, MoveTo: session.Archive},
		{Set: session.Flags{session.Seen}, Clear: session.Flags{`\seen`}},
		{Set: session.Flags{"line\r\nbreak"}},
		{Set: session.Flags{""}},
	} {
		results, err := r.in.Apply(ctx, c, id)
		if err == nil || len(results) != 1 || results[0].Outcome != session.NotDone {
			r.Errorf("Apply(%+v) = %+v, %v; want an error and one result, not done", c, results, err)
		}
	}
	if after := r.snapshot(); after != before {
		r.Errorf("changes that were refused changed %s to %s", before, after)
	}
}

func move(ctx context.Context, r *reading) {
	r.seed(4)
	ids := idsOf(r.oldest(ctx))
	facts := r.facts(ctx)
	if facts.OneFolder || !facts.SafeMove {
		r.refused(ctx, session.Change{MoveTo: session.Archive}, ids[0], "folder", "move")
		return
	}
	archive := r.archive(ctx)
	results := r.done(ctx, session.Change{MoveTo: session.Archive}, ids[2], ids[0])
	results = append(results, r.done(ctx, session.Change{MoveTo: session.FolderAt(archive)}, ids[3])...)
	if got, want := r.storedNumbers(inbox), "2"; got != want {
		r.Errorf("the inbox holds %q, want %q", got, want)
	}
	if got := r.storedNumbers(archive); len(strings.Fields(got)) != 3 || strings.Contains(got, "2") {
		r.Errorf("the archive holds %q, want 1, 3 and 4", got)
	}
	r.wantNewIDs(ctx, facts, results, 3, 1, 4)
	if body, err := r.in.Open(ctx, ids[0]); !errors.Is(err, session.ErrNoMessage) {
		r.Errorf("Open of a message where it was = %v, %v; want ErrNoMessage", body, err)
	}
}

// wantNewIDs checks that results have the ids of those samples, where the
// backend tells new ids.
func (r *reading) wantNewIDs(ctx context.Context, facts session.Facts, results []session.Result, samples ...int) {
	r.Helper()
	for i, res := range results {
		if facts.NewIDs == res.NewID.IsZero() {
			r.Errorf("result %d has the new id %q, Facts say NewIDs: %t", i, res.NewID, facts.NewIDs)
			continue
		}
		if facts.NewIDs {
			r.wantBytes(ctx, res.NewID, sample(samples[i]))
		}
	}
}

func copyOnce(ctx context.Context, r *reading) {
	r.seed(3)
	ids := idsOf(r.oldest(ctx))
	facts := r.facts(ctx)
	if facts.OneFolder {
		r.refused(ctx, session.Change{CopyTo: session.Archive}, ids[0], "folder", "copy")
		return
	}
	results := r.done(ctx, session.Change{CopyTo: session.Archive}, ids[2], ids[0])
	if got, want := r.storedNumbers(inbox), "1 2 3"; got != want {
		r.Errorf("the inbox holds %q, want %q", got, want)
	}
	if got := r.storedNumbers(r.archive(ctx)); got != "1 3" && got != "3 1" {
		r.Errorf("the archive holds %q, want 1 and 3", got)
	}
	r.wantNewIDs(ctx, facts, results, 3, 1)
}

func flagsAndMove(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seed(2)
	ids := idsOf(r.oldest(ctx))
	change := session.Change{Set: session.Flags{session.Seen, session.Answered}, MoveTo: session.Archive}
	if facts.OneFolder || !facts.SafeMove || facts.NoFlags {
		r.refused(ctx, change, ids[0], "flag", "folder", "move")
		return
	}
	r.done(ctx, change, ids[0])
	kept := r.kept(r.archive(ctx))
	if len(kept) != 1 || !kept[0].Flags.Has(session.Seen) || !kept[0].Flags.Has(session.Answered) {
		r.Errorf("the archive holds %+v, want one message that is seen and answered", kept)
	}
	if got := r.snapshot(); got != "2[] " {
		r.Errorf("the inbox holds %q, want message 2 without flags", got)
	}
}

func deleteNamed(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	var marked session.Flags
	if !facts.NoFlags {
		marked = session.Flags{session.Deleted}
	}
	r.put(inbox, Stored{Raw: sample(1)})
	r.put(inbox, Stored{Raw: sample(2), Flags: marked})
	r.put(inbox, Stored{Raw: sample(3)})
	r.put(inbox, Stored{Raw: sample(4), Flags: marked})
	ids := idsOf(r.oldest(ctx))
	if !facts.SafeDelete {
		r.refused(ctx, session.Change{Delete: true}, ids[2], "delete", "remov")
		return
	}
	r.done(ctx, session.Change{Delete: true}, ids[2], ids[3])
	closeIt(r, r.in) // what goes when a folder is closed, goes now
	if got, want := r.storedNumbers(inbox), "1 2"; got != want {
		r.Errorf("the inbox holds %q, want %q: what others marked stays", got, want)
	}
}
