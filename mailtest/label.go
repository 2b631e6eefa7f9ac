package mailtest

import (
	"fmt"
	"slices"
)

// UseLabels makes the folders of the account labels, as Gmail has them. From
// then on a message lies in a folder once, has the same flags wherever it lies,
// and is also in the folder of [RoleAll] unless it is in Trash or Junk; that
// folder is made as "All Mail" where the account has none. What moves to Trash or
// Junk leaves all other folders, and what is expunged from the folder of all mail
// is gone everywhere.
func (a *Account) UseLabels() {
	a.box.mu.Lock()
	defer a.box.unlock()
	a.labels = true
	if a.allMail() == nil {
		a.addFolder("All Mail", RoleAll)
	}
	for _, f := range slices.Clone(a.folders) {
		for _, m := range slices.Clone(f.messages) {
			a.keepInAll(f, m)
		}
	}
}

// Labels returns the names of the other folders that the message or copies of it
// lie in, sorted and without that of [RoleAll]. The error wraps [ErrNoFolder] or
// [ErrNoMessage].
func (a *Account) Labels(folder string, uid UID) ([]string, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	f, err := a.folder(folder)
	if err != nil {
		return nil, err
	}
	i, there := f.at(uid)
	if !there {
		return nil, fmt.Errorf("mailtest: labels of message %d in %q of %s: %w", uid, folder, a.address, ErrNoMessage)
	}
	return a.labelsOf(f, f.messages[i]), nil
}

func (a *Account) labelsOf(f *folder, m *message) []string {
	names := []string{}
	for _, g := range a.folders {
		if g != f && g.role != RoleAll && g.copyIn(m.email) != nil {
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return names
}

// ChangeLabels puts each message into the folders that change makes of those
// that [Account.Labels] returns, and takes it out of the others. Folders that are
// missing are made; the messages stay in the folder that they are named in. UIDs
// that are not in the folder are passed over. The function must not use the Box.
// The error wraps [ErrNoFolder] or [ErrFolderName].
func (a *Account) ChangeLabels(folder string, uids []UID, change func(labels []string) []string) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return err
	}
	for _, uid := range uids {
		i, there := f.at(uid)
		if !there {
			continue
		}
		m := f.messages[i]
		old := a.labelsOf(f, m)
		wanted := change(slices.Clone(old))
		for _, name := range wanted {
			if err := a.label(f, m, normal(name)); err != nil {
				return err
			}
		}
		for _, name := range old {
			if !slices.ContainsFunc(wanted, func(w string) bool { return normal(w) == name }) {
				a.unlabel(name, m.email)
			}
		}
		f.touch(m)
		a.box.note(a, f.name, FlagsChanged)
	}
	return nil
}

// label puts a message of f into the named folder as well.
func (a *Account) label(f *folder, m *message, name string) error {
	g, _ := a.folder(name)
	if g == nil {
		if err := a.create(name, ""); err != nil {
			return err
		}
		g = a.folders[len(a.folders)-1]
	}
	if g != f && g.copyIn(m.email) == nil {
		c := *m
		c.id = 0
		a.add(g, c)
	}
	return nil
}

// unlabel takes a message out of the named folder.
func (a *Account) unlabel(name string, email uint64) {
	g, err := a.folder(name)
	if err != nil {
		return
	}
	if m := g.copyIn(email); m != nil {
		if p := a.found[m.id]; p != nil && p.message == m { // it may live on elsewhere
			delete(a.found, m.id)
		}
		a.remove(g, []UID{m.uid})
	}
}

// copyIn returns the first message of the folder that is the same, or nil.
func (f *folder) copyIn(email uint64) *message {
	i := slices.IndexFunc(f.messages, func(m *message) bool { return m.email == email })
	if i < 0 {
		return nil
	}
	return f.messages[i]
}

// allMail returns the folder of all messages, or nil.
func (a *Account) allMail() *folder {
	i := slices.IndexFunc(a.folders, func(f *folder) bool { return f.role == RoleAll })
	if i < 0 {
		return nil
	}
	return a.folders[i]
}

// keepInAll does for a message that came to f what labels ask for.
func (a *Account) keepInAll(f *folder, m *message) {
	all := a.allMail()
	switch {
	case f.role == RoleTrash, f.role == RoleJunk:
		for _, g := range a.folders {
			if g != f {
				a.unlabel(g.name, m.email)
			}
		}
	case all == nil, all == f, all.copyIn(m.email) != nil:
	default:
		c := *m
		c.id = 0
		a.add(all, c)
	}
}

// sameFlags gives all copies of a message its flags.
func (a *Account) sameFlags(f *folder, m *message) {
	for _, g := range a.folders {
		if c := g.copyIn(m.email); g != f && c != nil && !slices.Equal(c.flags, m.flags) {
			c.flags = m.flags
			g.touch(c)
			a.box.note(a, g.name, FlagsChanged)
		}
	}
}
