package mailtest

import "slices"

// Transferred tells which UID a message had and which it has in the folder it
// was copied or moved to.
type Transferred struct {
	From, To UID
}

// Copy copies messages to another folder, with flags and times, in the order of
// their UIDs. UIDs that are not in the folder are passed over. The error wraps
// [ErrNoFolder] or [ErrOverQuota].
func (a *Account) Copy(from, to string, uids ...UID) ([]Transferred, error) {
	return a.transferNamed(from, a, to, uids, false)
}

// CopyTo copies messages to a folder of another account of the same Box, as Copy
// does. They belong to no thread there that they had here.
func (a *Account) CopyTo(from string, other *Account, to string, uids ...UID) ([]Transferred, error) {
	return a.transferNamed(from, other, to, uids, false)
}

// MoveTo moves messages to a folder of another account of the same Box, as Move
// does.
func (a *Account) MoveTo(from string, other *Account, to string, uids ...UID) ([]Transferred, error) {
	return a.transferNamed(from, other, to, uids, true)
}

// Move moves messages to another folder, where they get new UIDs and keep their
// ID. UIDs that are not in the folder are passed over. The error wraps
// [ErrNoFolder].
func (a *Account) Move(from, to string, uids ...UID) ([]Transferred, error) {
	return a.transferNamed(from, a, to, uids, true)
}

func (a *Account) transferNamed(from string, other *Account, to string, uids []UID, move bool) ([]Transferred, error) {
	a.box.mu.Lock()
	defer a.box.unlock()
	source, err := a.folder(from)
	if err != nil {
		return nil, err
	}
	target, err := other.folder(to)
	if err != nil {
		return nil, err
	}
	if !move || other != a {
		if err := other.room(source.sizeOf(uids)); err != nil {
			return nil, err
		}
	}
	return a.transfer(source, other, target, uids, move), nil
}

// sizeOf returns how much mail the messages are.
func (f *folder) sizeOf(uids []UID) Quota {
	var size Quota
	for _, uid := range uids {
		if i, there := f.at(uid); there {
			size.Messages++
			size.Bytes += int64(len(f.messages[i].raw))
		}
	}
	return size
}

func (a *Account) transfer(source *folder, other *Account, target *folder, uids []UID, move bool) []Transferred {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	var done []Transferred
	var moved []UID
	for _, uid := range slices.Compact(uids) {
		i, there := source.at(uid)
		if !there {
			continue
		}
		m := *source.messages[i]
		if move {
			moved = append(moved, uid)
			delete(a.found, m.id)
		} else {
			m.id = 0
		}
		if other != a {
			m.email, m.thread = 0, 0
		}
		done = append(done, Transferred{From: uid, To: other.add(target, m).uid})
	}
	if !a.labels || source != target { // a label is given once
		a.remove(source, moved)
	}
	return done
}

// Expunge removes exactly the messages named, whatever their flags, and returns
// the UIDs of those that were there. The error wraps [ErrNoFolder].
func (a *Account) Expunge(folder string, uids ...UID) ([]UID, error) {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return nil, err
	}
	var there []UID
	for _, uid := range uids {
		i, ok := f.at(uid)
		if !ok {
			continue
		}
		there = append(there, uid)
		delete(a.found, f.messages[i].id)
		if a.labels && f.role == RoleAll {
			for _, g := range a.folders {
				if g != f {
					a.unlabel(g.name, f.messages[i].email)
				}
			}
		}
	}
	slices.Sort(there)
	there = slices.Compact(there)
	a.remove(f, there)
	return there, nil
}

// remove takes messages out of a folder. The UIDs are sorted.
func (a *Account) remove(f *folder, uids []UID) {
	if len(uids) == 0 {
		return
	}
	f.messages = slices.DeleteFunc(f.messages, func(m *message) bool {
		if _, gone := slices.BinarySearch(uids, m.uid); !gone {
			return false
		}
		f.leave(m)
		return true
	})
	a.box.note(a, f.name, Expunged)
}
