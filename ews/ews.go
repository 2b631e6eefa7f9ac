// Package ews is the way in to and out of Exchange by its web services (EWS): a
// [session.Incoming] and a [session.Outgoing] for Exchange on a company's own machines,
// from 2007 SP1 on, and for servers that speak its language.
//
// A [Client] is made without I/O. It connects when it is first used, keeps a small
// pool of connections, connects again when one died, and is safe for concurrent use.
// Most programs hand [Backend] to [session.New] and never hold a Client. [Outgoing] is
// the way out, a [Sender]:
//
//	server, path, err := ews.ParseURL("https://mail.contoso.com/EWS/Exchange.asmx")
//	opts := &ews.Options{Path: path}
//	creds := session.Credentials{User: `CONTOSO\ann`, Password: secret.New(password)}
//	s, err := session.New(creds, ews.Backend(server, opts), ews.Outgoing(server, opts), nil)
//
// # Where
//
// A [session.Server] says where: Host and Port, by https unless Security is None, and
// Options.Path where it is not the usual "/EWS/Exchange.asmx". [ParseURL] makes both
// of an address as Exchange's own tools print it, and [Discover] finds both for the
// address of a mailbox. So the settings of proxies, TLS and time are the same as for
// every other protocol.
//
// # Exchange Online
//
// Microsoft switches EWS off in Exchange Online, tenant by tenant from October 2026
// on and for good in April 2027. Package imapx opens a mailbox there, and package smtpx
// sends from it; the error says so. Exchange on premises keeps EWS.
//
// # Signing in
//
// A password signs in by Basic, or by NTLM where the server offers that instead;
// Server.Mechanisms chooses. Credentials.User is a mail address or DOMAIN\user, as the
// server wants it. Credentials.AuthUser signs in where it is set, in either form, and
// User is the address of the mailbox then: of the same person, or of somebody who gave
// access to it. [Options.Mailbox] and [Options.Impersonate] come before that. Tokens go as such, and are replaced once where they are refused. Kerberos is what
// [Options.Authenticate] puts around a connection; the answers that it sees have their
// TLS set, for a channel binding of its own. A program that signs in by itself
// ([oauth.App]) always impersonates a mailbox.
//
// NTLM is bound to the TLS connection and to the server's name, as Extended Protection
// for Authentication wants it, which Exchange has switched on from 2019 CU14 on: by the
// channel binding tls-server-end-point of RFC 5929, and by the service HTTP/host. So
// nobody in between can use a sign-in elsewhere. Where TLS ends at something else than
// the server, with a certificate of its own, the binding is wrong and refused, also where
// Extended Protection is set to Allow, as it is with every client of Windows; the error
// names the certificate. It is not tried again without: whoever is in between would have
// a sign-in then that can be passed on, and a wrong password would be shown twice.
// [Options.NoChannelBinding] is for networks where that has to be.
//
// A password is shown once by Basic and once by NTLM at most before it counts as
// refused, however many operations begin at the same time: accounts are locked after a
// few wrong ones. One that is refused in the midst of things is shown once more, since
// web servers refuse a request now and then for other reasons; then another one is
// asked for (Credentials.Passwords), or the operation fails. The next operation shows
// it again.
//
// Cookies, by which a load balancer leads to the same machine, are kept by each Client
// for itself.
//
// # What Exchange does in its own way
//
// Messages come in the order in which they came to the folder, and a message that is
// changed, as by a category, may count as one that came anew. A listing, and the pages
// that the same Client goes on with behind it ([session.Query.After]), tell of it once
// all the same. Another process goes on behind its new place; and newest first, what
// somebody else changes before the listing has come to it is passed over, which Changes
// tells of.
//
// The bytes of a message are made anew by the server, and may differ from those that
// arrived. Whether an item is a draft is fixed when it is made. Categories are the
// keywords: "Red category" is one, with its blank, and has to be one line of 1 to 255
// characters without commas and semicolons to be set. The ids of messages stay good when their folder gets another name. A folder
// beside the inbox that is called Inbox as well is listed with a number behind its name.
// There are no subscriptions to folders, and no limits are told.
//
// The numbers of parts are those of the MIME that the server makes of a message, so that
// Message.Structure takes reading all of it, and OpenPart what stands before the part. Who
// opens a second part of a message has it read once more, and kept for the parts that
// follow. [Client.Attachments] and [Client.OpenAttachment] go without that. Previews come from
// the server from 2013 on. Archive and Junk move messages to the folders with these
// roles; [Client.ArchiveInPlace] and [Client.MarkAsJunk] do what Outlook does besides.
// For these a program makes a Client by [New], beside the Session: it takes the ids that
// a Session has of the same mailbox.
//
// # Trying again
//
// [Options.Retry] says after which answers a request is sent again, how often and after
// which waits. The zero value does so after what the server says will pass: that it is
// too busy, or a failure of the moment. [oauth.RetryStatus] does so after the listed
// statuses and no others. Exchange says mostly in SOAP that it is busy, with another
// status or none of HTTP's: that counts as 503 ([Error.StatusCode]).
//
// All this goes for what reads, and for changes that may be made twice. What must not
// be done twice, which is sending, appending, moving, copying, deleting and changes of
// keywords, can only be kept from being sent again: whatever is listed, it is where the
// server turned it away before anything was done. So is a change to several messages
// for those of them that the server was too busy for. Refused credentials are never
// shown again for a status that is listed. [Client.Changes] asks by the same settings
// again for messages that cannot be read for the moment.
//
// The pause that a server asks for (Retry-After, BackOffMilliseconds) holds all
// requests of the Client, also with [oauth.RetryNever]: then the next one waits. No
// wait goes past the deadline of the context. A connection that was lost is replaced
// once, whatever the settings, and lines that listen are kept up ([Client.Notify]).
//
// # Errors
//
// A message that cannot be read, such as one whose base64 is broken, is a
// [*session.ItemError], and Incomplete in a summary; the others are read. A server that
// always has another page and nothing new in it is an error.
//
// What the server answers is an [*Error] with its code. Refused credentials are a
// [*session.AuthError].
package ews

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/session"
)

