package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// PurgeMarked implements [session.Purger]: a search for the messages that
// carry \Deleted and a UID EXPUNGE of these, so that what is marked meanwhile
// stays. The server needs UIDPLUS (RFC 4315).
func (c *Client) PurgeMarked(ctx context.Context, folder session.FolderRef) ([]session.Result, error) {
	ids, err := c.marked(ctx, cmp.Or(folder, session.Inbox))
	if err != nil {
		return nil, err
	}
	results := make([]session.Result, len(ids))
	for _, b := range c.sortOut(ids, results) {
		if err == nil {
			err = c.carryOut(ctx, "purge", "", b, (*work).purge)
		}
		b.settle(session.NotDone, err)
	}
	return results, err
}

// marked returns the messages of a folder that carry \Deleted.
func (c *Client) marked(ctx context.Context, folder session.FolderRef) ([]session.ID, error) {
	name, err := c.resolve(ctx, folder)
	if err != nil {
		return nil, err
	}
	var ids []session.ID
	err = c.read(ctx, "purge", func(cn *conn) error {
		ids = nil
		s, err := c.enterAfresh(cn, name, false)
		if err != nil {
			return err
		}
		if w := (&work{conn: cn}); !cn.caps.has("UIDPLUS") {
			return w.lacks("purge", "no UIDPLUS, without which what others mark meanwhile would be removed too")
		}
		uids, err := cn.searchUIDs("UID SEARCH DELETED")
		scope := c.scope(s)
		for _, uid := range uids {
			ids = append(ids, withKey(scope, uid))
		}
		return err
	}, slog.String("folder", name))
	return ids, err
}

// errUnmarked says that a message was to go and lost its mark.
var errUnmarked = errors.New(`the message is not marked as \Deleted any more`)

// purge removes the messages of the batch as far as they still carry \Deleted,
// and looks which of them went: the server does not say.
func (w *work) purge() error {
	if err := w.enter(); err != nil {
		return err
	}
	uids := w.batch.uids()
	if _, err := w.exec("expunge", "UID EXPUNGE "+formatSet(uids)); err != nil {
		return err
	}
	there, err := w.conn.searchUIDs("UID SEARCH UID " + formatSet(uids))
	if err != nil {
		return err
	}
	for _, t := range w.batch.items {
		if _, stays := slices.BinarySearch(there, t.uid); stays {
			t.result.Outcome, t.result.Err = session.NotDone, fmt.Errorf("%s: purge: %w", w.conn.address, errUnmarked)
		}
	}
	return nil
}
