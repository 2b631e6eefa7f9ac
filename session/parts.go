package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/message"
)

// ErrNoPart says that the message has no part of that number.
var ErrNoPart = errors.New("the message has no such part")

// Part is one part of a message, being read. Its content comes without the
// transfer encoding; see [message.Part]. The caller closes it.
type Part struct {
	*message.Part
	io.Closer
}

// PartOpener reads single parts. It is a further interface of an [Incoming];
// see [Session.OpenPart].
type PartOpener interface {
	OpenPart(ctx context.Context, id ID, number string) (*Part, error)
}

// RangeOpener reads a run of a message's bytes. It is a further interface of
// an [Incoming]; see [Session.OpenRange].
type RangeOpener interface {
	OpenRange(ctx context.Context, id ID, offset, limit int64) (io.ReadCloser, error)
}

// OpenPart opens the part with a number such as "1.2", as [Message.Structure],
// [message.Part] and [message.Attachment] have it, streamed and decoded. A message that has no
// such part is an error that wraps [ErrNoPart]. Where the backend can fetch
// only whole messages, what stands before the part is read and dropped.
func (s *Session) OpenPart(ctx context.Context, id ID, number string) (*Part, error) {
	in, err := s.reader("open a part")
	if err == nil {
		err = checkPart(number)
	}
	if err != nil {
		return nil, err
	}
	if p, ok := As[PartOpener](in); ok {
		return p.OpenPart(ctx, id, number)
	}
	body, err := in.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := message.FindPart(body, number)
	if p == nil && err == nil {
		err = ErrNoPart
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("session: part %s of message %v: %w", number, id, err), body.Close())
	}
	return &Part{Part: p, Closer: body}, nil
}

// checkPart refuses what is not the number of a part.
func checkPart(number string) error {
	for level := range strings.SplitSeq(number, ".") {
		if n, err := strconv.ParseUint(level, 10, 31); err != nil || n == 0 || level[0] == '0' || level[0] == '+' {
			return fmt.Errorf("session: %q is not the number of a part; it looks like 1.2", number)
		}
	}
	return nil
}

// OpenRange opens a message's bytes from an offset on, and at most limit of
// them; all that follow where limit is zero. Beyond the end there is nothing.
// The bytes end in io.EOF only if all came that the server has of the range.
func (s *Session) OpenRange(ctx context.Context, id ID, offset, limit int64) (io.ReadCloser, error) {
	in, err := s.reader("open a message")
	if err == nil && (offset < 0 || limit < 0) {
		err = fmt.Errorf("session: the range of %d bytes from %d on is none", limit, offset)
	}
	if err != nil {
		return nil, err
	}
	if r, ok := As[RangeOpener](in); ok {
		return r.OpenRange(ctx, id, offset, limit)
	}
	body, err := in.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, body, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, body.Close())
	}
	if limit == 0 {
		return body, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, limit), body}, nil
}
