package pop3x

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// bodyPage is how many messages are looked at in one go where they have to be
// read.
const bodyPage = 20

// Messages implements [session.Incoming]. It lists the maildrop and then, page
// by page, asks for the headers, and for whole messages where the query has to
// be compared with them.
func (c *Client) Messages(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	return func(yield func(*session.Message, error) bool) {
		l, err := c.list(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for len(l.left) > 0 {
			items, err := l.next(ctx)
			for _, it := range items {
				if !yield(it.message, it.err) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// listing is what a maildrop held, in the order it is to be told.
type listing struct {
	client *Client
	query  session.Query
	plan   *plan
	scope  session.IDParts
	seen   seen
	there  map[string]int // all of it, by key
	left   []entry

	size int // of a page; zero means that of the options
	told int // items so far
	vain int // messages that were looked at here and do not match
}

// list finds out what there is, and leaves out what does not match by that
// alone.
func (c *Client) list(ctx context.Context, q session.Query) (*listing, error) {
	p, err := c.checkQuery(q)
	if err != nil {
		return nil, err
	}
	if err := p.Permits(q); err != nil {
		return nil, fmt.Errorf("pop3: search: %w", err)
	}
	after, err := c.afterOf(q)
	if err != nil {
		return nil, err
	}
	q.Fields = cmp.Or(q.Fields, session.FieldsAll)
	l := &listing{client: c, query: q, plan: p}
	var behind entry
	err = c.do(ctx, task{op: "list", fresh: true, run: func(cn *conn) error {
		drop, err := cn.survey()
		if err != nil {
			return err
		}
		l.scope = c.scope(drop)
		l.there = drop.place
		l.left = slices.Clone(drop.entries)
		if !q.After.IsZero() {
			behind, err = cn.look(after)
		}
		return err
	}})
	if err == nil {
		l.seen, err = c.loadSeen(ctx)
	}
	if err != nil {
		return nil, err
	}
	l.arrange(behind.number)
	return l, nil
}

// arrange puts what there is into the order of the query, from its place on, and
// leaves out what does not match by the listing alone. After is the number of the
// message that it goes on behind, 0 for none.
func (l *listing) arrange(after int) {
	if !l.query.OldestFirst {
		slices.Reverse(l.left)
	}
	if after != 0 {
		i := slices.IndexFunc(l.left, func(e entry) bool { return e.number == after })
		l.left = l.left[i+1:]
	}
	if p := l.plan; p.local != nil && !p.whole() && !needsHeader(0, p.reads) {
		l.left = slices.DeleteFunc(l.left, func(e entry) bool {
			m, err := l.summary(e)
			return err == nil && p.local.Match(m, nil) == match.No
		})
		p.local = nil // what is left matches
	}
	if l.plan.local == nil && l.query.Limit > 0 {
		l.left = l.left[:min(l.query.Limit, len(l.left))]
	}
}

// afterOf takes the place apart that the query goes on behind.
func (c *Client) afterOf(q session.Query) (session.IDParts, error) {
	if q.After.IsZero() {
		return session.IDParts{}, nil
	}
	parts, err := c.own(q.After)
	if errors.Is(err, session.ErrNoFolder) {
		err = fmt.Errorf("%s: go on behind %v: %w", c.address, q.After, session.ErrOtherFolder)
	}
	return parts, err
}

// scope returns the parts that the ids of a maildrop's messages share.
func (c *Client) scope(drop *maildrop) session.IDParts {
	return session.IDParts{Backend: backendName, Mailbox: c.mailbox, Folder: inboxPath, Validity: drop.validity()}
}

func withKey(scope session.IDParts, key string) session.ID {
	if key == "" {
		return session.ID{}
	}
	scope.Key = key
	return session.NewID(scope)
}

// item is a message or why there is none.
type item struct {
	entry   entry
	message *session.Message
	err     error
	vain    bool // the message was read, and does not match
}

// summary returns what the listing itself tells of a message.
func (l *listing) summary(e entry) (*session.Message, error) {
	m := &session.Message{ID: withKey(l.scope, e.idKey()), Size: e.size}
	if l.seen.has(e.key) {
		m.Flags = session.Flags{session.Seen}
	}
	switch fields := l.query.Fields | l.plan.reads.Fields; {
	case e.key == "":
		return nil, &session.ItemError{Err: fmt.Errorf("%s: message %d: %w", l.client.address, e.number, errNameless)}
	case !e.sized && fields&session.FieldSize != 0:
		return nil, &session.ItemError{ID: m.ID, Err: fmt.Errorf("%s: message %d: %w", l.client.address, e.number, errSizeless)}
	}
	return m, nil
}

// errSizeless says that the server does not tell a message's size.
var errSizeless = errors.New("the server lists the message without a size that can be read; leave session.FieldSize out to list it all the same")

// next returns the next items of the listing. Items and an error may come
// together: the items are before it.
func (l *listing) next(ctx context.Context) ([]item, error) {
	size := cmp.Or(l.size, l.client.opts.PageSize)
	if l.plan.whole() {
		size = min(size, bodyPage)
	}
	n := min(size, len(l.left))
	page := l.left[:n]
	l.left = l.left[n:]
	items, err := l.page(ctx, page)
	if err != nil {
		return nil, err
	}
	items, err = l.sift(items)
	if limit := l.query.Limit; limit > 0 {
		if len(items) >= limit-l.told {
			items, err, l.left = items[:limit-l.told], nil, nil
		}
		l.told += len(items)
	}
	if err := l.contents(ctx, items); err != nil {
		return nil, err
	}
	for _, it := range items {
		match.Trim(it.message, l.query.Fields)
	}
	return items, err
}

// page makes the summaries of some messages, and compares them.
func (l *listing) page(ctx context.Context, page []entry) ([]item, error) {
	items := make([]item, len(page))
	for i, e := range page {
		items[i].entry = e
		items[i].message, items[i].err = l.summary(e)
	}
	if !needsHeader(l.query.Fields, l.plan.reads) && !l.plan.whole() {
		return items, nil
	}
	err := l.client.do(ctx, task{op: "fetch", attrs: []slog.Attr{slog.Int("messages", len(page))}, run: func(cn *conn) error {
		p, err := l.locate(cn, items)
		if err != nil {
			return err
		}
		if needsHeader(l.query.Fields, l.plan.reads) {
			if err := p.headers(cn); err != nil {
				return err
			}
		}
		if l.plan.whole() {
			return p.bodies(cn, l.plan)
		}
		return nil
	}})
	return items, err
}

// paging is the work on one page over one connection.
type paging struct {
	items   []item
	at      []int // of items that are asked for
	numbers []int // theirs in this session
}

// locate finds the numbers that messages have in this session. One that was
// removed meanwhile gets neither a message nor an error.
func (l *listing) locate(cn *conn, items []item) (*paging, error) {
	drop, err := cn.survey()
	if err != nil {
		return nil, err
	}
	if drop.byHeader != (l.scope.Validity == byHeader) {
		return nil, fmt.Errorf("%s: %w", cn.server, session.ErrStaleID)
	}
	p := &paging{items: items}
	for i := range items {
		if items[i].message == nil {
			continue
		}
		e, there := drop.find(items[i].entry.key)
		if !there {
			items[i].message = nil
			continue
		}
		p.at = append(p.at, i)
		p.numbers = append(p.numbers, e.number)
	}
	return p, nil
}

// fail tells that a message of the page cannot be read.
func (p *paging) fail(i int, err error) {
	it := &p.items[p.at[i]]
	it.err, it.message = &session.ItemError{ID: it.message.ID, Err: err}, nil
}

// headers reads the headers of a page.
func (p *paging) headers(cn *conn) error {
	return cn.tops(p.numbers, func(i int, head io.Reader) error {
		raw, err := io.ReadAll(head)
		if err != nil {
			return err
		}
		if len(raw) == maxHeader {
			p.fail(i, fmt.Errorf("%s: the header has more than %d bytes", cn.server, maxHeader))
			return nil
		}
		m := p.items[p.at[i]].message
		m.Header = message.ParseHeader(raw)
		m.Received = received(m.Header)
		return nil
	}, p.fail)
}

// bodies reads the messages of which the summaries do not decide, one at a time
// in memory.
func (p *paging) bodies(cn *conn, pl *plan) error {
	local := pl.local
	w := &window{conn: cn, op: opRetr, size: cn.sizeOf}
	var at []int
	for i, n := range p.numbers {
		if m := p.items[p.at[i]].message; m != nil && local.Match(m, nil) == match.Open {
			w.numbers = append(w.numbers, n)
			at = append(at, i)
		}
	}
	for _, i := range at {
		d, err := w.begin()
		if answered(err) {
			p.fail(i, err)
			continue
		}
		if err != nil {
			return err
		}
		it := &p.items[p.at[i]]
		body, broken := pl.read(it.message, d)
		if err := w.end(d); err != nil {
			return err
		}
		if broken != nil {
			p.fail(i, broken)
			continue
		}
		it.vain = local.Match(it.message, body) != match.Yes
	}
	return nil
}

// sift leaves out what does not match, and what is not there any more.
func (l *listing) sift(items []item) ([]item, error) {
	kept := items[:0]
	limit := match.ScanLimit(l.query)
	for i, it := range items {
		switch {
		case it.err != nil:
			kept = append(kept, it)
		case it.message == nil: // removed meanwhile
		case l.plan.local == nil || !it.vain && l.plan.local.Match(it.message, nil) != match.No:
			kept = append(kept, it)
		case limit >= 0 && l.vain == limit:
			return kept, &session.ScanLimitError{Limit: limit, Left: len(items) - i + len(l.left)}
		default:
			l.vain++
		}
	}
	return kept, nil
}

// received returns when a message came, as far as its header tells: the date of
// the topmost Received field, which the last server on its way put there (RFC
// 5321 section 4.4), or else of the Date field. It is the zero time where
// neither can be read.
func received(h message.Header) time.Time {
	for field := range h.Values("Received") {
		if i := strings.LastIndexByte(field, ';'); i >= 0 {
			if t, err := mail.ParseDate(strings.TrimSpace(field[i+1:])); err == nil {
				return t
			}
		}
		break
	}
	t, _ := h.Date()
	return t
}
