package mailtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// Account is one user's mail: folders and the messages in them. Folder names
// are paths with "/" between the parts. INBOX is the same in any case; all
// other names are compared as they are.
type Account struct {
	box     *Box
	address string

	// The rest is guarded by box.mu.
	password secret.Text
	check    TokenCheck
	folders  []*folder // in the order of their making
	found    map[uint64]*place
	threads  map[string]uint64 // by Message-ID
	labels   bool              // see UseLabels
	limit    Quota

	subscribed map[string]bool // names of folders, also of some that are gone
}

// place is where a message of a known id lies.
type place struct {
	folder  *folder
	message *message
}

// Address returns the address as it was given to [Box.Add].
func (a *Account) Address() string { return a.address }

// Box returns the Box that the account belongs to.
func (a *Account) Box() *Box { return a.box }

// SetPassword replaces the password. An empty one refuses every password.
func (a *Account) SetPassword(password secret.Text) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	a.password = password
}

// AcceptTokens sets what decides about access tokens, nil to refuse them all.
func (a *Account) AcceptTokens(check TokenCheck) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	a.check = check
}

// Folders returns the folders in the order of their making, INBOX first.
func (a *Account) Folders() []Folder {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	all := make([]Folder, 0, len(a.folders))
	for _, f := range a.folders {
		all = append(all, f.snapshot())
	}
	return all
}

// Folder returns the folder of that name. The error wraps [ErrNoFolder].
func (a *Account) Folder(name string) (Folder, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	f, err := a.folder(name)
	if err != nil {
		return Folder{}, err
	}
	return f.snapshot(), nil
}

// FolderByID returns the folder with that id, which stays the same when the
// folder is renamed. The error wraps [ErrNoFolder].
func (a *Account) FolderByID(id uint64) (Folder, error) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	for _, f := range a.folders {
		if f.id == id {
			return f.snapshot(), nil
		}
	}
	return Folder{}, fmt.Errorf("mailtest: folder %d of %s: %w", id, a.address, ErrNoFolder)
}

// CreateFolder makes a folder, and its parents where they are missing. The
// error wraps [ErrFolderExists] or [ErrFolderName].
func (a *Account) CreateFolder(name string, role Role) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	return a.create(name, role)
}

func (a *Account) create(name string, role Role) error {
	name = normal(name)
	if err := checkName(name); err != nil {
		return err
	}
	if f, _ := a.folder(name); f != nil {
		return fmt.Errorf("mailtest: create folder %q of %s: %w", name, a.address, ErrFolderExists)
	}
	for i, c := range name {
		if parent := name[:i]; c == '/' {
			if f, _ := a.folder(parent); f == nil {
				a.addFolder(parent, "")
			}
		}
	}
	a.addFolder(name, role)
	return nil
}

// DeleteFolder removes a folder and its messages. Folders below it stay, and so
// does the subscription to its name (RFC 3501, section 6.3.6). INBOX cannot be
// deleted. The error wraps [ErrNoFolder] or [ErrFolderName].
func (a *Account) DeleteFolder(name string) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(name)
	if err != nil {
		return err
	}
	if f.role == RoleInbox {
		return fmt.Errorf("mailtest: delete folder %q of %s: %w", name, a.address, ErrFolderName)
	}
	for _, m := range f.messages {
		delete(a.found, m.id)
	}
	a.folders = slices.DeleteFunc(a.folders, func(g *folder) bool { return g == f })
	a.box.note(a, f.name, FoldersChanged)
	return nil
}

