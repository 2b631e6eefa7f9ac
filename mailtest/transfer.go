package mailtest

import "slices"

// Transferred tells which UID a message had and which it has in the folder it
// was copied or moved to.
type Transferred struct {
	From, To UID
}

// Copy copies messages to another folder, with flags and times, in the order of
// their UIDs. UIDs that are not in the folder are passed over. The error wraps
// [ErrNoFolder].
func (a *Account) Copy(from, to string, uids ...UID) ([]Transferred, error) {
	return a.transferNamed(from, to, uids, false)
}

// Move moves messages to another folder, where they get new UIDs and keep their
// ID. UIDs that are not in the folder are passed over. The error wraps
// [ErrNoFolder].
func (a *Account) Move(from, to string, uids ...UID) ([]Transferred, error) {
	return a.transferNamed(from, to, uids, true)
}

func (a *Account) transferNamed(from, to string, uids []UID, move bool) ([]Transferred, error) {
	a.box.mu.Lock()
	defer a.box.unlock()
	source, err := a.folder(from)
	if err != nil {
		return nil, err
	}
	target, err := a.folder(to)
	if err != nil {
		return nil, err
	}
	return a.transfer(source, target, uids, move), nil
}

func (a *Account) transfer(source, target *folder, uids []UID, move bool) []Transferred {
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
		} else {
			m.id = 0
		}
		done = append(done, Transferred{From: uid, To: a.add(target, m).uid})
	}
	a.remove(source, moved)
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
		if i, ok := f.at(uid); ok {
			there = append(there, uid)
			delete(a.found, f.messages[i].id)
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
		f.modSeq++
		f.log = append(f.log, entry{modSeq: f.modSeq, uid: m.uid, id: m.id})
		return true
	})
	a.box.note(a, f.name, Expunged)
}
