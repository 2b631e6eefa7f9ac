package smtpx

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/session"
)

// How long to stay away where the server does not say. Exchange Online counts
// messages a minute; RFC 6647 section 4.4 has greylisting clients come back
// after some minutes.
const (
	throttledPause  = time.Minute
	greylistedPause = 5 * time.Minute
	longestPause    = 24 * time.Hour
)

// Rate bounds how much is sent: so much in any span of Per, and no more. Zero
// is no bound.
type Rate struct {
	// Messages and Recipients are how many may be tried in any Per. A message with
	// more recipients than that waits for a span in which nothing else was sent.
	Messages, Recipients int
	// Per is the span.
	Per time.Duration
}

// pace is when a mailbox may send: as fast as the program wants, and not while
// the server wants to be left alone.
type pace struct {
	held       throttle.Governor
	messages   *throttle.Rate
	recipients *throttle.Rate
	closed     chan struct{} // nobody waits any more
}

func newPace(r Rate) *pace {
	return &pace{closed: make(chan struct{}), messages: throttle.NewRate(r.Messages, r.Per), recipients: throttle.NewRate(r.Recipients, r.Per)}
}

// wait waits until a message to n recipients may be sent, or the client is closed.
func (p *pace) wait(ctx context.Context, n int) error {
	err := p.take(throttle.Impatient(ctx), n)
	if !isHeld(err) || throttle.IsImpatient(ctx) {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.closed:
			cancel(session.ErrClosed)
		case <-ctx.Done():
		}
	}()
	return p.take(ctx, n)
}

// take counts a message to n recipients, and waits until it may be sent.
func (p *pace) take(ctx context.Context, n int) error {
	if err := p.messages.Take(ctx, 1); err != nil {
		return err
	}
	err := p.recipients.Take(ctx, n)
	if err == nil {
		if err = p.held.Wait(ctx); err == nil {
			return nil
		}
		p.recipients.Return(n)
	}
	p.messages.Return(1)
	return err
}

// giveBack takes back that a message to n recipients may be sent, since it was not tried.
func (p *pace) giveBack(n int) {
	p.recipients.Return(n)
	p.messages.Return(1)
}

// heed takes note of what the server asks for. What it says of one recipient's
// mailbox, by the codes x.2.x of RFC 3463, concerns nobody else.
func (p *pace) heed(err error) {
	e, ok := errors.AsType[*Error](err)
	if ok && e.throttled() && (e.Op != opRcpt || e.Enhanced[1] != 2) {
		p.held.Hold(e.RetryAfter())
	}
}

// RetryAfter returns how long the server wants to be left alone, as far as its
// words tell: "greylisted, come back in 5 minutes". Where it slows the client
// down without a time it is a minute, and five where it greylists; 0 for every
// other answer. It is not longer than a day.
func (e *Error) RetryAfter() time.Duration {
	if !e.Temporary() {
		return 0
	}
	text := strings.ToLower(e.Text)
	switch stated := statedPause(text); {
	case stated > 0:
		return min(stated, longestPause)
	case e.throttled():
		return throttledPause
	case e.greylisted():
		return greylistedPause
	}
	return 0
}

// throttled reports whether the server finds that the client sends too much or
// too fast. Codes alone do not tell: 4.7.0 may be anything.
func (e *Error) throttled() bool {
	if !e.Temporary() || e.greylisted() || e.TooManyRecipients() || e.spent {
		return false
	}
	if e.Enhanced == (smtp.EnhancedCode{4, 7, 28}) || e.Enhanced[1] == 7 && e.Enhanced[2] >= 500 && e.Enhanced[2] < 700 {
		return true // Gmail's, Exchange Online's "server busy"
	}
	text := strings.ToLower(e.Text)
	return slices.ContainsFunc([]string{
		"throttl", "slow down", "too fast", "rate limit", "rate that", "sending rate", "submission rate", "too many messages", "too many connections",
		"too much mail", "concurrent connections", "server busy", "submission quota", "limit exceeded",
	}, func(words string) bool { return strings.Contains(text, words) })
}

// ofConnection reports whether MAIL was refused for what the connection did before: it
// has carried as many messages as the server lets it ("too many messages in this
// connection", "maximum message count per session reached"), or the server has forgotten
// who signed in on it.
func (e *Error) ofConnection() bool {
	if e.Code == codeSignInFirst {
		return true
	}
	text := strings.ToLower(e.Text)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	return e.Temporary() && statedPause(text) == 0 &&
		(has("too many messages") || has("connection", "session") && has("per ", "this ", "one ", "single ") &&
			has("message", "mail", "transaction") && has("too many", "max", "limit", "reached") && !has("connections", "concurrent"))
}

func (e *Error) greylisted() bool {
	text := strings.ToLower(e.Text)
	return e.Temporary() && (strings.Contains(text, "greylist") || strings.Contains(text, "graylist") || strings.Contains(text, "grey list"))
}

// statedPause finds a time in a server's words, in lower case: "try again in 300
// seconds", "please retry after 5 minutes", "come back in 00:05:00". It is 0
// where there is none.
func statedPause(text string) time.Duration {
	for _, lead := range []string{"again in ", "again after ", "retry in ", "retry after ", "back in ", "wait "} {
		_, rest, ok := strings.Cut(text, lead)
		if !ok {
			continue
		}
		words := strings.Fields(strings.TrimPrefix(rest, "at least "))
		if len(words) == 0 {
			continue
		}
		if d := clock(strings.TrimRight(words[0], ".,;)")); d > 0 {
			return d
		}
		if len(words) > 1 {
			words[0] += words[1]
		}
		if d := amount(words[0]); d > 0 {
			return d
		}
	}
	return 0
}

// clock reads "00:05:00".
func clock(s string) time.Duration {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0
	}
	all := 0
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return 0
		}
		all = all*60 + int(n)
	}
	return time.Duration(all) * time.Second
}

// amount reads "300seconds", "300s", "5min" and the like.
func amount(s string) time.Duration {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end <= 0 {
		return 0
	}
	n, err := strconv.ParseUint(s[:end], 10, 31)
	if err != nil {
		return 0
	}
	for _, unit := range []struct {
		name string
		d    time.Duration
	}{{"s", time.Second}, {"min", time.Minute}, {"m", time.Minute}, {"h", time.Hour}} {
		if strings.HasPrefix(s[end:], unit.name) {
			return time.Duration(n) * unit.d
		}
	}
	return 0
}
