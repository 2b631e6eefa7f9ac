package session

import (
	"context"
	"errors"
	"iter"

	"github.com/mailsession/mailsession/message"
)

// Mail is one message of many; see [Session.SendAll].
type Mail struct {
	// Key is the program's own name of the message. It comes back in [MailResult] and
	// means nothing to anybody else.
	Key string
	// Envelope says who sends the message to whom.
	Envelope Envelope
	// Message is opened once for each try, and maybe once more to look at its
	// bytes.
	Message message.Source
}

// MailResult is what became of one [Mail].
type MailResult struct {
	// Key is the Mail's.
	Key string
	// Receipt is what is known after the last try. Recipients that an earlier try
	// was accepted for are accepted in it.
	Receipt Receipt
	// Tries is how many times the message was tried, 0 where it was refused
	// before anything was sent.
	Tries int
}

// BulkProgress is how far a [Session.SendAll] has come, in messages.
type BulkProgress struct {
	// Taken is how many were taken from the input.
	Taken int
	// Accepted, Partial, NotSent and Unknown are how many there is a result of, by
	// its outcome.
	Accepted, Partial, NotSent, Unknown int
	// Waiting is how many wait for their next try.
	Waiting int
}

// Done is how many messages there is a result of.
func (p BulkProgress) Done() int { return p.Accepted + p.Partial + p.NotSent + p.Unknown }

// BulkOptions are the settings of one [Session.SendAll]. The zero value works.
type BulkOptions struct {
	// Window is how many messages may be on their way over one connection before
	// the first of them is answered, where the server takes that; zero means the
	// backend's own default. All of them are [SentUnknown] where the line is lost
	// at that moment. With 1 each is answered before the next one begins.
	Window int
	// Progress, where it is not nil, is told of each change. Calls come one after
	// the other, from several goroutines; it must not block.
	Progress func(BulkProgress)
}

// BulkSender sends many messages. It is a further interface of an [Outgoing];
// see [Session.SendAll].
type BulkSender interface {
	SendAll(ctx context.Context, messages iter.Seq[Mail], opts *BulkOptions) iter.Seq2[MailResult, error]
}

// SendAll sends messages and iterates over what became of them, in the order in
// which that is known. There is one item for each message that was taken: its
// error is nil where it was accepted for everybody, else a [*SendError], and
// the loop goes on. Any other error is the last item and says why no more
// messages are taken: the context ended, the credentials were refused; those
// that were taken had their items by then.
//
// The input is ranged over in another goroutine, and only as far as the loop
// keeps up with: a program may generate a million messages. Only what is
// [NotSent] is tried again, for as long as the backend's settings say.
//
// Break takes no more messages and waits until those on their way are through,
// without telling what became of them. To know that too, end the input instead
// and let the loop end by itself. When ctx ends, all connections are cut at
// once. An input that blocks without end is left to itself: it has to look at
// ctx as well.
//
// Nil opts are the zero ones. Where the backend is no [BulkSender], each message
// is sent by [Session.Send], once.
func (s *Session) SendAll(ctx context.Context, messages iter.Seq[Mail], opts *BulkOptions) iter.Seq2[MailResult, error] {
	out, err := s.sender("send")
	if err != nil {
		return failed[MailResult](err)
	}
	if b, ok := As[BulkSender](out); ok {
		return b.SendAll(ctx, messages, opts)
	}
	return oneByOne(ctx, out, messages, opts)
}

// oneByOne is SendAll over a backend that sends one message at a time.
func oneByOne(ctx context.Context, out Outgoing, messages iter.Seq[Mail], opts *BulkOptions) iter.Seq2[MailResult, error] {
	if opts == nil {
		opts = &BulkOptions{}
	}
	return func(yield func(MailResult, error) bool) {
		var p BulkProgress
		for m := range messages {
			p.Taken++
			rec, err := out.Send(ctx, m.Envelope, m.Message)
			p.Count(rec.Outcome)
			if opts.Progress != nil {
				opts.Progress(p)
			}
			if _, own := errors.AsType[*SendError](err); err != nil && !own {
				err = &SendError{Receipt: rec, Err: err}
			}
			if !yield(MailResult{Key: m.Key, Receipt: rec, Tries: 1}, err) {
				return
			}
			if cause := context.Cause(ctx); cause != nil {
				yield(MailResult{}, cause)
				return
			}
		}
	}
}

// Count adds a result. It is for backends.
func (p *BulkProgress) Count(o SendOutcome) {
	switch o {
	case Accepted:
		p.Accepted++
	case Partial:
		p.Partial++
	case NotSent:
		p.NotSent++
	case SentUnknown:
		p.Unknown++
	}
}
