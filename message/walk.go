package message

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// The limits that apply where [WalkOptions] name none, and to all that
// [Parse] reads.
const (
	// DefaultMaxHeaderBytes is also that of [ParseOptions].
	DefaultMaxHeaderBytes = 1 << 20
	// DefaultMaxNesting is how deep multiparts are taken apart.
	DefaultMaxNesting = 100
)

// WalkOptions are the limits of a [Walk], which bound its memory. A zero value
// in any of them means the default. There is none for the length of a message
// or the number of its parts.
type WalkOptions struct {
	// MaxHeaderBytes is how much of the header of the message, and of that of
	// each part, is read. Fields behind that are left out, which is a
	// DefectHeaderBytes.
	MaxHeaderBytes int
	// MaxNesting is how deep multiparts are taken apart. One that is deeper is
	// given whole, with a DefectDepth.
	MaxNesting int
}

func (o *WalkOptions) limits() limits {
	l := limits{headerBytes: DefaultMaxHeaderBytes, nesting: DefaultMaxNesting}
	if o != nil && o.MaxHeaderBytes > 0 {
		l.headerBytes = o.MaxHeaderBytes
	}
	if o != nil && o.MaxNesting > 0 {
		l.nesting = o.MaxNesting
	}
	return l
}

// A Part is a MIME part that [Walk] has come to. It is an [io.Reader] of its
// content, without the transfer encoding. What is not read of it is passed over.
type Part struct {
	// PartInfo is what the header says. Where a multipart turns out to have no
	// parts, its content is all that is there, and when it has been read Defects
	// has a DefectNoParts.
	PartInfo

	// Header is the header of the part. That of the first part is the header of
	// the message.
	Header Header
	// Offset is the position of the content in the bytes of the message.
	Offset int64

	splitter *splitter
	node     *node
	decoder  transferDecoder
	buf      []byte // for what is decoded
	ready    []byte // and was not read yet
	seen     int64  // bytes of the content as it came
	err      error
}

// FindPart walks to the part with a number such as "1.2", also into messages that
// are parts, and leaves the walk there: the part can be read, as at [Walk]. It
// returns nil where there is no such part. The error is that of r.
func FindPart(r io.Reader, number string) (*Part, error) { return findPart(Walk(r, nil), number) }

func findPart(parts iter.Seq2[*Part, error], number string) (*Part, error) {
	for p, err := range parts {
		switch {
		case err != nil:
			return nil, err
		case p.Number == number:
			return p, nil
		case p.ContentType == "message/rfc822" && strings.HasPrefix(number, p.Number+"."):
			return findPart(p.Walk(nil), number)
		}
	}
	return nil, nil
}

// errPassed tells that a part was read too late.
var errPassed = errors.New("message: reading a part that the walk has passed: read each before going on to the next")

// Walk reads a message as a stream and yields its parts in their order, each
// multipart before its parts. A message that is not MIME is one part. The memory
// does not grow with the message, its parts or their number, so there is no
// limit on those, and the time is in proportion to the bytes.
//
// A part can be read until the walk goes on to the next, and after the loop was
// left by break. Leaving the loop leaks nothing; Walk does not close r. A
// message that is a part can be read whole, or entered by [Part.Walk].
//
// What is wrong with a message is told by [Part.Defects] and ends nothing, with
// two exceptions. If r fails, the error is what [Part.Read] returns in the midst
// of a part, and the last that the walk yields. If the message ends before the
// final boundary of its outermost multipart, it was cut off, as far as can be
// known: both are [io.ErrUnexpectedEOF] then, behind all the content that came.
// With an error the Part is nil. The result can be used once.
func Walk(r io.Reader, opts *WalkOptions) iter.Seq2[*Part, error] {
	return walk(r, opts.limits(), "")
}

