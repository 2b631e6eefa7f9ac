package pop3x

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// Apply implements [session.Incoming]. Of changes there are [session.Change]'s
// Delete, and [session.Seen] where [Options.Store] keeps it.
//
// Messages are deleted together, in a session of their own that ends with them.
// A message is [session.Done] when the server has agreed to that end. Where the
// line is lost before the end was asked for, nothing is deleted and every
// message is NotDone; where the server's answer to it is lost, or is a refusal,
// they are [session.DoneUnknown].
func (c *Client) Apply(ctx context.Context, change session.Change, ids ...session.ID) ([]session.Result, error) {
	b := c.sortOut(ids)
	if err := change.Check(); err != nil {
		b.settle(session.NotDone, err)
		return b.results, err
	}
	if err := c.unsupported(change); err != nil {
		b.settle(session.NotDone, err)
		return b.results, flagsError(change)
	}
	if len(b.items) == 0 {
		return b.results, nil
	}
	err := c.do(ctx, task{
		op: "apply", fresh: true, again: func() bool { return !b.uncertain },
		attrs: []slog.Attr{slog.Int("messages", len(b.items))},
		run:   func(cn *conn) error { return b.run(ctx, cn, change) },
	})
	if b.uncertain && err != nil {
		b.settle(session.DoneUnknown, err)
		return b.results, err
	}
	if err != nil {
		b.settle(session.NotDone, err)
		return b.results, err
	}
	b.settle(session.Done, nil)
	return b.results, nil
}

// unsupported returns why a change cannot be made, nil where it can.
func (c *Client) unsupported(change session.Change) error {
	switch {
	case change.MoveTo != "" || change.CopyTo != "":
		return fmt.Errorf("pop3: POP3 has no folder to move or copy to: %w", errors.ErrUnsupported)
	case len(change.AddLabels)+len(change.RemoveLabels) > 0:
		return fmt.Errorf("pop3: POP3 has no label: %w", errors.ErrUnsupported)
	case change.IfUnchanged != nil:
		return fmt.Errorf("pop3: POP3 keeps no versions of messages: %w", errors.ErrUnsupported)
	case c.setup.ReadOnly:
		return errors.New("pop3: the client was opened for reading alone")
	}
	for _, f := range slices.Concat(change.Set, change.Clear) {
		if !strings.EqualFold(string(f), string(session.Seen)) {
			return fmt.Errorf("pop3: POP3 keeps no flag or keyword: %w", errors.ErrUnsupported)
		}
		if c.opts.Store == nil {
			return fmt.Errorf("pop3: POP3 keeps no flag; set Options.Store to have Seen kept: %w", errors.ErrUnsupported)
		}
	}
	return nil
}

// flagsError returns what is wrong with the flags of a change in any protocol.
func flagsError(change session.Change) error {
	for _, f := range slices.Concat(change.Set, change.Clear) {
		if !backend.IsAtom(f) {
			return fmt.Errorf("pop3: %q cannot be a flag", f)
		}
	}
	return nil
}

// batch is messages that are changed together, with their results.
type batch struct {
	client    *Client
	results   []session.Result
	items     map[string][]int // of a key in results: an id may be given twice
	keys      []string         // of items, in the order they were given
	parts     map[string]session.IDParts
	uncertain bool // the server was asked to do it
}

// sortOut sorts ids by message. What is not an id of this mailbox gets its
// result at once.
func (c *Client) sortOut(ids []session.ID) *batch {
	b := &batch{
		client: c, results: make([]session.Result, len(ids)),
		items: map[string][]int{}, parts: map[string]session.IDParts{},
	}
	for i, id := range ids {
		b.results[i].ID = id
		parts, err := c.own(id)
		if err != nil {
			b.results[i].Outcome, b.results[i].Err = session.NotDone, err
			continue
		}
		if b.items[parts.Key] == nil {
			b.keys = append(b.keys, parts.Key)
			b.parts[parts.Key] = parts
		}
		b.items[parts.Key] = append(b.items[parts.Key], i)
	}
	return b
}

// settle gives every message that has none yet an outcome.
func (b *batch) settle(o session.ChangeOutcome, err error) {
	for _, key := range b.keys {
		b.outcome(key, o, err)
	}
}

