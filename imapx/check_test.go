package imapx_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// wantReport checks what holds of every report: everything before the stage
// passed or had nothing to do, everything behind it was not reached, and nothing
// in it is secret. An empty stage means that none fails.
func wantReport(t *testing.T, r session.Report, at session.Stage, remedy string) {
	t.Helper()
	failed, _ := r.Failed()
	if failed.Stage != at {
		t.Errorf("the check failed at %q, want %q:\n%v", failed.Stage, at, r)
	}
	behind := false
	for _, s := range r.Stages {
		switch {
		case s.Stage == at:
			behind = true
		case behind != (s.Outcome == session.CheckNotReached):
			t.Errorf("%s %v, which does not fit a failure at %q", s.Stage, s.Outcome, at)
		}
	}
	if at != "" && (failed.Remedy == "" || !strings.Contains(failed.Remedy, remedy)) {
		t.Errorf("the remedy is %q, want one with %q; the error is %v", failed.Remedy, remedy, failed.Err)
	}
	var e *session.CheckError
	if err := r.Err(); (err != nil) != (at != "") || err != nil && (!errors.As(err, &e) || e.Stage != at) {
		t.Errorf("Err() = %v, want one about %q", err, at)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.String()+string(b), "horse") {
		t.Error("the report holds a secret")
	}
}

// encrypted has the client and the fake server begin with TLS.
func encrypted(s *session.Server, _ *session.Credentials, _ *imapx.Options) { s.Security = session.TLS }

func upgraded(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
	s.Security = session.STARTTLS
}

// TestCheckPasses: every stage with what is worth knowing about it.
func TestCheckPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, &imaptest.Options{Security: mailtest.STARTTLS}, upgraded, withID(map[string]string{"name": "courier"}))
		if err := w.account.AddFlags("INBOX", []string{mailtest.Seen}, 1); err != nil {
			t.Fatal(err)
		}
		w.server.Inject(mailtest.Delay("AUTHENTICATE", 3*time.Second))
		r := w.client.Check(t.Context(), nil)
		wantReport(t, r, "", "")
		var order []string
		for _, s := range r.Stages {
			order = append(order, string(s.Stage))
		}
		if got, want := strings.Join(order, " "), "dns connect greeting tls capabilities sign-in mailbox folder search"; got != want {
			t.Errorf("the stages are %q, want %q", got, want)
		}
		for _, want := range []struct {
			stage        session.Stage
			name, detail string
		}{
			{session.StageDNS, "reason", "the settings have a function that connects"},
			{session.StageTLS, "version", "TLS 1.3"},
			{session.StageTLS, "certificate for", "localhost, 127.0.0.1, ::1"},
			{session.StageTLS, "issuer", "CN=mailsession test authority"},
			{session.StageTLS, "expires", "2099-12-31T00:00:00Z"},
			{session.StageGreeting, "greeting", "imaptest ready"},
			{session.StageGreeting, "server", "name=imaptest"},
			{session.StageSignIn, "mechanism", "PLAIN"},
			{session.StageMailbox, "folders", "6"},
			{session.StageFolder, "path", "INBOX"},
			{session.StageFolder, "messages", "3"},
			{session.StageFolder, "unread", "2"},
			{session.StageSearch, "found", "3 of about the last day"},
		} {
			s, ok := r.Stage(want.stage)
			if got := s.Detail(want.name); !ok || got != want.detail {
				t.Errorf("%s: %s is %q, want %q", want.stage, want.name, got, want.detail)
			}
		}
		if s, _ := r.Stage(session.StageSignIn); s.Took != 3*time.Second || r.Took != s.Took {
			t.Errorf("signing in took %v of %v, want 3 s of as much", s.Took, r.Took)
		}
		if caps, _ := r.Stage(session.StageCapabilities); !strings.Contains(caps.Detail("capabilities"), "UIDPLUS") {
			t.Errorf("the capabilities are %q", caps.Detail("capabilities"))
		}
	})
}

// TestCheckChangesNothing: no folder is opened for writing, no flag set.
func TestCheckChangesNothing(t *testing.T) {
	w := newWorld(t, 2, nil)
	wantReport(t, w.client.Check(t.Context(), &session.CheckOptions{Folder: session.Sent}), "", "")
	for _, c := range w.server.Commands() {
		switch c.Name {
		case "AUTHENTICATE", "NAMESPACE", "LIST", "EXAMINE", "STATUS", "UID SEARCH":
		default:
			t.Errorf("the server heard %s", c.Line)
		}
	}
}

