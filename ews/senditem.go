package ews

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailsession/mailsession/session"
)

// runInPieces sends a message that does not get through in one request: it is put
// together as a draft, which is sent then.
func (t *sending) runInPieces(ctx context.Context, refusal error) (session.SendOutcome, error) {
	d, err := t.assemble(ctx, refusal)
	if err != nil {
		return session.NotSent, err
	}
	err = t.submit(ctx, t.sendItem(d))
	switch {
	case err == nil:
		return session.Accepted, nil
	case !t.request.sent || !mayBeDone(err):
		_, err = d.discard(ctx, t.client, err)
		return session.NotSent, err
	case ctx.Err() == nil && (t.found(ctx) || t.left(ctx, d)):
		return session.Accepted, nil
	}
	// A draft that is still there may be on its way all the same: servers take what
	// is submitted out of its folder later. So it is not removed.
	return session.SentUnknown, fmt.Errorf("the draft that was to be sent may still be there as %v: %w", d.id, err)
}

// assemble puts the message together in the folder of drafts. Where that fails, no
// draft is left, or the error says so.
func (t *sending) assemble(ctx context.Context, refusal error) (d *assembled, err error) {
	a := &appending{client: t.client, letter: t.letter}
	err = t.client.within(ctx, session.Drafts, func(f *folder) (err error) {
		d, err = a.bringInPieces(ctx, f, refusal, func() element { return t.element(&a.letter) })
		return err
	})
	if err != nil && a.request != nil && a.request.sent && mayBeDone(err) {
		err = fmt.Errorf("a draft without its attachments may be left: %w", err)
	}
	return d, err
}

// sendItem is the request that sends a draft, in the state that it was left in.
func (t *sending) sendItem(d *assembled) *request {
	children := []element{el("m:ItemIds", itemID(d.item, d.change))}
	if t.filed() {
		children = append(children, el("m:SavedItemFolderId", t.client.distinguished("sentitems")))
	}
	return &request{
		op: "SendItem", once: true, attrs: t.attrs(),
		body: el("m:SendItem", children...).with("SaveItemToFolder", boolean(t.filed())),
	}
}

// left reports whether a draft is known to have left its folder, which it does when it
// is sent.
func (t *sending) left(ctx context.Context, d *assembled) bool {
	items, err := t.client.getItems(ctx, []string{d.item}, nil)
	if err != nil || len(items) != 1 {
		return false
	}
	e, ok := errors.AsType[*Error](items[0].err)
	return ok && e.Code == "ErrorItemNotFound"
}
