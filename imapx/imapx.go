// Package imapx is the IMAP way in: a [session.Incoming] for IMAP4rev1 and
// IMAP4rev2 servers (RFC 3501, RFC 9051).
//
// A [Client] is made without I/O. It dials when it is first used, keeps a small
// pool of connections, dials again when one died, and is safe for concurrent
// use. Most programs hand [Backend] to [session.New] and never hold a Client.
//
// # Connection
//
// Greeting, capabilities, STARTTLS and signing in are this package's own, and
// so are the commands that carry many or large answers: FETCH, SEARCH and
// STORE, read by a parser that forgives what servers get wrong. The others are
// those of github.com/emersion/go-imap, on the same connection.
//
// # What is safe
//
// Nothing sets \Seen unless asked. Messages are removed by UID EXPUNGE alone,
// so that a server without UIDPLUS is refused rather than made to remove what
// somebody else marked. A server without MOVE gets copy, verify, flag and
// expunge, and where the copy cannot be verified the original stays.
//
// # Errors
//
// What the server answers is an [*Error] with its code and words. A connection
// that fails is reported with its cause: a context's error, a timeout that
// names what it waited for, io.ErrUnexpectedEOF. Refused credentials are a
// [*session.AuthError].
package imapx

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
)

// Options are the settings of a Client. The zero value works.
type Options struct {
	// Connections is the most that are open at a time. Zero means 4; servers
	// allow 10 and more for a user.
	Connections int

	// IdleTimeout is how long an unused connection is kept. Zero means five
	// minutes.
	IdleTimeout time.Duration

	// PageSize is how many summaries are asked for at once. Zero means 500.
	PageSize int
}

// probeAfter is how long a connection may have been unused before it has to
// prove itself.
const probeAfter = 30 * time.Second

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Connections <= 0 {
		d.Connections = 4
	}
	if d.IdleTimeout <= 0 {
		d.IdleTimeout = 5 * time.Minute
	}
	if d.PageSize <= 0 {
		d.PageSize = 500
	}
	return d
}

// Client is the IMAP way in to one mailbox. It implements [session.Incoming].
type Client struct {
	server  session.Server
	setup   session.Setup
	opts    Options
	address string
	mailbox string // the fingerprint in ids
	log     *slog.Logger
	pool    *pool.Pool[*conn]

	mu      sync.Mutex // never held during I/O
	folders []folder   // as last listed
}

var _ session.Incoming = (*Client)(nil)

// Backend returns what [session.New] makes an IMAP way in of.
func Backend(server session.Server, opts *Options) session.IncomingBackend {
	return func(setup session.Setup) (session.Incoming, error) {
		return newClient(server, setup, opts)
	}
}

// New returns an IMAP way in by itself, for reading and writing. It does no
// I/O; an error is about the settings.
func New(server session.Server, creds session.Credentials, opts *Options) (*Client, error) {
	return newClient(server, session.Setup{Credentials: creds}, opts)
}

func newClient(server session.Server, setup session.Setup, opts *Options) (*Client, error) {
	if err := backend.Check(server); err != nil {
		return nil, fmt.Errorf("imapx: %w", err)
	}
	ports := backend.Ports{TLS: 993, STARTTLS: 143, None: 143}
	server.Port = portOf(server, ports)
	server.Transcript = backend.Transcript(server.Transcript)
	c := &Client{
		server:  server,
		setup:   setup,
		opts:    opts.withDefaults(),
		address: server.Address(server.Port),
		log:     observe.Logger(setup.Logger),
	}
	c.mailbox = session.Fingerprint(c.address, setup.Credentials.User)
	c.pool = pool.New(pool.Options[*conn]{
		Size: c.opts.Connections, IdleTimeout: c.opts.IdleTimeout, Dial: c.connect,
		Probe: (*conn).answers, ProbeAfter: probeAfter, Closed: session.ErrClosed,
	})
	return c, nil
}

func portOf(s session.Server, ports backend.Ports) int {
	if s.Port != 0 {
		return s.Port
	}
	return ports.Of(s.Security)
}

// connect makes a connection that is signed in.
func (c *Client) connect(ctx context.Context) (_ *conn, err error) {
	ctx, end := observe.Start(ctx, c.setup.Observer, "imap.connect", slog.String("server", c.address))
	defer func() { end(err) }()
	login := backend.Login[*conn]{
		Attempt: func(ctx context.Context, creds sasl.Credentials) (*conn, error) {
			return dial(ctx, c.server, creds)
		},
		Refused: refused,
		Remedy:  remedy,
	}
	cn, err := login.Connect(ctx, c.setup.Credentials, c.server, c.address)
	if err != nil {
		return nil, err
	}
	_, encrypted := cn.wire.TLS()
	c.log.DebugContext(ctx, "imap connected", "server", c.address, "user", c.setup.Credentials.User, "encrypted", encrypted)
	return cn, nil
}

// do runs f on a connection of its own.
func (c *Client) do(ctx context.Context, op string, f func(*conn) error, attrs ...slog.Attr) (err error) {
	ctx, end := observe.Start(ctx, c.setup.Observer, "imap."+op, append(attrs, slog.String("server", c.address))...)
	defer func() { end(err) }()
	l, err := c.lease(ctx)
	if err != nil {
		return err
	}
	defer l.Release()
	return l.Conn.explain(op, f(l.Conn))
}

// lease returns a connection for one operation.
func (c *Client) lease(ctx context.Context) (*pool.Lease[*conn], error) {
	l, err := c.pool.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("imap: %s: %w", c.address, err)
	}
	return l, nil
}

// read is do for what changes nothing: it is done once more, on a new
// connection, where the line was lost.
func (c *Client) read(ctx context.Context, op string, f func(*conn) error, attrs ...slog.Attr) error {
	return c.readTwice(ctx, func() error { return c.do(ctx, op, f, attrs...) })
}

func (c *Client) readTwice(ctx context.Context, f func() error) error {
	err := f()
	if !backend.IsLost(err) || ctx.Err() != nil {
		return err
	}
	c.log.DebugContext(ctx, "imap reads again after a lost connection", "server", c.address, "error", err)
	return f()
}

// Facts implements [session.Incoming].
func (c *Client) Facts(ctx context.Context) (session.Facts, error) {
	facts := session.Facts{Backend: "imap"}
	err := c.read(ctx, "capability", func(cn *conn) error {
		facts.Server = cn.greeting
		facts.Keywords = true
		facts.SafeMove = cn.caps.has("MOVE") || cn.caps.has("UIDPLUS")
		facts.NewIDs = cn.caps.has("UIDPLUS")
		return nil
	})
	return facts, err
}

// Close implements [session.Incoming]. It says goodbye on connections that are
// not in use and cuts the others.
func (c *Client) Close() error {
	c.pool.Close()
	return nil
}
