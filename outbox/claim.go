package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/state"
)

// sighting is since when a worker has seen the same version of a claimed entry.
type sighting struct {
	version state.Version
	since   time.Time
}

// aliveFor returns how long the worker that claims an item still counts as alive:
// for the term of its claim since this version of it was first seen here.
func (b *Outbox) aliveFor(it *item) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.claims[it.key]
	if seen.version != it.version {
		seen = sighting{it.version, time.Now()}
		b.claims[it.key] = seen
	}
	return time.Duration(it.Term)*time.Millisecond - time.Since(seen.since)
}

// forget ends the watch over a claim.
func (b *Outbox) forget(it *item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.claims, it.key)
}

// claim is an item in the hands of this worker, which renews it.
type claim struct {
	box *Outbox
	it  *item // belongs to the goroutine that renews until it has ended

	cancel context.CancelCauseFunc
	stop   chan struct{}
	ended  sync.WaitGroup
}

// claim takes an item to be sent, and returns a context that ends when the claim
// is lost. It fails with state.ErrConflict where somebody else was faster.
func (b *Outbox) claim(ctx context.Context, it *item) (*claim, context.Context, error) {
	it.State, it.Changed, it.Next = StateSending, time.Now(), time.Time{}
	it.Claim, it.Term, it.Beat = strings.ToLower(rand.Text()), b.opts.Term.Milliseconds(), 0
	it.Tries++
	begun := time.Now()
	if err := b.swap(ctx, it); err != nil {
		return nil, nil, err
	}
	b.tell(ctx, it)
	c := &claim{box: b, it: it, stop: make(chan struct{})}
	ctx, c.cancel = context.WithCancelCause(ctx)
	c.ended.Go(func() { c.renew(ctx, begun) })
	return c, ctx, nil
}

// renew changes the entry each third of the term, and ends the context where that
// was not possible for nine tenths of it.
func (c *claim) renew(ctx context.Context, begun time.Time) {
	bound := c.box.opts.Term * 9 / 10
	last := time.AfterFunc(bound-time.Since(begun), func() { c.cancel(errLost) })
	defer last.Stop()
	pace := time.NewTicker(max(c.box.opts.Term/3, time.Millisecond))
	defer pace.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		begun = time.Now()
		c.it.Beat++
		switch err := c.box.swap(ctx, c.it); {
		case err == nil:
			last.Reset(bound - time.Since(begun))
		case errors.Is(err, state.ErrConflict):
			c.cancel(errLost)
		default:
			c.it.Beat-- // the next turn tries again
		}
	}
}

// end stops renewing and returns the item.
func (c *claim) end() *item {
	close(c.stop)
	c.cancel(nil)
	c.ended.Wait()
	return c.it
}
