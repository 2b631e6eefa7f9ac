package imapx_test

import (
	"context"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// edits are the operations of the table that change which folders there are, or
// what is known of them, with what is in the list of folders only once they are
// done.
func edits() map[string]struct {
	do   func(ctx context.Context, e session.FolderEditor) error
	done func(c *trial) bool
} {
	type edit = struct {
		do   func(ctx context.Context, e session.FolderEditor) error
		done func(c *trial) bool
	}
	drafts := session.FolderAt("Drafts")
	return map[string]edit{
		"create": {
			func(ctx context.Context, e session.FolderEditor) error { return e.CreateFolder(ctx, "New") },
			func(c *trial) bool { return c.has("New") },
		},
		"rename": {
			func(ctx context.Context, e session.FolderEditor) error { return e.RenameFolder(ctx, drafts, "New") },
			func(c *trial) bool { return c.has("New") && !c.has("Drafts") },
		},
		"remove": {
			func(ctx context.Context, e session.FolderEditor) error { return e.DeleteFolder(ctx, drafts) },
			func(c *trial) bool { return !c.has("Drafts") },
		},
		"subscribe": {
			func(ctx context.Context, e session.FolderEditor) error { return e.Subscribe(ctx, drafts, true) },
			func(c *trial) bool { return c.subscribed("Drafts") },
		},
		"unsubscribe": {
			func(ctx context.Context, e session.FolderEditor) error { return e.Subscribe(ctx, drafts, false) },
			func(c *trial) bool { return !c.subscribed("Drafts") },
		},
	}
}

func (c *trial) has(folder string) bool {
	_, err := c.account.Folder(folder)
	return err == nil
}

func (c *trial) subscribed(folder string) bool {
	return slices.Contains(c.account.Subscriptions(), folder)
}

// edit changes the folders. What was told to be done is, and what was refused is
// not.
func (c *trial) edit(ctx context.Context) (unknown bool, err error) {
	editor, ok := session.As[session.FolderEditor](c.client)
	if !ok {
		c.Fatal("the client cannot change folders")
	}
	e := edits()[c.row.operation]
	if err := c.account.Subscribe("Drafts", c.row.operation != "subscribe"); err != nil || e.done(c) {
		c.Fatalf("%s is done before it is begun: %v", c.row.operation, err)
	}
	err = e.do(ctx, editor)
	unknown = err != nil && strings.Contains(err.Error(), "may be done or not")
	if done := e.done(c); !unknown && done != (err == nil) {
		c.Errorf("%s: done %t, and the error is %v", c.row.operation, done, err)
	}
	return unknown, err
}

// count asks how much is in the inbox.
func (c *trial) count(ctx context.Context) error {
	counter, ok := session.As[session.Counter](c.client)
	if !ok {
		c.Fatal("the client cannot count messages")
	}
	n, err := counter.Count(ctx, session.Inbox)
	if err == nil && (n.Messages != 3 || n.Unread != 3) {
		c.Errorf("%d messages, %d unread, want 3 and 3", n.Messages, n.Unread)
	}
	return err
}
