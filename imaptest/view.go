package imaptest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// view is the selected folder as the client knows it. A message keeps its
// number until the client is told that it is gone.
type view struct {
	account  *mailtest.Account // whose folder it is
	id       uint64            // of the folder
	name     string
	validity uint32
	modSeq   uint64 // the change counter up to which the view was brought
	readOnly bool
	noModSeq bool    // it keeps no change counters
	entries  []entry // the one at i has message number i+1
}

type entry struct {
	uid    mailtest.UID
	modSeq uint64 // of the flags that the client knows
	recent bool
	gone   bool // from the folder, which the client does not know yet
}

// highest returns the greatest UID of the view, 0 if it is empty.
func (v *view) highest() int64 {
	if len(v.entries) == 0 {
		return 0
	}
	return int64(v.entries[len(v.entries)-1].uid)
}

// index returns where the message with the UID stands.
func (v *view) index(uid mailtest.UID) (int, bool) { return v.from(int64(uid)) }

// from returns where the messages with that UID and greater ones start.
func (v *view) from(uid int64) (i int, there bool) {
	return slices.BinarySearchFunc(v.entries, uid, func(e entry, uid int64) int {
		return cmp.Compare(int64(e.uid), uid)
	})
}

func (v *view) recents() int {
	n := 0
	for _, e := range v.entries {
		if e.recent {
			n++
		}
	}
	return n
}

// pick returns the indexes of the messages in a set, of UIDs or of message
// numbers. A message number that no message has is a syntax error (RFC 9051,
// section 9, "seq-number"); a UID that no message has is passed over.
func (v *view) pick(set numSet, byUID bool) ([]int, error) {
	if !byUID && !set.within(int64(len(v.entries))) {
		return nil, syntaxError("no message has that number")
	}
	var picked []int
	for _, r := range set {
		picked = v.pickSpan(picked, r, byUID)
	}
	slices.Sort(picked)
	return slices.Compact(picked), nil
}

func (v *view) pickSpan(picked []int, r span, byUID bool) []int {
	if !byUID {
		low, high := r.ends(int64(len(v.entries)))
		for n := low; n <= high; n++ {
			picked = append(picked, int(n)-1)
		}
		return picked
	}
	low, high := r.ends(v.highest())
	i, _ := v.from(low)
	for ; i < len(v.entries) && int64(v.entries[i].uid) <= high; i++ {
		picked = append(picked, i)
	}
	return picked
}

// uids returns the UIDs at the indexes.
func (v *view) uids(indexes []int) []mailtest.UID {
	uids := make([]mailtest.UID, 0, len(indexes))
	for _, i := range indexes {
		uids = append(uids, v.entries[i].uid)
	}
	return uids
}

// sync tells the client what happened in the selected folder. Without expunge
// the messages that are gone stay for now. With uid the UID is part of FETCH
// responses, as commands by UID want it.
func (s *session) sync(expunge, uid bool) error {
	v := s.view
	d, err := s.changes()
	if err != nil {
		return err
	}
	v.modSeq = d.ModSeq
	for _, m := range d.Expunged {
		if i, there := v.index(m.UID); there {
			v.entries[i].gone = true
		}
	}
	before := len(v.entries)
	var changed []mailtest.Message
	for _, m := range d.Changed {
		if i, there := v.index(m.UID); !there {
			v.entries = slices.Insert(v.entries, i, entry{uid: m.UID, modSeq: m.ModSeq})
		} else if m.ModSeq > v.entries[i].modSeq {
			changed = append(changed, m)
		}
	}
	arrived := len(v.entries) > before
	if expunge {
		if err := s.tellExpunged(); err != nil {
			return err
		}
	}
	if arrived {
		if err := s.tellArrived(d.UIDNext); err != nil {
			return err
		}
	}
	for i := range changed {
		if err := s.tellFlags(&changed[i], uid); err != nil {
			return err
		}
	}
	return nil
}

// changes returns what happened in the selected folder since the last time.
func (s *session) changes() (mailtest.Delta, error) { return s.changesAfter(s.view.modSeq) }

// changesAfter returns what happened in the selected folder after the change
// counter had the value. It says BYE where the folder is no longer the one that
// was selected.
func (s *session) changesAfter(modSeq uint64) (mailtest.Delta, error) {
	v := s.view
	d, err := v.account.ChangedSince(v.name, modSeq)
	if err == nil && d.UIDValidity == v.validity {
		return d, nil
	}
	f, err := v.account.FolderByID(v.id)
	switch {
	case err != nil:
		return d, s.bye("Selected mailbox was deleted")
	case f.UIDValidity != v.validity:
		return d, s.bye("UIDVALIDITY of the selected mailbox changed")
	}
	v.name = f.Name // renamed under our feet
	return v.account.ChangedSince(v.name, modSeq)
}

func (s *session) tellExpunged() error {
	v := s.view
	kept := v.entries[:0]
	var gone []mailtest.UID
	for _, e := range v.entries {
		if !e.gone {
			kept = append(kept, e)
			continue
		}
		gone = append(gone, e.uid)
		if s.qresync {
			continue
		}
		if err := s.untaggedf("%d EXPUNGE", len(kept)+1); err != nil {
			return err
		}
	}
	v.entries = kept
	if s.qresync && len(gone) > 0 {
		return s.untagged("VANISHED " + uidSet(gone))
	}
	return nil
}

// tellArrived announces new messages; next is the UID of the one after them.
func (s *session) tellArrived(next mailtest.UID) error {
	v := s.view
	s.markRecent(next)
	if err := s.untaggedf("%d EXISTS", len(v.entries)); err != nil {
		return err
	}
	return s.untaggedf("%d RECENT", v.recents())
}

// markRecent finds out which messages of the view are recent for this session.
func (s *session) markRecent(next mailtest.UID) {
	v := s.view
	from := s.server.recentFrom(v.validity)
	if !v.readOnly {
		s.server.claimRecent(v.validity, next)
	}
	i, _ := v.index(from)
	for ; i < len(v.entries); i++ {
		v.entries[i].recent = true
	}
}

func (s *session) tellFlags(m *mailtest.Message, uid bool) error {
	i, there := s.view.index(m.UID)
	if !there || s.view.entries[i].gone {
		return nil
	}
	s.view.entries[i].modSeq = m.ModSeq
	before, behind := "", ""
	if uid || s.qresync {
		before = fmt.Sprintf("UID %d ", m.UID)
	}
	if s.tellsModSeq() {
		behind = fmt.Sprintf(" MODSEQ (%d)", m.ModSeq)
	}
	return s.untaggedf("%d FETCH (%sFLAGS (%s)%s)", i+1, before, s.flagList(m, i), behind)
}

// flagList returns the flags of the message at index i of the view.
func (s *session) flagList(m *mailtest.Message, i int) string {
	flags := m.Flags
	if s.view.entries[i].recent {
		flags = append(slices.Clone(flags), `\Recent`)
	}
	return strings.Join(flags, " ")
}
