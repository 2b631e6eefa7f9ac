package smtpx

import (
	"context"

	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/session"
)

// line is one connection in a bulk.
type line struct {
	b     *bulk
	lease *pool.Lease[*conn]
}

// run sends j and what comes after it, until there is nothing to send or the
// connection has done its duty. It reports whether the lease is still to be
// released.
func (l *line) run(ctx context.Context, j *job) (held bool) {
	for {
		if !l.one(ctx, j) {
			return false
		}
		c := l.lease.Conn
		if !c.Usable() {
			return true
		}
		// What follows is sent before what came first is answered. It has to be seen
		// how the server answers when it takes a message.
		if l.b.window > 1 && c.ext.has("PIPELINING") && c.takes.known {
			for again := true; again; {
				again = newStream(l.b, c).run(ctx)
			}
			return true
		}
		var ok bool
		if j, ok = l.next(); !ok {
			return true
		}
		if err := l.b.wait(len(j.Envelope.To)); err != nil {
			l.b.tried(ctx, j, session.Receipt{Outcome: session.NotSent}, err)
			return true
		}
	}
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
	rec, gone, err := l.b.c.carry(j.Envelope, letter, l.lease)
	if gone {
		err = &connectError{err}
	}
	l.b.tried(ctx, j, rec, err)
	return !gone
}
