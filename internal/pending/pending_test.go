package pending_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/pending"
)

func sums() *pending.Queue[string, int] {
	return pending.New[string](func(before, now int) int { return before + now })
}

// wantNext takes the next value.
func wantNext(t *testing.T, q *pending.Queue[string, int], key string, value int) {
	t.Helper()
	if k, v, err := q.Next(t.Context()); k != key || v != value || err != nil {
		t.Errorf("Next = %q, %d, %v; want %q, %d", k, v, err, key, value)
	}
}

// TestABusyLoopFindsOneValueForEachKey posts before anybody takes.
func TestABusyLoopFindsOneValueForEachKey(t *testing.T) {
	q := sums()
	q.Post("a", 1)
	q.Post("b", 2)
	q.Post("a", 3)
	wantNext(t, q, "a", 4)
	q.Post("a", 5) // behind b now
	wantNext(t, q, "b", 2)
	wantNext(t, q, "a", 5)
}

func TestTheErrorComesBehindWhatWasPosted(t *testing.T) {
	q, broken := sums(), errors.New("broken")
	q.Post("a", 1)
	q.Fail(broken)
	q.Fail(errors.New("another"))
	q.Post("b", 2)
	wantNext(t, q, "a", 1)
	wantNext(t, q, "b", 2)
	for range 2 {
		if _, _, err := q.Next(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Next = %v, want the first error", err)
		}
	}
}

// TestNextWaits has many goroutines post what one loop takes.
func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := sums()
		var posting sync.WaitGroup
		for range 10 {
			posting.Go(func() {
				for range 100 {
					q.Post("a", 1)
				}
			})
		}
		for left := 1000; left > 0; {
			_, n, err := q.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			left -= n
		}
		posting.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		go func() {
			synctest.Wait() // the loop waits
			cancel(gone)
		}()
		if _, _, err := q.Next(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, gone) {
			t.Errorf("Next = %v, want why the context ended", err)
		}
	})
}
