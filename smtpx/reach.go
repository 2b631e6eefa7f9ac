package smtpx

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/retry"
)

// reach is what the goroutines of a bulk know together of whether there are connections
// to be had. After a connect that failed one of them tries at a time, and not before a
// while: no message is to blame, and none would fare better.
type reach struct {
	mu      sync.Mutex
	lines   int       // connections in use
	begun   int       // connects that nobody knows the end of yet
	failed  int       // connects in a row
	until   time.Time // nobody connects before, where any failed
	probing bool      // somebody does, after one that failed
	round   int       // of what is known: it changes with each end of a connect that counts
	changed chan struct{}
}

func newReach() *reach { return &reach{changed: make(chan struct{})} }

// attempt is one connect.
type attempt struct {
	round int
	begun bool // by begin
	probe bool // the one after others that failed
}

// news wakes those who wait; r.mu is held.
func (r *reach) news() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// hold returns for how long nobody may connect, 0 where somebody may, and what is closed
// when that changes.
func (r *reach) hold() (wait time.Duration, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.failed == 0:
	case r.probing:
		wait = math.MaxInt64
	default:
		wait = max(time.Until(r.until), 0)
	}
	return wait, r.changed
}

// begin begins a connect, unless that is to wait.
func (r *reach) begin() (a attempt, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a = attempt{round: r.round, begun: true, probe: r.failed > 0}
	if a.probe && (r.probing || time.Now().Before(r.until)) {
		return a, false
	}
	r.begun++
	r.probing = r.probing || a.probe
	return a, true
}

// known is the attempt of a connection that is replaced at some time from now on.
func (r *reach) known() attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return attempt{round: r.round}
}

// up notes that a connect came to a connection, which is in use.
func (r *reach) up(a attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	r.end(a)
	if r.failed > 0 {
		r.failed = 0
		r.round++
		r.news()
	}
}

// end takes an attempt off; r.mu is held.
func (r *reach) end(a attempt) {
	if a.begun {
		r.begun--
	}
	r.probing = r.probing && !a.probe
}

// down notes that a connect failed, and returns how many did in a row and how long the
// next one is to wait, by the policy. Those that were begun together count as one. None
// are in a row while there are connections, or others may yet come to one: the server can
// be reached then.
func (r *reach) down(a attempt, p retry.Policy, err error) (failed int, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(a)
	if a.round == r.round {
		r.round++
		r.failed++
		r.until = time.Now().Add(p.Wait(r.failed, err))
	}
	r.news()
	if r.lines == 0 && r.begun == 0 {
		failed = r.failed
	}
	return failed, time.Until(r.until)
}

// left notes that a connection is not in use any more. The server was within reach until
// now, and has a place free: the next connect need not wait.
func (r *reach) left() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines--
	if r.failed > 0 {
		r.failed, r.until = 1, time.Now()
		r.news()
	}
}

// await waits until connections are to be had, and reports whether there may be
// something left to do by then.
func (b *bulk) await() bool {
	for {
		wait, changed := b.reach.hold()
		if wait == 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-b.halted:
		case <-b.finished:
		}
		timer.Stop()
		select {
		case <-b.halted:
			return false
		case <-b.finished:
			return false
		default:
		}
	}
}

// connect returns a connection to send j over. Where there is none to be had, j is put
// back, and what it took of the rate is given back.
func (b *bulk) connect(ctx context.Context, j *job) (lease *pool.Lease[*conn], ok bool) {
	a, ok := b.reach.begin()
	if !ok {
		b.c.pace.giveBack(len(j.Envelope.To))
		b.again(j)
		return nil, false
	}
	lease, err := b.c.pool.Get(ctx)
	if err != nil {
		b.c.pace.heed(err)
		b.unreached(ctx, j, a, err)
		return nil, false
	}
	b.reach.up(a)
	return lease, true
}

// unreached takes a connect that failed. It ends the bulk where it always would, where as
// many did in a row as a message may be tried, and where the context ends before the next.
func (b *bulk) unreached(ctx context.Context, j *job, a attempt, err error) {
	failed, wait := b.reach.down(a, b.policy, err)
	deadline, bounded := ctx.Deadline()
	switch {
	case ctx.Err() != nil:
		b.halt(retry.Ended(ctx))
	case !passes(err), failed > max(b.policy.Count, 0), failed > 0 && bounded && time.Until(deadline) <= wait:
		b.halt(err)
	case wait > 0:
		b.c.log.LogAttrs(ctx, slog.LevelWarn, "smtp: no connection for a bulk",
			slog.String("server", b.c.address), slog.Duration("wait", wait), slog.Any("error", err))
	}
	b.c.pace.giveBack(len(j.Envelope.To))
	b.again(j) // which has its result as all the others have, where the bulk is at its end
}

// passes tells whether the cause of a connect that failed is one that passes: also where
// nobody listens, as while a server is started anew.
func passes(err error) bool { return retry.IsTemporary(err) || backend.Unreachable(err) }
