package pop3x

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// DefaultInterval is the time between two looks into the maildrop where
// [session.WatchOptions] have none.
const DefaultInterval = time.Minute

// Notify implements [session.Notifier]: POP3 tells of nothing by itself, so that
// it gives notice each time when it is time to look into the maildrop again, and
// keeps no line. A server that wants more time between two sign-ins than the
// interval gets it (LOGIN-DELAY, RFC 2449 section 6.5), before the first notice
// too.
func (c *Client) Notify(ctx context.Context, folders []session.FolderRef, opts session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		interval := time.Duration(0)
		for kind := session.Listening; ; kind = session.Activity {
			if err := c.pause(ctx, max(interval, c.untilSignIn())); err != nil {
				yield(session.Notice{}, err)
				return
			}
			for _, f := range folders {
				if err := checkFolder(f); err != nil {
					yield(session.Notice{}, err)
					return
				}
				if !yield(session.Notice{Kind: kind, Folder: f}, nil) {
					return
				}
			}
			interval = cmp.Or(max(opts.Interval, 0), DefaultInterval)
		}
	}
}

// untilSignIn is how long the server wants nobody to sign in.
func (c *Client) untilSignIn() time.Duration {
	return time.Until(time.UnixMicro(c.signedIn.Load()).Add(time.Duration(c.delay.Load())))
}

// pause waits for the next look.
func (c *Client) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.closed:
		return fmt.Errorf("%s: wait for messages: %w", c.address, session.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: wait for messages: %w", c.address, retry.Ended(ctx))
	}
	select {
	case <-c.closed:
		return fmt.Errorf("%s: wait for messages: %w", c.address, session.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: wait for messages: %w", c.address, retry.Ended(ctx))
	default:
		return nil
	}
}
