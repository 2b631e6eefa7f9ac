package ews

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// named is a message that a query names, with its place in the order.
type named struct {
	id     session.ID
	number int64
}

// choose decides how the messages are found that the query names. Their ids say
// nothing of their order: the server is asked for their numbers, page by page, or, where
// that takes more requests than the folder has pages of ids, the folder is walked
// through until all were met. Walks says that it is the latter.
func (l *listing) choose(ctx context.Context, w *walk) (walks bool, err error) {
	ids := l.ownIDs()
	if l.plan.native != "" {
		l.bare = true
		return true, nil
	}
	size := l.client.opts.PageSize
	if len(ids) > size {
		l.bare = true
		info, err := l.client.folderNamed(ctx, folderID(l.folder.id), countProperties()...)
		if err != nil {
			return false, err
		}
		if info.total/maxFound < int64(len(ids)/size) {
			return true, nil
		}
	}
	l.only = nil
	return false, l.askFor(ctx, ids, w)
}

// ownIDs returns those of the ids in the query that are of its folder, once each, and
// notes them.
func (l *listing) ownIDs() []session.ID {
	l.only = make(map[session.ID]bool, len(l.plan.only))
	ids := make([]session.ID, 0, len(l.plan.only))
	for _, id := range l.plan.only {
		parts, err := l.client.own(id)
		if err != nil || parts.Folder != l.folder.mark || l.only[id] {
			continue
		}
		l.only[id] = true
		ids = append(ids, id)
	}
	l.left = len(ids)
	return ids
}

// askFor asks for the numbers of messages, and puts them in order. Where they are no
// more than a page, the rest of what is to be told of them comes along.
func (l *listing) askFor(ctx context.Context, ids []session.ID, w *walk) error {
	atOnce := len(ids) <= l.client.opts.PageSize
	asked := []element{tagNumber.uri()}
	if atOnce && l.direct() {
		asked = propertiesFor(l)
	}
	all := make([]named, 0, len(ids))
	for part := range slices.Chunk(ids, l.client.opts.PageSize) {
		items, err := l.client.getItems(ctx, l.keys(part), asked)
		if err != nil {
			return err
		}
		for i, it := range items {
			n, numbered := w.keyOf(it)
			if errors.Is(it.err, session.ErrNoMessage) || numbered && !w.follows(n) {
				continue
			}
			all = append(all, named{id: part[i], number: n})
			if atOnce {
				l.ready = append(l.ready, it)
			}
		}
	}
	order := func(a, b int64) int {
		if l.query.OldestFirst {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(b, a)
	}
	if atOnce {
		slices.SortStableFunc(l.ready, func(a, b found) int {
			x, _ := w.keyOf(a)
			y, _ := w.keyOf(b)
			return order(x, y)
		})
		l.over = true
		return nil
	}
	slices.SortStableFunc(all, func(a, b named) int { return order(a.number, b.number) })
	l.named = all
	l.findNamed()
	return nil
}

// findNamed takes the next of the named messages.
func (l *listing) findNamed() {
	part := l.named[:min(len(l.named), l.client.opts.PageSize)]
	l.named = l.named[len(part):]
	for _, m := range part {
		for _, key := range l.keys([]session.ID{m.id}) {
			l.ready = append(l.ready, found{itemInfo: &itemInfo{id: key, number: m.number, numbered: true}})
		}
	}
	l.over = len(l.named) == 0
}

// keys returns what the server calls messages that were found to be its own.
func (l *listing) keys(ids []session.ID) []string {
	keys := make([]string, 0, len(ids))
	for _, id := range ids {
		if parts, err := l.client.own(id); err == nil {
			keys = append(keys, parts.Key)
		}
	}
	return keys
}

// member tells which messages of a page a condition in the server's own language finds,
// where it is not the whole query. What the condition finds is walked through beside the
// listing, in the same order, and no farther.
type member struct {
	walk *walk
	mark session.ID // what stands for it in the filter
	seen map[string]int64
}

func newMember(like *walk, n nativeCondition) *member {
	w := *like
	w.search.native, w.counted = n.text, true
	return &member{walk: &w, mark: n.mark, seen: map[string]int64{}}
}

// of returns those of a page that the condition finds.
func (m *member) of(ctx context.Context, page []entry) ([]session.ID, error) {
	last, numbered := int64(0), false
	for _, e := range slices.Backward(page) {
		if e.message == nil {
			continue
		}
		if last, numbered = e.item.number, e.item.numbered; numbered {
			break
		}
	}
	for !m.walk.over && (!numbered || m.walk.follows(last)) {
		items, err := m.walk.next(ctx, len(page))
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			m.seen[it.id], _ = m.walk.keyOf(it)
		}
	}
	var ids []session.ID
	for _, e := range page {
		if e.message == nil {
			continue
		}
		if _, finds := m.seen[e.item.id]; finds {
			ids = append(ids, e.message.ID)
		}
	}
	if numbered {
		for id, n := range m.seen {
			if n == last || n < last == m.walk.search.oldest {
				delete(m.seen, id)
			}
		}
	}
	return ids, nil
}
