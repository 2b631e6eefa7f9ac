package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// lockedBuffer is a buffer for several writers.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// outside reaches the servers of a provider by their names, as a proxy does.
func outside(p *presettest.Provider, signIn *http.Transport) proxy.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		switch host, _, _ := strings.Cut(address, "."); host {
		case "imap":
			return p.IMAP.Dial(ctx, network, address)
		case "smtp":
			return p.SMTP.Dial(ctx, network, address)
		}
		return signIn.DialContext(ctx, network, address)
	}
}

// TestEverythingGoesThroughTheProxy signs in, sends a letter and reads it, with
// a way to the proxy and none around it.
func TestEverythingGoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	authority, err := testtls.New("proxy.example.net")
	if err != nil {
		t.Fatal(err)
	}
	const basic = "Basic YW5uOnRyMHViICYgaG9yc2U=" // of ann and the password
	for _, way := range []struct {
		name string
		c    proxy.Config
		play func(next proxy.Dial) func(*fake, net.Conn)
	}{
		{"CONNECT", proxy.Config{URL: "http://proxy.example.net"}, func(next proxy.Dial) func(*fake, net.Conn) {
			return forwarding("", next)
		}},
		{"CONNECT in TLS with credentials", proxy.Config{URL: "https://proxy.example.net", User: "ann", Password: secret.New(password), TLS: authority.Client()}, func(next proxy.Dial) func(*fake, net.Conn) {
			return underTLS(authority.Server(), forwarding(basic, next))
		}},
		{"SOCKS5", proxy.Config{URL: "socks5h://proxy.example.net"}, func(next proxy.Dial) func(*fake, net.Conn) {
			return forwardingSOCKS("", "", next)
		}},
		{"SOCKS5 with credentials", proxy.Config{URL: "socks5://proxy.example.net", User: "ann", Password: secret.New(password)}, func(next proxy.Dial) func(*fake, net.Conn) {
			return forwardingSOCKS("ann", password, next)
		}},
	} {
		for _, security := range []session.Security{session.TLS, session.STARTTLS, session.None} {
			t.Run(way.name+" "+security.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := presettest.NewProvider(&presettest.Options{InMemory: true, Security: security})
					defer p.Close()
					own, ok := p.OAuth.Client().Transport.(*http.Transport)
					if !ok {
						t.Fatal("the fake's client has another transport")
					}
					f := newFake(t, way.play(outside(p, own)))
					defer f.close()
					throughTheProxy(t, p, f, &way.c, own)
				})
			})
		}
	}
}

// throughTheProxy is the story, with what the proxy saw of it.
func throughTheProxy(t *testing.T, p *presettest.Provider, f *fake, c *proxy.Config, own *http.Transport) {
	t.Helper()
	cfg := p.Config(preset.IMAP, preset.SMTP)
	toProxy := own.Clone()
	toProxy.DialContext = f.Dial
	cfg.HTTPClient, cfg.Proxy = &http.Client{Transport: toProxy}, c
	shown := signInAndMail(t, p, cfg, f.Dial)
	requests, _ := f.seen()
	for _, want := range []string{"CONNECT " + strings.TrimPrefix(p.OAuth.URL(), "http://"), "CONNECT imap.contoso.example:", "CONNECT smtp.contoso.example:"} {
		if !strings.Contains(strings.Join(requests, "\n"), want) {
			t.Errorf("the proxy was asked %q, want %q among it", requests, want)
		}
	}
	wantNoSecret(t, shown...)
}

// signInAndMail signs in, sends a letter to oneself and reads it, by cfg.Proxy
// and dial, and returns all that was written and can be printed.
func signInAndMail(t *testing.T, p *presettest.Provider, cfg *oauth.Config, dial proxy.Dial) (shown []any) {
	t.Helper()
	const ann = "ann@contoso.example"
	p.Add(ann, secret.Text{})
	var log, transcript lockedBuffer
	written := testlog.New(t)
	logger := testlog.Logger(io.MultiWriter(&log, written))
	cfg.Logger, cfg.Observer = logger, testlog.NewObserver(written)
	grant, err := oauth.SignIn(t.Context(), cfg, p.Browser(ann))
	if err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	in, out := p.Preset().IMAP, p.Preset().SMTP
	for _, s := range []*session.Server{&in, &out} {
		s.Dial, s.Proxy, s.Transcript = dial, cfg.Proxy, io.MultiWriter(&transcript, written)
	}
	s, err := session.New(session.Credentials{User: ann, Tokens: grant}, imapx.Backend(in, nil), smtpx.Backend(out, nil), &session.Options{Logger: logger, Observer: testlog.NewObserver(written)})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := s.SendDraft(t.Context(), &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: ann}}, Subject: "through", Text: "x"}, nil)
	if err != nil || receipt.Outcome != session.Accepted {
		t.Errorf("SendDraft = %+v, %v", receipt, err)
	}
	var subjects []string
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, m.Header.Subject())
	}
	if len(subjects) != 1 || subjects[0] != "through" {
		t.Errorf("subjects %q, want the letter's", subjects)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return []any{log.String(), transcript.String(), in, out, *cfg}
}
