package ews

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

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
	// proven has the connection show a sign of life first, however short its rest
	// was. It is for what is sent once, whose fate is not to be in doubt for a
	// connection that died unnoticed.
	proven bool
	// live has the server send its answer as it comes, and not pack it.
	live  bool
	attrs []slog.Attr
}

// answer is the answer to a request, within the element of the operation.
type answer struct {
	*scanner

	conn    *conn
	request *request
	resp    *http.Response
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

// patiently runs a try again where the server asks to come back.
func (c *Client) patiently(ctx context.Context, try func(context.Context) error) error {
	return c.patientlyWith(ctx, &request{}, try)
}

// patientlyWith is patiently for a request, which is not made again where it must not
// be carried out twice and may have been.
func (c *Client) patientlyWith(ctx context.Context, r *request, try func(context.Context) error) error {
	var last error
	err := retry.Do(ctx, retry.Policy{}, func(ctx context.Context) error {
		if err := c.held.Wait(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.address, err)
		}
		last = try(ctx)
		e, ok := errors.AsType[*Error](last)
		if !ok || !e.Temporary() || e.Code == "ErrorBatchProcessingStopped" || session.NeedsSignIn(last) {
			return nil
		}
		if e.class() == throttled {
			c.held.Hold(e.RetryAfter())
		} else if r.once && r.sent {
			return nil
		}
		return last
	})
	if err != nil {
		return err //nolint:wrapcheck // it is the last try's, or says so
	}
	return last
}

// over runs f on the connection of a lease, and once more on a new one where the
// first was lost, or where its sign-in has come to its end, if the request may be
// sent again. Where no connection can be made, the lease has none afterwards, and is
// released.
func (c *Client) over(l *pool.Lease[*conn], r *request, f func(*conn) error) error {
	if r.once && l.Reused && (r.proven || l.Conn.stale()) && c.probe(l.Context, l.Conn) != nil {
		if err := c.renew(l); err != nil {
			return err
		}
	}
	err := f(l.Conn)
	gone := backend.IsLost(err) && (!r.once || !r.sent)
	if !gone && !unauthorized(err) {
		return err
	}
	r.sent = false
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
	c.record("C: %s %s\n%s%s", r.op, c.endpoint, env.before, env.after)
	resp, err := cn.trip.RoundTrip(req)
	if out.broken != nil {
		return nil, &sourceError{fmt.Errorf("%s: %s: %w", c.address, r.op, out.broken)}
	}
	if err != nil {
		if _, unsent := errors.AsType[*unsentError](err); unsent {
			r.sent = false
		}
		return nil, err //nolint:wrapcheck // an explanation follows
	}
	c.affinity.keep(resp)
	c.record("S: %s %s", r.op, resp.Status)
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
	c.affinity.add(req)
}

// header returns the elements of the SOAP header.
func (c *Client) header(cn *conn) []element {
	all := []element{el("t:RequestServerVersion").with("Version", cn.version.schema())}
	if id := c.opts.Impersonate; id != nil {
		all = append(all, el("t:ExchangeImpersonation", el("t:ConnectingSID", id.element())))
	}
	return all
}

// enter reads up to the first child of the operation's element.
func (a *answer) enter(c *Client) error {
	e := &Error{
		Server: c.address, Op: a.request.op, Status: a.resp.StatusCode, size: a.resp.Request.ContentLength,
		Diagnostics: a.conn.said(a.resp.Header.Get("X-Ms-Diagnostics")),
		schemes:     schemesOf(a.resp.Header), wait: retry.FromHeader(a.resp.Header, time.Now()),
	}
	soap := strings.Contains(a.resp.Header.Get("Content-Type"), "xml")
	if !soap || e.Status != http.StatusOK && e.Status != http.StatusInternalServerError {
		if page, err := unpacked(a.resp); err == nil {
			e.judge(page)
		}
		e.Remedy = e.ofStatus(c.online(), a.conn.said(a.resp.Header.Get("Location")))
		if strings.Contains(a.resp.Header.Get("Location"), "genericerrorpage") {
			e.Status = http.StatusServiceUnavailable // that is how Exchange Online says it
		}
		return e
	}
	body, err := unpacked(a.resp)
	if err != nil {
		return err
	}
	a.scanner = a.conn.reading(body)
	if err := a.envelope(); err != nil {
		return err
	}
	if a.name == "Fault" {
		return a.fault(e)
	}
	return nil
}

// unpacked returns what an answer has. It ends only where what was packed ends.
func unpacked(resp *http.Response) (io.Reader, error) {
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return resp.Body, nil
	}
	r, err := gzip.NewReader(resp.Body)
	if errors.Is(err, gzip.ErrHeader) {
		err = &syntaxError{"it is not packed as it says"}
	}
	return &packed{r}, err
}

// packed tells damage from a line that breaks.
type packed struct{ src io.Reader }

