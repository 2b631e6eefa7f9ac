package profile_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/session"
)

// TestServerDiscoveredOrSupplied: a side without a host asks the program's finder
// for the server of the address; one with a host does not.
func TestServerDiscoveredOrSupplied(t *testing.T) {
	b := newBed(t, nil)
	b.opts.AllowLiteralSecrets = true
	var asked []string
	b.opts.FindServer = func(_ context.Context, address string, proto profile.Protocol) (session.Server, error) {
		asked = append(asked, address+" "+string(proto))
		if proto == profile.POP3 {
			return session.Server{}, errors.New("nobody publishes one")
		}
		return b.Preset().IMAP, nil
	}
	const creds = `"account": "` + ann + `", "password": "literal:correct horse"`
	wantInbox(t, open(t, b.load(t, creds+`, "incoming": {}`)), ann)
	if !slices.Equal(asked, []string{ann + " IMAP"}) {
		t.Errorf("the finder was asked for %q, want the IMAP server of %s", asked, ann)
	}
	if _, err := b.load(t, creds+`, "incoming": {"protocol": "POP3"}`).Open(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "find the POP3 server of "+ann) {
		t.Errorf("Open where nothing is found: %v", err)
	}
	asked = nil
	if p, err := b.load(t, creds+`, "incoming": {"host": "imap.own.example"}`).Plan(t.Context(), "ann"); err != nil || p.Incoming.Server.Host != "imap.own.example" || asked != nil {
		t.Errorf("the plan is %+v, %v after asking for %q; want the supplied host", p, err, asked)
	}
}

// gate is a proxy that speaks CONNECT.
type gate struct {
	*httptest.Server

	mu    sync.Mutex
	to    []string
	wants string // in Proxy-Authorization
}

func newGate(t *testing.T, user, password string) *gate {
	t.Helper()
	g := &gate{}
	if user != "" {
		g.wants = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	g.Server = httptest.NewServer(http.HandlerFunc(g.connect))
	t.Cleanup(g.Close)
	return g
}

func (g *gate) connect(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.to = append(g.to, r.Method+" "+r.Host)
	g.mu.Unlock()
	if r.Header.Get("Proxy-Authorization") != g.wants {
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	out, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	in, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = out.Close() // The client is gone.
		return
	}
	_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n") // What fails here fails there too.
	go shovel(out, buffered.Reader)
	shovel(in, bufio.NewReader(out))
	_, _ = out.Close(), in.Close() // The line has ended anyway.
}

// shovel copies until one end is gone.
func shovel(to net.Conn, from *bufio.Reader) {
	_, _ = io.Copy(to, from) // The line has ended anyway.
	_ = to.Close()
}

// asked returns where the gate was asked to go.
func (g *gate) asked() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.to)
}

// TestHTTPProxyWithAndWithoutCredentialsForTokenHTTPAndMailConnections: requests
// for tokens, services over HTTPS and mail all take the set's proxy.
func TestHTTPProxyWithAndWithoutCredentialsForTokenHTTPAndMailConnections(t *testing.T) {
	service := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer service.Close()
	for _, way := range []struct{ user, password, given string }{
		{"", "", ""},
		{"clerk", "a courier horse", `, "user": "clerk", "password": "literal:a courier horse"`},
	} {
		g := newGate(t, way.user, way.password)
		b := newBed(t, nil)
		b.opts.AllowLiteralSecrets = true
		proxied := `, "proxy": {"url": "` + g.URL + `"` + way.given + `}`
		f := b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client"`+proxied)
		signIn(t, f)
		s := open(t, f)
		wantInbox(t, s, ann)
		if _, err := s.SendDraft(t.Context(), note(), nil); err != nil {
			t.Error(err)
		}
		known := b.Preset()
		for what, address := range map[string]string{
			"tokens": strings.TrimPrefix(b.OAuth.URL(), "http://"), "IMAP": known.IMAP.Address(0), "SMTP": known.SMTP.Address(0),
		} {
			if !slices.Contains(g.asked(), "CONNECT "+address) {
				t.Errorf("%s: the proxy was asked to go to %q, want %s for %s", way.user, g.asked(), address, what)
			}
		}
		overHTTPS(t, g, service, proxied)

		shut := newGate(t, "clerk", "another horse")
		refused := b.load(t, byPassword+`, "proxy": {"url": "`+shut.URL+`"`+way.given+`}`)
		if _, err := subjects(t, open(t, refused)); err == nil || !strings.Contains(err.Error(), "407") || strings.Contains(err.Error(), "courier") {
			t.Errorf("with a proxy that refuses: %v, want its 407 without the password", err)
		}
	}
}

