package ews

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mailsession/mailsession/internal/retry"
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
		if errors.Is(err, session.ErrNoFolder) && c.forget() {
			err = h.anew(ctx, ref, err)
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
		for ends := unrolled(state); ; {
			h, err := c.syncFolderItems(ctx, f, state, maxChanges)
			if err == nil {
				err = ends.check(c, f, h)
			}
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

// anew goes on in the folder of the same name, if there is one, where the server
// says that there is none by the id: its history is another one.
func (h *history) anew(ctx context.Context, ref session.FolderRef, gone error) error {
	f, err := h.client.resolve(ctx, ref)
	switch {
	case err != nil:
		return err
	case h.folder == nil || f.id == h.folder.id:
		return gone
	}
	h.folder = f
	if h.state == "" { // nothing has been told of the other one
		return h.run(ctx)
	}
	return fmt.Errorf("%s: folder %s was made anew: %w", h.client.address, f.Path, session.ErrCursorExpired)
}

// run tells page by page what happened.
func (h *history) run(ctx context.Context) error {
	for ends := unrolled(h.state); ; {
		news, entries, err := h.news(ctx, cmp.Or(h.opts.PageSize, h.client.opts.PageSize))
		if err == nil {
			err = ends.check(h.client, h.folder, news)
		}
		if err != nil {
			return err
		}
		page, err := h.page(ctx, news, entries)
		if err != nil {
			return err
		}
		h.state, h.reset = news.state, false
		if !h.yield(page, nil) || news.last {
			return nil
		}
	}
}

// maxVanishing bounds how often a page is added to since messages in it are gone.
const maxVanishing = 5

// news asks what happened, and for the messages that came. One that is gone by then
// was never told of, and its removal is not to be told either: so what happened since
// is added to the page, until the server tells of the removal.
func (h *history) news(ctx context.Context, most int) (news happened, entries []entry, err error) {
	if news, err = h.client.syncFolderItems(ctx, h.folder, h.state, most); err != nil {
		return news, nil, err
	}
	for try := 0; ; try++ {
		news.added = slices.DeleteFunc(unique(news.added), func(id string) bool { return slices.Contains(news.removed, id) })
		if entries, err = h.summaries(ctx, news.added, cmp.Or(h.opts.Fields, session.FieldsAll)); err != nil {
			return news, nil, err
		}
		gone := missingIn(entries, news.added)
		if len(gone) == 0 {
			return news, entries, nil
		}
		if try == maxVanishing {
			for _, id := range gone {
				entries = append(entries, entry{err: &session.ItemError{ID: h.client.idOf(h.folder, id), Err: session.ErrNoMessage}})
			}
			return news, entries, nil
		}
		later, err := h.client.syncFolderItems(ctx, h.folder, news.state, max(1, most-len(news.added)+len(gone)))
		if err != nil {
			return news, nil, err
		}
		news.add(later)
	}
}

// add puts behind what happened what happened later.
func (h *happened) add(later happened) {
	for _, id := range later.removed {
		n := len(h.added)
		if h.added = slices.DeleteFunc(h.added, func(added string) bool { return added == id }); len(h.added) == n {
			h.removed = append(h.removed, id)
		}
	}
	h.added = append(h.added, later.added...)
	h.changed = append(h.changed, later.changed...)
	h.state, h.last = later.state, later.last
}

// missingIn returns those of the ids that no entry is about.
func missingIn(entries []entry, ids []string) []string {
	there := map[string]bool{}
	for _, e := range entries {
		if e.item.itemInfo != nil {
			there[e.item.id] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return there[id] })
}

// page makes a page of what a server tells.
func (h *history) page(ctx context.Context, news happened, entries []entry) (session.Changes, error) {
	page := session.Changes{Reset: h.reset, More: !news.last, Cursor: h.client.cursorOf(h.folder, news.state)}
	removed := unique(news.removed)
	changed := slices.DeleteFunc(unique(news.changed), func(id string) bool { return slices.Contains(news.added, id) || slices.Contains(removed, id) })
	for _, id := range removed {
		page.Removed = append(page.Removed, h.client.idOf(h.folder, id))
	}
	for _, e := range entries {
		if bad, ok := errors.AsType[*session.ItemError](e.err); ok {
			page.Failed = append(page.Failed, bad)
			continue
		}
		page.Added = append(page.Added, e.message)
	}
	entries, err := h.summaries(ctx, changed, session.FieldFlags|session.FieldVersion)
	for _, e := range entries {
		if bad, ok := errors.AsType[*session.ItemError](e.err); ok {
			page.Failed = append(page.Failed, bad)
			continue
		}
		page.Changed = append(page.Changed, e.message)
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

// summaries asks for messages, of which those that went meanwhile are left out.
func (h *history) summaries(ctx context.Context, ids []string, fields session.Fields) ([]entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	l := &listing{client: h.client, folder: h.folder, plan: &plan{}, bare: true, query: session.Query{Fields: fields}}
	page := make([]found, len(ids))
	for i, id := range ids {
		page[i].itemInfo = &itemInfo{id: id}
	}
	entries, err := l.patientSummaries(ctx, page)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		if a.message == nil || b.message == nil {
			return 0
		}
		return cmp.Compare(a.item.number, b.item.number)
	})
	return entries, l.contents(ctx, entries)
}

// patientSummaries is summaries for what is told once: where messages cannot be read for
// the moment, as while a mailbox fails over, they are asked for again, and the error is
// that of the whole where several still cannot. One alone is its own trouble, which may
// never end. How often, and after which answers, is for Options.Retry to say, as it is for
// an answer to the whole request.
func (l *listing) patientSummaries(ctx context.Context, page []found) (entries []entry, err error) {
	waiting := retry.Do(ctx, l.client.retry, func(ctx context.Context) error {
		entries, err = l.summaries(ctx, page) // which has tried again where that is worth it
		_, first := passingTrouble(entries)
		return first
	})
	if err != nil || waiting == nil {
		return entries, err
	}
	if several, _ := passingTrouble(entries); !several && ctx.Err() == nil {
		return entries, nil
	}
	return nil, fmt.Errorf("%s: folder %s: changes: %w", l.client.address, l.folder.Path, waiting)
}

// passingTrouble returns whether several messages cannot be read for the moment, and why
// the first cannot, nil where all can.
func passingTrouble(entries []entry) (several bool, first error) {
	for _, e := range entries {
		bad, ok := errors.AsType[*session.ItemError](e.err)
		if !ok || !session.Temporary(bad) {
			continue
		}
		if first != nil {
			return true, first
		}
		first = bad.Err
	}
	return false, first
}

// PurgeMarked implements [session.Purger]. A message goes only as it was found to be
// marked.
func (c *Client) PurgeMarked(ctx context.Context, ref session.FolderRef) ([]session.Result, error) {
	versions := map[session.ID]session.Version{}
	var ids []session.ID
	err := c.within(ctx, ref, func(f *folder) error {
		clear(versions)
		ids = nil
		w := &walk{client: c, search: search{
			folder: f, where: restrictions(session.Filter{Deleted: session.Yes}), by: tagNumber.uri(), oldest: true, properties: []element{tagNumber.uri()},
		}}
		for !w.over {
			marked, err := w.next(ctx, maxFound)
			if err != nil {
				return err
			}
			for _, it := range marked {
				if it.err == nil {
					id := c.idOf(f, it.id)
					ids, versions[id] = append(ids, id), session.Version(it.change)
				}
			}
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return c.Apply(ctx, session.Change{Delete: true, IfUnchanged: versions}, ids...)
}
