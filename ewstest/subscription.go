package ewstest

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// subscription is what a client wants to be told of. Its fields below mu are
// guarded by it.
type subscription struct {
	id        string
	owner     *mailtest.Account // whose folders it is about
	actor     *mailtest.Account // who made it
	streaming bool
	timeout   time.Duration // of a pull subscription between two questions
	folders   []uint64      // nil for all
	kinds     map[string]bool
	stop      func() // ends the watch that collects events

	mu     sync.Mutex
	marks  map[uint64]mark
	known  map[uint64]string // the folders and their change keys
	events []event           // not dropped, so that a question can be asked again
	told   bool              // a stream has carried it
	used   time.Time
}

// mark is how far a folder was looked at.
type mark struct {
	modSeq   uint64
	next     mailtest.UID
	validity uint32
}

// event is one thing that a client is told.
type event struct {
	number             int
	kind               string
	at                 time.Time
	key, changeKey     string
	isFolder           bool
	parent             *folder
	oldKey             string
	oldParent          *folder
	unread             int
	modified, oldKnown bool
}

// watched returns the folders that a subscription is about.
func (s *subscription) watched(all []*folder) []*folder {
	return slices.DeleteFunc(slices.Clone(all), func(f *folder) bool {
		return s.folders != nil && !slices.Contains(s.folders, f.id)
	})
}

// begin forgets what happened so far.
func (s *subscription) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = time.Now()
	s.marks, s.known = make(map[uint64]mark), make(map[uint64]string)
	for _, f := range s.watched(tree(s.owner)) {
		s.marks[f.id] = markOf(f)
		s.known[f.id] = f.changeKey()
	}
}

func markOf(f *folder) mark {
	return mark{modSeq: f.state.ModSeq, next: f.state.UIDNext, validity: f.state.UIDValidity}
}

// collect looks for what happened since and adds it to the events.
func (s *subscription) collect(server *Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := tree(s.owner)
	var found []event
	moved := make(map[uint64]bool) // messages that a move was told of
	told := make(map[uint64]news)
	for _, f := range s.watched(all) {
		found = append(found, s.folderEvents(f)...)
		told[f.id] = s.news(f)
		found = append(found, s.left(server, all, f, told[f.id], moved)...)
	}
	for _, f := range s.watched(all) {
		found = append(found, s.came(server, f, told[f.id], moved)...)
		if last := told[f.id].mark; last != s.marks[f.id] {
			s.marks[f.id] = last
			if f.parent != nil {
				found = append(found, event{
					kind: "ModifiedEvent", key: f.key(), changeKey: f.changeKey(), isFolder: true, parent: f.parent,
					unread: f.state.Unseen, modified: true,
				})
			}
		}
	}
	found = append(found, s.lost(all)...)
	for _, e := range found {
		if s.kinds[e.kind] {
			e.number, e.at = len(s.events)+1, time.Now()
			s.events = append(s.events, e)
		}
	}
}

// folderEvents tells of a folder that is new or was changed itself.
func (s *subscription) folderEvents(f *folder) []event {
	old, there := s.known[f.id]
	s.known[f.id] = f.changeKey()
	e := event{key: f.key(), changeKey: f.changeKey(), isFolder: true, parent: f.parent, unread: -1}
	switch {
	case f.parent == nil, old == f.changeKey():
		return nil
	case !there:
		s.marks[f.id] = mark{validity: f.state.UIDValidity, modSeq: 1, next: 1}
		e.kind = "CreatedEvent"
	default:
		e.kind = "ModifiedEvent"
	}
	return []event{e}
}

// lost tells of folders that are gone.
func (s *subscription) lost(all []*folder) []event {
	var found []event
	for _, id := range slices.Sorted(keysOf(s.known)) {
		if byID(all, id) == nil {
			gone := &folder{owner: s.owner, id: id}
			delete(s.known, id)
			found = append(found, event{kind: "DeletedEvent", key: gone.key(), isFolder: true, parent: all[0], unread: -1})
		}
	}
	return found
}

func keysOf(m map[uint64]string) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for id := range m {
			if !yield(id) {
				return
			}
		}
	}
}

// left tells of messages that are in a folder no more.
func (s *subscription) left(server *Server, all []*folder, f *folder, n news, moved map[uint64]bool) []event {
	var found []event
	for _, m := range n.Expunged {
		if m.UID >= s.marks[f.id].next || n.rewritten[m.ID] {
			continue
		}
		old := server.item(f, m)
		e := event{kind: "DeletedEvent", key: old.key(), changeKey: old.changeKey(), parent: f}
		if now, err := s.owner.Find(m.ID); err == nil {
			i := slices.IndexFunc(all, func(g *folder) bool { return g.path == now.Folder })
			if i >= 0 {
				there := server.item(all[i], now)
				e = event{
					kind: "MovedEvent", key: there.key(), changeKey: there.changeKey(), parent: all[i],
					oldKey: old.key(), oldParent: f, oldKnown: true,
				}
				moved[m.ID] = true
			}
		}
		found = append(found, e)
	}
	return found
}