// overHTTPS has a backend over HTTPS use the set's proxy.
func overHTTPS(t *testing.T, g *gate, service *httptest.Server, proxied string) {
	t.Helper()
	var answered error
	o := &profile.Options{AllowLiteralSecrets: true, HTTPClient: service.Client(), Outgoing: map[profile.Protocol]profile.OutgoingMaker{
		profile.Graph: func(_ string, s profile.Side) (session.OutgoingBackend, error) {
			return func(session.Setup) (session.Outgoing, error) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
				if err != nil {
					return nil, err
				}
				answer, err := s.HTTPClient.Do(r)
				if err == nil {
					err = answer.Body.Close()
				}
				answered = err
				return nobody{}, nil
			}, nil
		},
	}}
	set := `"account": "a@b.c", "flow": "external", "external": {"token": "literal:one horse"}, "mode": "send-only", "outgoing": {"protocol": "Graph", "url": "` + service.URL + `"}`
	open(t, parse(t, one(set+proxied), o))
	if answered != nil || !slices.Contains(g.asked(), "CONNECT "+strings.TrimPrefix(service.URL, "https://")) {
		t.Errorf("the service over HTTPS answered %v, the proxy was asked to go to %q", answered, g.asked())
	}
}

// nobody is a way out that sends nothing.
type nobody struct{ session.Outgoing }

// Close implements [session.Outgoing].
func (nobody) Close() error { return nil }

// TestRetryNoneAnyByStatusCountMultiplyingWait: how often a request for a token is
// sent again, after which failures, and with which waits.
func TestRetryNoneAnyByStatusCountMultiplyingWait(t *testing.T) {
	for _, tt := range []struct {
		retry    string
		status   int
		requests int
		waits    time.Duration
		good     bool
	}{
		{`{"on": "none"}`, 503, 1, 0, false},
		{`{"on": "any", "count": 2, "wait": "1s", "factor": 3}`, 503, 3, 4 * time.Second, false},
		{`{"count": 4, "wait": "1s", "factor": 2, "maxWait": "2s"}`, 503, 4, 5 * time.Second, true},
		{`{"on": "status", "statuses": [502], "count": 5, "wait": "1s"}`, 503, 1, 0, false},
		{`{"on": "status", "statuses": [503], "count": 5, "wait": "2s", "factor": 1}`, 503, 4, 6 * time.Second, true},
		{`{"on": "status", "count": 1, "wait": "1s"}`, 429, 2, time.Second, false},
		{`{"on": "any", "count": 0}`, 503, 1, 0, false},
	} {
		bubble(t, func(t *testing.T, b *bed) {
			f := b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "literal:`+b.pin(t, ann)+`", "retry": `+tt.retry)
			b.opts.Configure = nil
			for range 3 {
				b.OAuth.Inject(oauthtest.TokenPath, oauthtest.Fault{Status: tt.status})
			}
			p, err := f.Plan(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			p.OAuth.Rand = func() float64 { return 0.5 }
			g, err := oauth.Pinned(t.Context(), p.OAuth, oauth.PinValue(newSecret(b.pin(t, ann))), nil)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = g.For("").Token(t.Context())
			if got := b.OAuth.Hits(oauthtest.TokenPath); got != tt.requests || tt.good != (err == nil) {
				t.Errorf("%s: %d requests, %v; want %d and success: %t", tt.retry, got, err, tt.requests, tt.good)
			}
			// Waits are drawn around those that are named.
			if waited := time.Since(began); waited < tt.waits/2 || waited > 2*tt.waits {
				t.Errorf("%s: waited for %v, want about %v", tt.retry, waited, tt.waits)
			}
		})
	}
}

// TestBackendsOfTheProgram: EWS and Graph open where the program has a backend for
// them, and say what to do where it has not.
func TestBackendsOfTheProgram(t *testing.T) {
	const set = `"provider": "microsoft", "account": "ann@contoso.com", "flow": "external", "external": {"token": "literal:one horse"}`
	o := &profile.Options{AllowLiteralSecrets: true}
	for _, side := range []string{`, "incoming": {"protocol": "Graph"}`, `, "outgoing": {"protocol": "Graph"}`} {
		_, err := parse(t, one(set+side), o).Open(t.Context(), "ann")
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "no backend for Graph") || !strings.Contains(err.Error(), "Options.") {
			t.Errorf("Open of %s: %v, want ErrUnsupported and what to do", side, err)
		}
	}
	var got profile.Side
	o.Incoming = map[profile.Protocol]profile.IncomingMaker{profile.Graph: func(_ string, s profile.Side) (session.IncomingBackend, error) {
		got = s
		return func(setup session.Setup) (session.Incoming, error) {
			got.User = setup.Credentials.User
			return nil, errors.New("nobody is there")
		}, nil
	}}
	_, err := parse(t, one(set+`, "mailbox": "info@contoso.com", "incoming": {"protocol": "Graph", "user": "ann"}`), o).Open(t.Context(), "ann")
	if err == nil || got.URL != "https://graph.microsoft.com/v1.0" || got.Server.Resource != "https://graph.microsoft.com" || got.Mailbox != "info@contoso.com" || got.User != "ann" || got.HTTPClient == nil {
		t.Errorf("the backend was made of %+v, %v; want Graph's address, the mailbox and the side's user", got, err)
	}
}
