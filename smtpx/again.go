package smtpx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// tried takes what one try of a message came to: it is tried again later, or has
// its result.
func (b *bulk) tried(ctx context.Context, j *job, rec session.Receipt, err error) {
	if lasting(err) {
		b.halt(err)
	}
	if ctx.Err() != nil {
		b.halt(retry.Ended(ctx))
	}
	full := isFull(rec)
	rec = b.receipt(j, rec)
	todo, cause := b.remaining(j, rec, err)
	wait := b.policy.Wait(j.tries-j.full, cause)
	if full {
		j.full++
		wait = 0
	}
	deadline, bounded := ctx.Deadline()
	if len(todo) == 0 || j.tries-j.full > max(b.policy.Count, 0) || bounded && time.Until(deadline) <= wait {
		b.finish(ctx, j, rec, whole(rec, err))
		return
	}
	j.sent = rec
	j.Envelope.To = nil
	for _, i := range todo {
		j.Envelope.To = append(j.Envelope.To, j.whole.To[i])
	}
	j.todo = todo
	b.waiting.Go(func() { b.later(ctx, j, wait, err) })
}

// lasting reports whether a message was refused for who sends it, and not on account of
// what its connection did before: no other message would be taken.
func lasting(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.ConcernsAll() && !e.spent
}

// isFull reports whether a try came to as many recipients as the server takes at a
// time, and to no other refusal: the rest need not wait (RFC 5321 section
// 4.5.3.1.10).
func isFull(rec session.Receipt) bool {
	full := false
	for _, r := range rec.Recipients {
		if r.Accepted {
			continue
		}
		e, ok := errors.AsType[*Error](r.Err)
		if full = ok && e.TooManyRecipients(); !full {
			return false
		}
	}
	return full && rec.Outcome == session.Partial
}

// receipt puts what the last try came to into what is known from the tries
// before.
func (b *bulk) receipt(j *job, rec session.Receipt) session.Receipt {
	if j.sent.Recipients == nil {
		return rec
	}
	all := j.sent
	all.Recipients = slices.Clone(all.Recipients)
	all.MessageID, all.QueueID = orBefore(rec.MessageID, all.MessageID), orBefore(rec.QueueID, all.QueueID)
	for i, r := range rec.Recipients {
		all.Recipients[j.todo[i]] = r
	}
	accepted := 0
	for _, r := range all.Recipients {
		if r.Accepted {
			accepted++
		}
	}
	switch {
	case rec.Outcome == session.SentUnknown:
		all.Outcome = session.SentUnknown
	case accepted == 0:
		all.Outcome = session.NotSent
	case accepted == len(all.Recipients):
		all.Outcome = session.Accepted
	default:
		all.Outcome = session.Partial
	}
	return all
}

func orBefore(now, before string) string {
	if now == "" {
		return before
	}
	return now
}

// whole returns the error that belongs to a receipt, where err is that of the
// last try.
func whole(rec session.Receipt, err error) error {
	if rec.Outcome == session.Accepted || err != nil {
		return err
	}
	for _, r := range rec.Recipients {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// remaining returns whom of the whole envelope the message is worth another try
// for, and the error that says how long to wait.
func (b *bulk) remaining(j *job, rec session.Receipt, err error) (todo []int, cause error) {
	switch refused, ok := errors.AsType[*Error](err); {
	case err == nil, rec.Outcome == session.SentUnknown, rec.Outcome == session.Partial && !b.c.retry.Recipients:
		return nil, nil
	case len(rec.Recipients) == 0 || j.whole.AllOrNone:
		if !retry.IsTemporary(err) {
			return nil, nil
		}
		return indexes(len(j.whole.To)), err
	case ok && refused.Op != opRcpt && !refused.Temporary():
		return nil, nil // a refusal of the message itself
	}
	for i, r := range rec.Recipients {
		e := r.Err
		if e == nil {
			e = err
		}
		if r.Accepted || !retry.IsTemporary(e) {
			continue
		}
		todo = append(todo, i)
		if cause == nil || retry.After(e) > retry.After(cause) {
			cause = e
		}
	}
	return todo, cause
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// later puts a message back after a while, or gives it its result where nothing
// is begun any more. It gives up its permit meanwhile, where there is room to
// wait without.
func (b *bulk) later(ctx context.Context, j *job, wait time.Duration, err error) {
	b.countWaiting(1)
	defer b.countWaiting(-1)
	without := false
	select {
	case b.room <- struct{}{}:
		without = true
		<-b.permits
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.halted:
	}
	if without {
		b.permits <- struct{}{}
		<-b.room
	}
	select {
	case <-b.halted:
		b.finish(ctx, j, j.sent, fmt.Errorf("%w; it was to be tried again after: %w", b.cause(), err))
	default:
		b.jobs <- j
	}
}

func (b *bulk) countWaiting(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.Waiting += n
	b.report()
}
