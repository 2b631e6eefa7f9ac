//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// startProxies starts proxies for one test and writes their logs down.
func startProxies(t *testing.T) *interop.Proxies {
	t.Helper()
	proxies, err := interop.StartProxies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Log(proxies.Logs())
		if err := proxies.Stop(); err != nil {
			t.Error(err)
		}
	})
	return proxies
}

// only connects to one address and to no other.
func only(address string) proxy.Dial {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		if to != address {
			return nil, fmt.Errorf("%s was to be dialled past the proxy at %s", to, address)
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
}

// TestThroughRealProxies signs in, sends and reads through Tinyproxy and
// MicroSocks, with credentials and without, in each kind of encryption. No
// other way is open, and the proxies' logs tell where they were asked to go.
func TestThroughRealProxies(t *testing.T) { //nolint:tparallel // the subtests share one mailbox
	t.Parallel()
	authorization, tokens := authorizationBehindProxies(t)
	servers := startServers(t, &interop.Options{Tokens: tokens})
	proxies := startProxies(t)
	for _, way := range []struct {
		name, address, log string // log is what it writes before host and port
		config             proxy.Config
	}{
		{"CONNECT", proxies.HTTP, "CONNECT ", proxy.Config{URL: "http://" + proxies.HTTP}},
		{"CONNECT with password", proxies.HTTPWithPassword, "CONNECT ", proxy.Config{
			URL: "http://" + proxies.HTTPWithPassword, User: proxies.User, Password: proxies.Password,
		}},
		{"SOCKS5", proxies.SOCKS, "connected to ", proxy.Config{URL: "socks5h://" + proxies.SOCKS}},
		{"SOCKS5 with password", proxies.SOCKSWithPassword, "connected to ", proxy.Config{
			URL: "socks5://" + proxies.SOCKSWithPassword, User: proxies.User, Password: proxies.Password,
		}},
	} {
		for _, security := range []session.Security{session.TLS, session.STARTTLS, session.None} {
			t.Run(way.name+" "+security.String(), func(t *testing.T) {
				grant := signInAs(t, authorization, clientBehind(t, authorization, &way.config, only(way.address)))
				in, out := pair(t, servers, security)
				for _, s := range []*session.Server{&in, &out} {
					s.Proxy, s.Dial = &way.config, only(way.address)
				}
				sendAndRead(t, session.Credentials{User: ann, Tokens: grant}, in, out)
				for _, server := range []string{in.Address(0), out.Address(0), hostOf(t, authorization.URL())} {
					if log := proxies.Log(way.address); !strings.Contains(log, way.log+server) {
						t.Errorf("the proxy's log has no %q:\n%s", way.log+server, log)
					}
				}
			})
		}
	}
}

// authorizationBehindProxies starts the fake, and says how Dovecot asks it.
func authorizationBehindProxies(t *testing.T) (*oauthtest.Server, *interop.Introspection) {
	t.Helper()
	dovecot := oauthtest.Client{ID: "dovecot", Secret: secret.New("between the two horses")}
	server := oauthtest.New(&oauthtest.Options{
		Accounts: []oauthtest.Account{{Email: ann}},
		Scopes:   []string{mailScope, "openid", "email"},
		Clients:  []oauthtest.Client{{ID: oauthtest.DefaultClientID}, dovecot},
	})
	t.Cleanup(server.Close)
	return server, &interop.Introspection{
		URL: server.IntrospectURL(), ClientID: dovecot.ID, ClientSecret: dovecot.Secret, Scope: mailScope,
	}
}

// clientBehind is a mail program whose token requests go by a proxy, and by dial
// to that.
func clientBehind(t *testing.T, server *oauthtest.Server, config *proxy.Config, dial proxy.Dial) *oauth.Config {
	t.Helper()
	own, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the fake's client has another transport")
	}
	transport := own.Clone()
	transport.DialContext = dial
	return &oauth.Config{
		ClientID:   oauthtest.DefaultClientID,
		Endpoint:   oauth.Endpoint{Issuer: server.Issuer(), AuthURL: server.AuthURL(), TokenURL: server.TokenURL()},
		Scopes:     []string{mailScope, "openid", "email"},
		HTTPClient: &http.Client{Transport: transport},
		Proxy:      config,
	}
}

// signInAs signs Ann in.
func signInAs(t *testing.T, server *oauthtest.Server, cfg *oauth.Config) *oauth.Grant {
	t.Helper()
	grant, err := oauth.SignIn(t.Context(), cfg, &oauth.SignInOptions{LoginHint: ann, OpenURL: server.Browser})
	must(t, err)
	return grant
}

// sendAndRead sends a letter to oneself and waits for it.
func sendAndRead(t *testing.T, creds session.Credentials, in, out session.Server) {
	t.Helper()
	s, err := session.New(creds, imapx.Backend(in, nil), smtpx.Backend(out, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := s.SendDraft(t.Context(), &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: ann}}, Subject: "through", Text: "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	awaitMail(t, s, receipt.MessageID)
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// TestWhatRealProxiesRefuse: credentials that are missing or wrong, and servers
// that are not there.
func TestWhatRealProxiesRefuse(t *testing.T) {
	t.Parallel()
	proxies := startProxies(t)
	closed := closedAddress(t)
	wrong := secret.New("not this horse")
	for _, tt := range []struct {
		name   string
		config proxy.Config
		status int
		reply  int
		words  string
	}{
		{"CONNECT without credentials", proxy.Config{URL: "http://" + proxies.HTTPWithPassword}, 407, 0, "asks for credentials (Basic)"},
		{"CONNECT with a wrong password", proxy.Config{URL: "http://" + proxies.HTTPWithPassword, User: proxies.User, Password: wrong}, 401, 0, "check User and Password of the proxy"},
		{"CONNECT to nobody", proxy.Config{URL: "http://" + proxies.HTTP}, 500, 0, ""},
		{"SOCKS5 without credentials", proxy.Config{URL: "socks5://" + proxies.SOCKSWithPassword}, 0, 0, "asks for credentials"},
		{"SOCKS5 with a wrong password", proxy.Config{URL: "socks5://" + proxies.SOCKSWithPassword, User: proxies.User, Password: wrong}, 0, 0, "refused the credentials"},
		{"SOCKS5 to nobody", proxy.Config{URL: "socks5://" + proxies.SOCKS}, 0, 5, "connection refused"},
		{"CONNECT at a SOCKS5 proxy", proxy.Config{URL: "http://" + proxies.SOCKS}, 0, 0, "proxy http://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := tt.config.Dialer("mail", nil)(ctx, "tcp", closed)
			e, ok := errors.AsType[*proxy.Error](err)
			if !ok || e.Status != tt.status || e.Reply != tt.reply || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("Dial: %v (%+v), want status %d, reply %d and %q", err, e, tt.status, tt.reply, tt.words)
			}
			if err != nil && strings.Contains(err.Error(), wrong.Reveal()) {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

// closedAddress returns an address at which nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	held, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	return held.Addr().String()
}
