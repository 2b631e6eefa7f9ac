package session

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/mailsession/mailsession/internal/retry"
)

// backoff waits over failures that pass, longer each time.
type backoff struct {
	pace    retry.Policy
	tries   int
	reached bool  // the server answered once
	last    error // the failure that is waited over
}

// reset says that something worked.
func (b *backoff) reset() { b.tries, b.reached, b.last = 0, true, nil }

// wait waits where err passes, and returns what does not: err, or why ctx ended.
func (b *backoff) wait(ctx context.Context, err error) error {
	if errors.Is(err, errLeft) || ctx.Err() == nil && !b.retries(err) {
		return err
	}
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	b.tries++
	b.last = err
	if retry.Sleep(ctx, b.pace.Wait(b.tries, err)) != nil {
		return retry.Ended(ctx)
	}
	return nil
}

// retries reports whether another try may fare better. Nobody knows of a server
// that was never reached whether there is one.
func (b *backoff) retries(err error) bool {
	if errors.Is(err, ErrClosed) {
		return false
	}
	if Temporary(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	_, network := errors.AsType[*net.OpError](err)
	return network && b.reached
}
