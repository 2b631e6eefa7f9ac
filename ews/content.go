package ews

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// content returns what the element whose start tag was read last holds in base64,
// decoded while it is read. It ends in io.EOF only when the element was closed. What is
// not base64 is an itemFaultError: the XML around it is whole, and can be read on.
func (x *scanner) content() io.Reader {
	if x.closing {
		x.closing = false
		x.leave()
		return bytes.NewReader(nil)
	}
	x.free = true
	return &decoding{chars: characters{scan: x, depth: x.depth()}, pairs: base64Pairs()}
}

// decoding undoes base64 in large steps.
type decoding struct {
	chars  characters
	pairs  *pairs
	left   []byte // of the last group, too few to be decoded
	out    []byte // decoded, and not read yet
	buf    []byte // for what is decoded where the reader has little room
	padded bool   // the last group came
	err    error
}

// stepped is how many characters are decoded at a time at most where the reader has
// little room.
const stepped = 4 * 1024

// readAtOnce is how many characters have to be there to be decoded in large steps.
const readAtOnce = 64

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
	little := most < stepped
	if little {
		if d.buf == nil {
			d.buf = make([]byte, stepped/4*3)
		}
		into, most = d.buf, stepped
	}
	if !little && len(d.left) == 0 {
		if n := d.unbroken(into, most); n > 0 {
			return n
		}
	}
	text, err := d.chars.next(most - len(d.left))
	if err != nil {
		if d.err = err; len(d.left) > 0 && errors.Is(err, io.EOF) {
			d.err = d.chars.fault("what should be base64 ends too early")
		}
		return 0
	}
	n := d.head(into, &text)
	whole := len(text) / 4 * 4
	n += d.decode(into[n:], text[:whole])
	d.left = append(d.left, text[whole:]...)
	if little {
		d.out = d.buf[:n]
		return 0
	}
	return n
}

// unbroken decodes what comes next straight from the scanner, as long as it is
// nothing but digits: that is how servers write it. It leaves alone what is mostly
// something else.
func (d *decoding) unbroken(into []byte, most int) int {
	x := d.chars.scan
	if d.padded || d.err != nil {
		return 0
	}
	// Behind the digits there are end tags, so that this waits for nothing that does
	// not come; how the input ends is seen elsewhere.
	_ = x.more(readAtOnce)
	window := x.buf[x.r:min(x.w, x.r+most)]
	n := d.pairs.decode(into, window)
	if len(window) < readAtOnce || n < len(window)/2 {
		return 0
	}
	x.r += n / 3 * 4
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
	n := d.pairs.decode(into, text)
	last, err := base64.StdEncoding.Decode(into[n:], text[n/3*4:])
	n += last
	if err != nil || d.padded {
		d.err = d.chars.fault("it is not base64")
	}
	d.padded = text[len(text)-1] == '='
	return n
}

// pairs are the values of two digits of base64, by the two bytes as they lie in
// memory. What is no pair of digits has a value that none has.
type pairs [1 << 16]uint16

const noPair = 1 << 15

var base64Pairs = sync.OnceValue(func() *pairs { //nolint:gochecknoglobals // Computed once, never changed.
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var p pairs
	for i := range p {
		p[i] = noPair
	}
	for i, first := range []byte(digits) {
		for k, second := range []byte(digits) {
			p[uint16(first)|uint16(second)<<8] = uint16(i<<6 | k)
		}
	}
	return &p
})

// decode decodes digits, 32 at a time, and returns how many bytes they are. It ends
// ahead of those with something else in them, or where less than 32 bytes are left on
// either side.
func (p *pairs) decode(into, text []byte) (n int) {
	for len(text) >= 32 && len(into) >= 32 {
		in, out := (*[32]byte)(text), (*[32]byte)(into)
		all := p.eight((*[8]byte)(out[0:]), (*[8]byte)(in[0:]))
		all |= p.eight((*[8]byte)(out[6:]), (*[8]byte)(in[8:]))
		all |= p.eight((*[8]byte)(out[12:]), (*[8]byte)(in[16:]))
		all |= p.eight((*[8]byte)(out[18:]), (*[8]byte)(in[24:]))
		if all >= noPair {
			break
		}
		text, into, n = text[32:], into[24:], n+24
	}
	return n
}

// eight decodes eight digits. They are the first six bytes of into; the others are
// overwritten. It returns all values together.
func (p *pairs) eight(into, text *[8]byte) uint16 {
	a, b := p[binary.LittleEndian.Uint16(text[0:])], p[binary.LittleEndian.Uint16(text[2:])]
	c, d := p[binary.LittleEndian.Uint16(text[4:])], p[binary.LittleEndian.Uint16(text[6:])]
	binary.BigEndian.PutUint64(into[:], uint64(a)<<52|uint64(b)<<40|uint64(c)<<28|uint64(d)<<16)
	return a | b | c | d
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

// reference passes over a reference to white space.
func (c *characters) reference() error {
	x := c.scan
	err := x.more(longestReference)
	if err != nil && !errors.Is(err, io.EOF) {
		return x.cut(err)
	}
	char, length := reference(x.buf[x.r:x.w])
	if length == 0 || char > ' ' {
		return c.fault("an ampersand stands in what should be base64")
	}
	x.r += length
	return nil
}

// end reads the end tag, which is all that may follow.
func (c *characters) end() error {
	x := c.scan
	t, err := x.next(false)
	switch {
	case err != nil:
		return err
	case t == endTag && x.depth() < c.depth:
		x.free = false
		return io.EOF
	}
	return c.fault("there is more than base64 in " + x.name)
}

// fault says that this is no base64. What follows counts again.
func (c *characters) fault(what string) error {
	c.scan.free = false
	return &itemFaultError{what}
}
