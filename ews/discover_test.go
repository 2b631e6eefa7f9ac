package ews_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// The hosts of the tests. Who owns the domain has no other ones.
const (
	domain  = "contoso.example"
	auto    = "autodiscover.contoso.example"
	mail    = "mail.contoso.example"
	hoster  = "exchange.hoster.example"
	mailbox = "ann@contoso.example"
	atMail  = "https://mail.contoso.example/EWS/Exchange.asmx"
)

// web is the part of the world that discovery asks: servers in memory, by the host
// and port at which they are.
type web struct {
	tb        testing.TB
	authority *testtls.Authority
	servers   map[string]func(ctx context.Context) (net.Conn, error)
	records   []*net.SRV

	mu     sync.Mutex
	dialed []string
	leaked []string // hosts that saw credentials
}

func newWeb(tb testing.TB) *web {
	tb.Helper()
	authority, err := testtls.New(domain, auto, mail, hoster, "autodiscover.hoster.example")
	if err != nil {
		tb.Fatal(err)
	}
	return &web{tb: tb, authority: authority, servers: map[string]func(context.Context) (net.Conn, error){}}
}

func (w *web) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, address)
	w.mu.Unlock()
	if dial, ok := w.servers[address]; ok {
		return dial(ctx)
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
}

// LookupSRV answers as DNS does.
func (w *web) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if len(w.records) == 0 || service != "autodiscover" || proto != "tcp" || name != domain {
		return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return name, w.records, nil
}

// exchange puts an Exchange server at a host.
func (w *web) exchange(host string, o ewstest.Options) *ewstest.Server {
	w.tb.Helper()
	box := mailtest.New()
	box.Add(mailbox, password())
	box.Add("ann@hoster.example", password())
	o.Security, o.TLS, o.Strict = mailtest.TLS, w.authority.Server(), true
	s := ewstest.New(box, &o)
	w.tb.Cleanup(func() {
		_ = s.Close()
		keepRequests(w.tb, s)
	})
	w.servers[host+":443"] = func(ctx context.Context) (net.Conn, error) { return s.Dial(ctx, "tcp", host) }
	return s
}

// stub puts a web server at "host:port", with TLS unless the port is 80.
func (w *web) stub(address string, answer http.HandlerFunc) {
	w.tb.Helper()
	l := pipe.NewListener()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "" {
			w.mu.Lock()
			w.leaked = append(w.leaked, address)
			w.mu.Unlock()
		}
		answer(rw, req)
	}))
	_ = s.Listener.Close()
	s.Listener = l
	if strings.HasSuffix(address, ":80") {
		s.Start()
	} else {
		s.TLS = w.authority.Server()
		s.StartTLS()
	}
	w.tb.Cleanup(s.Close)
	w.servers[address] = l.Dial
}

// options are those of a user with a password.
func (w *web) options() *ews.DiscoverOptions {
	return &ews.DiscoverOptions{
		Credentials: session.Credentials{User: mailbox, Password: password()},
		Dial:        w.dial, TLS: w.authority.Client(), Resolver: w,
	}
}

// only leaves one way of Autodiscover.
func only(way ewstest.Discovery) []ewstest.Discovery {
	var others []ewstest.Discovery
	for _, other := range []ewstest.Discovery{ewstest.DiscoverJSON, ewstest.DiscoverPOX, ewstest.DiscoverSOAP, ewstest.DiscoverRedirect} {
		if other != way {
			others = append(others, other)
		}
	}
	return others
}

func sendTo(target string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
	}
}

