package ews

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// Changes implements [session.Syncer]. The server keeps the history, and tells it in
// an order of its own: messages are the oldest first within a page.
func (c *Client) Changes(ctx context.Context, ref session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		h := &history{client: c, opts: opts, yield: yield}
		f, err := c.resolve(ctx, ref)
		if err == nil {
			err = h.goOn(f, since)
		}
		if err == nil {
			err = h.run(ctx)
		}
		if err == nil || !errors.Is(err, session.ErrCursorExpired) {
			if err != nil {
				yield(session.Changes{}, err)
			}
			return
		}
		if !yield(session.Changes{}, err) {
			return
		}
		h.state, h.reset = "", true
		if err := h.run(ctx); err != nil {
			yield(session.Changes{}, err)
		}
	}
}

// Cursor implements [session.Syncer]. Exchange tells the present place only behind
// the whole history, so that this takes as many requests as the folder has hundreds
// of messages.
func (c *Client) Cursor(ctx context.Context, ref session.FolderRef) (session.Cursor, error) {
	var cursor session.Cursor
	err := c.within(ctx, ref, func(f *folder) error {
		state := ""
		for {
			h, err := c.syncFolderItems(ctx, f, state, maxChanges)
			if err != nil {
				return err
			}
			if state = h.state; h.last {
				cursor = c.cursorOf(f, state)
				return nil
			}
		}
	})
	return cursor, err
}

// history is one loop over changes.
type history struct {
	client *Client
	opts   session.SyncOptions
	yield  func(session.Changes, error) bool
	folder *folder
	state  string
	reset  bool // the next page voids what was known
}

// goOn takes a cursor apart.
func (h *history) goOn(f *folder, since session.Cursor) error {
	h.folder = f
	if since.IsZero() {
		return nil
	}
	parts, err := since.Parts()
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	c := h.client
	if parts.Backend != backendName || parts.Mailbox != c.mailbox {
		return fmt.Errorf("%s: go on from a cursor: %w", c.address, session.ErrOtherMailbox)
	}
	if parts.Folder != f.mark {
		return fmt.Errorf("%s: folder %s: go on from a cursor: %w", c.address, f.Path, session.ErrOtherFolder)
	}
	if _, err := base64.StdEncoding.DecodeString(parts.State); err != nil || parts.State == "" {
		return fmt.Errorf("%s: folder %s: the cursor names no place that Exchange could have told", c.address, f.Path)
	}
	h.state = parts.State
	return nil
}

// run tells page by page what happened.
func (h *history) run(ctx context.Context) error {
	for {
		news, err := h.client.syncFolderItems(ctx, h.folder, h.state, cmp.Or(h.opts.PageSize, h.client.opts.PageSize))
		if err != nil {
			return err
		}
		page, err := h.page(ctx, news)
		if err != nil {
			return err
		}
		h.state, h.reset = news.state, false
		if !h.yield(page, nil) || news.last {
			return nil
		}
	}
}

// page makes a page of what a server tells.
func (h *history) page(ctx context.Context, news happened) (session.Changes, error) {
	page := session.Changes{Reset: h.reset, More: !news.last, Cursor: h.client.cursorOf(h.folder, news.state)}
	removed := unique(news.removed)
	added := slices.DeleteFunc(unique(news.added), func(id string) bool { return slices.Contains(removed, id) })
	changed := slices.DeleteFunc(unique(news.changed), func(id string) bool { return slices.Contains(added, id) || slices.Contains(removed, id) })
	for _, id := range removed {
		page.Removed = append(page.Removed, h.client.idOf(h.folder, id))
	}
	entries, err := h.summaries(ctx, added, cmp.Or(h.opts.Fields, session.FieldsAll))
	if err != nil {
		return page, err
	}
	for _, e := range entries {
		if bad, ok := errors.AsType[*session.ItemError](e.err); ok {
			page.Failed = append(page.Failed, bad)
			continue
		}
		page.Added = append(page.Added, e.message)
	}
	entries, err = h.summaries(ctx, changed, session.FieldFlags|session.FieldVersion)
	for _, e := range entries {
		if e.message != nil {
			page.Changed = append(page.Changed, e.message)
		}
	}
	return page, err
}

func unique(ids []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(ids, func(id string) bool {
		twice := seen[id]
		seen[id] = true
		return twice
	})
}

// summaries asks for messages, of which those that went meanwhile are left out; the
// next page tells of them.
func (h *history) summaries(ctx context.Context, ids []string, fields session.Fields) ([]entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	l := &listing{client: h.client, folder: h.folder, plan: &plan{}, bare: true, query: session.Query{Fields: fields}}
	page := make([]found, len(ids))
	for i, id := range ids {
		page[i].itemInfo = &itemInfo{id: id}
	}
	entries, err := l.summaries(ctx, page)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		if a.message == nil || b.message == nil {
			return 0
		}
		return cmp.Compare(a.item.tags[tagNumber], b.item.tags[tagNumber])
	})
	return entries, l.contents(ctx, entries)
}

// PurgeMarked implements [session.Purger]. A message goes only as it was found to be
// marked.
func (c *Client) PurgeMarked(ctx context.Context, ref session.FolderRef) ([]session.Result, error) {
	versions := map[session.ID]session.Version{}
	var ids []session.ID
	err := c.within(ctx, ref, func(f *folder) error {
		clear(versions)
		ids = nil
		marked, err := c.findAll(ctx, search{folder: f, where: restrictions(session.Filter{Deleted: session.Yes}), by: tagNumber.uri(), oldest: true})
		for _, it := range marked {
			if it.err == nil {
				id := c.idOf(f, it.id)
				ids, versions[id] = append(ids, id), session.Version(it.change)
			}
		}
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return c.Apply(ctx, session.Change{Delete: true, IfUnchanged: versions}, ids...)
}