// Read implements [io.Reader].
func (p *packed) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrChecksum) {
		err = &syntaxError{"it was damaged on its way"}
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// envelope reads up to the element within the body.
func (a *answer) envelope() error {
	for {
		t, err := a.next(false)
		switch {
		case err != nil:
			return err
		case t == endOfInput, t == endTag:
			return a.malformed("there is nothing in its body")
		case t == textRun:
			continue
		}
		switch {
		case a.depth() == 1 && a.name == "Envelope", a.depth() == 2 && a.name == "Body":
		case a.depth() == 2 && a.name == "Header":
			if err := a.children(func(name string) error {
				if name == "ServerVersionInfo" {
					a.conn.version = versionOf(a.scanner)
				}
				return nil
			}); err != nil {
				return err
			}
		case a.depth() == 3:
			return nil
		default:
			return a.malformed("it is not SOAP but " + oneLine(a.name))
		}
	}
}

// fault reads a SOAP fault.
func (a *answer) fault(e *Error) error {
	err := a.children(func(name string) (err error) {
		switch name {
		case "faultcode":
			var code string
			code, err = a.word()
			if _, local, ok := strings.Cut(code, ":"); ok {
				code = local
			}
			if strings.HasPrefix(code, "Error") && e.Code == "" {
				e.Code = code
			}
		case "faultstring":
			e.Text, err = a.word()
			e.Text = a.conn.said(e.Text)
		case "detail":
			err = a.children(func(name string) error { return a.detail(e, name) })
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.Code == "" && e.Status == http.StatusOK {
		e.Status = http.StatusInternalServerError
	}
	if e.Code == "" && saysTooLong(e.Text) {
		e.turnedAway = true
	}
	e.Remedy = cmp.Or(remedy(e), e.ofStatus(false, ""))
	return e
}

// detail reads what stands beside an error.
func (a *answer) detail(e *Error, name string) (err error) {
	switch name {
	case "ResponseCode":
		e.Code, err = a.word()
	case "MessageText", "Message":
		e.Text, err = a.word()
		e.Text = a.conn.said(e.Text)
	case "MessageXml":
		err = a.children(func(name string) error {
			what := a.attr("Name")
			text, err := a.word()
			if ms, bad := strconv.ParseInt(text, 10, 32); name == "Value" && what == "BackOffMilliseconds" && bad == nil && ms > 0 {
				e.wait = time.Duration(ms) * time.Millisecond
			}
			return err
		})
	}
	return err
}

// finish ends the reading of an answer: what is left of it is read, or the connection
// given up.
func (a *answer) finish(err error) error {
	if _, malformed := errors.AsType[*syntaxError](err); malformed {
		a.conn.wire.Kill(err)
		return err
	}
	if closing := a.resp.Body.Close(); err == nil && closing != nil && a.conn.wire.Err() == nil {
		err = closing
	}
	return err
}

// replies reads the response messages of an answer, one for each thing that was asked
// for. Read is called at each element of one that holds no error, end behind it, with
// the error where it has one.
func (a *answer) replies(read func(i int, name string) error, end func(i int, err error) error) error {
	i := 0
	return a.children(func(name string) error {
		if name != "ResponseMessages" {
			return nil
		}
		return a.children(func(string) error {
			e := Error{Server: a.conn.address, Op: a.request.op, Status: http.StatusOK}
			failed := a.attr("ResponseClass") == "Error"
			depth := a.depth()
			err := a.children(func(name string) error {
				switch name {
				case "MessageText", "ResponseCode", "MessageXml":
					return a.detail(&e, name)
				}
				return read(i, name)
			})
			item, bad := errors.AsType[*itemFaultError](err)
			switch {
			case bad:
				if err := a.surface(depth - 1); err != nil {
					return err
				}
			case err != nil:
				return err
			}
			switch {
			case failed || e.Code == "ErrorBatchProcessingStopped":
				refusal := e
				refusal.Remedy = remedy(&refusal)
				if refusal.class() == throttled && !a.request.single {
					return &refusal
				}
				err = end(i, &refusal)
			case bad:
				err = end(i, item)
			default:
				err = end(i, nil)
			}
			i++
			return err
		})
	})
}

// only is replies for a request about one thing.
func (a *answer) only(read func(name string) error) error {
	some := false
	err := a.replies(func(_ int, name string) error { return read(name) }, func(_ int, err error) error {
		some = true
		return err
	})
	if err == nil && !some {
		err = a.malformed("it has no response message")
	}
	return err
}

// rest reads what is left of an answer, so that one which breaks off there counts as
// lost.
func (a *answer) rest() error {
	for {
		switch t, err := a.next(false); {
		case err != nil:
			return err
		case t == endOfInput:
			return nil
		}
	}
}

// itemFaultError says that what an answer tells of one item cannot be understood; others
// can.
type itemFaultError struct{ what string }

// Error returns what is wrong.
func (e *itemFaultError) Error() string {
	return "what the server tells of it cannot be read: " + e.what
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
