package sessiontest

import (
	"context"
	"errors"

	"github.com/mailsession/mailsession/session"
)

// idRules are about the identity of messages.
func idRules() []incomingRule {
	return []incomingRule{
		{"an id names the same message from another backend of the mailbox", idsLast},
		{"an id of another mailbox or protocol is ErrOtherMailbox", otherMailbox},
		{"an id from before the server renumbered is ErrStaleID", staleIDs},
		{"a message that is gone is ErrNoMessage and NotDone", gone},
		{"there is one Result an id, in the order of the ids", resultsInOrder},
		{"an id that is given twice has two Results", duplicateIDs},
		{"no ids are no work", noIDs},
	}
}

func idsLast(ctx context.Context, r *reading) {
	r.seed(3)
	ids := idsOf(r.oldest(ctx))
	for i, id := range ids {
		text, err := id.MarshalText()
		if err != nil {
			r.Fatalf("MarshalText: %v", err)
		}
		var again session.ID
		if err := again.UnmarshalText(text); err != nil || again != id {
			r.Errorf("the id %v reads back as %v, %v", id, again, err)
		}
		r.renew()
		r.wantBytes(ctx, again, sample(i+1))
	}
}

// wantRefusedID checks that an id is refused for what it is.
func (r *reading) wantRefusedID(ctx context.Context, what string, id session.ID, want error) {
	r.Helper()
	body, err := r.in.Open(ctx, id)
	if body != nil {
		drop(r, body)
	}
	if err == nil || want != nil && !errors.Is(err, want) {
		r.Errorf("Open of %s: error %v, want %v", what, err, want)
	}
	change := session.Change{Delete: true}
	if facts := r.facts(ctx); !facts.NoFlags {
		change = session.Change{Set: session.Flags{session.Flagged}}
	}
	results, err := r.in.Apply(ctx, change, id)
	if err != nil || len(results) != 1 || results[0].Outcome != session.NotDone || results[0].Err == nil ||
		want != nil && !errors.Is(results[0].Err, want) {
		r.Errorf("Apply to %s = %+v, %v; want one result, not done, with %v", what, results, err, want)
	}
}

func otherMailbox(ctx context.Context, r *reading) {
	r.seed(1)
	before := r.snapshot()
	own, err := r.first(ctx, session.Query{}).ID.Parts()
	if err != nil {
		r.Fatal(err)
	}
	mailbox, backend := own, own
	mailbox.Mailbox = session.Fingerprint("mail.example.net:993", "somebody.else@example.net")
	backend.Backend += "x"
	odd := own
	odd.Key = "-1 "
	r.wantRefusedID(ctx, "an id of another mailbox", session.NewID(mailbox), session.ErrOtherMailbox)
	r.wantRefusedID(ctx, "an id of another protocol", session.NewID(backend), session.ErrOtherMailbox)
	r.wantRefusedID(ctx, "an id with an odd key", session.NewID(odd), nil)
	r.wantRefusedID(ctx, "the zero id", session.ID{}, nil)
	if after := r.snapshot(); after != before {
		r.Errorf("what was refused changed %s to %s", before, after)
	}
}

// renumbered is the error about an id that the server has voided.
func (r *reading) renumbered() error {
	if r.NoValidity {
		return session.ErrNoMessage
	}
	return session.ErrStaleID
}

func staleIDs(ctx context.Context, r *reading) {
	folder := "Renumbered"
	if r.facts(ctx).OneFolder {
		folder = inbox
	} else if err := r.Mailbox.CreateFolder(folder); err != nil {
		r.Fatal(err)
	}
	r.put(folder, Stored{Raw: sample(1)})
	id := r.first(ctx, session.Query{Folder: session.FolderAt(folder)}).ID
	r.renew()
	if err := r.Mailbox.Renumber(folder); err != nil {
		r.Fatalf("renumber %s: %v", folder, err)
	}
	r.put(folder, Stored{Raw: sample(2)})
	r.wantRefusedID(ctx, "an id from before", id, r.renumbered())
	for _, m := range r.kept(folder) {
		if len(m.Flags) > 0 {
			r.Errorf("message %s has the flags %v of a change that was refused", numberOf(m.Raw), m.Flags)
		}
	}
	messages := r.list(ctx, session.Query{Folder: session.FolderAt(folder)})
	if len(messages) == 0 || number(messages[0]) != "2" {
		r.Fatalf("Messages = %s, want the new message first", numbers(messages))
	}
	r.wantBytes(ctx, messages[0].ID, sample(2))
}

