package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// maxCopyTries is how often it is tried to file a copy.
const maxCopyTries = 8

// finish files the copy that is due, and removes the bytes of a message that needs
// them no more.
func (b *Outbox) finish(ctx context.Context, it *item) error {
	if it.CopyDue {
		if err := b.file(ctx, it); err != nil {
			return err
		}
	}
	if !it.CopyDue && (it.State == StateSent || it.State == StateDropped) {
		b.discard(ctx, it.Body)
	}
	return nil
}

// file files the copy of a message that was accepted for somebody. Where that
// fails it is tried again later.
func (b *Outbox) file(ctx context.Context, it *item) error {
	if now := time.Now(); it.Decided() && !it.Next.After(now) {
		it.Next = now.Add(b.opts.Term) // until then it is this worker's
		err := b.swap(ctx, it)
		if errors.Is(err, state.ErrConflict) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("outbox: claim the copy of %q: %w", it.Key, err)
		}
	}
	body, err := b.store.Load(ctx, it.Body)
	if err != nil {
		return fmt.Errorf("outbox: load the bytes of %q: %w", it.Key, err)
	}
	made := session.SentCopy{State: session.CopyFailed, Err: errors.New("the message's bytes are not in the Store any more")}
	it.CopyDue = false
	if body.Version != "" {
		made, err = b.session.SaveSent(ctx, it.Envelope, message.Bytes(body.Value))
		b.at(pointFiled)
		it.CopyTries++
		it.CopyDue = err != nil && !errors.Is(err, errors.ErrUnsupported) && it.CopyTries < maxCopyTries
		if ctx.Err() != nil {
			return nil // whoever goes on looks first
		}
	}
	it.Copy, it.CopyErr = made.State, ""
	if made.Err != nil {
		it.CopyErr = made.Err.Error()
	}
	if it.CopyDue && it.Decided() {
		it.Next = time.Now().Add(min(b.pace.Wait(it.CopyTries, made.Err), b.farthest()))
	} else if it.Decided() {
		it.Next = time.Time{}
	}
	ctx, cancel := beyond(ctx)
	defer cancel()
	err = b.swap(ctx, it)
	if errors.Is(err, state.ErrConflict) {
		it.CopyDue = true // the bytes are for whoever was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("outbox: keep what became of the copy of %q: %w", it.Key, err)
	}
	b.at(pointNoted)
	return nil
}

// What is done about a message that is Unknown: it is looked for at once, since the
// server may file what is sent as it takes it, and then at growing intervals, for
// about a day.
const (
	firstLook = 30 * time.Second
	lookTimes = 3 // each interval is so many times the one before
	maxLook   = 6 * time.Hour
	maxLooks  = 10
)

// resolve looks for a message in the folder of sent mail.
func (b *Outbox) resolve(ctx context.Context, it *item) error {
	_, err := b.session.FindSent(ctx, it.MessageID)
	now := time.Now()
	pace := b.pace
	pace.Initial, pace.Factor, pace.Max = firstLook, lookTimes, maxLook
	switch {
	case err == nil && !it.provenByCopy():
		it.Found, it.Next = true, time.Time{}
		it.Err = "it is in the folder of sent mail, and which of its recipients the server took it for is not known"
	case err == nil:
		it.turn(Unsure, Accepted, "")
		it.Found, it.Err, it.Next = true, "", now
		it.CopyDue = b.session.SavesSent(it.Envelope)
		it.become(now)
		if err := b.keep(ctx, it); err != nil {
			return err
		}
		return b.finish(ctx, it)
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the worker ends, and the next one goes on
	case errors.Is(err, session.ErrNoMessage):
		it.Looks++
		it.Next = now.Add(pace.Wait(it.Looks, nil))
		if it.Looks >= maxLooks {
			it.Next = time.Time{}
		}
	case session.Temporary(err) || session.NeedsSignIn(err):
		it.Next = now.Add(min(b.pace.Wait(1, err), b.farthest()))
	default: // there is nowhere to look
		it.Next = time.Time{}
	}
	return b.keep(ctx, it)
}
