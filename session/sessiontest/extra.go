package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// extraRules are about what only some servers know of a message.
func extraRules() []incomingRule {
	return []incomingRule{
		{"a change that depends on a version is not made after another's", unchanged},
		{"labels are added, listed and taken away", labels},
		{"labels are found", foundLabels},
		{"the server's own language finds what it says", native},
		{"a message has one name of the server's wherever it goes", objectIDs},
	}
}

// versioned lists the inbox with versions, the oldest first.
func (r *reading) versioned(ctx context.Context) []*session.Message {
	r.Helper()
	return r.whole(ctx, session.Query{OldestFirst: true, Fields: session.FieldVersion | session.FieldFlags})
}

// whole lists all messages of the inbox with other fields than usual.
func (r *reading) whole(ctx context.Context, q session.Query) []*session.Message {
	r.Helper()
	messages := r.list(ctx, q)
	if n := len(r.kept(inbox)); len(messages) != n {
		r.Fatalf("Messages gives %d of the %d messages in the inbox", len(messages), n)
	}
	return messages
}

func unchanged(ctx context.Context, r *reading) {
	r.seed(4)
	facts := r.facts(ctx)
	all := r.versioned(ctx)
	flag := session.Change{Set: session.Flags{session.Flagged}, IfUnchanged: session.Unchanged(all...)}
	if !facts.Versions || facts.NoFlags {
		if all[0].Version != "" && !facts.Versions {
			r.Errorf("a summary has the version %q, Facts say that there are none", all[0].Version)
		}
		r.refused(ctx, flag, all[0].ID, "version", "condstore", "flag")
		return
	}
	other := r.connect() // changes one meanwhile
	if results, err := other.Apply(ctx, session.Change{Set: session.Flags{session.Answered}}, all[1].ID); err != nil || len(results) != 1 || results[0].Outcome != session.Done {
		r.Fatalf("Apply by another = %+v, %v", results, err)
	}
	delete(flag.IfUnchanged, all[3].ID)
	r.wantOutcomes(ctx, flag, idsOf(all), nil, session.ErrChanged, nil, errors.ErrUnsupported)
	if got, want := r.snapshot(), `1[\Flagged] 2[\Answered] 3[\Flagged] 4[] `; got != want {
		r.Errorf("the inbox holds %q, want %q", got, want)
	}
	now := r.versioned(ctx)
	for i, m := range now {
		if changed := i != 3; m.Version == "" || changed == (m.Version == all[i].Version) {
			r.Errorf("message %d had the version %q, and has %q; changed: %t", i+1, all[i].Version, m.Version, changed)
		}
	}
	if !facts.SafeDelete {
		return
	}
	remove := session.Change{Delete: true, IfUnchanged: session.Unchanged(all[0], now[1])}
	r.wantOutcomes(ctx, remove, idsOf(now[:2]), session.ErrChanged, nil)
	if got, want := r.storedNumbers(inbox), "1 3 4"; got != want {
		r.Errorf("the inbox holds %q, want %q", got, want)
	}
}

// wantOutcomes makes a change and checks each result: nil is done, and
// errors.ErrUnsupported stands for any error.
func (r *reading) wantOutcomes(ctx context.Context, c session.Change, ids []session.ID, want ...error) {
	r.Helper()
	for i, res := range r.apply(ctx, c, ids...) {
		switch {
		case want[i] == nil && (res.Outcome != session.Done || res.Err != nil):
			r.Errorf("message %d: %v, %v; want done", i+1, res.Outcome, res.Err)
		case want[i] != nil && (res.Outcome != session.NotDone || res.Err == nil),
			errors.Is(want[i], session.ErrChanged) && !errors.Is(res.Err, session.ErrChanged):
			r.Errorf("message %d: %v, %v; want not done, %v", i+1, res.Outcome, res.Err, want[i])
		}
	}
}

// wantLabels compares the labels of the inbox's messages, the oldest first.
func (r *reading) wantLabels(ctx context.Context, when string, want ...[]string) {
	r.Helper()
	box, _ := r.Mailbox.(LabelledMailbox)
	for i, m := range r.whole(ctx, session.Query{OldestFirst: true, Fields: session.FieldLabels}) {
		got := others(m.Labels)
		if m.Labels == nil || !slices.Equal(got, want[i]) {
			r.Errorf("%s, message %d has the labels %q, want %q", when, i+1, m.Labels, want[i])
		}
		if box == nil {
			continue
		}
		kept, err := box.Labels(inbox, i+1)
		if got := others(kept); err != nil || !slices.Equal(got, want[i]) {
			r.Errorf("%s, the mailbox has the labels %q of message %d, %v; want %q", when, got, i+1, err, want[i])
		}
	}
}

// others returns labels without the inbox's own, which some servers tell too.
func others(labels []string) []string {
	return sortedWords(slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == `\Inbox` }))
}

func sortedWords(words []string) []string {
	if len(words) == 0 {
		return []string{}
	}
	return slices.Sorted(slices.Values(words))
}

