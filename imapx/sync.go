package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"

	"github.com/mailsession/mailsession/session"
)

// Changes implements [session.Syncer]. Servers with QRESYNC (RFC 7162) tell
// everything by themselves, and a Cursor is short. Those with CONDSTORE alone do
// not tell what is gone, so that the Cursor names the messages there were, in
// ranges; with neither, and in folders that count no changes, it has their flags
// too, and all flags are asked for each time.
//
// Changed messages come with FieldFlags, Version and Labels, whatever the fields
// of the options. A server that tells of a message that is gone although it told
// so long ago has it told again; such an ID is not known any more.
//
// After the first page, pages of added messages hold four times as many as
// [Options.PageSize] says, unless the options have a size.
func (c *Client) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		w, err := c.sweep(ctx, folder, since)
		if errors.Is(err, session.ErrCursorExpired) {
			if !yield(session.Changes{}, err) {
				return
			}
			if w, err = c.sweep(ctx, folder, session.Cursor{}); err == nil {
				w.reset = true
			}
		}
		if err != nil {
			yield(session.Changes{}, err)
			return
		}
		w.prepare(opts)
		for {
			page, err := w.next(ctx)
			if err != nil {
				yield(session.Changes{}, err)
				return
			}
			if !yield(page, nil) || !page.More {
				return
			}
		}
	}
}

// Cursor implements [session.Syncer].
func (c *Client) Cursor(ctx context.Context, folder session.FolderRef) (session.Cursor, error) {
	w, err := c.sweep(ctx, folder, session.Cursor{})
	if err != nil {
		return session.Cursor{}, err
	}
	return w.skipAll(), nil
}

// sweep finds out what happened since a place, without the summaries.
func (c *Client) sweep(ctx context.Context, folder session.FolderRef, since session.Cursor) (*sweep, error) {
	folder = cmp.Or(folder, session.Inbox)
	w, err := c.survey(ctx, folder, since)
	if errors.Is(err, session.ErrNoFolder) && c.forget() {
		w, err = c.survey(ctx, folder, since) // the folder may have got another name
	}
	return w, err
}

func (c *Client) survey(ctx context.Context, folder session.FolderRef, since session.Cursor) (*sweep, error) {
	name, err := c.resolve(ctx, folder)
	if err != nil {
		return nil, err
	}
	from, validity, err := c.placeOf(since, name)
	if err != nil {
		return nil, err
	}
	var w *sweep
	err = c.readEnabled(ctx, "changes", func(cn *conn) error {
		s, err := cn.stand(name, c.setup.ReadOnly)
		if err != nil {
			return err
		}
		scope := c.scope(s)
		if from != nil && scope.Validity != validity {
			return cn.expired(name, "the server has renumbered it")
		}
		w = &sweep{client: c, scope: scope, stood: *s, flags: sharedFlags{}, enough: cn.keeping(s)}
		if from == nil {
			return w.begin(cn)
		}
		w.from = *from
		return w.compare(cn)
	}, slog.String("folder", name))
	return w, err
}

// readEnabled is read on a connection where the server resynchronizes, if it can.
func (c *Client) readEnabled(ctx context.Context, op string, f func(*conn) error, attrs ...slog.Attr) error {
	c.syncs.Store(true)
	return c.read(ctx, op, func(cn *conn) error {
		if err := cn.enable(); err != nil {
			return err
		}
		return f(cn)
	}, attrs...)
}

// placeOf takes a Cursor apart, which has to be of this mailbox and of the
// folder. The zero Cursor has no place.
func (c *Client) placeOf(cursor session.Cursor, folder string) (p *place, validity string, err error) {
	if cursor.IsZero() {
		return nil, "", nil
	}
	parts, err := cursor.Parts()
	if err != nil {
		return nil, "", err
	}
	switch {
	case parts.Backend != "imap" || parts.Mailbox != c.mailbox:
		err = fmt.Errorf("%s: changes: %w", c.address, session.ErrOtherMailbox)
	case parts.Folder != folder:
		err = fmt.Errorf("%s: changes of folder %s: the cursor is of %s: %w",
			c.address, shownName(folder), shownName(parts.Folder), session.ErrOtherFolder)
	default:
		if p, err = parsePlace(parts.State); err != nil {
			err = fmt.Errorf("%s: changes of folder %s: %w", c.address, shownName(folder), err)
		}
	}
	return p, parts.Validity, err
}

