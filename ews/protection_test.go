package ews_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// ending is where TLS ends.
type ending string

const (
	atServer  ending = "at the server"
	elsewhere ending = "elsewhere, and begins anew" // an inspection of TLS
	offloaded ending = "before the server"          // an offloader
	inTheOpen ending = "nowhere"
)

// TestExtendedProtection: NTLM is bound to the server's certificate and name, so that it
// gets in wherever a client of Windows does. Where something else ends TLS, it does not,
// and the error tells who; without the binding it gets in where that is allowed. The
// password is proven once.
func TestExtendedProtection(t *testing.T) {
	const inspected, allowed, unmet, unnamed = `"localhost" by "mailsession test authority"`, "", "does not meet", "not know this name"
	for name, tt := range map[string]struct {
		wanted  ewstest.ExtendedProtection
		ends    ending
		host    string
		unbound bool
		problem string
	}{
		"off":                            {ewstest.ProtectionNone, atServer, mail, false, allowed},
		"off, inspected":                 {ewstest.ProtectionNone, elsewhere, mail, false, allowed},
		"allowed":                        {ewstest.ProtectionAllow, atServer, mail, false, allowed},
		"allowed, inspected":             {ewstest.ProtectionAllow, elsewhere, mail, false, inspected},
		"allowed, inspected, unbound":    {ewstest.ProtectionAllow, elsewhere, mail, true, allowed},
		"allowed, unbound":               {ewstest.ProtectionAllow, atServer, mail, true, allowed},
		"required":                       {ewstest.ProtectionRequire, atServer, mail, false, allowed},
		"required, inspected":            {ewstest.ProtectionRequire, elsewhere, mail, false, inspected},
		"required, unbound":              {ewstest.ProtectionRequire, atServer, mail, true, unmet},
		"required, offloaded":            {ewstest.ProtectionRequire, offloaded, mail, false, allowed},
		"required, offloaded, unbound":   {ewstest.ProtectionRequire, offloaded, mail, true, unmet},
		"required, in the open":          {ewstest.ProtectionRequire, inTheOpen, mail, false, allowed},
		"required, under another name":   {ewstest.ProtectionRequire, inTheOpen, "other.example", false, unnamed},
		"allowed, under another name":    {ewstest.ProtectionAllow, inTheOpen, "other.example", false, unnamed},
		"required, another one, unbound": {ewstest.ProtectionRequire, inTheOpen, "other.example", true, unmet},
		"allowed, another one, unbound":  {ewstest.ProtectionAllow, inTheOpen, "other.example", true, allowed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newProtectedBed(t, tt.wanted, tt.ends, tt.host, tt.unbound)
				for range 2 {
					_, err := b.Count(t.Context(), session.Inbox)
					switch {
					case tt.problem == "" && err != nil:
						t.Fatalf("Count = %v", err)
					case tt.problem != "" && (!session.NeedsSignIn(err) || !strings.Contains(err.Error(), tt.problem) || !strings.Contains(err.Error(), "Extended Protection")):
						t.Fatalf("Count = %v, want a refusal that has %q", err, tt.problem)
					case tt.problem != "":
						return
					}
				}
			})
		})
	}
}

// newProtectedBed returns a client that signs in by NTLM at a server with Extended
// Protection. At the end the password has been proven once.
func newProtectedBed(t *testing.T, wanted ewstest.ExtendedProtection, ends ending, host string, unbound bool) *bed {
	t.Helper()
	w := newWeb(t)
	o := ewstest.Options{ExtendedProtection: wanted, Schemes: []string{ewstest.NTLM}, Hosts: []string{mail}}
	if ends == atServer || ends == elsewhere {
		o.Security, o.TLS = mailtest.TLS, w.authority.Server()
	}
	b := newBed(t, settings{
		server: o, client: ews.Options{NoChannelBinding: unbound},
		change: func(s *session.Server) {
			s.Host, s.Mechanisms = host, []string{ews.NTLM}
			if ends == inTheOpen {
				return
			}
			s.Security, s.TLS = session.TLS, w.authority.Client()
			if ends != atServer {
				other := newAuthority(t, "localhost", mail)
				s.TLS = other.Client()
				s.Dial = endingTLS(s.Dial, other, ends == elsewhere, w.authority)
			}
		},
	})
	t.Cleanup(func() {
		if n := b.proofs(); n != 1 {
			t.Errorf("the password was proven %d times, want once", n)
		}
	})
	return b
}

