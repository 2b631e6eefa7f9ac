package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mailsession/mailsession/state"
)

// Entry returns what is known of the message under a key, or an error that wraps
// [ErrNoEntry].
func (b *Outbox) Entry(ctx context.Context, key string) (Entry, error) {
	it, err := b.load(ctx, b.entryKey(key))
	return entryOf(it), failure("look up", key, err)
}

// Entries iterates over what is known of messages, of those in one of the given
// states or of all where none is given, those first that were enqueued first. An
// error is the last item: also for entries that cannot be read, behind the others.
func (b *Outbox) Entries(ctx context.Context, states ...State) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		all, err := b.all(ctx)
		for _, it := range all {
			if len(states) > 0 && !slices.Contains(states, it.State) {
				continue
			}
			if !yield(it.Entry, nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// all returns all entries, those first that were enqueued first, and what is wrong
// with those that cannot be read.
func (b *Outbox) all(ctx context.Context) (all []*item, unread error) {
	for key, err := range b.list.List(ctx, b.opts.Prefix+entryPart) {
		if err != nil {
			return nil, fmt.Errorf("outbox: list the entries: %w", err)
		}
		it, err := b.load(ctx, key)
		if errors.Is(err, ErrNoEntry) {
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("outbox: list the entries: %w", err)
			}
			unread = errors.Join(unread, fmt.Errorf("outbox: list the entries: %w", err))
			continue
		}
		all = append(all, it)
	}
	slices.SortStableFunc(all, func(x, y *item) int {
		return cmp.Or(x.Queued.Compare(y.Queued), cmp.Compare(x.Key, y.Key))
	})
	return all, unread
}

// MarkSent has a message that is [StateUnknown] count as sent. Its copy in the folder of
// sent mail is then filed where one is asked for.
func (b *Outbox) MarkSent(ctx context.Context, key string) error {
	return b.decide(ctx, key, "mark as sent", []State{StateUnknown}, func(it *item, now time.Time) {
		it.turn(Unsure, Accepted, "")
		it.Err, it.Next = "", now
		it.CopyDue = b.session != nil && b.session.SavesSent(it.Envelope)
	})
}

// Resend has a message that is [StateUnknown], [StateFailed] or [StatePartial] sent to all recipients that
// it was not accepted for, whatever became of earlier tries. Recipients of a message
// that is Unknown may get it twice, under the same Message-ID.
func (b *Outbox) Resend(ctx context.Context, key string) error {
	return b.decide(ctx, key, "send again", []State{StateUnknown, StateFailed, StatePartial}, func(it *item, now time.Time) {
		it.turn(Unsure, Waiting, "")
		it.turn(Refused, Waiting, "")
		it.Err, it.Tries, it.Since, it.Next = "", 0, now, now
	})
}

// Drop takes a message out: it is not sent, nor looked for, any more. One that is
// [StateSending] is not dropped, nor one that was sent. The key stays used until the
// entry is pruned.
func (b *Outbox) Drop(ctx context.Context, key string) error {
	var body string
	err := b.decide(ctx, key, "drop", []State{StateNew, StateUnknown, StateFailed, StatePartial}, func(it *item, _ time.Time) {
		it.State, it.CopyDue = StateDropped, false
		body = it.Body
	})
	if err == nil {
		b.discard(ctx, body)
	}
	return err
}

// decide changes an entry as the program wants it, where it is in one of some states.
func (b *Outbox) decide(ctx context.Context, key, op string, from []State, change func(it *item, now time.Time)) error {
	for {
		it, err := b.load(ctx, b.entryKey(key))
		if err != nil {
			return failure(op, key, err)
		}
		if !slices.Contains(from, it.State) {
			return &StateError{Key: key, State: it.State, Op: op}
		}
		now := time.Now()
		it.Claim = "" // what an earlier worker comes to know does not count any more
		change(it, now)
		if it.State != StateDropped {
			it.become(now)
		}
		it.Changed = now
		if it.Decided() && !it.CopyDue {
			it.Next = time.Time{}
		}
		err = b.swap(ctx, it)
		if errors.Is(err, state.ErrConflict) {
			continue
		}
		if err != nil {
			return failure(op, key, err)
		}
		b.tell(ctx, it)
		select {
		case b.wake <- struct{}{}:
		default:
		}
		return nil
	}
}

// Prune forgets messages that have been [Entry.Decided] for longer than age, and
// those that their program began to enqueue as long ago, a day at least, and never
// came to the end with. It returns how many. Their keys may be used again.
func (b *Outbox) Prune(ctx context.Context, age time.Duration) (int, error) {
	all, unread := b.all(ctx)
	n := 0
	for _, it := range all {
		if time.Since(it.Changed) <= age || it.CopyDue || !it.Decided() && !b.abandoned(ctx, it) {
			continue
		}
		// The entry goes first: where the program has it sent again at this moment, its
		// bytes are needed. Those that a crash leaves here no entry names any more.
		_, err := b.put(ctx, it.key, it.version, nil)
		if errors.Is(err, state.ErrConflict) {
			continue
		}
		if err != nil {
			return n, failure("prune", it.Key, err)
		}
		b.discard(ctx, it.Body)
		n++
	}
	return n, unread
}

// abandonedAfter is longer than anybody takes to enqueue a message.
const abandonedAfter = 24 * time.Hour

// abandoned reports whether the program that enqueued a message ended before its
// bytes were kept, and did not come back.
func (b *Outbox) abandoned(ctx context.Context, it *item) bool {
	if it.State != StateNew || it.Tries > 0 || time.Since(it.Changed) <= abandonedAfter {
		return false
	}
	body, err := b.store.Load(ctx, it.Body)
	return err == nil && body.Version == ""
}
