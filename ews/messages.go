package ews

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// Messages implements [session.Incoming]. It asks for the ids of messages in the
// order in which they came to the folder, as far as the server decides which, and
// then, page by page, for their summaries.
func (c *Client) Messages(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	return func(yield func(*session.Message, error) bool) {
		l, err := c.search(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for {
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
			if l.over && len(l.ready) == 0 {
				return
			}
		}
	}
}

// listing is what a query finds.
type listing struct {
	client *Client
	query  session.Query
	folder *folder
	plan   *plan

	ready []found // found, and not told yet
	after int64   // the number behind which to go on, where placed is set
	place bool
	known int  // how many behind that number were found, which the server tells no number of
	over  bool // nothing is to be found any more
	bare  bool // what was found has nothing but ids
	pages int

	unnumbered bool            // the server does not number messages
	offset     int             // then: how many were found
	seen       map[string]bool // then: which

	told int // items so far
	vain int // messages that were looked at here and do not match
}

// entry is a message or why there is none.
type entry struct {
	item    found
	message *session.Message
	err     error
}

func (c *Client) search(ctx context.Context, q session.Query) (*listing, error) {
	if err := q.Check(); err != nil {
		return nil, err //nolint:wrapcheck // it is about the query
	}
	q.Folder = cmp.Or(q.Folder, session.Inbox)
	q.Fields = cmp.Or(q.Fields, session.FieldsAll)
	v, err := c.serverVersion(ctx)
	if err != nil {
		return nil, err
	}
	var l *listing
	err = c.within(ctx, q.Folder, func(f *folder) (err error) {
		l = &listing{client: c, query: q, folder: f}
		if err := l.goOn(ctx); err != nil {
			return err
		}
		l.plan, err = c.plan(q, v, func(native string) ([]session.ID, error) { return c.findNative(ctx, f, native) })
		if err != nil {
			return err
		}
		if l.plan.listed {
			return l.findListed(ctx)
		}
		return l.find(ctx)
	})
	return l, err
}

// goOn finds the place that the query goes on behind.
func (l *listing) goOn(ctx context.Context) error {
	c, q := l.client, l.query
	if q.After.IsZero() {
		return nil
	}
	parts, err := c.own(q.After)
	if err != nil {
		return err
	}
	if parts.Folder != l.folder.mark {
		return fmt.Errorf("%s: folder %s: go on behind %v: %w", c.address, l.folder.Path, q.After, session.ErrOtherFolder)
	}
	items, err := c.getItems(ctx, []string{parts.Key}, []element{tagNumber.uri()})
	if err != nil {
		return err
	}
	if err := items[0].err; err != nil {
		return fmt.Errorf("go on behind %v: %w", q.After, err)
	}
	number, numbered := items[0].tags[tagNumber]
	if !numbered {
		return fmt.Errorf("%s: go on behind %v: the server does not number messages: %w", c.address, q.After, errors.ErrUnsupported)
	}
	l.after, l.place = number, true
	return nil
}

// direct reports whether a search tells all that is to be known of messages.
func (l *listing) direct() bool {
	return !l.bare && (l.query.Fields|l.plan.reads.Fields)&(session.FieldHeader|session.FieldStructure|session.FieldPreview) == 0 && !l.plan.reads.Body
}

// growth is how many times as large as [Options.PageSize] a page of ids is from the
// second one on.
const growth = 4

// find asks for the next ids.
func (l *listing) find(ctx context.Context) error {
	most := l.client.opts.PageSize
	if l.pages > 0 {
		most *= growth
	}
	if l.plan.local == nil && l.query.Limit > 0 {
		most = min(most, l.query.Limit-l.told)
	}
	l.pages++
	s := search{folder: l.folder, where: restrictions(l.plan.Server), oldest: l.query.OldestFirst, by: tagNumber.uri(), most: most}
	if l.direct() {
		s.properties = properties(l.query.Fields | l.plan.reads.Fields)
	} else {
		s.properties = []element{tagNumber.uri()}
	}
	if l.unnumbered {
		s.by, s.offset = field("item:DateTimeReceived"), l.offset
	} else if s.offset = l.known; l.place {
		s.where = append([]element{behind(l.after, l.query.OldestFirst)}, s.where...)
	}
	items, last, err := l.client.findItem(ctx, s)
	if err != nil {
		return err
	}
	l.over = last || len(items) == 0
	return l.take(ctx, items)
}

// take takes what was found. A server that does not number messages is asked by the
// time at which they came.
func (l *listing) take(ctx context.Context, items []found) error {
	if l.unnumbered {
		l.offset += len(items)
		items = slices.DeleteFunc(items, func(it found) bool { return l.seen[it.id] })
		for _, it := range items {
			l.seen[it.id] = true
		}
		l.ready = append(l.ready, items...)
		return nil
	}
	l.known += len(items)
	for i, it := range slices.Backward(items) {
		if it.err != nil {
			continue
		}
		number, numbered := it.tags[tagNumber]
		switch {
		case !numbered && !l.place:
			l.unnumbered, l.seen, l.pages = true, map[string]bool{}, 0
			return l.find(ctx)
		case !numbered:
			continue
		case l.place && !l.follows(number):
			return fmt.Errorf("%s: folder %s: FindItem: the server tells of the same messages again, so that the listing would never end", l.client.address, l.folder.Path)
		}
		l.after, l.place, l.known = number, true, len(items)-1-i
		break
	}
	l.ready = append(l.ready, items...)
	return nil
}

// follows reports whether a message comes behind the place.
func (l *listing) follows(number int64) bool {
	return number != l.after && number > l.after == l.query.OldestFirst
}

// findListed looks at the messages that the query names.
func (l *listing) findListed(ctx context.Context) error {
	l.over = true
	var keys []string
	for _, id := range l.plan.only {
		parts, err := l.client.own(id)
		if err == nil && parts.Folder == l.folder.mark && !slices.Contains(keys, parts.Key) {
			keys = append(keys, parts.Key)
		}
	}
	properties := []element{tagNumber.uri()}
	if l.direct() {
		properties = propertiesFor(l)
	}
	items, err := l.client.getItems(ctx, keys, properties)
	if err != nil {
		return err
	}
	items = slices.DeleteFunc(items, func(it found) bool {
		n := int64(0)
		if it.err == nil {
			n = it.tags[tagNumber]
		}
		return errors.Is(it.err, session.ErrNoMessage) || l.place && !l.follows(n)
	})
	slices.SortStableFunc(items, func(a, b found) int {
		if a.err != nil || b.err != nil {
			return 0
		}
		return cmp.Compare(a.tags[tagNumber], b.tags[tagNumber])
	})
	if !l.query.OldestFirst {
		slices.Reverse(items)
	}
	if l.plan.local == nil && l.query.Limit > 0 {
		items = items[:min(len(items), l.query.Limit)]
	}
	l.ready = items
	return nil
}

func propertiesFor(l *listing) []element { return properties(l.query.Fields | l.plan.reads.Fields) }
