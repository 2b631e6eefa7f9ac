package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// Mailbox is the mailbox behind a backend, seen past the backend: the suite
// puts messages into it and looks at what became of them. Folders are named as
// [session.Folder.Path] has them; the inbox is "INBOX". [Account] makes one of
// a mailtest account; for a real server it is another client.
type Mailbox interface {
	// Append puts a message at the end of a folder.
	Append(folder string, m Stored) error
	// Messages returns what a folder holds, in the order of arrival.
	Messages(folder string) ([]Stored, error)
	// Remove takes a message out of a folder for good, as another program
	// would. The number counts the folder's messages from 1.
	Remove(folder string, number int) error
	// CreateFolder makes a folder.
	CreateFolder(path string) error
	// Renumber makes the server void all ids that it gave to the messages of a
	// folder. The messages may go.
	Renumber(folder string) error
}

// LabelledMailbox is a [Mailbox] that can tell the labels of a message, for servers
// that have any. The number counts the folder's messages from 1.
type LabelledMailbox interface {
	Labels(folder string, number int) ([]string, error)
}

// SubscribedMailbox is a [Mailbox] that can tell which folders are subscribed to.
type SubscribedMailbox interface {
	Subscriptions() ([]string, error)
}

// Stored is a message as the server keeps it.
type Stored struct {
	// Raw has the bytes of the message.
	Raw string
	// Flags are its flags and keywords, in any order.
	Flags session.Flags
	// Received is when it came. Append takes the zero time for now; Messages
	// may leave it out.
	Received time.Time
}

// Account returns the Mailbox of a mailtest account.
func Account(a *mailtest.Account) Mailbox { return account{a} }

type account struct{ *mailtest.Account }

func (a account) Append(folder string, m Stored) error {
	flags := make([]string, 0, len(m.Flags))
	for _, f := range m.Flags {
		flags = append(flags, string(f))
	}
	_, err := a.Account.Append(folder, m.Raw, &mailtest.AppendOptions{Flags: flags, Received: m.Received})
	return err
}

func (a account) Messages(folder string) ([]Stored, error) {
	kept, err := a.Account.Messages(folder)
	stored := make([]Stored, 0, len(kept))
	for _, m := range kept {
		stored = append(stored, Stored{Raw: m.Raw, Flags: flagsOf(m.Flags), Received: m.Received})
	}
	return stored, err
}

func (a account) Remove(folder string, number int) error {
	kept, err := a.Account.Messages(folder)
	if err != nil {
		return err
	}
	if number < 1 || number > len(kept) {
		return fmt.Errorf("sessiontest: message %d of the %d in %s", number, len(kept), folder)
	}
	_, err = a.Expunge(folder, kept[number-1].UID)
	return err
}

func (a account) CreateFolder(path string) error {
	if strings.Contains(path, `\`) {
		return errors.New("sessiontest: a mailtest folder has no separator in its name")
	}
	return a.Account.CreateFolder(path, "")
}

func (a account) Renumber(folder string) error { return a.BumpUIDValidity(folder) }

// Labels implements [LabelledMailbox].
func (a account) Labels(folder string, number int) ([]string, error) {
	kept, err := a.Account.Messages(folder)
	if err != nil || number < 1 || number > len(kept) {
		return nil, errors.Join(err, fmt.Errorf("sessiontest: message %d of the %d in %s", number, len(kept), folder))
	}
	return a.Account.Labels(folder, kept[number-1].UID)
}

// Subscriptions implements [SubscribedMailbox].
func (a account) Subscriptions() ([]string, error) {
	var paths []string
	for _, f := range a.Folders() {
		if f.Subscribed {
			paths = append(paths, f.Name)
		}
	}
	return paths, nil
}

func flagsOf(words []string) session.Flags {
	flags := make(session.Flags, 0, len(words))
	for _, w := range words {
		flags = append(flags, session.Flag(w))
	}
	return flags
}

// Inboxes returns what [Outgoing.Arrived] is for a mailtest box: the messages in
// an address' inbox.
func Inboxes(box *mailtest.Box) func(ctx context.Context, address string) ([]string, error) {
	return func(_ context.Context, address string) ([]string, error) {
		a, ok := box.Account(address)
		if !ok {
			return nil, fmt.Errorf("sessiontest: nobody has the address %s", address)
		}
		kept, err := a.Messages(inbox)
		all := make([]string, 0, len(kept))
		for _, m := range kept {
			all = append(all, m.Raw)
		}
		return all, err
	}
}
