// Package throttle keeps the pauses that a mail provider asks for.
//
// One [Governor] stands before all operations on one mailbox, whatever protocol
// and connection they use: a pause stated to one of them holds all.
package throttle

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// Governor lets operations pass, or holds them while a pause lasts. The zero
// value lets everything pass; a nil Governor always does. It is safe for
// concurrent use and must not be copied.
type Governor struct {
	mu    sync.Mutex
	until time.Time
}

// Hold makes Wait hold operations for d from now on. It never shortens a pause
// that lasts longer already; a d of 0 or less changes nothing.
func (g *Governor) Hold(d time.Duration) {
	if g == nil || d <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}

// Remaining returns how long the present pause still lasts, 0 if there is none.
func (g *Governor) Remaining() time.Duration {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(time.Until(g.until), 0)
}

// Wait returns nil once no pause is in force, a pause that begins during the
// wait included. Where the pause outlasts the deadline of ctx it returns a
// [*HeldError] at once; where ctx ends, an error wrapping the context's.
func (g *Governor) Wait(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return retry.Ended(ctx)
		}
		left := g.Remaining()
		if left == 0 {
			return nil
		}
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
}

// HeldError is returned by [Governor.Wait] where the server's pause lasts longer
// than the caller may wait, and by [Rate.Take] where one's own does. It is
// temporary and says after what time to come back; [errors.Is] finds [context.DeadlineExceeded] in it.
type HeldError struct {
	// Remaining is how long the pause lasts from the moment of the call.
	Remaining time.Duration
}

// Error says how long the pause still lasts.
func (e *HeldError) Error() string {
	return fmt.Sprintf("throttle: a pause of another %v is in force, which is longer than this may wait: try again after it",
		e.Remaining.Round(time.Millisecond))
}

// Temporary returns true.
func (*HeldError) Temporary() bool { return true }

// RetryAfter returns e.Remaining.
func (e *HeldError) RetryAfter() time.Duration { return e.Remaining }

// Unwrap returns [context.DeadlineExceeded].
func (*HeldError) Unwrap() error { return context.DeadlineExceeded }