// proofs returns how often a password was proven by NTLM: requests that ask what to
// prove have no body.
func (b *bed) proofs() int {
	n := 0
	for _, r := range b.server.Requests() {
		if strings.HasPrefix(r.Header.Get("Authorization"), "NTLM ") && r.Body != "" {
			n++
		}
	}
	return n
}

func newAuthority(tb testing.TB, hosts ...string) *testtls.Authority {
	tb.Helper()
	a, err := testtls.New(hosts...)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// dialer makes connections.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// endingTLS ends TLS with a certificate of its own, and may begin it anew.
func endingTLS(dial dialer, own *testtls.Authority, anew bool, server *testtls.Authority) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		behind, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if anew {
			settings := server.Client()
			settings.ServerName = mail
			behind = tls.Client(behind, settings)
		}
		near, far := pipe.New()
		before := tls.Server(far, own.Server())
		go func() {
			go func() {
				_, _ = io.Copy(behind, before)
				_ = behind.Close()
			}()
			_, _ = io.Copy(before, behind)
			_ = before.Close()
		}()
		return near, nil
	}
}

// TestProtectedDiscovery: Autodiscover's hosts have Extended Protection as well.
func TestProtectedDiscovery(t *testing.T) {
	for name, tt := range map[string]struct {
		unbound bool
		problem string
	}{
		"bound":   {false, ""},
		"unbound": {true, "NoChannelBinding"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWeb(t)
				w.exchange(auto, ewstest.Options{
					ExtendedProtection: ewstest.ProtectionRequire, Schemes: []string{ewstest.NTLM},
					NoAutodiscover: only(ewstest.DiscoverPOX), ExternalURL: atMail,
				})
				o := w.options()
				o.Hosts, o.NoChannelBinding = []string{mail}, tt.unbound
				found, err := ews.Discover(t.Context(), mailbox, o)
				if tt.problem == "" && (err != nil || found.URL != atMail) {
					t.Errorf("Discover = %+v, %v; want %s", found, err, atMail)
				}
				if tt.problem != "" && (!session.NeedsSignIn(err) || !strings.Contains(err.Error(), tt.problem)) {
					t.Errorf("Discover = %v, want a refusal that has %q", err, tt.problem)
				}
			})
		})
	}
}

// TestWhatSignsInSeesTLS: what a program puts around a connection can bind to it.
func TestWhatSignsInSeesTLS(t *testing.T) {
	w := newWeb(t)
	seen := 0
	b := newBed(t, settings{
		server: ewstest.Options{Security: mailtest.TLS, TLS: w.authority.Server()},
		client: ews.Options{Authenticate: func(base http.RoundTripper) http.RoundTripper {
			return seeing{wearing{base}, func(resp *http.Response) {
				if resp.TLS != nil && resp.TLS.PeerCertificates[0].VerifyHostname(mail) == nil {
					seen++
				}
			}}
		}},
		change: func(s *session.Server) { s.Host, s.Security, s.TLS = mail, session.TLS, w.authority.Client() },
	})
	if _, err := b.Count(t.Context(), session.Inbox); err != nil || seen == 0 {
		t.Errorf("Count = %v, after %d answers with the certificate; want some", err, seen)
	}
}

// seeing looks at answers.
type seeing struct {
	http.RoundTripper

	look func(*http.Response)
}

func (s seeing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(req)
	if err == nil {
		s.look(resp)
	}
	return resp, err
}
