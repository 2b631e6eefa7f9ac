package ews

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// Apply implements [session.Incoming]. As many messages are changed by one request as
// a page has. The server compares the versions of IfUnchanged and changes flags in
// one step; what is to be deleted then is marked as such in that step, and goes by
// the next.
func (c *Client) Apply(ctx context.Context, change session.Change, ids ...session.ID) ([]session.Result, error) {
	results := make([]session.Result, len(ids))
	all := c.sortOut(ids, results)
	to, err := c.prepare(ctx, change)
	for part := range slices.Chunk(all, c.opts.PageSize) {
		w := &work{client: c, change: change, to: to, items: part}
		if err == nil {
			err = w.run(ctx)
		}
		w.settle(session.NotDone, err)
	}
	tell(all)
	return results, err
}

// tell writes what became of messages where it is to be told.
func tell(all []*changing) {
	for _, t := range all {
		for _, r := range t.results {
			id := r.ID
			*r = t.result
			r.ID = id
		}
	}
}

// prepare checks the change and finds the folder that it leads to.
func (c *Client) prepare(ctx context.Context, change session.Change) (*folder, error) {
	if err := change.Check(); err != nil {
		return nil, err //nolint:wrapcheck // it is about the change
	}
	if err := cmp.Or(checkSet(change.Set), checkClear(change.Clear)); err != nil {
		return nil, err
	}
	if len(change.AddLabels)+len(change.RemoveLabels) > 0 {
		return nil, fmt.Errorf("%s: apply: Exchange has no labels: %w", c.address, errors.ErrUnsupported)
	}
	if ref := cmp.Or(change.MoveTo, change.CopyTo); ref != "" {
		return c.resolve(ctx, ref)
	}
	return nil, nil //nolint:nilnil // there is no folder where nothing leads to one
}

// changing is a message that is being changed, with the places for its result.
type changing struct {
	key     string
	folder  string // the mark of its folder
	id      session.ID
	change  string // the ChangeKey that it has to have, where it matters
	result  session.Result
	results []*session.Result
}

// open reports whether the message has no outcome yet.
func (t *changing) open() bool {
	return t.result.Outcome == session.DoneUnknown && t.result.Err == nil
}

func (t *changing) fail(err error) { t.result.Outcome, t.result.Err = session.NotDone, err }

// sortOut names each message once; what is not an id of this mailbox gets its result
// at once.
func (c *Client) sortOut(ids []session.ID, results []session.Result) []*changing {
	var all []*changing
	byKey := map[string]*changing{}
	for i, id := range ids {
		results[i].ID = id
		parts, err := c.own(id)
		if err != nil {
			results[i].Outcome, results[i].Err = session.NotDone, err
			continue
		}
		t := byKey[parts.Key]
		if t == nil {
			t = &changing{key: parts.Key, folder: parts.Folder, id: id}
			byKey[parts.Key] = t
			all = append(all, t)
		}
		t.results = append(t.results, &results[i])
	}
	return all
}

// work is a change to the messages of a page.
type work struct {
	client *Client
	change session.Change
	to     *folder
	items  []*changing
}

// settle gives every message that has none yet an outcome.
func (w *work) settle(o session.ChangeOutcome, err error) {
	for _, t := range w.open() {
		t.result.Outcome, t.result.Err = o, err
	}
}

// open returns the messages that have no outcome yet.
func (w *work) open() []*changing {
	var all []*changing
	for _, t := range w.items {
		if t.open() {
			all = append(all, t)
		}
	}
	return all
}

// run makes the change. The error is what keeps the pages that follow from being
// tried.
func (w *work) run(ctx context.Context) error {
	if w.change.IfUnchanged != nil {
		w.versions()
	}
	conditional := w.change.IfUnchanged != nil && w.change.Delete
	if len(w.change.Set)+len(w.change.Clear) > 0 || conditional {
		if err := w.update(ctx); err != nil {
			return err
		}
	}
	var err error
	switch {
	case w.change.Delete:
		err = w.each(ctx, w.deleteItems)
	case w.change.MoveTo != "":
		err = w.each(ctx, func(ctx context.Context, part []*changing) error { return w.bring(ctx, "MoveItem", part) })
	case w.change.CopyTo != "":
		err = w.each(ctx, func(ctx context.Context, part []*changing) error { return w.bring(ctx, "CopyItem", part) })
	}
	if err == nil {
		w.settle(session.Done, nil)
	}
	return err
}

// versions notes which version each message has to have.
func (w *work) versions() {
	for _, t := range w.items {
		v := w.change.IfUnchanged[t.id]
		if v == "" {
			t.fail(fmt.Errorf("%s: apply: IfUnchanged names no version of it", w.client.address))
			continue
		}
		t.change = string(v)
	}
}

