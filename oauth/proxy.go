package oauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/mailsession/mailsession/proxy"
)

// checkProxy returns what is wrong with the proxy's settings.
func (c *Config) checkProxy() error {
	if c.Proxy == nil {
		return nil
	}
	if t := c.ownTransport(); asTransport(t) == nil {
		return fmt.Errorf("its Proxy cannot be used with the HTTPClient, whose Transport is a %T: set the proxy there", t)
	}
	return c.Proxy.Check()
}

func asTransport(rt http.RoundTripper) *http.Transport {
	t, _ := rt.(*http.Transport)
	return t
}

// throughProxy returns a transport for one request, like the HTTPClient's but
// for the way it connects. Requests are rare, so it keeps no connection.
func (c *Config) throughProxy() http.RoundTripper {
	own := asTransport(c.ownTransport())
	if own == nil {
		// Only http.DefaultTransport can have become something else since check.
		own = &http.Transport{ForceAttemptHTTP2: true}
	}
	t := own.Clone()
	// Nothing of its own may lead past the proxy.
	t.Proxy, t.DialTLSContext = nil, nil
	t.DialTLS = nil //nolint:staticcheck // SA1019: deprecated, and obeyed where it is set
	t.DisableKeepAlives = true
	t.DialContext = bounded(c.Proxy.Dialer(scheme(c.Endpoint.TokenURL), t.DialContext))
	return t
}

// bounded limits what a connection may take. It needs a limit of its own,
// since net/http goes on with it when the request's context has ended.
func bounded(dial proxy.Dial) proxy.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		return dial(ctx, network, address)
	}
}

// scheme returns that of a URL, which was checked before.
func scheme(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// refusedByProxy reports whether no connection came about through the proxy for
// a reason that does not pass by itself, so that its settings have to be
// corrected.
func refusedByProxy(err error) bool {
	e, ok := errors.AsType[*proxy.Error](err)
	return ok && !e.Temporary() && !errors.Is(err, context.Canceled)
}
