package imapx

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// bodyPage is how many messages are looked at in one go where they have to be
// read.
const bodyPage = 50

// How many times as large as [Options.PageSize] a page is where nothing is
// compared here and no contents are asked for: the second one and those behind
// it, and all of them where the summaries are short, since no header was asked
// for.
const (
	growth      = 4
	growthShort = 10
)

// next returns the next items of the listing. Items and an error may come
// together: the items are before it.
func (l *listing) next(ctx context.Context) ([]item, error) {
	page := l.turn()
	items, err := l.page(ctx, page)
	if err == nil && l.plan.local != nil {
		items, err = l.kept(ctx, items)
	}
	if previewed := l.preview(ctx, items); previewed != nil {
		return nil, previewed
	}
	for _, it := range items {
		match.Trim(it.message, l.query.Fields)
	}
	return items, err
}

// kept sifts a page, up to the query's limit.
func (l *listing) kept(ctx context.Context, items []item) ([]item, error) {
	items, err := l.sift(ctx, items)
	if limit := l.query.Limit; limit > 0 {
		if len(items) >= limit-l.told {
			items, err, l.uids = items[:limit-l.told], nil, nil
		}
		l.told += len(items)
	}
	return items, err
}

// turn takes the next page off what is left. A loop that goes on gets larger
// pages, so that a long listing costs few round trips and a loop that ends early
// little.
func (l *listing) turn() []uint32 {
	size := l.client.opts.PageSize
	most := size
	switch {
	case l.plan.reads.Body:
		most = min(size, bodyPage)
	case l.plan.local != nil, l.wanted().Fields&(session.FieldStructure|session.FieldPreview) != 0:
	case l.wanted().Fields&session.FieldHeader == 0:
		most = size * growthShort
	case l.paged:
		most = size * growth
	}
	l.paged = true
	n := min(most, len(l.uids))
	n = fitting(l.uids[:n], size)
	page := l.uids[:n]
	l.uids = l.uids[n:]
	return page
}

// fitting returns how many of the numbers fit into one command, at least so
// many.
func fitting(uids []uint32, least int) int {
	n := len(uids)
	for n > least && len(formatSet(slices.Sorted(slices.Values(uids[:n])))) > maxSet {
		n = max(least, n/2)
	}
	return n
}

// sift compares the messages with the local part of the plan.
func (l *listing) sift(ctx context.Context, items []item) ([]item, error) {
	verdicts, err := l.verdicts(ctx, items)
	if err != nil {
		return nil, err
	}
	kept := items[:0]
	limit := match.ScanLimit(l.query)
	for i, it := range items {
		switch v, known := verdicts[it.uid]; {
		case it.err != nil:
			kept = append(kept, it)
		case !known: // removed meanwhile
		case v.err != nil:
			kept = append(kept, item{uid: it.uid, err: &session.ItemError{ID: it.message.ID, Err: v.err}})
		case v.verdict == match.Yes:
			kept = append(kept, it)
		case limit >= 0 && l.vain == limit:
			return kept, &session.ScanLimitError{Limit: limit, Left: len(items) - i + len(l.uids)}
		default:
			l.vain++
		}
	}
	return kept, nil
}

// judged is what became of comparing a message.
type judged struct {
	verdict match.Verdict
	err     error // why it could not be compared
}

// verdicts compares by the summaries and reads only the messages of which they
// are not enough.
func (l *listing) verdicts(ctx context.Context, items []item) (map[uint32]judged, error) {
	verdicts := map[uint32]judged{}
	open := map[uint32]*session.Message{}
	var uids []uint32
	for _, it := range items {
		if it.message == nil {
			continue
		}
		v := l.plan.local.Match(it.message, nil)
		if v == match.Open {
			open[it.uid] = it.message
			uids = append(uids, it.uid)
			continue
		}
		verdicts[it.uid] = judged{verdict: v}
	}
	if len(uids) == 0 {
		return verdicts, nil
	}
	slices.Sort(uids)
	err := l.client.read(ctx, "fetch", func(cn *conn) error {
		if err := l.enter(cn); err != nil {
			return err
		}
		r := &reader{conn: cn, local: l.plan.local, open: open, verdicts: verdicts}
		return r.readAll(uids)
	}, slog.String("folder", l.folder), slog.Int("messages", len(uids)))
	return verdicts, err
}

// reader reads messages as a whole to compare them, one at a time in memory.
type reader struct {
	conn     *conn
	local    *match.Matcher
	open     map[uint32]*session.Message
	verdicts map[uint32]judged
	lost     error // an answer that named no message
}

// readAll reads some messages, a second time those that did not come; see
// [conn.fetchAll]. What the connection was lost over is left to be asked again.
func (r *reader) readAll(uids []uint32) error {
	for _, again := range []bool{false, true} {
		uids = slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool {
			_, known := r.verdicts[uid]
			return known
		})
		if len(uids) == 0 {
			return nil
		}
		if again {
			if err := r.conn.refresh(); err != nil {
				return err
			}
		}
		if err := r.read(uids); err != nil {
			return err
		}
	}
	if r.lost != nil {
		for _, uid := range uids {
			if _, known := r.verdicts[uid]; !known {
				r.verdicts[uid] = judged{err: r.lost}
			}
		}
	}
	return nil
}

// read asks for messages; where the server cannot answer for all, for fewer.
func (r *reader) read(uids []uint32) error {
	err := r.conn.run("fetch", "UID FETCH "+formatSet(uids)+" (UID BODY.PEEK[])", func(name string, sc *scanner) error {
		if name != "FETCH" {
			return nil
		}
		err := r.answer(sc)
		if itemError(err) {
			r.lost = err
			return nil
		}
		return err
	})
	e, refused := errors.AsType[*Error](err)
	if !refused || e.Type != "NO" || e.Temporary() {
		return err
	}
	if len(uids) == 1 {
		r.verdicts[uids[0]] = judged{err: e}
		return nil
	}
	half := len(uids) / 2
	return cmp.Or(r.read(uids[:half]), r.read(uids[half:]))
}

// answer reads one FETCH response. The number may come behind the body.
func (r *reader) answer(sc *scanner) error {
	if !sc.open() {
		return sc.malformed("a list")
	}
	var uid uint64
	var body *message.Message
	var broken error
	for sc.more() {
		var err error
		switch name := strings.ToUpper(string(sc.name())); name {
		case "":
			return sc.malformed("an item's name")
		case "UID":
			uid, err = sc.number()
		case "BODY[]":
			body, broken, err = parseBody(sc)
		default:
			err = sc.skip()
		}
		if err != nil {
			return err
		}
	}
	summary := r.open[uint32(min(uid, 1<<32-1))]
	switch {
	case summary == nil:
	case broken != nil:
		r.verdicts[uint32(uid)] = judged{err: broken}
	case body != nil:
		r.verdicts[uint32(uid)] = judged{verdict: r.local.Match(summary, body)}
	}
	return nil
}

// parseBody parses a message from the line. It is nil where the server has it
// no more; broken is why it cannot be compared.
func parseBody(sc *scanner) (body *message.Message, broken, err error) {
	if sc.peek() != atLiteral {
		text, err := sc.text(maxHeader)
		if text == nil || err != nil {
			return nil, nil, err
		}
		body, broken = message.Parse(strings.NewReader(string(text)), nil)
		return body, broken, nil
	}
	literal := sc.stream()
	body, broken = message.Parse(literal, nil)
	if err := literal.Discard(); err != nil {
		return nil, nil, err
	}
	return body, broken, sc.resume()
}
