package dkim

import (
	"bytes"
	"fmt"
	"io"
)

// maxBlank is how many blank lines may stand in a row ahead of others where a body
// is signed as it is: what makes the canonical form collects them, and goes through
// all of them again with every few thousand bytes that follow.
const maxBlank = 1 << 15

// blanks hands a message on without the blank lines at the end of its body, which
// no canonical form has (RFC 6376 sections 3.4.3 and 3.4.4), and holds none of them
// meanwhile: they are counted, and written when something follows. Lines end in CR
// LF.
type blanks struct {
	w       io.Writer
	relaxed bool // lines of spaces are blank too, and spaces in a row are one

	head  int   // how much of the empty line behind the header was seen; 4 is all
	lines int64 // blank ones that are held back
	text  bool  // the present line has something
	space bool  // it begins with spaces, which are held back
	buf   []byte
}

// endOfHead is what a header ends in.
const endOfHead = "\r\n\r\n"

// Write implements [io.Writer].
func (b *blanks) Write(p []byte) (int, error) {
	n := len(p)
	b.buf = b.buf[:0]
	p = b.header(p)
	for len(p) > 0 {
		if b.text {
			end := bytes.IndexByte(p, '\n') + 1
			b.text = end == 0
			if b.text {
				end = len(p)
			}
			b.buf = append(b.buf, p[:end]...)
			p = p[end:]
			continue
		}
		switch c := p[0]; {
		case c == '\r':
		case c == '\n':
			b.lines++
			b.space = false
		case b.relaxed && (c == ' ' || c == '\t'):
			b.space = true
		default:
			if err := b.release(); err != nil {
				return 0, err
			}
			b.text = true
			continue
		}
		p = p[1:]
	}
	if len(b.buf) > 0 {
		if _, err := b.w.Write(b.buf); err != nil {
			return 0, err //nolint:wrapcheck // io.Writer's contract
		}
	}
	return n, nil
}

// header hands on what belongs to the header, and returns the rest.
func (b *blanks) header(p []byte) []byte {
	for i, c := range p {
		switch {
		case b.head == len(endOfHead):
			b.buf = append(b.buf, p[:i]...)
			return p[i:]
		case c == endOfHead[b.head]:
			b.head++
		case c == '\r':
			b.head = 1
		default:
			b.head = 0
		}
	}
	b.buf = append(b.buf, p...)
	return nil
}

// release writes the blank lines that were held back, since something follows.
func (b *blanks) release() error {
	if !b.relaxed && b.lines > maxBlank {
		return fmt.Errorf("the body has %d blank lines in a row; sign it relaxed", b.lines)
	}
	for ; b.lines > 0; b.lines-- {
		b.buf = append(b.buf, "\r\n"...)
		if len(b.buf) < 32<<10 {
			continue
		}
		if _, err := b.w.Write(b.buf); err != nil {
			return err //nolint:wrapcheck // io.Writer's contract
		}
		b.buf = b.buf[:0]
	}
	if b.space {
		b.buf = append(b.buf, ' ')
		b.space = false
	}
	return nil
}
