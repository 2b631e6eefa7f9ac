package ews

import (
	"context"
	"errors"
	"slices"
)

// walk goes through what a search finds, page by page, in the order in which the
// messages came to their folder. What comes and goes meanwhile neither hides a message
// nor doubles one, and no more is kept than the place that was reached.
//
// Every message has a number in its folder, which it keeps until it is changed (see
// [places]), so that the place is a number, and there are three ways to go on behind it:
//
//   - Exchange 2013 and its successors seek the place in the list that they have made
//     already, so that a page costs the same wherever it is;
//   - others are asked for what has a higher number, or a lower one, which is another
//     search for every page;
//   - what a server finds in its own language cannot be searched any further. It is
//     counted, and each page begins so far back that it is seen to join the last one.
//
// A server that does not number messages is asked in the order of time, and counted.
type walk struct {
	client *Client
	search search

	after int64 // the number, or the time, behind which to go on, where place is set
	place bool
	known int  // how many behind it were found, of which the server tells no number
	over  bool // there is nothing behind it

	nameless identities // those that are known by no number
	vain     idle

	counted bool
	byTime  bool
	offset  int             // how many were counted
	ties    map[string]bool // those of them at the place: times are not unique
	sorted  []found         // what is left of all, where the server keeps to no order
}

// next returns what comes next, which may be nothing although the end was not reached.
func (w *walk) next(ctx context.Context, most int) ([]found, error) {
	if w.counted {
		return w.count(ctx, most)
	}
	s := w.search
	s.most = most
	seeks := w.place && w.known == 0 && w.client.seeks()
	switch {
	case seeks:
		s.seek = behind(w.after, s.oldest)
	case w.place:
		s.where, s.offset = append([]element{behind(w.after, s.oldest)}, s.where...), w.known
	default:
		s.offset = w.known
	}
	items, last, err := w.client.findItem(ctx, s)
	if seeks && (refuses(err) || err == nil && !w.joins(items)) {
		w.client.seekless.Store(true)
		return w.next(ctx, most)
	}
	if err != nil {
		return nil, err
	}
	w.over = last || len(items) == 0
	return w.take(ctx, items, most)
}

// seeks reports whether the server finds a place in a list. Some that say they are
// Exchange 2013 do not, and tell of the list from its beginning.
func (c *Client) seeks() bool {
	v := c.version.Load()
	return v != nil && v.atLeast(exchange2013()) && !c.seekless.Load()
}

// refuses reports whether a server does not know what it was asked for.
func refuses(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.class() == mistaken
}

// joins reports whether a page goes on behind the place.
func (w *walk) joins(items []found) bool {
	for _, it := range items {
		if n, ok := w.keyOf(it); ok {
			return w.follows(n)
		}
	}
	return true
}

// keyOf returns where an item stands in the order.
func (w *walk) keyOf(it found) (int64, bool) {
	switch {
	case it.err != nil:
		return 0, false
	case w.byTime:
		return it.received.UnixMilli(), true
	}
	return it.number, it.numbered
}

// follows reports whether n comes behind the place.
func (w *walk) follows(n int64) bool {
	return !w.place || n != w.after && n > w.after == w.search.oldest
}

// take takes note of the place behind a page.
func (w *walk) take(ctx context.Context, items []found, most int) ([]found, error) {
	w.known += len(items)
	numbered := 0 // up to the last one that is
	for i, it := range slices.Backward(items) {
		if it.err != nil {
			continue
		}
		switch {
		case !it.numbered && !w.place:
			w.countByTime()
			return w.count(ctx, most)
		case !it.numbered:
			continue
		case !w.follows(it.number):
			return nil, w.client.sameAgain(w.search)
		}
		w.after, w.place, w.known = it.number, true, len(items)-1-i
		w.nameless, numbered = nil, i+1
		break
	}
	if w.nameless == nil && numbered < len(items) {
		w.nameless = identities{}
	}
	fresh, news := w.nameless.fresh(items[numbered:])
	if w.vain.tooLong(news || numbered > 0) && !w.over {
		return nil, w.client.sameAgain(w.search)
	}
	return append(items[:numbered], fresh...), nil
}

