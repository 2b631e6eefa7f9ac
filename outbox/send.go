package outbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// holdError says that no message can be sent for now, whichever it is.
type holdError struct {
	until time.Time
	err   error
	pause bool // the message was not tried, since a pause was asked for
}

func (e *holdError) Error() string { return "outbox: no message can be sent for now: " + e.err.Error() }
func (e *holdError) Unwrap() error { return e.err }

// send sends an item to the recipients that wait, and keeps what became of it.
func (b *Outbox) send(ctx context.Context, it *item) error {
	body, err := b.store.Load(ctx, it.Body)
	if err != nil {
		return fmt.Errorf("load the message's bytes: %w", err)
	}
	if body.Version == "" {
		it.turn(Waiting, Refused, "the message's bytes are not in the Store any more")
		it.Err = "the message's bytes are not in the Store any more"
		it.become(time.Now())
		return b.keep(ctx, it)
	}
	c, held, err := b.claim(ctx, it)
	if errors.Is(err, state.ErrConflict) {
		return nil // it is in other hands
	}
	if err != nil {
		return fmt.Errorf("claim a message: %w", err)
	}
	b.at(pointClaimed)
	e := it.Envelope
	e.To, e.SaveSent = it.in(Waiting), session.SentNever
	// A pause that is asked for is waited for as StateNew, where nothing is in doubt.
	receipt, err := b.session.Send(throttle.Impatient(held), e, message.Bytes(body.Value))
	b.at(pointAnswered)
	it = c.end()
	if cause := context.Cause(held); errors.Is(cause, errLost) && err != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	hold := b.settle(ctx, it, receipt, err)
	counts, err := b.recordAnswer(ctx, it, receipt, err)
	if err != nil {
		return err
	}
	b.at(pointRecorded)
	if !counts { // and what the entry says now decides about the bytes
		return hold
	}
	if it.CopyDue || it.State == StateSent {
		return errors.Join(hold, b.finish(ctx, it))
	}
	return hold
}

// behindOthers is how much later than the others a message is tried again that has held
// them. Where it alone meets that answer after all, as one does that a firewall does not
// like the words of, they go out ahead of it.
const behindOthers = time.Second

// fewestTries is how often a message is tried at least before it is given up for its
// age. It may have waited for a program that did not run, or by a clock that was wrong.
const fewestTries = 5

// settle works what became of a try into the item, and returns a holdError where
// it was not about this message.
func (b *Outbox) settle(ctx context.Context, it *item, receipt session.Receipt, err error) error {
	now := time.Now()
	it.Err = ""
	if err != nil {
		it.Err = err.Error()
	}
	it.QueueID = receipt.QueueID
	it.Heard = receipt.Outcome != session.SentUnknown || len(receipt.Recipients) > 0
	answers(it, receipt, err)
	if len(it.in(Accepted)) > 0 && it.Copy == session.CopyNone {
		it.CopyDue = b.session.SavesSent(it.Envelope)
		if !it.CopyDue {
			it.Copy = b.ownCopy(ctx, it)
		}
	}
	it.Next = now
	hold := b.reschedule(ctx, it, receipt, err)
	it.become(now)
	if it.CopyDue && it.Decided() {
		it.Next = now.Add(b.opts.Term) // this worker files it, and the next one if this one crashes
	}
	if it.State == StateUnknown {
		it.lookFor(now)
	}
	return hold
}

// reschedule sets when a message is tried again, or gives it up. Where the cause has
// nothing to do with the message it returns a holdError, or why nothing can ever be
// sent.
func (b *Outbox) reschedule(ctx context.Context, it *item, receipt session.Receipt, err error) error {
	now := it.Next
	if impossible(err) {
		return &cannotSendError{err}
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the worker ends, and the next one goes on
	}
	if pause, ok := errors.AsType[*throttle.HeldError](err); ok && receipt.Outcome == session.NotSent {
		it.Tries-- // nothing was tried
		it.Next = now.Add(pause.Remaining)
		return &holdError{until: it.Next, err: err, pause: true}
	}
	it.Next = now.Add(b.pace.Wait(it.Tries, err))
	if isFull(receipt) {
		it.Next = now
	}
	var hold error
	switch {
	case session.NeedsSignIn(err):
		it.Next = now.Add(b.opts.MaxWait)
		hold = &holdError{until: it.Next, err: err}
	case err == nil || receipt.Outcome != session.NotSent:
	case concernsAll(err), len(receipt.Recipients) == 0 && again(err):
		hold = &holdError{until: it.Next, err: err}
		it.Next = it.Next.Add(behindOthers)
	}
	if now.Sub(it.Since) >= b.opts.GiveUpAfter && it.Tries >= fewestTries {
		it.turn(Waiting, Refused, it.Err)
	}
	return hold
}

// isFull reports whether the message was accepted for as many recipients as the
// server takes at a time, so that the rest need not wait.
func isFull(receipt session.Receipt) bool {
	return receipt.Outcome == session.Partial && !slices.ContainsFunc(receipt.Recipients, func(r session.Recipient) bool {
		e, ok := errors.AsType[interface {
			error
			TooManyRecipients() bool
		}](r.Err)
		return !r.Accepted && (!ok || !e.TooManyRecipients())
	})
}

