package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/throttle"
)

// RetryOn says after which failures a request is sent again.
type RetryOn int

const (
	// RetryTemporary sends a request again after every failure that may pass:
	// of the server, of the line, of the name service.
	RetryTemporary = RetryOn(retry.OnTemporary)
	// RetryStatus sends it again where the answer's status is listed, and in no
	// other case.
	RetryStatus = RetryOn(retry.OnStatus)
	// RetryNever sends nothing twice.
	RetryNever = RetryOn(retry.Never)
)

// Retry says how requests over HTTP are sent again: here those for tokens, and
// elsewhere those of a mail service, whose package says which of them. The waits
// end with the context of the call; one that would reach its deadline is not
// begun. Whatever is set here, a one-time code or a rotating refresh token whose
// answer was lost is never sent twice: see KindReplyLost.
type Retry struct {
	// On chooses the failures.
	On RetryOn
	// Statuses are those for RetryStatus. Nil means 429 and 503.
	Statuses []int
	// Count is how many times a request is sent again at most. 0 means 5, a
	// negative number none.
	Count int
	// Initial is the first wait. 0 means half a second. Retry-After lengthens a
	// wait and never shortens it.
	Initial time.Duration
	// Factor multiplies the wait from one try to the next. Below 1 it means 2.
	Factor float64
	// Max is the longest wait that the server did not ask for. 0 means 30
	// seconds.
	Max time.Duration
}

// Check reports a value of On that does not exist. Who takes the settings asks: a
// [Config] with such a value signs nobody in.
func (r Retry) Check() error {
	if r.On < RetryTemporary || r.On > RetryNever {
		return fmt.Errorf("Retry.On is %d, which does not exist; use RetryTemporary, RetryStatus or RetryNever", int(r.On))
	}
	return nil
}

// policy returns the policy of the requests named op.
func (c *Config) policy(ctx context.Context, op string) retry.Policy {
	return retry.Policy{
		On: retry.Condition(c.Retry.On), Statuses: c.Retry.Statuses, Count: c.Retry.Count,
		Initial: c.Retry.Initial, Factor: c.Retry.Factor, Max: c.Retry.Max,
		Rand: c.random,
		Notify: func(try int, wait time.Duration, err error) {
			observe.Logger(c.Logger).LogAttrs(ctx, slog.LevelWarn, "token request failed, trying again",
				slog.String("operation", op), slog.Int("try", try), slog.Duration("wait", wait), slog.String("error", err.Error()))
		},
	}
}

// requestWithRetry sends a token request, again where the Config says so. The
// pauses that the server asks for are kept in pause, which may be nil, so that
// they bind later requests too.
func (c *Config) requestWithRetry(ctx context.Context, r tokenRequest, pause *throttle.Governor) (*answer, error) {
	var got *answer
	err := retry.Do(ctx, c.policy(ctx, r.op), func(ctx context.Context) (err error) {
		if err := pause.Wait(ctx); err != nil {
			return &Error{Kind: KindTemporary, Op: r.op, Server: hostOf(c.Endpoint.TokenURL), Wait: pause.Remaining(), Err: err}
		}
		got, err = c.request(ctx, r)
		pause.Hold(RetryAfter(err))
		if e, ok := errors.AsType[*Error](err); ok && e.lost() {
			return lastError{err} // also where its status, 502 say, is listed
		}
		return err
	})
	if last, ok := errors.AsType[lastError](err); ok {
		err = last.error
	}
	return got, err
}

// lastError is a failure after which nothing may be sent again.
type lastError struct{ error }

// Temporary reports false.
func (lastError) Temporary() bool { return false }

// StatusCode returns no status that can be listed.
func (lastError) StatusCode() int { return -1 }

// Unwrap returns the failure.
func (e lastError) Unwrap() error { return e.error }