// sweep goes over a folder once, in the order of the messages' numbers: first
// over those that were told of, then over those that came.
type sweep struct {
	client *Client
	scope  session.IDParts
	stood  selected // how the folder stood then
	from   place
	flags  sharedFlags

	gone    uidRanges // what is left to be told, in three lists
	altered []changed
	added   []uint32

	enough  keeping // what a place has to keep from now on
	excess  bool    // what is told as gone may be told once more by the server
	present []run   // of the messages that were told of, those that there are, where the place keeps them
	came    []run   // those that came, where the place keeps flags

	opts  session.SyncOptions
	reset bool // the first page says that the folder is read anew
	paged bool

	told  int64     // by how many the messages that were told of are more now
	fresh []run     // messages told of as added
	over  uidRanges // and as gone, where there is excess
	lost  uidRanges // added ones that were gone before their summary came
}

// keeping returns what a place has to keep since the server does not.
func (c *conn) keeping(s *selected) keeping {
	switch {
	case s.highest == 0:
		return keepsFlags
	case c.resyncs:
		return keepsNothing
	}
	return keepsMessages
}

// begin is the start of a folder that nothing is known of.
func (w *sweep) begin(cn *conn) error {
	w.from.keeps = w.enough
	if w.from.keeps == keepsFlags {
		return w.compareFlags(cn)
	}
	return w.arrived(cn)
}

// compare finds the differences to the place.
func (w *sweep) compare(cn *conn) error {
	name := w.scope.Folder
	if w.from.keeps == keepsFlags {
		return w.compareFlags(cn)
	}
	switch {
	case w.stood.highest == 0:
		return cn.expired(name, "the server counts no changes of it any more")
	case w.from.keeps == keepsNothing && !cn.resyncs:
		return cn.expired(name, "the server does not tell what vanished any more")
	}
	for _, s := range w.from.spans {
		if s.modSeq > w.stood.highest {
			return cn.expired(name, "its change counter went back")
		}
	}
	if w.from.keeps == keepsMessages {
		return w.compareMessages(cn)
	}
	return w.resynchronize(cn)
}

// arrived looks for messages behind those that were told of, unless UIDNEXT says
// that there are none. One that comes and goes meanwhile is not found, and that is
// as if it had never come.
func (w *sweep) arrived(cn *conn) error {
	r, ok := behind(w.from.last)
	if !ok || w.from.next != 0 && w.stood.next == w.from.next && w.stood.exists <= w.from.count || w.stood.exists == 0 {
		return nil
	}
	var err error
	w.added, err = cn.there(r)
	return err
}

// resynchronize takes the server's word of what changed and what vanished.
func (w *sweep) resynchronize(cn *conn) error {
	if err := w.arrived(cn); err != nil {
		return err
	}
	// Counters that stand still with a number of messages that does not are a
	// server that does not count all it should.
	steady := int64(w.stood.exists)-int64(len(w.added)) == int64(w.from.count)
	if err := w.askSince(cn, steady); err != nil {
		return err
	}
	quiet := len(w.gone) == 0 && w.from.next != 0 && w.stood.next == w.from.next
	w.gone = w.gone.without(w.from.passed)
	if w.stood.next == 0 {
		return nil // nobody knows how many of them came since
	}
	older := int64(w.stood.exists)
	for _, uid := range w.added {
		if uid < w.stood.next {
			older--
		}
	}
	left := int64(w.from.count) - int64(w.gone.count()) //nolint:gosec // fewer than 1<<32
	if older < left {
		return cn.expired(w.scope.Folder, "it has fewer messages than the server tells of")
	}
	if w.excess = older > left; quiet {
		w.from.count = uint32(older) //nolint:gosec // not below left, which is not below 0
	}
	return nil
}

