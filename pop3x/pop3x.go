// Package pop3x is the POP3 way in: a [session.Incoming] for servers that speak
// POP3 (RFC 1939), with what RFC 2449, RFC 2595, RFC 5034 and RFC 6856 added.
//
// A [Client] is made without I/O. It dials when it is first used, dials again
// when its connection died, and is safe for concurrent use. Most programs hand
// [Backend] to [session.New] and never hold a Client:
//
//	creds := session.Credentials{User: "ann@example.com", Password: secret.New(password)}
//	s, err := session.New(creds, pop3x.Backend(session.Server{Host: "pop.example.com"}, nil), nil, nil)
//
// # One connection
//
// A server locks the maildrop for the one session that has it open, and shows
// that session the maildrop as it was when it signed in. So there is one
// connection at a time, let go after a short idle; a listing and a change always
// begin with a sign-in of their own, and only reading goes over a connection
// that is there already. Calls take turns. A body that is being read gives the
// connection away as soon as another call wants it: the rest of the body is read
// ahead then, so that any call is legal while a body is open.
//
// # What POP3 has not
//
// There is one folder and no flag, and nothing can be searched for: a query is
// decided here, over the headers that TOP gives, and [Client.Explain] tells what
// that takes. [session.Seen] is kept in a [state.Store] where [Options.Store] is
// set. A server does not tell when a message came: Received is the date of the
// topmost Received field, or of the Date field. Sizes are what LIST says, which
// some servers only estimate. Servers mark a message as read for the other
// protocols when it is fetched as a whole, unless their administrators say
// otherwise; a listing by TOP leaves no trace.
//
// Messages are known again by the names that UIDL gives. A server without UIDL
// has them known by a hash of their headers; they can be read then and not
// deleted, and every sign-in reads all headers. Messages that share a name can
// be read and not deleted either.
//
// # Watching
//
// [session.Session.Watch] looks into the maildrop again and again, no sooner than
// the server allows, and tells what came and what left; see [Client.Changes].
//
// # Deleting
//
// Messages go when the server has agreed to the end of the session, and not
// before. [Client.Apply] marks all of them, ends the session and reports
// [session.Done] after the server's agreement to that. A connection that is
// lost before deletes nothing, and the results say so.
//
// Gmail hides what was read over POP3 from the sessions that follow, unless the
// user name begins with "recent:".
//
// # Errors
//
// What the server answers is an [*Error] with its code and words. A maildrop
// that another session has is waited for, see [Options.LockWait]. Refused
// credentials are a [*session.AuthError].
package pop3x

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// What Options has for zero values.
const (
	DefaultIdleTimeout = 2 * time.Second
	DefaultPageSize    = 100
	DefaultLockWait    = 15 * time.Second
)

// Options are the settings of a [Client]. The zero value works.
type Options struct {
	// IdleTimeout is how long the connection is kept after use, and with it the
	// lock of the maildrop; zero means [DefaultIdleTimeout], a negative value
	// that it is not kept.
	IdleTimeout time.Duration

	// PageSize is how many summaries are asked for before a loop gets them; zero
	// means [DefaultPageSize].
	PageSize int

	// LockWait is how long to wait for a maildrop that another session has; zero
	// means [DefaultLockWait], a negative value that it is an error at once.
	LockWait time.Duration

	// Store keeps which messages were marked with [session.Seen], under keys that
	// begin with "pop3/" and tell neither server nor user. Nil means that no flag is
	// kept.
	Store state.Store

	// Logger gets one record an operation at level debug, and at warn where the
	// server refused the credentials. Nil means the Session's logger, or
	// silence.
	Logger *slog.Logger

	// Observer is told of each operation: "pop3.connect", "pop3.folders",
	// "pop3.list", "pop3.fetch", "pop3.open", "pop3.bodies", "pop3.apply",
	// "pop3.count", "pop3.facts", "pop3.check". Nil means the Session's.
	Observer session.Observer
}

// withDefaults fills in what is zero, from the Session where it has it.
func (o *Options) withDefaults(setup session.Setup) Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.IdleTimeout = cmp.Or(d.IdleTimeout, DefaultIdleTimeout)
	d.PageSize = cmp.Or(d.PageSize, DefaultPageSize)
	d.LockWait = cmp.Or(d.LockWait, DefaultLockWait)
	if d.Logger == nil {
		d.Logger = setup.Logger
	}
	if d.Observer == nil {
		d.Observer = setup.Observer
	}
	return d
}

func (o Options) check() error {
	if o.PageSize < 0 {
		return fmt.Errorf("%d messages are too few for a page", o.PageSize)
	}
	return nil
}

const (
	backendName = "pop3"
	inboxPath   = "INBOX"
)

