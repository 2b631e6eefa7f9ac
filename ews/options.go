package ews

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// What Options has for zero values.
const (
	DefaultPath           = "/EWS/Exchange.asmx"
	DefaultMaxConnections = 4
	DefaultIdleTimeout    = 90 * time.Second
	DefaultPageSize       = 100
)

// Options are the settings of a [Client]. The zero value works.
type Options struct {
	// Path is where on the server EWS is; empty means [DefaultPath].
	Path string

	// Mailbox is the address of the mailbox to open, where it is not that of who
	// signs in: a shared one, to which its owner or an administrator gave access.
	Mailbox string

	// Impersonate is in whose name everything is done, where the one who signs in has
	// that right; one of its fields is set. Where Credentials.Tokens are those of a
	// program ([oauth.App]) and it is nil, that is Credentials.User.
	Impersonate *ConnectingID

	// Authenticate, where it is not nil, puts around each connection what signs in,
	// in place of the credentials: Kerberos, or whatever else HTTP knows. It is given
	// the connection, and every request of it goes through what it returns. Where an
	// answer ends the connection, the next request goes over a new one.
	Authenticate func(connection http.RoundTripper) http.RoundTripper

	// NoChannelBinding leaves out of NTLM what ties it to the TLS connection and to the
	// server: for where something on the way has another certificate than the server,
	// which lets such a client in as long as its Extended Protection is set to Allow. The
	// sign-in can then be passed on to the server by whoever ends TLS.
	NoChannelBinding bool

	// SoftDelete leaves what Change.Delete removes where the user can recover it for
	// some days, by "Recover deleted items". Without it nobody but an administrator
	// can.
	SoftDelete bool

	// MaxConnections bounds how many connections there are at a time; zero means
	// [DefaultMaxConnections]. Servers allow 10 and more for a mailbox.
	MaxConnections int

	// IdleTimeout is how long a connection is kept after use; zero means
	// [DefaultIdleTimeout], a negative value that none is kept.
	IdleTimeout time.Duration

	// PageSize is how many summaries are asked for at a time, and how many messages
	// are changed by one request at most; zero means [DefaultPageSize].
	PageSize int

	// Retry says after which answers a request is sent again; see "Trying again" in the
	// package's documentation.
	Retry oauth.Retry

	// UserAgent is what the server is told of the program; empty means "mailsession".
	UserAgent string

	// Logger gets one record a request at level debug, and at warn where the server
	// refused the credentials, has no room for another subscription or stream, or tells
	// of events without end. Nil
	// means the Session's logger, or silence.
	Logger *slog.Logger

	// Observer is told of each request by the name of its operation, such as
	// "ews.getitem", of "ews.connect" and "ews.check", and of "ews.fallback" where the
	// server has no room for another subscription or stream, or tells of events without
	// end. Nil means the Session's.
	Observer session.Observer
}

// ConnectingID is a mailbox, by whatever name is known of it. One field is set.
type ConnectingID struct {
	PrincipalName      string // user@domain of the directory
	SID                string // S-1-5-21-...
	PrimarySMTPAddress string // the mailbox's main address
	SMTPAddress        string // any of its addresses
}

// element returns the one field that is set.
func (id *ConnectingID) element() element {
	for _, e := range []element{
		leaf("t:PrincipalName", id.PrincipalName), leaf("t:SID", id.SID),
		leaf("t:PrimarySmtpAddress", id.PrimarySMTPAddress), leaf("t:SmtpAddress", id.SMTPAddress),
	} {
		if e.text != "" {
			return e
		}
	}
	return element{}
}

// address returns what stands for the mailbox in headers and ids.
func (id *ConnectingID) address() string {
	return cmp.Or(id.PrimarySMTPAddress, id.SMTPAddress, id.PrincipalName, id.SID)
}

func (id *ConnectingID) check() error {
	set := 0
	for _, s := range []string{id.PrincipalName, id.SID, id.PrimarySMTPAddress, id.SMTPAddress} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("options.Impersonate has %d names of the mailbox; give one", set)
	}
	return nil
}

// withDefaults fills in what is zero, from the Session where it has it.
func (o *Options) withDefaults(setup session.Setup) Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.Path = cmp.Or(d.Path, DefaultPath)
	d.MaxConnections = cmp.Or(d.MaxConnections, DefaultMaxConnections)
	d.IdleTimeout = cmp.Or(d.IdleTimeout, DefaultIdleTimeout)
	d.PageSize = cmp.Or(d.PageSize, DefaultPageSize)
	d.UserAgent = cmp.Or(d.UserAgent, "mailsession")
	if _, app := setup.Credentials.Tokens.(*oauth.App); app && d.Impersonate == nil {
		d.Impersonate = &ConnectingID{SMTPAddress: cmp.Or(d.Mailbox, setup.Credentials.User)}
	}
	if d.Mailbox == "" && d.Impersonate == nil && d.Authenticate == nil && hasAuthUser(setup.Credentials) {
		d.Mailbox = setup.Credentials.User
	}
	if d.Logger == nil {
		d.Logger = setup.Logger
	}
	if d.Observer == nil {
		d.Observer = setup.Observer
	}
	return d
}

func (o Options) check(s session.Server, c session.Credentials) error {
	switch {
	case hasAuthUser(c) && o.Mailbox == c.User && !strings.Contains(c.User, "@"):
		return fmt.Errorf("credentials.AuthUser signs in for the mailbox of User, and %q is no mail address: give one, or Options.Mailbox", c.User)
	case s.Security == session.STARTTLS:
		return errors.New("EWS is reached by https or http; STARTTLS does not exist there")
	case !strings.HasPrefix(o.Path, "/"):
		return fmt.Errorf("the path %q does not begin with a slash", o.Path)
	case o.MaxConnections < 0:
		return fmt.Errorf("%d connections are too few", o.MaxConnections)
	case o.PageSize < 0:
		return fmt.Errorf("%d messages are too few for a page", o.PageSize)
	}
	var impersonate error
	if o.Impersonate != nil {
		impersonate = o.Impersonate.check()
	}
	return errors.Join(impersonate, o.Retry.Check())
}

// ParseURL takes the address of a server's EWS apart, such as
// "https://mail.contoso.com/EWS/Exchange.asmx": the path is for Options.Path.
func ParseURL(endpoint string) (server session.Server, path string, err error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return server, "", fmt.Errorf("ews: the address of the server: %w", err)
	}
	if u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return server, "", fmt.Errorf("ews: %q is not the address of a server; it looks like https://mail.contoso.com%s", u.Redacted(), DefaultPath)
	}
	switch u.Scheme {
	case "https":
	case "http":
		server.Security = session.None
	default:
		return server, "", fmt.Errorf("ews: %q begins neither with https nor with http", endpoint)
	}
	server.Host = u.Hostname()
	if p := u.Port(); p != "" {
		if server.Port, err = strconv.Atoi(p); err != nil {
			return server, "", fmt.Errorf("ews: the port of %q: %w", endpoint, err)
		}
	}
	return server, cmp.Or(u.EscapedPath(), DefaultPath), nil
}
