package smtpx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// pool bounds how many connections there are, keeps those that nobody uses
// for a while, and ends all of them. No connection is waited for while its
// mutex is held.
type pool struct {
	slots     chan struct{} // one element for each call that may have a connection
	idleLimit time.Duration
	goodbyes  sync.WaitGroup

	mu     sync.Mutex
	idle   []*conn // the one used last at the end
	calls  map[*call]struct{}
	closed bool
}

// call is a Send under way; end makes it stop.
type call struct{ end context.CancelCauseFunc }

func newPool(size int, idle time.Duration) *pool {
	return &pool{slots: make(chan struct{}, size), idleLimit: idle, calls: map[*call]struct{}{}}
}

// enter waits for the right to use a connection. The context it returns ends
// with ctx and when the pool is closed; leave gives the right back.
func (p *pool) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if ctx.Err() != nil {
		return nil, nil, endOf(ctx)
	}
	ctx, end := context.WithCancelCause(ctx)
	c := &call{end: end}
	if !p.register(c) {
		end(nil)
		return nil, nil, session.ErrClosed
	}
	forget := func() {
		p.mu.Lock()
		delete(p.calls, c)
		p.mu.Unlock()
		end(nil)
	}
	select {
	case p.slots <- struct{}{}:
		return ctx, func() { <-p.slots; forget() }, nil
	case <-ctx.Done():
		err := fmt.Errorf("wait for a free connection: %w", endOf(ctx))
		forget()
		return nil, nil, err
	}
}

// endOf returns the error of an ended context together with its cause, where
// that is another one.
func endOf(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func (p *pool) register(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.calls[c] = struct{}{}
	return true
}

// take returns an idle connection, nil where there is none.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		last := len(p.idle) - 1
		c := p.idle[last]
		p.idle = slices.Delete(p.idle, last, last+1)
		c.expiry.Stop()
		if c.usable() {
			c.reused = true
			c.w.SetStage(wire.StageCommand)
			return c
		}
	}
	return nil
}

// put keeps c for the next call, or ends it where that makes no sense.
func (p *pool) put(c *conn) {
	if !p.keep(c) {
		c.abandon()
	}
}

func (p *pool) keep(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.idleLimit < 0 || !c.usable() {
		return false
	}
	c.w.SetStage(wire.StageIdle)
	c.expiry = time.AfterFunc(p.idleLimit, func() {
		if p.forget(c) {
			defer p.goodbyes.Done()
			c.quit()
		}
	})
	p.idle = append(p.idle, c)
	return true
}

// forget takes c out of the idle ones and reports whether it was there. The
// caller says goodbye and tells the WaitGroup.
func (p *pool) forget(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.idle, c)
	if i < 0 {
		return false
	}
	p.idle = slices.Delete(p.idle, i, i+1)
	p.goodbyes.Add(1)
	return true
}

// close ends the calls that are under way and all idle connections, and waits
// for the goodbyes.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for c := range p.calls {
		c.end(session.ErrClosed)
	}
	for _, c := range idle {
		c.expiry.Stop()
	}
	p.mu.Unlock()
	for _, c := range idle {
		p.goodbyes.Go(c.quit)
	}
	p.goodbyes.Wait()
}
