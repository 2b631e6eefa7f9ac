package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The limits that apply where [ParseOptions] name none.
const (
	DefaultMaxBytes = 64 << 20
	DefaultMaxDepth = 16
	DefaultMaxParts = 1000
)

// ParseOptions say how much of a message [Parse] is willing to take. A zero
// value in any of them means the default.
type ParseOptions struct {
	// MaxBytes is how long a message may be. All of it is held in memory, and
	// what is decoded of it besides.
	MaxBytes int64
	// MaxDepth is how deep multiparts may nest.
	MaxDepth int
	// MaxParts is how many MIME parts a message may have, multiparts included.
	MaxParts int
}

// withDefaults returns o with every limit set.
func (o *ParseOptions) withDefaults() ParseOptions {
	var v ParseOptions
	if o != nil {
		v = *o
	}
	if v.MaxBytes <= 0 {
		v.MaxBytes = DefaultMaxBytes
	}
	if v.MaxDepth <= 0 {
		v.MaxDepth = DefaultMaxDepth
	}
	if v.MaxParts <= 0 {
		v.MaxParts = DefaultMaxParts
	}
	return v
}

// A Message is a message that was read as a whole.
type Message struct {
	// Header is the header.
	Header Header
	// Text is the plain text of the message, from all parts that are to be shown
	// as its text. It is valid UTF-8 with line feeds at the ends of lines.
	Text string
	// HTML is the same in HTML, as it came: it may hold anything that a sender
	// likes to put there.
	HTML string
	// Attachments are all other parts, in their order.
	Attachments []Attachment
	// Defects are what is wrong with the message, up to a hundred of them.
	Defects []Defect

	raw []byte
}

// Raw returns the bytes of the message as they were read. The caller must not
// change them.
func (m *Message) Raw() []byte { return m.raw }

// Source returns the bytes of the message as they were read.
func (m *Message) Source() Source { return Bytes(m.raw) }

// An Attachment is a part of a message beside its text.
type Attachment struct {
	// Part is the number of the part, as in IMAP's FETCH BODY[1.2].
	Part string
	// Name is the file name that the sender gave, decoded, or "". It may be any
	// line of text, also a path: it must not be used as a path.
	Name string
	// ContentType is the media type in lower case, without its parameters.
	ContentType string
	// ContentID is the identifier that HTML refers to as cid:, without its angle
	// brackets, or "".
	ContentID string
	// Inline tells that the part is to be shown with the text, not as a file.
	Inline bool
	// Content is the decoded content.
	Content []byte
}

// Open returns a reader of the content. An Attachment is a [Source].
func (a Attachment) Open() (io.ReadCloser, error) { return Bytes(a.Content).Open() }

// Size returns the length of the content in bytes.
func (a Attachment) Size() int64 { return int64(len(a.Content)) }

// Parse reads a message to its end and takes it apart. It reads what there is
// in whatever shape it is, and tells what is wrong with it as
// [Message.Defects]: a message that is not MIME, or whose MIME is broken, gives
// its header and its text as far as they can be made out.
//
// Parse returns an error only if r cannot be read, which leaves no message, or
// if the message passes a limit. Then the error is a [*LimitError] and the
// message holds the header, and the raw bytes unless they are too many.
func Parse(r io.Reader, opts *ParseOptions) (*Message, error) {
	o := opts.withDefaults()
	raw, err := readAll(r, o.MaxBytes)
	if _, ok := errors.AsType[*LimitError](err); ok {
		return &Message{Header: ParseHeader(bytes.Clone(headerOf(raw)))}, err
	}
	if err != nil {
		return nil, fmt.Errorf("message: reading: %w", err)
	}
	nodes, defects, limit := split(raw, o.MaxDepth, o.MaxParts)
	if limit != nil {
		h := ParseHeader(raw)
		return &Message{Header: h, Defects: h.Defects(), raw: raw}, limit
	}
	b := builder{nodes: nodes, msg: &Message{Header: nodes[0].header, Defects: defects, raw: raw}}
	b.build()
	return b.msg, nil
}

// headerOf returns the header that raw begins with.
func headerOf(raw []byte) []byte { return ParseHeader(raw).Raw() }

// readAll reads r to its end, or up to more than limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if known, ok := r.(interface{ Len() int }); ok && int64(known.Len()) <= limit {
		buf.Grow(known.Len() + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r, limit))
	if err != nil {
		return nil, err
	}
	if n == limit {
		// One byte more tells whether this was all.
		switch _, err := io.ReadFull(r, make([]byte, 1)); {
		case err == nil:
			return buf.Bytes(), &LimitError{Limit: "bytes", Max: limit}
		case !errors.Is(err, io.EOF):
			return nil, err
		}
	}
	return buf.Bytes(), nil
}