func labels(ctx context.Context, r *reading) {
	r.seed(2)
	ids := idsOf(r.oldest(ctx))
	odd := []string{"Grüße & Küsse", "注意", "Work", `a (b) {5} [c] %*`, "two words"}
	if !r.facts(ctx).Labels {
		for _, m := range r.list(ctx, session.Query{Fields: session.FieldLabels}) {
			if m.Labels != nil {
				r.Errorf("a summary has the labels %q, Facts say that there are none", m.Labels)
			}
		}
		r.refused(ctx, session.Change{AddLabels: odd[:1]}, ids[0], "label", "x-gm-ext-1")
		r.refused(ctx, session.Change{RemoveLabels: odd[:1]}, ids[0], "label", "x-gm-ext-1")
		return
	}
	r.wantLabels(ctx, "at first", []string{}, []string{})
	r.done(ctx, session.Change{AddLabels: odd}, ids[0])
	r.done(ctx, session.Change{AddLabels: []string{"Work"}}, ids...)
	r.wantLabels(ctx, "after labels were added", sortedWords(odd), []string{"Work"})
	r.done(ctx, session.Change{AddLabels: []string{"Later"}, RemoveLabels: odd[1:]}, ids[0])
	r.wantLabels(ctx, "after some were taken away", sortedWords([]string{odd[0], "Later"}), []string{"Work"})
	if got := r.storedNumbers(inbox); got != "1 2" {
		r.Errorf("the inbox holds %q, want what was there", got)
	}
	before := r.snapshot()
	for _, c := range []session.Change{
		{AddLabels: []string{""}},
		{AddLabels: []string{"two\r\nlines"}},
		{AddLabels: []string{"Work"}, RemoveLabels: []string{"work"}},
		{AddLabels: []string{"Work"}, MoveTo: session.Archive},
	} {
		if results, err := r.in.Apply(ctx, c, ids[0]); err == nil || len(results) != 1 || results[0].Outcome != session.NotDone {
			r.Errorf("Apply(%+v) = %+v, %v; want an error and one result, not done", c, results, err)
		}
	}
	if after := r.snapshot(); after != before {
		r.Errorf("what was refused changed %s to %s", before, after)
	}
}

func foundLabels(ctx context.Context, r *reading) {
	r.seed(3)
	if !r.facts(ctx).Labels {
		_, err := collect(ctx, r.in, session.Query{Where: session.Filter{Label: "Work"}})
		wantUnsupported(r, "Messages of a label", err, "label")
		return
	}
	ids := idsOf(r.oldest(ctx))
	r.done(ctx, session.Change{AddLabels: []string{"Work", "two words"}}, ids[:2]...)
	r.done(ctx, session.Change{AddLabels: []string{"Grüße & Küsse"}}, ids[1:]...)
	r.done(ctx, session.Change{RemoveLabels: []string{"two words"}}, ids[0])
	label := func(name string) session.Filter { return session.Filter{Label: name} }
	for _, s := range []search{
		{label("Work"), "1 2"},
		{label("two words"), "2"},
		{label("Grüße & Küsse"), "2 3"},
		{label("Nothing"), ""},
		{not(label("Work")), "3"},
		{allOf(label("Work"), label("Grüße & Küsse")), "2"},
		{anyOf(label("two words"), session.Filter{IDs: ids[:1]}), "1 2"},
	} {
		r.wantFound(ctx, session.Query{Where: s.where}, s.want)
	}
}

func native(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedPosts(facts)
	if facts.Native == "" {
		_, err := collect(ctx, r.in, session.Query{Where: session.Filter{Native: "zebra"}})
		wantUnsupported(r, "Messages of a native filter", err, "native", "search")
		return
	}
	// A word stands for itself in every such language that is known.
	zebra := session.Filter{Native: "zebra"}
	for _, s := range []search{
		{zebra, "5"},
		{session.Filter{Native: "nonsuch"}, ""},
		{not(zebra), "1 2 3 4 6 7 8"},
		{anyOf(zebra, from("ann")), "1 5 8"},
		{allOf(zebra, session.Filter{HasAttachment: session.Yes}), "5"},
		{allOf(zebra, session.Filter{HasAttachment: session.No}), ""},
	} {
		r.wantFound(ctx, session.Query{Where: s.where}, s.want)
	}
}

func objectIDs(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seed(3)
	q := session.Query{OldestFirst: true, Fields: session.FieldIDs}
	all := r.whole(ctx, q)
	seen := map[string]bool{}
	for i, m := range all {
		if facts.ObjectIDs != (m.EmailID != "") || !facts.ObjectIDs && m.ThreadID != "" || seen[m.EmailID] && facts.ObjectIDs {
			r.Errorf("message %d has the name %q and the conversation %q; Facts say ObjectIDs: %t", i+1, m.EmailID, m.ThreadID, facts.ObjectIDs)
		}
		seen[m.EmailID] = true
	}
	if again := r.whole(ctx, q); fmt.Sprint(again[0].EmailID, again[0].ThreadID) != fmt.Sprint(all[0].EmailID, all[0].ThreadID) {
		r.Errorf("the first message is named %q, then %q", all[0].EmailID, again[0].EmailID)
	}
	if !facts.ObjectIDs || !facts.SafeMove || facts.OneFolder {
		return
	}
	r.done(ctx, session.Change{MoveTo: session.Archive}, all[1].ID)
	q.Folder = session.Archive
	if moved := r.list(ctx, q); len(moved) != 1 || moved[0].EmailID != all[1].EmailID || moved[0].ThreadID != all[1].ThreadID {
		r.Errorf("a message that was named %q is named otherwise after a move", all[1].EmailID)
	}
}
