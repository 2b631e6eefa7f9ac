package smtpx

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

const (
	// chunkSize is how much of a message is read before it is sent, and the least
	// that a BDAT before the last has.
	chunkSize = 64 << 10
	// batchSize is how much is collected before it is sent, where there is more to
	// send.
	batchSize = 64 << 10
	// maxAsked is how many answers may be outstanding.
	maxAsked = 256
)

// stream sends messages over one connection before those ahead of them are
// answered. The goroutine that has it writes, another one reads, and neither
// waits for the other but where the protocol wants it: so the reader always
// takes what the server says, and the server always comes to read what it is
// sent.
type stream struct {
	b        *bulk
	c        *conn
	chunking bool

	asked  chan ask
	slots  chan struct{} // one element for each message on its way
	left   chan struct{} // tells that a message is no longer
	broken chan struct{} // closed by the reader: nothing more is to be sent
	begun  atomic.Int64  // how many bytes the server may have by now, at most

	// The writer's.
	buf    []byte // to be sent
	body   []byte // of the message that is written, up to about a chunk
	block  []byte // for reading
	head   []byte // the same
	sent   int64  // bytes that left; also for the reader once asked is closed
	cut    bool   // nothing can be sent any more
	opened bool   // a transaction was begun here

	// The reader's.
	flights   []*flight // without a result, in their order
	failed    error     // why no more answers are read
	bye       error     // the last answer, where it was 421
	outOfStep bool      // the answers do not fit what was asked
	clean     bool      // the last message was taken
}

// flight is a message on its way.
type flight struct {
	*transaction

	job     *job
	end     int64     // how many bytes were written when it was whole, 0 before
	gaveUp  error     // why it never will be; set before the last ask of it
	heard   bool      // something was answered
	settled bool      // it has its result
	verb    chan bool // whether it is to be gone on, where the writer waits for that

	hopeless atomic.Bool // what is still to be written of it is in vain
}

// ask is an answer that has to come.
type ask struct {
	f    *flight
	what asking
	i    int   // the recipient
	end  int64 // how many bytes were written with what is answered
	wait bool  // nothing was sent behind it
}

type asking int

const (
	askReset asking = iota
	askMail
	askRcpt
	askGo // no answer: the writer wants to know how the recipients stand
	askData
	askChunk
	askEmpty // the answer to a dot that ends nothing
	askWhole // the answer to the whole message
	askGiveUp
)

func (a asking) op() string {
	switch a {
	case askReset:
		return opReset
	case askMail:
		return opMail
	case askRcpt:
		return opRcpt
	case askData:
		return opData
	case askGo, askChunk, askEmpty, askWhole, askGiveUp:
	}
	return opMessage
}

func newStream(b *bulk, c *conn) *stream {
	s := &stream{
		b: b, c: c, chunking: c.ext.has("CHUNKING"), asked: make(chan ask, maxAsked),
		left: make(chan struct{}, 1), broken: make(chan struct{}),
		buf: make([]byte, 0, batchSize+chunkSize), body: make([]byte, 0, chunkSize+chunkSize/2), block: make([]byte, chunkSize/2),
	}
	size := b.window
	if !s.chunking {
		size = 2 // the message that is answered while the next one begins
	}
	s.slots = make(chan struct{}, size)
	return s
}

// run sends messages until there are none, or the connection is at its end.
func (s *stream) run(ctx context.Context) {
	// An answer waits for all that is ahead of it.
	s.c.w.SetStageFor(wire.StageCommand, s.b.c.finalTimeout)
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.read(ctx)
	}()
	for !s.c.spent() && !s.cut {
		j := s.next(ctx)
		if j == nil {
			break
		}
		s.message(ctx, j)
	}
	s.flush()
	close(s.asked)
	<-read
	s.c.w.SetStage(wire.StageCommand)
	if !s.clean {
		s.c.reset() // the last message may have left a part of it
	}
}