func wantsPassword(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Www-Authenticate", `Basic realm="x"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// wantFound checks what discovery comes to, and that a client can read there.
func wantFound(t *testing.T, d *ews.Discovered, err error, way ews.DiscoveryWay) {
	t.Helper()
	if err != nil {
		t.Fatalf("Discover: %v", err)
	}
	if d.URL != atMail || d.Server.Host != mail || d.Path != ews.DefaultPath || d.Address != mailbox || d.By != way {
		t.Errorf("found %s of %s by %s, want %s of %s by %s", d.URL, d.Address, d.By, atMail, mailbox, way)
	}
	if len(d.Tried) == 0 || d.Tried[len(d.Tried)-1].Err != nil {
		t.Errorf("the report is %v, want the step that found it at its end", d.Tried)
	}
}

// wantNothing checks that discovery fails, says a word, and asked nobody at a host.
func (w *web) wantNothing(t *testing.T, d *ews.Discovered, err error, word string, host string) {
	t.Helper()
	e, ok := errors.AsType[*ews.DiscoverError](err)
	if !ok || !errors.Is(err, ews.ErrNotDiscovered) || !strings.Contains(err.Error(), word) || len(e.Tried) == 0 {
		t.Errorf("Discover = %v, %v; want a DiscoverError that has %q", d, err, word)
	}
	for _, address := range w.dialed {
		if strings.HasPrefix(address, host+":") {
			t.Errorf("%s was asked something", address)
		}
	}
	if len(w.leaked) > 0 {
		t.Errorf("%q saw credentials", w.leaked)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), "horse") {
		t.Errorf("the error has the password in it: %v", err)
	}
}

// TestDiscover: each way leads to the server, from each host that has it, whatever
// way of signing in it wants.
func TestDiscover(t *testing.T) {
	ways := map[ewstest.Discovery]ews.DiscoveryWay{ewstest.DiscoverJSON: ews.ByJSON, ewstest.DiscoverPOX: ews.ByPOX, ewstest.DiscoverSOAP: ews.BySOAP}
	for there, way := range ways {
		for _, host := range []string{domain, auto} {
			for _, scheme := range []string{ewstest.Basic, ewstest.NTLM} {
				t.Run(fmt.Sprint(there, " at ", host, " with ", scheme), func(t *testing.T) {
					w := newWeb(t)
					s := w.exchange(host, ewstest.Options{NoAutodiscover: only(there), ExternalURL: atMail, Schemes: []string{scheme}})
					d, err := ews.Discover(t.Context(), mailbox, w.options())
					wantFound(t, d, err, way)
					for _, r := range s.Requests() {
						if there == ewstest.DiscoverJSON && r.Header.Get("Authorization") != "" {
							t.Errorf("%s was sent credentials, which it does not need", r.Path)
						}
					}
				})
			}
		}
	}
}

// TestDiscoverByToken: a token that has expired is replaced.
func TestDiscoverByToken(t *testing.T) {
	w := newWeb(t)
	w.exchange(auto, ewstest.Options{
		NoAutodiscover: only(ewstest.DiscoverPOX), ExternalURL: atMail, Schemes: []string{ewstest.Bearer},
		CheckToken: func(_ context.Context, _ string, token secret.Text) error {
			if token.Reveal() != "horse-2" {
				return errors.New("it has expired")
			}
			return nil
		},
	})
	o := w.options()
	o.Credentials = session.Credentials{User: mailbox, Tokens: oauth.AnyResource(&renewing{})}
	d, err := ews.Discover(t.Context(), mailbox, o)
	wantFound(t, d, err, ews.ByPOX)
}

