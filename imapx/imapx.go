// Package imapx is the IMAP way in: a [session.Incoming] for servers that
// speak IMAP4rev1 (RFC 3501) or IMAP4rev2 (RFC 9051), whatever else they speak.
//
// A [Client] is made without I/O. It dials when it is first used, keeps a small
// pool of connections, dials again when one died, and is safe for concurrent
// use. Most programs hand [Backend] to [session.New] and never hold a Client:
//
//	creds := session.Credentials{User: "ann@example.com", Password: secret.New(password)}
//	s, err := session.New(creds, imapx.Backend(session.Server{Host: "imap.example.com"}, nil), nil, nil)
//
// # Connection
//
// The package speaks the protocol by itself, from the greeting to LOGOUT, and
// reads every answer by a parser that forgives what servers get wrong: an answer
// that cannot be read is an error about one message, and the connection lives
// on. github.com/emersion/go-imap is its vocabulary for folders. What is known of
// servers that stray is in a table in quirks.go.
//
// # Mailboxes of others
//
// Folders that others share appear in namespaces of their own where the server has
// them (RFC 2342): Dovecot, Cyrus, Courier. [session.Session.ListFolders] lists
// them, [session.Folder] tells whose they are, and their paths are good everywhere.
//
// A whole mailbox of somebody else is opened by who signs in, as a session of its
// own. Microsoft 365 takes one's own token with the address of the shared mailbox
// as Credentials.User, from those who have full access to it. Exchange on a
// company's own machines takes a password with a User such as
// DOMAIN\user\alias, where alias is the mailbox's. A master user of Dovecot, or an
// administrator of Cyrus, opens a mailbox by his own name in Credentials.AuthUser
// and the mailbox's in User. Where Dovecot is set up for that it takes both in User
// as well, as mailbox*master. Gmail shows people what is delegated to them in its own pages alone.
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
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
)

// What Options has for zero values.
const (
	DefaultMaxConnections = 4
	DefaultIdleTimeout    = 5 * time.Minute
	DefaultPageSize       = 500
)

// Options are the settings of a [Client]. The zero value works.
type Options struct {
	// MaxConnections bounds how many connections there are at a time; zero
	// means [DefaultMaxConnections]. Servers allow 10 and more for a user.
	MaxConnections int

	// IdleTimeout is how long a connection is kept after use; zero means
	// [DefaultIdleTimeout], a negative value that none is kept.
	IdleTimeout time.Duration

	// IdleRenewal is how long a server is left to tell what happens before it is
	// asked for a sign of life, which it has to give within half a minute; zero
	// means [DefaultIdleRenewal]. Shorter is for networks that forget connections
	// sooner; more than 29 minutes is refused (RFC 2177). The folders are looked at
	// each time, in case the server did not tell all.
	IdleRenewal time.Duration

	// Compress has servers compress what they send (RFC 4978), where they offer it.
	// Headers shrink to a fifth and less, and a slow or costly line is the reason to
	// want it: it takes processor time on both sides and 45 KB for each connection.
	// What is sent is not compressed. Where somebody on the line can have mail
	// delivered and see how much is sent, lengths tell a little of what is secret.
	Compress bool

	// PageSize is how many summaries are asked for at first, and how many
	// messages are changed by one command at most; zero means [DefaultPageSize].
	// A loop that goes on is given four times as many at once, and one that asks
	// for no headers ten times as many from the start.
	PageSize int

	// ID is what the server is told of the program after each sign-in, such as
	// "name", "version", "vendor" and "support-url" (RFC 2971 section 3.3), in
	// printable ASCII: at most 30 fields, names of at most 30 bytes and values of
	// at most 1024. Servers without the command are not told. What the server
	// says of itself in return is in [session.Facts]. Nil tells nothing, except
	// to a server that opens no folder before it knows a name: that one gets
	// "mailsession".
	ID map[string]string

	// Logger gets one record an operation at level debug, and at warn where the
	// server refused the credentials. Nil means the Session's logger, or
	// silence.
	Logger *slog.Logger

	// Observer is told of each operation: "imap.connect", "imap.list",
	// "imap.search", "imap.fetch", "imap.open", "imap.apply", "imap.purge", "imap.append",
	// "imap.bodies", "imap.part", "imap.create", "imap.rename", "imap.delete",
	// "imap.subscribe", "imap.status", "imap.quota", "imap.check", "imap.changes",
	// "imap.listen". Nil means the
	// Session's.
	Observer session.Observer
}

