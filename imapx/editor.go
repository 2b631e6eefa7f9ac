package imapx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// CreateFolder implements [session.FolderEditor].
func (c *Client) CreateFolder(ctx context.Context, path string) error {
	name, err := c.nameFor(ctx, path)
	if err != nil {
		return err
	}
	return c.edit(ctx, "create", "CREATE", name)
}

// RenameFolder implements [session.FolderEditor]. The inbox is refused: RENAME
// would empty it into a new folder (RFC 9051 section 6.3.6).
func (c *Client) RenameFolder(ctx context.Context, folder session.FolderRef, path string) error {
	from, err := c.nameOf(ctx, "rename", folder)
	if err != nil {
		return err
	}
	to, err := c.nameFor(ctx, path)
	if err != nil {
		return err
	}
	return c.edit(ctx, "rename", "RENAME", from, to)
}

// DeleteFolder implements [session.FolderEditor].
func (c *Client) DeleteFolder(ctx context.Context, folder session.FolderRef) error {
	name, err := c.nameOf(ctx, "delete", folder)
	if err != nil {
		return err
	}
	return c.edit(ctx, "delete", "DELETE", name)
}

// Subscribe implements [session.FolderEditor].
func (c *Client) Subscribe(ctx context.Context, folder session.FolderRef, on bool) error {
	name, err := c.resolve(ctx, folder)
	if err != nil {
		return err
	}
	command := "UNSUBSCRIBE"
	if on {
		command = "SUBSCRIBE"
	}
	return c.edit(ctx, "subscribe", command, name)
}

// edit sends one command that changes what folders there are. It is sent once:
// what is lost may have been carried out. Folders that connections have open
// may be others from then on, under the same name.
func (c *Client) edit(ctx context.Context, op, command string, names ...string) error {
	sent := false
	err := c.do(ctx, op, func(cn *conn) error {
		if err := cn.refresh(); err != nil {
			return err // the connection died at rest, and nothing was sent
		}
		sent = true
		words := []string{command}
		for _, name := range names {
			words = append(words, cn.mailboxName(name))
		}
		_, err := cn.exec(op, strings.Join(words, " "))
		return err
	}, func() bool { return !sent }, slog.String("server", c.address))
	c.edits.Add(1)
	c.forget()
	if _, lost := errors.AsType[*backend.LostError](err); lost && sent {
		return fmt.Errorf("the answer was lost, so that it may be done or not; list the folders: %w", err)
	}
	return err
}

// nameOf returns the server's name of a folder that may be removed from its
// place.
func (c *Client) nameOf(ctx context.Context, op string, folder session.FolderRef) (string, error) {
	name, err := c.resolve(ctx, folder)
	if err == nil && strings.EqualFold(name, "INBOX") {
		return "", fmt.Errorf("%s: %s: the inbox stays where it is", c.address, op)
	}
	return name, err
}

// nameFor returns the server's name for a folder that is to be made. It joins
// the levels in the server's way and puts what the server wants before them,
// which the namespaces and the list of folders tell.
func (c *Client) nameFor(ctx context.Context, path string) (string, error) {
	folders, err := c.list(ctx, session.FolderOptions{})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	all := c.spaces
	c.mu.Unlock()
	delimiter := all.delimiter()
	for _, f := range folders {
		if delimiter == "" {
			delimiter = f.delimiter
		}
	}
	levels := session.SplitPath(path)
	for _, level := range levels {
		if level == "" || delimiter != "" && strings.Contains(level, delimiter) || strings.ContainsFunc(level, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", fmt.Errorf("%s: %q cannot be a folder's name here; leave out %q and control characters", c.address, level, delimiter)
		}
	}
	if delimiter == "" && len(levels) > 1 {
		return "", fmt.Errorf("%s: folder %s: the server has no folders in folders: %w", c.address, path, errors.ErrUnsupported)
	}
	return all.nameOf(levels, delimiter), nil
}
