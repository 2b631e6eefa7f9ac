package pop3x

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// DefaultInterval is the time between two looks where [WatchOptions.Interval] is
// zero.
const DefaultInterval = time.Minute

// WatchOptions are the settings of [Client.Watch] and [Client.WaitFor]. The zero
// value works.
type WatchOptions struct {
	// Interval is the time between two looks into the maildrop; zero means
	// [DefaultInterval]. A server that wants more time between two sign-ins gets
	// it.
	Interval time.Duration
}

// Watch iterates over the messages that come and match q, oldest first, until
// ctx ends; POP3 tells of nothing by itself, so that the maildrop is looked into
// again and again. Each look takes a sign-in and the names of all messages.
//
// Without [Options.Store], what was there at the first look is not told. With
// it, the names of the messages that were told are kept, page by page and when
// the loop is left, so that a later Watch of the same mailbox goes on where this
// one ended. A message counts as told when the loop comes back for the next: none
// is lost, and where the program dies some may be told again.
//
// A message that cannot be read is a [*session.ItemError], and is told once.
// Trouble that passes is waited over, for one interval each; any other error is
// the last item. Limit, OldestFirst and After of q do not count. A nil opts means
// the zero WatchOptions.
func (c *Client) Watch(ctx context.Context, q session.Query, opts *WatchOptions) iter.Seq2[*session.Message, error] {
	return func(yield func(*session.Message, error) bool) {
		w := newWatch(c, q, opts)
		err := w.begin(ctx)
		for err == nil {
			var more bool
			if more, err = w.look(ctx, yield); !more {
				return
			}
			if err == nil || session.Temporary(err) {
				err = w.pause(ctx)
			}
		}
		yield(nil, err)
	}
}

// WaitFor returns the first message that matches q, one that is there already or
// one that comes: for programs and tests that expect a code or a receipt. It
// looks as [Client.Watch] does, and ends with an error where ctx ends.
func (c *Client) WaitFor(ctx context.Context, q session.Query, opts *WatchOptions) (*session.Message, error) {
	w := newWatch(c, q, opts)
	w.volatile, w.known = true, known{}
	for {
		var found *session.Message
		_, err := w.look(ctx, func(m *session.Message, _ error) bool {
			found = m
			return m == nil // a message that cannot be read is none to wait for
		})
		if found != nil || err != nil && !session.Temporary(err) {
			return found, err
		}
		if err := w.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// known is the keys of the messages that were told, or need not be.
type known map[string]bool

// watch is one loop over what comes.
type watch struct {
	client   *Client
	query    session.Query
	interval time.Duration
	volatile bool // nothing is kept
	known    known
	version  state.Version
}

func newWatch(c *Client, q session.Query, opts *WatchOptions) *watch {
	var o WatchOptions
	if opts != nil {
		o = *opts
	}
	q.Limit, q.OldestFirst, q.After = 0, true, session.ID{}
	return &watch{client: c, query: q, interval: cmp.Or(o.Interval, DefaultInterval), volatile: c.opts.Store == nil}
}

// begin loads what was told before.
func (w *watch) begin(ctx context.Context) error {
	if w.volatile {
		return nil
	}
	record, err := w.client.opts.Store.Load(ctx, w.key())
	if err != nil || record.Version == "" {
		return err
	}
	var kept knownRecord
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return fmt.Errorf("pop3: the record %s of what was told cannot be read; delete it to begin anew: %w", w.key(), err)
	}
	w.version, w.known = record.Version, known{}
	for _, key := range kept.Known {
		w.known[key] = true
	}
	return nil
}

// knownRecord is what the Store keeps.
type knownRecord struct {
	Version int      `json:"version"`
	Known   []string `json:"known"`
}

func (w *watch) key() string { return "pop3/" + w.client.mailbox + "/known" }

// keep writes down what was told. Another Watch of the mailbox that did so
// meanwhile is an error: they would tell the same messages.
func (w *watch) keep(ctx context.Context) error {
	if w.volatile {
		return nil
	}
	value, err := json.Marshal(knownRecord{Version: 1, Known: slices.Sorted(maps.Keys(w.known))})
	if err != nil {
		return fmt.Errorf("pop3: keep what was told: %w", err)
	}
	w.version, err = w.client.opts.Store.CompareAndSwap(ctx, w.key(), w.version, value)
	if errors.Is(err, state.ErrConflict) {
		return fmt.Errorf("pop3: the mailbox is watched elsewhere with the same Store: %w", err)
	}
	return err
}

// pause waits for the next look.
func (w *watch) pause(ctx context.Context) error {
	timer := time.NewTimer(max(w.interval, time.Duration(w.client.delay.Load())))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: wait for messages: %w", w.client.address, retry.Ended(ctx))
	}
}

// look tells what is new. More is false where the loop wants no more.
func (w *watch) look(ctx context.Context, yield func(*session.Message, error) bool) (more bool, err error) {
	l, err := w.client.list(ctx, w.query)
	if err != nil {
		return true, err
	}
	there := make(known, len(l.there))
	for key := range l.there {
		there[key] = true
	}
	if w.known == nil {
		w.known = there
		return true, w.keep(ctx)
	}
	l.left = slices.DeleteFunc(l.left, func(e entry) bool { return e.key == "" || w.known[e.key] })
	maps.DeleteFunc(w.known, func(key string, _ bool) bool { return !there[key] })
	for len(l.left) > 0 {
		items, err := l.next(ctx)
		for _, it := range items {
			if !yield(it.message, it.err) {
				return false, w.keep(ctx)
			}
			w.known[it.entry.key] = true
		}
		if err = cmp.Or(err, w.keep(ctx)); err != nil {
			return true, err
		}
	}
	for key := range there {
		w.known[key] = true // what does not match need not be looked at again
	}
	return true, w.keep(ctx)
}