// Client is the POP3 way in to one mailbox. It implements [session.Incoming].
type Client struct {
	server  session.Server
	setup   session.Setup
	opts    Options
	address string
	mailbox string // the fingerprint in ids
	log     *slog.Logger
	pool    *pool.Pool[*conn]

	known    atomic.Bool  // a sign-in has worked
	delay    atomic.Int64 // the time.Duration that the server wants between two sign-ins
	signedIn atomic.Int64 // when the last one was, in microseconds
	serial   atomic.Bool  // commands are not sent ahead, since answers got out of step

	closed chan struct{} // closed by Close
	close  sync.Once

	mu      sync.Mutex // never held during I/O
	waiting int        // calls that wait for the connection
	holder  holder     // what has it for as long as its reader likes
}

// holder is a call that holds the connection while its caller reads, and can
// let go of it.
type holder interface{ letGo() }

var (
	_ session.Incoming  = (*Client)(nil)
	_ session.Explainer = (*Client)(nil)
	_ session.Fetcher   = (*Client)(nil)
	_ session.Counter   = (*Client)(nil)
	_ session.Checker   = (*Client)(nil)
	_ session.Syncer    = (*Client)(nil)
	_ session.Notifier  = (*Client)(nil)
)

// Backend returns the POP3 way in for [session.New]. The server's port is 995 for TLS and 110 otherwise where it is not set; STARTTLS stands for the
// command STLS. A nil opts means the zero Options.
func Backend(server session.Server, opts *Options) session.IncomingBackend {
	return func(setup session.Setup) (session.Incoming, error) {
		return newClient(server, setup, opts)
	}
}

// New returns a POP3 way in by itself, for reading and deleting. It does no I/O;
// an error is about the settings. A nil opts means the zero Options.
//
// Of [session.Server.Mechanisms], "USER" and "APOP" are the protocol's own ways
// to sign in by a password. Where none is named, that is PLAIN or LOGIN, then
// USER with PASS, then APOP; and APOP first on a line that is not encrypted,
// since it does not show the password.
func New(server session.Server, creds session.Credentials, opts *Options) (*Client, error) {
	return newClient(server, session.Setup{Credentials: creds}, opts)
}

func newClient(server session.Server, setup session.Setup, opts *Options) (*Client, error) {
	o := opts.withDefaults(setup)
	if err := errors.Join(backend.Check(server), o.check()); err != nil {
		return nil, fmt.Errorf("pop3x: %w", err)
	}
	server.Transcript = backend.Transcript(server.Transcript)
	c := &Client{
		server: server, setup: setup, opts: o,
		address: server.Address(ports().Of(server.Security)),
		log:     observe.Logger(o.Logger),
		closed:  make(chan struct{}),
	}
	c.mailbox = session.Fingerprint(c.address, setup.Credentials.User)
	c.pool = pool.New(pool.Options[*conn]{
		Name: c.address, Size: 1, IdleTimeout: o.IdleTimeout, Dial: c.connect, Closed: session.ErrClosed,
	})
	return c, nil
}

// connect makes a connection that is signed in. Where another session has the
// maildrop it waits. A line that breaks on the way is tried once more where one
// has worked before.
func (c *Client) connect(ctx context.Context) (cn *conn, err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "pop3.connect", slog.String("server", c.address))
	defer func() { end(err) }()
	patience, cancel := context.WithTimeout(ctx, c.opts.LockWait)
	defer cancel()
	var last error
	waited := retry.Do(patience, retry.Policy{Count: maxTries, Max: 2 * time.Second}, func(context.Context) error {
		if cn, last = c.signIn(ctx); backend.IsLost(last) && c.known.Load() {
			cn, last = c.signIn(ctx)
		}
		if inUse(last) {
			return last
		}
		return nil
	})
	if err = cmp.Or(last, waited); ctx.Err() != nil && waited != nil {
		err = waited
	}
	if err != nil {
		return nil, err
	}
	c.known.Store(true)
	c.delay.Store(int64(cn.caps.loginDelay()))
	c.signedIn.Store(time.Now().UnixMicro())
	_, encrypted := cn.w.TLS()
	c.log.DebugContext(ctx, "pop3 connected", "server", c.address, "user", c.setup.Credentials.User,
		"mechanism", cn.mechanism, "encrypted", encrypted)
	return cn, nil
}

// maxTries bounds the tries at a maildrop that another session has; the time
// runs out before.
const maxTries = 1000

func inUse(err error) bool {
	e, is := errors.AsType[*Error](err)
	return is && e.Code == codeInUse
}

func (c *Client) signIn(ctx context.Context) (*conn, error) {
	login := backend.Login[*conn]{
		Attempt: func(ctx context.Context, creds sasl.Credentials) (*conn, error) {
			return dial(ctx, c.server, creds, &c.serial)
		},
		Refused: refused,
		Remedy:  remedy,
	}
	return login.Connect(ctx, c.setup.Credentials, c.server, c.address)
}