// impossible reports whether the session can send nothing at all.
func impossible(err error) bool {
	if err == nil || errors.Is(err, session.ErrClosed) {
		return err != nil
	}
	_, sent := errors.AsType[*session.SendError](err)
	_, mode := errors.AsType[*session.ModeError](err)
	return mode || !sent && errors.Is(err, errors.ErrUnsupported)
}

// ownCopy is the state of a copy that SaveSent has nothing to do for.
func (b *Outbox) ownCopy(ctx context.Context, it *item) session.CopyState {
	c, _ := b.session.SaveSent(ctx, it.Envelope, nil) // it only names the state
	return c.State
}

// answers sets the states of the recipients that a try was for.
func answers(it *item, receipt session.Receipt, err error) {
	whole := ofTheWhole(receipt, err)
	next := 0
	for i := range it.Recipients {
		r := &it.Recipients[i]
		if r.State != Waiting {
			continue
		}
		answer := session.Recipient{}
		if next < len(receipt.Recipients) {
			answer = receipt.Recipients[next]
		}
		next++
		if whole && again(err) {
			answer.Err = nil // what was said of a recipient follows from it
		}
		r.State, r.Err = answered(receipt.Outcome, answer, err), ""
		if it.Envelope.AllOrNone && receipt.Outcome == session.NotSent {
			r.State = answered(session.NotSent, session.Recipient{}, err) // the same for all
		}
		if answer.Err != nil {
			r.Err = answer.Err.Error()
		} else if r.State == Refused {
			r.Err = err.Error()
		}
	}
}

// ofTheWhole reports whether a message was not sent for another reason than that its
// recipients were refused.
func ofTheWhole(receipt session.Receipt, err error) bool {
	return receipt.Outcome == session.NotSent && err != nil &&
		!slices.ContainsFunc(receipt.Recipients, func(r session.Recipient) bool {
			return r.Err != nil && errors.Is(err, r.Err)
		})
}

// answered is the state of one recipient after a try.
func answered(o session.SendOutcome, answer session.Recipient, err error) RecipientState {
	switch {
	case o == session.Accepted || answer.Accepted:
		return Accepted
	case answer.Err != nil && again(answer.Err):
		return Waiting
	case answer.Err != nil:
		return Refused
	case o != session.NotSent:
		return Unsure
	case err == nil || again(err):
		return Waiting
	}
	return Refused
}

// concernsAll reports whether a failure is of the connection or the sign-in, in words
// that no server has said of a message: a certificate, a firewall that answers in the
// server's place, settings that do not fit any more.
func concernsAll(err error) bool {
	e, ok := errors.AsType[interface {
		error
		ConcernsAll() bool
	}](err)
	return ok && e.ConcernsAll()
}

// again reports whether what failed may succeed later: the server said so, nobody came
// as far as to ask it, the network did not carry it, the program stopped it, or somebody
// has to sign in first.
func again(err error) bool {
	if session.Temporary(err) || session.NeedsSignIn(err) || impossible(err) || concernsAll(err) {
		return true
	}
	if _, network := errors.AsType[net.Error](err); network {
		return true
	}
	for _, stopped := range []error{context.Canceled, context.DeadlineExceeded, errLost} {
		if errors.Is(err, stopped) {
			return true
		}
	}
	return false
}

// recordAnswer keeps what became of a try, also where the context ended in it. Where
// another worker has counted this one out meanwhile, the answer is worked into what
// that one made of the entry, unless the program has decided about it since: then it
// does not count.
func (b *Outbox) recordAnswer(ctx context.Context, it *item, receipt session.Receipt, sent error) (counts bool, err error) {
	ctx, cancel := beyond(ctx)
	defer cancel()
	for {
		err := b.patiently(ctx, func() error { return b.swap(ctx, it) })
		if err == nil {
			b.tell(ctx, it)
			return true, nil
		}
		if !errors.Is(err, state.ErrConflict) {
			return false, fmt.Errorf("outbox: keep what became of %q: %w", it.Key, err)
		}
		now, err := b.load(ctx, it.key)
		if errors.Is(err, ErrNoEntry) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("outbox: keep what became of %q: %w", it.Key, err)
		}
		if now.Claim != it.Claim || now.State != StateUnknown && now.State != StateSending {
			return false, nil
		}
		now.turn(Unsure, Waiting, "") // as they were when this try began
		_ = b.settle(ctx, now, receipt, sent)
		*it = *now
	}
}

// patiently does what the Store may fail to do for a moment.
func (b *Outbox) patiently(ctx context.Context, do func() error) error {
	pace := b.pace
	pace.Initial, pace.Max = 100*time.Millisecond, 5*time.Second
	for try := 1; ; try++ {
		err := do()
		if err == nil || errors.Is(err, state.ErrConflict) {
			return err
		}
		if pause(ctx, pace.Wait(try, nil), nil) != nil {
			return err
		}
	}
}

// keep keeps a change of an item's state. It is none of this worker's business any
// more where somebody else was faster.
func (b *Outbox) keep(ctx context.Context, it *item) error {
	err := b.swap(ctx, it)
	if errors.Is(err, state.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("outbox: keep the entry of %q: %w", it.Key, err)
	}
	b.tell(ctx, it)
	return nil
}