// Client is the way in to one mailbox. It implements [session.Incoming].
type Client struct {
	server   session.Server
	setup    session.Setup
	opts     Options
	address  string // "host:port"
	endpoint string // the URL
	mailbox  string // the fingerprint in ids
	log      *slog.Logger
	pool     *pool.Pool[*conn]
	held     throttle.Governor
	retry    retry.Policy
	affinity *affinity

	gate      *gate
	epoch     atomic.Uint64 // how often credentials were refused that had been good
	mechanism atomic.Value  // the name of the way that worked last
	customs   customs
	streams   chan struct{} // as many as there may be loops that hold a connection
	version   atomic.Pointer[version]
	seekless  atomic.Bool // the server does not seek, whatever its version

	parts  partsOfOne
	places *places

	subscriptions subscriptions
	closed        chan struct{} // after Close
	closing       sync.Once

	mu      sync.Mutex // never held during I/O
	folders *tree      // as last listed
}

var (
	_ session.Incoming     = (*Client)(nil)
	_ session.Explainer    = (*Client)(nil)
	_ session.Appender     = (*Client)(nil)
	_ session.Fetcher      = (*Client)(nil)
	_ session.FolderEditor = (*Client)(nil)
	_ session.FolderLister = (*Client)(nil)
	_ session.Counter      = (*Client)(nil)
	_ session.Checker      = (*Client)(nil)
	_ session.Purger       = (*Client)(nil)
	_ session.Syncer       = (*Client)(nil)
	_ session.Notifier     = (*Client)(nil)
	_ session.PartOpener   = (*Client)(nil)
)

// Backend returns the way in to Exchange for [session.New]. The server's port is
// 443, and 80 without encryption, where it is not set. A nil opts means the zero
// Options.
func Backend(server session.Server, opts *Options) session.IncomingBackend {
	return func(setup session.Setup) (session.Incoming, error) {
		return newClient(server, setup, opts)
	}
}

// New returns a way in to Exchange by itself, for reading and writing. It does no
// I/O; an error is about the settings. A nil opts means the zero Options.
func New(server session.Server, creds session.Credentials, opts *Options) (*Client, error) {
	return newClient(server, session.Setup{Credentials: creds}, opts)
}

