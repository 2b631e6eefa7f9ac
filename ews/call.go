package ews

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// request is one call of an operation.
type request struct {
	op   string // "GetItem"
	body element
	// once says that it does something that is not to be done twice, so that it is
	// not sent again where it may have been carried out.
	once bool
	// sent is set when the last byte leaves, and taken back where the server turns
	// the request away.
	sent bool
	// single says that items which the server is too busy for are told one by one.
	single bool
	// crowds says that a limit on how many there are of the thing is told at once: it
	// does not pass soon.
	crowds bool
	// hasty says that it is not tried again.
	hasty bool
	// live has the server send its answer as it comes, and not pack it.
	live  bool
	attrs []slog.Attr
}

// call makes a request and has parse read the answer. It waits where the server asks
// for it, and tries again what may be tried again; parse then begins anew.
func (c *Client) call(ctx context.Context, r *request, parse func(a *answer) error) error {
	return c.make(ctx, r, c.over, parse)
}

// callOnce is call for what tells of parts of the answer while it comes: what comes
// of a request that broke off is not to come again.
func (c *Client) callOnce(ctx context.Context, r *request, parse func(a *answer) error) error {
	begun := false
	return c.make(ctx, r, func(l *pool.Lease[*conn], r *request, f func(*conn) error) error {
		err := f(l.Conn)
		if begun || !backend.IsLost(err) && !unauthorized(err) {
			return err
		}
		if unauthorized(err) {
			c.retire(l.Conn)
		}
		if err := c.renew(l); err != nil {
			return err
		}
		return f(l.Conn)
	}, func(a *answer) error {
		begun = true
		return parse(a)
	})
}

// make carries a request out, on a connection that over finds for it.
func (c *Client) make(
	ctx context.Context, r *request, over func(*pool.Lease[*conn], *request, func(*conn) error) error, parse func(a *answer) error,
) (err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews."+strings.ToLower(r.op), append(r.attrs, slog.String("server", c.address))...)
	defer func() {
		end(err)
		c.report(ctx, r.op, r.attrs, err)
	}()
	return c.patientlyWith(ctx, r, func(ctx context.Context) error {
		l, err := c.pool.Get(ctx)
		if err != nil {
			return err //nolint:wrapcheck // the pool's errors say what they are about
		}
		err = over(l, r, func(cn *conn) error {
			a, err := c.begin(l.Context, cn, r)
			if err == nil {
				err = a.finish(parse(a))
			}
			return cn.explain(r.op, err)
		})
		if l.Conn != nil {
			l.Release()
		}
		return err
	})
}

// patiently runs a try again where the server asks to come back, and after what else
// Options.Retry has.
func (c *Client) patiently(ctx context.Context, try func(context.Context) error) error {
	return c.patientlyWith(ctx, &request{}, try)
}

// patientlyWith is patiently for a request, which is not made again where it must not
// be carried out twice and may have been.
func (c *Client) patientlyWith(ctx context.Context, r *request, try func(context.Context) error) error {
	ctx = c.gate.begin(ctx)
	waiting := ctx
	if !r.hasty { // such as the goodbye of Close
		var end func()
		waiting, end = c.whileOpen(ctx)
		defer end()
	}
	var last error
	err := retry.Do(waiting, c.retry, func(context.Context) error {
		if r.once {
			r.sent = false // else it is not made again
		}
		if err := c.held.Wait(waiting); err != nil {
			return fmt.Errorf("%s: %w", c.address, err)
		}
		last = try(ctx)
		e, ok := errors.AsType[*Error](last)
		if !ok || e.Code == "ErrorBatchProcessingStopped" || e.class() == refusal || session.NeedsSignIn(last) {
			return nil
		}
		if r.hasty || r.crowds && crowded(last) {
			return nil
		}
		if e.class() == throttled {
			c.held.Hold(e.RetryAfter())
		} else if r.once && (r.sent || !e.Temporary()) {
			return nil
		}
		return last // which is for the policy to judge
	})
	if err != nil {
		return err //nolint:wrapcheck // it is the last try's, or says so
	}
	return last
}

