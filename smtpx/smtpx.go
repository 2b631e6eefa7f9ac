// Package smtpx sends mail by SMTP (RFC 5321) and message submission (RFC
// 6409).
//
// A [Client] is a [session.Outgoing]. Programs mostly hand [Backend] to
// [session.New]; [New] gives the client alone:
//
//	client, err := smtpx.New(session.Server{Host: "smtp.example.com"}, creds, nil)
//	...
//	receipt, err := client.Send(ctx, session.Envelope{From: from, To: to}, source)
//
// # What became of a message
//
// The receipt's outcome is [session.NotSent] where the line was lost, the
// server refused or the context ended before the last byte of the message had
// left; [session.SentUnknown] where that happened between the last byte and
// the server's answer; [session.Accepted] or [session.Partial] where the
// server took it for all or for some of the recipients. Only NotSent may be
// sent again without risk.
//
// # The message
//
// It is streamed, whatever its size. Line ends become CR LF and leading dots
// are doubled, as the protocol wants it; nothing else is altered. What the
// server does not take by its own word - a size, eight-bit content, addresses
// that are not ASCII - is refused before anything is sent.
//
// What an envelope asks for is refused in the same way where the server lacks
// it - reports of delivery (DSN), REQUIRETLS, DELIVERBY - but for a priority
// (MT-PRIORITY), which is a wish and passed over. A message is never encoded
// anew to fit a server: that would break its signatures, and its lines stay as long
// as they are. Of an address whose domain alone is not ASCII, the server is told the
// domain's form in ASCII (xn--), which the servers behind it need no SMTPUTF8 for.
// BINARYMIME is not used: it would carry line ends that no other server on the way may
// keep.
//
// # Many messages
//
// [Client.SendAll] keeps several messages on their way at a time, tries again
// what was not sent, and keeps to [Options.Rate]. Send has each answer before it
// goes on, which leaves least unknown when a line is lost.
//
// # Connections
//
// A client dials when it first sends, keeps its connections for a short while
// to send more over them, and is safe for concurrent use. Where the server
// ended a kept connection meanwhile, or lets it carry no more messages, the message
// goes over a new one.
//
// A slow server is waited for as long as RFC 5321 section 4.5.3.2 wants it: five
// minutes for its greeting and for each answer, ten for its answer to a whole
// message. [session.Timeouts] are other bounds, and a context is one on the whole.
//
// # Errors
//
// Every error of [Client.Send] is a [*session.SendError]. In it errors.As
// finds the server's [*Error] with its codes, a [*session.AuthError] where
// the server refused the credentials, an [*ExtensionError], a [*SizeError] or
// an [*AddressError].
package smtpx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// What Options has for zero values.
const (
	DefaultMaxConnections = 2
	DefaultIdleTimeout    = 30 * time.Second
	DefaultLocalName      = "[127.0.0.1]"
	DefaultWindow         = 16
)

// How long a server may stand still where the settings do not say: the least that
// RFC 5321 section 4.5.3.2 has for its greeting and for the answers to MAIL and
// RCPT, which covers what it has for DATA and for the text of a message, and that
// for the answer to a whole message.
const (
	greetingTimeout = 5 * time.Minute
	commandTimeout  = 5 * time.Minute
	messageTimeout  = 10 * time.Minute
)

// patience returns the bounds with those of SMTP in the place of zeros. A command
// that may take longer than a message takes the message's time along: giving up on
// a message early is what makes its outcome unknown.
func patience(t session.Timeouts) session.Timeouts {
	t.Greeting = cmp.Or(t.Greeting, greetingTimeout)
	t.Command = cmp.Or(t.Command, commandTimeout)
	switch {
	case t.Message != 0:
	case t.Command < 0:
		t.Message = t.Command
	default:
		t.Message = max(t.Command, messageTimeout)
	}
	return t
}

// ports are the defaults where a server's settings have none.
func ports() backend.Ports { return backend.Ports{TLS: 465, STARTTLS: 587, None: 25} }

