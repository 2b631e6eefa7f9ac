package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/mailsession/mailsession/secret"
)

// Config says by which proxy connections are made. The zero value, like nil,
// means none: connections are made directly. A Config must not be changed while
// it is in use, and is safe for concurrent use then. As JSON it holds what is
// neither secret nor code: url, environment and user.
type Config struct {
	// URL is the proxy: "http://", "https://", "socks5://" or "socks5h://",
	// and a host, with a port where it is not 80, 443 or 1080. It has to be
	// without credentials, which belong into User and Password.
	URL string `json:"url,omitempty"`

	// Environment takes the proxy from the environment of the process, each
	// time a connection is made; URL has to be empty then.
	Environment bool `json:"environment,omitempty"`
	// Getenv returns a variable of the environment, "" for one that is not set.
	// Nil means [os.Getenv]. It is for programs that have their settings from
	// elsewhere, and for tests; several goroutines call it.
	Getenv func(name string) string `json:"-"`

	// User and Password are for the proxy. With Environment they are used
	// where the variable itself holds none. Empty means that none are sent.
	User     string      `json:"user,omitempty"`
	Password secret.Text `json:"-"`

	// Authorization returns the value of the Proxy-Authorization header, in
	// place of Basic with User and Password; "" sends no header, and gives up
	// where the proxy has refused already. It is for HTTP proxies alone, is
	// called by several goroutines, and must end when ctx does.
	//
	// It is called before each CONNECT. Where the proxy answers 407 it is
	// called again with what the proxy asked for, up to four times in all for
	// one connection, so that schemes of several steps have theirs.
	Authorization func(ctx context.Context, r *Request) (string, error) `json:"-"`

	// TLS holds the settings for a proxy whose URL begins with "https". They
	// have nothing to do with the mail server's. Nil means the host's
	// certificate authorities and TLS 1.2 or later.
	TLS *tls.Config `json:"-"`
}

// Request is what [Config.Authorization] is asked about.
type Request struct {
	// Proxy is the proxy's "host:port", and Host its host alone, of which a
	// Kerberos service name is made.
	Proxy, Host string
	// Target is the "host:port" to which a tunnel is asked for.
	Target string
	// Challenges are the values of Proxy-Authenticate in the answer 407 to the
	// request before, such as "Negotiate" or "NTLM TlRMTVNTUAACAAAA…". There
	// are none at first.
	Challenges []string
	// SameConnection tells that the request goes out on the connection on
	// which Challenges came in, as NTLM needs it.
	SameConnection bool
}

// Dial is how a connection is made, as [net.Dialer.DialContext] does it.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// FromEnvironment returns a Config that takes the proxy from the environment.
//
// For a URL of the scheme https HTTPS_PROXY is looked at, for one of the scheme
// http HTTP_PROXY, and ALL_PROXY where that is not set. For mail, which has no
// variable of its own, ALL_PROXY comes first and then HTTPS_PROXY, whose proxy
// makes tunnels; many of those let only the port 443 through. HTTP_PROXY is
// not used for mail, nor in a CGI program, whose clients could set it.
//
// NO_PROXY lists, with commas between them, what is reached directly: names,
// which include the names below them, addresses, ranges such as 10.0.0.0/8,
// each of them with or without a port, or "*" for everything. Localhost and
// loopback addresses are reached directly in any case. Of each variable the
// name in upper case is looked at first, and the one in lower case then.
func FromEnvironment() *Config { return &Config{Environment: true} }

// Check returns what is wrong with the settings, nil where nothing is. The
// variables of the environment are looked at when a connection is made.
func (c *Config) Check() error {
	if c == nil {
		return nil
	}
	if err := c.check(); err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	return nil
}

func (c *Config) check() error {
	if c.Environment && c.URL != "" {
		return errors.New("both URL and Environment are set; use one of them")
	}
	h, err := c.fixed()
	if h == nil || err != nil {
		return err
	}
	return h.check()
}

// Dialer returns a function that makes connections as c says. It reaches the
// proxy, and what needs none, by base; nil means a [net.Dialer]. The scheme is
// that of the URL for which connections are made, "http" or "https", and
// anything else for mail; it matters for the environment alone.
//
// The context bounds all of it. Where it ends the connection to the proxy is
// closed at once and the error wraps the context's; without a deadline a silent
// proxy is waited for without end. Every error but those of base without a
// proxy is an [*Error]. No byte behind the proxy's answer is read.
func (c *Config) Dialer(scheme string, base Dial) Dial {
	if base == nil {
		base = new(net.Dialer).DialContext
	}
	if c == nil {
		return base
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		h, err := c.hop(scheme, address)
		switch {
		case err != nil:
			return nil, &Error{Target: address, Err: err}
		case h == nil:
			return base(ctx, network, address)
		}
		return h.dial(ctx, network, address, base)
	}
}

// hop returns the proxy on the way to an address, nil where there is none.
func (c *Config) hop(scheme, address string) (*hop, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if !c.Environment {
		return c.fixed()
	}
	h, err := fromEnvironment(c.Getenv, scheme, address)
	if h == nil || err != nil {
		return nil, err
	}
	h.tls, h.authorization = c.TLS, c.Authorization
	if h.user == "" {
		h.user, h.password = c.User, c.Password
	}
	return h, h.check()
}

// fixed returns the proxy of the URL, nil where there is none.
func (c *Config) fixed() (*hop, error) {
	if c.URL == "" {
		return nil, nil //nolint:nilnil // no proxy is a proper answer
	}
	h, err := parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL: %w", err)
	}
	if h.user != "" || !h.password.IsZero() {
		return nil, errors.New("the URL holds credentials, which it shows to everybody; put them into User and Password")
	}
	h.user, h.password, h.tls, h.authorization = c.User, c.Password, c.TLS, c.Authorization
	return h, nil
}

// check returns what is wrong with the credentials.
func (h *hop) check() error {
	switch {
	case h.scheme == schemeSOCKS && h.authorization != nil:
		return errors.New("the function Authorization is for HTTP proxies; a SOCKS5 proxy takes User and Password")
	case h.user == "" && !h.password.IsZero():
		return errors.New("there is a Password without a User")
	case h.scheme == schemeSOCKS && (len(h.user) > 255 || len(h.password.Reveal()) > 255):
		return errors.New("a user name or password for SOCKS5 has at most 255 bytes")
	case h.scheme == schemeSOCKS && h.user != "" && h.password.IsZero():
		return errors.New("SOCKS5 takes no user name without a password")
	case h.scheme != schemeSOCKS && h.authorization == nil && strings.Contains(h.user, ":"):
		return errors.New("a user name for the scheme Basic has no colon")
	}
	return nil
}
