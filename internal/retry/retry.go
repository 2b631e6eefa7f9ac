// Package retry tries an operation again after a temporary failure.
//
// A [Policy] says which failures are worth another try, how often and how long
// to wait; [Do] carries it out. The package knows no protocol: it asks an error
// what it is through three optional methods, found anywhere in its chain:
//
//	Temporary() bool              // the same call may succeed later
//	StatusCode() int              // the protocol's status, such as 503
//	RetryAfter() time.Duration    // the pause the server asked for; 0 if none
//
// Where several errors of a chain have the same method the outermost one
// decides, so that a package may correct what an error beneath it claims.
package retry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Condition says which failures a [Policy] tries again.
type Condition int

const (
	// OnTemporary tries again after every error that says it is temporary.
	OnTemporary Condition = iota
	// OnStatus tries again after an error whose status code is listed.
	OnStatus
	// Never does not try again.
	Never
)

// Defaults of a [Policy] whose fields are zero.
const (
	DefaultCount   = 5
	DefaultInitial = 500 * time.Millisecond
	DefaultFactor  = 2
	DefaultMax     = 30 * time.Second
	DefaultJitter  = 0.2
)

// Policy says when and how an operation is tried again. The zero value tries
// again up to five times after temporary errors, waiting 0.5, 1, 2, 4 and 8
// seconds less up to a fifth. A Policy may be copied and shared.
type Policy struct {
	// On chooses the failures.
	On Condition
	// Statuses are the status codes for OnStatus. Nil means 429 and 503.
	Statuses []int
	// Count is how many times the operation is tried again at most, the first
	// try not counted. 0 means DefaultCount, a negative number none.
	Count int
	// Initial is the wait before the second try. 0 means DefaultInitial.
	Initial time.Duration
	// Factor multiplies the wait from one try to the next. Below 1 it means
	// DefaultFactor; 1 keeps the wait as it is.
	Factor float64
	// Max is the longest wait, unless a server asks for more. 0 means DefaultMax.
	Max time.Duration
	// Jitter is the part of a wait, from 0 to 1, that chance may take off, so
	// that many clients do not come back at the same moment. What a server
	// asked for is lengthened by chance instead, never shortened. 0 means
	// DefaultJitter, a negative number none.
	Jitter float64
	// Rand returns numbers in [0, 1) for the jitter and must be safe for
	// concurrent use where the Policy is shared. Nil means math/rand/v2.
	Rand func() float64
	// Notify, where not nil, is told before each wait the number of the try
	// that failed (from 1), the wait and the error.
	Notify func(try int, wait time.Duration, err error)
}

// Do calls op until it succeeds, until p gives up or until ctx ends, and
// returns op's last error unchanged.
//
// It never waits past the deadline of ctx: where the wait would reach it, the
// last error is returned at once. Where ctx ends during a wait, the error
// wraps both the context's and the last error.
func Do(ctx context.Context, p Policy, op func(ctx context.Context) error) error {
	for try := 1; ; try++ {
		err := op(ctx)
		if err == nil || ctx.Err() != nil || !p.Again(try, err) {
			return err
		}
		wait := p.Wait(try, err)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return err
		}
		if p.Notify != nil {
			p.Notify(try, wait, err)
		}
		if cause := Sleep(ctx, wait); cause != nil {
			return fmt.Errorf("%w while waiting to try again after: %w", cause, err)
		}
	}
}

// Sleep waits for d, or for the end of ctx and returns why it ended, see [Ended].
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return Ended(ctx)
	}
}

// Ended returns why ctx, which is done, has ended: an error that wraps both
// ctx.Err and the cause given to the function that cancelled it, if any.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// Again reports whether p tries again after the given try (from 1) failed with err.
func (p Policy) Again(try int, err error) bool { return try <= p.count() && p.Retries(err) }

// Retries reports whether p tries again after err, leaving the count aside.
func (p Policy) Retries(err error) bool {
	switch p.On {
	case OnTemporary:
		return IsTemporary(err)
	case OnStatus:
		status, ok := Status(err)
		return ok && slices.Contains(p.statuses(), status)
	default:
		return false
	}
}

// Wait returns how long to wait after the given try (from 1) failed with err.
func (p Policy) Wait(try int, err error) time.Duration {
	wait := float64(orDefault(p.Initial, DefaultInitial)) * math.Pow(p.factor(), float64(try-1))
	wait = min(wait, float64(orDefault(p.Max, DefaultMax)))
	part := p.jitter() * p.random()
	own := time.Duration(wait * (1 - part))
	stated := After(err)
	if stated <= 0 || stated < own {
		return own
	}
	// A wait of centuries must not wrap around.
	return time.Duration(min(float64(stated)+wait*part, math.MaxInt64/2))
}

func (p Policy) count() int {
	return max(orDefault(p.Count, DefaultCount), 0)
}

func (p Policy) statuses() []int {
	if p.Statuses == nil {
		return []int{429, 503}
	}
	return p.Statuses
}

func (p Policy) factor() float64 {
	if p.Factor < 1 {
		return DefaultFactor
	}
	return p.Factor
}

func (p Policy) jitter() float64 {
	return min(max(orDefault(p.Jitter, DefaultJitter), 0), 1)
}

func (p Policy) random() float64 {
	if p.Rand == nil {
		return rand.Float64() //nolint:gosec // The jitter of a wait need not be hard to guess.
	}
	return p.Rand()
}

// orDefault returns v, or fallback where v is zero.
func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// IsTemporary reports whether err says that the same call may succeed later.
// An error that says nothing is not temporary.
func IsTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// Status returns the status code that err carries, and whether it carries one.
func Status(err error) (int, bool) {
	var s interface{ StatusCode() int }
	if !errors.As(err, &s) {
		return 0, false
	}
	return s.StatusCode(), true
}

// After returns the pause that a server asked for in err, or 0.
func After(err error) time.Duration {
	var a interface{ RetryAfter() time.Duration }
	if !errors.As(err, &a) {
		return 0
	}
	return max(a.RetryAfter(), 0)
}
