package ewstest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mailsession/mailsession/mailtest"
)

// keptRounds is how many lists of changes are kept that clients did not read to
// their end.
const keptRounds = 100

// round is a list of changes that is told in pages. It does not change while it
// is told: what happens meanwhile is in the next one.
type round struct {
	number  int
	changes []change
	after   string          // the state at its end
	modSeq  uint64          // of the folder, at its beginning
	settled map[uint64]bool // that they went is told, or need not be; mu of the server
}

// change is one change of a folder as a client is told it.
type change struct {
	id     uint64
	made   bool // the client cannot know the message
	gone   bool
	read   bool // nothing but the read flag changed
	modSeq uint64
}

func syncFolderItems(c *call) error {
	shape, err := c.itemShape(true)
	if err != nil {
		return err
	}
	return c.respond(1, func(int) error {
		f, err := c.target(c.req.child("SyncFolderId"), "ErrorSyncFolderNotFound")
		if err != nil {
			return err
		}
		limit, ok := positive(c.req.child("MaxChangesReturned").value())
		if !ok || limit > 512 {
			return fail("ErrorInvalidArgument", "MaxChangesReturned must be from 1 to 512.")
		}
		r, at, err := c.round(f, c.req.child("SyncState").value())
		if err != nil {
			return err
		}
		ignored := make(map[string]bool)
		for _, n := range c.req.child("Ignore").all() {
			ignored[n.attr("Id")] = true
		}
		page := r.changes[at:]
		state, last := r.after, true
		if len(page) > limit {
			page, last = page[:limit], false
			state = c.server.state("R;%d;%d;%d", f.id, r.number, at+limit)
		} else if at > 0 {
			last = !c.changedSince(f, r.modSeq)
		}
		c.w.elem("m:SyncState", state)
		c.w.boolean("m:IncludesLastItemInRange", last)
		c.w.start("m:Changes")
		for _, ch := range page {
			c.writeChange(f, r, ch, shape, ignored)
		}
		c.w.end()
		return nil
	})
}

// writeChange writes one change, as it is by now.
func (c *call) writeChange(f *folder, r *round, ch change, shape itemShape, ignored map[string]bool) {
	m, err := f.owner.Find(ch.id)
	if err != nil || m.Folder != f.path {
		m = mailtest.Message{ID: ch.id}
		ch.gone, ch.read = true, false
	}
	it := c.server.item(f, m)
	switch {
	case ch.gone && ch.made:
		c.server.settle(r, ch.id)
		return
	case ignored[it.key()]:
		return
	case ch.gone:
		c.server.settle(r, ch.id)
		c.w.start("t:Delete")
		c.w.empty("t:ItemId", "Id", it.key(), "ChangeKey", it.changeKey())
	case ch.read:
		c.w.start("t:ReadFlagChange")
		c.w.empty("t:ItemId", "Id", it.key(), "ChangeKey", it.changeKey())
		c.w.boolean("t:IsRead", m.Has(mailtest.Seen))
	default:
		c.w.start(map[bool]string{true: "t:Create", false: "t:Update"}[ch.made])
		c.writeItem(it, shape)
	}
	c.w.end()
}

// round returns the list that a sync state goes on with, and where.
func (c *call) round(f *folder, state string) (*round, int, error) {
	if state == "" {
		return c.newRound(f, 0, 0, f.state.UIDValidity, nil)
	}
	text, err := c.server.meaning(state)
	if err != nil {
		return nil, 0, err
	}
	var folderID, since uint64
	var number, at int
	var next mailtest.UID
	var validity uint32
	invalid := fail("ErrorInvalidSyncStateData", "The synchronization state data is of another folder, or too old.")
	if n, _ := fmt.Sscanf(text, "R;%d;%d;%d", &folderID, &number, &at); n == 3 {
		r := c.server.round(number)
		if r == nil || folderID != f.id || at > len(r.changes) {
			return nil, 0, invalid
		}
		return r, at, nil
	}
	if n, _ := fmt.Sscanf(text, "I;%d;%d;%d;%d;%d", &folderID, &since, &next, &validity, &number); n != 5 || folderID != f.id {
		return nil, 0, invalid
	}
	return c.newRound(f, since, next, validity, c.server.round(number))
}

