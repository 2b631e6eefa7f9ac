package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// The kinds of proxies. "socks5h" is one with "socks5" here.
const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
	schemeSOCKS = "socks5"
)

// hop is one proxy and how to deal with it.
type hop struct {
	scheme        string
	host, address string // address is "host:port"
	user          string
	password      secret.Text
	authorization func(ctx context.Context, r *Request) (string, error)
	tls           *tls.Config
}

// name is how errors call the proxy.
func (h *hop) name() string { return h.scheme + "://" + h.address }

// parse reads the URL of a proxy, credentials included. Its errors do not
// repeat the URL, nor what net/url says of it, since either may hold a password.
func parse(raw string) (*hop, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return nil, errors.New("it is not of the form http://host:port; the schemes are http, https, socks5 and socks5h")
	}
	h := &hop{scheme: u.Scheme, host: u.Hostname()}
	port := u.Port()
	switch h.scheme {
	case schemeHTTP:
		port = orDefault(port, "80")
	case schemeHTTPS:
		port = orDefault(port, "443")
	case schemeSOCKS, "socks5h":
		h.scheme = schemeSOCKS
		port = orDefault(port, "1080")
	default:
		return nil, fmt.Errorf("its scheme is %q; use http, https, socks5 or socks5h", u.Scheme)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, errors.New("its port does not exist")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("something follows the port; a proxy has a host and a port alone")
	}
	h.address = net.JoinHostPort(h.host, port)
	if u.User != nil {
		password, _ := u.User.Password()
		h.user, h.password = u.User.Username(), secret.New(password)
	}
	return h, nil
}

// orDefault returns s, or fallback where s is empty.
func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// dial makes a tunnel to the target.
func (h *hop) dial(ctx context.Context, network, target string, base Dial) (net.Conn, error) {
	host, port, err := splitTarget(target)
	if err != nil {
		return nil, &Error{Proxy: h.name(), Target: target, Err: err}
	}
	open := func() (*line, error) { return h.open(ctx, network, base) }
	var l *line
	if h.scheme == schemeSOCKS {
		l, err = h.socks(open, host, port)
	} else {
		l, err = h.connect(ctx, open, target)
	}
	if err == nil && !l.release() {
		err = retry.Ended(ctx) // which has closed the connection
	}
	if err == nil {
		return l.Conn, nil
	}
	if l != nil {
		l.drop()
	}
	return nil, h.explain(ctx, target, err)
}

// explain makes an [*Error] of what went wrong.
func (h *hop) explain(ctx context.Context, target string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Err: err}
	}
	if ctx.Err() != nil {
		e = &Error{Err: retry.Ended(ctx)}
	}
	e.Proxy, e.Target = h.name(), target
	return e
}

// splitTarget checks an address that goes into a proxy's request.
func splitTarget(target string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(target)
	if err != nil {
		return "", 0, fmt.Errorf("the server's address: %w", err)
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the server's port is %q; a proxy takes a number from 1 to 65535", service)
	}
	if host == "" {
		return "", 0, errors.New("the server has no host")
	}
	for _, c := range []byte(host) {
		if c <= ' ' || c > '~' {
			return "", 0, fmt.Errorf("the server's host %q is not in ASCII; give an international name in its xn-- form", host)
		}
	}
	return host, uint16(n), nil
}

// line is a connection to a proxy that is closed when the context ends.
type line struct {
	net.Conn
	stop func() bool
}

// open connects to the proxy, under TLS where its URL says so.
func (h *hop) open(ctx context.Context, network string, base Dial) (*line, error) {
	nc, err := base(ctx, network, h.address)
	if err != nil {
		return nil, &Error{Err: err, temporary: true}
	}
	// The transport's own close frees whoever is blocked on it.
	l := &line{Conn: nc, stop: context.AfterFunc(ctx, func() { _ = nc.Close() })}
	if h.scheme != schemeHTTPS {
		return l, nil
	}
	tc := tls.Client(nc, h.tlsConfig())
	if err := tc.HandshakeContext(ctx); err != nil {
		l.drop()
		return nil, explainTLS(err)
	}
	l.Conn = &encrypted{Conn: tc, transport: nc}
	return l, nil
}

// release unties the connection from the context. It reports false where the
// context has ended and the connection is closed.
func (l *line) release() bool { return l.stop() }

// drop closes the connection.
func (l *line) drop() {
	l.stop()
	_ = l.Close()
}

func (h *hop) tlsConfig() *tls.Config {
	t := h.tls.Clone()
	if t == nil {
		t = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.ServerName == "" {
		t.ServerName = h.host
	}
	return t
}

// explainTLS adds what to do about a failure of TLS with the proxy.
func explainTLS(err error) error {
	e := &Error{Err: fmt.Errorf("TLS: %w", err), temporary: true}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.temporary = false
		e.Remedy = "give the proxy's certificate authority in the proxy's own TLS settings"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		e.temporary = false
		e.Remedy = "the proxy does not speak TLS on this port; use http:// in its URL, or its port for TLS"
	}
	return e
}

// encrypted is a connection to a proxy under TLS. Close ends the transport at
// once: crypto/tls would wait to say goodbye, to a proxy that needs none.
type encrypted struct {
	*tls.Conn
	transport net.Conn
}

func (c *encrypted) Close() error { return c.transport.Close() }
