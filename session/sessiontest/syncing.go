package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// syncRules are about Changes and Cursor.
func syncRules() []incomingRule {
	return []incomingRule{
		{"changes from the zero cursor are all messages, oldest first, once", changesFromZero},
		{"changes of an added message have the fields that were asked for", changesFields},
		{"a present cursor tells only what happens from then on", presentCursor},
		{"changes are what it comes to: added, changed and removed", netChanges},
		{"changes go on behind the cursor of any page, from another process", changesByPage},
		{"a cursor of elsewhere is refused", cursorOfElsewhere},
		{"an expired cursor is ErrCursorExpired, and then everything once", expiredCursor},
		{"a message that cannot be summarized is told as failed, once", failedChange},
		{"a line cut anywhere loses and doubles no change", cutChangesOf},
	}
}

// changesOf iterates over changes of a way in, or of a Session, and over nothing
// where it tells none.
func changesOf(ctx context.Context, in session.Incoming, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	if s, ok := in.(*session.Session); ok {
		return s.Changes(ctx, folder, since, &opts)
	}
	if s, ok := session.As[session.Syncer](in); ok {
		return s.Changes(ctx, folder, since, opts)
	}
	return func(func(session.Changes, error) bool) {}
}

// over returns a Session that reads, over the backend of the test itself.
func (r *reading) over() *session.Session {
	r.Helper()
	s, err := session.New(r.Credentials, func(session.Setup) (session.Incoming, error) { return r.in, nil }, nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		r.Fatalf("session.New: %v", err)
	}
	return s
}

// syncs reports whether the backend tells changes. Where it does not, it has to
// say so.
func (r *reading) syncs(ctx context.Context) bool {
	r.Helper()
	if _, ok := session.As[session.Syncer](r.in); ok {
		return true
	}
	_, err := r.over().Cursor(ctx, "")
	wantUnsupported(r, "Cursor", err, "changes")
	return false
}

// wantModel compares what a program knows with what a listing has.
func (r *reading) wantModel(ctx context.Context, when string, m *model) {
	r.Helper()
	for _, wrong := range m.wrong {
		r.Errorf("%s: %s", when, wrong)
	}
	m.wrong = nil
	there := r.oldest(ctx)
	for _, n := range there {
		flags, known := m.known[n.ID]
		if want := fmt.Sprint(sorted(n.Flags)); !known && !m.failed[n.ID] || known && flags != want {
			r.Errorf("%s: the mailbox has %v with the flags %s; what was told has it: %t, with %s", when, number(n), want, known, flags)
		}
	}
	if len(m.known)+len(m.failed) > len(there) {
		r.Errorf("%s: %d messages were told that are not there any more", when, len(m.known)+len(m.failed)-len(there))
	}
}

// changes returns the pages of what happened since a cursor.
func (r *reading) changes(ctx context.Context, since session.Cursor, opts session.SyncOptions) []session.Changes {
	r.Helper()
	var pages []session.Changes
	for page, err := range changesOf(ctx, r.in, "", since, opts) {
		if err != nil {
			r.Fatalf("Changes after %d pages: %v", len(pages), err)
		}
		pages = append(pages, page)
	}
	if len(pages) == 0 {
		r.Fatalf("Changes gives no page, want one that has the cursor at least")
	}
	for i, page := range pages {
		if last := i == len(pages)-1; page.More == last || page.Cursor.IsZero() {
			r.Errorf("page %d of %d: More %t, cursor %q; want More on all but the last, and a cursor on each", i+1, len(pages), page.More, page.Cursor)
		}
	}
	return pages
}

// last returns the cursor behind the last page.
func last(pages []session.Changes) session.Cursor { return pages[len(pages)-1].Cursor }

// told names what pages tell.
func told(pages []session.Changes) (added, changed string, removed []session.ID) {
	var a, c []*session.Message
	for _, p := range pages {
		a, c, removed = append(a, p.Added...), append(c, p.Changed...), append(removed, p.Removed...)
	}
	return numbers(a), numbers(c), removed
}

func isEmpty(page session.Changes) bool {
	return len(page.Added)+len(page.Changed)+len(page.Removed)+len(page.Failed) == 0
}

