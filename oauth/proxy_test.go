package oauth_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

// lateProxy is a proxy that makes tunnels until it is given another answer.
type lateProxy struct {
	next   func(ctx context.Context, network, address string) (net.Conn, error)
	answer atomic.Pointer[string]
}

// behindProxy puts a proxy on the way to the token endpoint.
func (b *bed) behindProxy() *lateProxy {
	b.t.Helper()
	own, ok := b.srv.Client().Transport.(*http.Transport)
	if !ok {
		b.t.Fatal("the fake's client has another transport")
	}
	p := &lateProxy{next: own.DialContext}
	t := own.Clone()
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, server := pipe.New()
		b.t.Cleanup(func() { _ = server.Close() })
		go p.serve(context.WithoutCancel(ctx), server)
		return client, nil
	}
	b.cfg.HTTPClient = &http.Client{Transport: t}
	b.cfg.Proxy = &proxy.Config{URL: "http://proxy.example.net:3128", User: "ann", Password: secret.New("the proxy's horse")}
	return p
}

func (p *lateProxy) serve(ctx context.Context, near net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(near))
	if err != nil {
		return
	}
	if answer := p.answer.Load(); answer != nil {
		_, _ = io.WriteString(near, *answer)
		return
	}
	far, err := p.next(ctx, "tcp", req.RequestURI)
	if err != nil {
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

// TestWhatAProxyRefuses: nothing has reached the token endpoint, so nothing is
// lost, and the error says whether the settings have to be corrected.
func TestWhatAProxyRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		kind         oauth.Kind
		words        string
	}{
		{"407", "HTTP/1.1 407 No\r\n\r\n", oauth.KindClientConfig, "check User and Password of the proxy"},
		{"403", "HTTP/1.1 403 No\r\n\r\n", oauth.KindClientConfig, "forbids this server"},
		{"502", "HTTP/1.1 502 No\r\n\r\n", oauth.KindTemporary, "cannot reach the server"},
		{"garbage", "SSH-2.0-x\r\n", oauth.KindClientConfig, "is not HTTP"},
		{"silence", "", oauth.KindTemporary, "deadline exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				p := b.behindProxy()
				grant := b.signIn()
				p.answer.Store(&tt.answer)
				let(2 * time.Hour)
				before := b.refreshes()
				_, err := grant.For(mailResource).Token(b.t.Context())
				e := b.failed(err, tt.kind)
				if !strings.Contains(e.Error(), tt.words) {
					b.t.Errorf("error %q, want %q in it", e.Error(), tt.words)
				}
				if n := b.refreshes() - before; n != 0 {
					b.t.Errorf("%d requests reached the server, want none", n)
				}
				for _, s := range []string{e.Error(), b.log.String()} {
					if strings.Contains(s, "the proxy's horse") {
						b.t.Errorf("the password is shown: %s", s)
					}
				}
				p.answer.Store(nil)
				let(time.Hour) // a refusal is remembered for a while
				if tok := b.token(grant.For(mailResource)); !tok.Valid(time.Now()) {
					b.t.Errorf("token %+v when the proxy works again, want a good one", tok)
				}
				let(time.Hour) // what goes on for others comes to its end
			})
		})
	}
}

// TestCancelledInTheProxy ends at the moment at which the context does.
func TestCancelledInTheProxy(t *testing.T) {
	t.Parallel()
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		p := b.behindProxy()
		grant := b.signIn()
		p.answer.Store(new(string))
		let(2 * time.Hour)
		ctx, cancel := context.WithCancel(b.t.Context())
		start := time.Now()
		time.AfterFunc(5*time.Second, cancel)
		_, err := grant.For(mailResource).Token(ctx)
		if took := time.Since(start); took != 5*time.Second || !errors.Is(err, context.Canceled) {
			b.t.Errorf("Token: %v after %v, want context.Canceled after 5s", err, took)
		}
		let(time.Hour) // what goes on for others comes to its end
	})
}

// roundTripper is a transport that is not net/http's.
type roundTripper struct{ http.RoundTripper }

// TestProxyThatCannotBeUsed is told before anything is sent.
func TestProxyThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for words, change := range map[string]func(*oauth.Config){
		"Transport is a oauth_test.roundTripper: set the proxy there": func(c *oauth.Config) {
			c.HTTPClient = &http.Client{Transport: roundTripper{http.DefaultTransport}}
			c.Proxy = &proxy.Config{URL: "http://proxy.example.net"}
		},
		"holds credentials": func(c *oauth.Config) { c.Proxy = &proxy.Config{URL: "http://ann:" + "horse" + "@proxy.example.net"} },
	} {
		b := newBed(t, oauthtest.Options{})
		change(b.cfg)
		_, err := oauth.SignIn(t.Context(), b.cfg, b.opts)
		e := b.failed(err, oauth.KindClientConfig)
		if !strings.Contains(e.Error(), words) || strings.Contains(e.Error(), "horse") {
			t.Errorf("error %q, want %q and no password", e.Error(), words)
		}
	}
}

// TestZeroProxyIsNone: the environment's is not used, although that is what the
// client's own transport would do.
func TestZeroProxyIsNone(t *testing.T) {
	t.Parallel()
	b := newBed(t, oauthtest.Options{})
	own, ok := b.srv.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the fake's client has another transport")
	}
	transport := own.Clone()
	transport.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("asked for a proxy") }
	b.cfg.HTTPClient = &http.Client{Transport: transport}
	b.cfg.Proxy = &proxy.Config{}
	b.signIn()
}
