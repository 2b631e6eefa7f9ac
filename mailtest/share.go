package mailtest

import (
	"slices"
	"strings"
)

// Everyone is the address that stands for all accounts of the Box in
// [Account.Share].
const Everyone = "anyone"

// SharedFolder is a folder that another account lets this one use.
type SharedFolder struct {
	// Owner is the account that the folder belongs to.
	Owner *Account
	// Folder is the folder as the owner has it.
	Folder Folder
	// Everyone tells whether it is shared with all accounts.
	Everyone bool
}

// Share lets the accounts with the addresses use a folder as its owner does, or
// all accounts by [Everyone]. It replaces what was said before; without
// addresses nobody else may use the folder. Folders below it are not included.
// The error wraps [ErrNoFolder].
func (a *Account) Share(folder string, with ...string) error {
	a.box.mu.Lock()
	defer a.box.unlock()
	f, err := a.folder(folder)
	if err != nil {
		return err
	}
	f.shared = slices.Clone(with)
	a.box.note(a, f.name, FoldersChanged)
	return nil
}

// Shared returns the folders of other accounts that this one may use, in the
// order of their owners' addresses and of their making.
func (a *Account) Shared() []SharedFolder {
	var all []SharedFolder
	for _, owner := range a.box.Accounts() {
		if owner != a {
			all = append(all, owner.sharedWith(a.address)...)
		}
	}
	return all
}

func (a *Account) sharedWith(address string) []SharedFolder {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	var all []SharedFolder
	for _, f := range a.folders {
		everyone := slices.Contains(f.shared, Everyone)
		named := slices.ContainsFunc(f.shared, func(s string) bool { return strings.EqualFold(s, address) })
		if everyone || named {
			all = append(all, SharedFolder{Owner: a, Folder: f.snapshot(), Everyone: everyone})
		}
	}
	return all
}
