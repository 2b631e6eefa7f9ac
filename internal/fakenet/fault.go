package fakenet

import (
	"bytes"
	"slices"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// injected is a fault with the count of what is left of it.
type injected struct {
	fault mailtest.Fault
	skip  int
	times int // negative: without end
}

// Inject adds faults behind those that are waiting.
func (s *Server) Inject(faults ...mailtest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		times := f.Times
		if times == 0 {
			times = 1
		}
		s.faults = append(s.faults, &injected{fault: f, skip: f.Skip, times: times})
	}
}

// Pending returns how many injected faults have not come to their end.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

// Heal takes back all faults that have not come to their end. An answer that is
// under way is not changed.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns the fault of a command, the zero Fault if it has none.
func (s *Server) fault(name, line string) mailtest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		switch {
		case !f.fault.Fits(name, line):
			continue
		case f.skip > 0:
			f.skip--
			continue
		case f.times > 0:
			f.times--
		}
		if f.times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f.fault
	}
	return mailtest.Fault{}
}

// Verdict is what the handler has to do about a command's fault; everything else
// happens below it. The zero value carries the command out.
type Verdict struct {
	// Reply, if not empty, is sent with a line end in place of carrying out the
	// command.
	Reply string
	// Refuse asks for the answer to a command that is not allowed.
	Refuse bool
	// Expire asks for the protocol's goodbye to a client whose token has expired,
	// and for the end of the connection.
	Expire bool
	// Ignore asks neither to carry out the command nor to answer.
	Ignore bool
}

// answer is the state of the answer between Begin and End.
type answer struct {
	fault  mailtest.Fault
	sent   int    // bytes of the answer proper
	called bool   // fault.Call has been called
	held   []byte // the first line, while its length is not known
	lines  int    // how many lines fault.Line has seen
	line   []byte // the start of the next one
}

// Begin starts the answer to a command and says what is to become of it. The
// command is recorded, unless it is one of the occasions that are not commands
// ([mailtest.Greeting] and the like); the line must hold no secret. It fails
// where the connection was cut while a fault made it wait, and with [ErrStopped]
// where it is silent.
func (c *Conn) Begin(name, line string) (Verdict, error) {
	if c.silent {
		return Verdict{}, ErrStopped
	}
	switch name {
	case mailtest.Handshake, mailtest.Greeting, mailtest.Continue:
	default:
		c.Record(name, line)
	}
	f := c.server.fault(name, line)
	c.answer = answer{fault: f, called: f.Call == nil}
	if f.Delay > 0 {
		if err := c.pause(f.Delay); err != nil {
			return Verdict{}, err
		}
	}
	if f.CallAfter <= 0 {
		c.call()
	}
	if f.Before != "" {
		if _, err := c.w.WriteString(f.Before); err != nil {
			return Verdict{}, err
		}
	}
	v := Verdict{Reply: f.Reply, Refuse: f.Refuse, Ignore: f.Ignore}
	if f.Expire {
		// Before the client has signed in it is its sign-in that fails.
		v.Expire, v.Refuse = c.signedIn, v.Refuse || !c.signedIn
		c.server.expire(c.token)
	}
	return v, nil
}

// expire makes the server refuse a token from now on. An empty one stands for a
// password, which does not expire.
func (s *Server) expire(token secret.Text) {
	if token.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired = append(s.expired, token)
}

// Expired reports whether a fault made the token expire.
func (s *Server) Expired(token secret.Text) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.expired, token.Equal)
}

// End finishes the answer and sends what is buffered. It fails with
// [ErrStopped] where a fault ends the connection here.
func (c *Conn) End() error {
	if err := c.finish(); err != nil {
		return err
	}
	after := c.answer.fault.After
	c.answer = answer{called: true}
	if _, err := c.w.WriteString(after); err != nil {
		return err
	}
	return c.w.Flush()
}

// Record adds a line to what [Server.Commands] returns: for what a client says
// within a command. The line must hold no secret.
func (c *Conn) Record(name, line string) {
	c.server.record(mailtest.Command{Conn: c.number, Encrypted: c.secured, Name: name, Line: line})
}

// finish applies what a fault wanted to do further on in the answer.
func (c *Conn) finish() error {
	a := &c.answer
	if c.silent {
		return ErrStopped
	}
	if len(a.line) > 0 {
		if err := c.replaceLine(a.line); err != nil {
			return err
		}
	}
	if len(a.held) > 0 {
		if err := c.spill(a.held[:len(a.held)/2]); err != nil {
			return err
		}
		return c.stop()
	}
	if !a.called {
		if err := c.w.Flush(); err != nil {
			return err
		}
		c.call()
	}
	if a.fault.Stop != mailtest.StopNever {
		return c.stop()
	}
	return nil
}

