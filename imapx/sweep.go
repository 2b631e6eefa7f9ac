package imapx

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/session"
)

// prepare takes the settings of the pages.
func (w *sweep) prepare(opts session.SyncOptions) {
	if opts.Fields == 0 {
		opts.Fields = session.FieldsAll
	}
	w.opts = opts
}

// room returns how many messages the next page may have.
func (w *sweep) room() int {
	size := w.client.opts.PageSize
	switch {
	case w.opts.PageSize > 0:
		size = w.opts.PageSize
	case w.paged:
		size *= growth
	}
	w.paged = true
	return size
}

// next returns the next page.
func (w *sweep) next(ctx context.Context) (session.Changes, error) {
	page := session.Changes{Reset: w.reset}
	w.reset = false
	upTo, room := w.tellOld(&page, w.room())
	if len(w.gone) == 0 && len(w.altered) == 0 {
		upTo = max(upTo, w.from.last)
		if room = min(room, len(w.added)); room > 0 {
			last, err := w.tellAdded(ctx, &page, room)
			if err != nil {
				return session.Changes{}, err
			}
			upTo = last
		}
	}
	page.More = len(w.gone) > 0 || len(w.altered) > 0 || len(w.added) > 0
	page.Cursor = w.cursor(upTo, !page.More)
	return page, nil
}

// tellOld puts messages that were told of before into a page, in the order of
// their numbers, as far as there is room. It returns the last one's number.
func (w *sweep) tellOld(page *session.Changes, room int) (upTo uint32, left int) {
	for ; room > 0 && (len(w.gone) > 0 || len(w.altered) > 0); room-- {
		if len(w.gone) > 0 && (len(w.altered) == 0 || w.gone[0].first <= w.altered[0].uid) {
			upTo = w.gone[0].first
			if len(w.altered) > 0 && w.altered[0].uid == upTo {
				w.altered = w.altered[1:]
			}
			page.Removed = append(page.Removed, withKey(w.scope, upTo))
			w.told--
			if w.excess {
				w.over = w.over.with(uidRange{upTo, upTo})
			}
			if w.gone[0].first++; w.gone[0].first > w.gone[0].last || w.gone[0].first == 0 {
				w.gone = w.gone[1:]
			}
			continue
		}
		x := w.altered[0]
		w.altered, upTo = w.altered[1:], x.uid
		if x.flags == nil {
			continue // they cannot be read
		}
		m := &session.Message{ID: withKey(w.scope, x.uid), Flags: slices.Clone(x.flags), Labels: x.labels}
		if x.modSeq > 0 {
			m.Version = session.Version(strconv.FormatUint(x.modSeq, 10))
		}
		page.Changed = append(page.Changed, m)
	}
	return upTo, room
}

// tellAdded puts messages that came into a page, and returns the last one's
// number.
func (w *sweep) tellAdded(ctx context.Context, page *session.Changes, room int) (uint32, error) {
	uids := w.added[:fitting(w.added[:room], min(room, w.client.opts.PageSize))]
	items, err := w.summaries(ctx, uids)
	if err != nil {
		return 0, err
	}
	w.added = w.added[len(uids):]
	had := 0
	for _, it := range items {
		for ; uids[had] != it.uid; had++ {
			w.lost = w.lost.with(uidRange{uids[had], uids[had]})
		}
		had++
		if bad, ok := errors.AsType[*session.ItemError](it.err); ok {
			page.Failed = append(page.Failed, bad)
			continue
		}
		page.Added = append(page.Added, it.message)
	}
	for _, uid := range uids[had:] {
		w.lost = w.lost.with(uidRange{uid, uid})
	}
	w.told += int64(len(items))
	return uids[len(uids)-1], nil
}

// summaries asks for summaries, and takes note of the flags where the place
// keeps those.
func (w *sweep) summaries(ctx context.Context, uids []uint32) ([]item, error) {
	l := &listing{
		client: w.client, folder: w.scope.Folder, scope: w.scope, plan: &plan{},
		query: session.Query{Fields: w.opts.Fields},
	}
	if w.from.keeps == keepsFlags {
		l.plan.reads.Fields = session.FieldFlags
	}
	items, err := l.page(ctx, uids)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		flags := 0
		switch {
		case w.from.keeps != keepsFlags:
		case it.message != nil && it.message.Flags != nil:
			flags = w.from.flags.number(it.message.Flags)
		default:
			flags = max(0, flagsAt(w.came, it.uid)) // as they were a moment ago
		}
		w.fresh = addRun(w.fresh, it.uid, flags)
	}
	if err := l.preview(ctx, items); err != nil {
		return nil, err
	}
	for _, it := range items {
		match.Trim(it.message, w.opts.Fields)
	}
	return items, nil
}

// maxPassed bounds how many ranges of messages a place remembers because the
// server may tell of them again.
const maxPassed = 1000

// cursor returns the place behind a page, which told of messages up to a number;
// done says that it was the last one.
func (w *sweep) cursor(upTo uint32, done bool) session.Cursor {
	p := place{
		keeps: w.from.keeps,
		last:  max(w.from.last, upTo),
		count: uint32(max(0, int64(w.from.count)+w.told)), //nolint:gosec // at most as many as there are numbers
		flags: w.from.flags,
	}
	if done {
		upTo, p.next = p.last, w.stood.next
	}
	if w.from.keeps != keepsNothing {
		p.known = w.knownUpTo(upTo)
		p.count = uint32(rangesOfRuns(p.known).count()) //nolint:gosec // so many numbers
	}
	if upTo > 0 {
		p.spans = append(p.spans, span{upTo, w.stood.highest})
	}
	for _, s := range w.from.spans {
		if s.last > upTo {
			p.spans = append(p.spans, s)
		}
	}
	p.passed = w.lost.union(w.over)
	if !done {
		p.passed = p.passed.union(w.from.passed)
	}
	if len(p.passed) > maxPassed {
		p.passed = nil
	}
	if done {
		p.keeps = w.enough // the server may do more than before
	}
	return session.NewCursor(session.CursorParts{
		Backend: w.scope.Backend, Mailbox: w.scope.Mailbox, Folder: w.scope.Folder, Validity: w.scope.Validity, State: p.String(),
	})
}

// knownUpTo returns the messages that a place behind those up to a number keeps:
// of the others it keeps what it kept.
func (w *sweep) knownUpTo(upTo uint32) []run {
	var parts [][]run
	if upTo > 0 {
		parts = append(parts, clipRuns(w.present, uidRange{1, upTo}))
	}
	if r, ok := behind(upTo); ok {
		parts = append(parts, clipRuns(w.from.known, r))
	}
	return joinRuns(append(parts, w.fresh)...)
}

// skipAll returns the place behind everything, of which nothing is told.
func (w *sweep) skipAll() session.Cursor {
	w.fresh = w.came
	last := w.from.last
	for _, uid := range w.added {
		if last = uid; w.from.keeps != keepsFlags {
			w.fresh = addRun(w.fresh, uid, 0)
		}
	}
	w.told = int64(len(w.added))
	return w.cursor(last, true)
}