// probeAfter is how long a connection may have been unused before it has to
// prove itself.
const probeAfter = 30 * time.Second

// probeTimeout is how long the answer may take. A connection that a middlebox
// has forgotten never answers.
const probeTimeout = 10 * time.Second

// withDefaults fills in what is zero, from the Session where it has it.
func (o *Options) withDefaults(setup session.Setup) Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.ID = maps.Clone(d.ID)
	d.MaxConnections = cmp.Or(d.MaxConnections, DefaultMaxConnections)
	d.IdleTimeout = cmp.Or(d.IdleTimeout, DefaultIdleTimeout)
	d.PageSize = cmp.Or(d.PageSize, DefaultPageSize)
	d.IdleRenewal = cmp.Or(d.IdleRenewal, DefaultIdleRenewal)
	if d.Logger == nil {
		d.Logger = setup.Logger
	}
	if d.Observer == nil {
		d.Observer = setup.Observer
	}
	return d
}

func (o Options) check() error {
	switch {
	case o.MaxConnections < 0:
		return fmt.Errorf("%d connections are too few", o.MaxConnections)
	case o.PageSize < 0:
		return fmt.Errorf("%d messages are too few for a page", o.PageSize)
	case o.IdleRenewal < time.Second || o.IdleRenewal > maxIdleRenewal:
		return fmt.Errorf("an IdleRenewal of %v is not between a second and %v", o.IdleRenewal, maxIdleRenewal)
	}
	return checkID(o.ID)
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

	closed  chan struct{} // closed by Close
	closing sync.Once
	streams chan struct{} // as many as there may be loops that hold a connection

	edits  atomic.Int64 // how often the folders were changed
	narrow atomic.Bool  // the server takes no search beyond ASCII
	syncs  atomic.Bool  // changes were asked for

	mu      sync.Mutex // never held during I/O
	folders []folder   // as last listed, those of others too
	spaces  spaces     // as told then
}

var (
	_ session.Incoming     = (*Client)(nil)
	_ session.Explainer    = (*Client)(nil)
	_ session.Purger       = (*Client)(nil)
	_ session.Appender     = (*Client)(nil)
	_ session.Fetcher      = (*Client)(nil)
	_ session.PartOpener   = (*Client)(nil)
	_ session.RangeOpener  = (*Client)(nil)
	_ session.FolderEditor = (*Client)(nil)
	_ session.Counter      = (*Client)(nil)
	_ session.Checker      = (*Client)(nil)
	_ session.FolderLister = (*Client)(nil)
	_ session.Quotas       = (*Client)(nil)
	_ session.Syncer       = (*Client)(nil)
)

// Backend returns the IMAP way in for [session.New]. The server's port is 993 for
// TLS and 143 otherwise where it is not set. A nil opts means the zero Options.
func Backend(server session.Server, opts *Options) session.IncomingBackend {
	return func(setup session.Setup) (session.Incoming, error) {
		return newClient(server, setup, opts)
	}
}

// New returns an IMAP way in by itself, for reading and writing. It does no
// I/O; an error is about the settings. A nil opts means the zero Options.
func New(server session.Server, creds session.Credentials, opts *Options) (*Client, error) {
	return newClient(server, session.Setup{Credentials: creds}, opts)
}