// TestDiscoverElsewhere: a host that nobody named is believed only where the program
// says so, and is asked nothing before.
func TestDiscoverElsewhere(t *testing.T) {
	const atHoster = "https://exchange.hoster.example/EWS/Exchange.asmx"
	for name, tt := range map[string]struct {
		set  func(w *web)
		want ews.Referral // zero where nothing is to be asked
		url  string
	}{
		"a redirect by https": {
			set: func(w *web) {
				w.stub(auto+":443", sendTo("https://exchange.hoster.example/autodiscover/autodiscover.xml"))
				w.exchange(hoster, ewstest.Options{})
			},
			want: ews.Referral{Host: hoster, From: "https://autodiscover.contoso.example/autodiscover/autodiscover.json/v1.0/ann@contoso.example?Protocol=Ews", By: ews.ByJSON, Secure: true},
			url:  atHoster,
		},
		"a redirect by plain http": {
			set: func(w *web) {
				w.stub(auto+":80", sendTo("https://exchange.hoster.example/autodiscover/autodiscover.xml"))
				w.exchange(hoster, ewstest.Options{})
			},
			want: ews.Referral{Host: hoster, From: "http://autodiscover.contoso.example/autodiscover/autodiscover.xml", By: ews.ByRedirect},
			url:  atHoster,
		},
		"a redirect by plain http within the domain": {
			set: func(w *web) {
				w.stub(auto+":80", sendTo("https://mail.contoso.example/autodiscover/autodiscover.xml"))
				w.exchange(mail, ewstest.Options{})
			},
			want: ews.Referral{Host: mail, From: "http://autodiscover.contoso.example/autodiscover/autodiscover.xml", By: ews.ByRedirect},
			url:  atMail,
		},
		"a record in DNS": {
			set: func(w *web) {
				w.records = []*net.SRV{{Target: "exchange.hoster.example.", Port: 443}}
				w.exchange(hoster, ewstest.Options{})
			},
			want: ews.Referral{Host: hoster, From: "_autodiscover._tcp.contoso.example", By: ews.BySRV},
			url:  atHoster,
		},
		"another address": {
			set: func(w *web) {
				w.exchange(domain, ewstest.Options{NoAutodiscover: only(ewstest.DiscoverPOX), RedirectAddress: "ann@hoster.example"})
				s := w.exchange("autodiscover.hoster.example", ewstest.Options{ExternalURL: atHoster})
				w.servers["hoster.example:443"] = func(ctx context.Context) (net.Conn, error) { return s.Dial(ctx, "tcp", "") }
			},
			want: ews.Referral{Host: "hoster.example", From: domain, By: ews.ByPOX, Secure: true},
			url:  atHoster,
		},
		"the service itself": {
			set: func(w *web) {
				w.exchange(auto, ewstest.Options{ExternalURL: atHoster})
			},
			want: ews.Referral{Host: hoster, From: "https://autodiscover.contoso.example/autodiscover/autodiscover.json/v1.0/ann@contoso.example?Protocol=Ews", By: ews.ByJSON, Secure: true, Service: true},
			url:  atHoster,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb(t)
			tt.set(w)
			d, err := ews.Discover(t.Context(), mailbox, w.options())
			w.wantNothing(t, d, err, tt.want.Host, tt.want.Host)

			o := w.options()
			var asked []ews.Referral
			o.Trust = func(_ context.Context, r ews.Referral) bool {
				asked = append(asked, r)
				return true
			}
			d, err = ews.Discover(t.Context(), mailbox, o)
			if err != nil || d.URL != tt.url {
				t.Fatalf("where the program trusts all: %v, %v; want %s", d, err, tt.url)
			}
			if len(asked) == 0 || asked[0] != tt.want {
				t.Errorf("the program was asked about %+v, want %+v first", asked, tt.want)
			}
			o = w.options()
			o.Hosts = []string{"hoster.example", mail}
			if d, err = ews.Discover(t.Context(), mailbox, o); err != nil || d.URL != tt.url {
				t.Errorf("where the hosts were named: %v, %v; want %s", d, err, tt.url)
			}
		})
	}
}

// TestDiscoverWithinTheDomain: a server that the domain names by TLS or DNS needs no
// question.
func TestDiscoverWithinTheDomain(t *testing.T) {
	w := newWeb(t)
	w.records = []*net.SRV{{Target: mail + ".", Port: 443}}
	w.exchange(mail, ewstest.Options{NoAutodiscover: only(ewstest.DiscoverPOX)})
	d, err := ews.Discover(t.Context(), mailbox, w.options())
	wantFound(t, d, err, ews.ByPOX)
	w = newWeb(t)
	w.stub(auto+":443", sendTo("https://mail.contoso.example/autodiscover/autodiscover.xml"))
	w.exchange(mail, ewstest.Options{NoAutodiscover: only(ewstest.DiscoverPOX)})
	d, err = ews.Discover(t.Context(), mailbox, w.options())
	wantFound(t, d, err, ews.ByPOX)
}

