package ews

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// MarkAsJunk has the server treat messages as junk: it moves them to the junk folder,
// and puts their senders among those that the user has blocked. With junk false it
// moves them to the inbox and takes the senders off that list. It is what Outlook's
// commands Block and Not Junk do, from Exchange 2013 on; with an older server it is an
// error that wraps [errors.ErrUnsupported].
//
// [session.Session.Junk] moves messages and blocks nobody. There is one result for
// each id, in their order; a moved message has a new id.
func (c *Client) MarkAsJunk(ctx context.Context, junk bool, ids ...session.ID) ([]session.Result, error) {
	role := session.Inbox
	if junk {
		role = session.Junk
	}
	return c.filed(ctx, ids, "MarkAsJunk", func(ctx context.Context, w *work) error {
		var err error
		if w.to, err = c.resolve(ctx, role); err != nil {
			return err
		}
		return w.each(ctx, func(ctx context.Context, part []*changing) error { return w.markAsJunk(ctx, junk, part) })
	})
}

// filed has a verb of Exchange 2013 done to messages, as many by one request as a page
// has.
func (c *Client) filed(ctx context.Context, ids []session.ID, op string, verb func(ctx context.Context, w *work) error) ([]session.Result, error) {
	results := make([]session.Result, len(ids))
	all := c.sortOut(ids, results)
	v, err := c.serverVersion(ctx)
	if err == nil && !v.atLeast(exchange2013()) {
		err = fmt.Errorf("%s: %s: the server is %s, and this came with Exchange 2013: %w", c.address, op, v, errors.ErrUnsupported)
	}
	for part := range slices.Chunk(all, c.opts.PageSize) {
		w := &work{client: c, items: part}
		if err == nil {
			if err = verb(ctx, w); err == nil {
				w.settle(session.Done, nil)
			}
		}
		w.settle(session.NotDone, err)
	}
	tell(all)
	return results, err
}

// markAsJunk moves messages, and blocks or unblocks their senders.
func (w *work) markAsJunk(ctx context.Context, junk bool, part []*changing) error {
	body := el("m:MarkAsJunk", el("m:ItemIds", itemIDs(keysOf(part))...)).with("IsJunk", boolean(junk)).with("MoveItem", boolean(true))
	return w.act(ctx, &request{op: "MarkAsJunk", once: true, single: true, body: body}, func(a *answer) error {
		return a.outcomes(part, func(t *changing, it *itemInfo) {
			if it.id != "" {
				t.result.NewID = w.client.idOf(w.to, it.id)
			}
		})
	})
}
