package ews

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/wire"
)

const (
	// streamFor is how long a stream is asked to last. More is not allowed.
	streamFor = 30 * time.Minute
	// streamSilence is how long a stream may say nothing. Servers give a sign of life
	// every 45 seconds or so.
	streamSilence = 2 * time.Minute
)

// errOver says that a stream came to its appointed end.
var errOver = errors.New("the stream is over")

// getStreamingEvents has the server tell what happens at the instant when it does. Up
// is called when it begins, told after each piece that has news. It returns when the
// stream has ended, errOver where it did so as was agreed.
func (c *Client) getStreamingEvents(ctx context.Context, s *subscription, up func(), told func([]happening)) error {
	r := &request{op: "GetStreamingEvents", live: true, body: el("m:GetStreamingEvents",
		el("m:SubscriptionIds", leaf("t:SubscriptionId", s.id)),
		leaf("m:ConnectionTimeout", strconv.Itoa(int(streamFor.Minutes()))))}
	if err := c.held.Wait(ctx); err != nil {
		return c.pool.Fail(err)
	}
	l, err := c.pool.Get(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the pool's errors say what they are about
	}
	var a *answer
	err = c.over(l, r, func(cn *conn) (err error) {
		a, err = c.begin(l.Context, cn, r)
		return cn.explain(r.op, err)
	})
	if err != nil {
		if l.Conn != nil {
			l.Release()
		}
		if e, ok := errors.AsType[*Error](err); ok && e.class() == throttled && !crowded(err) {
			c.held.Hold(e.RetryAfter())
		}
		return err
	}
	line := l.Conn.wire
	line.SetStageFor(wire.StageCommand, streamSilence)
	// A server that does not end it gives signs of life for ever.
	end := time.AfterFunc(streamFor+streamSilence, func() { line.Kill(errOver) })
	defer end.Stop()
	err = l.Conn.explain(r.op, a.streamed(up, told))
	l.Conn.Abandon() // the server may be in the middle of telling
	l.Release()
	return err
}

// streamed reads one envelope after the other. The error is never nil.
func (a *answer) streamed(up func(), told func([]happening)) error {
	for begun := false; ; begun = true {
		var all []happening
		closed, mark, more := false, "", false
		err := a.only(func(name string) error {
			switch name {
			case "Notifications":
				return a.children(func(string) error { return a.notification(&all, &mark, &more) })
			case "ConnectionStatus":
				status, err := a.word()
				closed = status == "Closed"
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !begun {
			up()
		}
		if len(all) > 0 {
			told(all)
		}
		if closed {
			return errOver
		}
		if err := a.another(); err != nil {
			return err
		}
	}
}

// another goes on to the next envelope.
func (a *answer) another() error {
	if err := a.surface(0); err != nil {
		return err
	}
	a.left = maxAnswer
	switch t, err := a.next(false); {
	case err != nil:
		return err
	case t == endOfInput:
		return &backend.LostError{Server: a.conn.address, Op: a.request.op, Err: io.ErrUnexpectedEOF}
	case a.name != "Envelope":
		return a.malformed("it is not SOAP but " + a.conn.said(a.name))
	}
	if err := a.envelope(); err != nil || a.name != "Fault" {
		return err
	}
	return a.fault(&Error{Server: a.conn.address, Op: a.request.op, Status: a.resp.StatusCode})
}