// Options are the settings of a [Client]. The zero value works.
type Options struct {
	// LocalName is how the client introduces itself: a host name, or an
	// address in brackets. Servers write it into the message's Received
	// field. Empty means [DefaultLocalName], which tells the recipients
	// nothing of the machine.
	LocalName string

	// MaxConnections bounds how many connections there are at a time; zero
	// means [DefaultMaxConnections]. Exchange Online allows three a mailbox.
	MaxConnections int

	// MessagesPerConnection bounds how many messages one connection carries; zero
	// is no bound. What the server says by LIMITS (RFC 9422) bounds it too.
	MessagesPerConnection int

	// IdleTimeout is how long a connection is kept after use; zero means
	// [DefaultIdleTimeout], a negative value that none is kept.
	IdleTimeout time.Duration

	// Rate bounds how much is sent, whatever the connection. The zero value is no
	// bound. What the server asks for is obeyed besides: see [Error.RetryAfter].
	Rate Rate

	// Window is how many messages [Client.SendAll] has on their way over one
	// connection before the first of them is answered; zero means
	// [DefaultWindow]. It takes a server with PIPELINING and CHUNKING.
	Window int

	// Retry says how SendAll tries again what was not sent. Send does not.
	Retry Retry

	// Without are extensions that are not used although the server offers them, such
	// as "PIPELINING" of a server, or of a device on the way to it, that drops what is
	// sent ahead of its answers.
	Without []string

	// Logger gets one record a message at level debug, and at warn where it
	// was not accepted for everybody. Nil means the Session's logger, or
	// silence.
	Logger *slog.Logger

	// Observer is told of each "smtp.send", "smtp.send_all", "smtp.connect" and
	// "smtp.check". Nil means the Session's.
	Observer session.Observer
}

var (
	_ session.Outgoing   = (*Client)(nil)
	_ session.BulkSender = (*Client)(nil)
	_ session.Checker    = (*Client)(nil)
	_ session.SentFiler  = (*Client)(nil)
)

// Client sends mail over one server. It is safe for concurrent use.
type Client struct {
	server        session.Server
	address       string
	creds         session.Credentials
	localName     string
	perConnection int
	connections   int
	window        int
	without       []string
	retry         Retry
	pace          *pace
	pool          *pool.Pool[*conn]
	log           *slog.Logger
	observer      session.Observer

	closing   sync.Once
	unchunked atomic.Bool // the server does not know BDAT, whatever it offers
}

// Backend returns the way out for [session.New]. The server's port is 465 for
// TLS, 587 for STARTTLS and 25 without encryption where it is not set. A nil
// opts means the zero Options.
func Backend(server session.Server, opts *Options) session.OutgoingBackend {
	return func(s session.Setup) (session.Outgoing, error) {
		var o Options
		if opts != nil {
			o = *opts
		}
		if o.Logger == nil {
			o.Logger = s.Logger
		}
		if o.Observer == nil {
			o.Observer = s.Observer
		}
		return New(server, s.Credentials, &o)
	}
}

// New returns a client for server. It does no I/O; an error says what is wrong
// with the settings. Without a password and without tokens in creds the client
// does not sign in. A nil opts means the zero Options.
func New(server session.Server, creds session.Credentials, opts *Options) (*Client, error) {
	if opts == nil {
		opts = &Options{}
	}
	o := *opts
	if o.LocalName == "" {
		o.LocalName = DefaultLocalName
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if err := errors.Join(backend.Check(server), checkOptions(o)); err != nil {
		return nil, fmt.Errorf("smtpx: %w", err)
	}
	server.Transcript = backend.Transcript(server.Transcript)
	server.Timeouts = patience(server.Timeouts)
	c := &Client{
		server: server, address: server.Address(ports().Of(server.Security)), creds: creds,
		localName: o.LocalName, perConnection: o.MessagesPerConnection,
		connections: o.MaxConnections, window: o.Window, without: o.Without, retry: o.Retry, pace: newPace(o.Rate),
		log: observe.Logger(o.Logger), observer: o.Observer,
	}
	c.pool = pool.New(pool.Options[*conn]{
		Name: c.address, Size: o.MaxConnections, IdleTimeout: o.IdleTimeout, Dial: c.dial, Closed: session.ErrClosed,
	})
	return c, nil
}

func checkOptions(o Options) error {
	if o.MaxConnections < 0 {
		return fmt.Errorf("%d connections are too few", o.MaxConnections)
	}
	if o.Window < 0 || o.Window > maxWindow {
		return fmt.Errorf("a window of %d messages is not from 1 to %d", o.Window, maxWindow)
	}
	if o.MessagesPerConnection < 0 {
		return fmt.Errorf("%d messages a connection are too few", o.MessagesPerConnection)
	}
	for i := range len(o.LocalName) {
		if b := o.LocalName[i]; b <= ' ' || b >= 0x7f {
			return fmt.Errorf("the local name %q is not a host name or an address in brackets", clean(o.LocalName))
		}
	}
	return nil
}

// Send sends m to every recipient of e. The error is nil only where the server
// took it for all of them, else a [*session.SendError] that carries the
// receipt as well. When ctx ends, the connection is cut and Send returns at
// once.
//
// Send does not repeat a message that may have been taken. It does use a new
// connection where a kept one turns out to be dead before the message began.
func (c *Client) Send(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
	ctx, end := observe.Start(ctx, c.observer, "smtp.send",
		slog.String("server", c.address), slog.Int("recipients", len(e.To)))
	rec, err := c.send(ctx, e, m)
	if err != nil {
		err = &session.SendError{Receipt: rec, Err: err}
	}
	end(err, slog.String("outcome", rec.Outcome.String()))
	c.report(ctx, e, rec, err)
	return rec, err
}

func (c *Client) report(ctx context.Context, e session.Envelope, rec session.Receipt, err error) {
	attrs := []slog.Attr{
		slog.String("server", c.address), slog.String("outcome", rec.Outcome.String()),
		slog.Int("recipients", len(e.To)),
		slog.String("message_id", rec.MessageID), slog.String("queue_id", rec.QueueID),
	}
	level := slog.LevelDebug
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", err))
	}
	c.log.LogAttrs(ctx, level, "smtp: send", attrs...)
}

