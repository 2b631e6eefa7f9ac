package ews

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// bodyPage is how many messages are read by one request where they have to be read.
const bodyPage = 25

// next returns the next items of the listing. Items and an error may come together:
// the items are before it.
func (l *listing) next(ctx context.Context) ([]entry, error) {
	if len(l.ready) == 0 {
		if l.over {
			return nil, nil
		}
		if err := l.find(ctx); err != nil {
			return nil, err
		}
	}
	n := min(len(l.ready), l.client.opts.PageSize)
	page := l.ready[:n]
	l.ready = l.ready[n:]
	entries, err := l.summaries(ctx, page)
	if err != nil {
		return nil, err
	}
	if l.plan.local != nil {
		entries, err = l.sift(ctx, entries)
	}
	if limit := l.query.Limit; limit > 0 && len(entries) >= limit-l.told {
		entries, err, l.ready, l.over = entries[:limit-l.told], nil, nil, true
	}
	l.told += len(entries)
	if filling := l.contents(ctx, entries); filling != nil {
		return nil, filling
	}
	for _, e := range entries {
		match.Trim(e.message, l.query.Fields)
	}
	return entries, err
}

// summaries asks for what is to be told of messages, and compared.
func (l *listing) summaries(ctx context.Context, page []found) ([]entry, error) {
	fields := l.query.Fields | l.plan.reads.Fields
	var items []found
	if l.direct() {
		items = page
	} else {
		ids := make([]string, 0, len(page))
		for _, it := range page {
			ids = append(ids, it.id)
		}
		var err error
		asked := l.client.properties(fields)
		if l.keepsPreviews() {
			asked = append(asked, field("item:Preview"))
		}
		if items, err = l.client.getItems(ctx, ids, asked); err != nil {
			return nil, err
		}
		if fields&session.FieldHeader != 0 {
			if err := l.client.withHeaders(ctx, items); err != nil {
				return nil, err
			}
		}
	}
	entries := make([]entry, 0, len(items))
	for i, it := range items {
		if errors.Is(it.err, session.ErrNoMessage) {
			continue // it was removed meanwhile
		}
		e := entry{found: page[i], item: it}
		id := l.client.idOf(l.folder, page[i].id)
		if it.err != nil {
			e.err = &session.ItemError{ID: id, Err: it.err}
		} else {
			e.message = it.summary(id, fields)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// sift compares messages with the local part of the plan.
func (l *listing) sift(ctx context.Context, entries []entry) ([]entry, error) {
	verdicts, err := l.verdicts(ctx, entries)
	if err != nil {
		return nil, err
	}
	kept := entries[:0]
	limit := match.ScanLimit(l.query)
	for i, e := range entries {
		switch v := verdicts[i]; {
		case e.err != nil:
			kept = append(kept, e)
		case v.gone:
		case v.err != nil:
			kept = append(kept, entry{found: e.found, err: &session.ItemError{ID: e.message.ID, Err: v.err}})
		case v.verdict == match.Yes:
			kept = append(kept, e)
		case limit >= 0 && l.vain == limit:
			return kept, &session.ScanLimitError{Limit: limit, Left: len(entries) - i + len(l.ready)}
		default:
			l.vain++
		}
	}
	return kept, nil
}

// judged is what became of comparing a message.
type judged struct {
	verdict match.Verdict
	gone    bool
	err     error // why it could not be compared
}

// verdicts compares by the summaries, and reads only the messages of which they are
// not enough.
func (l *listing) verdicts(ctx context.Context, entries []entry) ([]judged, error) {
	all := make([]judged, len(entries))
	local, err := l.matcher(ctx, entries)
	if err != nil {
		return nil, err
	}
	var open []int
	for i, e := range entries {
		if e.message == nil {
			continue
		}
		if all[i].verdict = local.Match(e.message, nil); all[i].verdict == match.Open {
			open = append(open, i)
		}
	}
	err = l.read(ctx, entries, open, func(i int, content io.Reader, err error) {
		if err != nil {
			all[i] = judged{gone: errors.Is(err, session.ErrNoMessage), err: err}
			return
		}
		body, err := message.Parse(content, nil)
		if err != nil {
			all[i] = judged{err: err}
			return
		}
		all[i] = judged{verdict: local.Match(entries[i].message, body)}
	})
	return all, err
}

// matcher returns what a page is compared with.
func (l *listing) matcher(ctx context.Context, page []entry) (*match.Matcher, error) {
	if len(l.members) == 0 {
		return l.plan.local, nil
	}
	finds := map[session.ID]session.Filter{}
	for _, m := range l.members {
		ids, err := m.of(ctx, page)
		if err != nil {
			return nil, err
		}
		finds[m.mark] = session.Filter{IDs: ids}
		if len(ids) == 0 {
			finds[m.mark] = session.Filter{Not: &session.Filter{}} // nothing matches
		}
	}
	return match.New(l.plan.replaced(l.plan.Local, func(n nativeCondition) session.Filter { return finds[n.mark] })), nil
}

// read reads messages as a whole, of which the numbers are in which. Each is called for
// a message more than once where it has to be asked for again; the last call counts.
func (l *listing) read(ctx context.Context, entries []entry, which []int, each func(i int, content io.Reader, err error)) error {
	for part := range slices.Chunk(which, bodyPage) {
		if err := l.readPart(ctx, entries, part, each); err != nil {
			return err
		}
	}
	return nil
}

// readPart is read by one request. Where the answer cannot be given, or breaks off in
// one of the messages, the others are asked for by requests for fewer.
func (l *listing) readPart(ctx context.Context, entries []entry, part []int, each func(i int, content io.Reader, err error)) error {
	ids := make([]string, len(part))
	for k, i := range part {
		ids[k] = entries[i].item.id
	}
	whole := 0 // how many are settled, from the first on
	r := &request{op: "GetItem", body: getItem(nil, true, itemIDs(ids)...)}
	err := l.client.call(ctx, r, func(a *answer) error {
		whole = 0
		err := l.client.eachMIME(a, len(part), func(k int, content io.Reader, err error) error {
			if err != nil {
				each(part[k], nil, a.conn.explain("GetItem", err))
				whole = k + 1
				return nil
			}
			watched := &watching{src: content}
			each(part[k], watched, nil)
			if _, err := io.Copy(io.Discard, watched); err != nil {
				return err //nolint:wrapcheck // an explanation follows
			}
			if watched.err == nil {
				whole = k + 1
			}
			return watched.err
		})
		if err == nil && whole != len(part) {
			whole = 0 // which of them it is about, nobody knows
			err = a.malformed("it is about another number of messages")
		}
		return err
	})
	left := part[whole:]
	switch {
	case err == nil || !concernsItem(err):
		return err
	case len(left) == 0:
		return nil
	case len(left) == 1:
		each(left[0], nil, err)
		return nil
	}
	half := len(left) / 2
	if err := l.readPart(ctx, entries, left[:half], each); err != nil {
		return err
	}
	return l.readPart(ctx, entries, left[half:], each)
}

// watching tells a message that cannot be understood from one that did not come.
type watching struct {
	src io.Reader
	err error
}

// Read implements [io.Reader].
func (w *watching) Read(p []byte) (int, error) {
	n, err := w.src.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		w.err = err
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// keepsPreviews reports whether previews are asked for that the server keeps, as it
// does from 2013 on. Where the messages are read anyway, they tell.
func (l *listing) keepsPreviews() bool {
	v := l.client.version.Load()
	return l.query.Fields&(session.FieldPreview|session.FieldStructure) == session.FieldPreview && v != nil && v.atLeast(exchange2013())
}

// contents fills in what only the message itself tells: its structure, and the
// beginning of its text where the server does not keep that. What was stored by an
// older server, and moved here, has no preview with it.
func (l *listing) contents(ctx context.Context, entries []entry) error {
	const asked = session.FieldStructure | session.FieldPreview
	if l.query.Fields&asked == 0 {
		return nil
	}
	var which []int
	kept := l.keepsPreviews()
	for i, e := range entries {
		switch {
		case e.message == nil:
		case kept && e.item.preview != nil:
			e.message.Preview = message.Preview(*e.item.preview)
		default:
			which = append(which, i)
		}
	}
	return l.read(ctx, entries, which, func(i int, content io.Reader, err error) {
		m := entries[i].message
		if err != nil {
			m.Incomplete = err
			return
		}
		m.Structure, m.Preview, m.Incomplete = l.outline(content)
	})
}

// outline reads a message once for all that is asked of its contents.
func (l *listing) outline(content io.Reader) (s message.Structure, preview string, err error) {
	if l.query.Fields&session.FieldPreview == 0 {
		s, err = message.ReadStructure(content)
		return s, "", err //nolint:wrapcheck // it says what is wrong with the message
	}
	if l.query.Fields&session.FieldStructure == 0 {
		preview, err = message.ReadPreview(content)
		return nil, preview, err //nolint:wrapcheck // it says what is wrong with the message
	}
	start := &beginning{left: maxPreviewed}
	if s, err = message.ReadStructure(io.TeeReader(content, start)); err != nil {
		return s, "", err //nolint:wrapcheck // it says what is wrong with the message
	}
	preview, err = message.ReadPreview(&start.Buffer)
	return s, preview, err //nolint:wrapcheck // it says what is wrong with the message
}

// maxPreviewed is how much of a message a preview is made of.
const maxPreviewed = 256 << 10

// beginning keeps the beginning of what is written.
type beginning struct {
	bytes.Buffer

	left int
}

// Write implements [io.Writer].
func (b *beginning) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}