// TestCheckFailsWhereItFails: each stage on the fake server.
func TestCheckFailsWhereItFails(t *testing.T) {
	token := func(_ *session.Server, c *session.Credentials, _ *imapx.Options) {
		c.Tokens = oauth.AnyResource(oauth.StaticToken(secret.New("a-token-of-a-horse")))
	}
	wrongPassword := func(_ *session.Server, c *session.Credentials, _ *imapx.Options) {
		c.Password = secret.New("the wrong horse")
	}
	clock := func(at time.Time) func(*session.Server, *session.Credentials, *imapx.Options) {
		return func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
			s.Security = session.TLS
			s.TLS.Time = func() time.Time { return at }
		}
	}
	for _, tt := range []struct {
		name   string
		server imaptest.Options
		adjust func(*session.Server, *session.Credentials, *imapx.Options)
		fault  mailtest.Fault
		folder session.FolderRef
		at     session.Stage
		remedy string
	}{
		{name: "name unknown", adjust: dialError(&net.DNSError{Err: "no such host", Name: "localhost", IsNotFound: true}), at: session.StageDNS, remedy: "check its spelling"},
		{name: "name server down", adjust: dialError(&net.DNSError{Err: "server misbehaving", Name: "localhost", IsTemporary: true}), at: session.StageDNS, remedy: "name server does not answer"},
		{name: "nothing answers", adjust: silentDial, at: session.StageConnect, remedy: "firewall"},
		{name: "proxy refuses", adjust: throughProxy("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), at: session.StageConnect, remedy: "The proxy forbids this server"},
		{name: "proxy wants a password", adjust: throughProxy("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), at: session.StageConnect, remedy: "Password"},

		{name: "untrusted", server: imaptest.Options{Security: mailtest.TLS}, adjust: func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
			s.Security, s.TLS = session.TLS, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		}, at: session.StageTLS, remedy: "does not trust the authority"},
		{name: "signed by itself", server: imaptest.Options{Security: mailtest.TLS, TLS: selfSigned(t)}, adjust: func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
			s.Security, s.TLS = session.TLS, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		}, at: session.StageTLS, remedy: "signed its certificate itself"},
		{name: "another name", server: imaptest.Options{Security: mailtest.TLS}, adjust: func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
			s.Security, s.Host = session.TLS, "mail.example.com"
		}, at: session.StageTLS, remedy: "not for mail.example.com but for localhost, 127.0.0.1, ::1"},
		{name: "expired", server: imaptest.Options{Security: mailtest.TLS}, adjust: clock(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)), at: session.StageTLS, remedy: "has expired"},
		{name: "not yet valid", server: imaptest.Options{Security: mailtest.TLS}, adjust: clock(time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC)), at: session.StageTLS, remedy: "clock"},
		{name: "plain where TLS is expected", adjust: encrypted, at: session.StageTLS, remedy: "does not speak TLS"},
		{name: "silent handshake", server: imaptest.Options{Security: mailtest.TLS}, adjust: encrypted, fault: mailtest.Silence(mailtest.Handshake), at: session.StageTLS, remedy: "does not answer the encryption"},
		{name: "STARTTLS not offered", adjust: upgraded, at: session.StageTLS, remedy: "port for TLS"},
		{name: "STARTTLS refused", server: imaptest.Options{Security: mailtest.STARTTLS}, adjust: upgraded, fault: mailtest.Reply("STARTTLS", "NO not today"), at: session.StageTLS, remedy: "port for TLS"},

		{name: "goodbye", fault: mailtest.Reply(mailtest.Greeting, "* BYE too many connections"), at: session.StageGreeting, remedy: "later"},
		{name: "another protocol", fault: mailtest.Reply(mailtest.Greeting, "220 mail.example.com ESMTP"), at: session.StageGreeting, remedy: "host and port"},
		{name: "silence", fault: mailtest.Silence(mailtest.Greeting), at: session.StageGreeting, remedy: "set Security to TLS"},
		{name: "silence under TLS", server: imaptest.Options{Security: mailtest.TLS}, adjust: encrypted, fault: mailtest.Silence(mailtest.Greeting), at: session.StageGreeting, remedy: "overloaded"},
		{name: "hangs up", fault: mailtest.Drop(mailtest.Greeting, 0), at: session.StageGreeting, remedy: "hangs up without a word"},

		{name: "no capabilities", server: imaptest.Options{QuietCapabilities: true}, fault: mailtest.Reply("CAPABILITY", "BAD no"), at: session.StageCapabilities},
		{name: "no mechanism", server: imaptest.Options{Capabilities: []string{"LOGINDISABLED", "AUTH=GSSAPI"}}, at: session.StageSignIn, remedy: "OAuth"},
		{name: "plain text", adjust: func(s *session.Server, _ *session.Credentials, _ *imapx.Options) { s.AllowPlainAuth = false }, at: session.StageSignIn, remedy: "TLS"},
		{name: "wrong password", adjust: wrongPassword, at: session.StageSignIn, remedy: "Check user name and password"},
		{name: "wrong token", adjust: token, at: session.StageSignIn, remedy: "Give a fresh access token"},
		{name: "a server that repeats the password", fault: mailtest.Reply("AUTHENTICATE", "NO correct horse battery is wrong, AGFubkBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk= too"), at: session.StageSignIn, remedy: "Check user name"},
		{name: "silent sign-in", fault: mailtest.Silence("AUTHENTICATE"), at: session.StageSignIn, remedy: "does not answer the sign-in"},

		{name: "authenticated but not connected", fault: mailtest.Reply("LIST", "BAD User is authenticated but not connected."), at: session.StageMailbox, remedy: "has a licence"},
		{name: "authenticated but not connected, at once", server: imaptest.Options{QuietCapabilities: true}, fault: mailtest.Reply("CAPABILITY", "BAD User is authenticated but not connected.").Skipping(1), at: session.StageMailbox, remedy: "has a licence"},
		{name: "authenticated but not connected, later", fault: mailtest.Reply("EXAMINE", "NO User is authenticated but not connected."), at: session.StageFolder, remedy: "has a licence"},
		{name: "lost", fault: mailtest.Drop("LIST", 0), at: session.StageMailbox, remedy: "broke"},

		{name: "no folder", folder: session.FolderAt("Nowhere"), at: session.StageFolder, remedy: "check the path"},
		{name: "folder refused", fault: mailtest.Reply("EXAMINE", "NO [NOPERM] no"), at: session.StageFolder, remedy: "grant the right"},
		{name: "unsafe login", fault: always(mailtest.Reply("EXAMINE", "NO EXAMINE Unsafe Login")), at: session.StageFolder, remedy: "Options.ID"},
		{name: "search", fault: always(mailtest.Reply("SEARCH", "NO [UNAVAILABLE] the index is rebuilt")), at: session.StageSearch, remedy: "later"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, &tt.server, func(s *session.Server, c *session.Credentials, o *imapx.Options) {
					if tt.adjust != nil {
						tt.adjust(s, c, o)
					}
				})
				if tt.fault.Command != "" {
					w.server.Inject(tt.fault)
				}
				wantReport(t, w.client.Check(t.Context(), &session.CheckOptions{Folder: tt.folder}), tt.at, tt.remedy)
			})
		})
	}
}

