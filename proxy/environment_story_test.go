package proxy_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/proxy"
)

// crossroads is a network in which names lead to a provider's servers and to two
// proxies.
type crossroads struct {
	outside proxy.Dial
	proxies map[string]*fake // by address

	mu     sync.Mutex
	direct []string // what was reached past them
}

// newCrossroads returns the network of a provider, whose authorization server is
// login.contoso.example there and speaks TLS.
func newCrossroads(t *testing.T, p *presettest.Provider, own *http.Transport, cert *tls.Config) *crossroads {
	t.Helper()
	named := outside(p, own)
	n := &crossroads{outside: func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, "login.") {
			return named(ctx, network, address)
		}
		far, err := own.DialContext(ctx, network, strings.TrimPrefix(p.OAuth.URL(), "http://"))
		if err != nil {
			return nil, err
		}
		client, server := pipe.New()
		go relay(tls.Server(server, cert), far)
		return client, nil
	}}
	n.proxies = map[string]*fake{
		"http.example.net:3128":  newFake(t, forwarding("", n.outside)),
		"socks.example.net:1080": newFake(t, forwardingSOCKS("", "", n.outside)),
	}
	return n
}

// Dial connects to a proxy, or past them.
func (n *crossroads) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if f := n.proxies[address]; f != nil {
		return f.Dial(ctx, network, address)
	}
	n.mu.Lock()
	n.direct = append(n.direct, address)
	n.mu.Unlock()
	return n.outside(ctx, network, address)
}

// way returns by which ways a server was reached, in alphabetical order.
func (n *crossroads) way(server string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ways []string
	if slices.ContainsFunc(n.direct, func(a string) bool { return strings.HasPrefix(a, server+".") }) {
		ways = append(ways, "direct")
	}
	for address, f := range n.proxies {
		requests, _ := f.seen()
		if slices.ContainsFunc(requests, func(r string) bool { return strings.HasPrefix(r, "CONNECT "+server+".") }) {
			kind, _, _ := strings.Cut(address, ".")
			ways = append(ways, kind)
		}
	}
	slices.Sort(ways)
	return strings.Join(ways, " ")
}

// TestTheEnvironmentSaysWhichWay signs in, sends a letter and reads it: the token
// requests, IMAP and SMTP each go by the proxy that the environment has for
// them, but for what NO_PROXY lists.
func TestTheEnvironmentSaysWhichWay(t *testing.T) {
	t.Parallel()
	authority, err := testtls.New("login.contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	const httpProxy, socksProxy = "http://http.example.net:3128", "socks5h://socks.example.net"
	for _, tt := range []struct {
		name              string
		env               map[string]string
		login, imap, smtp string
	}{
		{"nothing set", nil, "direct", "direct", "direct"},
		{"one for everything", map[string]string{"ALL_PROXY": socksProxy}, "socks", "socks", "socks"},
		{"one for https, which mail takes too", map[string]string{"https_proxy": httpProxy}, "http", "http", "http"},
		{"one for https and one for the rest", map[string]string{"HTTPS_PROXY": httpProxy, "all_proxy": socksProxy}, "http", "socks", "socks"},
		{"one for http, which nothing takes", map[string]string{"HTTP_PROXY": httpProxy}, "direct", "direct", "direct"},
		{"not for IMAP", map[string]string{"ALL_PROXY": socksProxy, "NO_PROXY": "imap.contoso.example"}, "socks", "direct", "socks"},
		{"not for SMTP", map[string]string{"ALL_PROXY": httpProxy, "no_proxy": "localhost, .smtp.contoso.example,smtp.contoso.example"}, "http", "http", "direct"},
		{"not for the sign-in", map[string]string{"ALL_PROXY": socksProxy, "NO_PROXY": "login.contoso.example:443"}, "direct", "socks", "socks"},
		{"for no server of the domain", map[string]string{"ALL_PROXY": socksProxy, "NO_PROXY": "contoso.example"}, "direct", "direct", "direct"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := presettest.NewProvider(&presettest.Options{InMemory: true})
				defer p.Close()
				own, ok := p.OAuth.Client().Transport.(*http.Transport)
				if !ok {
					t.Fatal("the fake's client has another transport")
				}
				n := newCrossroads(t, p, own, authority.Server())
				transport := own.Clone()
				transport.DialContext, transport.TLSClientConfig = n.Dial, authority.Client()
				cfg := p.Config(preset.IMAP, preset.SMTP)
				cfg.Endpoint.TokenURL = strings.Replace(cfg.Endpoint.TokenURL, p.OAuth.URL(), "https://login.contoso.example", 1)
				cfg.HTTPClient = &http.Client{Transport: transport}
				cfg.Proxy = &proxy.Config{Environment: true, Getenv: func(name string) string { return tt.env[name] }}
				signInAndMail(t, p, cfg, n.Dial)
				for server, want := range map[string]string{"login": tt.login, "imap": tt.imap, "smtp": tt.smtp} {
					if got := n.way(server); got != want {
						t.Errorf("%s was reached by %q, want %q", server, got, want)
					}
				}
				for _, f := range n.proxies {
					f.close()
				}
			})
		})
	}
}
