// Package pipe connects two ends in memory as a TCP connection would.
//
// Unlike [net.Pipe] it has a buffer in each direction, so that two sides that
// write at the same time do not wait for each other, and it blocks nowhere but
// in [sync.Cond.Wait], so that it works inside a bubble of testing/synctest:
// a goroutine waiting in Read or Write lets virtual time go on, and deadlines
// follow the virtual clock.
package pipe

import (
	"io"
	"net"
	"time"
)

// Size is the capacity of each direction in bytes. A Write that finds the
// buffer full waits for the other side to read.
const Size = 64 << 10

// New returns the two ends of a new connection. Both also have the method
// CloseWrite() error, as a [net.TCPConn] has.
//
// Closing one end lets the other end read what was written before, and then
// [io.EOF]; what the other end writes from then on fails with
// [io.ErrClosedPipe]. Using an end after closing it fails with
// [net.ErrClosed]. An expired deadline gives [os.ErrDeadlineExceeded], even
// where bytes are there to be read.
func New() (client, server net.Conn) {
	a, b := newStream(), newStream()
	return &conn{in: a, out: b, local: "client", remote: "server"},
		&conn{in: b, out: a, local: "server", remote: "client"}
}

// conn is one end: it reads from one stream and writes to the other.
type conn struct {
	in, out       *stream
	local, remote addr
}

func (c *conn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *conn) LocalAddr() net.Addr         { return c.local }
func (c *conn) RemoteAddr() net.Addr        { return c.remote }

// CloseWrite ends the outgoing direction: the other side reads io.EOF once it
// has read the rest, and can go on writing.
func (c *conn) CloseWrite() error {
	c.out.end(func(s *stream) { s.finished = true })
	return nil
}

func (c *conn) Close() error {
	c.out.end(func(s *stream) { s.finished, s.writerGone = true, true })
	c.in.end(func(s *stream) { s.readerGone = true })
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(&c.in.readLimit, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writeLimit, t) }

// addr is the address of an end: the word "client" or "server".
type addr string

func (addr) Network() string  { return "pipe" }
func (a addr) String() string { return string(a) }

var (
	_ net.Conn                        = (*conn)(nil)
	_ interface{ CloseWrite() error } = (*conn)(nil)
	_ net.Listener                    = (*Listener)(nil)
	_ io.ReadWriteCloser              = (*conn)(nil)
)
