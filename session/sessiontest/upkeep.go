package sessiontest

import (
	"context"
	"errors"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// upkeepRules are about purging, counting and explaining.
func upkeepRules() []incomingRule {
	return []incomingRule{
		{`purging removes exactly what carries \Deleted, in one folder`, purge},
		{"a folder is counted as it is listed", count},
		{"a plan tells what the server decides and what is compared here", plans},
	}
}

func purge(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	s := r.session(session.ReadWrite)
	for n := range 6 {
		m := Stored{Raw: sample(n + 1)}
		if !facts.NoFlags {
			m.Flags = []session.Flags{{session.Deleted}, {session.Seen}, {session.Deleted, session.Flagged}}[n%3]
		}
		r.put(inbox, m)
	}
	_, able := session.As[session.Purger](r.in)
	if before := r.snapshot(); !able || facts.NoFlags || !facts.SafeDelete {
		results, err := s.PurgeMarked(ctx, session.Inbox)
		wantUnsupported(r, "PurgeMarked", err, "purge", "delete", "flag", "remov")
		if after := r.snapshot(); after != before || len(results) > 0 {
			r.Errorf("PurgeMarked was refused, gave %+v and changed %s to %s", results, before, after)
		}
		return
	}
	if !facts.OneFolder {
		r.put(r.archive(ctx), Stored{Raw: sample(9), Flags: session.Flags{session.Deleted}})
	}
	ids := idsOf(r.oldest(ctx))
	results, err := s.PurgeMarked(ctx, "")
	var got []session.ID
	for _, res := range results {
		if got = append(got, res.ID); res.Outcome != session.Done || res.Err != nil {
			r.Errorf("PurgeMarked: %v is %v, %v; want done", res.ID, res.Outcome, res.Err)
		}
	}
	if want := []session.ID{ids[0], ids[2], ids[3], ids[5]}; err != nil || !slices.Equal(got, want) {
		r.Errorf("PurgeMarked tells of %v, %v; want %v", got, err, want)
	}
	if got := r.snapshot(); got != `2[\Seen] 5[\Seen] ` {
		r.Errorf("the inbox holds %q, want 2 and 5", got)
	}
	if !facts.OneFolder && r.storedNumbers(r.archive(ctx)) != "9" {
		r.Errorf("PurgeMarked removed messages of another folder")
	}
	if results, err := s.PurgeMarked(ctx, session.Inbox); err != nil || len(results) != 0 {
		r.Errorf("PurgeMarked where nothing is marked = %+v, %v; want nothing", results, err)
	}
	if _, err := s.PurgeMarked(ctx, session.FolderAt("Nowhere")); !errors.Is(err, session.ErrNoFolder) && !facts.OneFolder {
		r.Errorf("PurgeMarked of a folder that is not there: error %v, want ErrNoFolder", err)
	}
}

func count(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	s := r.session(session.ReadWrite)
	if _, ok := session.As[session.Counter](r.in); !ok {
		_, err := s.Count(ctx, session.Inbox)
		wantUnsupported(r, "Count", err, "count")
		return
	}
	r.wantCount(ctx, s, facts)
	for n := range 5 {
		m := Stored{Raw: sample(n + 1)}
		if n%2 == 1 && !facts.NoFlags {
			m.Flags = session.Flags{session.Seen}
		}
		r.put(inbox, m)
		r.wantCount(ctx, s, facts)
	}
	id := r.first(ctx, session.Query{}).ID
	if !facts.NoFlags {
		r.done(ctx, session.Change{Set: session.Flags{session.Seen}}, id)
		r.wantCount(ctx, s, facts)
	}
	if err := r.Mailbox.Remove(inbox, 1); err != nil {
		r.Fatal(err)
	}
	r.wantCount(ctx, s, facts)
	if _, err := s.Count(ctx, session.FolderAt("Nowhere")); !facts.OneFolder && !errors.Is(err, session.ErrNoFolder) {
		r.Errorf("Count of a folder that is not there: error %v, want ErrNoFolder", err)
	}
}

// wantCount compares what the inbox is counted as with what it holds.
func (r *reading) wantCount(ctx context.Context, s *session.Session, facts session.Facts) {
	r.Helper()
	var want session.Counts
	for _, m := range r.kept(inbox) {
		want.Messages++
		want.Bytes += int64(len(m.Raw))
		if !m.Flags.Has(session.Seen) {
			want.Unread++
		}
	}
	for _, ref := range []session.FolderRef{"", session.Inbox} {
		got, err := s.Count(ctx, ref)
		if got.Bytes == -1 {
			got.Bytes = want.Bytes
		}
		if facts.NoFlags {
			got.Unread = want.Unread
		}
		if err != nil || got != want {
			r.Errorf("Count(%q) = %+v, %v; want %+v", ref, got, err, want)
		}
	}
}

func plans(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	s := r.session(session.ReadWrite)
	if _, ok := session.As[session.Explainer](r.in); !ok {
		_, err := s.Explain(ctx, session.Query{})
		wantUnsupported(r, "Explain", err, "explain")
		return
	}
	r.seedPosts(facts)
	for _, search := range searches(facts, textSearches(), flagSearches()) {
		q := session.Query{Where: search.where, ScanLimit: 7}
		plan, err := s.Explain(ctx, q)
		if err != nil {
			r.Errorf("Explain(%v): %v", q.Where, err)
			continue
		}
		local := !plan.Local.IsZero()
		if plan.Backend != facts.Backend || len(plan.Commands) == 0 || local != (len(plan.Why) > 0) ||
			!local && (plan.ScanLimit != 0 || plan.Reads != (session.Reads{})) || local && plan.ScanLimit != q.ScanLimit {
			r.Errorf("Explain(%v) = %+v; want what is asked for, and reasons, reads and a limit for what is compared here alone", q.Where, plan)
		}
		if !local && q.Where.IsZero() != plan.Server.IsZero() {
			r.Errorf("Explain(%v) says that the server decides %v", q.Where, plan.Server)
		}
	}
	for what, where := range map[string]session.Filter{"native": {Native: "x"}, "label": {Label: "Work"}} {
		_, explained := s.Explain(ctx, session.Query{Where: where})
		_, listed := collect(ctx, s, session.Query{Where: where})
		if errors.Is(explained, errors.ErrUnsupported) != errors.Is(listed, errors.ErrUnsupported) {
			r.Errorf("Explain of a %s filter: %v; Messages: %v; want that both refuse it, or none", what, explained, listed)
		}
	}
	if _, err := s.Explain(ctx, session.Query{Where: session.Filter{Smaller: -1}}); err == nil {
		r.Errorf("Explain of what no server can be asked: no error")
	}
	if n := len(r.kept(inbox)); n != len(posts()) {
		r.Errorf("after Explain the inbox holds %d messages", n)
	}
}
