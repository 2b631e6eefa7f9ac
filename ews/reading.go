package ews

import (
	"bytes"
	"fmt"
	"io"
)

// children calls f at each child of the element whose start tag was read last, and
// reads to the element's end. What f leaves unread of a child is passed over.
func (x *scanner) children(f func(name string) error) error {
	depth := x.depth()
	for {
		t, err := x.next(false)
		if err != nil {
			return err
		}
		switch t {
		case endOfInput:
			return x.fail(io.ErrUnexpectedEOF)
		case endTag:
			return nil // of this element: those of the children are read below
		case startTag:
			if err := f(x.name); err != nil {
				return err
			}
			if err := x.surface(depth); err != nil {
				return err
			}
		case textRun:
		}
	}
}

// surface reads until no more than depth elements are open.
func (x *scanner) surface(depth int) error {
	for x.depth() > depth || x.closing {
		if _, err := x.next(false); err != nil {
			return err
		}
	}
	return nil
}

// bytes reads the element whose start tag was read last to its end, and returns its
// text without that of its children. It is valid until the next one is asked for.
func (x *scanner) bytes() ([]byte, error) {
	depth := x.depth()
	x.decoded = x.decoded[:0]
	for {
		t, err := x.next(true)
		switch {
		case err != nil:
			return nil, err
		case t == textRun && x.depth() == depth:
			if x.decoded = x.appendText(x.decoded); len(x.decoded) > maxText {
				return nil, x.malformed(fmt.Sprintf("a text has more than %d bytes", maxText))
			}
		case t == endTag && x.depth() < depth:
			return x.decoded, nil
		case t == endOfInput:
			return nil, x.fail(io.ErrUnexpectedEOF)
		}
	}
}

// string is bytes as a string.
func (x *scanner) string() (string, error) {
	b, err := x.bytes()
	return string(b), err
}

// trimmed is bytes without the space around it.
func (x *scanner) trimmed() ([]byte, error) {
	b, err := x.bytes()
	return bytes.TrimSpace(b), err
}

// word is trimmed as a string.
func (x *scanner) word() (string, error) {
	b, err := x.trimmed()
	return string(b), err
}