func gone(ctx context.Context, r *reading) {
	r.seed(5)
	ids := idsOf(r.oldest(ctx))
	if err := r.Mailbox.Remove(inbox, 2); err != nil {
		r.Fatal(err)
	}
	if body, err := r.in.Open(ctx, ids[1]); !errors.Is(err, session.ErrNoMessage) {
		r.Errorf("Open of a message that is gone = %v, %v; want ErrNoMessage", body, err)
	}
	r.wantBytes(ctx, ids[2], sample(3))
	for _, c := range r.someChanges(ctx) {
		for i, res := range r.apply(ctx, c, ids[:3]...) {
			switch {
			case i == 1 && (res.Outcome != session.NotDone || !errors.Is(res.Err, session.ErrNoMessage)):
				r.Errorf("Apply(%+v) to a message that is gone: %v, %v; want not done, ErrNoMessage", c, res.Outcome, res.Err)
			case i != 1 && res.Outcome != session.Done:
				r.Errorf("Apply(%+v) to a message beside it: %v, %v; want done", c, res.Outcome, res.Err)
			}
		}
	}
}

// someChanges returns changes that leave messages where they are, as far as
// the backend can make any, and else one that removes them.
func (r *reading) someChanges(ctx context.Context) []session.Change {
	r.Helper()
	facts := r.facts(ctx)
	var changes []session.Change
	if !facts.NoFlags {
		changes = append(changes,
			session.Change{Set: session.Flags{session.Flagged}}, session.Change{Clear: session.Flags{session.Flagged}})
	}
	if !facts.OneFolder {
		changes = append(changes, session.Change{CopyTo: session.Archive})
	}
	if len(changes) == 0 {
		changes = append(changes, session.Change{Delete: true})
	}
	return changes
}

func resultsInOrder(ctx context.Context, r *reading) {
	r.seed(many)
	ids := idsOf(r.oldest(ctx))
	if err := r.Mailbox.Remove(inbox, many); err != nil {
		r.Fatal(err)
	}
	parts, err := ids[0].Parts()
	if err != nil {
		r.Fatal(err)
	}
	parts.Mailbox = "another"
	other := session.NewID(parts)
	var mixed []session.ID
	var want []error
	for i := range many {
		n := (i * 7) % many // every message once, in no order
		mixed = append(mixed, ids[n])
		want = append(want, nil)
		if n == many-1 {
			want[len(want)-1] = session.ErrNoMessage
		}
		if i%6 == 0 {
			mixed, want = append(mixed, other), append(want, session.ErrOtherMailbox)
		}
	}
	for i, res := range r.apply(ctx, r.someChanges(ctx)[0], mixed...) {
		done := res.Outcome == session.Done
		if done != (want[i] == nil) || !done && res.Outcome != session.NotDone || !errors.Is(res.Err, want[i]) {
			r.Errorf("result %d: %v, %v; want %v", i, res.Outcome, res.Err, want[i])
		}
	}
}

func duplicateIDs(ctx context.Context, r *reading) {
	r.seed(2)
	ids := idsOf(r.oldest(ctx))
	change := r.someChanges(ctx)[0]
	r.done(ctx, change, ids[0], ids[1], ids[0], ids[0])
	if got := r.storedNumbers(inbox); !change.Delete && got != "1 2" {
		r.Errorf("the inbox holds %q, want 1 2", got)
	}
}

func noIDs(ctx context.Context, r *reading) {
	r.seed(1)
	for _, c := range r.someChanges(ctx) {
		if results, err := r.in.Apply(ctx, c); err != nil || len(results) != 0 {
			r.Errorf("Apply(%+v) to nothing = %+v, %v; want no result and no error", c, results, err)
		}
	}
}
