package smtpx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/session"
)

const (
	// maxWindow is the largest [Options.Window].
	maxWindow = 1000
	// waitingRoom is how many messages may wait for their next try while others
	// are sent in their place.
	waitingRoom = 100
)

// Retry says how [Client.SendAll] tries messages again that were not sent: those
// that the server refused for the moment, and those whose line was lost before
// their last byte left. It says too how a bulk tries to connect again while there are
// no connections to be had. What a server asks for lengthens a wait and never
// shortens it; see [Error.RetryAfter].
type Retry struct {
	// Count is how many times a message is tried again at most, and how many times
	// in a row a connection is where none was to be had. 0 means 3, a negative number
	// none. With the other defaults 3 are over after a minute, and 8 after about
	// twenty.
	Count int
	// Initial is the first wait. 0 means 5 seconds.
	Initial time.Duration
	// Factor multiplies the wait from one try to the next. Below 1 it means 3.
	Factor float64
	// Max is the longest wait that the server did not ask for. 0 means 5 minutes.
	Max time.Duration
	// Recipients has a message that was accepted for some recipients sent again to
	// those that were refused for the moment. Without it they are left to the
	// program. Those beyond what the server takes at a time are sent to at once, and
	// that does not count as a try again.
	Recipients bool
}

func (r Retry) policy() retry.Policy {
	p := retry.Policy{Count: r.Count, Initial: r.Initial, Factor: r.Factor, Max: r.Max}
	if p.Count == 0 {
		p.Count = 3
	}
	if p.Initial == 0 {
		p.Initial = 5 * time.Second
	}
	if p.Factor < 1 {
		p.Factor = 3
	}
	if p.Max == 0 {
		p.Max = 5 * time.Minute
	}
	return p
}

// SendAll implements [session.BulkSender]. It uses as many connections as the
// settings allow and there are messages for.
//
// The first message of a connection is sent as by [Client.Send]. Behind it,
// where the server has PIPELINING and CHUNKING, up to a window of messages is on
// its way at a time, once it has taken a chunk of one byte: one that announces
// CHUNKING and reads chunks as commands has nothing of a message then, and gets
// all of them by DATA. With PIPELINING alone a message takes one round trip, since
// the commands of the next one travel behind its last byte; without it each
// answer is waited for. A RSET parts messages that are on their way together, so
// that nothing of one that was refused can become a part of the next.
//
// An answer to a message in other words than the server's first, or a refusal with a
// code for addresses or for commands, can be the answer to something else, where the
// server gave one too many. It is believed when EHLO, sent behind all that is on its
// way, is answered in its turn; where it is not, that message is
// [session.SentUnknown], and so are those that were on their way behind it.
//
// Messages that were on their way when the line was lost are
// [session.SentUnknown] if all of them had left. What nothing was answered of
// before the server said goodbye goes over another connection at once; what was
// refused for the moment is tried again as [Retry] says.
//
// While the server cannot be reached, or lets nobody in for the moment, the whole bulk
// waits: one connection is tried at a time, after [Retry]'s waits, and no message loses a
// try by that. When [Retry.Count] is used up, or ctx would end before the next try, that
// error ends the bulk, as one that lasts does at once: credentials that are refused, a
// certificate, a server that answers MAIL by its wish for a sign-in (530) on a new
// connection. What was taken from the input is [session.NotSent] then.
//
// Other calls that need a connection meanwhile get one within seconds, and no
// connection is held while messages wait for a pause or for [Options.Rate].
func (c *Client) SendAll(ctx context.Context, messages iter.Seq[session.Mail], opts *session.BulkOptions) iter.Seq2[session.MailResult, error] {
	if opts == nil {
		opts = &session.BulkOptions{}
	}
	return func(yield func(session.MailResult, error) bool) {
		ctx, end := observe.Start(ctx, c.observer, "smtp.send_all", slog.String("server", c.address))
		b := newBulk(c, *opts)
		b.run(ctx, messages)
		defer func() {
			b.halt(nil)
			for range b.results { // until nothing is on its way any more
				<-b.permits
			}
			p, thrown, why := b.end()
			end(why, slog.Int("messages", p.Taken), slog.Int("accepted", p.Accepted))
			if thrown != nil {
				panic(thrown)
			}
		}()
		for r := range b.results {
			<-b.permits
			if !yield(r.MailResult, r.err) {
				return
			}
		}
		if _, thrown, why := b.end(); why != nil && thrown == nil {
			yield(session.MailResult{}, why)
		}
	}
}

