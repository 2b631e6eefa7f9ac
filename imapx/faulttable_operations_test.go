package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// list reads the summaries of the inbox.
func (c *trial) list(ctx context.Context, fields session.Fields) error {
	var numbers []string
	var item error
	for m, err := range c.client.Messages(ctx, session.Query{Fields: fields}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			item = bad
			continue
		}
		if err != nil {
			return err
		}
		if m.Incomplete != nil && item == nil {
			item, c.incomplete = m.Incomplete, true
		}
		if whole := m.Structure != nil && m.Preview != ""; m.Incomplete == nil && whole != (fields&session.FieldPreview != 0) {
			c.Errorf("message %v has the structure %v, the preview %q and no reason", m.ID, m.Structure, m.Preview)
		}
		numbers = append(numbers, strings.TrimPrefix(m.Header.Subject(), "Sample "))
	}
	got := strings.Join(numbers, " ")
	if want := "3 2 1"; item == nil && got != want && (!c.expunges() || got != "3 1") {
		c.Errorf("messages %s, want %s", got, want)
	}
	return item
}

func (c *trial) open(ctx context.Context) error {
	body, err := c.client.Open(ctx, c.id)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err == nil && string(text) != mailtest.Sample(2) {
		c.Errorf("a body of %d bytes and no error, want the message's %d", len(text), len(mailtest.Sample(2)))
	}
	return err
}

func (c *trial) folders(ctx context.Context, opts session.FolderOptions) error {
	lister, ok := session.As[session.FolderLister](c.client)
	if !ok {
		c.Fatal("the client cannot list folders")
	}
	n, counted := 0, 0
	for f, err := range lister.ListFolders(ctx, opts) {
		if err != nil {
			return err
		}
		if n++; opts.Subscribed && !f.Subscribed {
			c.Errorf("%s is not subscribed to", f.Path)
		}
		if f.Counts != nil {
			counted++
		}
	}
	want := len(c.account.Folders())
	if n != want {
		c.Errorf("%d folders, want %d", n, want)
	}
	if opts.Counts && counted < want-1 {
		c.Errorf("%d folders were counted, want all but the one that the fault is about", counted)
	}
	return nil
}

func (c *trial) quota(ctx context.Context) error {
	c.account.SetQuota(mailtest.Quota{Messages: 10})
	q, ok := session.As[session.Quotas](c.client)
	if !ok {
		c.Fatal("the client tells no quota")
	}
	quotas, err := q.Quota(ctx, session.Inbox)
	if err == nil && (len(quotas) != 1 || quotas[0].Messages.Limit != 10) {
		c.Errorf("the quota is %+v, want 10 messages", quotas)
	}
	return err
}

// flagThird has the third message flagged, once a program knows of all.
func (c *trial) flagThird() {
	other, err := imapx.New(session.Server{Host: "localhost", Port: 143, Security: session.None, AllowPlainAuth: true, Dial: c.server.Dial},
		session.Credentials{User: ann, Password: password()}, nil)
	if err != nil {
		c.Fatal(err)
	}
	defer other.Close()
	if c.cursor, err = other.Cursor(c.Context(), session.Inbox); err != nil {
		c.Fatal(err)
	}
	if err := c.account.AddFlags("INBOX", []string{mailtest.Flagged}, 4); err != nil {
		c.Fatal(err)
	}
	c.before = c.state()
}