func newClient(server session.Server, setup session.Setup, opts *Options) (*Client, error) {
	o := opts.withDefaults(setup)
	if err := errors.Join(backend.Check(server), o.check(server, setup.Credentials)); err != nil {
		return nil, fmt.Errorf("ews: %w", err)
	}
	server.Port = cmp.Or(server.Port, ports().Of(server.Security))
	server.Transcript = backend.Transcript(server.Transcript)
	server.Mechanisms = slices.Clone(server.Mechanisms)
	c := &Client{
		server:  server,
		setup:   setup,
		opts:    o,
		address: server.Address(server.Port),
		log:     observe.Logger(o.Logger),
		retry:   backend.Retry(o.Retry),
		gate:    newGate(),
		streams: make(chan struct{}, o.MaxConnections-1),
		closed:  make(chan struct{}),
		places:  newPlaces(),
	}
	c.endpoint = c.url()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.endpoint, nil)
	if err != nil {
		return nil, fmt.Errorf("ews: the address of the server: %w", err)
	}
	c.affinity = newAffinity(req.URL)
	c.mailbox = session.Fingerprint(c.address, c.target())
	c.pool = pool.New(pool.Options[*conn]{
		Name: c.address, Size: o.MaxConnections, IdleTimeout: o.IdleTimeout, Dial: c.connect, Closed: session.ErrClosed,
	})
	return c, nil
}

func ports() backend.Ports { return backend.Ports{TLS: 443, None: 80} }

// url returns the address of the service.
func (c *Client) url() string {
	scheme, port := "https", 443
	if c.server.Security == session.None {
		scheme, port = "http", 80
	}
	host := c.server.Host
	if c.server.Port != port {
		host = c.address
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return scheme + "://" + host + c.opts.Path
}

// target returns the address of the mailbox, as far as it is known.
func (c *Client) target() string {
	switch {
	case c.opts.Mailbox != "":
		return c.opts.Mailbox
	case c.opts.Impersonate != nil:
		return c.opts.Impersonate.address()
	}
	return c.setup.Credentials.User
}

// online reports whether the server is Microsoft's own.
func (c *Client) online() bool {
	host := strings.ToLower(c.server.Host)
	return host == "outlook.office365.com" || host == "outlook.office.com" || strings.HasSuffix(host, ".outlook.com")
}

// report tells the logger how a request ended.
func (c *Client) report(ctx context.Context, op string, attrs []slog.Attr, err error) {
	level := slog.LevelDebug
	attrs = append(slices.Clip(attrs), slog.String("server", c.address))
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
		if session.NeedsSignIn(err) {
			level = slog.LevelWarn
		}
	}
	c.log.LogAttrs(ctx, level, "ews", append(attrs, slog.String("operation", op))...)
}

// record writes down what is said, without messages. Credentials are in none of it:
// what a server makes of them, such as an id, is masked.
func (c *Client) record(cn *conn, format string, values ...any) {
	if c.server.Transcript != nil {
		_, _ = io.WriteString(c.server.Transcript, cn.mask(fmt.Sprintf(format, values...))+"\n") // a transcript that fails changes nothing
	}
}

// serverVersion returns what the server is, and connects where that is not known.
func (c *Client) serverVersion(ctx context.Context) (version, error) {
	if v := c.version.Load(); v != nil {
		if ctx.Err() != nil {
			return version{}, fmt.Errorf("%s: %w", c.address, context.Cause(ctx))
		}
		return *v, nil
	}
	var v version
	err := c.patiently(ctx, func(ctx context.Context) error {
		l, err := c.pool.Get(ctx)
		if err != nil {
			return err //nolint:wrapcheck // the pool's errors say what they are about
		}
		defer l.Release()
		v = l.Conn.version
		return nil
	})
	return v, err
}

// Facts implements [session.Incoming].
func (c *Client) Facts(ctx context.Context) (session.Facts, error) {
	v, err := c.serverVersion(ctx)
	if err != nil {
		return session.Facts{}, err
	}
	facts := session.Facts{
		Backend: backendName, Server: v.String(),
		Keywords: true, FreeKeywords: true, SafeMove: true, SafeDelete: true, NewIDs: true, Versions: true,
	}
	if v.atLeast(exchange2010()) {
		facts.Native = "AQS"
	}
	return facts, nil
}

const backendName = "ews"
