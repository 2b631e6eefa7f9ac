package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// held is a lease of [Leases].
type held struct {
	store  Store
	key    string
	record string // the key of the lease's record
	mine   claim

	// version is that of the record when this lease last wrote it. It belongs
	// to the goroutine that renews, and after ended is closed to release.
	version Version

	timer   *time.Timer   // closes lost when the term is over
	lose    func()        // closes lost, once
	lost    chan struct{} // closed when the lease is lost
	stop    chan struct{} // closed to end the renewals
	ended   chan struct{} // closed when they have ended
	release func() error
}

// take tries to make the lease h's, and returns when its term began.
func (h *held) take(ctx context.Context, old Version, fence uint64) (begun time.Time, err error) {
	h.mine.Fence = fence
	value, err := h.mine.encode()
	if err != nil {
		return begun, err
	}
	begun = time.Now()
	h.version, err = h.store.CompareAndSwap(ctx, h.record, old, value)
	if err != nil && !errors.Is(err, ErrConflict) {
		// It may have been done all the same, and nobody would renew it.
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.mine.term())
		defer cancel()
		if h.reload(after) == nil {
			_ = h.free(after) // Else it ends after its term.
		}
	}
	return begun, err
}

// start begins the renewals. Leave is called when the lease is released.
func (h *held) start(ctx context.Context, begun time.Time, leave func()) {
	h.lose = sync.OnceFunc(func() { close(h.lost) })
	h.timer = time.AfterFunc(time.Until(begun.Add(h.usable())), h.lose)
	h.release = sync.OnceValue(func() error {
		defer leave()
		return h.giveBack(ctx)
	})
	go h.renew(ctx)
}

// usable is for how long the owner relies on the lease after a renewal.
func (h *held) usable() time.Duration {
	return h.mine.term() * 9 / 10
}

// renew renews the lease until it is released or lost.
func (h *held) renew(ctx context.Context) {
	defer close(h.ended)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-h.stop:
		case <-h.lost:
		}
	}()
	wait := h.mine.term() / 3
	for {
		if retry.Sleep(ctx, wait) != nil {
			return
		}
		begun := time.Now()
		err := h.swap(ctx, h.mine)
		switch {
		case errors.Is(err, ErrLockLost):
			h.lose()
			return
		case err != nil:
			// The term runs on.
			wait = h.mine.term() / 10
		case h.timer.Stop():
			h.timer.Reset(time.Until(begun.Add(h.usable())))
			wait = h.mine.term() / 3
		}
	}
}

// swap writes c over the lease's own record. The version may be another one
// than the last that is known, where the answer to a renewal was lost.
func (h *held) swap(ctx context.Context, c claim) error {
	value, err := c.encode()
	if err != nil {
		return err
	}
	for {
		version, err := h.store.CompareAndSwap(ctx, h.record, h.version, value)
		if err == nil {
			h.version = version
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if err := h.reload(ctx); err != nil {
			return err
		}
	}
}

// reload learns the version of the lease's record, or that it is lost.
func (h *held) reload(ctx context.Context) error {
	record, err := h.store.Load(ctx, h.record)
	if err != nil {
		return err
	}
	present, err := parseClaim(record.Value)
	if err != nil {
		return err
	}
	if present.Holder != h.mine.Holder {
		return fmt.Errorf("%w: it has been taken over by lease %d", ErrLockLost, present.Fence)
	}
	h.version = record.Version
	return nil
}

// free marks the record as nobody's.
func (h *held) free(ctx context.Context) error {
	return h.swap(ctx, claim{Fence: h.mine.Fence})
}

// giveBack ends the renewals and frees the lease.
func (h *held) giveBack(ctx context.Context) error {
	close(h.stop)
	<-h.ended
	h.timer.Stop()
	ctx, cancel := context.WithTimeout(ctx, h.mine.term())
	defer cancel()
	// A lease that was lost may still be there, and is in the way of others.
	err := h.free(ctx)
	if h.isLost() && !errors.Is(err, ErrLockLost) {
		err = fmt.Errorf("%w: it was not renewed in time", ErrLockLost)
	}
	if err != nil {
		return fmt.Errorf("state: unlock %s: %w", h.key, err)
	}
	return nil
}

// isLost reports whether the lease counts as lost.
func (h *held) isLost() bool {
	select {
	case <-h.lost:
		return true
	default:
		return false
	}
}

// Lost implements [Lease].
func (h *held) Lost() <-chan struct{} { return h.lost }

// Fence implements [Lease].
func (h *held) Fence() uint64 { return h.mine.Fence }

// Release implements [Lease].
func (h *held) Release() error { return h.release() }

// Check implements [Lease].
func (h *held) Check(ctx context.Context) error {
	if h.isLost() {
		return fmt.Errorf("state: lock %s: %w: it was not renewed in time", h.key, ErrLockLost)
	}
	record, err := h.store.Load(ctx, h.record)
	if err != nil {
		return fmt.Errorf("state: lock %s: %w", h.key, err)
	}
	present, err := parseClaim(record.Value)
	if err != nil {
		return fmt.Errorf("state: lock %s: %w", h.key, err)
	}
	if present.Holder != h.mine.Holder {
		return fmt.Errorf("state: lock %s: %w: it has been taken over by lease %d", h.key, ErrLockLost, present.Fence)
	}
	return nil
}
