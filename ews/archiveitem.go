package ews

import (
	"context"
	"errors"

	"github.com/mailsession/mailsession/session"
)

// ArchiveInPlace moves messages to the archive mailbox that an administrator gave the
// user beside the mailbox ("In-Place Archive", "Online Archive"), into the folder that
// is called there as theirs is here. It is an error of each message where the user has
// none, and with a server before Exchange 2013 an error that wraps
// [errors.ErrUnsupported]. The results name no new ids: the messages have left this
// mailbox, and this Client does not see them any more.
//
// That is why [session.Session.Archive] does not do it, also where the mailbox has no
// folder for the archive: that keeps a message where it is listed, found and brought
// back from.
func (c *Client) ArchiveInPlace(ctx context.Context, ids ...session.ID) ([]session.Result, error) {
	return c.filed(ctx, ids, "ArchiveItem", func(ctx context.Context, w *work) error {
		byFolder := map[*folder][]*changing{}
		for _, m := range w.items {
			f, err := c.marked(ctx, m.folder)
			if errors.Is(err, session.ErrNoFolder) {
				m.fail(err)
				continue
			}
			if err != nil {
				return err
			}
			byFolder[f] = append(byFolder[f], m)
		}
		for f, part := range byFolder {
			of := &work{client: c, items: part}
			if err := of.each(ctx, func(ctx context.Context, part []*changing) error { return of.archive(ctx, f, part) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// archive moves messages of one folder to the archive mailbox.
func (w *work) archive(ctx context.Context, from *folder, part []*changing) error {
	body := el("m:ArchiveItem", el("m:ArchiveSourceFolderId", folderID(from.id)), el("m:ItemIds", itemIDs(keysOf(part))...))
	return w.act(ctx, &request{op: "ArchiveItem", once: true, single: true, body: body}, func(a *answer) error {
		return a.outcomes(part, nil)
	})
}