// AnnouncedSize returns the size to announce for n bytes of data, which a fault
// makes wrong. It is never negative.
func (c *Conn) AnnouncedSize(n int) int { return max(0, n+c.answer.fault.SizeError) }

// WriteString writes as Write does.
func (c *Conn) WriteString(s string) (int, error) {
	if c.answer.plain() {
		return c.w.WriteString(s)
	}
	return c.Write([]byte(s))
}

// Write adds to the answer. The bytes may be buffered until End or Flush. It
// fails with [ErrStopped] once a fault has ended the answer.
func (c *Conn) Write(p []byte) (int, error) {
	if c.silent {
		return 0, ErrStopped
	}
	a := &c.answer
	if a.plain() {
		return c.w.Write(p)
	}
	if a.fault.Line != nil {
		return len(p), c.byLine(p)
	}
	return c.put(p)
}

// byLine gives the complete lines of the answer to the fault, and keeps the
// rest for later.
func (c *Conn) byLine(p []byte) error {
	a := &c.answer
	a.line = append(a.line, p...)
	for {
		end := bytes.Index(a.line, []byte("\r\n"))
		if end < 0 {
			return nil
		}
		line := a.line[:end+len("\r\n")]
		a.line = a.line[len(line):]
		if err := c.replaceLine(line); err != nil {
			return err
		}
	}
}

// replaceLine sends what the fault makes of a line.
func (c *Conn) replaceLine(line []byte) error {
	c.answer.lines++
	_, err := c.put([]byte(c.answer.fault.Line(c.answer.lines, string(line))))
	return err
}

// put adds bytes to the answer as they are, unless the fault stops them.
func (c *Conn) put(p []byte) (int, error) {
	a := &c.answer
	if a.fault.Stop != mailtest.StopNever && a.fault.StopAfter == mailtest.HalfLine {
		return c.hold(p)
	}
	if left := a.fault.StopAfter - a.sent; a.fault.Stop != mailtest.StopNever && len(p) >= left {
		if err := c.send(p[:max(0, left)]); err != nil {
			return 0, err
		}
		return max(0, left), c.stop()
	}
	return len(p), c.send(p)
}

// plain reports whether bytes go out as they are.
func (a *answer) plain() bool {
	f := &a.fault
	return a.called && f.Stop == mailtest.StopNever && f.Pause == 0 && f.Chunk == 0 && f.Line == nil
}

// hold keeps the first line back until it is complete, and sends half of it.
func (c *Conn) hold(p []byte) (int, error) {
	a := &c.answer
	a.held = append(a.held, p...)
	i := bytes.IndexByte(a.held, '\n')
	if i < 0 {
		return len(p), nil
	}
	half := a.held[:(i+1)/2]
	a.held = nil
	if err := c.send(half); err != nil {
		return 0, err
	}
	return 0, c.stop()
}

// send writes bytes of the answer and makes the fault's call among them.
func (c *Conn) send(p []byte) error {
	a := &c.answer
	if at := a.fault.CallAfter - a.sent; !a.called && len(p) >= at {
		if err := c.spill(p[:at]); err != nil {
			return err
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
		c.call()
		p = p[at:]
	}
	return c.spill(p)
}

// spill writes bytes of the answer, slowly if a fault says so.
func (c *Conn) spill(p []byte) error {
	a := &c.answer
	a.sent += len(p)
	if a.fault.Chunk == 0 && a.fault.Pause == 0 {
		_, err := c.w.Write(p)
		return err
	}
	for len(p) > 0 {
		n := min(len(p), max(1, a.fault.Chunk))
		if _, err := c.w.Write(p[:n]); err != nil {
			return err
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
		if err := c.pause(a.fault.Pause); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// call runs the fault's function, once.
func (c *Conn) call() {
	if a := &c.answer; !a.called {
		a.called = true
		a.fault.Call()
	}
}

// stop ends the answer as the fault says.
func (c *Conn) stop() error { return c.stopAs(c.answer.fault.Stop) }

// stopAs sends what is buffered, and nothing more.
func (c *Conn) stopAs(way mailtest.Stop) error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	if way == mailtest.StopClose {
		c.Cut()
	} else {
		c.silent = true
	}
	return ErrStopped
}
