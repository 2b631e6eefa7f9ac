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
		defer l.leave()
		for {
			items, err := l.next(ctx)
			for _, it := range items {
				l.tell(it)
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

	walk    *walk // nil where the messages are named, and few
	named   []named
	only    map[session.ID]bool // those of which a message is to be one; nil for any
	left    int                 // how many of those were not found yet
	members []*member

	ready []found // found, and not told yet
	over  bool    // nothing is to be found any more
	bare  bool    // what was found has nothing but ids
	pages int

	told int // items so far
	vain int // messages that were looked at here and do not match

	known  *toldSet // whom it and the pages before it told of; nil for nobody
	last   place    // behind whom it told of last
	placed bool     // that has a number
}

// entry is a message or why there is none.
type entry struct {
	found   found // as a search found it
	item    found // as it is
	message *session.Message
	err     error
}

func (c *Client) search(ctx context.Context, q session.Query) (*listing, error) {
	if err := checkQuery(q); err != nil {
		return nil, err
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
		if l.plan, err = c.plan(q, v); err != nil {
			return err
		}
		if err := l.plan.permits(q); err != nil {
			return fmt.Errorf("%s: search: %w", c.address, err)
		}
		after, place, err := l.place(ctx)
		if err != nil {
			return err
		}
		return l.begin(ctx, after, place)
	})
	return l, err
}

// place finds the place that the query goes on behind.
func (l *listing) place(ctx context.Context) (after int64, place bool, err error) {
	c, q := l.client, l.query
	if q.After.IsZero() {
		return 0, false, nil
	}
	parts, err := c.own(q.After)
	if err != nil {
		return 0, false, err
	}
	if parts.Folder != l.folder.mark {
		return 0, false, fmt.Errorf("%s: folder %s: go on behind %v: %w", c.address, l.folder.Path, q.After, session.ErrOtherFolder)
	}
	items, err := c.getItems(ctx, []string{parts.Key}, []element{tagNumber.uri()})
	if err != nil {
		return 0, false, err
	}
	if err := items[0].err; err != nil {
		return 0, false, fmt.Errorf("go on behind %v: %w", q.After, err)
	}
	if !items[0].numbered {
		return 0, false, fmt.Errorf("%s: go on behind %v: the server does not number messages: %w", c.address, q.After, errors.ErrUnsupported)
	}
	number := items[0].number
	if at, known := c.places.of(q.After); known {
		// The message may have been changed since, and then it has another number now.
		number = at.number
		if q.OldestFirst {
			l.known = at.told.layer() // the other way there is nothing of it
		}
	}
	return number, true, nil
}

// direct reports whether a search tells all that is to be known of messages.
func (l *listing) direct() bool {
	return !l.bare && (l.query.Fields|l.plan.reads.Fields)&(session.FieldHeader|session.FieldStructure|session.FieldPreview) == 0 && !l.plan.reads.Body
}

// begin finds the first of the messages.
func (l *listing) begin(ctx context.Context, after int64, place bool) error {
	w := &walk{client: l.client, after: after, place: place, search: search{
		folder: l.folder, oldest: l.query.OldestFirst, by: tagNumber.uri(), properties: []element{tagNumber.uri()},
	}}
	for _, n := range l.plan.members {
		l.members = append(l.members, newMember(w, n))
	}
	w.search.where, w.search.native, w.counted = restrictions(l.plan.Server), l.plan.native, l.plan.native != ""
	if l.plan.only != nil {
		walks, err := l.choose(ctx, w)
		if err != nil || !walks {
			return err
		}
	} else if l.direct() {
		w.search.properties = propertiesFor(l)
	}
	l.walk = w
	return l.find(ctx)
}

// growth is how many times as large as [Options.PageSize] a page of ids is from the
// second one on.
const growth = 4

// find asks for the next ids.
func (l *listing) find(ctx context.Context) error {
	if l.walk == nil {
		l.findNamed()
		return nil
	}
	most := l.client.opts.PageSize
	switch {
	case l.only != nil:
		most = maxFound // most of them are others
	case l.pages > 0:
		most *= growth
	}
	if l.plan.local == nil && l.only == nil && l.query.Limit > 0 {
		most = min(most, l.query.Limit-l.told)
	}
	l.pages++
	items, err := l.walk.next(ctx, most)
	if err != nil {
		return err
	}
	if l.only != nil {
		items = slices.DeleteFunc(items, func(it found) bool { return !l.only[l.client.idOf(l.folder, it.id)] })
		l.left -= len(items)
	}
	l.ready = append(l.ready, l.fresh(items)...)
	l.over = l.walk.over || l.only != nil && l.left <= 0
	return nil
}

func propertiesFor(l *listing) []element {
	return l.client.properties(l.query.Fields | l.plan.reads.Fields)
}
