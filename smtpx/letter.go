package smtpx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// maxHead is how much of a message is read ahead to see its header.
const maxHead = 256 << 10

// letter is a message on its way: opened once, its header looked at.
type letter struct {
	source    message.Source
	size      int64 // in bytes, -1 where the source does not know
	onLine    int64 // the same of what goes over the line, see measure
	messageID string
	utf8      bool // the header is not ASCII but UTF-8 (RFC 6532)

	head []byte // read already
	rest io.ReadCloser
}

// openLetter opens the message and reads its header.
func openLetter(m message.Source) (*letter, error) { return openLetterInto(m, nil) }

// openLetterInto is openLetter with room for what is read ahead, which may be
// nil.
func openLetterInto(m message.Source, room []byte) (*letter, error) {
	if m == nil {
		return nil, session.ErrEmptyMessage
	}
	r, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("open the message: %w", err)
	}
	l := &letter{source: m, size: m.Size(), rest: r}
	l.onLine = l.size
	err = l.readHead(room)
	if err == nil && len(l.head) == 0 {
		err = session.ErrEmptyMessage
	}
	if err != nil {
		// The reading failed; that the closing may fail too adds nothing.
		_ = r.Close()
		return nil, fmt.Errorf("read the message: %w", err)
	}
	head := l.head[:headerEnd(l.head)]
	l.messageID = message.ParseHeader(head).MessageID()
	l.utf8 = hasEightBit(head) && utf8.Valid(head)
	return l, nil
}

// readHead reads until the header is complete, the message ends or maxHead is
// reached.
func (l *letter) readHead(room []byte) error {
	buf := room[:0]
	if cap(buf) == 0 {
		buf = make([]byte, 0, 8<<10)
	}
	for len(buf) < maxHead {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := l.rest.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if headerEnd(buf) < len(buf) {
			break
		}
	}
	l.head = buf
	return nil
}

// headerEnd returns where the empty line behind the header ends, len(p) where
// there is none.
func headerEnd(p []byte) int {
	for i := 0; i < len(p); {
		n := bytes.IndexByte(p[i:], '\n')
		if n < 0 {
			break
		}
		line := p[i : i+n]
		i += n + 1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return i
		}
	}
	return len(p)
}

// Close lets go of the source.
func (l *letter) Close() error { return l.rest.Close() }

// errShort is wrapped where a source did not give as many bytes as it said.
var errShort = errors.New("the source is not as long as it says")

// measure finds out how many bytes of the message go over the line: with every line
// ended in CR LF, and without the protocol's dots (RFC 1870 section 5). That is the
// source's length where its lines end so already, and up to twice as much where they
// do not. So it is counted where what was read ahead has other line ends, and where
// the difference can matter to the server's limit, which is 0 where there is none;
// elsewhere the source is not read twice for what the RFC lets be an estimate. Where
// the source's length is not known, nobody counts: [stuffer] ends at the limit.
func (l *letter) measure(limit int64) {
	whole := int64(len(l.head)) == l.size
	switch {
	case l.size < 0, limit > 0 && l.size > limit:
	case whole && (!regular(l.head) || !bytes.HasSuffix(l.head, []byte("\n"))):
		l.onLine = onLine(bytes.NewReader(l.head), l.size)
	case !whole && (limit > 0 && l.size > limit/2-1 || !regular(l.head)):
		r, err := l.source.Open()
		if err != nil {
			return // it may be one that can be read once, and is estimated
		}
		defer r.Close()
		l.onLine = onLine(r, l.size)
	}
}

// regular reports whether the lines of what a message begins with seem to end in CR
// LF: there are as many CRs as LFs.
func regular(p []byte) bool {
	p = bytes.TrimSuffix(p, []byte("\r"))
	return bytes.Count(p, []byte("\r")) == bytes.Count(p, []byte("\n"))
}

// onLine counts what a message is on the line; what cannot be read to its end is
// estimated.
func onLine(r io.Reader, estimate int64) int64 {
	s := &stuffer{w: io.Discard, noDots: true}
	if _, err := io.Copy(s, r); err != nil {
		return estimate
	}
	_ = s.Close() // which has no errors where writing has none
	return s.n
}

// copyTo writes the whole message to w. It fails where a source that knows
// its size gives another number of bytes: what is cut short must not go out as
// if it were whole. An error that wraps *sourceError is the source's.
func (l *letter) copyTo(w io.Writer) error {
	if _, err := w.Write(l.head); err != nil {
		return err
	}
	src := &sourceReader{r: l.rest}
	if _, err := io.Copy(w, src); err != nil {
		return err
	}
	return checkLength(l.size, int64(len(l.head))+src.n)
}

// checkLength compares the number of bytes that came with what the source said.
func checkLength(said, n int64) error {
	if said >= 0 && n != said {
		return &sourceError{fmt.Errorf("%w: %d bytes announced, %d read", errShort, said, n)}
	}
	return nil
}

// sourceError is a failure of the message's source.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "read the message: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// sourceReader counts, and marks the source's errors as such.
type sourceReader struct {
	r io.Reader
	n int64
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &sourceError{err}
	}
	return n, err
}

// eightBit reads the message once more to see whether it has bytes that do
// not pass a server without 8BITMIME.
func (l *letter) eightBit() (found bool, err error) {
	r, err := l.source.Open()
	if err != nil {
		return false, &sourceError{err}
	}
	defer r.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if hasEightBit(buf[:n]) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, &sourceError{err}
		}
	}
}

func hasEightBit(p []byte) bool {
	for _, b := range p {
		if b >= utf8.RuneSelf {
			return true
		}
	}
	return false
}