// RenameFolder gives a folder and all folders below it a new name; missing
// parents of the new name are made. Messages keep their UIDs, and the folder its
// UIDVALIDITY. INBOX stays and its messages move to a new folder of that name
// (RFC 3501, section 6.3.5). The error wraps [ErrNoFolder], [ErrFolderExists]
// or [ErrFolderName].
func (a *Account) RenameFolder(from, to string) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(from)
	if err != nil {
		return err
	}
	to = normal(to)
	if strings.HasPrefix(to, f.name+"/") {
		return fmt.Errorf("mailtest: rename folder %q to %q: %w", f.name, to, ErrFolderName)
	}
	if err := a.create(to, f.role); err != nil {
		return err
	}
	made := a.folders[len(a.folders)-1]
	if f.role == RoleInbox {
		made.role = ""
		a.transfer(f, a, made, f.uids(), true)
		return nil
	}
	a.folders = slices.DeleteFunc(a.folders, func(g *folder) bool { return g == made })
	old := f.name
	for _, g := range a.folders {
		if rest, below := strings.CutPrefix(g.name, old+"/"); below {
			a.resubscribe(g.name, to+"/"+rest)
			g.name = to + "/" + rest
		}
	}
	a.resubscribe(old, to)
	f.name = to
	return nil
}

// resubscribe takes a subscription along to a new name.
func (a *Account) resubscribe(from, to string) {
	a.subscribed[to] = a.subscribed[from]
	delete(a.subscribed, from)
}

// SetRole changes what a folder is for. The error wraps [ErrNoFolder].
func (a *Account) SetRole(name string, role Role) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(name)
	if err != nil {
		return err
	}
	f.role = role
	a.box.note(a, f.name, FoldersChanged)
	return nil
}

// Subscribe sets whether the user subscribed to a folder; every folder is
// subscribed to that is made by [Account.CreateFolder]. One that is gone can be
// unsubscribed from. The error wraps [ErrNoFolder].
func (a *Account) Subscribe(name string, subscribed bool) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	name = normal(name)
	if _, err := a.folder(name); err != nil && (subscribed || !a.subscribed[name]) {
		return err
	}
	a.subscribed[name] = subscribed
	a.box.note(a, name, FoldersChanged)
	return nil
}

// Subscriptions returns the names of the folders that the user subscribed to,
// sorted. Some may be gone.
func (a *Account) Subscriptions() []string {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	var names []string
	for name, on := range a.subscribed {
		if on {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// BumpUIDValidity gives a folder a new UIDVALIDITY and numbers its messages
// anew from 1, as a server does after restoring a mailbox: every UID that a
// client remembers is void and may now mean another message. The error wraps
// [ErrNoFolder].
func (a *Account) BumpUIDValidity(name string) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(name)
	if err != nil {
		return err
	}
	a.box.lastValidity++
	f.validity = firstValidity + a.box.lastValidity
	f.log, f.gone = nil, nil
	f.nextUID = 1
	for _, m := range f.messages {
		m.uid = f.nextUID
		f.nextUID++
		f.touch(m)
	}
	a.box.note(a, f.name, FoldersChanged)
	return nil
}

// folder returns the folder of that name; box.mu is held.
func (a *Account) folder(name string) (*folder, error) {
	name = normal(name)
	for _, f := range a.folders {
		if f.name == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("mailtest: folder %q of %s: %w", name, a.address, ErrNoFolder)
}

func (a *Account) addFolder(name string, role Role) {
	a.box.lastID++
	a.box.lastValidity++
	a.folders = append(a.folders, &folder{
		account: a, id: a.box.lastID, name: name, role: role,
		validity: firstValidity + a.box.lastValidity, nextUID: 1, modSeq: 1,
	})
	a.subscribed[name] = true
	a.box.note(a, name, FoldersChanged)
}

func (a *Account) deliver(raw string) {
	for _, f := range a.folders {
		if f.role == RoleInbox {
			a.add(f, message{raw: raw, received: time.Now().UTC()})
			return
		}
	}
}

// normal writes INBOX in upper case, also as the parent of other folders.
func normal(name string) string {
	const inbox = "INBOX"
	if len(name) >= len(inbox) && strings.EqualFold(name[:len(inbox)], inbox) &&
		(len(name) == len(inbox) || name[len(inbox)] == '/') {
		return inbox + name[len(inbox):]
	}
	return name
}

func checkName(name string) error {
	if slices.Contains(strings.Split(name, "/"), "") {
		return fmt.Errorf("mailtest: folder name %q has an empty part: %w", name, ErrFolderName)
	}
	return nil
}
