package mailtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The system flags of RFC 3501. Any other word is a keyword.
const (
	Seen     = `\Seen`
	Answered = `\Answered`
	Flagged  = `\Flagged`
	Draft    = `\Draft`
	Deleted  = `\Deleted`
)

// Message is the state of a message at one moment.
type Message struct {
	// ID is unique in the Box and stays the same when the message moves.
	ID uint64
	// Email is the same for a message and its copies, and for nothing else.
	Email uint64
	// Thread is the same for the messages of an account that answer each other,
	// by their Message-ID, In-Reply-To and References fields.
	Thread uint64
	// UID is the number in its folder.
	UID UID
	// Folder is the name of the folder that the message lies in, and
	// UIDValidity the folder's.
	Folder      string
	UIDValidity uint32
	// Flags holds system flags and keywords, sorted, each once.
	Flags []string
	// Received is when the message arrived. IMAP calls it INTERNALDATE.
	Received time.Time
	// ModSeq is the folder's change counter at the message's last change.
	ModSeq uint64
	// Raw holds the bytes of the message (RFC 5322), with CRLF line ends if
	// they were appended so.
	Raw string
}

// Has reports whether the message has the flag. Case does not matter.
func (m *Message) Has(flag string) bool {
	return slices.ContainsFunc(m.Flags, func(f string) bool { return strings.EqualFold(f, flag) })
}

// AppendOptions are the further properties of a new message.
type AppendOptions struct {
	// Flags are the message's flags and keywords.
	Flags []string
	// Received is when the message arrived; now, in UTC, if zero.
	Received time.Time
}

// Append adds a message to a folder and returns its UID. The options may be
// nil. The error wraps [ErrNoFolder] or [ErrOverQuota].
func (a *Account) Append(folder, raw string, o *AppendOptions) (UID, error) {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return 0, err
	}
	if err := a.room(Quota{Bytes: int64(len(raw)), Messages: 1}); err != nil {
		return 0, err
	}
	m := message{raw: raw, received: time.Now().UTC()}
	if o != nil {
		m.flags = flagSet(o.Flags)
		if !o.Received.IsZero() {
			m.received = o.Received
		}
	}
	return a.add(f, m).uid, nil
}

// add gives the message its numbers and puts it at the end of the folder.
func (a *Account) add(f *folder, m message) *message {
	if a.labels && m.email != 0 {
		if there := f.copyIn(m.email); there != nil {
			return there
		}
	}
	if m.id == 0 {
		a.box.lastID++
		m.id = a.box.lastID
	}
	if m.email == 0 {
		m.email, m.thread = m.id, a.threadOf(m.raw, m.id)
	}
	m.uid = f.nextUID
	f.nextUID++
	f.messages = append(f.messages, &m)
	f.touch(&m)
	a.found[m.id] = &place{folder: f, message: &m}
	a.box.note(a, f.name, Appended)
	if a.labels {
		a.keepInAll(f, &m)
	}
	return &m
}

// Rewrite gives a message other bytes, as servers do whose messages can be
// edited: Exchange's drafts, for one. It keeps its ID, its flags and its time,
// and gets a new UID, which is returned, since what IMAP clients know under the
// old one has not changed. The error wraps [ErrNoFolder], [ErrNoMessage] or
// [ErrOverQuota].
func (a *Account) Rewrite(folder string, uid UID, raw string) (UID, error) {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return 0, err
	}
	i, there := f.at(uid)
	if !there {
		return 0, fmt.Errorf("mailtest: message %d in %q of %s: %w", uid, folder, a.address, ErrNoMessage)
	}
	m := *f.messages[i]
	if more := int64(len(raw) - len(m.raw)); more > 0 {
		if err := a.room(Quota{Bytes: more}); err != nil {
			return 0, err
		}
	}
	m.raw = raw
	a.remove(f, []UID{uid})
	return a.add(f, m).uid, nil
}

// Touch counts a change of messages whose flags and bytes stay as they are: of
// what a server keeps beside them. UIDs that are not in the folder are passed
// over. The error wraps [ErrNoFolder].
func (a *Account) Touch(folder string, uids ...UID) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return err
	}
	for _, uid := range uids {
		if i, there := f.at(uid); there {
			f.touch(f.messages[i])
			a.box.note(a, f.name, FlagsChanged)
		}
	}
	return nil
}

