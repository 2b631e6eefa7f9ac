package throttle_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/throttle"
)

// In no span of a minute pass more than three, wherever the span begins.
func TestRateHoldsInEverySpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.NewRate(3, time.Minute)
		start := time.Now()
		for i, want := range []time.Duration{0, 0, 20 * time.Second, 60 * time.Second, 60 * time.Second, 80 * time.Second} {
			if i == 2 {
				<-time.After(20 * time.Second)
			}
			if err := r.Take(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != want {
				t.Errorf("number %d passes after %v, want %v", i+1, got, want)
			}
		}
	})
}

func TestRateCountsWhatIsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.NewRate(10, time.Minute)
		start := time.Now()
		for _, step := range []struct {
			n    int
			want time.Duration
		}{{4, 0}, {6, 0}, {1, time.Minute}, {25, 2 * time.Minute}, {1, 3 * time.Minute}} {
			if err := r.Take(t.Context(), step.n); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != step.want {
				t.Errorf("%d pass after %v, want %v", step.n, got, step.want)
			}
		}
	})
}

func TestRateHeedsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throttle.NewRate(1, time.Minute)
		if err := r.Take(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var held *throttle.HeldError
		if err := r.Take(ctx, 1); !errors.As(err, &held) || held.Remaining != time.Minute {
			t.Errorf("Take = %v, want a HeldError of a minute", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := r.Take(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Take = %v, want %v", err, context.Canceled)
		}
	})
}

func TestNoRate(t *testing.T) {
	if r := throttle.NewRate(0, time.Minute); r != nil || r.Take(t.Context(), 100) != nil {
		t.Error("no rate holds something")
	}
}
