package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// failure answers the three questions.
type failure struct {
	temporary bool
	status    int
	after     time.Duration
}

func (failure) Error() string               { return "failure" }
func (f failure) Temporary() bool           { return f.temporary }
func (f failure) StatusCode() int           { return f.status }
func (f failure) RetryAfter() time.Duration { return f.after }
func noChance() float64                     { return 0 }
func always(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func TestWhichFailuresAreTriedAgain(t *testing.T) {
	wrapped := fmt.Errorf("outer: %w", failure{temporary: true, status: 503})
	for _, tt := range []struct {
		name   string
		policy retry.Policy
		err    error
		want   bool
	}{
		{"zero policy, temporary", retry.Policy{}, wrapped, true},
		{"zero policy, permanent", retry.Policy{}, failure{status: 503}, false},
		{"zero policy, silent error", retry.Policy{}, errors.New("x"), false},
		{"zero policy, inner timeout", retry.Policy{}, context.DeadlineExceeded, true},
		{"zero policy, cancelled", retry.Policy{}, context.Canceled, false},
		{"status, 503 by default", retry.Policy{On: retry.OnStatus}, wrapped, true},
		{"status, 429 by default", retry.Policy{On: retry.OnStatus}, failure{status: 429}, true},
		{"status, 500 not by default", retry.Policy{On: retry.OnStatus}, failure{status: 500, temporary: true}, false},
		{"status, listed", retry.Policy{On: retry.OnStatus, Statuses: []int{451}}, failure{status: 451}, true},
		{"status, list replaces default", retry.Policy{On: retry.OnStatus, Statuses: []int{451}}, wrapped, false},
		{"status, none in the error", retry.Policy{On: retry.OnStatus}, errors.New("x"), false},
		{"never", retry.Policy{On: retry.Never}, wrapped, false},
	} {
		if got := tt.policy.Retries(tt.err); got != tt.want {
			t.Errorf("%s: Retries(%v) = %t, want %t", tt.name, tt.err, got, tt.want)
		}
	}
}

func TestOutermostErrorDecides(t *testing.T) {
	err := denial{failure{temporary: true, status: 503}}
	if retry.IsTemporary(err) {
		t.Errorf("IsTemporary(%v) = true, want false: the outer error says so", err)
	}
	if status, ok := retry.Status(err); status != 503 || !ok {
		t.Errorf("Status(%v) = %d, %t, want 503, true", err, status, ok)
	}
}

// denial says that what it wraps is not temporary.
type denial struct{ err error }

func (d denial) Error() string { return "denied: " + d.err.Error() }
func (d denial) Unwrap() error { return d.err }
func (denial) Temporary() bool { return false }

func TestWaitsMultiply(t *testing.T) {
	policy := retry.Policy{Initial: time.Second, Factor: 3, Max: 10 * time.Second, Jitter: -1}
	for i, want := range []float64{1, 3, 9, 10, 10} {
		if got := policy.Wait(i+1, errors.New("x")); got.Seconds() != want {
			t.Errorf("Wait(%d) = %v, want %v s", i+1, got, want)
		}
	}
	constant := retry.Policy{Initial: time.Second, Factor: 1, Jitter: -1}
	if got := constant.Wait(400, errors.New("x")); got != time.Second {
		t.Errorf("Wait(400) of a constant policy = %v, want 1s", got)
	}
	if got := (retry.Policy{Jitter: -1}).Wait(5000, errors.New("x")); got != retry.DefaultMax {
		t.Errorf("Wait(5000) = %v, want %v", got, retry.DefaultMax)
	}
}

func TestJitter(t *testing.T) {
	chance := func(x float64) func() float64 { return func() float64 { return x } }
	for _, tt := range []struct {
		name   string
		jitter float64
		rand   float64
		after  time.Duration
		want   time.Duration
	}{
		{"none drawn", 0.5, 0, 0, 10 * time.Second},
		{"all drawn", 0.5, 1, 0, 5 * time.Second},
		{"default part", 0, 1, 0, 8 * time.Second},
		{"switched off", -1, 1, 0, 10 * time.Second},
		{"more than everything is everything", 7, 1, 0, 0},
		{"stated wait is never shortened", 0.5, 1, time.Minute, 65 * time.Second},
		{"stated wait below the own", 0.5, 0, time.Second, 10 * time.Second},
		{"stated beyond the maximum", 0.5, 0, time.Hour, time.Hour},
		{"stated negative", 0.5, 0, -time.Hour, 10 * time.Second},
	} {
		policy := retry.Policy{Initial: 10 * time.Second, Jitter: tt.jitter, Rand: chance(tt.rand)}
		if got := policy.Wait(1, failure{after: tt.after}); got != tt.want {
			t.Errorf("%s: Wait = %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := (retry.Policy{}).Wait(1, failure{after: math.MaxInt64}); got <= 0 {
		t.Errorf("Wait after the longest pause = %v, want it positive", got)
	}
}

func TestDoInVirtualTime(t *testing.T) {
	for _, tt := range []struct {
		name    string
		policy  retry.Policy
		errs    []error
		calls   int
		elapsed time.Duration
		wantErr bool
	}{
		{"success at once", retry.Policy{}, []error{nil}, 1, 0, false},
		{"success later", retry.Policy{Rand: noChance}, []error{failure{temporary: true}, failure{temporary: true}, nil}, 3, 1500 * time.Millisecond, false},
		{"permanent", retry.Policy{}, []error{failure{}}, 1, 0, true},
		{"count", retry.Policy{Count: 2, Initial: time.Second, Rand: noChance}, []error{failure{temporary: true}}, 3, 3 * time.Second, true},
		{"default count", retry.Policy{Initial: time.Second, Factor: 1, Rand: noChance}, []error{failure{temporary: true}}, 6, 5 * time.Second, true},
		{"no repetition", retry.Policy{Count: -1}, []error{failure{temporary: true}}, 1, 0, true},
		{"stated pause", retry.Policy{Rand: noChance}, []error{failure{temporary: true, after: time.Minute}, nil}, 2, time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, start := 0, time.Now()
				err := retry.Do(t.Context(), tt.policy, func(context.Context) error {
					calls++
					return tt.errs[min(calls, len(tt.errs))-1]
				})
				if calls != tt.calls || time.Since(start) != tt.elapsed || (err != nil) != tt.wantErr {
					t.Errorf("Do = %v after %d calls and %v, want error %t, %d calls, %v",
						err, calls, time.Since(start), tt.wantErr, tt.calls, tt.elapsed)
				}
			})
		})
	}
}

func TestDoDoesNotWaitPastTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		want := failure{temporary: true, after: 10 * time.Second}
		err := retry.Do(ctx, retry.Policy{Rand: noChance}, always(want))
		if !errors.Is(err, want) || errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("Do = %v after %v, want %v at once", err, time.Since(start), want)
		}
	})
}

func TestDoEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("shutting down")
		time.AfterFunc(time.Second, func() { cancel(reason) })
		start := time.Now()
		last := failure{temporary: true, after: time.Hour}
		err := retry.Do(ctx, retry.Policy{}, always(last))
		if !errors.Is(err, reason) || !errors.Is(err, context.Canceled) || !errors.Is(err, last) || time.Since(start) != time.Second {
			t.Errorf("Do = %v after %v, want both %v and %v after 1s", err, time.Since(start), reason, last)
		}
	})
}

func TestDoStopsWhenTheOperationSawTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := retry.Do(ctx, retry.Policy{}, func(context.Context) error {
		calls++
		cancel()
		return failure{temporary: true}
	})
	if calls != 1 || !errors.Is(err, failure{temporary: true}) {
		t.Errorf("Do = %v after %d calls, want the failure after 1", err, calls)
	}
}

func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		policy := retry.Policy{Count: 2, Initial: time.Second, Rand: noChance, Notify: func(try int, wait time.Duration, err error) {
			got = append(got, fmt.Sprint(try, wait, err))
		}}
		_ = retry.Do(t.Context(), policy, always(failure{temporary: true}))
		if want := "[1 1s failure 2 2s failure]"; fmt.Sprint(got) != want {
			t.Errorf("notified %v, want %v", got, want)
		}
	})
}

func TestParseAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"120", 2 * time.Minute, true},
		{" 0 ", 0, true},
		{"Sun, 01 Mar 2026 12:00:30 GMT", 30 * time.Second, true},
		{"Sunday, 01-Mar-26 12:00:30 GMT", 30 * time.Second, true},
		{"Sun Mar  1 12:00:30 2026", 30 * time.Second, true},
		{"Sun, 01 Mar 2026 11:00:00 GMT", 0, true},
		{"99999999999999999999999", math.MaxInt64, true},
		{"", 0, false},
		{"-5", 0, false},
		{"1.5", 0, false},
		{"soon", 0, false},
	} {
		if got, ok := retry.ParseAfter(tt.value, now); got != tt.want || ok != tt.ok {
			t.Errorf("ParseAfter(%q) = %v, %t, want %v, %t", tt.value, got, ok, tt.want, tt.ok)
		}
	}
}

func TestFromHeader(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	skewed := http.Header{
		"Date":        {"Sun, 01 Mar 2026 15:00:00 GMT"},
		"Retry-After": {"Sun, 01 Mar 2026 15:00:20 GMT"},
	}
	if got := retry.FromHeader(skewed, now); got != 20*time.Second {
		t.Errorf("FromHeader with a Date = %v, want 20s", got)
	}
	if got := retry.FromHeader(http.Header{"Retry-After": {"7"}}, now); got != 7*time.Second {
		t.Errorf("FromHeader without a Date = %v, want 7s", got)
	}
	if got := retry.FromHeader(http.Header{}, now); got != 0 {
		t.Errorf("FromHeader of nothing = %v, want 0", got)
	}
}

func FuzzParseAfter(f *testing.F) {
	for _, seed := range []string{"120", "Sun, 01 Mar 2026 12:00:30 GMT", "", "-1", "0x10", "１２"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		d, ok := retry.ParseAfter(value, now)
		if d < 0 || (!ok && d != 0) {
			t.Errorf("ParseAfter(%q) = %v, %t", value, d, ok)
		}
	})
}

func ExampleDo() {
	tries := 0
	err := retry.Do(context.Background(), retry.Policy{Initial: time.Nanosecond}, func(context.Context) error {
		tries++
		if tries < 3 {
			return failure{temporary: true}
		}
		return nil
	})
	fmt.Println(tries, err)
	// Output: 3 <nil>
}
