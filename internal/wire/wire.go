// Package wire owns the connection under every protocol: how it is dialled
// and secured, how long it may stand still, how much it may send, how it is
// cut, and what is written down of it.
//
// No protocol client is trusted with any of that. Clients made by others run
// on [Conn.HandOver], where their deadlines have no effect and where closing
// means killing.
//
// # Time
//
// A deadline is a bound on standing still, one for each [Stage]. Every byte
// that moves in either direction starts it anew, so that a slow transfer lives
// and a silent server does not. The bound on the whole of an operation is the
// deadline of its context, see [Conn.Bind].
//
// # Ends
//
// A Conn that failed once stays failed: [Conn.Kill], a context that ends, a
// passed deadline and a broken socket all close it, and every call from then
// on, in whatever goroutine, returns the first cause.
package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// Recorder writes down the plain text of both directions. Its methods are
// called from the goroutines that write and read, possibly at the same time,
// and must not keep p.
type Recorder interface {
	Sent(p []byte)
	Received(p []byte)
}

// Config says how to make a connection.
type Config struct {
	// Address is "host:port". The host is also the name that the server's
	// certificate has to carry, unless TLS sets ServerName.
	Address string

	// ImplicitTLS starts TLS before the first byte of the protocol. Without
	// it the connection starts in plain text and may be upgraded by
	// [Conn.StartTLS].
	ImplicitTLS bool

	// NoSTARTTLS says that the protocol has no such command, so that no error
	// advises it.
	NoSTARTTLS bool

	// TLS holds the settings for either way into TLS. Nil means the host's
	// certificate authorities and TLS 1.2 or later.
	TLS *tls.Config

	// Dial makes the transport connection. Nil means a [net.Dialer]. Where
	// its context ends it may wrap the cause, to tell what it waited for.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Timeouts Timeouts

	// MaxLine is the longest line that [Conn.ReadLine] returns, in bytes
	// without its end. Zero means [DefaultMaxLine].
	MaxLine int

	// Recorder gets the plain text that passes, nil means nobody does.
	Recorder Recorder
}

// DefaultMaxLine is the longest line where [Config.MaxLine] is zero. A SEARCH
// answer names a million messages in one line of this length.
const DefaultMaxLine = 8 << 20

// The sizes of the buffers in front of the socket. A read or write that is larger
// goes past them. What TLS gives at once is no more than a record.
const (
	bufferSize      = 16 << 10
	plainBufferSize = 64 << 10
)

// MaxAhead is how far [Conn.Ahead] can look.
const MaxAhead = bufferSize

// Conn is one connection. Reading and writing may happen at the same time, by
// one goroutine each; all other methods are safe for concurrent use.
type Conn struct {
	cfg Config
	raw *meter
	nc  net.Conn // raw, or TLS on it
	t   *tap     // in front of nc
	r   *bufio.Reader
	w   *bufio.Writer

	long []byte // the last line, where it did not fit into r
	bare bool   // the last line ended in a lone LF

	cause atomic.Pointer[error] // why the connection is dead
}

// Dial makes a connection as cfg says. The context bounds the dialling and
// the TLS handshake; afterwards it has no effect.
//
// The error tells the step that failed and unwraps to its cause: the
// context's error, a [*TimeoutError], a [*tls.CertificateVerificationError],
// a [*net.OpError].
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	trace := traceOf(ctx)
	trace.begin(StageDial)
	nc, err := dial(trace.watch(ctx), cfg)
	if err != nil {
		return nil, err
	}
	trace.connected(nc)
	c := &Conn{cfg: cfg, raw: newMeter(nc, cfg.Address, cfg.Timeouts)}
	if cfg.ImplicitTLS {
		if err := c.handshake(ctx); err != nil {
			return nil, err
		}
	} else {
		c.attach(c.raw, plainBufferSize)
	}
	c.SetStage(StageGreeting)
	return c, nil
}

func dial(ctx context.Context, cfg Config) (net.Conn, error) {
	d := cfg.Dial
	if d == nil {
		d = new(net.Dialer).DialContext
	}
	limit := &TimeoutError{Stage: StageDial, Address: cfg.Address, After: cfg.Timeouts.Dial}
	dialCtx := ctx
	if limit.After > 0 {
		var cancel context.CancelFunc
		dialCtx, cancel = context.WithTimeoutCause(ctx, limit.After, limit)
		defer cancel()
	}
	nc, err := d(dialCtx, "tcp", cfg.Address)
	switch {
	case err == nil:
		return nc, nil
	case ctx.Err() != nil:
		err = retry.Ended(ctx)
	case dialCtx.Err() != nil && !errors.Is(err, limit):
		return nil, limit
	}
	return nil, fmt.Errorf("connect to %s: %w", cfg.Address, err)
}

// attach puts the recorder and the buffers in front of nc, the one to read from
// of so many bytes.
func (c *Conn) attach(nc net.Conn, size int) {
	c.nc, c.t = nc, &tap{nc: nc, rec: c.cfg.Recorder}
	c.r = bufio.NewReaderSize(c.t, size)
	c.w = bufio.NewWriterSize(c.t, bufferSize)
}

// The sizes of the buffers of a connection that waits.
const (
	narrowRead  = 512
	narrowWrite = 64
)

// Narrow makes the buffers small, for a connection on which little is said from
// now on: thousands of them may wait in one program. It has no effect where bytes
// that came are unread. Long lines can still be read, Ahead sees less. Nobody may
// be reading or writing.
func (c *Conn) Narrow() {
	if c.r.Buffered() > 0 || c.w.Buffered() > 0 {
		return
	}
	c.long = nil
	c.r = bufio.NewReaderSize(c.t, narrowRead)
	c.w = bufio.NewWriterSize(c.t, narrowWrite)
}

