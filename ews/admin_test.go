package ews_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/pipe"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestWhatStandsBefore: what answers in the place of EWS is told for what it is, with
// what an administrator can do about it, in real use and in a check.
func TestWhatStandsBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		words  []string
	}{
		"Outlook on the web": {"302 Found\r\nLocation: https://mail.contoso.example/owa/auth/logon.aspx?url=x", []string{"logon.aspx", "without pre-authentication"}},
		"AD FS":              {"302 Found\r\nLocation: https://sts.contoso.example/adfs/ls/?wa=wsignin1.0", []string{"/adfs/ls", "without pre-authentication"}},
		"a gateway":          {"302 Found\r\nLocation: /CookieAuth.dll?GetLogon", []string{"without pre-authentication"}},
		"the end of a login": {"440 Login Timeout", []string{"without pre-authentication"}},
		"a page":             {"200 OK\r\nContent-Type: text/html; charset=utf-8", []string{"not EWS", "without pre-authentication"}},
		"another place":      {"301 Moved\r\nLocation: https://other.contoso.example/x", []string{"other.contoso.example", "set it as the server"}},
		"a proxy":            {"407 No\r\nProxy-Authenticate: NTLM", []string{"Server.Proxy"}},
		"no POST":            {"405 Method Not Allowed", []string{"Options.Path"}},
		"forbidden":          {"403 Forbidden", []string{"https", "EwsEnabled", "client certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{change: (&between{answer: func(string, string) string {
					return "HTTP/1.1 " + tt.answer + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
				}}).stand})
				_, err := b.Count(t.Context(), session.Inbox)
				report := b.Check(t.Context(), nil)
				for _, w := range tt.words {
					if err == nil || !strings.Contains(err.Error(), w) {
						t.Errorf("Count = %v, want %q in it", err, w)
					}
					if report.Err() == nil || !strings.Contains(report.String(), w) {
						t.Errorf("the check says %s, want %q in it", report, w)
					}
				}
				if session.NeedsSignIn(err) || session.Temporary(err) {
					t.Errorf("Count = %v, want what neither passes nor is about the credentials", err)
				}
			})
		})
	}
}

// asking signs in as Kerberos does: once it was asked.
type asking struct {
	base   http.RoundTripper
	ticket string
}

func (a asking) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if s, ok := req.Body.(io.Seeker); ok {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", a.ticket)
	return a.base.RoundTrip(req)
}

// TestKerberosByTheProgram: what the program puts around a connection goes on where the
// server ends it at the question, and a refusal says what to look at.
func TestKerberosByTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(ann, password().Reveal())
		ticket := req.Header.Get("Authorization")
		lb := &between{answer: func(answer, _ string) string {
			if strings.HasPrefix(answer, "HTTP/1.1 401") {
				return with(answer, "Connection: close")
			}
			return answer
		}}
		b := newBed(t, settings{
			server: ewstest.Options{Schemes: []string{ewstest.Basic}},
			client: ews.Options{Authenticate: func(connection http.RoundTripper) http.RoundTripper {
				return asking{connection, ticket}
			}},
			change: lb.stand,
		})
		b.fill(t, 1)
		for range 2 {
			if subjects, _, err := b.list(t.Context(), session.Query{}); err != nil || len(subjects) != 1 {
				t.Fatalf("Messages = %q, %v; want one", subjects, err)
			}
		}
		ticket = "Negotiate horse"
		b.server.Disconnect()
		_, err := b.Count(t.Context(), session.Inbox)
		e, ok := errors.AsType[*session.AuthError](err)
		if !ok || e.Mechanism != ews.Custom || !strings.Contains(e.Remedy, "HTTP/localhost") || !strings.Contains(e.Remedy, "Basic") || strings.Contains(err.Error(), "horse") {
			t.Errorf("Count with a ticket that is refused: %v; want an AuthError that says what to look at", err)
		}
	})
}

// TestProxyWantsToBeSignedInTo: a proxy that refuses the tunnel is told as with every
// other protocol.
func TestProxyWantsToBeSignedInTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipe.NewListener()
		go func() {
			for {
				nc, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = nc.Read(make([]byte, 4096))
				_, _ = io.WriteString(nc, "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n")
				_ = nc.Close()
			}
		}()
		b := newBed(t, settings{change: func(s *session.Server) {
			s.Proxy = &proxy.Config{URL: "http://proxy.example.net:3128"}
			s.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) }
		}})
		_, err := b.Count(t.Context(), session.Inbox)
		e, ok := errors.AsType[*proxy.Error](err)
		if !ok || e.Status != http.StatusProxyAuthRequired || e.Remedy == "" || !strings.Contains(err.Error(), e.Remedy) {
			t.Errorf("Count = %v, want the proxy's refusal and the remedy", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestDiscoverWhereConnectionsEnd: discovery signs in by NTLM over a new connection
// too, and shows a wrong password once a host.
func TestDiscoverWhereConnectionsEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(o *ews.DiscoverOptions)
		at       string
		found    bool
		proofs   int
		problem  string
		announce string
	}{
		"at the refusal":   {nil, "WWW-Authenticate: NTLM\r\n", true, 1, "", "WWW-Authenticate: negotiate, ntlm\r\n"},
		"in the midst":     {nil, asksForProof, false, 0, "midst of the handshake", ""},
		"a wrong password": {func(o *ews.DiscoverOptions) { o.Credentials.Password = secret.New("wrong horse") }, "never", false, 1, "refused", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb(t)
			s := w.exchange(auto, ewstest.Options{NoAutodiscover: only(ewstest.DiscoverPOX), ExternalURL: atMail, Schemes: []string{ewstest.NTLM}})
			o := w.options()
			if tt.change != nil {
				tt.change(o)
			}
			proofs := 0
			w.servers[auto+":443"] = tlsBetween(t, w, s, func(answer, request string) string {
				if strings.Contains(request, " TlRMTVNTUAADAAAA") {
					proofs++
				}
				if strings.HasPrefix(answer, "HTTP/1.1 401") && strings.Contains(answer, tt.at) {
					answer = with(answer, "Connection: close")
					if tt.announce != "" {
						answer = strings.Replace(answer, tt.at, tt.announce, 1)
					}
				}
				return answer
			})
			d, err := ews.Discover(t.Context(), mailbox, o)
			if found := err == nil && d.URL == atMail; found != tt.found || proofs != tt.proofs || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("Discover = %v, %v after %d proofs; want it found: %t, after %d (%q)", d, err, proofs, tt.found, tt.proofs, tt.problem)
			}
		})
	}
}

// tlsBetween puts something that changes answers before a server within the encryption.
func tlsBetween(t *testing.T, w *web, s *ewstest.Server, answer func(answer, request string) string) func(context.Context) (net.Conn, error) {
	t.Helper()
	inner := &between{answer: answer, dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := s.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		o := w.authority.Client()
		o.ServerName = auto
		return tls.Client(nc, o), nil
	}}
	return func(ctx context.Context) (net.Conn, error) {
		server, err := inner.Dial(ctx, "tcp", auto)
		if err != nil {
			return nil, err
		}
		near, far := pipe.New()
		outer := tls.Server(far, w.authority.Server())
		go func() {
			_, _ = io.Copy(server, outer)
			_ = server.Close()
		}()
		go func() {
			_, _ = io.Copy(outer, server)
			_ = outer.Close()
		}()
		return near, nil
	}
}
