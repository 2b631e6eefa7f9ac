package pop3x

import (
	"bytes"
	"errors"
	"io"

	"github.com/mailsession/mailsession/internal/wire"
)

// source is what [wire.Conn] reads ahead with.
type source interface {
	Ahead(n int) ([]byte, error)
	Skip(n int)
}

var _ source = (*wire.Conn)(nil)

// dots reads the lines of an answer up to the final dot, and takes the dots
// that were put before others off again (RFC 1939 section 3). Lines end in CR
// LF; a lone LF, a lone CR and a byte order mark are content. Where the answer's
// first line ended in a lone LF, all lines of the server do.
type dots struct {
	src    source
	bare   bool // lines end in a lone LF
	inside bool // the last byte that was read is not the end of a line
	cr     bool // the last byte that was read is a CR
	behind *behind
	err    error
}

// errFinalDot ends the lines.
var errFinalDot = errors.New("the final dot")

// Read implements [io.Reader]. It returns io.EOF only behind the final dot.
func (d *dots) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		chunk, err := d.next()
		if err != nil {
			return 0, err
		}
		if n := copy(p, chunk); n > 0 {
			d.took(chunk, n)
			return n, nil
		}
	}
}

// WriteTo implements [io.WriterTo] without a copy in between.
func (d *dots) WriteTo(w io.Writer) (total int64, err error) {
	for {
		chunk, err := d.next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(chunk)
		d.took(chunk, n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// next returns bytes of content that have come, up to the place where a dot has
// to be looked at. It is at least one byte.
func (d *dots) next() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	chunk, err := d.ahead()
	switch {
	case errors.Is(err, errFinalDot) && d.behind.doubtful():
		d.err = errSwallowed
	case errors.Is(err, errFinalDot):
		d.err = io.EOF
	case errors.Is(err, io.EOF):
		d.err = io.ErrUnexpectedEOF
	default:
		d.err = err
	}
	return chunk, d.err
}

func (d *dots) ahead() ([]byte, error) {
	buf, err := d.src.Ahead(1)
	if err != nil {
		return nil, err
	}
	if !d.inside && buf[0] == '.' {
		if buf, err = d.dot(); err != nil {
			return nil, err
		}
	}
	return buf[:d.run(buf)], nil
}

// dot looks at a line that begins with a dot: the end, or one dot too many.
func (d *dots) dot() ([]byte, error) {
	// No line is shorter than the final dot with its line end.
	buf, err := d.src.Ahead(2)
	if err != nil {
		return nil, err
	}
	if d.bare && buf[1] == '\n' {
		d.src.Skip(2)
		return nil, errFinalDot
	}
	if buf[1] == '\r' {
		if buf, err = d.src.Ahead(3); err != nil {
			return nil, err
		}
		if buf[2] == '\n' {
			d.src.Skip(3)
			return nil, errFinalDot
		}
	}
	d.src.Skip(1)
	d.inside = true // a dot that follows is content
	return buf[1:], nil
}

// run returns how much of buf can be taken before the next line that begins
// with a dot. It is at least 1.
func (d *dots) run(buf []byte) int {
	if d.cr && !d.bare && len(buf) > 1 && buf[0] == '\n' && buf[1] == '.' {
		return 1
	}
	end := "\r\n."
	if d.bare {
		end = "\n."
	}
	if i := bytes.Index(buf, []byte(end)); i >= 0 {
		return i + len(end) - 1
	}
	return len(buf)
}

// took notes that the first n bytes of chunk were read.
func (d *dots) took(chunk []byte, n int) {
	if n == 0 {
		return
	}
	cr := d.cr
	if n > 1 {
		cr = chunk[n-2] == '\r'
	}
	d.inside = chunk[n-1] != '\n' || !cr && !d.bare
	d.cr = chunk[n-1] == '\r'
	d.behind.took(chunk[:n])
	d.src.Skip(n)
}

// discard reads the rest.
func (d *dots) discard() error {
	_, err := d.WriteTo(io.Discard)
	return err
}
