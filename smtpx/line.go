package smtpx

import (
	"context"
	"errors"
	"time"

	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/session"
)

// share is how long a bulk uses a connection at least before somebody else gets it who
// waits for one. Less would leave several bulks nothing of their windows.
const share = time.Second

// line is one connection in a bulk.
type line struct {
	b     *bulk
	lease *pool.Lease[*conn]
	since time.Time // when it began
}

// wanted reports whether it is somebody else's turn to use the connection.
func (l *line) wanted() bool { return l.b.c.pool.Wanted() && time.Since(l.since) >= share }

// run sends j and what comes after it, until there is nothing to send, somebody else
// waits for a connection, or this one has done its duty. It reports whether the lease is
// still to be released, and returns the message that has to wait for a pause.
func (l *line) run(ctx context.Context, j *job) (held bool, next *job) {
	for {
		if !l.one(ctx, j) {
			return false, nil
		}
		c := l.lease.Conn
		if !c.Usable() {
			return true, nil
		}
		// What follows is sent before what came first is answered. It has to be seen
		// how the server answers when it takes a message.
		if l.b.window > 1 && c.ext.has("PIPELINING") && c.takes.known {
			for again := true; again && next == nil; {
				again, next = newStream(l, c).run(ctx)
			}
			return true, next
		}
		if l.wanted() {
			return true, nil
		}
		var ok bool
		if j, ok = l.next(); !ok {
			return true, nil
		}
		if err := l.b.may(len(j.Envelope.To)); isHeld(err) {
			return true, j
		} else if err != nil {
			l.b.tried(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
			return true, nil
		}
	}
}

// isHeld reports whether err is that a message has to wait for a pause.
func isHeld(err error) bool {
	_, ok := errors.AsType[*throttle.HeldError](err)
	return ok
}

// next returns the next message, if there is one at the moment.
func (l *line) next() (j *job, ok bool) {
	select {
	case <-l.b.halted:
		return nil, false
	default:
	}
	select {
	case j = <-l.b.jobs:
		return j, true
	default:
		return nil, false
	}
}

// one sends a message, waiting for each answer. It reports whether there is
// still a connection.
func (l *line) one(ctx context.Context, j *job) bool {
	j.tries++
	letter, err := openLetter(j.Message)
	if err != nil {
		l.b.tried(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
		return true
	}
	defer letter.Close()
	a := l.b.reach.known()
	rec, gone, err := l.b.c.carry(j.Envelope, letter, l.lease)
	if gone {
		j.tries-- // nothing was begun of it
		l.b.reach.left()
		l.b.unreached(ctx, j, a, err)
		return false
	}
	l.b.tried(ctx, j, rec, err)
	return true
}
