package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// StoredSource returns the message as it is kept in a mailbox until it is sent:
// that of [Draft.Source] with a Bcc field before it, which tells this and other
// mail programs whom it is to go to besides. It is not what is sent: [Submit]
// makes that of it.
func (d *Draft) StoredSource() (Source, error) {
	s, err := d.Source()
	if err != nil {
		return nil, err
	}
	var w headerWriter
	w.addresses("Bcc", d.Bcc...)
	if w.err != nil {
		return nil, w.err
	}
	return newSpliced(w.buf, s, 0), nil
}

// A Submission is a message that was stored as a draft, made ready to be sent.
type Submission struct {
	// Source is the message without the fields that are not for its recipients:
	// Bcc and Resent-Bcc. All else is as it was stored.
	Source Source
	// From is the sender of the envelope: the address in Sender, else the first in
	// From, and none for the answer of a program, as of [Draft.ReturnPath].
	From string
	// To are the addresses in To, Cc and Bcc in this order, each once. Two are the
	// same if they differ only in the case of the domain.
	To []string
	// Header is that of Source.
	Header Header
}

// Submit reads the header of a message that was stored as a draft, and returns
// what is to be sent and to whom. The error tells that s cannot be read, that the
// header has more than DefaultMaxHeaderBytes, or is a [*FieldError] where nobody
// is named who sends it or gets it.
func Submit(s Source) (*Submission, error) {
	stored, err := readHeader(s)
	if err != nil {
		return nil, err
	}
	head := stored.without("Bcc", "Resent-Bcc")
	sub := &Submission{Source: newSpliced(head, s, int64(len(stored.Raw()))), Header: ParseHeader(head)}
	author := slices.Concat(stored.Addresses("Sender"), stored.From())
	if len(author) == 0 {
		return nil, &FieldError{"From", "is missing; every message has an author"}
	}
	d := Draft{From: author[0], AutoSubmitted: stored.Get("Auto-Submitted"), To: stored.To(), Cc: stored.Cc(), Bcc: stored.Addresses("Bcc")}
	sub.From = d.ReturnPath()
	if sub.To = d.Recipients(); len(sub.To) == 0 {
		return nil, &FieldError{"To", "names nobody, nor do Cc and Bcc"}
	}
	return sub, nil
}

// readHeader reads the header that s begins with.
func readHeader(s Source) (Header, error) {
	r, err := s.Open()
	if err != nil {
		return Header{}, fmt.Errorf("message: open the draft: %w", err)
	}
	defer r.Close() // only its beginning was of interest
	in := streamWindow(r)
	for pos := 0; ; {
		end := in.lineEnd(pos, DefaultMaxHeaderBytes)
		switch {
		case end < 0 || end > DefaultMaxHeaderBytes:
			return Header{}, fmt.Errorf("message: the draft has a header of more than %d bytes", DefaultMaxHeaderBytes)
		case end == pos && !errors.Is(in.err, io.EOF):
			return Header{}, fmt.Errorf("message: read the draft: %w", in.err)
		case end == pos || len(trimLineEnd(in.buf[pos:end])) == 0:
			return ParseHeader(bytes.Clone(in.buf[:end])), nil
		}
		pos = end
	}
}

// without returns the bytes of the header without the fields of these names.
func (h Header) without(names ...string) []byte {
	var out []byte
	from := 0
	for _, f := range h.fields {
		if !slices.ContainsFunc(names, func(name string) bool { return h.named(f, name) }) {
			continue
		}
		out = append(out, h.raw[from:f.start]...)
		from = int(f.end)
		if i := bytes.IndexByte(h.raw[from:], '\n'); i >= 0 {
			from += i + 1
		} else {
			from = len(h.raw)
		}
	}
	return append(out, h.raw[from:]...)
}

// A splicedSource is a Source with other bytes in the place of its first.
type splicedSource struct {
	head []byte
	rest Source
	skip int64 // bytes of rest that head stands for
}

func newSpliced(head []byte, rest Source, skip int64) Source {
	if len(head) == 0 && skip == 0 {
		return rest
	}
	return &splicedSource{head, rest, skip}
}

// Size implements [Source].
func (s *splicedSource) Size() int64 {
	size := s.rest.Size()
	if size < s.skip {
		return -1
	}
	return size - s.skip + int64(len(s.head))
}

// Open implements [Source].
func (s *splicedSource) Open() (io.ReadCloser, error) {
	r, err := s.rest.Open()
	if err != nil {
		return nil, err //nolint:wrapcheck // the Source that is behind says what it is about
	}
	if n, err := io.CopyN(io.Discard, r, s.skip); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, errors.Join(fmt.Errorf("message: the draft ended after %d bytes: %w", n, err), r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(s.head), r), r}, nil
}