func (c *Client) send(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
	rec := session.Receipt{Outcome: session.NotSent}
	if err := checkEnvelope(e); err != nil {
		return rec, err
	}
	l, err := openLetter(m)
	if err != nil {
		return rec, err
	}
	defer l.Close()
	rec.MessageID = l.messageID
	if err := c.pace.wait(ctx, len(e.To)); err != nil {
		return rec, fmt.Errorf("%s: %w", c.address, err)
	}
	lease, err := c.pool.Get(ctx)
	if err != nil {
		c.pace.heed(err)
		return rec, err
	}
	rec, gone, err := c.carry(e, l, lease)
	if !gone {
		lease.Release()
	}
	return rec, err
}

// carry sends the message over the lease, and over a new connection where the
// kept one turns out to be dead. Gone says that there is no connection any more,
// and the lease is released.
func (c *Client) carry(e session.Envelope, l *letter, lease *pool.Lease[*conn]) (rec session.Receipt, gone bool, err error) {
	rec, again, err := c.try(e, l, lease)
	c.pace.heed(err)
	if !again || lease.Context.Err() != nil {
		return rec, false, err
	}
	// Nothing behind the header has been read, so the letter, which may not be
	// one that can be opened twice, is still whole.
	if err = lease.Renew(); err != nil {
		c.pace.heed(err)
		return rec, true, err
	}
	rec, _, err = c.try(e, l, lease)
	c.pace.heed(err)
	return rec, false, err
}

// try sends the message over the lease's connection. Again says that the connection
// had served before, and was dead before the message began, or at its end.
func (c *Client) try(e session.Envelope, l *letter, lease *pool.Lease[*conn]) (rec session.Receipt, again bool, err error) {
	cn := lease.Conn
	served := lease.Reused || cn.messages > 0
	t := &transaction{c: cn, env: e, l: l, final: c.server.Timeouts.Message}
	rec, err = t.run()
	again = served && !t.began && (backend.IsLost(err) || spent(err) || err != nil && cn.closing && !throttled(err))
	return rec, again, err
}

// throttled reports whether err is a server's wish to be left alone.
func throttled(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.throttled()
}

// spent reports whether err is the end of a connection that served before.
func spent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.spent
}

// dial makes a connection and signs in on it.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	ctx, end := observe.Start(ctx, c.observer, "smtp.connect", slog.String("server", c.address))
	login := backend.Login[*conn]{Attempt: c.connect, Refused: refused, Remedy: signInRemedy}
	cn, err := login.Connect(ctx, c.creds, c.server, c.address)
	end(err)
	return cn, err
}

// FilesSent implements [session.SentFiler] by the server's settings.
func (c *Client) FilesSent() bool { return c.server.FilesSent }

// Close ends all connections. What is being sent at the moment returns an
// error that matches [session.ErrClosed], as does every later Send. Close
// waits for the goodbyes, for a few seconds at most.
func (c *Client) Close() error {
	c.closing.Do(func() { close(c.pace.closed) })
	c.pool.Close()
	return nil
}