// news is what happened in a folder since it was looked at.
type news struct {
	mailtest.Delta

	mark      mark            // how far the folder is looked at with this
	rewritten map[uint64]bool // messages that left under one UID and came under another
}

// news looks what happened in a folder.
func (s *subscription) news(f *folder) news {
	n := news{mark: markOf(f), rewritten: make(map[uint64]bool)}
	since, there := s.marks[f.id]
	if !there || f.path == "" {
		return n
	}
	d, err := s.owner.ChangedSince(f.path, since.modSeq)
	if err != nil {
		return n
	}
	n.Delta, n.mark = d, mark{modSeq: d.ModSeq, next: d.UIDNext, validity: d.UIDValidity}
	for _, m := range d.Changed {
		for _, gone := range d.Expunged {
			if gone.ID == m.ID && gone.UID < since.next {
				n.rewritten[m.ID] = true
			}
		}
	}
	return n
}

// came tells of messages that are new in a folder, or changed.
func (s *subscription) came(server *Server, f *folder, n news, moved map[uint64]bool) []event {
	slices.SortFunc(n.Changed, func(a, b mailtest.Message) int { return cmp.Compare(a.ModSeq, b.ModSeq) })
	var found []event
	for _, m := range n.Changed {
		it := server.item(f, m)
		e := event{kind: "ModifiedEvent", key: it.key(), changeKey: it.changeKey(), parent: f, unread: -1, modified: true}
		switch {
		case m.UID < s.marks[f.id].next, n.rewritten[m.ID]:
		case moved[m.ID]:
			continue
		default:
			e.kind, e.modified = "CreatedEvent", false
			if f.known == "inbox" && !m.Has(mailtest.Draft) {
				mail := e
				mail.kind = "NewMailEvent"
				found = append(found, mail)
			}
		}
		found = append(found, e)
	}
	return found
}

// watermark names a place in the events of a subscription.
func (s *subscription) watermark(server *Server, number int) string {
	return server.state("W;%s;%d", s.id, number)
}

// writeEvent writes one event.
func (e event) write(w *writer, watermark string) {
	w.start("t:" + e.kind)
	w.given("t:Watermark", watermark)
	w.time("t:TimeStamp", e.at)
	element := "ItemId"
	if e.isFolder {
		element = "FolderId"
	}
	w.empty("t:"+element, "Id", e.key, "ChangeKey", e.changeKey)
	w.empty("t:ParentFolderId", "Id", e.parent.key(), "ChangeKey", e.parent.changeKey())
	switch {
	case e.oldKnown:
		w.empty("t:Old"+element, "Id", e.oldKey)
		w.empty("t:OldParentFolderId", "Id", e.oldParent.key(), "ChangeKey", e.oldParent.changeKey())
	case e.modified && e.unread >= 0:
		w.integer("t:UnreadCount", e.unread)
	}
	w.end()
}

// subscriptionOf returns a subscription of the account.
func (c *call) subscriptionOf(id string, streaming bool) (*subscription, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	s := c.server.subscriptions[id]
	switch {
	case s == nil || s.streaming != streaming:
		return nil, fail("ErrorSubscriptionNotFound", "The specified subscription was not found.")
	case s.actor != c.actor:
		return nil, fail("ErrorSubscriptionAccessDenied", "The specified subscription belongs to another user.")
	}
	return s, nil
}

// DropSubscriptions forgets all subscriptions, as the restart of a server does.
// Streams that carry them end.
func (s *Server) DropSubscriptions() {
	s.mu.Lock()
	for _, sub := range s.subscriptions {
		sub.stop()
	}
	clear(s.subscriptions)
	close(s.dropped)
	s.dropped = make(chan struct{})
	s.mu.Unlock()
}

// Subscriptions returns how many subscriptions there are.
func (s *Server) Subscriptions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.subscriptions)
}

// newSubscription keeps a subscription and gives it its id. From now on each event
// is taken note of when it happens: of what comes and goes again, both are told.
func (s *Server) newSubscription(sub *subscription) {
	n := s.next()
	sub.id = s.state("S;%s;%d", sub.owner.Address(), n)
	sub.begin()
	sub.stop = s.box.Watch(func(c mailtest.Change) {
		if c.Account == sub.owner.Address() {
			sub.collect(s)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscriptions[sub.id] = sub
}