// StartTLS upgrades the connection after the server agreed to STARTTLS or
// STLS. Bytes that came in plain text behind that agreement are refused with
// [ErrInjected], since whoever sits on the line could have put them there to
// be taken for the server's answers under TLS (RFC 9051 section 11.1).
// On any error the connection is dead.
func (c *Conn) StartTLS(ctx context.Context) error {
	if n := c.r.Buffered(); n > 0 {
		err := fmt.Errorf("%s: %d bytes: %w", c.cfg.Address, n, ErrInjected)
		c.Kill(err)
		return err
	}
	return c.handshake(ctx)
}

func (c *Conn) handshake(ctx context.Context) error {
	release := c.Bind(ctx)
	defer release()
	c.SetStage(StageHandshake)
	trace := traceOf(ctx)
	trace.begin(StageHandshake)
	tc := tls.Client(c.raw, c.tlsConfig())
	if err := tc.HandshakeContext(ctx); err != nil {
		switch {
		case ctx.Err() != nil:
			err = retry.Ended(ctx)
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF // the server left
		}
		err = c.fail(err)
		return fmt.Errorf("TLS with %s: %w", c.cfg.Address, c.explainTLS(err))
	}
	c.attach(tc, bufferSize)
	trace.secured(tc.ConnectionState())
	return nil
}

func (c *Conn) tlsConfig() *tls.Config {
	t := c.cfg.TLS.Clone()
	if t == nil {
		t = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.ServerName == "" {
		t.ServerName = c.cfg.Address
		if host, _, err := net.SplitHostPort(c.cfg.Address); err == nil {
			t.ServerName = host
		}
	}
	return t
}

// explainTLS adds what to do about a failure that users meet when the port
// and the encryption do not fit.
func (c *Conn) explainTLS(err error) error {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if c.cfg.NoSTARTTLS {
			return fmt.Errorf("the server does not speak TLS on this port; check host and port: %w", err)
		}
		return fmt.Errorf("the server does not speak TLS on this port; use STARTTLS here, or the port for TLS: %w", err)
	}
	return err
}

// TLS returns the state of the encryption; ok is false in plain text.
func (c *Conn) TLS() (state tls.ConnectionState, ok bool) {
	tc, ok := c.nc.(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, false
	}
	return tc.ConnectionState(), true
}

// Address returns the "host:port" that was dialled.
func (c *Conn) Address() string { return c.cfg.Address }

// Counters returns how many bytes went through the socket so far, TLS records
// included.
func (c *Conn) Counters() (received, sent int64) {
	return c.raw.received.Load(), c.raw.sent.Load()
}

// SetStage says what the connection waits for from now on and starts the
// stage's deadline, also for a read that is blocked at this moment.
func (c *Conn) SetStage(s Stage) { c.raw.setStage(s, 0) }

// SetStageFor is SetStage with d in place of the stage's own bound, until the
// stage is set again: for the answer that may take longer than others. A
// negative d is no bound, zero the stage's own.
func (c *Conn) SetStageFor(s Stage, d time.Duration) { c.raw.setStage(s, d) }

// Bind ties the connection to ctx until release is called: when ctx ends, the
// connection is killed with the context's error. Where ctx has ended by the
// time of release, the connection is dead when release returns, and not a
// moment later in the hands of its next user.
func (c *Conn) Bind(ctx context.Context) (release func()) {
	kill := func() { c.Kill(retry.Ended(ctx)) }
	stop := context.AfterFunc(ctx, kill)
	return func() {
		if !stop() {
			kill()
		}
	}
}

// Kill closes the connection at once. Whoever is blocked on it comes free and
// sees cause, unless there was an earlier one.
func (c *Conn) Kill(cause error) {
	c.cause.CompareAndSwap(nil, &cause)
	// The transport's own close is final; TLS would try to say goodbye first.
	_ = c.raw.Close()
}

// Err returns why the connection is dead, nil where it is alive as far as is
// known.
func (c *Conn) Err() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// Close ends the connection in an orderly way: under TLS with a goodbye that
// is given the time of [StageClose]. Later calls return [net.ErrClosed].
func (c *Conn) Close() error {
	c.SetStage(StageClose)
	if c.Err() == nil {
		// The peer may be gone already, and nothing is lost if it is.
		_ = c.nc.Close()
	}
	c.Kill(net.ErrClosed)
	return nil
}

// fail records err as the end of the connection and returns the first cause.
func (c *Conn) fail(err error) error {
	c.Kill(err)
	return c.Err()
}

// tap shows the plain text to a recorder.
type tap struct {
	nc  net.Conn
	rec Recorder
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.nc.Read(p)
	if t.rec != nil && n > 0 {
		t.rec.Received(p[:n])
	}
	return n, err
}

func (t *tap) Write(p []byte) (int, error) {
	if t.rec != nil {
		t.rec.Sent(p)
	}
	return t.nc.Write(p)
}

var _ io.ReadWriter = (*tap)(nil)

// withDefaults fills in what is zero.
func (t Timeouts) withDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Dial, 30 * time.Second},
		{&t.Handshake, 30 * time.Second},
		{&t.Greeting, 60 * time.Second},
		{&t.Auth, 60 * time.Second},
		{&t.Command, 2 * time.Minute},
		{&t.Close, 5 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}
