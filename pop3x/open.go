package pop3x

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/spool"
	"github.com/mailsession/mailsession/session"
)

// Open implements [session.Incoming]. The reader holds the connection until it
// is closed, read to its end, or until another call wants the connection.
func (c *Client) Open(ctx context.Context, id session.ID) (_ io.ReadCloser, err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "pop3.open", slog.String("server", c.address))
	defer func() {
		end(err)
		c.report(ctx, "open", nil, err)
	}()
	parts, err := c.own(id)
	if err != nil {
		return nil, err
	}
	l, err := c.lease(ctx, c.pool.Get)
	if err != nil {
		return nil, err
	}
	b, err := c.retrieve(l, parts)
	if answered(err) || doubtful(err) && l.Reused || backend.IsLost(err) {
		if !backend.IsLost(err) {
			l.Conn.Goodbye()
		}
		if err := l.Renew(); err != nil {
			return nil, err
		}
		b, err = c.retrieve(l, parts)
	}
	if err != nil {
		l.Release()
		if answered(err) || errors.Is(err, session.ErrNoMessage) {
			err = &session.ItemError{ID: id, Err: err}
		}
		return nil, err
	}
	c.hold(b)
	return b, nil
}

// doubtful reports whether err may come from a session that is older than what
// happened to the message.
func doubtful(err error) bool {
	return errors.Is(err, session.ErrNoMessage) || errors.Is(err, session.ErrStaleID)
}

// retrieve asks for a message.
func (c *Client) retrieve(l *pool.Lease[*conn], parts session.IDParts) (*body, error) {
	e, err := l.Conn.look(parts)
	if err != nil {
		return nil, err
	}
	w := &window{conn: l.Conn, op: opRetr, numbers: []int{e.number}, size: func(int) int64 { return e.size }}
	d, err := w.begin()
	if err != nil {
		return nil, err
	}
	return &body{client: c, lease: l, window: w, dots: d, left: e.size, turn: backend.NewTurn(l.Conn.w)}, nil
}

// body is a message being read.
type body struct {
	client *Client
	turn   *backend.Turn

	lease  *pool.Lease[*conn] // nil once the connection was given back
	window *window
	dots   *dots
	left   int64 // by the size of LIST
	spool  *spool.Spool
	err    error // what comes behind the bytes that are there
	asked  bool  // somebody wants the connection; the client's mutex guards it
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	b.turn.Take()
	defer b.turn.Pass()
	if b.spool != nil {
		n, err := b.spool.Read(p)
		if errors.Is(err, io.EOF) {
			err = b.err
		}
		return n, err
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.dots.Read(p)
	b.left -= int64(n)
	if err != nil {
		b.end(err)
	}
	return n, b.err
}

// end gives the connection back behind the last byte, or where that cannot be
// had.
func (b *body) end(err error) {
	if errors.Is(err, io.EOF) {
		b.lease.Conn.owed--
		b.err = io.EOF
	} else {
		b.err = b.lease.Conn.explain(opRetr, err)
	}
	b.release()
}

func (b *body) release() {
	b.turn.Leave()
	b.client.hold(nil)
	b.lease.Release()
	b.lease = nil
}

// letGo implements [holder].
func (b *body) letGo() {
	b.client.mu.Lock()
	defer b.client.mu.Unlock()
	if !b.asked {
		b.asked = true
		go b.readAhead()
	}
}

// readAhead reads the rest, so that somebody else can have the connection.
func (b *body) readAhead() {
	b.turn.Take()
	defer b.turn.Pass()
	if b.lease == nil {
		return
	}
	b.spool = &spool.Spool{}
	err := b.spool.Fill(b.dots)
	if err == nil {
		b.end(io.EOF)
		return
	}
	b.lease.Conn.w.Kill(err) // it stands in the middle of the message
	b.end(err)
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.turn.Seize()
	defer b.turn.Pass()
	if b.lease != nil {
		if b.left > drainLimit {
			b.lease.Conn.w.Kill(session.ErrClosed)
		} else {
			b.window.drain(b.dots)
		}
		b.release()
	}
	if b.spool != nil {
		b.spool.Close()
		b.spool = nil
	}
	b.err = session.ErrClosed
	return nil
}