func dialError(err error) func(*session.Server, *session.Credentials, *imapx.Options) {
	return func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
		s.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}
}

func silentDial(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
	s.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

// throughProxy puts a proxy on the way that answers every request alike.
func throughProxy(answer string) func(*session.Server, *session.Credentials, *imapx.Options) {
	return func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
		s.Proxy = &proxy.Config{URL: "http://proxy.example:3128", User: "ann", Password: secret.New("the proxy's horse")}
		s.Dial = func(context.Context, string, string) (net.Conn, error) {
			client, server := pipe.New()
			go func() {
				defer server.Close()
				r := bufio.NewReader(server)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if line == "\r\n" {
						_, _ = io.WriteString(server, answer)
						return
					}
				}
			}()
			return client, nil
		}
	}
}

// selfSigned returns a server's settings with a certificate that nobody else
// signed.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// TestCheckWarnsOfACertificateThatEnds: the check passes, and says so.
func TestCheckWarnsOfACertificateThatEnds(t *testing.T) {
	for day, want := range map[int]string{
		24: "The certificate expires in 7 days, on 2099-12-31 00:00 UTC: have the server's operator renew it.",
		10: "",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 0, &imaptest.Options{Security: mailtest.TLS}, encrypted, func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
				s.TLS.Time = func() time.Time { return time.Date(2099, 12, day, 0, 0, 0, 0, time.UTC) }
			})
			r := w.client.Check(t.Context(), nil)
			wantReport(t, r, "", "")
			s, _ := r.Stage(session.StageTLS)
			if got := strings.Join(s.Warnings, "|"); got != want {
				t.Errorf("warnings on day %d: %q, want %q", day, got, want)
			}
		})
	}
}

// TestCheckUsesAConnectionOfItsOwn: what rests in the pool is left alone, or
// makes room where the server lets but one in.
func TestCheckUsesAConnectionOfItsOwn(t *testing.T) {
	for limit, open := range map[int]int{1: 1, 4: 2} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = limit })
			list(t, w.client.Messages(t.Context(), session.Query{}))
			wantReport(t, w.client.Check(t.Context(), nil), "", "")
			synctest.Wait()
			made, now := w.server.Connections()
			if made != 2 || now != open {
				t.Errorf("with at most %d: %d connections made, %d open, want 2 and %d", limit, made, now, open)
			}
			list(t, w.client.Messages(t.Context(), session.Query{}))
			if made, _ := w.server.Connections(); made != 2 {
				t.Errorf("%d connections made afterwards, want 2: what the check made is good for others", made)
			}
		})
	}
}

// TestCheckIsCalledOff: the stage under way says so, at once.
func TestCheckIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		w.server.Inject(mailtest.Silence("LIST"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := w.client.Check(ctx, nil)
		wantReport(t, r, session.StageMailbox, "time for the check was over")
		if r.Took != 5*time.Second || !errors.Is(r.Err(), context.DeadlineExceeded) {
			t.Errorf("it took %v and ended in %v, want 5 s and the context's error", r.Took, r.Err())
		}
		if err := w.client.Close(); err != nil {
			t.Error(err)
		}
		r = w.client.Check(t.Context(), nil)
		if !errors.Is(r.Err(), session.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", r.Err())
		}
	})
}