// newRound lists what changed in a folder since the change counter had a value
// and UIDs below next had been given. What the round before told to be gone, or
// never told, is not told to be gone.
func (c *call) newRound(f *folder, since uint64, next mailtest.UID, validity uint32, before *round) (*round, int, error) {
	r := &round{}
	if f.path == "" {
		r.after = c.server.state("I;%d;0;0;0;0", f.id)
		return r, 0, nil
	}
	d, err := f.owner.ChangedSince(f.path, since)
	if err != nil {
		return nil, 0, err
	}
	if since != 0 && d.UIDValidity != validity {
		return nil, 0, fail("ErrorInvalidSyncStateData", "The folder was rebuilt.")
	}
	r.changes = slices.DeleteFunc(c.server.changes(d, since, next), func(ch change) bool {
		return ch.gone && c.server.isSettled(before, ch.id)
	})
	r.number, r.modSeq = c.server.next(), d.ModSeq
	r.after = c.server.state("I;%d;%d;%d;%d;%d", f.id, d.ModSeq, d.UIDNext, d.UIDValidity, r.number)
	c.server.keepRound(r)
	return r, 0, nil
}

// changedSince reports whether something happened in a folder since the change
// counter had a value: a client that was told a round in several pages is not up to
// date then.
func (c *call) changedSince(f *folder, modSeq uint64) bool {
	d, err := f.owner.ChangedSince(f.path, modSeq)
	return err == nil && len(d.Changed)+len(d.Expunged) > 0
}

// settle takes note of a message that the client knows to be gone, or never knew.
func (s *Server) settle(r *round, id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.settled == nil {
		r.settled = make(map[uint64]bool)
	}
	r.settled[id] = true
}

func (s *Server) isSettled(r *round, id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r != nil && r.settled[id]
}

// changes makes the list of a round, in the order in which things happened. A
// message that was rewritten left under one UID and came under another.
func (s *Server) changes(d mailtest.Delta, since uint64, next mailtest.UID) []change {
	left := make(map[uint64]bool)
	for _, m := range d.Expunged {
		if m.UID < next {
			left[m.ID] = true
		}
	}
	var all []change
	for _, m := range d.Changed {
		made := m.UID >= next && !left[m.ID]
		delete(left, m.ID)
		all = append(all, change{
			id: m.ID, made: made, modSeq: m.ModSeq, read: since > 0 && !made && m.UID < next && s.onlyRead(m, since),
		})
	}
	for _, m := range d.Expunged {
		if left[m.ID] {
			delete(left, m.ID)
			all = append(all, change{id: m.ID, gone: true, modSeq: m.ModSeq})
		}
	}
	slices.SortFunc(all, func(a, b change) int { return cmp.Compare(a.modSeq, b.modSeq) })
	for _, m := range d.Changed {
		s.remember(m)
	}
	return all
}

// onlyRead reports whether nothing but the read flag can have changed since a
// client was told of the message: where all other flags are those that some
// client was told of last.
func (s *Server) onlyRead(m mailtest.Message, since uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	told, there := s.told[m.ID]
	return there && told.modSeq <= since && told.flags != flagsBut(m, "") && told.rest == flagsBut(m, mailtest.Seen) && told.version == s.versionOf(m.ID)
}

// remember keeps the flags that clients were told of.
func (s *Server) remember(m mailtest.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = make(map[uint64]toldFlags)
	}
	s.told[m.ID] = toldFlags{modSeq: m.ModSeq, flags: flagsBut(m, ""), rest: flagsBut(m, mailtest.Seen), version: s.versionOf(m.ID)}
}

// versionOf counts the changes of what is kept beside a message; mu is held.
func (s *Server) versionOf(id uint64) int {
	if b := s.bags[id]; b != nil {
		return b.version
	}
	return 0
}

type toldFlags struct {
	modSeq      uint64
	flags, rest string
	version     int
}

func flagsBut(m mailtest.Message, flag string) string {
	return fmt.Sprintf("%q", slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return f == flag }))
}

func (s *Server) keepRound(r *round) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rounds = append(s.rounds, r)
	if len(s.rounds) > keptRounds {
		s.rounds = slices.Delete(s.rounds, 0, 1)
	}
}

func (s *Server) round(number int) *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rounds {
		if r.number == number {
			return r
		}
	}
	return nil
}
