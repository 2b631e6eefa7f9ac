package message

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// A segment is bytes that are ready, and a file behind them.
type segment struct {
	literal  []byte
	content  Source // or nil
	encoding string
	size     int64 // of content as it travels, or -1
}

// A composedSource is a message of which files are read when it is read.
type composedSource struct {
	segments []segment
	size     int64
}

func newComposed(segments []segment) *composedSource {
	s := &composedSource{segments: segments}
	for _, seg := range segments {
		s.size += int64(len(seg.literal))
		if seg.content == nil {
			continue
		}
		if seg.size < 0 {
			s.size = -1
			break
		}
		s.size += seg.size
	}
	return s
}

func (s *composedSource) Size() int64 { return s.size }

// Open opens all files: one that is missing is better known now than when the
// server has half of the message.
func (s *composedSource) Open() (io.ReadCloser, error) {
	r := &composedReader{segments: s.segments, files: make([]io.ReadCloser, len(s.segments))}
	for i, seg := range s.segments {
		if seg.content == nil {
			continue
		}
		file, err := seg.content.Open()
		if err != nil {
			// That closing the others may fail too adds nothing.
			_ = r.Close()
			return nil, fmt.Errorf("message: draft: open a file: %w", err)
		}
		r.files[i] = file
	}
	return r, nil
}

// A composedReader reads one segment after the other.
type composedReader struct {
	segments []segment
	files    []io.ReadCloser // of the segments that have one
	at       int             // the segment
	pos      int             // in its literal
	encoder  encoder         // of its file
	encoded  []byte          // what is left of what the encoder gave
	n        int64           // what it gave
	err      error
}

// An encoder gives content as it travels, piece by piece.
type encoder interface {
	// next returns the next bytes, which are valid until the next call, or io.EOF.
	next() ([]byte, error)
}

// chunk returns what comes next, until io.EOF.
func (r *composedReader) chunk() ([]byte, error) {
	for r.err == nil {
		switch {
		case len(r.encoded) > 0:
			return r.encoded, nil
		case r.at == len(r.segments):
			r.err = io.EOF
		case r.pos < len(r.segments[r.at].literal):
			return r.segments[r.at].literal[r.pos:], nil
		case r.files[r.at] == nil:
			r.at, r.pos = r.at+1, 0
		default:
			r.encode()
		}
	}
	return nil, r.err
}

// used tells that n bytes of the chunk have been read.
func (r *composedReader) used(n int) {
	if len(r.encoded) > 0 {
		r.encoded = r.encoded[n:]
	} else {
		r.pos += n
	}
}

// encode reads on in the file of the segment.
func (r *composedReader) encode() {
	seg, file := r.segments[r.at], r.files[r.at]
	if r.encoder == nil {
		r.n = 0
		if seg.encoding == "base64" {
			r.encoder = newBase64Encoder(seg.content, file)
		} else {
			r.encoder = &lineEncoder{r: bufio.NewReaderSize(file, lineBuffer)}
		}
	}
	r.encoded, r.err = r.encoder.next()
	r.n += int64(len(r.encoded))
	ended := errors.Is(r.err, io.EOF)
	switch {
	case r.err != nil && !ended:
		r.err = fmt.Errorf("message: draft: read a file: %w", r.err)
		return
	case seg.size >= 0 && (r.n > seg.size || ended && r.n < seg.size):
		// One that grows is not read to an end that may never come.
		r.encoded = nil
		r.err = fmt.Errorf("message: draft: a file was %d bytes long, encoded, and %d of it have been read now: %w", seg.size, r.n, io.ErrUnexpectedEOF)
		return
	case !ended:
		return
	}
	if r.err = file.Close(); r.err != nil {
		r.err = fmt.Errorf("message: draft: close a file: %w", r.err)
	}
	r.files[r.at] = nil
	r.encoder, r.at, r.pos = nil, r.at+1, 0
}

func (r *composedReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	total := 0
	for total < len(p) {
		b, err := r.chunk()
		if err != nil {
			if total > 0 {
				return total, nil
			}
			return 0, err
		}
		n := copy(p[total:], b)
		r.used(n)
		total += n
	}
	return total, nil
}

