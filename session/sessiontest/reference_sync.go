package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

var _ session.Syncer = (*referenceClient)(nil)

// What the lines of a page of changes are about.
const (
	wordAdded   = "added"
	wordChanged = "changed"
	wordRemoved = "removed"
)

// history is a place in a folder's history, the state of a cursor: all messages
// with a key up to Known have been told, as they were at the change count Count,
// and none beyond, of which there were some by then where Rest is set.
type history struct {
	Count uint64
	Known uint32
	Rest  bool
}

// more stands behind a state that has a Rest.
const more = "+"

// String returns the state's text.
func (h history) String() string {
	text := strconv.FormatUint(h.Count, 10) + "." + strconv.FormatUint(uint64(h.Known), 10)
	if h.Rest {
		text += more
	}
	return text
}

// parseHistory reads the text of a state; the empty one is the beginning.
func parseHistory(text string) (history, error) {
	if text == "" {
		return history{Rest: true}, nil
	}
	text, rest := strings.CutSuffix(text, more)
	count, known, _ := strings.Cut(text, ".")
	c, err1 := strconv.ParseUint(count, 10, 64)
	k, err2 := strconv.ParseUint(known, 10, 32)
	if err := cmp.Or(err1, err2); err != nil {
		return history{}, fmt.Errorf("%q is no place in a history: %w", text, err)
	}
	return history{Count: c, Known: uint32(k), Rest: rest}, nil
}

// Changes implements [session.Syncer].
func (c *referenceClient) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		reset := false
		for {
			page, err := c.changes(ctx, folder, since, opts)
			expired := errors.Is(err, session.ErrCursorExpired) && !reset
			if err != nil && (!yield(session.Changes{}, err) || !expired) {
				return
			}
			if expired {
				since, reset = session.Cursor{}, true
				continue
			}
			page.Reset, reset = reset, false
			if !yield(page, nil) || !page.More {
				return
			}
			since = page.Cursor
		}
	}
}

// Cursor implements [session.Syncer].
func (c *referenceClient) Cursor(ctx context.Context, folder session.FolderRef) (session.Cursor, error) {
	all, err := c.collect(ctx, question{Op: "changes", Folder: string(cmp.Or(folder, session.Inbox)), Limit: -1})
	if err != nil {
		return session.Cursor{}, err
	}
	return c.cursor(all[len(all)-1]), nil
}

func (c *referenceClient) cursor(a answer) session.Cursor {
	return session.NewCursor(session.CursorParts{
		Backend: referenceName, Mailbox: c.mailbox, Folder: a.Folder,
		Validity: strconv.FormatUint(uint64(a.Validity), 10), State: a.State,
	})
}

// place takes a cursor of this mailbox apart.
func (c *referenceClient) place(since session.Cursor) (place, string, error) {
	if since.IsZero() {
		return place{}, "", nil
	}
	parts, err := since.Parts()
	if err != nil {
		return place{}, "", err
	}
	if parts.Backend != referenceName || parts.Mailbox != c.mailbox {
		return place{}, "", fmt.Errorf("%s: changes: %w", referenceName, session.ErrOtherMailbox)
	}
	validity, err := strconv.ParseUint(parts.Validity, 10, 32)
	if err != nil {
		return place{}, "", fmt.Errorf("%s: changes: %q is not a cursor: %w", referenceName, since, err)
	}
	return place{Folder: parts.Folder, Validity: uint32(validity)}, parts.State, nil
}

// changes asks for one page.
func (c *referenceClient) changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) (session.Changes, error) {
	after, state, err := c.place(since)
	if err != nil {
		return session.Changes{}, err
	}
	q := question{
		Op: "changes", Folder: string(cmp.Or(folder, session.Inbox)), After: after, Since: state,
		Limit: int64(cmp.Or(opts.PageSize, c.server.PageSize, 10)),
	}
	q.Query.Fields = cmp.Or(opts.Fields, session.FieldsAll)
	all, err := c.collect(ctx, q)
	if err != nil {
		return session.Changes{}, err
	}
	return c.page(all), nil
}

