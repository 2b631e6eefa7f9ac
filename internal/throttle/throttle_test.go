package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/throttle"
)

func TestWaitPassesWithoutAPause(t *testing.T) {
	var zero throttle.Governor
	var none *throttle.Governor
	none.Hold(time.Hour)
	for name, g := range map[string]*throttle.Governor{"zero": &zero, "nil": none} {
		if err := g.Wait(t.Context()); err != nil || g.Remaining() != 0 {
			t.Errorf("%s: Wait = %v, Remaining = %v, want nil and 0", name, err, g.Remaining())
		}
	}
}

func TestHolds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		holds []time.Duration
		want  time.Duration
	}{
		{"one", []time.Duration{time.Minute}, time.Minute},
		{"a longer one replaces a shorter", []time.Duration{time.Second, time.Minute}, time.Minute},
		{"a shorter one does not shorten", []time.Duration{time.Minute, time.Second}, time.Minute},
		{"nothing", []time.Duration{0, -time.Minute}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g throttle.Governor
				for _, d := range tt.holds {
					g.Hold(d)
				}
				start := time.Now()
				if err := g.Wait(t.Context()); err != nil || time.Since(start) != tt.want {
					t.Errorf("Wait = %v after %v, want nil after %v", err, time.Since(start), tt.want)
				}
			})
		})
	}
}

func TestAPauseGrowsDuringTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g throttle.Governor
		g.Hold(10 * time.Second)
		time.AfterFunc(5*time.Second, func() { g.Hold(20 * time.Second) })
		start := time.Now()
		if err := g.Wait(t.Context()); err != nil || time.Since(start) != 25*time.Second {
			t.Errorf("Wait = %v after %v, want nil after 25s", err, time.Since(start))
		}
	})
}

func TestWaitDoesNotOutlastTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g throttle.Governor
		g.Hold(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		err := g.Wait(ctx)
		var held *throttle.HeldError
		if !errors.As(err, &held) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Fatalf("Wait = %v after %v, want a HeldError at once", err, time.Since(start))
		}
		if !retry.IsTemporary(err) || retry.After(err) != time.Minute {
			t.Errorf("temporary %t after %v, want true after 1m", retry.IsTemporary(err), retry.After(err))
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g throttle.Governor
		g.Hold(time.Hour)
		reason := errors.New("closing")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(reason) })
		start := time.Now()
		if err := g.Wait(ctx); !errors.Is(err, reason) || !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("Wait = %v after %v, want %v after 1s", err, time.Since(start), reason)
		}
		if err := g.Wait(ctx); !errors.Is(err, reason) {
			t.Errorf("Wait with an ended context = %v, want %v", err, reason)
		}
	})
}

func TestAllWaitersAreReleasedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g throttle.Governor
		var all sync.WaitGroup
		g.Hold(time.Minute)
		start := time.Now()
		for range 100 {
			all.Go(func() {
				if err := g.Wait(t.Context()); err != nil || time.Since(start) != time.Minute {
					t.Errorf("Wait = %v after %v, want nil after 1m", err, time.Since(start))
				}
			})
		}
		all.Wait()
	})
}

func ExampleGovernor() {
	var mailbox throttle.Governor
	mailbox.Hold(time.Hour) // the server said so to one connection
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := mailbox.Wait(ctx) // before an operation on another one
	fmt.Println(errors.Is(err, context.DeadlineExceeded), retry.IsTemporary(err))
	// Output: true true
}