func changesFromZero(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	empty := r.changes(ctx, session.Cursor{}, session.SyncOptions{})
	if len(empty) != 1 || !isEmpty(empty[0]) || empty[0].Reset {
		r.Errorf("Changes of an empty inbox = %+v, want one empty page", empty)
	}
	r.seed(many)
	if added, _, _ := told(r.changes(ctx, last(empty), session.SyncOptions{})); added != sequence(1, many) {
		r.Errorf("Changes since the inbox was empty add %s, want %s", added, sequence(1, many))
	}
	pages := r.changes(ctx, session.Cursor{}, session.SyncOptions{})
	if added, changed, removed := told(pages); added != sequence(1, many) || changed != "" || len(removed) > 0 {
		r.Errorf("Changes from the beginning add %s, change %q, remove %v; want %s added alone", added, changed, removed, sequence(1, many))
	}
	for i, page := range pages {
		if page.Reset {
			r.Errorf("page %d from the zero cursor voids what was known, where nothing was", i+1)
		}
	}
	for range 2 {
		if again := r.changes(ctx, last(pages), session.SyncOptions{}); len(again) != 1 || !isEmpty(again[0]) || again[0].Reset {
			r.Errorf("Changes where nothing happened = %+v, want one empty page", again)
		}
	}
}

func changesFields(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	facts := r.facts(ctx)
	m := Stored{Raw: sample(1), Received: arrival(1)}
	if !facts.NoFlags {
		m.Flags = session.Flags{session.Flagged}
	}
	r.put(inbox, m)
	size := r.first(ctx, session.Query{}).Size
	for _, f := range []session.Fields{
		0, session.FieldFlags, session.FieldReceived, session.FieldSize, session.FieldHeader, session.FieldsAll,
		session.FieldStructure, session.FieldPreview, session.FieldsAll | session.FieldStructure | session.FieldPreview,
	} {
		pages := r.changes(ctx, session.Cursor{}, session.SyncOptions{Fields: f})
		if len(pages[0].Added) != 1 {
			r.Fatalf("Changes with the fields %b = %+v, want one message added", f, pages)
		}
		r.wantSummary(pages[0].Added[0], f, facts, size)
	}
}

func presentCursor(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	r.seed(3)
	s := r.over()
	for _, folder := range []session.FolderRef{"", session.Inbox, session.FolderAt(inbox)} {
		now, err := s.Cursor(ctx, folder)
		if err != nil {
			r.Fatalf("Cursor(%q): %v", folder, err)
		}
		if pages := r.changes(ctx, now, session.SyncOptions{}); len(pages) != 1 || !isEmpty(pages[0]) {
			r.Errorf("Changes since now = %+v, want nothing", pages)
		}
		n := len(r.kept(inbox)) + 1
		r.put(inbox, Stored{Raw: sample(n)})
		want := sequence(n, n)
		if added, _, _ := told(r.changes(ctx, now, session.SyncOptions{})); added != want {
			r.Errorf("Changes since before message %d came add %q, want %q", n, added, want)
		}
	}
}

// netChanges: what came and went between is not told, nor what was flagged
// before it went.
func netChanges(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	facts := r.facts(ctx)
	r.seed(6)
	since := last(r.changes(ctx, session.Cursor{}, session.SyncOptions{}))
	ids := idsOf(r.oldest(ctx))
	if !facts.NoFlags {
		r.done(ctx, session.Change{Set: session.Flags{session.Flagged}}, ids[1], ids[2])
	}
	r.put(inbox, Stored{Raw: sample(7)})
	r.put(inbox, Stored{Raw: sample(8)})
	for _, n := range []int{8, 3, 1} {
		if err := r.Mailbox.Remove(inbox, n); err != nil {
			r.Fatal(err)
		}
	}
	pages := r.changes(ctx, since, session.SyncOptions{PageSize: 100})
	added, changed, removed := told(pages)
	if added != "7" {
		r.Errorf("Changes add %q, want 7: 8 came and went", added)
	}
	if want := []session.ID{ids[0], ids[2]}; !sameIDs(removed, want) {
		r.Errorf("Changes remove %v, want %v", removed, want)
	}
	m := newModel()
	for _, id := range ids {
		m.known[id] = "[]"
	}
	for _, page := range pages {
		m.take(page)
	}
	r.wantModel(ctx, "after changes of every kind", m)
	if facts.NoFlags && changed != "" || facts.Versions && !facts.NoFlags && !changesOnly(pages, ids[1]) {
		r.Errorf("Changes change %q, want what was flagged alone", changed)
	}
}

// changesOnly reports whether one message is all that pages change.
func changesOnly(pages []session.Changes, id session.ID) bool {
	n := 0
	for _, p := range pages {
		for _, m := range p.Changed {
			if n++; m.ID != id || !m.Flags.Has(session.Flagged) {
				return false
			}
		}
	}
	return n == 1
}

func sameIDs(got, want []session.ID) bool {
	byText := func(a, b session.ID) int { return strings.Compare(a.String(), b.String()) }
	return slices.Equal(slices.SortedFunc(slices.Values(got), byText), slices.SortedFunc(slices.Values(want), byText))
}