// countByTime gives up on numbers.
func (w *walk) countByTime() {
	received := field("item:DateTimeReceived")
	w.counted, w.byTime, w.over, w.offset, w.search.by = true, true, false, 0, received
	if !slices.ContainsFunc(w.search.properties, func(e element) bool { return slices.Equal(e.attrs, received.attrs) }) {
		w.search.properties = append(slices.Clip(w.search.properties), received)
	}
}

// count is next for what is counted. The page begins with the last message that was
// told. Where it does not, since some before it went, it begins farther back.
func (w *walk) count(ctx context.Context, most int) ([]found, error) {
	if w.sorted != nil {
		return w.hand(most), nil
	}
	for back := min(w.offset, 1); ; {
		s := w.search
		s.offset = max(0, w.offset-back)
		s.most = most + w.offset - s.offset
		items, last, err := w.client.findItem(ctx, s)
		switch {
		case refuses(err) && w.search.native != "" && w.offset == 0:
			w.search.by = element{} // it may be the order
			return w.gather(ctx, most)
		case err != nil:
			return nil, err
		case !w.byTime && !w.place && len(items) > 0 && !slices.ContainsFunc(items, func(it found) bool { _, ok := w.keyOf(it); return ok }):
			w.countByTime()
			continue
		case !w.ordered(items):
			return w.gather(ctx, most)
		case s.offset > 0 && !w.overlaps(items):
			back = 4*back + 12
			continue
		}
		w.over, w.offset, back = last || len(items) == 0, s.offset+len(items), 1
		// What stands before something that was told came meanwhile, or was told as well.
		for i, it := range slices.Backward(items) {
			if w.wasTold(it) {
				items = items[i+1:]
				break
			}
		}
		if len(items) > 0 || w.over {
			w.vain = 0
			w.note(items)
			return items, nil
		}
		if w.vain.tooLong(false) {
			return nil, w.client.sameAgain(w.search)
		}
	}
}

// wasTold reports whether an item that was counted again was told before.
func (w *walk) wasTold(it found) bool {
	n, ok := w.keyOf(it)
	if !ok || w.byTime && w.place && n == w.after {
		return w.ties[it.id]
	}
	return !w.follows(n)
}

// overlaps reports whether a page begins with something that was told.
func (w *walk) overlaps(items []found) bool { return len(items) > 0 && w.wasTold(items[0]) }

// note takes note of the place behind what is told.
func (w *walk) note(items []found) {
	for _, it := range items {
		n, ok := w.keyOf(it)
		if ok && (!w.place || n != w.after) {
			w.after, w.place, w.ties = n, true, nil
		}
		if w.byTime || !ok {
			if w.ties == nil {
				w.ties = map[string]bool{}
			}
			w.ties[it.id] = true
		}
	}
}

// ordered reports whether the server keeps to the order that was asked for.
func (w *walk) ordered(items []found) bool {
	var last int64
	some := false
	for _, it := range items {
		n, ok := w.keyOf(it)
		if !ok {
			continue
		}
		if some && n != last && n > last != w.search.oldest {
			return false
		}
		last, some = n, true
	}
	return true
}

// gather finds everything, to put it in order here.
func (w *walk) gather(ctx context.Context, most int) ([]found, error) {
	all, err := w.client.findAll(ctx, w.search)
	if err != nil {
		return nil, err
	}
	w.sorted = slices.DeleteFunc(all, w.wasTold)
	slices.SortStableFunc(w.sorted, func(a, b found) int {
		x, _ := w.keyOf(a)
		y, _ := w.keyOf(b)
		if w.search.oldest {
			return int(min(1, max(-1, x-y)))
		}
		return int(min(1, max(-1, y-x)))
	})
	return w.hand(most), nil
}

// hand returns the next of what was put in order.
func (w *walk) hand(most int) []found {
	n := min(most, len(w.sorted))
	items := w.sorted[:n:n]
	w.sorted = w.sorted[n:]
	w.over = len(w.sorted) == 0
	w.note(items)
	return items
}
