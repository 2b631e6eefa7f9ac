package ews

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// The limits of what is not a message, in bytes.
const (
	maxHeader  = 1 << 20   // of an answer of HTTP
	maxRefusal = 256 << 10 // of an answer that is no success
	drainLimit = 256 << 10 // of what nobody wants, to save the connection
)

// maxProvisional is how many provisional answers may come ahead of one.
const maxProvisional = 20

// conn is one connection of HTTP/1.1 that is signed in. One request at a time goes
// over it. It is an [http.RoundTripper], so that what signs in can be put around it:
// a handshake of several steps has to stay on one connection.
//
// Where an answer ends the connection, the next request goes over a new one: servers
// and what stands before them end it at the very answer that asks to sign in.
type conn struct {
	wire      *wire.Conn
	tls       *tls.ConnectionState                          // nil where it is not encrypted
	dial      func(ctx context.Context) (*wire.Conn, error) // makes the next one
	lines     int                                           // how many there were before
	stage     wire.Stage
	unbind    func()
	in        *bufio.Reader
	allow     int64 // how much of a header may still come; negative: what comes is no header
	trip      http.RoundTripper
	address   string
	user      string
	mechanism string
	cookies   *affinity
	secrets   backend.Secrets // which a server may repeat
	sent      []string        // what was sent to sign in, the last at the end
	epoch     uint64          // when it was signed in, by the count of refusals
	retired   func() bool     // credentials were refused since

	scan    *scanner  // of the present answer, or the last one
	version version   // as the server tells it
	rested  time.Time // since when nobody uses it
	busy    bool      // an answer has not been read to its end
	ending  bool      // the server closes the connection
}

// newConn makes a connection. It is not bound to a context.
func newConn(ctx context.Context, user string, dial func(context.Context) (*wire.Conn, error)) (*conn, error) {
	w, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{wire: w, dial: dial, address: w.Address(), user: user, stage: wire.StageGreeting, unbind: func() {}}
	c.tls = encryption(w)
	c.in = bufio.NewReaderSize(headed{c}, 512) // what is longer than a line goes past it
	c.trip = c
	return c, nil
}

// encryption returns how a connection is encrypted, nil where it is not.
func encryption(w *wire.Conn) *tls.ConnectionState {
	if state, encrypted := w.TLS(); encrypted {
		return &state
	}
	return nil
}

// reading returns a scanner of an answer. It is valid until the next answer comes.
func (c *conn) reading(src io.Reader) *scanner {
	if c.scan == nil {
		c.scan = newScanner(src)
	} else {
		c.scan = c.scan.anew(src)
	}
	return c.scan
}

// headed reads from the connection, and no more of a header than is allowed.
type headed struct{ c *conn }

