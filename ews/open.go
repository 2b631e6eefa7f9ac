package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/session"
)

// body is a message, or something that is attached to one, being read. Close may be called
// while another goroutine reads, which then ends.
type body struct {
	client  *Client
	id      session.ID
	request *request
	lease   *pool.Lease[*conn]
	answer  *answer
	content io.Reader
	err     error
	turn    *backend.Turn
}

// openContent opens what the answer to a request has in base64.
func (c *Client) openContent(ctx context.Context, id session.ID, r *request) (_ io.ReadCloser, err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews.open", slog.String("server", c.address))
	defer func() {
		end(err)
		c.report(ctx, "open", nil, err)
	}()
	b := &body{client: c, id: id, request: r}
	err = c.patiently(ctx, func(ctx context.Context) error {
		l, err := c.pool.Get(ctx)
		if err != nil {
			return err
		}
		err = c.over(l, r, func(cn *conn) error {
			a, err := c.begin(l.Context, cn, r)
			if err == nil {
				b.answer = a
				if err = b.find(); err != nil {
					err = a.finish(err)
				}
			}
			return cn.explain(r.op, err)
		})
		if err == nil {
			b.lease, b.turn = l, backend.NewTurn(l.Conn.wire)
		} else if l.Conn != nil {
			l.Release()
		}
		return err
	})
	if err == nil {
		return b, nil
	}
	if concernsItem(err) {
		err = &session.ItemError{ID: id, Err: err}
	}
	return nil, err
}

// concernsItem tells what is wrong with one message from what would be wrong with
// every other.
func concernsItem(err error) bool {
	e, refused := errors.AsType[*Error](err)
	return refused && e.Code != "" && answered(err) || unreadable(err)
}

// unreadable reports whether an answer came that cannot be understood, or not what it
// tells of one message.
func unreadable(err error) bool {
	_, malformed := errors.AsType[*syntaxError](err)
	_, fault := asItemFault(err)
	return malformed || fault
}

// noContent says that an answer lacks what was asked for.
const noContent = "the server has no MIME for it"

// lacking says what an answer lacks: a file that is attached has no MIME.
func (b *body) lacking() error {
	if b.answer.request.op == "GetAttachment" {
		return &itemFaultError{"the server tells no content of the attachment"}
	}
	return &itemFaultError{noContent}
}

// find reads up to the content.
func (b *body) find() error {
	a := b.answer
	var refusal *Error
	for {
		t, err := a.next(false)
		switch {
		case err != nil:
			return err
		case t == endTag && a.depth() == 2, t == endOfInput:
			if refusal != nil {
				refusal.Remedy = remedy(refusal)
				return refusal
			}
			return b.lacking()
		case t != startTag:
			continue
		}
		switch {
		case a.name == "MimeContent", a.name == "Content":
			b.content = a.content()
			return nil
		case a.attr("ResponseClass") == "Error":
			refusal = &Error{Server: a.conn.address, Op: a.request.op, Status: 200}
		case refusal != nil:
			if err := a.detail(refusal, a.name); err != nil {
				return err
			}
		}
	}
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	b.turn.Take()
	defer b.turn.Pass()
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.content.Read(p)
	if err != nil {
		b.note(err)
	}
	return n, b.err
}

// note takes note of the end.
func (b *body) note(err error) {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		// The element was closed, so that all is there. A connection that breaks behind
		// it changes nothing.
		b.err = io.EOF
		b.end()
		return
	}
	cn := b.lease.Conn
	b.err = cn.explain(b.request.op, err)
	if unreadable(err) {
		b.err = &session.ItemError{ID: b.id, Err: fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, b.err)}
	}
	cn.wire.Kill(err)
	b.end()
}

// end gives the connection back, if it serves another request.
func (b *body) end() {
	if b.lease == nil {
		return
	}
	if b.lease.Conn.wire.Err() == nil {
		_ = b.answer.resp.Body.Close() // what is behind the message does not matter
	}
	b.turn.Leave()
	b.lease.Release()
	b.lease = nil
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.turn.Seize()
	defer b.turn.Pass()
	if b.lease == nil {
		return nil
	}
	if b.err == nil {
		b.err = session.ErrClosed
	}
	b.end()
	return nil
}
