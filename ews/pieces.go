package ews

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// piece is an attachment of a message.
type piece struct {
	sized

	name, kind, id string
}

// attached is the content of one part of a message as a [message.Source].
type attached struct {
	message.Source

	number string
	size   int64
}

// Open implements [message.Source].
func (s attached) Open() (io.ReadCloser, error) {
	r, err := s.Source.Open()
	if err != nil {
		return nil, err //nolint:wrapcheck // the source's words
	}
	p, err := message.FindPart(r, s.number)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{p, r}, nil
}

// Size implements [message.Source].
func (s attached) Size() int64 { return s.size }

// ended is the first bytes of a message, with an end put behind them.
type ended struct {
	message.Source

	size int64
	end  string
}

// Open implements [message.Source].
func (s ended) Open() (io.ReadCloser, error) {
	r, err := s.Source.Open()
	if err != nil {
		return nil, err //nolint:wrapcheck // the source's words
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, s.size), strings.NewReader(s.end)), r}, nil
}

// Size implements [message.Source].
func (s ended) Size() int64 { return s.size + int64(len(s.end)) }

// inPieces divides a message: what is written in it, and what is attached. It reports
// false for one that has no attachments behind the text, or is signed as a whole.
func inPieces(m message.Source) (text message.Source, pieces []*piece, ok bool, err error) {
	boundary, pieces, err := attachmentsOf(m)
	if err != nil || len(pieces) == 0 {
		return nil, nil, false, err
	}
	r, err := m.Open()
	if err != nil {
		return nil, nil, false, err //nolint:wrapcheck // the source's words
	}
	n, err := firstPart(r, boundary)
	if err = errors.Join(err, r.Close()); err != nil || n < 0 {
		return nil, nil, false, err
	}
	text = ended{Source: m, size: n, end: "--" + boundary + "--\r\n"}
	// Where the line between two parts is not written as it should be, the division
	// is not the one that a reader sees.
	if _, further, err := attachmentsOf(text); err != nil || len(further) > 0 {
		return nil, nil, false, err
	}
	return text, pieces, true, nil
}

// attachmentsOf returns what is attached to a message behind its first part, nothing
// where that is not all that there is, and what stands between them.
func attachmentsOf(m message.Source) (boundary string, pieces []*piece, err error) {
	r, err := m.Open()
	if err != nil {
		return "", nil, err //nolint:wrapcheck // the source's words
	}
	defer r.Close()
	for p, err := range message.Walk(r, nil) {
		switch {
		case err != nil:
			return "", nil, err //nolint:wrapcheck // the source's words
		case p.Number == "" && p.ContentType == "multipart/mixed":
			boundary = p.Params["boundary"]
			continue
		case boundary == "":
			return "", nil, nil
		case p.Number == "1" && p.Disposition == "attachment":
			return "", nil, nil // there is no text to begin with
		case p.Number == "1" || strings.Contains(p.Number, "."):
			continue
		case p.Multipart:
			return "", nil, nil
		}
		head := &beginning{left: headOfPiece}
		size, err := io.Copy(io.MultiWriter(head), p) // not by the buffer's ReadFrom, which takes all
		if err != nil {
			return "", nil, err //nolint:wrapcheck // the source's words
		}
		part := attached{Source: m, number: p.Number, size: size}
		next := &piece{sized: sized{Source: part, size: size}, name: p.FileName(), kind: p.ContentType, id: p.ContentID}
		if next.kind == "message/rfc822" && p.Name == "" {
			next.name = cmp.Or(message.ParseHeader(head.Bytes()).Subject(), next.name)
		}
		pieces = append(pieces, next)
	}
	return boundary, pieces, nil
}

// headOfPiece is how much of an attached message is looked at for its subject.
const headOfPiece = 64 << 10

// firstPart returns how many bytes of a message stand before what ends its first part,
// negative where nothing does.
func firstPart(r io.Reader, boundary string) (int64, error) {
	lines := bufio.NewReader(r)
	at, found, whole := int64(0), 0, true
	for {
		line, err := lines.ReadSlice('\n')
		if whole && string(bytes.TrimRight(line, " \t\r\n")) == "--"+boundary {
			if found++; found == 2 {
				return at, nil
			}
		}
		at += int64(len(line))
		whole = !errors.Is(err, bufio.ErrBufferFull)
		switch {
		case errors.Is(err, io.EOF):
			return -1, nil
		case err != nil && whole:
			return -1, err //nolint:wrapcheck // the source's words
		}
	}
}

// tooMuchAtOnce reports whether a draft was refused for its size alone, or failed for
// another reason that may lie in there being so much of it.
func (a *appending) tooMuchAtOnce(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.class() == tooLarge || a.request != nil && atFault(a.request, a.letter.size, err)
}

// assembled is a draft that was put together of pieces.
type assembled struct {
	id     session.ID
	item   string // what the server calls it
	change string // the state in which the last piece left it
}

// bringInPieces stores a draft that is larger than the server takes in one request:
// without its attachments, which follow one by one. Write makes an element of what
// a.letter is then. Where one of them does not get through, nothing is left.
func (a *appending) bringInPieces(ctx context.Context, f *folder, refusal error, write func() element) (*assembled, error) {
	text, pieces, ok, err := inPieces(a.letter.Source)
	if err != nil || !ok {
		return nil, cmp.Or(err, refusal)
	}
	whole := a.letter
	a.letter.sized = sized{Source: text, size: text.Size()}
	id, err := a.bring(ctx, f, write())
	a.letter = whole
	if err != nil {
		return nil, err
	}
	parts, err := a.client.own(id)
	d := &assembled{id: id, item: parts.Key}
	for _, p := range pieces {
		if err == nil {
			d.change, err = a.client.createAttachment(ctx, d.item, p)
		}
	}
	if err == nil {
		return d, nil
	}
	a.left, err = d.discard(ctx, a.client, err)
	a.request.sent = false // nothing of it is there
	return nil, err
}

// discard removes a draft whose purpose failed for a reason. Left says that it is still
// there, as does the error then.
func (d *assembled) discard(ctx context.Context, c *Client, reason error) (left bool, err error) {
	ctx = throttle.Patient(ctx) // since the draft would stay, again at each try
	_ = c.await(ctx)            // where the server asked to be left alone, for as long as the caller is there
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeWithin)
	defer cancel()
	results, err := c.Apply(ctx, session.Change{Delete: true}, d.id)
	if err != nil || len(results) != 1 || results[0].Outcome != session.Done {
		return true, fmt.Errorf("a draft that may lack attachments is left as %v: %w", d.id, reason)
	}
	return false, reason
}

// removeWithin bounds the removal of a draft that has no purpose any more.
const removeWithin = 30 * time.Second