func newClient(server session.Server, setup session.Setup, opts *Options) (*Client, error) {
	o := opts.withDefaults(setup)
	if err := errors.Join(backend.Check(server), o.check()); err != nil {
		return nil, fmt.Errorf("imapx: %w", err)
	}
	ports := backend.Ports{TLS: 993, STARTTLS: 143, None: 143}
	server.Port = portOf(server, ports)
	server.Transcript = backend.Transcript(server.Transcript)
	c := &Client{
		server:  server,
		setup:   setup,
		opts:    o,
		address: server.Address(server.Port),
		log:     observe.Logger(o.Logger),
		closed:  make(chan struct{}),
		streams: make(chan struct{}, o.MaxConnections-1),
	}
	c.mailbox = session.Fingerprint(c.address, setup.Credentials.User)
	c.pool = pool.New(pool.Options[*conn]{
		Name: c.address, Size: o.MaxConnections, IdleTimeout: o.IdleTimeout, Dial: c.connect,
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
	ctx, end := observe.Start(ctx, c.opts.Observer, "imap.connect", slog.String("server", c.address))
	defer func() { end(err) }()
	login := backend.Login[*conn]{
		Attempt: func(ctx context.Context, creds sasl.Credentials) (*conn, error) {
			cn, err := dial(ctx, c.server, creds, c.opts.ID)
			if err == nil {
				cn.edits = &c.edits
			}
			return cn, err
		},
		Refused: refused,
		Remedy:  remedy,
	}
	cn, err := login.Connect(ctx, c.setup.Credentials, c.server, c.address)
	if err != nil {
		return nil, err
	}
	if err := c.begin(ctx, cn); err != nil {
		cn.Abandon()
		return nil, err
	}
	_, encrypted := cn.wire.TLS()
	c.log.DebugContext(ctx, "imap connected", "server", c.address, "user", c.setup.Credentials.User, "encrypted", encrypted)
	return cn, nil
}

// begin asks for what has to be asked for ahead of the first folder.
func (c *Client) begin(ctx context.Context, cn *conn) error {
	release := cn.Bind(ctx)
	defer release()
	if c.opts.Compress {
		if err := cn.compress(); err != nil {
			return cn.explain("compress", err)
		}
	}
	if c.syncs.Load() {
		if err := cn.enable(); err != nil {
			return cn.explain("enable", err)
		}
	}
	cn.Rest()
	return nil
}

// do runs f on a connection of its own, one that has the folder of the attributes
// open where there is such a one. Where the line breaks and again says that
// nothing was changed yet, it runs f once more, on a new connection.
func (c *Client) do(ctx context.Context, op string, f func(*conn) error, again func() bool, attrs ...slog.Attr) (err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "imap."+op, append(attrs, slog.String("server", c.address))...)
	defer func() {
		end(err)
		c.report(ctx, op, attrs, err)
	}()
	l, err := c.pool.GetFor(ctx, has(attrs))
	if err != nil {
		return err
	}
	err = l.Conn.explain(op, f(l.Conn))
	if (backend.IsLost(err) || errors.Is(err, errTooLate)) && again() {
		if err := l.Renew(); err != nil {
			return err
		}
		err = l.Conn.explain(op, f(l.Conn))
	}
	l.Release()
	return err
}

// has returns what recognizes a connection that has the folder of the attributes
// open.
func has(attrs []slog.Attr) func(*conn) bool {
	i := slices.IndexFunc(attrs, func(a slog.Attr) bool { return a.Key == "folder" })
	return func(cn *conn) bool {
		return i >= 0 && cn.selected != nil && cn.selected.name == attrs[i].Value.String()
	}
}

// read is do for what changes nothing.
func (c *Client) read(ctx context.Context, op string, f func(*conn) error, attrs ...slog.Attr) error {
	return c.do(ctx, op, f, func() bool { return true }, attrs...)
}

// report tells the logger how an operation ended.
func (c *Client) report(ctx context.Context, op string, attrs []slog.Attr, err error) {
	level := slog.LevelDebug
	attrs = append(attrs, slog.String("server", c.address))
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
		if session.NeedsSignIn(err) {
			level = slog.LevelWarn
		}
	}
	c.log.LogAttrs(ctx, level, "imap", append(attrs, slog.String("operation", op))...)
}

// Facts implements [session.Incoming].
func (c *Client) Facts(ctx context.Context) (session.Facts, error) {
	facts := session.Facts{Backend: "imap", AfterGone: true}
	err := c.read(ctx, "capability", func(cn *conn) error {
		facts.Server = cn.serverName()
		facts.Keywords = true
		facts.SafeMove = cn.caps.has("MOVE") || cn.caps.has("UIDPLUS")
		facts.SafeDelete = cn.caps.has("UIDPLUS")
		facts.NewIDs = cn.caps.has("UIDPLUS")
		facts.Versions = cn.caps.versions()
		facts.ObjectIDs = cn.caps.has("OBJECTID") || cn.caps.has(gmail)
		facts.Quota = cn.caps.has("QUOTA")
		facts.Namespaces = cn.caps.has("NAMESPACE")
		if cn.caps.has(gmail) {
			facts.Labels, facts.Native = true, "X-GM-RAW"
		}
		return nil
	})
	return facts, err
}

// Close implements [session.Incoming]. It says goodbye on connections that are
// not in use and cuts the others.
func (c *Client) Close() error {
	c.closing.Do(func() { close(c.closed) })
	c.pool.Close()
	return nil
}
