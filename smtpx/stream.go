package smtpx

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
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
)

// stream sends messages over one connection before those ahead of them are
// answered.
//
// With CHUNKING the goroutine that has it writes, another one reads, and neither
// waits for the other but where the protocol wants it: so the reader always
// takes what the server says, and the server always comes to read what it is
// sent. By DATA a message waits for the server in any case, with all that was said
// before: there the goroutine that writes reads too, and is not held up by another
// one's coming to its turn.
type stream struct {
	b        *bulk
	c        *conn
	chunking bool
	wanted   func() bool // whether it is somebody else's turn to use the connection

	asked  chan []ask    // what the reader will hear answered, told before it is sent
	verb   chan bool     // whether a message is to be gone on, where the writer waits for that
	slots  chan struct{} // one element for each message on its way
	left   chan struct{} // tells that a message is no longer
	broken chan struct{} // closed by who reads: nothing more is to be sent

	// The writer's.
	buf    []byte // to be sent
	said   []ask  // what is in it, or not heard yet where there is no reader
	body   []byte // of the message that is written, up to about a chunk
	block  []byte // for reading
	head   []byte // the same
	sent   int64  // bytes that left
	cut    bool   // nothing can be sent any more
	opened bool   // a transaction was begun here
	late   *job   // has to wait for a pause

	// Of who reads.
	flights   []*flight // without a result, in their order
	failed    error     // why no more answers are read
	bye       error     // the last answer, where it was 421
	outOfStep bool      // the answers do not fit what was asked
	clean     bool      // the last message was taken
	doubts    []verdict // that may be answers to something else

	inDoubt atomic.Bool // there are doubts
}

// flight is a message on its way.
type flight struct {
	*transaction

	job     *job
	end     int64 // how many bytes were written when it was whole, 0 before
	gaveUp  error // why it never will be; set before the last ask of it
	heard   bool  // something was answered
	settled bool  // it has its result

	hopeless atomic.Bool // what is still to be written of it is in vain
}

// ask is an answer that has to come.
type ask struct {
	f    *flight
	what asking
	i    int // the recipient
}

type asking int

const (
	askReset asking = iota
	askMail
	askRcpt
	askGo // no answer: the writer wants to know how the recipients stand
	askData
	askChunk
	askTrial // the same, and the writer wants to know whether to go on
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
	case askGo, askChunk, askTrial, askEmpty, askWhole, askGiveUp:
	}
	return opMessage
}

