package fakenet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// Errors of a [Conn].
var (
	// ErrStopped says that a fault ended the answer, or that the connection is
	// silent after one. The handler returns.
	ErrStopped = errors.New("fakenet: stopped by a fault")
	// ErrLineTooLong says that a line is over the limit. The rest of it has not
	// been read.
	ErrLineTooLong = errors.New("fakenet: line too long")
	// ErrBareLF says that a line ended without a CR. It has been read.
	ErrBareLF = errors.New("fakenet: line ends in LF without CR")
	// ErrEarlyBytes says that the client sent bytes between its request for TLS
	// and the server's answer.
	ErrEarlyBytes = errors.New("fakenet: plain text before the TLS handshake")
)

// Conn is the server's end of a connection. One goroutine writes; another may
// read at the same time.
type Conn struct {
	server  *Server
	raw     net.Conn
	nc      net.Conn // raw, or TLS over it
	r       *bufio.Reader
	w       *bufio.Writer
	number  int
	done    <-chan struct{} // closed when the connection is cut
	cancel  context.CancelFunc
	secured bool
	answer  answer
	silent  bool

	signedIn bool
	token    secret.Text // that the client signed in with, zero for a password
}

func newConn(s *Server, raw net.Conn, number int, done <-chan struct{}, cancel context.CancelFunc) *Conn {
	c := &Conn{server: s, raw: raw, number: number, done: done, cancel: cancel, answer: answer{called: true}}
	c.carry(raw)
	return c
}

// carry makes nc the stream that is read and written.
func (c *Conn) carry(nc net.Conn) {
	c.nc = nc
	c.r = bufio.NewReader(nc)
	c.w = bufio.NewWriterSize(nc, 16<<10)
}

// run is the life of the connection.
func (c *Conn) run(ctx context.Context) {
	defer c.cancel()
	if c.server.options.Security != mailtest.TLS || c.StartTLS(ctx) == nil {
		c.server.handler(ctx, c)
	}
	if c.silent {
		_, _ = io.Copy(io.Discard, c.nc)
	}
	_ = c.nc.Close()
}

// Cut closes the connection at once, whoever is blocked on it. Unlike the other
// methods it may be called from any goroutine.
func (c *Conn) Cut() {
	c.cancel()
	_ = c.raw.Close()
}

// Number returns which connection of the server this is, counted from 1.
func (c *Conn) Number() int { return c.number }

// Encrypted reports whether the connection runs over TLS by now.
func (c *Conn) Encrypted() bool { return c.secured }

// StartTLS does the server's side of a TLS handshake; reading and writing go
// through TLS from then on. Bytes that the client sent too early make it fail
// with [ErrEarlyBytes], since whoever put them there may not be the client.
func (c *Conn) StartTLS(ctx context.Context) error {
	if c.r.Buffered() > 0 {
		return ErrEarlyBytes
	}
	verdict, err := c.Begin(mailtest.Handshake, "")
	if err != nil {
		return err
	}
	if verdict.Reply != "" {
		if _, err := c.WriteString(verdict.Reply + "\r\n"); err != nil {
			return err
		}
	}
	stops := verdict.Reply != "" || verdict.Ignore || verdict.Refuse
	if err := c.End(); err != nil {
		return err
	}
	if stops {
		return ErrStopped
	}
	config, err := c.server.serverTLS()
	if err != nil {
		return err
	}
	secure := tls.Server(c.raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("fakenet: TLS handshake: %w", err)
	}
	c.carry(secure)
	c.secured = true
	return nil
}

// ReadLine returns the next line without its CRLF. The bytes are the caller's.
// It fails with [io.EOF] where the client closed the connection between two
// lines, with [io.ErrUnexpectedEOF] within one, and with [ErrLineTooLong] or
// [ErrBareLF].
func (c *Conn) ReadLine() ([]byte, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > c.server.options.MaxLine+len("\r\n"):
			return nil, ErrLineTooLong
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		if whole, ok := bytes.CutSuffix(line, []byte("\r\n")); ok {
			return whole, nil
		}
		return nil, ErrBareLF
	}
}

// ReadFull returns the next n bytes. It fails with [io.ErrUnexpectedEOF] where
// fewer come.
func (c *Conn) ReadFull(n int) ([]byte, error) {
	var buf bytes.Buffer // grows with what comes and not with what was announced
	_, err := io.CopyN(&buf, c.r, int64(n))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return buf.Bytes(), err
}

// Read reads as [io.Reader] does.
func (c *Conn) Read(p []byte) (int, error) { return c.r.Read(p) }

// Buffered returns how many bytes have come that nobody has read. They are what
// the client sent ahead; there may be more on the way.
func (c *Conn) Buffered() int { return c.r.Buffered() }

// SetReadDeadline makes reads fail with [os.ErrDeadlineExceeded] from then on,
// as [net.Conn.SetReadDeadline] does. A TLS connection does not survive it.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// StopReading makes a read that is under way on another goroutine, and all
// later ones, fail. Writing goes on.
func (c *Conn) StopReading() { _ = c.raw.SetReadDeadline(time.Unix(1, 0)) }

// Flush sends what is buffered.
func (c *Conn) Flush() error {
	if c.silent {
		return ErrStopped
	}
	return c.w.Flush()
}

// pause waits, and fails where the connection is cut meanwhile.
func (c *Conn) pause(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.done:
		return net.ErrClosed
	}
}
