package session

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"

	"github.com/mailsession/mailsession/message"
)

// Mail is one message of many; see [Session.SendAll].
type Mail struct {
	// Key is the program's own name of the message. It comes back in [MailResult] and
	// means nothing to anybody else.
	Key string
	// Envelope says who sends the message to whom.
	Envelope Envelope
	// Message is opened once for each try, maybe once more to look at its bytes, and
	// once more for a copy in the folder of sent mail: what it reads from must not
	// change before the Mail has its result.
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
	// before anything was sent, or nobody came as far as to try it. A connection that
	// was not to be had is none of its tries.
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
// messages are taken: the context ended, the credentials were refused, the server
// could not be reached for as long as the backend's settings have it try, or it wants a
// sign-in of whoever sends; those that were taken had their items by then.
//
// The input is ranged over in another goroutine, and only as far as the loop
// keeps up with: a program may generate a million messages. Only what is
// [NotSent] is tried again, for as long as the backend's settings say.
//
// Break takes no more messages and waits until those on their way are through,
// without telling what became of them. To know that too, end the input instead
// and let the loop end by itself. When ctx ends, all connections are cut at
// once. An input that blocks without end is left to itself: it has to look at
// ctx as well. One that panics does so out of the loop.
//
// Copies are kept in the folder of sent mail as [Session.Send] keeps them. Each is
// filed before the loop gets the result, over the way in and one after the other,
// which takes longer than sending does. What comes through after a break has none.
//
// Nil opts are the zero ones. Where the backend is no [BulkSender], the messages are
// sent one after the other, each once.
func (s *Session) SendAll(ctx context.Context, messages iter.Seq[Mail], opts *BulkOptions) iter.Seq2[MailResult, error] {
	out, err := s.sender("send")
	if err != nil {
		return failed[MailResult](err)
	}
	c := &copies{s: s, prefix: rand.Text() + " ", mails: map[string]Mail{}}
	if b, ok := As[BulkSender](out); ok {
		return c.filed(ctx, b.SendAll(ctx, c.noted(messages), opts))
	}
	return c.filed(ctx, oneByOne(ctx, out, c.noted(messages), opts))
}

// copies are the messages of a SendAll of which copies may have to be kept, by the
// keys that the backend knows them by. Programs may use a key of theirs twice.
type copies struct {
	s      *Session
	prefix string // of the backend's keys, and of no program's

	mu    sync.Mutex
	n     int
	mails map[string]Mail
}

// noted is the input of a backend.
func (c *copies) noted(messages iter.Seq[Mail]) iter.Seq[Mail] {
	return func(yield func(Mail) bool) {
		for m := range messages {
			if c.s.sentPolicy(m.Envelope) != SentNever {
				m.Key = c.note(m)
			}
			if !yield(m) {
				return
			}
		}
	}
}

// note takes note of a message, and returns the key that the backend gets.
func (c *copies) note(m Mail) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := c.prefix + strconv.Itoa(c.n)
	c.n++
	m.Envelope.To = slices.Clone(m.Envelope.To) // the input may use its slice for the next one
	c.mails[key] = m
	return key
}

// take returns a message that was taken note of, once.
func (c *copies) take(key string) (m Mail, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok = c.mails[key]
	delete(c.mails, key)
	return m, ok
}

// filed is what a backend tells, with the copies filed and the program's keys.
func (c *copies) filed(ctx context.Context, results iter.Seq2[MailResult, error]) iter.Seq2[MailResult, error] {
	return func(yield func(MailResult, error) bool) {
		for r, err := range results {
			if m, ok := c.take(r.Key); ok {
				r.Key = m.Key
				r.Receipt.Copy = c.s.keepCopy(ctx, m.Envelope, m.Message, r.Receipt)
				if failed, ok := errors.AsType[*SendError](err); ok {
					failed.Receipt.Copy = r.Receipt.Copy
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
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
			if cause := endsAll(ctx, err); cause != nil {
				yield(MailResult{}, cause)
				return
			}
		}
	}
}

// endsAll returns why no further message is sent, nil where the next one may be. An
// account is soon locked that refused credentials are tried with again and again.
func endsAll(ctx context.Context, err error) error {
	if failed, ok := errors.AsType[*SendError](err); ok && (NeedsSignIn(err) || errors.Is(err, ErrClosed)) {
		return failed.Err
	}
	return context.Cause(ctx)
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