func newStream(l *line, c *conn) *stream {
	b := l.b
	s := &stream{
		b: b, c: c, wanted: l.wanted, chunking: c.ext.has("CHUNKING") && !b.c.unchunked.Load(), asked: make(chan []ask, b.window), verb: make(chan bool, 1),
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

// run sends messages until there are none, somebody else waits for a connection, there is
// a doubt, or this one is at its end. It reports whether the connection can go on after a
// doubt, and returns the message that has to wait for a pause.
func (s *stream) run(ctx context.Context) (again bool, late *job) {
	// An answer waits for all that is ahead of it.
	s.c.w.SetStageFor(wire.StageCommand, s.b.c.server.Timeouts.Message)
	var reader sync.WaitGroup
	if s.chunking {
		reader.Go(func() {
			for asks := range s.asked {
				s.hear(ctx, asks)
			}
		})
	}
	for !s.c.spent() && !s.cut && !s.wanted() {
		j := s.next(ctx)
		if j == nil {
			break
		}
		s.message(ctx, j)
	}
	s.exchange(ctx)
	close(s.asked)
	reader.Wait()
	for _, f := range s.flights { // how much was sent is certain from here on
		s.lose(ctx, f)
	}
	s.c.w.SetStage(wire.StageCommand)
	again = s.resolve(ctx)
	if !s.clean {
		s.c.reset() // the last message may have left a part of it
	}
	return again && s.c.Usable() && !s.wanted(), s.late
}

// next waits for room in the window and for a message. It returns nil where
// nothing more is to be sent here: the connection goes back as soon as nothing
// is on its way.
func (s *stream) next(ctx context.Context) *job {
	select {
	case s.slots <- struct{}{}:
	default:
		s.exchange(ctx)
		select {
		case s.slots <- struct{}{}:
		case <-s.broken:
			return nil
		}
	}
	j := s.job(ctx)
	if j == nil {
		<-s.slots
		return nil
	}
	err := s.b.may(len(j.Envelope.To))
	switch {
	case err == nil:
		return j
	case isHeld(err):
		s.late = j
		<-s.slots
	default:
		s.settle(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
	}
	return nil
}

// job returns the next message, waiting for one while others are on their way.
func (s *stream) job(ctx context.Context) *job {
	for {
		select {
		case <-s.b.halted:
			return nil
		case <-s.broken:
			return nil
		default:
		}
		if s.inDoubt.Load() || s.chunking && s.b.c.unchunked.Load() {
			return nil
		}
		select {
		case j := <-s.b.jobs:
			return j
		default:
		}
		if len(s.slots) == 1 { // which is ours
			return nil
		}
		s.exchange(ctx)
		if !s.chunking {
			continue
		}
		select {
		case j := <-s.b.jobs:
			return j
		case <-s.left:
		case <-s.broken:
		case <-s.b.halted:
		}
	}
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
		m = s.reading(f)
		err = m.fill()
	}
	if err != nil {
		s.settle(ctx, j, f.receipt(session.NotSent), err)
		return
	}
	s.begin(ctx, f)
	if s.chunking {
		s.chunks(ctx, f, m)
	} else {
		s.data(ctx, f, m)
	}
}

// begin writes the commands ahead of the message.
func (s *stream) begin(ctx context.Context, f *flight) {
	if s.opened {
		s.say(ctx, ask{f: f, what: askReset}, "RSET")
	}
	s.opened = true
	s.c.messages++
	f.nth = s.c.messages
	s.say(ctx, ask{f: f, what: askMail}, f.mailLine())
	for i, to := range f.env.To {
		s.say(ctx, ask{f: f, what: askRcpt, i: i}, f.rcptLine(to))
	}
}

// say writes a line, and expects an answer.
func (s *stream) say(ctx context.Context, a ask, line string) {
	s.buf = append(append(s.buf, line...), '\r', '\n')
	s.expect(ctx, a)
}

// expect expects the answer to what was written last.
func (s *stream) expect(ctx context.Context, a ask) {
	s.said = append(s.said, a)
	switch {
	case !s.chunking && len(s.said) >= window:
		s.exchange(ctx)
	case len(s.buf) >= batchSize:
		s.flush()
	}
}

// exchange sends what was written. Where there is no reader it takes the answers
// to all of it.
func (s *stream) exchange(ctx context.Context) {
	s.flush()
	if !s.chunking && len(s.said) > 0 {
		s.hear(ctx, s.said)
		s.said = s.said[:0]
	}
}

// flush sends what was written, when the reader knows what will be answered.
// Where that fails nothing is sent any more; what the server said before it left
// is heard all the same, and tells what that means for whom.
func (s *stream) flush() {
	if s.chunking && len(s.said) > 0 {
		s.asked <- s.said
		s.said = nil
	}
	if len(s.buf) > 0 && !s.cut {
		n, err := s.c.w.Send(s.buf)
		s.sent += int64(n)
		s.cut = err != nil
	}
	s.buf = s.buf[:0]
}

// agreed waits for the answers to all that was said of a message, and reports
// whether it is to be gone on.
func (s *stream) agreed(ctx context.Context, a ask) bool {
	if a.what == askData {
		s.say(ctx, a, "DATA")
	} else {
		s.expect(ctx, a)
	}
	s.exchange(ctx)
	ok := <-s.verb
	select {
	case <-s.broken: // where the server says more than its agreement
		return false
	default:
		return ok
	}
}

// chunks writes a message by BDAT (RFC 3030).
func (s *stream) chunks(ctx context.Context, f *flight, m *reading) {
	if f.env.AllOrNone && !s.agreed(ctx, ask{f: f, what: askGo}) || !s.trial(ctx, f) {
		return
	}
	for {
		s.chunk(s.body, m.whole)
		if m.whole {
			f.end = s.sent + int64(len(s.buf))
			s.expect(ctx, ask{f: f, what: askWhole})
			return
		}
		s.expect(ctx, ask{f: f, what: askChunk})
		// What was sent by BDAT without LAST is nothing yet, and RSET drops it.
		if err := m.fill(); err != nil || f.hopeless.Load() {
			f.gaveUp = err
			s.expect(ctx, ask{f: f, what: askGiveUp})
			return
		}
	}
}

// trial shows that the server takes chunks: the first one of a connection is a byte
// of the message, and its answer is waited for. There are servers, and devices on the
// way to others, that announce CHUNKING and read what stands behind BDAT as commands.
// They can make nothing of a byte, and a chunk that is not the last is no message, so
// that it is certain of every message that they did not take it.
func (s *stream) trial(ctx context.Context, f *flight) bool {
	if s.c.chunks || len(s.body) == 0 {
		return true
	}
	s.chunk(s.body[:1], false)
	s.body = s.body[1:]
	s.c.chunks = s.agreed(ctx, ask{f: f, what: askTrial})
	return s.c.chunks
}

// chunk writes a part of a message.
func (s *stream) chunk(p []byte, last bool) {
	s.buf = append(s.buf, "BDAT "...)
	s.buf = strconv.AppendInt(s.buf, int64(len(p)), 10)
	if last {
		s.buf = append(s.buf, " LAST"...)
	}
	s.buf = append(append(s.buf, '\r', '\n'), p...)
}

// data writes a message by DATA.
func (s *stream) data(ctx context.Context, f *flight, m *reading) {
	if f.env.AllOrNone && !s.agreed(ctx, ask{f: f, what: askGo}) || !s.agreed(ctx, ask{f: f, what: askData}) {
		return
	}
	if f.accepted() == 0 || f.mail != nil {
		s.say(ctx, ask{f: f, what: askEmpty}, ".")
		return
	}
	for {
		s.buf = append(s.buf, s.body...)
		if m.whole {
			f.end = s.sent + int64(len(s.buf))
			s.expect(ctx, ask{f: f, what: askWhole})
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
			s.expect(ctx, ask{f: f, what: askGiveUp})
			return
		}
	}
}

// reading brings a message into the form of the protocol, some at a time.
type reading struct {
	s     *stream
	f     *flight
	src   *sourceReader
	out   stuffer
	size  int64 // that the source says, -1 where it does not know
	head  []byte
	whole bool // the body has its end
}

func (s *stream) reading(f *flight) *reading {
	r := &reading{s: s, f: f, src: &sourceReader{r: f.l.rest}, size: f.l.size, head: f.l.head}
	r.out = stuffer{w: (*appender)(&s.body), noDots: s.chunking, limit: s.c.ext.sizeLimit()}
	return r
}

// fill puts the next part of the message into the stream's body: a chunk at
// least, unless the message ends.
func (r *reading) fill() error {
	r.s.body = r.s.body[:0]
	if r.head != nil {
		_, _ = r.out.Write(r.head) // its error stays
		r.src.n, r.head = int64(len(r.head)), nil
	}
	for len(r.s.body) < chunkSize {
		n, err := r.src.Read(r.s.block)
		_, _ = r.out.Write(r.s.block[:n])
		switch {
		case r.out.err != nil: // an appender has none but that of the limit
			return r.f.tooLarge(-1)
		case errors.Is(err, io.EOF):
			r.whole = true
			if r.out.Close() != nil {
				return r.f.tooLarge(-1)
			}
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