// TestDiscoverKeepsCredentials: they go nowhere in the open, to nobody that has
// refused them, and to no more than two hosts that refuse them.
func TestDiscoverKeepsCredentials(t *testing.T) {
	t.Run("plain http", func(t *testing.T) {
		w := newWeb(t)
		w.stub(auto+":80", wantsPassword)
		d, err := ews.Discover(t.Context(), mailbox, w.options())
		w.wantNothing(t, d, err, "go nowhere but by https", hoster)
	})
	t.Run("a redirect down to plain http", func(t *testing.T) {
		w := newWeb(t)
		w.stub(auto+":443", sendTo("http://autodiscover.contoso.example/login"))
		w.stub(auto+":80", wantsPassword)
		d, err := ews.Discover(t.Context(), mailbox, w.options())
		w.wantNothing(t, d, err, `by "http"`, hoster)
	})
	t.Run("a service at plain http", func(t *testing.T) {
		w := newWeb(t)
		w.exchange(auto, ewstest.Options{ExternalURL: "http://mail.contoso.example/EWS/Exchange.asmx"})
		d, err := ews.Discover(t.Context(), mailbox, w.options())
		w.wantNothing(t, d, err, `by "http"`, mail)
	})
	t.Run("refusals", func(t *testing.T) {
		w := newWeb(t)
		for _, host := range []string{domain, auto, mail} {
			w.stub(host+":443", wantsPassword)
		}
		w.records = []*net.SRV{{Target: mail, Port: 443}}
		_, err := ews.Discover(t.Context(), mailbox, w.options())
		if !session.NeedsSignIn(err) || !errors.Is(err, ews.ErrNotDiscovered) {
			t.Errorf("Discover = %v, want that the credentials are refused", err)
		}
		if got := strings.Join(w.leaked, " "); got != domain+":443 "+auto+":443" {
			t.Errorf("the password went to %q, want each of two hosts once", got)
		}
	})
	t.Run("none", func(t *testing.T) {
		w := newWeb(t)
		w.stub(auto+":443", wantsPassword)
		o := w.options()
		o.Credentials = session.Credentials{}
		d, err := ews.Discover(t.Context(), mailbox, o)
		w.wantNothing(t, d, err, "set DiscoverOptions.Credentials", hoster)
	})
	t.Run("a host that repeats them", func(t *testing.T) {
		w := newWeb(t)
		w.stub(auto+":443", func(rw http.ResponseWriter, req *http.Request) {
			user, pass, ok := req.BasicAuth()
			if !ok {
				wantsPassword(rw, req)
				return
			}
			_, _ = fmt.Fprintf(rw, `<Autodiscover><Response><Error><ErrorCode>600</ErrorCode><Message>%s %s has %s</Message></Error></Response></Autodiscover>`, //nolint:gosec // G705: a client reads it
				req.Header.Get("Authorization"), user, pass)
		})
		_, err := ews.Discover(t.Context(), mailbox, w.options())
		encoded := base64.StdEncoding.EncodeToString([]byte(mailbox + ":" + password().Reveal()))
		if text := fmt.Sprint(err); !strings.Contains(text, "600: Basic [redacted] "+mailbox+" has [redacted]") || strings.Contains(text, encoded) {
			t.Errorf("Discover = %v, want the host's words without the password", err)
		}
	})
	t.Run("a scheme that does not go with them", func(t *testing.T) {
		w := newWeb(t)
		w.stub(auto+":443", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Www-Authenticate", "Digest realm=x")
			rw.WriteHeader(http.StatusUnauthorized)
		})
		d, err := ews.Discover(t.Context(), mailbox, w.options())
		w.wantNothing(t, d, err, "Digest", hoster)
	})
}

