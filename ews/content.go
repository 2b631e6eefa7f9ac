package ews

import (
	"bytes"
	"encoding/base64"
	"errors"
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
	return &decoding{chars: characters{scan: x, depth: x.depth()}}
}

// decoding undoes base64 in large steps.
type decoding struct {
	chars  characters
	left   []byte // of the last group, too few to be decoded
	out    []byte // decoded, and not read yet
	buf    [3 * 1024]byte
	padded bool // the last group came
	err    error
}

// stepped is how many characters are decoded at a time at most where the reader has
// little room.
const stepped = 4 * 1024

// Read implements [io.Reader].
func (d *decoding) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if len(d.out) > 0 {
			n := copy(p, d.out)
			d.out = d.out[n:]
			return n, nil
		}
		if d.err != nil {
			return 0, d.err
		}
		if n := d.step(p); n > 0 {
			return n, nil
		}
	}
	return 0, nil
}

// step decodes what comes next, into p where it fits, else to be read later.
func (d *decoding) step(p []byte) int {
	into, most := p, len(p)/3*4
	if most < stepped {
		into, most = d.buf[:], stepped
	}
	text, err := d.chars.next(most - len(d.left))
	if err != nil {
		d.err = err
		if len(d.left) > 0 && errors.Is(err, io.EOF) {
			d.err = io.ErrUnexpectedEOF
		}
		return 0
	}
	n := d.head(into, &text)
	whole := len(text) / 4 * 4
	n += d.decode(into[n:], text[:whole])
	d.left = append(d.left, text[whole:]...)
	if most == stepped && len(into) == len(d.buf) && &into[0] == &d.buf[0] {
		d.out = d.buf[:n]
		return 0
	}
	return n
}

// head decodes the group that was begun before.
func (d *decoding) head(into []byte, text *[]byte) int {
	if len(d.left) == 0 {
		return 0
	}
	k := min(4-len(d.left), len(*text))
	d.left = append(d.left, (*text)[:k]...)
	*text = (*text)[k:]
	if len(d.left) < 4 {
		return 0
	}
	n := d.decode(into, d.left)
	d.left = d.left[:0]
	return n
}

// decode decodes whole groups.
func (d *decoding) decode(into, text []byte) int {
	if len(text) == 0 || d.err != nil {
		return 0
	}
	n, err := base64.StdEncoding.Decode(into, text)
	if err != nil || d.padded {
		d.err = &syntaxError{"the message is not base64"}
	}
	d.padded = text[len(text)-1] == '='
	return n
}

// characters reads the text of one element as it stands, without white space and
// references, of which base64 has none.
type characters struct {
	scan  *scanner
	depth int
}

// next returns some characters, at most so many, which are valid until the next call.
func (c *characters) next(most int) ([]byte, error) {
	x := c.scan
	for {
		if err := x.more(1); err != nil {
			return nil, x.cut(err)
		}
		window := x.buf[x.r:min(x.w, x.r+most)]
		switch window[0] {
		case '<':
			return nil, c.end()
		case '&':
			if err := c.reference(); err != nil {
				return nil, err
			}
			continue
		}
		for _, end := range []byte("<&") {
			if i := bytes.IndexByte(window, end); i >= 0 {
				window = window[:i]
			}
		}
		x.r += len(window)
		if window = squeezed(window); len(window) > 0 {
			return window, nil
		}
	}
}

// squeezed takes white space out in place.
func squeezed(text []byte) []byte {
	if bytes.IndexByte(text, ' ') < 0 && bytes.IndexByte(text, '\t') < 0 && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	kept := text[:0]
	for _, b := range text {
		if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			kept = append(kept, b)
		}
	}
	return kept
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
