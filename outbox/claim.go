package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"math"
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

// looksATerm is how often a claim is looked at in its term. Its worker renews it three
// times.
const looksATerm = 6

// watchOthers watches the claims that were seen, each until its worker turns out to be
// alive or gone.
func (b *Outbox) watchOthers(ctx context.Context) error {
	b.mu.Lock()
	seen := maps.Clone(b.claims)
	b.mu.Unlock()
	for {
		wait := time.Duration(math.MaxInt64)
		for key, sight := range seen {
			left, err := b.lookAt(ctx, key, sight)
			if err != nil {
				return err
			}
			if left <= 0 {
				delete(seen, key)
				continue
			}
			wait = min(wait, left)
		}
		if len(seen) == 0 {
			return nil
		}
		if pause(ctx, wait, nil) != nil {
			return nil //nolint:nilerr // it goes on in the next Drain
		}
	}
}

// lookAt looks at a claim, and returns when to look again: not at all, where its
// worker is alive. Where it is gone, what is due for its message is done.
func (b *Outbox) lookAt(ctx context.Context, key string, sight sighting) (wait time.Duration, err error) {
	it, err := b.load(ctx, key)
	switch {
	case errors.Is(err, ErrNoEntry), ctx.Err() != nil:
		return 0, nil //nolint:nilerr // nothing is left to look at, or nobody to look
	case err != nil:
		return 0, err
	case it.State != StateSending:
		b.forget(it)
		return 0, nil
	}
	left := b.aliveFor(it)
	if it.version != sight.version {
		return 0, nil
	}
	if left > 0 {
		return min(left, max(time.Duration(it.Term)*time.Millisecond/looksATerm, time.Millisecond)), nil
	}
	next, err := b.watch(ctx, it)
	if err == nil && !next.IsZero() {
		_, err = b.work(ctx, it.Body)
	}
	return 0, err
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
	it.Tries, it.Heard = it.Tries+1, false
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
