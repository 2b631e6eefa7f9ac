package mailtest

import (
	"cmp"
	"slices"
	"time"
)

// Role is what a folder is for. The zero value is a folder without a role.
type Role string

// The roles, named as in JMAP (RFC 8621) and RFC 6154.
const (
	RoleInbox   Role = "inbox"
	RoleSent    Role = "sent"
	RoleDrafts  Role = "drafts"
	RoleTrash   Role = "trash"
	RoleJunk    Role = "junk"
	RoleArchive Role = "archive"
	RoleAll     Role = "all"
	RoleFlagged Role = "flagged"
)

// UID is the number of a message in its folder, as IMAP has it: rising, never
// used again, and valid only together with the folder's UIDVALIDITY.
type UID uint32

// Folder is the state of a folder at one moment.
type Folder struct {
	// ID is unique in the Box and survives renaming.
	ID uint64
	// Name is the whole path, with "/" between the parts.
	Name string
	// Role is what the folder is for.
	Role Role
	// UIDValidity changes when the UIDs of the folder lose their meaning.
	UIDValidity uint32
	// UIDNext is the UID that the next message gets.
	UIDNext UID
	// ModSeq is the change counter: that of the last change in the folder.
	ModSeq uint64
	// Messages and Unseen count all messages and those without \Seen.
	Messages, Unseen int
	// Subscribed tells whether the user subscribed to the folder.
	Subscribed bool
}

// Delta is what changed in a folder since a moment.
type Delta struct {
	// UIDValidity is the folder's at the end of the Delta. Where it is not
	// what the caller knows, everything the caller knows is void.
	UIDValidity uint32
	// UIDNext is the UID that the next message gets.
	UIDNext UID
	// ModSeq is the change counter at the end of the Delta: ask from here on
	// the next time.
	ModSeq uint64
	// Changed holds the messages that are new or whose flags changed, in the
	// order of their UIDs, as they are now.
	Changed []Message
	// Expunged holds the messages that left the folder, in the order of their
	// UIDs. Of a message they have UID, ID, and as ModSeq the count at which it
	// left.
	Expunged []Message
}

// firstValidity keeps UIDVALIDITY apart from UIDs and counts, so that mixing
// them up does not go unnoticed.
const firstValidity = 7000

type folder struct {
	account  *Account
	id       uint64
	name     string
	role     Role
	validity uint32
	nextUID  UID
	modSeq   uint64
	messages []*message // in the order of their UIDs
	log      []entry    // in the order of modSeq
	gone     []entry    // those of the log by which messages left, in the order of their UIDs
	shared   []string   // addresses of others, or Everyone
}

// entry is one change of one message.
type entry struct {
	modSeq uint64
	uid    UID
	id     uint64
}

type message struct {
	id       uint64
	email    uint64 // what it shares with its copies
	thread   uint64
	uid      UID
	flags    []string // sorted; replaced and never changed
	received time.Time
	modSeq   uint64
	raw      string
}

func (f *folder) snapshot() Folder {
	s := Folder{
		ID: f.id, Name: f.name, Role: f.role, UIDValidity: f.validity, UIDNext: f.nextUID,
		ModSeq: f.modSeq, Messages: len(f.messages), Subscribed: f.account.subscribed[f.name],
	}
	for _, m := range f.messages {
		if !slices.Contains(m.flags, Seen) {
			s.Unseen++
		}
	}
	return s
}

// at returns the index of the message with the UID and whether it is there.
func (f *folder) at(uid UID) (int, bool) {
	return slices.BinarySearchFunc(f.messages, uid, func(m *message, uid UID) int {
		return cmp.Compare(m.uid, uid)
	})
}

func (f *folder) uids() []UID {
	all := make([]UID, 0, len(f.messages))
	for _, m := range f.messages {
		all = append(all, m.uid)
	}
	return all
}

// touch counts a change of the message.
func (f *folder) touch(m *message) {
	f.modSeq++
	m.modSeq = f.modSeq
	f.log = append(f.log, entry{modSeq: f.modSeq, uid: m.uid, id: m.id})
}

func (f *folder) copyOf(m *message) Message {
	return Message{
		ID: m.id, Email: m.email, Thread: m.thread, UID: m.uid, Folder: f.name, UIDValidity: f.validity,
		Flags: slices.Clone(m.flags), Received: m.received, ModSeq: m.modSeq, Raw: m.raw,
	}
}

// leave counts that a message leaves the folder.
func (f *folder) leave(m *message) {
	f.modSeq++
	e := entry{modSeq: f.modSeq, uid: m.uid, id: m.id}
	f.log = append(f.log, e)
	at, _ := slices.BinarySearchFunc(f.gone, e.uid, func(x entry, uid UID) int { return cmp.Compare(x.uid, uid) })
	f.gone = slices.Insert(f.gone, at, e)
}

// trace is what is told of a message that left.
func (f *folder) trace(e entry) Message {
	return Message{ID: e.id, UID: e.uid, Folder: f.name, UIDValidity: f.validity, ModSeq: e.modSeq}
}

// delta collects the changes after since.
func (f *folder) delta(since uint64) Delta {
	d := Delta{UIDValidity: f.validity, UIDNext: f.nextUID, ModSeq: f.modSeq}
	if since == 0 {
		d.Changed = make([]Message, 0, len(f.messages))
		for _, m := range f.messages {
			d.Changed = append(d.Changed, f.copyOf(m))
		}
		d.Expunged = make([]Message, 0, len(f.gone))
		for _, e := range f.gone {
			d.Expunged = append(d.Expunged, f.trace(e))
		}
		return d
	}
	from, _ := slices.BinarySearchFunc(f.log, since+1, func(e entry, modSeq uint64) int {
		return cmp.Compare(e.modSeq, modSeq)
	})
	tail := slices.Clone(f.log[from:])
	slices.SortFunc(tail, func(x, y entry) int { return cmp.Or(cmp.Compare(x.uid, y.uid), cmp.Compare(y.modSeq, x.modSeq)) })
	tail = slices.CompactFunc(tail, func(x, y entry) bool { return x.uid == y.uid })
	for _, e := range tail {
		if i, there := f.at(e.uid); there {
			d.Changed = append(d.Changed, f.copyOf(f.messages[i]))
		} else {
			d.Expunged = append(d.Expunged, f.trace(e))
		}
	}
	return d
}
