package session

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Body is a whole message as the server has it, on its way. It is valid until
// the next turn of the loop; what was not read of it then is passed over.
type Body struct {
	// ID is the message.
	ID ID
	// Reader gives the bytes (RFC 5322). They end in io.EOF only if all of them
	// came, else in io.ErrUnexpectedEOF or the cause.
	io.Reader
}

// WriteTo implements [io.WriterTo], so that io.Copy spares a copy where the bytes
// come straight from a connection. They end as the Reader's do.
func (b Body) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, b.Reader) }

// Fetcher reads many messages as a whole. It is a further interface of an
// [Incoming]; see [Session.Bodies].
type Fetcher interface {
	Bodies(ctx context.Context, ids ...ID) iter.Seq2[Body, error]
}

// Bodies iterates over messages as a whole, each once, in the order in which the
// server gives them: the fast way to read many. A message that cannot be read
// is an [*ItemError] and the loop goes on; any other error is the last item. A
// connection that breaks is made anew, and the loop goes on behind the last
// message that it gave.
//
// Any call is legal inside the loop. A body mostly comes straight from the
// connection; where that would leave none for other calls, it is read ahead
// into memory, and into a temporary file beyond 1 MiB. Where the backend has no
// such way, each message is opened by itself.
func (s *Session) Bodies(ctx context.Context, ids ...ID) iter.Seq2[Body, error] {
	in, err := s.reader("read messages")
	if err != nil {
		return failed[Body](err)
	}
	if f, ok := As[Fetcher](in); ok {
		return f.Bodies(ctx, ids...)
	}
	return func(yield func(Body, error) bool) {
		given := map[ID]bool{}
		for _, id := range ids {
			if given[id] {
				continue
			}
			given[id] = true
			body, err := in.Open(ctx, id)
			if err != nil {
				item, err := itemError(id, err)
				if !yield(Body{ID: id}, err) || !item {
					return
				}
				continue
			}
			more := yield(Body{ID: id, Reader: body}, nil)
			_ = body.Close() // what was not read does not matter
			if !more {
				return
			}
		}
	}
}

// itemError makes an [*ItemError] of an error that is about one message alone.
func itemError(id ID, err error) (item bool, told error) {
	if _, ok := errors.AsType[*ItemError](err); ok {
		return true, err
	}
	for _, own := range []error{ErrNoMessage, ErrStaleID, ErrNoFolder, ErrOtherMailbox} {
		if errors.Is(err, own) {
			return true, &ItemError{ID: id, Err: err}
		}
	}
	return false, err
}