// changesByPage takes one page at a time, each by another backend from the text
// of the cursor, and has the mailbox change between them.
func changesByPage(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	facts := r.facts(ctx)
	r.seed(many)
	const size = 4
	m := newModel()
	for turn := range 4 * many {
		text, err := m.cursor.MarshalText()
		if err == nil {
			err = m.cursor.UnmarshalText(text)
		}
		if err != nil {
			r.Fatalf("the cursor %q does not read back: %v", text, err)
		}
		r.renew()
		page := r.onePage(ctx, m.cursor, size)
		if n := len(page.Added) + len(page.Failed); n > size {
			r.Errorf("a page adds %d messages, want at most %d", n, size)
		}
		m.take(page)
		if !page.More && turn > 8 {
			break
		}
		if turn < 8 {
			r.stir(ctx, facts, turn, m)
		}
	}
	r.wantModel(ctx, "page by page", m)
}

// onePage takes the first page of changes and leaves the loop.
func (r *reading) onePage(ctx context.Context, since session.Cursor, size int) session.Changes {
	r.Helper()
	for page, err := range changesOf(ctx, r.in, "", since, session.SyncOptions{PageSize: size}) {
		if err != nil {
			r.Fatalf("Changes: %v", err)
		}
		return page
	}
	r.Fatalf("Changes gives no page")
	return session.Changes{}
}

// stir changes the mailbox in some way that is another each time: among what was
// told, and among what was not.
func (r *reading) stir(ctx context.Context, facts session.Facts, turn int, m *model) {
	r.Helper()
	there := len(r.kept(inbox))
	if n := []int{1, there, there / 2, 2}[turn%4]; n >= 1 && n <= there {
		if err := r.Mailbox.Remove(inbox, n); err != nil {
			r.Fatal(err)
		}
	}
	if turn%2 == 0 {
		r.put(inbox, Stored{Raw: sample(100 + turn)})
	}
	if facts.NoFlags {
		return
	}
	listed := idsOf(r.oldest(ctx))
	for i, id := range listed {
		if _, known := m.known[id]; i%5 == turn%5 && (known || i == len(listed)-1) {
			r.done(ctx, session.Change{Set: session.Flags{[]session.Flag{session.Flagged, session.Seen}[turn%2]}}, id)
		}
	}
}

func failedChange(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	r.seed(many)
	const bad = 13
	id := idsOf(r.oldest(ctx))[bad-1]
	r.line.corrupt(r.Spoil(bad))
	pages := r.changes(ctx, session.Cursor{}, session.SyncOptions{})
	r.line.corrupt("", "")
	added, _, _ := told(pages)
	if want := strings.TrimSpace(strings.Replace(" "+sequence(1, many)+" ", " 13 ", " ", 1)); added != want {
		r.Errorf("Changes add %s, want %s", added, want)
	}
	var failed []session.ID
	for _, p := range pages {
		for _, item := range p.Failed {
			if failed = append(failed, item.ID); item.Err == nil {
				r.Errorf("a failed message has no error")
			}
		}
	}
	if !slices.Equal(failed, []session.ID{id}) {
		r.Errorf("Changes tell %v as failed, want %v", failed, id)
	}
	// That its flags may have changed is told by a server that keeps no versions.
	if again := r.changes(ctx, last(pages), session.SyncOptions{})[0]; len(again.Added)+len(again.Failed)+len(again.Removed) > 0 {
		r.Errorf("Changes after that = %+v, want nothing", again)
	}
	if err := r.Mailbox.Remove(inbox, bad); err != nil {
		r.Fatal(err)
	}
	if _, _, removed := told(r.changes(ctx, last(pages), session.SyncOptions{})); !slices.Equal(removed, []session.ID{id}) {
		r.Errorf("Changes remove %v, want the failed message, which went", removed)
	}
}

// cutChangesOf cuts the line, and goes on from the cursor of the last page that
// came.
func cutChangesOf(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	r.seed(many)
	r.renew()
	r.line.arm(nil)
	r.changes(ctx, session.Cursor{}, session.SyncOptions{})
	sent, received, _, _ := r.line.counts()
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts)) {
		r.renew()
		struck := r.line.arm(&f)
		m := newModel()
		err := m.follow(ctx, r.in)
		if !hasStruck(struck) {
			r.Errorf("the line was not cut after %d bytes %v", f.after, f.dir)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !session.Temporary(err) {
			r.Errorf("cut after %d bytes %v: error %v, want io.ErrUnexpectedEOF, or one that is temporary", f.after, f.dir, err)
		}
		if err := m.follow(ctx, r.in); err != nil {
			r.Errorf("cut after %d bytes %v: Changes from the last cursor: %v", f.after, f.dir, err)
		}
		r.wantModel(ctx, fmt.Sprintf("cut after %d bytes %v", f.after, f.dir), m)
	}
}