// TestDiscoverEnds: whoever sends in circles, or answers nonsense, is left.
func TestDiscoverEnds(t *testing.T) {
	n := 0
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		word   string
	}{
		"circles": {func(rw http.ResponseWriter, _ *http.Request) {
			n++
			sendTo(fmt.Sprintf("https://%s/%d", auto, n))(rw, nil)
		}, "leads on"},
		"addresses": {func(rw http.ResponseWriter, _ *http.Request) {
			n++
			_, _ = fmt.Fprintf(rw, `<Autodiscover><Response><Account><Action>redirectAddr</Action><RedirectAddr>ann%d@%s</RedirectAddr></Account></Response></Autodiscover>`, n, domain)
		}, "leads on"},
		"no address": {func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`<Autodiscover><Response><Account><Action>redirectAddr</Action><RedirectAddr>x</RedirectAddr></Account></Response></Autodiscover>`))
		}, "not the address of a mailbox"},
		"a web page":     {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html><p>Welcome!")) }, "not Autodiscover but html"},
		"nothing":        {func(http.ResponseWriter, *http.Request) {}, "empty"},
		"half an answer": {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<Autodiscover><Response>")) }, "breaks off"},
		"a flood":        {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 2<<20)) }, "more than 1048576 bytes"},
		"no such user": {func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`<Autodiscover><Response><Error><ErrorCode>500</ErrorCode><Message>unknown</Message></Error></Response></Autodiscover>`))
		}, "500: unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			n = 0
			w := newWeb(t)
			w.stub(auto+":443", tt.answer)
			_, err := ews.Discover(t.Context(), mailbox, w.options())
			if !errors.Is(err, ews.ErrNotDiscovered) || !strings.Contains(err.Error(), tt.word) || n > 40 {
				t.Errorf("after %d answers: %v; want an error that has %q", n, err, tt.word)
			}
		})
	}
}

// TestDiscoverAtAHost: a host that was given is the only one that is asked, and EWS
// may be there without any discovery.
func TestDiscoverAtAHost(t *testing.T) {
	w := newWeb(t)
	w.exchange(domain, ewstest.Options{})
	w.exchange(mail, ewstest.Options{})
	o := w.options()
	o.Host = mail
	d, err := ews.Discover(t.Context(), mailbox, o)
	wantFound(t, d, err, ews.ByJSON)
	none := only("")
	w.exchange(mail, ewstest.Options{NoAutodiscover: none})
	d, err = ews.Discover(t.Context(), mailbox, o)
	wantFound(t, d, err, ews.ByPath)
	for _, address := range w.dialed {
		if address != mail+":443" {
			t.Errorf("%s was asked, want the host that was given alone", address)
		}
	}
}

// TestDiscoverInSilence: hosts that say nothing cost the time of one request each, and
// the program's own end ends it at once.
func TestDiscoverInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWeb(t)
		silent := func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		for _, host := range []string{domain + ":443", auto + ":443", auto + ":80"} {
			w.servers[host] = silent
		}
		start := time.Now()
		_, err := ews.Discover(t.Context(), mailbox, w.options())
		if took := time.Since(start); !errors.Is(err, ews.ErrNotDiscovered) || took != 3*ews.DefaultDiscoverTimeout {
			t.Errorf("after %v: %v; want ErrNotDiscovered after three times %v", took, err, ews.DefaultDiscoverTimeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start = time.Now()
		if _, err = ews.Discover(ctx, mailbox, w.options()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v; want the program's own end after 5s", time.Since(start), err)
		}
	})
}

func TestDiscoverWantsAnAddress(t *testing.T) {
	for _, address := range []string{"", "ann", "@contoso.example", "ann@", "ann@localhost", "ann@contoso.example/x", "<ann@contoso.example>"} {
		if _, err := ews.Discover(t.Context(), address, newWeb(t).options()); err == nil || !strings.Contains(err.Error(), "not the address of a mailbox") {
			t.Errorf("Discover(%q) = %v, want that it is no address", address, err)
		}
	}
}
