package throttle

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// Rate lets so many things pass in any span of time, and no more. A nil Rate
// lets everything pass. It is safe for concurrent use.
type Rate struct {
	count int
	per   time.Duration

	mu   sync.Mutex
	past []passed // within the span, oldest first
	sum  int      // of their numbers
}

type passed struct {
	at time.Time
	n  int
}

// NewRate returns a Rate of count in any span of per, nil where either is not
// positive.
func NewRate(count int, per time.Duration) *Rate {
	if count <= 0 || per <= 0 {
		return nil
	}
	return &Rate{count: count, per: per}
}

// Take returns nil once n more may pass, and counts them. More than may pass in
// a whole span pass where nothing else did for as long. Where the wait outlasts
// the deadline of ctx it returns a [*HeldError] at once; where ctx ends, an
// error wrapping the context's.
func (r *Rate) Take(ctx context.Context, n int) error {
	for r != nil {
		wait := r.take(n)
		if wait <= 0 {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// Return takes back the newest n that passed, since nothing was made of them.
func (r *Rate) Return(n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, p := range slices.Backward(r.past) {
		if p.n == n {
			r.past = slices.Delete(r.past, i, i+1)
			r.sum -= n
			return
		}
	}
}

// take counts n, or returns how long to wait before another try.
func (r *Rate) take(n int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for len(r.past) > 0 && now.Sub(r.past[0].at) >= r.per {
		r.sum -= r.past[0].n
		r.past = r.past[1:]
	}
	if len(r.past) == 0 || r.sum+n <= r.count {
		r.past = append(r.past, passed{now, n})
		r.sum += n
		return 0
	}
	free := 0
	for _, p := range r.past {
		if free += p.n; r.sum-free+n <= r.count {
			return r.per - now.Sub(p.at)
		}
	}
	return r.per - now.Sub(r.past[len(r.past)-1].at)
}

// impatience is the key of [Impatient].
type impatience struct{}

// Impatient returns a context under which nobody waits: Wait and Take return a
// [*HeldError] at once where they would have to.
func Impatient(ctx context.Context) context.Context {
	return context.WithValue(ctx, impatience{}, true)
}

// IsImpatient reports whether ctx is one of [Impatient].
func IsImpatient(ctx context.Context) bool { return ctx.Value(impatience{}) != nil }

// Patient returns a context under which is waited again, within one that is
// [Impatient].
func Patient(ctx context.Context) context.Context {
	return context.WithValue(ctx, impatience{}, nil)
}

// pause waits for d, unless ctx has less time than that or no patience.
func pause(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d || IsImpatient(ctx) {
		return &HeldError{Remaining: d}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}