// WriteTo writes what is left without copying it.
func (r *composedReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		b, err := r.chunk()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(b)
		r.used(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// Close closes the files that are still open.
func (r *composedReader) Close() error {
	var errs []error
	for i, file := range r.files {
		if file != nil {
			errs = append(errs, file.Close())
			r.files[i] = nil
		}
	}
	if r.err == nil {
		r.err = errors.New("message: draft: read after Close")
	}
	return errors.Join(errs...)
}

// The lines of base64: how many bytes are in one, and how long it is with its
// end.
const (
	base64Raw  = 57
	base64Line = base64Raw/3*4 + len("\r\n")
	// base64Lines is how many are encoded at once of what has to be read, and
	// fewLines of what is in memory.
	base64Lines = 256
	fewLines    = 64
)

// base64Size returns the length of n bytes as they travel, or -1.
func base64Size(n int64) int64 {
	if n < 0 {
		return -1
	}
	size := n / base64Raw * int64(base64Line)
	if rest := n % base64Raw; rest > 0 {
		size += (rest+2)/3*4 + int64(len("\r\n"))
	}
	return size
}

// appendLines64 appends content in lines (RFC 2045 section 6.8).
func appendLines64(dst, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), base64Raw)
		dst = append(base64.StdEncoding.AppendEncode(dst, content[:n]), '\r', '\n')
		content = content[n:]
	}
	return dst
}

// A base64Encoder writes base64 piece by piece: of what is in memory, or of what
// a file gives.
type base64Encoder struct {
	r     io.Reader // or nil
	in    []byte    // what is in memory, or was read
	out   []byte
	ended bool // r has
}

// newBase64Encoder encodes what s is, and r reads.
func newBase64Encoder(s Source, r io.Reader) *base64Encoder {
	if b, ok := s.(bytesSource); ok {
		return &base64Encoder{in: b, out: make([]byte, 0, min(base64Size(int64(len(b))), fewLines*int64(base64Line)))}
	}
	return &base64Encoder{r: r, in: make([]byte, base64Lines*base64Raw), out: make([]byte, 0, base64Lines*base64Line)}
}

func (e *base64Encoder) next() ([]byte, error) {
	var content []byte
	if e.r == nil {
		content = e.in[:min(len(e.in), fewLines*base64Raw)]
		e.in = e.in[len(content):]
	} else {
		n, err := e.fill()
		if err != nil {
			return nil, err
		}
		content = e.in[:n]
	}
	if len(content) == 0 {
		return nil, io.EOF
	}
	return appendLines64(e.out, content), nil
}

// fill reads until there is no more room or no more to read. It is not
// io.ReadFull, to which the error of a file that was cut short is an end.
func (e *base64Encoder) fill() (n int, err error) {
	for n < len(e.in) && !e.ended {
		m, err := e.r.Read(e.in[n:])
		n += m
		if e.ended = errors.Is(err, io.EOF); err != nil && !e.ended {
			return n, err
		}
	}
	return n, nil
}

// lineBuffer is how much of a message is read at once, and more than the longest
// line that may be.
const lineBuffer = 8 << 10

// A lineEncoder has every line end in CR LF.
type lineEncoder struct {
	r   *bufio.Reader
	out []byte
	cr  bool // the last byte was a CR, whose line has been ended
}

func (e *lineEncoder) next() ([]byte, error) {
	b, err := e.r.Peek(1)
	if len(b) == 0 {
		return nil, err
	}
	b, _ = e.r.Peek(e.r.Buffered())
	e.out = e.out[:0]
	for rest := b; len(rest) > 0; {
		i := bytes.IndexAny(rest, "\r\n")
		if i < 0 {
			e.out, e.cr = append(e.out, rest...), false
			break
		}
		if i > 0 || rest[0] == '\r' || !e.cr {
			e.out = append(append(e.out, rest[:i]...), '\r', '\n')
		}
		e.cr = rest[i] == '\r'
		rest = rest[i+1:]
	}
	n := len(b)
	if _, err := e.r.Discard(n); err != nil {
		return nil, err
	}
	if len(e.out) == 0 {
		return e.next() // the LF of a CR LF alone
	}
	return e.out, nil
}