// lease waits for the connection, which get takes from the pool. What holds it
// lets go.
func (c *Client) lease(ctx context.Context, get func(context.Context) (*pool.Lease[*conn], error)) (*pool.Lease[*conn], error) {
	c.mu.Lock()
	c.waiting++
	h := c.holder
	c.mu.Unlock()
	if h != nil {
		h.letGo()
	}
	defer func() {
		c.mu.Lock()
		c.waiting--
		c.mu.Unlock()
	}()
	return get(ctx)
}

// hold says who holds the connection from now on, nil that nobody does.
func (c *Client) hold(h holder) {
	c.mu.Lock()
	c.holder = h
	wanted := c.waiting > 0
	c.mu.Unlock()
	if wanted && h != nil {
		h.letGo()
	}
}

// renew puts a session that begins now in the place of one that was there
// before the call, so that what came meanwhile is seen. Where the server does
// not allow another sign-in so soon, the old session has to do. After an error
// the lease is released.
func renew(l *pool.Lease[*conn]) error {
	if !l.Reused || time.Since(l.Conn.since) < l.Conn.caps.loginDelay() {
		return nil
	}
	l.Conn.Goodbye()
	return l.Renew()
}

// task is what an operation does with the connection.
type task struct {
	op    string
	fresh bool                 // in a session of its own
	run   func(cn *conn) error // once more on a new connection where again says so
	again func() bool
	attrs []slog.Attr
}

// do carries out a task. Where the line breaks and again says that nothing was
// changed yet, it does so once more, on a new connection.
func (c *Client) do(ctx context.Context, t task) (err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "pop3."+t.op, append(t.attrs, slog.String("server", c.address))...)
	defer func() {
		end(err)
		c.report(ctx, t.op, t.attrs, err)
	}()
	l, err := c.lease(ctx, c.pool.Get)
	if err != nil {
		return err
	}
	if t.fresh {
		if err := renew(l); err != nil {
			return err
		}
	}
	err = t.run(l.Conn)
	if backend.IsLost(err) && (t.again == nil || t.again()) {
		if err := l.Renew(); err != nil {
			return err
		}
		err = t.run(l.Conn)
	}
	l.Release()
	return err
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
	c.log.LogAttrs(ctx, level, "pop3", append(attrs, slog.String("operation", op))...)
}

// Folders implements [session.Incoming]. There is the inbox.
func (c *Client) Folders(ctx context.Context) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		if err := c.do(ctx, task{op: "folders", run: (*conn).noop}); err != nil {
			yield(session.Folder{}, err)
			return
		}
		yield(session.Folder{Path: inboxPath, Role: session.RoleInbox}, nil)
	}
}

// Count implements [session.Counter] by STAT. Unread is 0 where no Store keeps
// what was seen.
func (c *Client) Count(ctx context.Context, folder session.FolderRef) (session.Counts, error) {
	if err := checkFolder(folder); err != nil {
		return session.Counts{}, err
	}
	var counts session.Counts
	var drop *maildrop
	err := c.do(ctx, task{op: "count", fresh: true, run: func(cn *conn) (err error) {
		if c.opts.Store != nil {
			if drop, err = cn.survey(); err == nil {
				counts.Messages, counts.Bytes = int64(len(drop.entries)), drop.bytes
			}
			return err
		}
		n, size, err := cn.stat()
		counts.Messages, counts.Bytes = int64(n), size
		return err
	}})
	if err != nil || drop == nil {
		return counts, err
	}
	seen, err := c.loadSeen(ctx)
	for _, e := range drop.entries {
		if !seen.has(e.key) {
			counts.Unread++
		}
	}
	return counts, err
}

// checkFolder refuses every folder but the inbox.
func checkFolder(f session.FolderRef) error {
	path, byPath := f.Path()
	if f == "" || f == session.Inbox || byPath && path == inboxPath {
		return nil
	}
	remedy := backend.NoReference(f)
	if remedy != "" {
		remedy = "; " + remedy
	}
	return fmt.Errorf("pop3: folder %q: POP3 has no folder but the inbox: %w%s", f, errors.ErrUnsupported, remedy)
}

// Facts implements [session.Incoming].
func (c *Client) Facts(ctx context.Context) (session.Facts, error) {
	facts := session.Facts{Backend: backendName, OneFolder: true, NoFlags: true}
	err := c.do(ctx, task{op: "facts", run: func(cn *conn) error {
		drop, err := cn.survey()
		if err != nil {
			return err
		}
		facts.Server = cn.greeting
		facts.SafeDelete = !drop.byHeader
		return nil
	}})
	return facts, err
}

// Close implements [session.Incoming]. It says goodbye on a connection that is
// not in use and cuts one that is.
func (c *Client) Close() error {
	c.close.Do(func() { close(c.closed) })
	c.pool.Close()
	return nil
}
