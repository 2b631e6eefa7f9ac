package wire

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// LineError says that a line was longer than [Config.MaxLine].
type LineError struct {
	Address string
	Limit   int
}

func (e *LineError) Error() string {
	return fmt.Sprintf("%s: the server sent a line of more than %d bytes", e.Address, e.Limit)
}

// ReadLine returns the next line without its end, CR LF or a lone LF. The
// bytes are valid until the next read. The error is io.EOF where the stream
// ended before the line began, io.ErrUnexpectedEOF where it ended inside, a
// [*LineError] where the line is too long.
func (c *Conn) ReadLine() ([]byte, error) {
	if err := c.Err(); err != nil {
		return nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = c.readLongLine(line)
	}
	c.bare = !bytes.HasSuffix(line, []byte("\r\n"))
	if err != nil {
		if len(line) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, c.fail(err)
	}
	if line = trimEnd(line); len(line) > c.maxLine() {
		return nil, c.fail(c.tooLong())
	}
	return line, nil
}

// BareLF reports whether the line that was read last ended in a lone LF.
func (c *Conn) BareLF() bool { return c.bare }

// Ahead returns what came and was not read yet, at least n bytes, for which it
// waits; n is at most [MaxAhead]. The bytes are valid until the next read;
// [Conn.Skip] reads them. The error is io.EOF where the stream ended before a
// byte came, io.ErrUnexpectedEOF where it ended before n.
func (c *Conn) Ahead(n int) ([]byte, error) {
	if err := c.Err(); err != nil {
		return nil, err
	}
	if p, err := c.r.Peek(n); err != nil {
		if len(p) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, c.fail(err)
	}
	return c.r.Peek(c.r.Buffered())
}

// Skip reads n bytes that Ahead has returned.
func (c *Conn) Skip(n int) {
	_, _ = c.r.Discard(n) // they are in the buffer
}

func (c *Conn) maxLine() int { return cmp.Or(c.cfg.MaxLine, DefaultMaxLine) }

func (c *Conn) tooLong() error { return &LineError{Address: c.cfg.Address, Limit: c.maxLine()} }

// maxKept is the largest buffer that a connection keeps for its next long line.
const maxKept = 64 << 10

// readLongLine goes on where the buffer was full.
func (c *Conn) readLongLine(start []byte) ([]byte, error) {
	if cap(c.long) > maxKept {
		c.long = nil
	}
	c.long = append(c.long[:0], start...)
	for {
		more, err := c.r.ReadSlice('\n')
		c.long = append(c.long, more...)
		if len(trimEnd(c.long)) > c.maxLine() {
			return nil, c.tooLong()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return c.long, err
		}
	}
}

func trimEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line
}

// Read reads what comes next, at most len(p) bytes. Use it for the counted
// bytes of a literal; see [Conn.Literal].
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// Buffered returns how many bytes came but were not read yet.
func (c *Conn) Buffered() int { return c.r.Buffered() }

// Literal returns a reader of the next n bytes. It ends in io.EOF only after
// all of them, and in io.ErrUnexpectedEOF where the stream ends before.
func (c *Conn) Literal(n int64) *Literal { return &Literal{c: c, left: n} }

// Literal reads counted bytes from a connection.
type Literal struct {
	c    *Conn
	left int64
}

// Left returns how many bytes are still to come.
func (l *Literal) Left() int64 { return l.left }

// Read implements [io.Reader].
func (l *Literal) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.c.Read(p)
	l.left -= int64(n)
	if l.left > 0 {
		err = inside(err)
	}
	return n, err
}

// WriteTo implements [io.WriterTo]: w gets the rest as it lies in the
// connection's buffer. Where w fails, the connection lives, and what w did not
// take can still be read.
func (l *Literal) WriteTo(w io.Writer) (written int64, err error) {
	for l.left > 0 {
		piece, err := l.c.Ahead(1)
		if err != nil {
			return written, inside(err)
		}
		piece = piece[:min(l.left, int64(len(piece)))]
		n, err := w.Write(piece)
		l.c.Skip(n)
		l.left -= int64(n)
		written += int64(n)
		if err == nil && n < len(piece) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// inside tells an end of the stream within a literal from one behind it.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Discard reads the rest and drops it.
func (l *Literal) Discard() error {
	_, err := io.Copy(io.Discard, l)
	return err
}

// Write puts p into the buffer in front of the socket; [Conn.Flush] sends it.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// WriteByte is Write for a byte.
func (c *Conn) WriteByte(b byte) error {
	if err := c.w.WriteByte(b); err != nil {
		return c.fail(err)
	}
	return nil
}

// WriteString is Write for a string.
func (c *Conn) WriteString(s string) (int, error) {
	n, err := c.w.WriteString(s)
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// Flush sends what was written.
func (c *Conn) Flush() error {
	if err := c.Err(); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return c.fail(err)
	}
	return nil
}

// Send flushes what was written and sends p past the buffer. It returns how
// many bytes of p left; no byte behind them did, so that who writes several
// things at once can tell which of them the server cannot have. Where the peer
// is gone, what it said before can still be read; nothing can be sent any more.
func (c *Conn) Send(p []byte) (int, error) {
	if err := c.Flush(); err != nil {
		return 0, err
	}
	n, err := c.t.Write(p)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, c.fail(err)
	}
	return n, err
}

// HandOver returns the connection for a client made by others. It reads from
// r, which decides what of the connection the client gets to see. What it
// writes is sent at once. Its deadlines have no effect, and closing it kills
// the connection.
func (c *Conn) HandOver(r io.Reader) net.Conn { return &handedOver{Reader: r, c: c} }

type handedOver struct {
	io.Reader

	c *Conn
}

func (h *handedOver) Write(p []byte) (int, error) {
	n, err := h.c.Write(p)
	if err != nil {
		return n, err
	}
	return n, h.c.Flush()
}

func (h *handedOver) Close() error {
	h.c.Kill(net.ErrClosed)
	return nil
}

func (h *handedOver) LocalAddr() net.Addr            { return h.c.raw.LocalAddr() }
func (h *handedOver) RemoteAddr() net.Addr           { return h.c.raw.RemoteAddr() }
func (*handedOver) SetDeadline(time.Time) error      { return nil }
func (*handedOver) SetReadDeadline(time.Time) error  { return nil }
func (*handedOver) SetWriteDeadline(time.Time) error { return nil }