// each runs a step on the messages that have no outcome yet, and again on those that
// the server was too busy for.
func (w *work) each(ctx context.Context, step func(ctx context.Context, part []*changing) error) error {
	for try := 1; ; try++ {
		part := w.open()
		if len(part) == 0 {
			return nil
		}
		err := w.outcome(step(ctx, part), part)
		busy := firstBusy(part)
		if err != nil || busy == nil {
			return err
		}
		if !w.client.retry.Again(try, busy) {
			w.client.held.Hold(retry.After(busy)) // also for other requests
			return nil                            // it is told of each
		}
		w.client.held.Hold(w.client.retry.Wait(try, busy))
		if err := w.client.await(ctx); err != nil {
			return fmt.Errorf("%s: %w", w.client.address, err)
		}
		for _, t := range part {
			if t.result.Outcome == session.NotDone && tooBusy(t.result.Err) {
				t.result = session.Result{}
			}
		}
	}
}

// firstBusy returns the error of a message that the server was too busy for.
func firstBusy(part []*changing) error {
	for _, t := range part {
		if t.result.Outcome == session.NotDone && tooBusy(t.result.Err) {
			return t.result.Err
		}
	}
	return nil
}

func tooBusy(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.class() == throttled || e.Code == "ErrorBatchProcessingStopped")
}

// unsureError says that the answer to a change was lost.
type unsureError struct{ error }

// Unwrap returns the cause.
func (e *unsureError) Unwrap() error { return e.error }

// outcome gives the messages of a step that failed as a whole their outcome, and
// returns the error where the next one would fail as well.
func (w *work) outcome(err error, part []*changing) error {
	if err == nil {
		return nil
	}
	_, unsure := errors.AsType[*unsureError](err)
	for _, t := range part {
		switch {
		case !t.open():
		case unsure:
			t.result.Err = err // the outcome stays unknown
		default:
			t.fail(err)
		}
	}
	if answered(err) {
		if errors.Is(err, session.ErrNoFolder) {
			w.client.forget()
		}
		return nil // it concerns these messages alone
	}
	return err
}

// act makes a request that changes something; where it was sent, and the server has
// not said what became of it, the error is an unsureError.
func (w *work) act(ctx context.Context, r *request, parse func(a *answer) error) error {
	err := w.client.call(ctx, r, parse)
	if err != nil && r.sent && mayBeDone(err) {
		return &unsureError{err}
	}
	return err
}

// bring moves or copies messages.
func (w *work) bring(ctx context.Context, op string, part []*changing) error {
	r := &request{
		op: op, once: true, single: true,
		body: el("m:"+op, el("m:ToFolderId", folderID(w.to.id)), el("m:ItemIds", itemIDs(keysOf(part))...)),
	}
	return w.act(ctx, r, func(a *answer) error {
		return a.outcomes(part, func(t *changing, it *itemInfo) {
			if it.id != "" {
				t.result.NewID = w.client.idOf(w.to, it.id)
			}
		})
	})
}

// deleteItems removes messages.
func (w *work) deleteItems(ctx context.Context, part []*changing) error {
	kind := "HardDelete"
	if w.client.opts.SoftDelete {
		kind = "SoftDelete"
	}
	body := el("m:DeleteItem", el("m:ItemIds", itemIDs(keysOf(part))...)).
		with("DeleteType", kind).with("SendMeetingCancellations", "SendToNone").with("AffectedTaskOccurrences", "AllOccurrences")
	r := &request{op: "DeleteItem", once: true, single: true, body: w.client.quietly(body)}
	return w.act(ctx, r, func(a *answer) error { return a.outcomes(part, nil) })
}

// quietly keeps the server from telling senders who asked for it that their mail was
// read, or was deleted unread.
func (c *Client) quietly(body element) element {
	if v := c.version.Load(); v != nil && v.atLeast(version{15, 0, 847}) {
		return body.with("SuppressReadReceipts", boolean(true))
	}
	return body
}

func keysOf(part []*changing) []string {
	keys := make([]string, len(part))
	for i, t := range part {
		keys[i] = t.key
	}
	return keys
}

// outcomes reads one reply for each message.
func (a *answer) outcomes(part []*changing, done func(t *changing, it *itemInfo)) error {
	told := 0
	items := make([]*itemInfo, len(part))
	err := a.replies(func(i int, name string) error {
		switch {
		case i >= len(part):
		case name == "MovedItemId":
			items[i] = &itemInfo{id: a.attr("Id")}
		case name == "Items":
			return a.children(func(string) (err error) {
				items[i], err = a.item()
				return err
			})
		}
		return nil
	}, func(i int, err error) error {
		if told++; i >= len(part) {
			return nil
		}
		t := part[i]
		if refusal, bad := errors.AsType[*Error](err); bad {
			t.fail(refusal)
			return nil
		}
		t.result.Outcome = session.Done
		if done != nil && items[i] != nil {
			done(t, items[i])
		}
		return nil
	})
	if err == nil && told != len(part) {
		return a.malformed("it is about another number of messages")
	}
	return err
}