// job is a message with what became of it so far.
type job struct {
	session.Mail

	tries int
	full  int              // of them, those that ended where the server took no more recipients
	whole session.Envelope // the Mail's has whom this try is for
	todo  []int            // where they stand in whole
	sent  session.Receipt  // of the tries before
}

type result struct {
	session.MailResult

	err error
}

// bulk is one SendAll. A message has a permit from before it is taken from the
// input until the loop has its result, but not while it waits for its next try.
// No channel that holds messages or results is smaller than there are permits,
// so that nobody but the input ever waits for the loop.
type bulk struct {
	c      *Client
	window int
	policy retry.Policy
	tell   func(session.BulkProgress)

	permits chan struct{}
	jobs    chan *job
	results chan result
	room    chan struct{}  // one element for each message that waits without a permit
	waiting sync.WaitGroup // for the next try

	reach    *reach
	halted   chan struct{} // no message is begun any more
	finished chan struct{} // the input is at its end, and everything has its result
	stop     func()        // ends the waits for a pause; called with halted closed
	// wait waits until a message to n recipients may be sent, and may fails with a
	// [*throttle.HeldError] where that takes time.
	wait, may func(n int) error

	mu       sync.Mutex
	progress session.BulkProgress
	pending  int   // messages without a result
	ended    bool  // the input is
	stopped  bool  // nothing is begun any more
	why      error // the input is not taken to its end
	thrown   any   // what the input panicked with
}

func newBulk(c *Client, opts session.BulkOptions) *bulk {
	b := &bulk{
		c: c, window: opts.Window, policy: c.retry.policy(), tell: opts.Progress,
		reach: newReach(),
		room:  make(chan struct{}, waitingRoom), halted: make(chan struct{}), finished: make(chan struct{}),
	}
	if b.window <= 0 {
		b.window = c.window
	}
	b.window = min(b.window, maxWindow)
	// One more than is on its way, so that a connection need not wait for the
	// input when it has an answer.
	ahead := c.connections * (b.window + 1)
	b.permits = make(chan struct{}, ahead)
	b.jobs = make(chan *job, ahead)
	b.results = make(chan result, ahead)
	return b
}

// run starts everything. The results are closed when nothing runs any more but,
// perhaps, the program's own input.
func (b *bulk) run(ctx context.Context, messages iter.Seq[session.Mail]) {
	b.pauses(ctx)
	go b.feed(ctx, messages)
	stop := context.AfterFunc(ctx, func() { b.halt(retry.Ended(ctx)) })
	var workers sync.WaitGroup
	for range b.c.connections {
		workers.Go(func() { b.work(ctx) })
	}
	go func() {
		workers.Wait()
		b.waiting.Wait()
		stop()
		b.stop()
		b.leave(ctx)
		close(b.results)
	}()
}

// leave gives those their results that were taken and not tried.
func (b *bulk) leave(ctx context.Context) {
	for {
		select {
		case j := <-b.jobs:
			b.finish(ctx, j, b.receipt(j, session.Receipt{Outcome: session.NotSent}), b.cause())
		default:
			return
		}
	}
}

// errLeft is why messages are not sent that nobody wants to hear of.
var errLeft = errors.New("the loop over the results was left")

func (b *bulk) cause() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == nil {
		return errLeft
	}
	return b.why
}

// end returns how far it came, what the input panicked with, and why it did not come to
// its end.
func (b *bulk) end() (p session.BulkProgress, thrown any, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.progress, b.thrown, b.why
}

// halt has no message begun any more. Where everything has its result there is
// nothing left to halt.
func (b *bulk) halt(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	b.stopped, b.why = true, why
	close(b.halted)
	b.stop()
}

// pauses sets how the bulk waits until a message to n recipients may be sent: as
// [pace.wait] does, and no longer than messages are begun at all, since the pause that
// a server wants can be hours.
func (b *bulk) pauses(ctx context.Context) {
	open, stop := context.WithCancel(ctx)
	b.stop = stop
	within := func(open context.Context) func(n int) error {
		return func(n int) error {
			err := b.c.pace.wait(open, n)
			if err != nil && open.Err() != nil && ctx.Err() == nil {
				return b.cause()
			}
			return err
		}
	}
	b.wait, b.may = within(open), within(throttle.Impatient(open))
	go func() {
		select {
		case <-b.c.pace.closed:
			b.halt(fmt.Errorf("%s: %w", b.c.address, session.ErrClosed))
		case <-open.Done():
		}
	}()
}