// Messages returns the messages of a folder in the order of their UIDs. The
// error wraps [ErrNoFolder].
func (a *Account) Messages(folder string) ([]Message, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	f, err := a.folder(folder)
	if err != nil {
		return nil, err
	}
	all := make([]Message, 0, len(f.messages))
	for _, m := range f.messages {
		all = append(all, f.copyOf(m))
	}
	return all, nil
}

// Message returns one message of a folder. The error wraps [ErrNoFolder] or
// [ErrNoMessage].
func (a *Account) Message(folder string, uid UID) (Message, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	f, err := a.folder(folder)
	if err != nil {
		return Message{}, err
	}
	i, there := f.at(uid)
	if !there {
		return Message{}, fmt.Errorf("mailtest: message %d in %q of %s: %w", uid, folder, a.address, ErrNoMessage)
	}
	return f.copyOf(f.messages[i]), nil
}

// Find returns the message with that id, wherever in the account it lies. The
// error wraps [ErrNoMessage].
func (a *Account) Find(id uint64) (Message, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	p := a.found[id]
	if p == nil {
		return Message{}, fmt.Errorf("mailtest: message with id %d of %s: %w", id, a.address, ErrNoMessage)
	}
	return p.folder.copyOf(p.message), nil
}

// ChangedSince returns what changed in a folder after the change counter had
// the value since; 0 asks for everything. The error wraps [ErrNoFolder].
func (a *Account) ChangedSince(folder string, since uint64) (Delta, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	f, err := a.folder(folder)
	if err != nil {
		return Delta{}, err
	}
	return f.delta(since), nil
}

// SetFlags gives the messages exactly these flags. UIDs that are not in the
// folder are passed over, and a message that has the flags already does not
// count as changed; the same holds for [Account.AddFlags] and
// [Account.RemoveFlags]. The error wraps [ErrNoFolder].
func (a *Account) SetFlags(folder string, flags []string, uids ...UID) error {
	_, err := a.ChangeFlags(folder, uids, math.MaxUint64, func([]string) []string { return flags })
	return err
}

// AddFlags gives the messages further flags.
func (a *Account) AddFlags(folder string, flags []string, uids ...UID) error {
	_, err := a.ChangeFlags(folder, uids, math.MaxUint64, func(old []string) []string { return append(old, flags...) })
	return err
}

// RemoveFlags takes flags from the messages.
func (a *Account) RemoveFlags(folder string, flags []string, uids ...UID) error {
	_, err := a.ChangeFlags(folder, uids, math.MaxUint64, func(old []string) []string {
		return slices.DeleteFunc(old, func(f string) bool {
			return slices.ContainsFunc(flags, func(g string) bool { return strings.EqualFold(f, g) })
		})
	})
	return err
}

// ChangeFlags gives each message the flags that change makes of those it has,
// unless the message changed after the change counter had the value since; the
// UIDs of those are returned. With [math.MaxUint64] none is refused. UIDs that
// are not in the folder are passed over. The function must not use the Box. The
// error wraps [ErrNoFolder].
func (a *Account) ChangeFlags(
	folder string, uids []UID, since uint64, change func(flags []string) []string,
) (refused []UID, err error) {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return nil, err
	}
	for _, uid := range uids {
		i, there := f.at(uid)
		if !there {
			continue
		}
		m := f.messages[i]
		if m.modSeq > since {
			refused = append(refused, uid)
			continue
		}
		a.changeMessage(f, m, flagSet(change(slices.Clone(m.flags))))
	}
	return refused, nil
}

// changeMessage gives a message its new flags.
func (a *Account) changeMessage(f *folder, m *message, flags []string) {
	if slices.Equal(flags, m.flags) {
		return
	}
	m.flags = flags
	f.touch(m)
	a.box.note(a, f.name, FlagsChanged)
	if a.labels {
		a.sameFlags(f, m)
	}
}

// flagSet returns the flags sorted and each once, with system flags in their
// usual case.
func flagSet(flags []string) []string {
	set := make([]string, 0, len(flags))
	for _, f := range flags {
		for _, system := range []string{Seen, Answered, Flagged, Draft, Deleted} {
			if strings.EqualFold(f, system) {
				f = system
			}
		}
		if !slices.ContainsFunc(set, func(g string) bool { return strings.EqualFold(f, g) }) {
			set = append(set, f)
		}
	}
	slices.Sort(set)
	return set
}