// askSince asks about each span, unless its counter has not moved and the folder
// is steady.
func (w *sweep) askSince(cn *conn, steady bool) error {
	first := uint32(1)
	for _, s := range w.from.spans {
		if (s.modSeq != w.stood.highest || !steady) && s.last >= first {
			t, err := cn.since(uidRange{first, s.last}, s.modSeq, w.flags)
			if err != nil {
				return err
			}
			w.altered = append(w.altered, t.changed...)
			w.gone = w.gone.union(t.gone)
		}
		if s.last == math.MaxUint32 {
			break
		}
		first = s.last + 1
	}
	return nil
}

// compareMessages takes the server's word of what changed, and finds what is
// gone.
func (w *sweep) compareMessages(cn *conn) error {
	w.present = w.from.known
	if w.from.next == 0 || w.stood.next != w.from.next || w.stood.exists != w.from.count {
		uids, err := cn.there(uidRange{1, math.MaxUint32})
		if err != nil {
			return err
		}
		w.present = nil
		for _, uid := range uids {
			if uid > w.from.last {
				w.added = append(w.added, uid)
				continue
			}
			w.present = addRun(w.present, uid, 0)
		}
	}
	known, present := rangesOfRuns(w.from.known), rangesOfRuns(w.present)
	w.gone = known.without(present)
	// A message with an old number that was not there before is not told of.
	w.present = clippedTo(w.present, known)
	if err := w.askSince(cn, true); err != nil {
		return err
	}
	stays := rangesOfRuns(w.present)
	kept := w.altered[:0]
	for _, x := range w.altered {
		if stays.has(x.uid) {
			kept = append(kept, x)
		}
	}
	w.altered = kept
	return nil
}

// clippedTo returns the messages of the runs that are in the ranges as well.
func clippedTo(runs []run, rs uidRanges) []run {
	var parts [][]run
	for _, r := range rs {
		parts = append(parts, clipRuns(runs, r))
	}
	return joinRuns(parts...)
}

// compareFlags asks for all flags and compares them with those of the place.
func (w *sweep) compareFlags(cn *conn) error {
	if w.stood.exists == 0 {
		w.gone = rangesOfRuns(w.from.known)
		return nil
	}
	t, err := cn.flagsOf(uidRange{1, math.MaxUint32}, "", w.flags)
	if err != nil {
		return err
	}
	if t.odd {
		// Of some messages not even the number can be read; they are there.
		if err := w.addSilent(cn, &t); err != nil {
			return err
		}
	}
	for _, x := range t.changed {
		if x.uid > w.from.last {
			w.added = append(w.added, x.uid)
			w.came = addRun(w.came, x.uid, w.numberOf(x))
			continue
		}
		before := flagsAt(w.from.known, x.uid)
		if before < 0 {
			continue
		}
		now := before
		if x.flags != nil {
			now = w.numberOf(x)
		}
		w.present = addRun(w.present, x.uid, now)
		if now != before && w.from.flags.keys[before] != unreadable { // else nobody was told of any
			w.altered = append(w.altered, x)
		}
	}
	w.gone = rangesOfRuns(w.from.known).without(rangesOfRuns(w.present))
	return nil
}

// numberOf returns the number of a message's flags in the place.
func (w *sweep) numberOf(x changed) int {
	if x.flags == nil {
		return w.from.flags.key(unreadable)
	}
	return w.from.flags.number(x.flags)
}

// addSilent adds the messages that are there and have no flags that can be read.
func (w *sweep) addSilent(cn *conn, t *told) error {
	uids, err := cn.there(uidRange{1, math.MaxUint32})
	for _, uid := range uids {
		t.changed = append(t.changed, changed{uid: uid})
	}
	t.changed = lastOfEach(t.changed)
	return err
}
