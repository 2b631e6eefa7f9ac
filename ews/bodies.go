package ews

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/spool"
	"github.com/mailsession/mailsession/session"
)

// Bodies implements [session.Fetcher]. Several messages are asked for by one request,
// and come straight from the connection that the loop holds. All loops together hold
// all connections but one; a loop beyond that reads its messages ahead.
func (c *Client) Bodies(ctx context.Context, ids ...session.ID) iter.Seq2[session.Body, error] {
	return func(yield func(session.Body, error) bool) {
		b := &bulk{client: c, yield: yield}
		select {
		case c.streams <- struct{}{}:
			defer func() { <-c.streams }()
		default:
			b.ahead = true
		}
		b.sortOut(ids)
		b.run(ctx)
	}
}

// bulk is one loop over messages.
type bulk struct {
	client  *Client
	yield   func(session.Body, error) bool
	left    []wanted // not told yet
	ahead   bool     // messages are read ahead, and no connection is held meanwhile
	spooled []spooled
	stopped bool
}

type wanted struct {
	id   session.ID
	item string
}

type spooled struct {
	id    session.ID
	spool *spool.Spool
	err   error
}

// sortOut names each message once. What is of another mailbox is told at once.
func (b *bulk) sortOut(ids []session.ID) {
	given := make(map[session.ID]bool, len(ids))
	b.left = make([]wanted, 0, len(ids))
	for _, id := range ids {
		if given[id] {
			continue
		}
		given[id] = true
		parts, err := b.client.own(id)
		if err != nil {
			b.tell(session.Body{ID: id}, &session.ItemError{ID: id, Err: err})
			continue
		}
		b.left = append(b.left, wanted{id: id, item: parts.Key})
	}
}

func (b *bulk) tell(body session.Body, err error) {
	if !b.stopped && !b.yield(body, err) {
		b.stopped = true
	}
}

// run asks until all were told. A connection that is lost is replaced, as long as
// that brings more messages.
func (b *bulk) run(ctx context.Context) {
	vain := false
	for len(b.left) > 0 && !b.stopped {
		before := len(b.left)
		err := b.page(ctx)
		b.tellSpooled()
		progress := len(b.left) < before
		switch {
		case b.stopped:
		case err == nil && progress:
			vain = false
		case (err == nil || backend.IsLost(err)) && (progress || !vain):
			vain = !progress
		case concernsItem(err) && !progress:
			b.done(&session.ItemError{ID: b.left[0].id, Err: err})
			b.tellSpooled()
		case concernsItem(err):
		default:
			b.tell(session.Body{}, err)
			b.stopped = true
		}
	}
}

// errStopped ends an answer that nobody wants any more.
var errStopped = errors.New("the loop has ended")

// page asks for some messages by one request.
func (b *bulk) page(ctx context.Context) error {
	part := b.left[:min(len(b.left), bodyPage)]
	keys := make([]string, len(part))
	for i, w := range part {
		keys[i] = w.item
	}
	r := &request{op: "GetItem", body: getItem(nil, true, itemIDs(keys)...)}
	next := 0 // of part, not told yet
	return b.client.callOnce(ctx, r, func(a *answer) error {
		err := b.client.eachMIME(a, len(part), func(i int, content io.Reader, err error) error {
			if i < next {
				return nil
			}
			if i != next {
				return a.malformed("it leaves messages out")
			}
			next++
			return b.message(a, part[i], content, err)
		})
		if err == nil && next == 0 {
			err = &itemFaultError{noContent}
		}
		return err
	})
}

// message tells one message, or keeps it to be told.
func (b *bulk) message(a *answer, w wanted, content io.Reader, err error) error {
	switch {
	case err != nil:
		b.done(&session.ItemError{ID: w.id, Err: err})
	case b.ahead:
		s := &spool.Spool{}
		if err := s.Fill(content); err != nil {
			s.Close()
			if fault, bad := asItemFault(err); bad {
				b.done(&session.ItemError{ID: w.id, Err: a.conn.explain("GetItem", fault)})
			}
			return err //nolint:wrapcheck // an explanation follows
		}
		b.left = b.left[1:]
		b.spooled = append(b.spooled, spooled{id: w.id, spool: s})
	default:
		b.left = b.left[1:]
		body := &passing{src: content, conn: a.conn, id: w.id}
		b.tell(session.Body{ID: w.id, Reader: body}, nil)
		if b.stopped {
			a.conn.wire.Kill(errStopped) // what is left may be long
			return errStopped
		}
		if body.err != nil && !errors.Is(body.err, io.EOF) {
			return body.cause
		}
		_, err := io.Copy(io.Discard, content)
		body.err = session.ErrClosed
		return err //nolint:wrapcheck // an explanation follows
	}
	if !b.ahead {
		b.tellSpooled()
	}
	if b.stopped {
		a.conn.wire.Kill(errStopped)
		return errStopped
	}
	return nil
}

// done tells of the next message that it cannot be read.
func (b *bulk) done(err *session.ItemError) {
	b.left = b.left[1:]
	b.spooled = append(b.spooled, spooled{id: err.ID, err: err})
}

// tellSpooled gives the loop what was read ahead.
func (b *bulk) tellSpooled() {
	all := b.spooled
	b.spooled = nil
	for _, s := range all {
		if s.spool == nil {
			b.tell(session.Body{ID: s.id}, s.err)
			continue
		}
		b.tell(session.Body{ID: s.id, Reader: s.spool}, nil)
		s.spool.Close()
	}
}

// passing is a message on its way from the connection to the loop.
type passing struct {
	src   io.Reader
	conn  *conn
	id    session.ID
	err   error
	cause error
}

// Read implements [io.Reader].
func (p *passing) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.src.Read(b)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		p.err = io.EOF
	default:
		p.cause = err
		p.err = p.conn.explain("GetItem", err)
		if unreadable(err) {
			p.err = &session.ItemError{ID: p.id, Err: errors.Join(io.ErrUnexpectedEOF, p.err)}
		}
	}
	return n, p.err
}