// page puts the lines of an answer together. That of a summary follows one that
// says what it is about.
func (c *referenceClient) page(all []answer) session.Changes {
	end := all[len(all)-1]
	page := session.Changes{Cursor: c.cursor(end), More: end.More}
	for i := 0; i < len(all)-1; i++ {
		about := all[i]
		if about.Name == wordRemoved {
			page.Removed = append(page.Removed, c.id(about))
			continue
		}
		i++
		switch a := all[i]; {
		case a.bad != nil:
			page.Failed = append(page.Failed, &session.ItemError{ID: c.id(about), Err: a.bad})
		case about.Name == wordChanged:
			page.Changed = append(page.Changed, c.summary(a))
		default:
			page.Added = append(page.Added, c.summary(a))
		}
	}
	return page
}

// changes answers with one page of what happened since a place in the history.
// What is known of the messages that were told comes first, in the order in
// which it happened, and then what came: so every page leaves a state that can
// be told in two numbers and a mark.
func (v visitor) changes() error {
	f, err := v.find(session.FolderRef(v.q.Folder))
	if err == nil {
		switch after := v.q.After; {
		case after == place{}:
		case after.Folder != f.Name:
			err = fmt.Errorf("go on in %s: %w", f.Name, session.ErrOtherFolder)
		case after.Validity != f.UIDValidity:
			err = session.ErrCursorExpired
		}
	}
	since, odd := parseHistory(v.q.Since)
	if err = cmp.Or(err, odd); err != nil {
		return v.write(refusalOf(err))
	}
	from := since.Count
	if since.Rest {
		from = 0 // all there ever was, in one look
	}
	delta, err := v.account.ChangedSince(f.Name, from)
	if err != nil {
		return v.write(refusalOf(err))
	}
	now := history{Count: delta.ModSeq, Known: uint32(delta.UIDNext) - 1}
	if v.q.Limit >= 0 {
		if now, err = v.writeChanges(since, delta); err != nil {
			return err
		}
	}
	if err := v.write(answer{place: place{Folder: f.Name, Validity: delta.UIDValidity}, State: now.String(), More: now.Rest}); err != nil {
		return err
	}
	return v.write(answer{End: true})
}

// change is one line of a page.
type change struct {
	word string
	m    mailtest.Message
}

// writeChanges writes as many changes as there may be, and returns where that
// leads.
func (v visitor) writeChanges(since history, delta mailtest.Delta) (now history, err error) {
	var old, added []change
	for _, m := range delta.Changed {
		switch {
		case uint32(m.UID) > since.Known:
			added = append(added, change{wordAdded, m})
		case m.ModSeq > since.Count && !v.Facts.NoFlags:
			old = append(old, change{wordChanged, m})
		}
	}
	for _, m := range delta.Expunged {
		if uint32(m.UID) <= since.Known && m.ModSeq > since.Count {
			old = append(old, change{wordRemoved, m})
		}
	}
	slices.SortFunc(old, func(x, y change) int { return cmp.Compare(x.m.ModSeq, y.m.ModSeq) })
	limit := int(v.q.Limit)
	now = history{Count: delta.ModSeq, Known: max(uint32(delta.UIDNext)-1, since.Known)}
	switch {
	case len(old) > limit:
		old = old[:limit]
		now = history{Count: old[limit-1].m.ModSeq, Known: since.Known, Rest: true}
		added = nil
	case len(old)+len(added) > limit:
		added = added[:limit-len(old)]
		if now.Known = since.Known; len(added) > 0 {
			now.Known = uint32(added[len(added)-1].m.UID)
		}
		now.Rest = true
	}
	for _, c := range append(old, added...) {
		if err := v.writeChange(c); err != nil {
			return now, err
		}
	}
	return now, nil
}

func (v visitor) writeChange(c change) error {
	if err := v.write(answer{place: placeOf(c.m), Name: c.word}); err != nil || c.word == wordRemoved {
		return err
	}
	return v.writeSummary(c.m)
}
