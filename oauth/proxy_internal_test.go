package oauth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/mailsession/mailsession/proxy"
)

// TestNothingLeadsPastTheProxy: a client with ways of its own to connect loses
// all but the one to the proxy.
func TestNothingLeadsPastTheProxy(t *testing.T) {
	t.Parallel()
	past := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("past the proxy") }
	var dialled string
	own := &http.Transport{
		Proxy:          func(*http.Request) (*url.URL, error) { return nil, errors.New("past the proxy") },
		DialTLSContext: past,
		DialTLS:        func(string, string) (net.Conn, error) { return nil, errors.New("past the proxy") }, //nolint:staticcheck // SA1019: deprecated, and obeyed where it is set
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = address
			return nil, errors.New("the proxy is down")
		},
	}
	c := &Config{
		Endpoint:   Endpoint{TokenURL: "https://login.example.org/token"}, //nolint:gosec // G101: an address, no credentials.
		HTTPClient: &http.Client{Transport: own},
		Proxy:      &proxy.Config{URL: "http://proxy.example.net:3128"},
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.Endpoint.TokenURL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.transport().RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	e, ok := errors.AsType[*proxy.Error](err)
	if !ok || e.Target != "login.example.org:443" || dialled != "proxy.example.net:3128" {
		t.Errorf("RoundTrip: %v after dialling %q, want the proxy and nothing else", err, dialled)
	}
	if own.DialTLSContext == nil || own.Proxy == nil {
		t.Error("the client's own transport was changed")
	}
}
