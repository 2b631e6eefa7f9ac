package mailtest

import (
	"context"
	"slices"
)

// ChangeKind is what happened in a folder.
type ChangeKind string

// The kinds of change.
const (
	// Appended says that a message came, in whatever way.
	Appended ChangeKind = "appended"
	// Expunged says that messages went, in whatever way.
	Expunged ChangeKind = "expunged"
	// FlagsChanged says that a message has other flags.
	FlagsChanged ChangeKind = "flags"
	// FoldersChanged says that the folder itself was made, deleted, renamed,
	// subscribed to, or given a new role or UIDVALIDITY.
	FoldersChanged ChangeKind = "folders"
)

// Change is one thing that happened. It says where to look and not what is
// there: by the time it is told, more may have happened.
type Change struct {
	// Account is the address of the account.
	Account string
	// Folder is the name of the folder.
	Folder string
	// Kind is what happened.
	Kind ChangeKind
}

type watcher struct{ told func(Change) }

// Watch calls the function after each change, until stop is called. The call
// is made without a lock, on the goroutine that made the change, which it holds
// up: a watcher sets a mark or wakes somebody, and returns. A call that is
// under way may end after stop returns.
func (b *Box) Watch(told func(Change)) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := &watcher{told: told}
	b.watchers = append(slices.Clone(b.watchers), w)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(slices.Clone(b.watchers), func(v *watcher) bool { return v == w })
	}
}

// Wait returns nil as soon as the condition holds, which is looked at now and
// after each change of the Box, and the context's error where that ends first.
func (b *Box) Wait(ctx context.Context, condition func() bool) error {
	changed := make(chan struct{}, 1)
	defer b.Watch(func(Change) {
		select {
		case changed <- struct{}{}:
		default: // somebody has been told already
		}
	})()
	for !condition() {
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// note remembers a change until mu is let go.
func (b *Box) note(a *Account, folder string, kind ChangeKind) {
	c := Change{Account: a.address, Folder: folder, Kind: kind}
	if !slices.Contains(b.pending, c) {
		b.pending = append(b.pending, c)
	}
}

// unlock lets mu go and then tells the watchers.
func (b *Box) unlock() {
	changes, watchers := b.pending, b.watchers
	b.pending = nil
	b.mu.Unlock()
	for _, c := range changes {
		for _, w := range watchers {
			w.told(c)
		}
	}
}