// Read implements [io.Reader].
func (h headed) Read(p []byte) (int, error) {
	if h.c.allow == 0 {
		return 0, &syntaxError{fmt.Sprintf("its header has more than %d bytes", maxHeader)}
	}
	if h.c.allow > 0 {
		p = p[:min(int64(len(p)), h.c.allow)]
	}
	n, err := h.c.wire.Read(p)
	if h.c.allow > 0 {
		h.c.allow -= int64(n)
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// Bind implements [pool.Conn].
func (c *conn) Bind(ctx context.Context) (release func()) {
	c.enter(wire.StageCommand)
	c.unbind = c.wire.Bind(ctx)
	return func() { c.unbind() }
}

// enter says what the connection waits for.
func (c *conn) enter(stage wire.Stage) {
	c.stage = stage
	c.wire.SetStage(stage)
}

// Usable implements [pool.Conn].
func (c *conn) Usable() bool {
	return c.wire.Err() == nil && !c.busy && !c.ending && !c.retired()
}

// line implements [route].
func (c *conn) line() int { return c.lines }

// leave implements [route].
func (c *conn) leave() { c.busy, c.ending = false, true }

// reopen goes on over a new connection.
func (c *conn) reopen(ctx context.Context) error {
	w, err := c.dial(wire.WithTrace(ctx, &wire.Trace{})) // the stage under way is another one
	if err != nil {
		return &deadEndError{err}
	}
	c.unbind()
	c.wire.Kill(session.ErrClosed)
	c.wire, c.tls, c.busy, c.ending = w, encryption(w), false, false
	c.lines++
	c.in.Reset(headed{c})
	c.wire.SetStage(c.stage)
	c.unbind = c.wire.Bind(ctx)
	return nil
}

// Rest implements [pool.Conn].
func (c *conn) Rest() {
	c.wire.SetStage(wire.StageIdle)
	c.rested = time.Now()
}

// longRest is how long a connection may rest before it has to show a sign of life
// ahead of a request that is sent once.
const longRest = time.Second

// stale reports whether the connection may have died unnoticed.
func (c *conn) stale() bool { return time.Since(c.rested) >= longRest }

// Abandon implements [pool.Conn].
func (c *conn) Abandon() { c.wire.Kill(session.ErrClosed) }

// Goodbye implements [pool.Conn].
func (c *conn) Goodbye() { _ = c.wire.Close() }

// RoundTrip implements [http.RoundTripper].
func (c *conn) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.ending && !c.busy {
		if err := c.reopen(req.Context()); err != nil {
			if req.Body != nil {
				_ = req.Body.Close() // nobody reads it
			}
			return nil, err
		}
	}
	req = c.cookies.with(req)
	c.note(req.Header.Get("Authorization"))
	resp, err := c.exchange(req)
	if err == nil {
		c.cookies.keep(resp)
	}
	return resp, err
}

// exchange sends a request and reads the header of its answer.
func (c *conn) exchange(req *http.Request) (*http.Response, error) {
	gone, err := c.write(req)
	if req.Body != nil {
		_ = req.Body.Close() // it was read
	}
	if err != nil {
		if resp := c.refusal(req, gone); resp != nil {
			return resp, nil
		}
		// Half a request was sent, and nothing can follow it.
		c.wire.Kill(err)
		return nil, &unsentError{err}
	}
	resp, err := c.answer(req)
	if err != nil {
		c.wire.Kill(err)
		return nil, err
	}
	c.busy, c.ending = true, resp.Close
	resp.Body = &responseBody{ReadCloser: resp.Body, conn: c}
	if resp.StatusCode == http.StatusUnauthorized {
		return c.kept(resp)
	}
	return resp, nil
}

// largeRequest is from which size on servers refuse requests before they have come.
const largeRequest = 64 << 10

// write sends a request. Gone says that the server takes no more of it, and may have
// said why; otherwise an error is about what was to be sent.
func (c *conn) write(req *http.Request) (gone bool, err error) {
	if req.ContentLength < largeRequest {
		if err := req.Write(c.wire); err != nil {
			return false, err //nolint:wrapcheck // an explanation follows
		}
		return false, c.wire.Flush() //nolint:wrapcheck // an explanation follows
	}
	s := &sender{wire: c.wire}
	w := bufio.NewWriterSize(s, 32<<10)
	if err = req.Write(w); err == nil {
		err = w.Flush()
	}
	return s.gone, err //nolint:wrapcheck // an explanation follows
}

// sender sends past the buffer of a connection, so that one that the server closes
// meanwhile can still be read.
type sender struct {
	wire *wire.Conn
	gone bool
}

// Write implements [io.Writer].
func (s *sender) Write(p []byte) (int, error) {
	n, err := s.wire.Send(p)
	s.gone = s.gone || err != nil
	return n, err //nolint:wrapcheck // io.Writer's contract
}

// refusal returns what a server said before it closed the connection in the midst of
// a request, nil where it said nothing of the kind: one that is not gone waits for the
// rest of it.
func (c *conn) refusal(req *http.Request, gone bool) *http.Response {
	if c.wire.Err() != nil || !gone {
		return nil
	}
	resp, err := c.answer(req)
	if err != nil || resp.StatusCode/100 != 4 {
		return nil
	}
	c.busy, c.ending = true, true
	resp.Body = &responseBody{ReadCloser: resp.Body, conn: c}
	return resp
}

// unsentError says that the last byte of a request did not leave.
type unsentError struct{ error }

// Unwrap returns the cause.
func (e *unsentError) Unwrap() error { return e.error }

// answer reads the header of an answer, and passes over provisional ones.
func (c *conn) answer(req *http.Request) (*http.Response, error) {
	for range maxProvisional + 1 {
		c.allow = maxHeader
		resp, err := http.ReadResponse(c.in, req)
		c.allow = -1
		if err != nil && c.wire.Err() == nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &syntaxError{c.said(err.Error()) + notHTTP}
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // an explanation follows
		}
		if resp.StatusCode/100 != 1 {
			resp.TLS = c.tls
			return resp, nil
		}
	}
	return nil, &syntaxError{fmt.Sprintf("more than %d provisional ones (1xx) come ahead of it", maxProvisional)}
}

// notHTTP says what to do about bytes that are no answer at all.
const notHTTP = "; this is not HTTP: check host and port, and whether something on the way answers in the server's place"

// kept reads a refusal to its end, since the next step of a handshake has to go over
// the same connection.
func (c *conn) kept(resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return nil, err //nolint:wrapcheck // an explanation follows
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err //nolint:wrapcheck // an explanation follows
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// responseBody frees the connection when it has been read.
type responseBody struct {
	io.ReadCloser

	conn *conn
	over bool
}

// Read implements [io.Reader].
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !b.over {
		b.over, b.conn.busy = true, false
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// Close reads what is left. Where that is much, the connection is given up.
func (b *responseBody) Close() error {
	if b.over {
		return nil
	}
	_, err := io.CopyN(io.Discard, b, drainLimit)
	if !b.over {
		b.conn.wire.Kill(cmp.Or(err, session.ErrClosed))
	}
	return nil
}

// explain turns what ended a request into what a caller sees: the server's answer,
// or why the connection died.
func (c *conn) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, answered := errors.AsType[*Error](err); answered {
		return err
	}
	if _, ours := errors.AsType[*sourceError](err); ours {
		return err
	}
	if _, end := errors.AsType[*deadEndError](err); end {
		return fmt.Errorf("%s: %s: %w", c.address, op, err)
	}
	err = c.censored(err)
	cause := c.wire.Err()
	if cause == nil && errors.Is(err, io.ErrUnexpectedEOF) {
		cause = err // the answer has its length, and not its end
		c.wire.Kill(cause)
	}
	if cause == nil {
		if trailer, ok := errors.AsType[textproto.ProtocolError](err); ok {
			err = &syntaxError{c.said(trailer.Error())}
		}
		return fmt.Errorf("%s: %s: %w", c.address, op, err)
	}
	if _, malformed := errors.AsType[*syntaxError](err); malformed && !backend.Deliberate(cause) {
		return fmt.Errorf("%s: %s: %w", c.address, op, err)
	}
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF // no connection ends by itself during a request
	}
	if _, halfway := errors.AsType[*midHandshakeError](err); halfway {
		cause = fmt.Errorf("%w in the midst of the handshake of NTLM; where it always breaks there, %s", cause, keepConnections)
	}
	return &backend.LostError{Server: c.address, Op: op, Err: cause}
}