// next waits for room in the window and for a message. It returns nil where
// nothing more is to be sent here: the connection goes back as soon as nothing
// is on its way.
func (s *stream) next(ctx context.Context) *job {
	select {
	case s.slots <- struct{}{}:
	default:
		s.flush()
		select {
		case s.slots <- struct{}{}:
		case <-s.broken:
			return nil
		}
	}
	j := s.job()
	if j == nil {
		<-s.slots
		return nil
	}
	if !s.b.c.pace.free() {
		s.flush() // since the others need not wait
	}
	if err := s.b.c.pace.wait(ctx, len(j.Envelope.To)); err != nil {
		s.settle(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
		return nil
	}
	return j
}

// job returns the next message, waiting for one while others are on their way.
func (s *stream) job() *job {
	select {
	case <-s.b.halted:
		return nil
	case <-s.broken:
		return nil
	default:
	}
	select {
	case j := <-s.b.jobs:
		return j
	default:
	}
	s.flush()
	for len(s.slots) > 1 { // the other one is ours
		select {
		case j := <-s.b.jobs:
			return j
		case <-s.left:
		case <-s.broken:
			return nil
		case <-s.b.halted:
			return nil
		}
	}
	return nil
}

// settle gives a message back that nothing was written of.
func (s *stream) settle(ctx context.Context, j *job, rec session.Receipt, err error) {
	<-s.slots
	s.b.tried(ctx, j, rec, err)
}

// message writes one message, or refuses it before anything is said of it.
func (s *stream) message(ctx context.Context, j *job) {
	j.tries++
	l, err := openLetterInto(j.Message, s.head)
	if err != nil {
		s.settle(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
		return
	}
	defer l.Close()
	s.head = l.head[:0]
	f := &flight{job: j, transaction: &transaction{c: s.c, env: j.Envelope, l: l}}
	f.rcpt = slices.Repeat([]error{errNotAsked}, len(j.Envelope.To))
	err = f.check()
	var m *reading
	if err == nil {
		m = s.reading(l)
		err = m.fill()
	}
	if err != nil {
		s.settle(ctx, j, f.receipt(session.NotSent), err)
		return
	}
	s.begin(f)
	if s.chunking {
		s.chunks(f, m)
	} else {
		s.data(f, m)
	}
}

// begin writes the commands ahead of the message.
func (s *stream) begin(f *flight) {
	if s.opened {
		s.say(ask{f: f, what: askReset}, "RSET")
	}
	s.opened = true
	s.c.messages++
	s.say(ask{f: f, what: askMail}, f.mailLine())
	for i, to := range f.env.To {
		s.say(ask{f: f, what: askRcpt, i: i}, f.rcptLine(to))
	}
}

// say writes a line, and expects an answer.
func (s *stream) say(a ask, line string) {
	s.buf = append(append(s.buf, line...), '\r', '\n')
	s.expect(a)
}

// expect expects the answer to what was written last. Where too many are
// outstanding already, what they answer has to be sent first.
func (s *stream) expect(a ask) {
	a.end = s.sent + int64(len(s.buf))
	select {
	case s.asked <- a:
	default:
		s.flush()
		s.asked <- a
	}
	if len(s.buf) >= batchSize {
		s.flush()
	}
}

// flush sends what was written. Where that fails nothing is sent any more; the
// reader hears what the server said before it left, and tells what that means
// for whom.
func (s *stream) flush() {
	if len(s.buf) == 0 {
		return
	}
	s.begun.Add(int64(len(s.buf)))
	if !s.cut {
		n, err := s.c.w.Send(s.buf)
		s.sent += int64(n)
		s.cut = err != nil
	}
	s.buf = s.buf[:0]
}

// agreed waits for the answers to all that was said of a message, and reports
// whether it is to be gone on.
func (s *stream) agreed(a ask) bool {
	a.f.verb = make(chan bool, 1)
	a.wait = true
	if a.what == askGo {
		s.expect(a)
	} else {
		s.say(a, "DATA")
	}
	s.flush()
	return <-a.f.verb
}

// chunks writes a message by BDAT (RFC 3030).
func (s *stream) chunks(f *flight, m *reading) {
	if f.env.AllOrNone && !s.agreed(ask{f: f, what: askGo}) {
		return
	}
	for {
		last := m.whole
		s.buf = append(s.buf, "BDAT "...)
		s.buf = strconv.AppendInt(s.buf, int64(len(s.body)), 10)
		if last {
			s.buf = append(s.buf, " LAST"...)
		}
		s.buf = append(append(s.buf, '\r', '\n'), s.body...)
		if last {
			f.end = s.sent + int64(len(s.buf))
			s.expect(ask{f: f, what: askWhole})
			return
		}
		s.expect(ask{f: f, what: askChunk})
		// What was sent by BDAT without LAST is nothing yet, and RSET drops it.
		if err := m.fill(); err != nil || f.hopeless.Load() {
			f.gaveUp = err
			s.expect(ask{f: f, what: askGiveUp})
			return
		}
	}
}

// data writes a message by DATA.
func (s *stream) data(f *flight, m *reading) {
	if f.env.AllOrNone && !s.agreed(ask{f: f, what: askGo}) || !s.agreed(ask{f: f, what: askData}) {
		return
	}
	if f.accepted() == 0 || f.mail != nil {
		s.say(ask{f: f, what: askEmpty}, ".")
		return
	}
	for {
		s.buf = append(s.buf, s.body...)
		if m.whole {
			f.end = s.sent + int64(len(s.buf))
			s.expect(ask{f: f, what: askWhole})
			return
		}
		if len(s.buf) >= batchSize {
			s.flush()
		}
		if err := m.fill(); err != nil {
			// There is no way back but to leave.
			f.gaveUp = err
			s.flush()
			s.c.w.Kill(err)
			s.expect(ask{f: f, what: askGiveUp})
			return
		}
	}
}

// reading brings a message into the form of the protocol, some at a time.
type reading struct {
	s     *stream
	src   *sourceReader
	out   stuffer
	size  int64 // that the source says, -1 where it does not know
	head  []byte
	whole bool // the body has its end
}

func (s *stream) reading(l *letter) *reading {
	r := &reading{s: s, src: &sourceReader{r: l.rest}, size: l.size, head: l.head}
	r.out = stuffer{w: (*appender)(&s.body), noDots: s.chunking}
	return r
}

// fill puts the next part of the message into the stream's body: a chunk at
// least, unless the message ends.
func (r *reading) fill() error {
	r.s.body = r.s.body[:0]
	if r.head != nil {
		_, _ = r.out.Write(r.head) // an appender has no errors
		r.src.n, r.head = int64(len(r.head)), nil
	}
	for len(r.s.body) < chunkSize {
		n, err := r.src.Read(r.s.block)
		_, _ = r.out.Write(r.s.block[:n])
		switch {
		case errors.Is(err, io.EOF):
			r.whole = true
			_ = r.out.Close()
			return checkLength(r.size, r.src.n)
		case err != nil:
			return err
		}
	}
	return nil
}

// appender is a slice that grows by what is written.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}
