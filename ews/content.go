package ews

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// content returns what the element whose start tag was read last holds in base64,
// decoded while it is read. It ends in io.EOF only when the element was closed.
func (x *scanner) content() io.Reader {
	if x.closing {
		x.closing = false
		x.leave()
		return bytes.NewReader(nil)
	}
	x.free = true
	return &decoding{src: base64.NewDecoder(base64.StdEncoding, &characters{scan: x, depth: x.depth()})}
}

// characters reads the text of one element as it stands, without white space and
// references, of which base64 has none.
type characters struct {
	scan  *scanner
	depth int
	err   error
}

// Read implements [io.Reader].
func (c *characters) Read(p []byte) (int, error) {
	for c.err == nil && len(p) > 0 {
		x := c.scan
		if err := x.more(1); err != nil {
			c.err = x.cut(err)
			break
		}
		window := x.buf[x.r:min(x.w, x.r+len(p))]
		if window[0] == '<' {
			c.err = c.end()
			break
		}
		if window[0] == '&' {
			if c.err = c.reference(); c.err != nil {
				break
			}
			continue
		}
		if i := bytes.IndexAny(window, "<&"); i >= 0 {
			window = window[:i]
		}
		n := squeeze(p, window)
		x.r += len(window)
		if n > 0 {
			return n, nil
		}
	}
	return 0, c.err
}

// squeeze copies text without white space.
func squeeze(p, text []byte) int {
	if bytes.IndexByte(text, ' ') < 0 && bytes.IndexByte(text, '\t') < 0 && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return copy(p, text)
	}
	n := 0
	for _, b := range text {
		if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			p[n] = b
			n++
		}
	}
	return n
}

// reference passes over a reference to a line break.
func (c *characters) reference() error {
	x := c.scan
	err := x.more(longestReference)
	if err != nil && !errors.Is(err, io.EOF) {
		return x.cut(err)
	}
	end := bytes.IndexByte(x.buf[x.r:min(x.w, x.r+longestReference)], ';')
	if end < 0 {
		return x.malformed("an ampersand stands in what should be base64")
	}
	x.r += end + 1
	return nil
}

// end reads the end tag, which is all that may follow.
func (c *characters) end() error {
	x := c.scan
	for {
		t, err := x.next(false)
		switch {
		case err != nil:
			return err
		case t == endTag && x.depth() < c.depth:
			x.free = false
			return io.EOF
		case t == textRun:
			continue
		}
		return x.malformed("there is more than base64 in " + x.name)
	}
}

// decoding tells what is wrong with base64 from what is wrong with the line.
type decoding struct{ src io.Reader }

// Read implements [io.Reader].
func (d *decoding) Read(p []byte) (int, error) {
	n, err := d.src.Read(p)
	if at, ok := errors.AsType[base64.CorruptInputError](err); ok {
		err = &syntaxError{fmt.Sprintf("the message is not base64 behind character %d", int64(at))}
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}