// changes reads what happened in the inbox: all messages from the beginning, or
// that the third one was flagged, and what another does meanwhile, which may be
// told the next time as well.
func (c *trial) changes(ctx context.Context) error {
	syncer, ok := session.As[session.Syncer](c.client)
	if !ok {
		c.Fatal("the client tells no changes")
	}
	known := map[string]bool{}
	if c.row.operation == "changed" {
		known = map[string]bool{"2": true, "3": true, "4": true}
	}
	flagged := false
	for page, err := range syncer.Changes(ctx, session.Inbox, c.cursor, session.SyncOptions{}) {
		if errors.Is(err, session.ErrCursorExpired) && c.fault == "renumbered" {
			return fmt.Errorf("%w: %w", err, session.ErrStaleID) // it is the same in the words of the table
		}
		if err != nil {
			return err
		}
		for _, m := range page.Added {
			known[keyOf(m.ID)] = true
		}
		for _, id := range page.Removed {
			delete(known, keyOf(id))
		}
		for _, m := range page.Changed {
			flagged = flagged || keyOf(m.ID) == "4" && m.Flags.Has(session.Flagged)
		}
	}
	got := strings.Join(slices.Sorted(maps.Keys(known)), " ")
	renumbered := c.fault == "renumbered" && len(known) == 3
	if got != "2 3 4" && (!c.expunges() || got != "2 4") && !renumbered {
		c.Errorf("messages %s, want 2 3 4", got)
	}
	if c.row.operation == "changed" && !flagged {
		c.Error("nobody tells that the third message was flagged")
	}
	return nil
}

// changes are the operations that change the message, with what the mailbox is
// like then.
func changes() map[string]struct {
	change session.Change
	state  string
} {
	type done = struct {
		change session.Change
		state  string
	}
	return map[string]done{
		"flag":   {session.Change{Set: session.Flags{session.Flagged}}, `INBOX 1 2\Flagged 3, Archive `},
		"copy":   {session.Change{CopyTo: session.FolderAt("Archive")}, "INBOX 1 2 3, Archive 2"},
		"move":   {session.Change{MoveTo: session.FolderAt("Archive")}, "INBOX 1 3, Archive 2"},
		"delete": {session.Change{Delete: true}, "INBOX 1 3, Archive "},
		"append": {session.Change{}, "INBOX 1 2 3, Archive 4"},
	}
}

// operate does what makes the client send the row's command. Of a change it
// returns the message's own error, and whether nobody knows what became of it.
func (c *trial) operate(ctx context.Context) (unknown bool, err error) {
	switch c.row.operation {
	case "list":
		return false, c.list(ctx, session.FieldsAll)
	case "structures":
		return false, c.list(ctx, session.FieldHeader|session.FieldStructure|session.FieldPreview)
	case "open":
		return false, c.open(ctx)
	case "folders":
		return false, c.folders(ctx, session.FolderOptions{})
	case "subscribed":
		return false, c.folders(ctx, session.FolderOptions{Subscribed: true})
	case "counts":
		return false, c.folders(ctx, session.FolderOptions{Counts: true})
	case "quota":
		return false, c.quota(ctx)
	case "close":
		return false, c.client.Close()
	case "append":
		return c.append(ctx)
	case "count":
		return false, c.count(ctx)
	case "changes", "changed":
		return false, c.changes(ctx)
	case "create", "rename", "remove", "subscribe", "unsubscribe":
		return c.edit(ctx)
	}
	results, err := c.client.Apply(ctx, changes()[c.row.operation].change, c.id)
	if len(results) != 1 {
		c.Fatalf("%d results for one message: %v", len(results), err)
	}
	r := results[0]
	if err == nil && r.Outcome == session.DoneUnknown {
		c.Error("nobody knows the outcome, and Apply returns no error")
	}
	if (r.Err == nil) != (r.Outcome == session.Done) {
		c.Errorf("outcome %v with the error %v", r.Outcome, r.Err)
	}
	return r.Outcome == session.DoneUnknown, r.Err
}

// append puts a message into another folder.
func (c *trial) append(ctx context.Context) (unknown bool, err error) {
	appender, ok := session.As[session.Appender](c.client)
	if !ok {
		c.Fatal("the client cannot append")
	}
	id, err := appender.Append(ctx, session.FolderAt("Archive"), message.Bytes([]byte(mailtest.Sample(4))), nil)
	e, failed := errors.AsType[*session.AppendError](err)
	if failed != (err != nil) || failed != id.IsZero() && c.row.name != "UID SEARCH for UIDPLUS" {
		c.Errorf("id %v with the error %v", id, err)
	}
	return failed && e.Outcome == session.DoneUnknown, err
}