// outcome gives one message an outcome, unless it has one.
func (b *batch) outcome(key string, o session.ChangeOutcome, err error) {
	for _, i := range b.items[key] {
		if r := &b.results[i]; r.Outcome == session.DoneUnknown && r.Err == nil {
			r.Outcome, r.Err = o, err
		}
	}
}

// run makes the change in a session.
func (b *batch) run(ctx context.Context, cn *conn, change session.Change) error {
	var found []entry
	problems := map[string]error{}
	for _, key := range b.keys {
		e, err := cn.look(b.parts[key])
		if err == nil && change.Delete {
			err = deletable(cn, e)
		}
		switch {
		case err == nil:
			found = append(found, e)
		case cn.w.Err() != nil || cn.drop == nil:
			return err
		default:
			problems[key] = err
		}
	}
	if len(change.Set)+len(change.Clear) > 0 && len(found) > 0 {
		var keys []string
		for _, e := range found {
			keys = append(keys, e.key)
		}
		if err := b.client.updateSeen(ctx, keys, len(change.Set) > 0, cn.drop); err != nil {
			return err
		}
	}
	if change.Delete && len(found) > 0 {
		if err := b.delete(cn, found, problems); err != nil {
			return err
		}
	}
	for key, err := range problems {
		b.outcome(key, session.NotDone, err)
	}
	return nil
}

// errShared says why a message is not deleted.
var errShared = errors.New("another message has the same name, so that the server cannot be told which of them to delete")

// deletable reports what speaks against deleting a message.
func deletable(cn *conn, e entry) error {
	switch {
	case cn.drop.byHeader:
		return fmt.Errorf("%s: the server has no UIDL, without which no message can be deleted safely: %w", cn.server, errors.ErrUnsupported)
	case e.shared:
		return fmt.Errorf("%s: %w", cn.server, errShared)
	}
	return nil
}

// delete marks messages and ends the session. The first error of a mark that is
// not about its message takes all marks back.
func (b *batch) delete(cn *conn, found []entry, problems map[string]error) error {
	w := &window{conn: cn, op: opDele, size: func(int) int64 { return 0 }}
	for _, e := range found {
		w.numbers = append(w.numbers, e.number)
	}
	marked := 0
	for _, e := range found {
		switch err := w.next(); {
		case answered(err):
			problems[e.key] = err
		case err != nil:
			return b.takeBack(cn, err)
		default:
			marked++
		}
	}
	if marked == 0 {
		return nil
	}
	if err := cn.inStep(opQuit); err != nil {
		return err
	}
	b.uncertain, cn.marked = true, true
	return cn.quit()
}

// takeBack takes back the marks of a session in which not all could be made, so
// that its end deletes nothing.
func (b *batch) takeBack(cn *conn, cause error) error {
	if cn.Usable() {
		if err := cn.rset(); err != nil {
			cn.w.Kill(err)
		}
		return cause
	}
	cn.w.Kill(cause) // a session that is not ended by QUIT deletes nothing
	return cause
}

// DeleteBefore deletes the messages that came before t, as far as their headers
// tell when that was, and of these only those that were marked as seen where
// [Options.Store] is set. It is the age in "leave messages on the server for two
// weeks":
//
//	results, err := client.DeleteBefore(ctx, time.Now().AddDate(0, 0, -14))
//
// There is one Result for each message that was to go. A message without a date
// stays. The zero time is an error, and deletes nothing.
func (c *Client) DeleteBefore(ctx context.Context, t time.Time) ([]session.Result, error) {
	if t.IsZero() {
		return nil, errors.New("pop3: delete by age: no time is given before which messages are old; nothing is deleted")
	}
	q := session.Query{Where: session.Filter{Before: t}, Fields: session.FieldReceived, ScanLimit: -1, OldestFirst: true}
	if c.opts.Store != nil {
		q.Where.Unread = session.No
	}
	var ids []session.ID
	for m, err := range c.Messages(ctx, q) {
		_, item := errors.AsType[*session.ItemError](err)
		switch {
		case item: // one that cannot be read stays
		case err != nil:
			return nil, err
		case !m.Received.IsZero():
			ids = append(ids, m.ID)
		}
	}
	return c.Apply(ctx, session.Change{Delete: true}, ids...)
}
