package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// pruneEvery is how often Run prunes.
const pruneEvery = time.Hour

// Run sends what is in the outbox, as it comes and as it is due, until ctx ends, and
// returns why that ended. What is being sent then is stopped; where the message had
// not left wholly it waits for the next Run. Errors of the Store and of servers are
// logged, and it goes on. Any other error is returned at once: the session cannot
// send.
func (b *Outbox) Run(ctx context.Context) error {
	var pruned time.Time
	for failures := 0; ; {
		next, err := b.pass(ctx, false)
		if fatal := b.fatal(err); fatal != nil {
			return fatal
		}
		if b.opts.KeepFor > 0 && time.Since(pruned) >= pruneEvery {
			_, failed := b.Prune(ctx, b.opts.KeepFor)
			err = errors.Join(err, failed)
			pruned = time.Now()
		}
		wait := b.opts.Poll
		failures++
		if err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			b.log.LogAttrs(ctx, slog.LevelWarn, "outbox: the Store cannot be used", slog.Any("error", err))
			wait = b.storePace().Wait(failures, nil)
		}
		if until := time.Until(next); !next.IsZero() && until < wait {
			wait = max(until, 0)
		}
		if err := pause(ctx, wait, b.wake); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
}

// storePace is how long to leave a Store alone that fails.
func (b *Outbox) storePace() retry.Policy {
	return retry.Policy{Initial: min(time.Second, b.opts.Poll), Max: b.opts.Poll}
}

// Drain sends what is due, each message once at most, and returns: for programs
// that run now and then. What it cannot send stays, which is no error. Pauses that the
// server or the session's own settings want are waited for, up to [Options.MaxWait]
// each. Where ctx ends before it has tried all that is due, the error wraps the
// context's.
//
// Where it finds messages in the hands of other workers it watches those until they
// show that they are alive, by renewing their claims or by being done, which a third
// of [Options.Term] is enough for. Messages of workers that do not for the whole term
// become [StateUnknown], and are looked for.
func (b *Outbox) Drain(ctx context.Context) error {
	_, err := b.pass(ctx, true)
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = errors.Join(err, fmt.Errorf("outbox: %w", ended))
	}
	if b.fatal(err) == nil {
		err = errors.Join(err, b.watchOthers(ctx))
	}
	if fatal := b.fatal(err); fatal != nil {
		return fatal
	}
	return err
}

// errNoSender says that the outbox has nothing to send through.
var errNoSender = fmt.Errorf("outbox: it was made without a session: %w", errors.ErrUnsupported)

// cannotSendError says that the session has no way out.
type cannotSendError struct{ err error }

func (e *cannotSendError) Error() string { return e.err.Error() }
func (e *cannotSendError) Unwrap() error { return e.err }

// fatal returns the error after which no try can succeed, or nil.
func (b *Outbox) fatal(err error) error {
	if errors.Is(err, errNoSender) {
		return errNoSender
	}
	if e, ok := errors.AsType[*cannotSendError](err); ok {
		return fmt.Errorf("outbox: %w", e.err)
	}
	return nil
}

// pass does for each message what is due, the oldest first, and returns when to
// come again; zero where nothing is known to become due. Where it is patient it waits
// for pauses in its way.
func (b *Outbox) pass(ctx context.Context, patient bool) (next time.Time, err error) {
	if b.session == nil {
		return next, errNoSender
	}
	var bodies []string
	for key, err := range b.list.List(ctx, b.opts.Prefix+bodyPart) {
		if err != nil {
			return next, fmt.Errorf("outbox: list the messages: %w", err)
		}
		bodies = append(bodies, key)
	}
	for _, body := range bodies {
		if ctx.Err() != nil {
			return next, nil
		}
		due, failed := b.work(ctx, body)
		for patient && b.waits(ctx, failed) {
			due, failed = b.work(ctx, body)
		}
		if hold, ok := errors.AsType[*holdError](failed); ok {
			b.hold(hold.until)
			due = hold.until
		} else {
			err = errors.Join(err, failed)
		}
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next, err
}

// waits waits for the end of a pause for which a message was not tried. It reports
// false where there is none, or where it is too long.
func (b *Outbox) waits(ctx context.Context, failed error) bool {
	hold, ok := errors.AsType[*holdError](failed)
	return ok && hold.pause && time.Until(hold.until) <= b.opts.MaxWait && pause(ctx, time.Until(hold.until), nil) == nil
}

// work does what is due for the message with the bytes at a key, and returns when
// something is due next.
func (b *Outbox) work(ctx context.Context, body string) (next time.Time, err error) {
	key, ok := b.parseBody(body)
	if !ok {
		return next, fmt.Errorf("outbox: %s is not of an outbox", body)
	}
	it, err := b.load(ctx, key)
	switch {
	case errors.Is(err, ErrNoEntry) || err == nil && it.Body != body:
		// Bytes are named by their entry before they are kept: these never will be.
		b.discard(ctx, body)
		return next, nil
	case err != nil:
		return next, err
	}
	now, held := time.Now(), b.heldUntil()
	if it.State == StateSending {
		return b.watch(ctx, it)
	}
	b.forget(it)
	b.correct(it, now)
	switch {
	case it.Next.After(now):
		return it.Next, nil
	case it.State == StateNew && held.After(now):
		return held, nil
	case it.State == StateNew:
		err = b.send(ctx, it)
	case it.State == StateUnknown && !it.Next.IsZero():
		err = b.resolve(ctx, it)
	default:
		err = b.finish(ctx, it)
	}
	return it.Next, err
}

// clockSlack is how far the clocks of those who share an outbox may be apart.
const clockSlack = 5 * time.Minute

// longestWait is how long an entry that is not to be sent waits at most for what is due
// for it, where the options do not say more.
const longestWait = 24 * time.Hour

// farthest bounds how long an entry that is not to be sent waits.
func (b *Outbox) farthest() time.Duration { return max(longestWait, b.opts.MaxWait, b.opts.Term) }

// correct has an entry wait no longer whose times were set by a clock that was wrong: it
// came to its state at a time that is yet to come, or what is due for it is further away
// than anything ever is. What is done for it then sets its times anew. When a message is
// to be sent depends on the server's wishes too, which may be for any time; it is set
// together with when it came to that.
func (b *Outbox) correct(it *item, now time.Time) {
	ahead := it.Changed.Sub(now) > clockSlack
	if ahead {
		it.Changed = now
	}
	if it.Next.After(now) && (ahead || it.State != StateNew && it.Next.Sub(now) > b.farthest()+clockSlack) {
		it.Next = now
	}
}

// hold has nothing sent before a time.
func (b *Outbox) hold(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = until
}

// heldUntil returns before when nothing is sent.
func (b *Outbox) heldUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// watch looks whether the worker that claims a message is gone. What it had in its
// hands is unknown then.
func (b *Outbox) watch(ctx context.Context, it *item) (next time.Time, err error) {
	now := time.Now()
	if left := b.aliveFor(it); left > 0 {
		return now.Add(left), nil
	}
	b.forget(it)
	it.turn(Waiting, Unsure, "")
	it.Err = "the worker that was sending it is gone"
	it.become(now)
	it.lookFor(now)
	return it.Next, b.keep(ctx, it)
}

// pause waits for d, for something new, or for the end of ctx and returns why it
// ended.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return retry.Ended(ctx)
	}
}
