package ews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// CreateFolder implements [session.FolderEditor]. The folders above it are made where
// they are missing.
func (c *Client) CreateFolder(ctx context.Context, path string) error {
	levels, err := c.levelsOf(path)
	if err != nil {
		return err
	}
	t, err := c.list(ctx)
	if err != nil {
		return err
	}
	if f := t.find(session.FolderAt(path)); f != nil {
		return &Error{Server: c.address, Op: "CreateFolder", Status: 200, Code: "ErrorFolderExists", Text: "there is a folder at " + path + " already"}
	}
	parent, err := c.parentOf(ctx, t, levels)
	if err != nil {
		return err
	}
	_, err = c.createFolder(ctx, parent, levels[len(levels)-1])
	c.forget()
	return err
}

// levelsOf takes a path apart, whose levels have to be names.
func (c *Client) levelsOf(path string) ([]string, error) {
	levels := session.SplitPath(path)
	for _, level := range levels {
		if strings.TrimSpace(level) == "" || strings.ContainsFunc(level, func(r rune) bool { return !legal(r) || r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("%s: %q cannot be a folder's name; leave out control characters", c.address, level)
		}
	}
	return levels, nil
}

// parentOf returns the id of what the last of the levels is in, and makes what is
// missing of the others.
func (c *Client) parentOf(ctx context.Context, t *tree, levels []string) (string, error) {
	parent := t.root
	for n := 1; n < len(levels); n++ {
		if f := t.find(session.FolderAt(session.JoinPath(levels[:n]...))); f != nil {
			parent = f.id
			continue
		}
		id, err := c.createFolder(ctx, parent, levels[n-1])
		if err != nil {
			return "", err
		}
		c.forget()
		parent = id
	}
	return parent, nil
}

// RenameFolder implements [session.FolderEditor]. Another parent and another name are
// two requests: where the second fails, the error says so.
func (c *Client) RenameFolder(ctx context.Context, ref session.FolderRef, path string) error {
	levels, err := c.levelsOf(path)
	if err != nil {
		return err
	}
	f, t, err := c.movable(ctx, "rename", ref)
	if err != nil {
		return err
	}
	if other := t.find(session.FolderAt(path)); other != nil && other.id != f.id {
		return &Error{Server: c.address, Op: "UpdateFolder", Status: 200, Code: "ErrorFolderExists", Text: "there is a folder at " + path + " already"}
	}
	parent, err := c.parentOf(ctx, t, levels)
	if err != nil {
		return err
	}
	defer c.forget()
	moves := parent != f.parent
	if moves {
		if err := c.moveFolder(ctx, f.id, parent); err != nil {
			return err
		}
	}
	old := session.SplitPath(f.Path)
	if name := levels[len(levels)-1]; name != old[len(old)-1] {
		err = c.renameFolder(ctx, f.id, name)
	}
	if err != nil && moves {
		return fmt.Errorf("the folder %s was moved, and has its old name: %w", f.Path, err)
	}
	return err
}

// DeleteFolder implements [session.FolderEditor]. What is below the folder goes with
// it.
func (c *Client) DeleteFolder(ctx context.Context, ref session.FolderRef) error {
	f, _, err := c.movable(ctx, "delete", ref)
	if err != nil {
		return err
	}
	defer c.forget()
	return c.deleteFolder(ctx, f.id)
}

// Subscribe implements [session.FolderEditor]: Exchange knows no subscriptions.
func (c *Client) Subscribe(_ context.Context, _ session.FolderRef, _ bool) error {
	return c.noSubscriptions()
}

func (c *Client) noSubscriptions() error {
	return fmt.Errorf("%s: Exchange knows no subscriptions to folders: %w", c.address, errors.ErrUnsupported)
}

// movable returns a folder that may be removed from its place.
func (c *Client) movable(ctx context.Context, op string, ref session.FolderRef) (*folder, *tree, error) {
	t, err := c.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	f := t.find(ref)
	if f == nil {
		return nil, nil, backend.NoFolder(c.address+": "+op, ref, "")
	}
	if slices.ContainsFunc(knownFolders(), func(k knownFolder) bool { return k.role == f.Role }) {
		return nil, nil, fmt.Errorf("%s: %s: folder %s: Exchange keeps the folder for %s where it is", c.address, op, f.Path, f.Role)
	}
	return f, t, nil
}
