package ews

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/mailsession/mailsession/message"
)

// element is a piece of a request. The schema prescribes the order of children.
type element struct {
	name     string // with the prefix "m:" or "t:"
	attrs    []string
	text     string
	children []element
	content  *sized // goes in base64 where the text would stand
}

func el(name string, children ...element) element { return element{name: name, children: children} }

func leaf(name, text string) element { return element{name: name, text: text} }

// with adds an attribute.
func (e element) with(name, value string) element {
	e.attrs = append(slices.Clip(e.attrs), name, value)
	return e
}

// room returns about how many bytes the element takes in a request.
func (e element) room() int {
	n := len("<></>") + 2*len(e.name) + len(e.text)
	for _, words := range e.attrs {
		n += len(words) + len(`="`)
	}
	for _, c := range e.children {
		n += c.room()
	}
	return n
}

// envelopeRoom is about how many bytes a request takes besides its body.
const envelopeRoom = 1 << 10

// sized is a message whose size is known.
type sized struct {
	message.Source

	size int64
}

const (
	soapNamespace  = "http://schemas.xmlsoap.org/soap/envelope/"
	typesNamespace = "http://schemas.microsoft.com/exchange/services/2006/types"
	callsNamespace = "http://schemas.microsoft.com/exchange/services/2006/messages"
)

// envelope is a request as it goes over the line: in one piece, or around content.
type envelope struct {
	before, after []byte
	content       *sized
}

// envelop writes a request.
func envelop(header []element, body element) envelope {
	var w writer
	w.Grow(body.room() + envelopeRoom)
	w.WriteString(`<?xml version="1.0" encoding="utf-8"?>` + "\n")
	w.element(element{
		name:  "s:Envelope",
		attrs: []string{"xmlns:s", soapNamespace, "xmlns:t", typesNamespace, "xmlns:m", callsNamespace},
		children: []element{
			el("s:Header", header...),
			el("s:Body", body),
		},
	})
	if w.content == nil {
		return envelope{before: w.Bytes()}
	}
	return envelope{before: w.Bytes()[:w.at], after: w.Bytes()[w.at:], content: w.content}
}

// writer writes XML.
type writer struct {
	bytes.Buffer

	content *sized
	at      int // where it goes
}

func (w *writer) element(e element) {
	w.WriteByte('<')
	w.WriteString(e.name)
	for i := 0; i+1 < len(e.attrs); i += 2 {
		w.WriteByte(' ')
		w.WriteString(e.attrs[i])
		w.WriteString(`="`)
		w.escape(e.attrs[i+1])
		w.WriteByte('"')
	}
	if e.text == "" && len(e.children) == 0 && e.content == nil {
		w.WriteString("/>")
		return
	}
	w.WriteByte('>')
	w.escape(e.text)
	if e.content != nil {
		w.content, w.at = e.content, w.Len()
	}
	for _, c := range e.children {
		w.element(c)
	}
	w.WriteString("</")
	w.WriteString(e.name)
	w.WriteByte('>')
}

// escape writes text. A character that XML forbids cannot be said in it.
func (w *writer) escape(s string) {
	for {
		n := 0
		for n < len(s) && !special(s[n]) {
			n++
		}
		w.WriteString(s[:n])
		if n == len(s) {
			return
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		switch {
		case r == '<':
			w.WriteString("&lt;")
		case r == '>':
			w.WriteString("&gt;")
		case r == '&':
			w.WriteString("&amp;")
		case r == '"':
			w.WriteString("&quot;")
		case r == '\r' || r == '\n' || r == '\t':
			fmt.Fprintf(w, "&#%d;", r)
		case !legal(r):
			w.WriteRune(utf8.RuneError)
		default:
			w.WriteRune(r)
		}
		s = s[n+size:]
	}
}

// special reports whether a byte does not stand for itself wherever text stands.
func special(c byte) bool {
	return c < ' ' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' || c == '"'
}

// length returns how many bytes the request has.
func (e envelope) length() int64 {
	n := int64(len(e.before) + len(e.after))
	if e.content != nil {
		n += (e.content.size + 2) / 3 * 4
	}
	return n
}

// outgoing is a request on its way. What signs in by several steps may go back to its
// beginning.
type outgoing struct {
	env    envelope
	parts  io.Reader
	source io.Closer
	broken error // why the content cannot be read
	at     int64
	done   func()
}

// open opens a request to be sent once. Done is called before its last byte leaves.
func (e envelope) open(done func()) (*outgoing, error) {
	o := &outgoing{env: e, done: done}
	return o, o.begin()
}

// begin goes to the beginning.
func (o *outgoing) begin() error {
	o.at = 0
	e := o.env
	if e.content == nil {
		o.parts = bytes.NewReader(e.before)
		return nil
	}
	_ = o.Close() // it is opened again
	r, err := e.content.Open()
	if err != nil {
		return fmt.Errorf("open the message: %w", err)
	}
	o.source = r
	o.parts = io.MultiReader(bytes.NewReader(e.before), &encoding{src: r, left: e.content.size, out: o}, bytes.NewReader(e.after))
	return nil
}

// Read implements [io.Reader].
func (o *outgoing) Read(p []byte) (int, error) {
	n, err := o.parts.Read(p)
	if o.at += int64(n); o.at == o.env.length() {
		o.done()
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// Seek implements [io.Seeker] for the present place and the beginning.
func (o *outgoing) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset == 0 && whence == io.SeekCurrent:
		return o.at, nil
	case offset == 0 && whence == io.SeekStart:
		return 0, o.begin()
	}
	return o.at, fmt.Errorf("go to %d of a request: %w", offset, errors.ErrUnsupported)
}

// Close implements [io.Closer].
func (o *outgoing) Close() error {
	if o.source == nil {
		return nil
	}
	err := o.source.Close()
	o.source = nil
	return err //nolint:wrapcheck // the source's own
}

// encoding encodes what it reads, which has to be as long as announced.
type encoding struct {
	src  io.Reader
	left int64
	out  *outgoing
	raw  [3 * 1024]byte
	text []byte
	buf  [4 * 1024]byte
}

// Read implements [io.Reader].
func (e *encoding) Read(p []byte) (int, error) {
	if len(e.text) == 0 {
		if e.left == 0 {
			return 0, e.end()
		}
		want := min(e.left, int64(len(e.raw)))
		n, err := io.ReadFull(e.src, e.raw[:want])
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return 0, e.fail(fmt.Errorf("the message has %d bytes less than announced", e.left-int64(n)))
		case err != nil:
			return 0, e.fail(fmt.Errorf("read the message: %w", err))
		}
		e.left -= int64(n)
		e.text = e.buf[:base64.StdEncoding.EncodedLen(n)]
		base64.StdEncoding.Encode(e.text, e.raw[:n])
	}
	n := copy(p, e.text)
	e.text = e.text[n:]
	return n, nil
}

// end looks for what was not announced.
func (e *encoding) end() error {
	n, err := io.ReadFull(e.src, e.raw[:1])
	switch {
	case n > 0:
		return e.fail(errors.New("the message has more bytes than announced"))
	case !errors.Is(err, io.EOF):
		return e.fail(fmt.Errorf("read the message: %w", err))
	}
	return io.EOF
}

func (e *encoding) fail(err error) error {
	e.out.broken = err
	return err
}

// boolean writes a truth value as the schema has it.
func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
