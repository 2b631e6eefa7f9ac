// Package pool keeps a few connections to one server and hands each out to one
// operation at a time.
package pool

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// Conn is a connection as the pool sees it.
type Conn interface {
	comparable

	// Bind ties the connection to ctx until release is called: when ctx ends,
	// the connection is cut with the context's error.
	Bind(ctx context.Context) (release func())

	// Usable reports whether the connection can serve another operation as
	// far as is known. It does no I/O.
	Usable() bool

	// Rest is called before the connection is put aside.
	Rest()

	// Goodbye ends the connection in order, within a few seconds.
	Goodbye()

	// Abandon ends the connection at once.
	Abandon()
}

// Options are the settings of a pool.
type Options[C Conn] struct {
	// Name is what errors call the server.
	Name string
	// Size is how many connections may be in use at a time.
	Size int
	// IdleTimeout is how long an unused connection is kept. Where it is
	// negative none is.
	IdleTimeout time.Duration
	// Dial makes a connection.
	Dial func(ctx context.Context) (C, error)
	// Probe asks the server whether a connection that was unused for
	// ProbeAfter still works: middleboxes drop quiet connections without a
	// word. Nil means that none is asked.
	Probe      func(c C) bool
	ProbeAfter time.Duration
	// Closed is the error of operations on a closed pool.
	Closed error
}

// maxAge is for how long a connection is used, less up to a fifth. One that never
// rests would keep to the machine that it found first, whatever a load balancer
// wants, and for as long as the sign-in of that day lasts; signing in once an hour
// costs nothing that anybody notices. Chance keeps those that began together from
// coming back together.
const maxAge = time.Hour

// Pool is safe for concurrent use. It does no I/O while it holds its mutex.
type Pool[C Conn] struct {
	opts     Options[C]
	slots    chan struct{} // one element for each lease
	waiting  atomic.Int32  // calls that wait for a slot
	goodbyes sync.WaitGroup

	mu     sync.Mutex
	idle   []resting[C] // the one used last at the end
	leases map[*Lease[C]]struct{}
	sweep  *time.Timer
	closed bool
}

type resting[C Conn] struct {
	conn  C
	until time.Time // when it has served for long enough
	since time.Time
}

// New returns an empty pool.
func New[C Conn](o Options[C]) *Pool[C] {
	return &Pool[C]{opts: o, slots: make(chan struct{}, o.Size), leases: map[*Lease[C]]struct{}{}}
}

// Lease is the right to use one connection.
type Lease[C Conn] struct {
	// Conn is the connection.
	Conn C
	// Context is that of the operation; it ends also when the pool is closed,
	// with Options.Closed as its cause.
	Context context.Context //nolint:containedctx // the lease is the operation's own view of its context
	// Reused says that the connection served others before: it may have died
	// without anybody noticing.
	Reused bool

	pool   *Pool[C]
	end    context.CancelCauseFunc
	unbind func()
	until  time.Time // when the connection has served for long enough
}

// Get waits until a connection may be used and returns it, bound to ctx. The
// caller releases the lease.
func (p *Pool[C]) Get(ctx context.Context) (*Lease[C], error) {
	return p.GetFor(ctx, func(C) bool { return false })
}

// GetFor is Get for which some connections suit better than others: one of these,
// where it is kept, is taken before others that were used later. Suits does no
// I/O.
func (p *Pool[C]) GetFor(ctx context.Context, suits func(C) bool) (*Lease[C], error) {
	return p.get(ctx, func(l *Lease[C]) error { return l.acquire(suits) })
}

// Fresh is Get with a connection that served nobody before. Where there are as
// many connections as there may be, one that is not in use is ended first, in
// order: some servers let but one in at a time.
func (p *Pool[C]) Fresh(ctx context.Context) (*Lease[C], error) {
	return p.get(ctx, func(l *Lease[C]) error {
		if c, ok := p.surplus(); ok {
			c.Goodbye()
		}
		return l.dial()
	})
}

// surplus takes the connection that was unused for longest, where another one
// would be too many.
func (p *Pool[C]) surplus() (c C, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 || len(p.slots)+len(p.idle) <= p.opts.Size {
		return c, false
	}
	c = p.idle[0].conn
	p.idle = slices.Delete(p.idle, 0, 1)
	return c, true
}

// get waits for the right to use a connection; acquire finds or makes it.
func (p *Pool[C]) get(ctx context.Context, acquire func(*Lease[C]) error) (*Lease[C], error) {
	if ctx.Err() != nil {
		return nil, p.Fail(retry.Ended(ctx)) // no connection dies for a call that is over
	}
	l := &Lease[C]{pool: p}
	l.Context, l.end = context.WithCancelCause(ctx)
	if !p.register(l) {
		l.end(nil)
		return nil, p.Fail(p.opts.Closed)
	}
	if err := p.slot(l.Context); err != nil { //nolint:contextcheck // the lease's context is made of ctx
		defer p.unregister(l)
		return nil, p.Fail(fmt.Errorf("wait for a free connection: %w", err))
	}
	if err := acquire(l); err != nil {
		l.leave()
		return nil, err
	}
	return l, nil
}

// slot waits for the right to use a connection. Those who wait get it in their order.
func (p *Pool[C]) slot(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return retry.Ended(ctx)
	}
}

