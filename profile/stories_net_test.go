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
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/session"
)

// TestServerDiscoveredOrSupplied: a side without a host is found by the address,
// with what the program says of how; one with a host is not looked for. What
// nobody vouches for needs the program's word.
func TestServerDiscoveredOrSupplied(t *testing.T) {
	b := newBed(t, nil)
	b.opts.AllowLiteralSecrets = true
	known := b.Preset()
	known.Domains = []string{"contoso.example"}
	b.opts.Lookup = &lookup.Options{Methods: []lookup.Method{lookup.ByDomain, lookup.ByMX, lookup.BySRV}, Providers: []preset.Provider{known}, Resolver: exchangers{}}
	const creds = `"password": "literal:correct horse", "account": "`
	wantInbox(t, open(t, b.load(t, creds+ann+`", "incoming": {}`)), ann)

	_, err := b.load(t, creds+`ann@elsewhere.example", "incoming": {}`).Open(t.Context(), "ann")
	if !errors.Is(err, lookup.ErrNotFound) || !strings.Contains(err.Error(), "find the IMAP server of ann@elsewhere.example") {
		t.Errorf("Open where nothing is found: %v", err)
	}
	if p, err := b.load(t, creds+`ann@elsewhere.example", "incoming": {"host": "imap.own.example"}`).Plan(t.Context(), "ann"); err != nil || p.Incoming.Server.Host != "imap.own.example" {
		t.Errorf("the plan is %+v, %v; want the supplied host", p, err)
	}

	if p, err := b.load(t, creds+`ann@customer.example", "incoming": {}`).Plan(t.Context(), "ann"); err != nil || p.Incoming.Server.Port != known.IMAP.Port {
		t.Errorf("the plan is %+v, %v; want the provider of the mail exchanger", p, err)
	}

	hosted := creds + `ann@small.example", "incoming": {}`
	if _, err := b.load(t, hosted).Plan(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "Options.Trust") {
		t.Errorf("a server that nobody vouches for: %v, want that somebody has to look at it", err)
	}
	b.opts.Trust = func(_ context.Context, found *lookup.Result) error {
		if found.Provider.IMAP.Host != "imap.hosting.example" {
			t.Errorf("asked about %+v", found)
		}
		return nil
	}
	if p, err := b.load(t, hosted).Plan(t.Context(), "ann"); err != nil || p.Incoming.Server.Host != "imap.hosting.example" {
		t.Errorf("the plan is %+v, %v; want the server that was found", p, err)
	}
	b.opts.Trust = func(context.Context, *lookup.Result) error { return errors.New("nobody knows them") }
	if _, err := b.load(t, hosted).Plan(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "nobody knows them") {
		t.Errorf("a server that the program does not trust: %v", err)
	}
}

// exchangers is DNS: the mail of customer.example goes to the fake provider, and
// small.example names a server of somebody else.
type exchangers struct{}

// LookupMX implements [lookup.Resolver].
func (exchangers) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if strings.TrimSuffix(name, ".") != "customer.example" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []*net.MX{{Host: "mx.contoso.example.", Pref: 10}}, nil
}

// LookupSRV implements [lookup.Resolver].
func (exchangers) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	if service == "imaps" && strings.HasPrefix(name, "small.example") {
		return name, []*net.SRV{{Target: "imap.hosting.example.", Port: 993}}, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
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
		synctest.Test(t, func(t *testing.T) {
			b := inMemory(t)
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
