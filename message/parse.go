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
// value in any of them means the default. A message that passes a limit is read
// all the same, with less ambition: a [Defect] says which limit it was and what
// is missing, and nothing of the message is given to code whose time or memory
// is not in proportion to it, such as that which guesses character sets.
type ParseOptions struct {
	// MaxBytes is how long a message may be. All of it is held in memory, and
	// what is decoded of it besides. The rest of a longer message is not read.
	MaxBytes int64
	// MaxHeaderBytes is how long a header may be, that of the message or of a
	// part.
	MaxHeaderBytes int
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
	if v.MaxHeaderBytes <= 0 {
		v.MaxHeaderBytes = DefaultMaxHeaderBytes
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
	// as its text. It is valid UTF-8 with line feeds at the ends of lines. The
	// paragraphs of format=flowed (RFC 3676) are on one line each.
	Text string
	// HTML is the same in HTML, as it came: it may hold anything that a sender
	// likes to put there.
	HTML string
	// Attachments are all other parts, in their order.
	Attachments []Attachment
	// Defects are what is wrong with the message, up to a hundred of them and the
	// limits that it passes.
	Defects []Defect

	raw []byte
}

// Raw returns the bytes of the message as they were read: all of them, unless
// [Parse] returned an error. The caller must not change them.
func (m *Message) Raw() []byte { return m.raw }

// Source returns the bytes of the message as they were read.
func (m *Message) Source() Source { return Bytes(m.raw) }

// An Attachment is a part of a message beside its text.
type Attachment struct {
	// Part is the number of the part, as in IMAP's FETCH BODY[1.2].
	Part string
	// Name is the file name that the sender gave, decoded, or "". It may be any
	// line of text, also a path: files are saved under [Attachment.FileName].
	Name string
	// ContentType is the media type in lower case, without its parameters.
	ContentType string
	// Params are the parameters of the Content-Type by their names in lower case,
	// decoded (RFC 2231).
	Params map[string]string
	// ContentID is the identifier that HTML refers to as cid:, without its angle
	// brackets, or "".
	ContentID string
	// Inline tells that the part is to be shown with the text, not as a file.
	Inline bool
	// Content is the content without its transfer encoding. Text is in the
	// character set that it came in: see [Attachment.Text].
	Content []byte
}

// Open returns a reader of the content. An Attachment is a [Source].
func (a Attachment) Open() (io.ReadCloser, error) { return Bytes(a.Content).Open() }

// Size returns the length of the content in bytes.
func (a Attachment) Size() int64 { return int64(len(a.Content)) }

// Parse reads a message to its end and takes it apart. It reads what there is
// in whatever shape it is, and tells what is wrong with it as
// [Message.Defects]: a message that is not MIME, or whose MIME is broken, or that
// passes a limit, gives its header, its text and its attachments as far as they
// can be made out. The time and the memory that takes are in proportion to the
// bytes.
//
// Parse always returns a message. The error is nil exactly if the message has
// all of its bytes. If r fails it is the error of r, with a DefectCut, and if r
// has more than MaxBytes a [*LimitError], with a DefectBytes; then the message is
// made of the bytes that were read, and [Message.Source] must not be taken for
// the message that was sent. A message that ends too early with an r that says
// io.EOF all the same is not an error, but a defect such as DefectUnclosed.
func Parse(r io.Reader, opts *ParseOptions) (*Message, error) {
	return parse(r, opts.withDefaults(), &builder{readLeaf: readLeaf})
}

// parse has b make a message of what r gives.
func parse(r io.Reader, o ParseOptions, b *builder) (*Message, error) {
	raw, err := readAll(r, o.MaxBytes)
	b.raw, b.msg, b.maxParts = raw, &Message{raw: raw}, o.MaxParts
	end := Defect{Kind: DefectCut, Offset: int64(len(raw))}
	if _, ok := errors.AsType[*LimitError](err); ok {
		end.Kind, end.Limit = DefectBytes, o.MaxBytes
	}
	if err != nil {
		b.msg.Defects, b.plain = []Defect{end}, true
	}
	b.run(&splitter{in: wholeWindow(raw), report: b.report, limits: limits{
		headerBytes: o.MaxHeaderBytes, depth: o.MaxDepth, parts: o.MaxParts, nesting: max(o.MaxDepth, DefaultMaxNesting),
	}})
	if err != nil && end.Limit == 0 {
		err = fmt.Errorf("message: reading: %w", err)
	}
	return b.msg, err
}

// readAll reads r to its end, or up to limit bytes. With an error it returns
// what came before.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if known, ok := r.(interface{ Len() int }); ok && int64(known.Len()) <= limit {
		buf.Grow(known.Len() + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r, limit))
	if err != nil {
		return buf.Bytes(), err
	}
	if n == limit {
		// One byte more tells whether this was all.
		switch _, err := io.ReadFull(r, make([]byte, 1)); {
		case err == nil:
			return buf.Bytes(), &LimitError{Max: limit}
		case !errors.Is(err, io.EOF):
			return buf.Bytes(), err
		}
	}
	return buf.Bytes(), nil
}
