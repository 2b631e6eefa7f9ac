package ews

import (
	"context"
	"strconv"

	"github.com/mailsession/mailsession/session"
)

// maxChanges is how many changes servers tell at a time.
const maxChanges = 512

// happened is a page of what happened in a folder.
type happened struct {
	added, changed, removed []string // ids of items
	state                   string
	last                    bool
}

// syncFolderItems asks what happened in a folder since a state, which is empty before
// the first item.
func (c *Client) syncFolderItems(ctx context.Context, f *folder, state string, most int) (h happened, err error) {
	parts := []element{
		el("m:ItemShape", leaf("t:BaseShape", "IdOnly")),
		el("m:SyncFolderId", folderID(f.id)),
	}
	if state != "" {
		parts = append(parts, leaf("m:SyncState", state))
	}
	parts = append(parts, leaf("m:MaxChangesReturned", strconv.Itoa(min(most, maxChanges))))
	err = c.call(ctx, &request{op: "SyncFolderItems", body: el("m:SyncFolderItems", parts...)}, func(a *answer) error {
		h = happened{last: true}
		return a.only(func(name string) (err error) {
			switch name {
			case "SyncState":
				h.state, err = a.word()
			case "IncludesLastItemInRange":
				h.last, err = a.boolean()
			case "Changes":
				err = a.children(func(kind string) error { return a.changeOf(kind, &h) })
			}
			return err
		})
	})
	if err == nil && h.state == "" {
		err = &itemFaultError{"the server tells no state to go on from"}
	}
	if h.state == state && len(h.added)+len(h.changed)+len(h.removed) == 0 {
		h.last = true // it would go on for ever
	}
	return h, err
}

// changeOf reads one change.
func (a *answer) changeOf(kind string, h *happened) error {
	id, err := a.changedID(kind == "Create" || kind == "Update")
	if id == "" || err != nil {
		return err
	}
	switch kind {
	case "Create":
		h.added = append(h.added, id)
	case "Update", "ReadFlagChange":
		h.changed = append(h.changed, id)
	case "Delete":
		h.removed = append(h.removed, id)
	}
	return nil
}

// changedID reads the id of the item that a change is about, which stands in the item
// where there is one.
func (a *answer) changedID(whole bool) (id string, err error) {
	err = a.children(func(name string) error {
		switch {
		case name == "ItemId":
			id = a.attr("Id")
		case whole:
			it, err := a.item()
			id = it.id
			return err
		}
		return nil
	})
	return id, err
}

// cursorOf returns the cursor for a state of a folder.
func (c *Client) cursorOf(f *folder, state string) session.Cursor {
	return session.NewCursor(session.CursorParts{Backend: backendName, Mailbox: c.mailbox, Folder: f.mark, State: state})
}
