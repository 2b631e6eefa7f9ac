package sessiontest

import (
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"syscall"
)

// Dial makes a connection. It has the type of [session.Server]'s field.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// direction is one of the two directions of a line, seen from the backend.
type direction int

const (
	sending direction = iota
	receiving
)

func (d direction) String() string {
	if d == sending {
		return "sent"
	}
	return "received"
}

// fault is what happens to a line once so many bytes have gone in a direction.
type fault struct {
	dir   direction
	after int64
	// stall leaves the connection open: nothing comes any more, and what is
	// sent gets lost. Without it the connection is cut.
	stall bool
}

// line is the way between a backend and its server. It counts what goes over
// it and breaks where it is told to. It is the same for every protocol, since
// it knows none.
type line struct {
	dial Dial

	mu      sync.Mutex // never held during I/O
	conns   map[*lineConn]struct{}
	made    int
	down    bool
	count   [2]int64 // since the last call of arm
	written int64    // what the backend believes to have sent since then
	turns   [][2]int64
	last    direction
	fault   *fault
	struck  chan struct{} // closed when the fault strikes
	spoil   [2][]byte     // what to put in the place of what
	spoiled int

	drains sync.WaitGroup
}

func newLine(dial Dial) *line {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &line{dial: dial, conns: map[*lineConn]struct{}{}, last: receiving}
}

// Dial makes a connection over the line.
func (l *line) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	under, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &lineConn{Conn: under, line: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	l.conns[c] = struct{}{}
	return c, nil
}

// arm begins to count anew, with a fault or, where f is nil, without. The
// channel is closed when the fault strikes, which it does once.
func (l *line) arm(f *fault) (struck <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.written, l.turns, l.last = [2]int64{}, 0, nil, receiving
	l.fault, l.struck = f, make(chan struct{})
	return l.struck
}

// corrupt puts broken in the place of each old that comes.
func (l *line) corrupt(old, broken string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spoil = [2][]byte{[]byte(old), []byte(broken)}
}

// refuse makes the line refuse all connections, or no longer.
func (l *line) refuse(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// counts returns how many bytes went in each direction since the last call of
// arm, and how many connections were made and are open by now.
func (l *line) counts() (sent, received int64, made, open int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[sending], l.count[receiving], l.made, len(l.conns)
}

// open returns how many connections the backend has not closed.
func (l *line) open() int {
	_, _, _, open := l.counts()
	return open
}

// made returns how many connections the backend has made.
func (l *line) dialled() int {
	_, _, made, _ := l.counts()
	return made
}

// believed returns how many bytes the backend was told to have sent.
func (l *line) believed() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// hits returns how often something was corrupted.
func (l *line) hits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spoiled
}

// cutAll cuts every open connection.
func (l *line) cutAll() {
	l.mu.Lock()
	conns := make([]*lineConn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.cut()
	}
}

// end cuts what a test has left open.
func (l *line) end() {
	l.cutAll()
	l.settle()
}

// settle waits until the servers have let go of what was cut.
func (l *line) settle() { l.drains.Wait() }

// places returns n places at which to break a run that received so many bytes.
func places(dir direction, total int64, n int) []fault {
	all := make([]fault, 0, n)
	for i := range int64(n) {
		all = append(all, fault{dir: dir, after: total * i / int64(n)})
	}
	return slices.Compact(all)
}

// steps returns the faults that cut a run at each change of direction since
// the last call of arm: with the last byte of what went, and one byte before.
func (l *line) steps() []fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := slices.Concat([][2]int64{{}}, l.turns, [][2]int64{l.count})
	var all []fault
	for _, end := range ends {
		for _, dir := range []direction{sending, receiving} {
			for _, short := range []int64{1, 0} {
				f := fault{dir: dir, after: end[dir] - short}
				if f.after >= 0 && !slices.Contains(all, f) {
					all = append(all, f)
				}
			}
		}
	}
	return all
}

// room returns how many bytes may go before the fault strikes.
func (l *line) room(dir direction) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil || l.fault.dir != dir {
		return math.MaxInt64
	}
	return max(l.fault.after-l.count[dir], 0)
}

