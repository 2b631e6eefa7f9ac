package ews

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/mailsession/mailsession/session"
)

// A message that is changed may get a new number, above all others in its folder: to
// Exchange a message that another program revised is a new one, as in IMAP. So who lists
// a folder, the oldest messages first, and marks each, meets every one of them again at
// the end; and who goes on behind a message that was marked is sent to the wrong place.
// Listings note whom they told of, and the Client where its last listings ended.

// toldSet is the messages that a listing has told of, in layers: what an earlier page
// told is not changed any more, since another listing may go on behind that as well.
type toldSet struct {
	own    map[uint64]struct{} // hashes of ids: of 100,000 messages they take some megabytes
	before *toldSet
}

// layer returns an empty set on top of t, which may be nil. Layers of one size are made
// one, so that there are few.
func (t *toldSet) layer() *toldSet {
	for t != nil && t.before != nil && len(t.before.own) <= 2*len(t.own) {
		both := maps.Clone(t.before.own)
		maps.Copy(both, t.own)
		t = &toldSet{own: both, before: t.before.before}
	}
	return &toldSet{own: map[uint64]struct{}{}, before: t}
}

func (t *toldSet) has(hash uint64) bool {
	for ; t != nil; t = t.before {
		if _, has := t.own[hash]; has {
			return true
		}
	}
	return false
}

// place is where a listing ended.
type place struct {
	last   session.ID
	number int64 // that the message had when it was found
	told   *toldSet
}

// maxPlaces is how many places are known.
const maxPlaces = 16

// places are where the last listings ended.
type places struct {
	seed maphash.Seed

	mu   sync.Mutex
	last []place // the latest at the end
}

func newPlaces() *places { return &places{seed: maphash.MakeSeed()} }

// hash returns what stands for a message in sets.
func (p *places) hash(id session.ID) uint64 { return maphash.Comparable(p.seed, id) }

// of returns the place behind a message, if a listing ended there lately.
func (p *places) of(id session.ID) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range slices.Backward(p.last) {
		if at.last == id {
			return at, true
		}
	}
	return place{}, false
}

// keep notes a place.
func (p *places) keep(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = append(slices.DeleteFunc(p.last, func(old place) bool { return old.last == at.last }), at)
	if len(p.last) > maxPlaces {
		p.last = slices.Delete(p.last, 0, len(p.last)-maxPlaces)
	}
}

// tell notes that a listing tells of a message.
func (l *listing) tell(e entry) {
	id := e.id(l)
	if id.IsZero() {
		return
	}
	if l.query.OldestFirst {
		if l.known == nil {
			l.known = (*toldSet)(nil).layer()
		}
		l.known.own[l.client.places.hash(id)] = struct{}{}
	}
	if e.found.itemInfo != nil {
		l.last = place{last: id, number: e.found.number}
	}
	l.placed = e.found.itemInfo != nil && e.found.numbered
}

// id returns the id of the message that an entry is about.
func (e entry) id(l *listing) session.ID {
	switch {
	case e.message != nil:
		return e.message.ID
	case e.found.itemInfo != nil:
		return l.client.idOf(l.folder, e.found.id)
	}
	return session.ID{}
}

// leave notes where the listing ends.
func (l *listing) leave() {
	if l.placed {
		l.last.told = l.known
		l.client.places.keep(l.last)
	}
}

// fresh leaves out what the listing has told of.
func (l *listing) fresh(items []found) []found {
	if l.known == nil {
		return items
	}
	return slices.DeleteFunc(items, func(it found) bool {
		return it.itemInfo != nil && l.known.has(l.client.places.hash(l.client.idOf(l.folder, it.id)))
	})
}