// feed takes messages from the input, no faster than permits allow.
func (b *bulk) feed(ctx context.Context, messages iter.Seq[session.Mail]) {
	returned := false
	defer func() {
		if !returned {
			b.collapse(recover())
		}
	}()
	whole := b.takeAll(ctx, messages)
	returned = true
	if !whole {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.checkFinished()
}

// takeAll reports whether it came to the input's end.
func (b *bulk) takeAll(ctx context.Context, messages iter.Seq[session.Mail]) bool {
	if !b.permit() {
		return false
	}
	for m := range messages {
		if !b.take(ctx, m) || !b.permit() {
			return false
		}
	}
	return true
}

// errInput is why no more messages are taken from an input that did not return.
var errInput = errors.New("the input of messages ended its goroutine, as FailNow of a test does")

// collapse has the input's panic come out of the loop over the results, where a program
// can deal with it, when what was on its way is through. Where nobody ranges any more
// it stays where it is.
func (b *bulk) collapse(thrown any) {
	b.mu.Lock()
	alone := b.stopped
	if !alone {
		b.thrown = thrown
	}
	b.mu.Unlock()
	if alone && thrown != nil {
		panic(thrown)
	}
	b.halt(errInput)
}

func (b *bulk) permit() bool {
	select {
	case <-b.halted:
		return false
	case b.permits <- struct{}{}:
		return true
	}
}

// take takes one message from the input, unless nobody wants it any more. What
// can never be sent is refused here.
func (b *bulk) take(ctx context.Context, m session.Mail) bool {
	m.Envelope.To = slices.Clone(m.Envelope.To) // the input may use its slice for the next one
	j := &job{Mail: m, whole: m.Envelope}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	b.pending++
	b.progress.Taken++
	b.report()
	if err := checkMail(m); err != nil {
		b.count(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
		return true
	}
	b.jobs <- j
	return true
}

func checkMail(m session.Mail) error {
	if err := checkEnvelope(m.Envelope); err != nil {
		return err
	}
	if m.Message == nil {
		return session.ErrEmptyMessage
	}
	return nil
}

// report tells the program how far it is; b.mu is held.
func (b *bulk) report() {
	if b.tell != nil {
		b.tell(b.progress)
	}
}

// checkFinished tells the connections when there is nothing left to do; b.mu is
// held.
func (b *bulk) checkFinished() {
	if b.ended && b.pending == 0 {
		close(b.finished)
		b.ended, b.stopped = false, true // once
	}
}

// finish gives a message its result.
func (b *bulk) finish(ctx context.Context, j *job, rec session.Receipt, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(ctx, j, rec, err)
}

// count is finish with b.mu held.
func (b *bulk) count(ctx context.Context, j *job, rec session.Receipt, err error) {
	if err != nil {
		err = &session.SendError{Receipt: rec, Err: err}
	}
	b.c.report(ctx, j.whole, rec, err)
	b.pending--
	b.progress.Count(rec.Outcome)
	b.report()
	b.results <- result{session.MailResult{Key: j.Key, Receipt: rec, Tries: j.tries}, err}
	b.checkFinished()
}

// again puts back a message that nothing was begun of.
func (b *bulk) again(j *job) { b.jobs <- j }

// work uses one connection after the other.
func (b *bulk) work(ctx context.Context) {
	for b.await() {
		select {
		case <-b.halted:
			return
		case <-b.finished:
			return
		case j := <-b.jobs:
			b.serve(ctx, j)
		}
	}
}

// serve sends a message and, over the same connection, what comes after it.
func (b *bulk) serve(ctx context.Context, j *job) {
	for j != nil {
		j = b.turn(ctx, j)
	}
}

// turn is serve for as long as a connection is to be kept at a time. It returns the
// message that has to wait for a pause: nobody holds a connection meanwhile.
func (b *bulk) turn(ctx context.Context, j *job) (next *job) {
	if err := b.wait(len(j.Envelope.To)); err != nil {
		b.tried(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
		return nil
	}
	lease, ok := b.connect(ctx, j)
	if !ok {
		return nil
	}
	held, next := (&line{b: b, lease: lease, since: time.Now()}).run(ctx, j)
	if held {
		lease.Release()
		b.reach.left()
	}
	return next
}