// strike takes the fault out of the line. Another connection may have been
// faster.
func (l *line) strike(dir direction) (f fault, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil || l.fault.dir != dir {
		return f, false
	}
	f = *l.fault
	l.fault = nil
	close(l.struck)
	return f, true
}

func (l *line) add(dir direction, n int) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if dir != l.last {
		l.turns = append(l.turns, l.count)
		l.last = dir
	}
	l.count[dir] += int64(n)
}

func (l *line) believe(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written += int64(n)
}

// damage corrupts what has come in place.
func (l *line) damage(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spoil[0]) == 0 {
		return
	}
	for {
		i := bytes.Index(p, l.spoil[0])
		if i < 0 {
			return
		}
		l.spoiled++
		p = p[i+copy(p[i:], l.spoil[1]):]
	}
}

// lineConn is the backend's end of one connection.
type lineConn struct {
	net.Conn

	line    *line
	mu      sync.Mutex
	dead    bool // cut
	stalled bool
}

func (c *lineConn) state() (dead, stalled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead, c.stalled
}

// hit lets the fault come about on this connection, and reports false where it
// does not: it was taken back, or struck another one.
func (c *lineConn) hit(dir direction) bool {
	f, ok := c.line.strike(dir)
	switch {
	case !ok:
	case f.stall:
		c.mu.Lock()
		c.stalled = true
		c.mu.Unlock()
	default:
		c.cut()
	}
	return ok
}

// cut ends the connection as a network does: the backend finds it ended, and
// the server finds that nothing comes any more. What the server still says is
// read and dropped, so that settle can wait until it is done.
func (c *lineConn) cut() {
	c.mu.Lock()
	again := c.dead
	c.dead = true
	c.mu.Unlock()
	if again {
		return
	}
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		_ = c.Conn.Close() // it is dead, whatever it says
		return
	}
	c.line.drains.Go(func() {
		_, _ = io.Copy(io.Discard, readerOnly{c.Conn})
		_ = c.Conn.Close() // nobody is interested any more
	})
}

// readerOnly hides what would let io.Copy take a shortcut.
type readerOnly struct{ io.Reader }

// Read implements [net.Conn].
func (c *lineConn) Read(p []byte) (int, error) {
	for len(p) > 0 {
		room := c.line.room(receiving)
		if room == 0 {
			c.hit(receiving)
			room = math.MaxInt64
		}
		if dead, _ := c.state(); dead {
			return 0, io.EOF
		}
		n, err := c.Conn.Read(p[:min(int64(len(p)), room)])
		dead, stalled := c.state()
		if dead {
			return 0, io.EOF
		}
		if stalled && err == nil {
			continue // it never came
		}
		c.line.add(receiving, n)
		c.line.damage(p[:n])
		return n, err
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn]. What is lost on the way counts as written, as
// it does where a kernel has taken it.
func (c *lineConn) Write(p []byte) (int, error) {
	dead, stalled := c.state()
	switch {
	case dead:
		return 0, &net.OpError{Op: "write", Net: "line", Err: syscall.EPIPE}
	case stalled:
		c.line.believe(len(p))
		return len(p), nil
	}
	room := c.line.room(sending)
	n, err := c.Conn.Write(p[:min(int64(len(p)), room)])
	c.line.add(sending, n)
	c.line.believe(n)
	if err != nil || int64(len(p)) < room {
		return n, err
	}
	if c.hit(sending) {
		c.line.believe(len(p) - n)
		return len(p), nil
	}
	if n < len(p) { // the fault is elsewhere, and the rest is not lost
		rest, err := c.Write(p[n:])
		return n + rest, err
	}
	return n, nil
}

// CloseWrite ends the outgoing direction where the connection below can.
func (c *lineConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements [net.Conn].
func (c *lineConn) Close() error {
	c.line.mu.Lock()
	delete(c.line.conns, c)
	c.line.mu.Unlock()
	if dead, _ := c.state(); dead {
		return nil // the draining closes it
	}
	return c.Conn.Close()
}