// whileOpen returns a context for what waits without a connection. It ends with ctx, or
// by Close, and has to be ended.
func (c *Client) whileOpen(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.closed:
			cancel(session.ErrClosed)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// await waits until the server may be asked again.
func (c *Client) await(ctx context.Context) error {
	ctx, end := c.whileOpen(ctx)
	defer end()
	return c.held.Wait(ctx) //nolint:wrapcheck // the caller says where
}

// over runs f on the connection of a lease, and once more on a new one where the
// first was lost, or where its sign-in has come to its end, if the request may be
// sent again. Where no connection can be made, the lease has none afterwards, and is
// released.
func (c *Client) over(l *pool.Lease[*conn], r *request, f func(*conn) error) error {
	if r.once && l.Reused && l.Conn.stale() {
		if err := c.probe(l.Context, l.Conn); err != nil {
			if unauthorized(err) {
				c.retire(l.Conn)
			}
			if err := c.renew(l); err != nil {
				return err
			}
		}
	}
	err := f(l.Conn)
	gone := backend.IsLost(err) && (!r.once || !r.sent)
	if !gone && !unauthorized(err) {
		return err
	}
	if unauthorized(err) {
		c.retire(l.Conn)
	}
	if err := c.renew(l); err != nil {
		return err
	}
	return f(l.Conn)
}

func (c *Client) renew(l *pool.Lease[*conn]) error {
	err := l.Renew()
	if err != nil {
		l.Conn = nil
	}
	return err //nolint:wrapcheck // the pool's errors say what they are about
}

func unauthorized(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusUnauthorized
}

// begin sends a request and reads the answer up to what the operation returns.
func (c *Client) begin(ctx context.Context, cn *conn, r *request) (*answer, error) {
	env := envelop(c.header(cn), r.body)
	out, err := env.open(func() { r.sent = true })
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.address, r.op, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, out)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.address, r.op, err)
	}
	req.ContentLength = env.length()
	c.headers(req)
	if !r.live {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	c.record(cn, "C: %s %s\n%s%s", r.op, c.endpoint, env.before, env.after)
	resp, err := cn.trip.RoundTrip(req)
	_ = out.Close() // what signs in may have ended before it came to the request
	if out.broken != nil {
		return nil, &sourceError{fmt.Errorf("%s: %s: %w", c.address, r.op, out.broken)}
	}
	if err != nil {
		if _, unsent := errors.AsType[*unsentError](err); unsent {
			r.sent = false
		}
		return nil, err //nolint:wrapcheck // an explanation follows
	}
	c.record(cn, "S: %s %s", r.op, resp.Status)
	a := &answer{conn: cn, request: r, resp: resp}
	if err := a.enter(c); err != nil {
		if answered(err) || unauthorized(err) || session.Temporary(err) {
			_ = resp.Body.Close() // the error is told already
		}
		if notCarriedOut(err) {
			r.sent = false
		}
		return nil, err
	}
	return a, nil
}

// sourceError says that a message could not be read here, so that nothing was done.
type sourceError struct{ error }

// Unwrap returns the cause.
func (e *sourceError) Unwrap() error { return e.error }

// headers sets what every request has.
func (c *Client) headers(req *http.Request) {
	h := req.Header
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Accept", "text/xml")
	h.Set("User-Agent", c.opts.UserAgent)
	h.Set("X-PreferServerAffinity", "true")
	if at := c.target(); strings.Contains(at, "@") {
		h.Set("X-AnchorMailbox", at)
	}
}

// header returns the elements of the SOAP header.
func (c *Client) header(cn *conn) []element {
	all := []element{el("t:RequestServerVersion").with("Version", cn.version.schema())}
	if id := c.opts.Impersonate; id != nil {
		all = append(all, el("t:ExchangeImpersonation", el("t:ConnectingSID", id.element())))
	}
	return all
}

// probe asks for something that is always there, to learn whether the connection
// works and what the server is.
func (c *Client) probe(ctx context.Context, cn *conn) error {
	r := &request{op: "GetFolder", body: getFolder(c.distinguished("inbox"))}
	a, err := c.begin(ctx, cn, r)
	if err == nil {
		err = a.finish(a.only(func(string) error { return nil }))
	}
	if !refused(err) && !unauthorized(err) {
		err = cn.explain("sign in", err)
	}
	if e, ok := errors.AsType[*Error](err); ok && answered(err) && e.Status == http.StatusOK && e.Code != "" {
		return nil // the sign-in works; that there is no such folder, others find out
	}
	return err
}