// Wanted reports whether a call waits for a connection: an operation that takes long,
// and can be parted, then gives its own back for a turn.
func (p *Pool[C]) Wanted() bool { return p.waiting.Load() > 0 }

// Fail says which server err is about; the errors of connections say so
// themselves.
func (p *Pool[C]) Fail(err error) error { return fmt.Errorf("%s: %w", p.opts.Name, err) }

func (p *Pool[C]) register(l *Lease[C]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.leases[l] = struct{}{}
	return true
}

func (p *Pool[C]) unregister(l *Lease[C]) {
	p.mu.Lock()
	delete(p.leases, l)
	p.mu.Unlock()
	l.end(nil)
}

// acquire takes a kept connection that works, or makes one.
func (l *Lease[C]) acquire(suits func(C) bool) error {
	for {
		r, ok := l.pool.take(suits)
		if !ok {
			return l.dial()
		}
		l.Conn, l.Reused, l.until = r.conn, true, r.until
		l.unbind = l.Conn.Bind(l.Context)
		usable := l.Conn.Usable()
		if usable && l.pool.answers(r) {
			return nil
		}
		l.unbind()
		l.Conn.Abandon()
		if usable {
			l.pool.purge() // the others were quiet for as long or longer
		}
		if l.Context.Err() != nil {
			return l.pool.Fail(retry.Ended(l.Context))
		}
	}
}

func (l *Lease[C]) dial() error {
	c, err := l.pool.opts.Dial(l.Context)
	if err != nil {
		return err
	}
	l.Conn, l.Reused = c, false
	l.until = time.Now().Add(retry.Policy{Initial: maxAge, Max: maxAge}.Wait(1, nil))
	l.unbind = c.Bind(l.Context)
	return nil
}

// Renew puts a new connection in the place of the lease's own, which is ended.
// After an error the lease is released.
func (l *Lease[C]) Renew() error {
	l.unbind()
	l.Conn.Abandon()
	if err := l.dial(); err != nil {
		l.leave()
		return err
	}
	return nil
}

// Release gives the connection back. It must be called once. One that has served
// for long enough is ended in order, and its place is free once that is done.
func (l *Lease[C]) Release() {
	l.unbind()
	switch l.pool.keep(l) {
	case kept:
	case aged:
		go func() {
			defer l.pool.goodbyes.Done()
			l.Conn.Goodbye()
			l.leave()
		}()
		return
	case useless:
		l.Conn.Abandon()
	}
	l.leave()
}

func (l *Lease[C]) leave() {
	<-l.pool.slots
	l.pool.unregister(l)
}

// take returns the connection that was used last, of those that suit where there
// are any.
func (p *Pool[C]) take(suits func(C) bool) (r resting[C], ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return r, false
	}
	at := len(p.idle) - 1
	for i, r := range slices.Backward(p.idle) {
		if suits(r.conn) {
			at = i
			break
		}
	}
	r = p.idle[at]
	p.idle = slices.Delete(p.idle, at, at+1)
	return r, true
}

// purge ends all idle connections at once.
func (p *Pool[C]) purge() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, r := range idle {
		r.conn.Abandon()
	}
}

// answers reports whether the connection still works, asking the server where
// it was quiet for long.
func (p *Pool[C]) answers(r resting[C]) bool {
	if p.opts.Probe == nil || time.Since(r.since) < p.opts.ProbeAfter {
		return true
	}
	return p.opts.Probe(r.conn)
}

// fate is what becomes of a connection that is given back.
type fate int

const (
	kept    fate = iota // for the next lease
	aged                // it says goodbye, for which Close waits
	useless             // it is ended at once
)

// keep puts the connection of a lease aside for the next one, where that makes
// sense.
func (p *Pool[C]) keep(l *Lease[C]) fate {
	if !l.Conn.Usable() || p.opts.IdleTimeout < 0 {
		return useless
	}
	l.Conn.Rest()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch now := time.Now(); {
	case p.closed:
		return useless
	case !now.Before(l.until):
		p.goodbyes.Add(1)
		return aged
	default:
		p.idle = append(p.idle, resting[C]{conn: l.Conn, until: l.until, since: now})
	}
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.opts.IdleTimeout, p.expire)
	}
	return kept
}

// expire ends the connections that nobody used for long.
func (p *Pool[C]) expire() {
	p.mu.Lock()
	p.sweep = nil
	if p.closed {
		p.mu.Unlock()
		return
	}
	var old []C
	p.idle = slices.DeleteFunc(p.idle, func(r resting[C]) bool {
		if time.Since(r.since) < p.opts.IdleTimeout {
			return false
		}
		old = append(old, r.conn)
		return true
	})
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(p.opts.IdleTimeout-time.Since(p.idle[0].since), p.expire)
	}
	p.goodbyes.Add(1)
	p.mu.Unlock()
	defer p.goodbyes.Done()
	for _, c := range old {
		c.Goodbye()
	}
}

// Close ends the operations that are under way and says goodbye on the
// connections that are not in use, for which it waits.
func (p *Pool[C]) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for l := range p.leases {
		l.end(p.opts.Closed)
	}
	if p.sweep != nil {
		p.sweep.Stop()
		p.sweep = nil
	}
	p.goodbyes.Add(len(idle))
	p.mu.Unlock()
	for _, r := range idle {
		go func() {
			defer p.goodbyes.Done()
			r.conn.Goodbye()
		}()
	}
	p.goodbyes.Wait()
}