// Walk walks over the message that p, a message/rfc822, is: its content. The
// parts are numbered as those of the outer message, their Offset and that of
// their defects is in p's content. It is p that is read, so the walk ends with
// that of the outer message going on.
func (p *Part) Walk(opts *WalkOptions) iter.Seq2[*Part, error] {
	return walk(p, opts.limits(), p.Number)
}

func walk(r io.Reader, l limits, prefix string) iter.Seq2[*Part, error] {
	return func(yield func(*Part, error) bool) {
		s := &splitter{in: streamWindow(r), limits: l, prefix: prefix, report: addNodeDefect}
		for {
			n, err := s.next()
			switch {
			case errors.Is(err, io.EOF) && s.cut():
				yield(nil, fmt.Errorf("message: the final boundary is missing: %w", io.ErrUnexpectedEOF))
				return
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(nil, fmt.Errorf("message: reading: %w", err))
				return
			}
			p := newPart(s, n)
			if !yield(p, nil) {
				return
			}
			p.err = errPassed
		}
	}
}

// addNodeDefect keeps a defect with the part that it is of.
func addNodeDefect(n *node, d Defect, header bool) {
	if len(n.defects) < maxDefects || d.Limit > 0 {
		n.defects = append(n.defects, n.placed(d, header))
	}
}

// newPart returns n as a part that can be read.
func newPart(s *splitter, n *node) *Part {
	p := &Part{PartInfo: n.info(), Header: n.header, Offset: n.offset, splitter: s, node: n}
	var known bool
	if p.decoder, known = newTransferDecoder(n.header.Get("Content-Transfer-Encoding")); !known && !n.multipart {
		s.defect(n, DefectEncoding)
	}
	return p
}

// Defects returns what has been found wrong with the part up to now, up to a
// hundred defects: those of its header at once, others when it has been read or
// the walk has gone on.
func (p *Part) Defects() []Defect { return p.node.defects }

// Read reads the content of the part without its transfer encoding. Bytes that
// the encoding does not allow are passed over in base64, and left as they are
// in quoted-printable. It returns io.EOF only where the part ends as it should,
// or where the next begins.
func (p *Part) Read(b []byte) (int, error) {
	for len(p.ready) == 0 && p.err == nil {
		p.more()
	}
	if len(p.ready) == 0 || errors.Is(p.err, errPassed) {
		return 0, p.err
	}
	n := copy(b, p.ready)
	p.ready = p.ready[n:]
	return n, nil
}

// more decodes what comes next.
func (p *Part) more() {
	s := p.splitter
	chunk := s.body()
	p.seen += int64(len(chunk))
	switch {
	case chunk == nil:
		s.settle()
		p.err = io.EOF
		if s.level < 0 && s.in.err != nil && !errors.Is(s.in.err, io.EOF) {
			p.err = s.in.err
		} else if s.level < 0 && s.cut() {
			p.err = io.ErrUnexpectedEOF
		}
		if p.decoder != nil {
			p.ready = p.decoder.flush(p.buf[:0])
			p.malformed()
		}
	case p.decoder == nil:
		p.ready = chunk
	default:
		p.buf = p.decoder.appendTo(p.buf[:0], chunk)
		p.ready = p.buf
	}
}

// malformed reports what the transfer encoding did not allow.
func (p *Part) malformed() {
	if at := p.decoder.malformed(); at >= 0 {
		p.splitter.report(p.node, Defect{Kind: DefectBase64, Offset: p.node.offset + at}, false)
	}
}

// contentID returns the identifier of a part, or "". Without angle brackets all
// of the field counts.
func contentID(h Header) string {
	value := h.Get("Content-Id")
	if !strings.Contains(value, "<") {
		return decodeText(value)
	}
	if ids := parseIDs(value, 1); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// fileName returns the name that a part has by the parameters of its
// Content-Disposition or its Content-Type.
func fileName(disposition, contentType map[string]string) string {
	name := disposition["filename"]
	if strings.Trim(name, " \t") == "" {
		name = contentType["name"]
	}
	return decodeText(name)
}
