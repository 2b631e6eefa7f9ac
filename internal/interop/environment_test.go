//go:build interop

package interop_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
)

// ownAddress returns an address of this machine by which it is reached from
// elsewhere: loopback ones are kept off every proxy of an environment.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range all {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	t.Fatalf("this machine has no IPv4 address beside loopback's, among %v: give it a network to test NO_PROXY with", all)
	return ""
}

// opened makes a server on loopback one of this machine's own address, behind
// TLS where cert is not nil, and returns its host and port.
func opened(t *testing.T, server string, cert *tls.Config) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", net.JoinHostPort(ownAddress(t), "0"))
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			if cert != nil {
				near = tls.Server(near, cert)
			}
			go join(t.Context(), near, server)
		}
	}()
	return listener.Addr().String()
}

// join connects near with a server until one of them ends.
func join(ctx context.Context, near net.Conn, server string) {
	defer near.Close()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}

// elsewhere is a mail server at another address, with its certificate for
// localhost.
func elsewhere(t *testing.T, server session.Server) session.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(opened(t, server.Address(0), nil))
	must(t, err)
	server.Host = host
	server.Port, err = strconv.Atoi(port)
	must(t, err)
	server.TLS = server.TLS.Clone()
	server.TLS.ServerName = "localhost"
	return server
}

// routes dials the listed addresses and no others.
func routes(allowed ...string) proxy.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !slices.Contains(allowed, address) {
			return nil, fmt.Errorf("%s was dialled, which is none of %q", address, allowed)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// TestTheEnvironmentAndRealProxies: token requests, IMAP and SMTP go by the
// proxy that the environment has for them, through Tinyproxy and MicroSocks, and
// past both where NO_PROXY names the server. The proxies' logs tell which came
// by, and no other way is open.
func TestTheEnvironmentAndRealProxies(t *testing.T) { //nolint:tparallel // the subtests share one mailbox
	t.Parallel()
	authorization, tokens := authorizationBehindProxies(t)
	servers := startServers(t, &interop.Options{Tokens: tokens})
	proxies := startProxies(t)
	authority, err := testtls.New(ownAddress(t))
	must(t, err)
	login := opened(t, hostOf(t, authorization.URL()), authority.Server())
	in, out := pair(t, servers, session.TLS)
	in, out = elsewhere(t, in), elsewhere(t, out)
	imap, smtp := in.Address(0), out.Address(0)
	for _, tt := range []struct {
		name        string
		env         map[string]string
		http, socks []string // what each proxy is asked for
		direct      []string
	}{
		{
			"CONNECT, but not for IMAP",
			map[string]string{"ALL_PROXY": "http://" + proxies.HTTP, "NO_PROXY": imap},
			[]string{login, smtp},
			nil,
			[]string{imap},
		},
		{
			"SOCKS5, but not for SMTP",
			map[string]string{"all_proxy": "socks5h://" + proxies.SOCKS, "no_proxy": "example.org," + smtp},
			nil,
			[]string{login, imap},
			[]string{smtp},
		},
		{
			"SOCKS5, but not for the sign-in",
			map[string]string{"ALL_PROXY": "socks5://" + proxies.SOCKS, "NO_PROXY": login},
			nil,
			[]string{imap, smtp},
			[]string{login},
		},
		{
			"each its own",
			map[string]string{"HTTPS_PROXY": proxies.HTTP, "ALL_PROXY": "socks5://" + proxies.SOCKS},
			[]string{login},
			[]string{imap, smtp},
			nil,
		},
		{
			"none of the machine's",
			map[string]string{"ALL_PROXY": "http://" + proxies.HTTP, "NO_PROXY": ownAddress(t) + "/32"},
			nil, nil,
			[]string{login, imap, smtp},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			way := &proxy.Config{Environment: true, Getenv: func(name string) string { return tt.env[name] }}
			dial := routes(append(tt.direct, proxies.HTTP, proxies.SOCKS)...)
			before := logsOf(proxies)
			grant := signInAs(t, authorization, clientAt(t, authorization, login, authority, way, dial))
			in, out := in, out
			in.Proxy, out.Proxy, in.Dial, out.Dial = way, way, dial, dial
			sendAndRead(t, session.Credentials{User: ann, Tokens: grant}, in, out)
			wantLogged(t, before, logsOf(proxies), map[string][]string{"CONNECT ": tt.http, "connected to ": tt.socks}, login, imap, smtp)
		})
	}
}

// clientAt is a program that knows the token endpoint under another address.
func clientAt(t *testing.T, server *oauthtest.Server, login string, authority *testtls.Authority, way *proxy.Config, dial proxy.Dial) *oauth.Config {
	t.Helper()
	cfg := clientBehind(t, server, way, dial)
	cfg.Endpoint.TokenURL = strings.Replace(server.TokenURL(), server.URL(), "https://"+login, 1)
	transport, ok := cfg.HTTPClient.Transport.(*http.Transport)
	if !ok {
		t.Fatal("the client has another transport")
	}
	transport.TLSClientConfig = authority.Client()
	return cfg
}

// logsOf returns what the proxies have logged, by the words before an address.
func logsOf(proxies *interop.Proxies) map[string]string {
	return map[string]string{"CONNECT ": proxies.Log(proxies.HTTP), "connected to ": proxies.Log(proxies.SOCKS)}
}

// wantLogged checks which servers each proxy was asked for since before.
func wantLogged(t *testing.T, before, after map[string]string, want map[string][]string, servers ...string) {
	t.Helper()
	for words, all := range after {
		news := strings.TrimPrefix(all, before[words])
		for _, server := range servers {
			asked, wanted := strings.Contains(news, words+server), slices.Contains(want[words], server)
			if asked != wanted {
				t.Errorf("asked for %q: %t, want %t, in the log\n%s", words+server, asked, wanted, news)
			}
		}
	}
}
