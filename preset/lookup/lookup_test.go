package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/session"
)

const (
	ann        = "ann@contoso.example"
	autoconfig = "https://autoconfig.contoso.example/mail/config-v1.1.xml"
	wellKnown  = "https://contoso.example/.well-known/autoconfig/mail/config-v1.1.xml"
)

// TestEachMethodFindsItsOwn: one address after the other is found by another
// method, and those before it have been tried.
func TestEachMethodFindsItsOwn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		address string
		world   world
		options func(o *lookup.Options)
		method  lookup.Method
		id      string
		imap    string
	}{
		{name: "a provider's own domain", address: "ann@Gmail.COM", method: lookup.ByDomain, id: "google", imap: "imap.gmail.com:993"},
		{
			name: "a domain at Microsoft", address: ann, world: world{mx: map[string][]string{"contoso.example": {"contoso-example.mail.protection.outlook.com."}}},
			method: lookup.ByMX, id: "microsoft", imap: "outlook.office365.com:993",
		},
		{
			name: "a document of its own", address: ann, world: world{pages: map[string]string{autoconfig: contoso}},
			method: lookup.ByAutoconfig, imap: "imap.contoso.example:993",
		},
		{
			name: "a document at the domain itself", address: ann, world: world{pages: map[string]string{wellKnown: contoso}},
			method: lookup.ByAutoconfig, imap: "imap.contoso.example:993",
		},
		{
			name: "a document that names a known provider", address: ann, world: world{pages: map[string]string{autoconfig: hosted}},
			method: lookup.ByAutoconfig, id: "fastmail", imap: "imap.fastmail.com:993",
		},
		{
			name: "SRV records", address: ann, world: world{srv: map[string][]*net.SRV{"_imap._tcp.contoso.example": {{Target: "mail.contoso.example.", Port: 1143}}}},
			method: lookup.BySRV, imap: "mail.contoso.example:1143",
		},
		{
			name: "SRV records of a known provider", address: ann, world: world{srv: map[string][]*net.SRV{"_imaps._tcp.contoso.example": {{Target: "imap.fastmail.com.", Port: 993}}}},
			method: lookup.BySRV, id: "fastmail", imap: "imap.fastmail.com:993",
		},
		{
			name: "a hosting company", address: ann,
			world: world{
				mx:    map[string][]string{"contoso.example": {"mx1.mail.hoster.example."}},
				pages: map[string]string{"https://autoconfig.hoster.example/mail/config-v1.1.xml": contoso},
			},
			method: lookup.ByMXAutoconfig, imap: "imap.contoso.example:993",
		},
		{
			name: "a database", address: ann, world: world{pages: map[string]string{"https://database.example/v1.1/contoso.example": contoso}},
			options: func(o *lookup.Options) { o.Database = "https://database.example/v1.1/" },
			method:  lookup.ByDatabase, imap: "imap.contoso.example:993",
		},
		{
			name: "a database that knows the hosting company", address: ann,
			world: world{
				mx:    map[string][]string{"contoso.example": {"mx1.hoster.example."}},
				pages: map[string]string{"https://database.example/hoster.example": contoso},
			},
			options: func(o *lookup.Options) { o.Database = "https://database.example" },
			method:  lookup.ByDatabase, imap: "imap.contoso.example:993",
		},
		{
			name: "what the program knows itself", address: ann, world: world{mx: map[string][]string{"contoso.example": {"mx.contoso.example."}}},
			options: func(o *lookup.Options) {
				o.Providers = []preset.Provider{{ID: "own", Name: "Contoso", MX: []string{"contoso.example"}, IMAP: session.Server{Host: "box.contoso.example", Port: 993}}}
			},
			method: lookup.ByMX, id: "own", imap: "box.contoso.example:993",
		},
		{
			name: "international names", address: "ann@bücher.example",
			world:  world{mx: map[string][]string{"xn--bcher-kva.example": {"aspmx.l.google.com."}}},
			method: lookup.ByMX, id: "google", imap: "imap.gmail.com:993",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.world.options()
			if tt.options != nil {
				tt.options(o)
			}
			found, err := lookup.Find(t.Context(), tt.address, o)
			if err != nil {
				t.Fatalf("%v\n%v", err, found)
			}
			if found.Method != tt.method || found.Provider.ID != tt.id || found.Provider.IMAP.Address(0) != tt.imap {
				t.Errorf("found by %s: %q at %s, want by %s: %q at %s\n%v",
					found.Method, found.Provider.ID, found.Provider.IMAP.Address(0), tt.method, tt.id, tt.imap, found)
			}
			last := -1
			for _, s := range found.Steps {
				i := slices.Index(lookup.Methods(), s.Method)
				if i < last || s.Asked == "" || (s.Err == nil) != (s.Found != "") {
					t.Errorf("the step %+v is not in order or not whole", s)
				}
				last = i
			}
			if found.Steps[0].Method != lookup.ByDomain || lookup.Methods()[last] != tt.method {
				t.Errorf("the steps are\n%v\nwant all from the table to %s", found, tt.method)
			}
		})
	}
}

// TestWhatADocumentSays becomes a provider: servers that are encrypted and that
// can be signed in to, their users, the flows, the authorization server.
func TestWhatADocumentSays(t *testing.T) {
	w := &world{pages: map[string]string{autoconfig: contoso}}
	found, err := lookup.Find(t.Context(), ann, w.options())
	if err != nil {
		t.Fatal(err)
	}
	p := found.Provider
	if p.Name != "Contoso & Daughters" || p.Source != autoconfig || p.Checked.IsZero() {
		t.Errorf("the provider is %q by %q at %v", p.Name, p.Source, p.Checked)
	}
	if p.SMTP.Address(0) != "smtp.contoso.example:587" || p.SMTP.Security != session.STARTTLS || p.Offers(preset.POP3) || p.Offers(preset.EWS) {
		t.Errorf("the servers are %+v, want no POP3 and no EWS that nobody can sign in to", p)
	}
	if found.Users[preset.IMAP] != "ann" || found.Users[preset.SMTP] != ann {
		t.Errorf("the users are %v", found.Users)
	}
	if !found.Exchange || found.Confirm != "" || len(found.Document.Skipped) != 3 {
		t.Errorf("Exchange %v, confirm %q, skipped %q", found.Exchange, found.Confirm, found.Document.Skipped)
	}
	if p.Allows(preset.FlowBrowser, preset.IMAP) != nil || p.Allows(preset.FlowBrowser, preset.SMTP) == nil || p.Allows(preset.FlowPassword, preset.SMTP) != nil {
		t.Errorf("the flows are %+v", p.Flows)
	}
	config := p.Config("id", preset.IMAP)
	if config.Endpoint.TokenURL != "https://id.contoso.example/token" || !slices.Equal(config.Scopes, []string{"mail:read", "mail:send"}) {
		t.Errorf("the sign-in is at %q for %q", config.Endpoint.TokenURL, config.Scopes)
	}
}

// TestAKnownProviderIsWorthMoreThanItsDocument, but for the user's name.
func TestAKnownProviderIsWorthMoreThanItsDocument(t *testing.T) {
	w := &world{pages: map[string]string{autoconfig: hosted}}
	found, err := lookup.Find(t.Context(), ann, w.options())
	if err != nil {
		t.Fatal(err)
	}
	if found.Provider.Allows(preset.FlowBrowser, preset.IMAP) != nil || found.Users[preset.SMTP] != "shared-ann" || found.Users[preset.IMAP] != ann {
		t.Errorf("the flows are %+v, the users %v", found.Provider.Flows, found.Users)
	}
}

// TestNoSecretLeaves: no cookie, no address to the next server, no address where
// it is to be hidden; and nothing but https.
func TestNoSecretLeaves(t *testing.T) {
	t.Run("redirect", func(t *testing.T) {
		const other = "https://config.hoster.example/contoso.xml"
		w := &world{where: map[string]string{autoconfig: other}, pages: map[string]string{other: contoso}}
		o := w.options()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		o.HTTPClient.Jar = jar
		home, err := url.Parse("https://autoconfig.contoso.example/")
		if err != nil {
			t.Fatal(err)
		}
		jar.SetCookies(home, []*http.Cookie{{Name: "session", Value: "horse", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}})
		if _, err := lookup.Find(t.Context(), ann, o); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.requests {
			for _, field := range []string{"Cookie", "Authorization", "Referer"} {
				if r.Header.Get(field) != "" {
					t.Errorf("%s was told %s: %q", r.URL.Host, field, r.Header.Get(field))
				}
			}
		}
		if got := w.asked(); !slices.Equal(got, []string{autoconfig + "?emailaddress=ann%40contoso.example", other}) {
			t.Errorf("asked for %q", got)
		}
	})
	t.Run("hidden", func(t *testing.T) {
		w := &world{}
		o := w.options()
		o.HideAddress = true
		if _, err := lookup.Find(t.Context(), ann, o); !errors.Is(err, lookup.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		if got := w.asked(); !slices.Equal(got, []string{autoconfig, wellKnown}) {
			t.Errorf("asked for %q", got)
		}
	})
	for _, to := range []string{"http://contoso.example/x.xml", "https://ann:horse@contoso.example/x.xml", "file:///etc/passwd", autoconfig} {
		w := &world{where: map[string]string{autoconfig: to}, pages: map[string]string{to: contoso}}
		delete(w.pages, autoconfig)
		found, err := lookup.Find(t.Context(), ann, w.options())
		if !errors.Is(err, lookup.ErrNotFound) {
			t.Errorf("a redirect to %s was followed:\n%v", to, found)
		}
		if strings.Contains(fmt.Sprint(found), "horse") {
			t.Errorf("the report repeats what the redirect had in it:\n%v", found)
		}
	}
}

// TestPlainHTTPIsAskedOnlyWhereAllowed, and a person has to look then.
func TestPlainHTTPIsAskedOnlyWhereAllowed(t *testing.T) {
	const plain = "http://autoconfig.contoso.example/mail/config-v1.1.xml"
	w := &world{pages: map[string]string{plain: contoso}}
	if _, err := lookup.Find(t.Context(), ann, w.options()); !errors.Is(err, lookup.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	o := w.options()
	o.AllowHTTP = true
	found, err := lookup.Find(t.Context(), ann, o)
	if err != nil || !strings.Contains(found.Confirm, "plain http") {
		t.Errorf("%v, confirm %q, want a person to look", err, found.Confirm)
	}
	// Also then, https is not left.
	w = &world{where: map[string]string{autoconfig: "http://contoso.example/x.xml"}, pages: map[string]string{"http://contoso.example/x.xml": contoso}}
	o = w.options()
	o.AllowHTTP = true
	if found, err := lookup.Find(t.Context(), ann, o); err == nil {
		t.Errorf("a redirect from https to http was followed:\n%v", found)
	}
}

// TestWhereDNSLeadsAstrayAPersonLooks: records that lead out of the domain to
// servers that nobody knows.
func TestWhereDNSLeadsAstrayAPersonLooks(t *testing.T) {
	record := func(host string) map[string][]*net.SRV {
		return map[string][]*net.SRV{
			"_submissions._tcp.contoso.example":  {{Target: host, Port: 465}},
			"_imaps._tcp.contoso.example":        {{Target: ".", Port: 0}},
			"_autodiscover._tcp.contoso.example": {{Target: "ex.contoso.example.", Port: 444}},
		}
	}
	for host, confirm := range map[string]bool{"smtp.contoso.example.": false, "smtp.fabrikam.example.": true, "smtp.notcontoso.example.": true, "smtp.gmail.com.": false} {
		w := &world{srv: record(host)}
		found, err := lookup.Find(t.Context(), ann, w.options())
		if err != nil || (found.Confirm != "") != confirm {
			t.Errorf("%s: %v, confirm %q", host, err, found.Confirm)
		}
		if !found.Exchange || found.ExchangeHost != "ex.contoso.example:444" {
			t.Errorf("%s: Exchange %v at %q", host, found.Exchange, found.ExchangeHost)
		}
	}
	w := &world{
		mx:    map[string][]string{"contoso.example": {"mx1.hoster.example."}},
		pages: map[string]string{"https://hoster.example/.well-known/autoconfig/mail/config-v1.1.xml": contoso},
	}
	if found, err := lookup.Find(t.Context(), ann, w.options()); err != nil || !strings.Contains(found.Confirm, "mail exchanger of hoster.example") {
		t.Errorf("%v, confirm %q, want a person to look", err, found.Confirm)
	}
	if got := strings.Join(w.asked(), " "); strings.Count(got, "ann") != 1 {
		t.Errorf("asked for %s: the hosting company learns the address", got)
	}
}

// TestWhatDoesNotAnswerIsTold: each step says what went wrong.
func TestWhatDoesNotAnswerIsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		world world
		want  string
	}{
		{"no mail", world{mx: map[string][]string{"contoso.example": {"."}}}, "takes no mail"},
		{"no records", world{}, "has no MX records"},
		{"no DNS", world{dns: &net.DNSError{Err: "server misbehaving", Name: "contoso.example", IsTemporary: true}}, "server misbehaving"},
		{"a web page", world{pages: map[string]string{wellKnown: "<!doctype html><html><p>Welcome!</html>"}}, "no autoconfig document"},
		{"nothing there", world{}, "Not Found (404)"},
		{"far too much", world{pages: map[string]string{wellKnown: strings.Repeat(" ", 257<<10) + contoso}}, "larger than 262144 bytes"},
		{"nothing encrypted", world{pages: map[string]string{wellKnown: strings.NewReplacer("SSL", "plain", "STARTTLS", "plain").Replace(contoso)}}, "not encrypted"},
		{"the exchanger is at home", world{mx: map[string][]string{"contoso.example": {"mx.contoso.example."}}}, "the domain's own"},
		{"names that nobody can have", world{mx: map[string][]string{"contoso.example": {"a b.example."}}}, "name no host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := lookup.Find(t.Context(), ann, tt.world.options())
			if !errors.Is(err, lookup.ErrNotFound) || found.Method != "" {
				t.Errorf("%v by %q, want nothing found", err, found.Method)
			}
			if text := found.String(); !strings.Contains(text, tt.want) || !strings.Contains(text, "nothing was found") {
				t.Errorf("the report is\n%s\nwant %q", text, tt.want)
			}
		})
	}
}

// silent is a web server and a DNS server that never answer.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func (silent) LookupMX(ctx context.Context, _ string) ([]*net.MX, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) LookupSRV(ctx context.Context, _, _, _ string) (string, []*net.SRV, error) {
	<-ctx.Done()
	return "", nil, ctx.Err()
}

// TestSilenceIsBounded step by step, and by the context at all.
func TestSilenceIsBounded(t *testing.T) {
	o := &lookup.Options{Resolver: silent{}, HTTPClient: &http.Client{Transport: silent{}}, Timeout: 2 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		found, err := lookup.Find(t.Context(), ann, o)
		if !errors.Is(err, lookup.ErrNotFound) || time.Since(start) != 22*time.Second {
			t.Errorf("%v after %v, want 11 steps of 2 s", err, time.Since(start))
		}
		for _, s := range found.Steps[1:] {
			if s.Took != 2*time.Second || !errors.Is(s.Err, context.DeadlineExceeded) {
				t.Errorf("step %+v, want it to end in its time", s)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := *o
		o.Methods, o.Database = []lookup.Method{lookup.ByDatabase}, "https://database.example"
		start := time.Now()
		found, err := lookup.Find(t.Context(), ann, &o)
		if !errors.Is(err, lookup.ErrNotFound) || time.Since(start) != 4*time.Second || len(found.Steps) != 2 {
			t.Errorf("%v after %v, want two steps of 2 s\n%v", err, time.Since(start), found)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("the user went home"))
		defer cancel()
		start := time.Now()
		found, err := lookup.Find(ctx, ann, o)
		if err == nil || !strings.Contains(err.Error(), "the user went home") || errors.Is(err, lookup.ErrNotFound) {
			t.Errorf("%v, want what ended the context", err)
		}
		if len(found.Steps) != 3 || time.Since(start) != 3*time.Second {
			t.Errorf("%d steps in %v, want three in 3 s\n%v", len(found.Steps), time.Since(start), found)
		}
	})
}

// TestWhatCannotBeLookedUp is said before anything is asked.
func TestWhatCannotBeLookedUp(t *testing.T) {
	for _, tt := range []struct {
		address string
		change  func(o *lookup.Options)
		want    string
	}{
		{address: "ann", want: "not an address"},
		{address: "", want: "not an address"},
		{address: "ann@[127.0.0.1]", want: "127.0.0.1"},
		{address: "ann@127.0.0.1", want: "not a domain that can be looked up"},
		{address: "ann@localhost", want: "not a domain that can be looked up"},
		{address: "ann@contoso.example/x", want: "not the name of a domain"},
		{address: ann, change: func(o *lookup.Options) { o.Database = "http://database.example" }, want: "only https"},
		{address: ann, change: func(o *lookup.Options) { o.Methods = []lookup.Method{"guessing"} }, want: `"guessing" is none`},
	} {
		w := &world{}
		o := w.options()
		if tt.change != nil {
			tt.change(o)
		}
		found, err := lookup.Find(t.Context(), tt.address, o)
		if err == nil || !strings.Contains(err.Error(), tt.want) || found == nil || len(found.Steps) != 0 {
			t.Errorf("Find(%q): %v, want %q and no step", tt.address, err, tt.want)
		}
	}
}

// TestOnlyTheMethodsThatAreWanted are tried, in their order.
func TestOnlyTheMethodsThatAreWanted(t *testing.T) {
	w := &world{
		mx:  map[string][]string{"contoso.example": {"aspmx.l.google.com."}},
		srv: map[string][]*net.SRV{"_imaps._tcp.contoso.example": {{Target: "imap.contoso.example.", Port: 993}}},
	}
	o := w.options()
	o.Methods = []lookup.Method{lookup.BySRV, lookup.ByMX}
	found, err := lookup.Find(t.Context(), ann, o)
	if err != nil || found.Method != lookup.BySRV || len(w.asked()) != 0 {
		t.Errorf("%v by %s, web servers asked for %q", err, found.Method, w.asked())
	}
	if found.Provider.Flows != nil || found.Users[preset.IMAP] != ann {
		t.Errorf("flows %v, users %v: SRV records tell neither", found.Provider.Flows, found.Users)
	}
}

// TestEncryptionFromTheFirstByteComesFirst (RFC 8314): where it is offered, the
// other record is not even asked for.
func TestEncryptionFromTheFirstByteComesFirst(t *testing.T) {
	w := &world{srv: map[string][]*net.SRV{
		"_imaps._tcp.contoso.example": {{Target: "imap.contoso.example.", Port: 993}},
		"_imap._tcp.contoso.example":  {{Target: "imap.contoso.example.", Port: 143}},
	}}
	found, err := lookup.Find(t.Context(), ann, w.options())
	if err != nil || found.Provider.IMAP.Port != 993 || found.Provider.IMAP.Security != session.TLS {
		t.Errorf("%v, IMAP at %+v, want TLS", err, found.Provider.IMAP)
	}
	for _, s := range found.Steps {
		if strings.HasPrefix(s.Asked, "_imap._tcp") {
			t.Errorf("the step %+v was of no use", s)
		}
	}
}

// TestLogsHaveNoAddress of a person, be it in what was asked, in what was found or
// in where a server redirects to.
func TestLogsHaveNoAddress(t *testing.T) {
	const exchange = `<clientConfig><emailProvider><incomingServer type="ews"><url>https://mail.contoso.example/%EMAILADDRESS%</url></incomingServer></emailProvider></clientConfig>`
	for _, w := range []*world{
		{pages: map[string]string{autoconfig: contoso}},
		{pages: map[string]string{autoconfig: exchange}},
		{where: map[string]string{autoconfig: "https://%zz/?a=ANN%2540contoso.example&secret=horse"}, pages: map[string]string{wellKnown: contoso}},
	} {
		var log strings.Builder
		o := w.options()
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if _, err := lookup.Find(t.Context(), ann, o); err != nil {
			t.Fatal(err)
		}
		text := strings.ToLower(log.String())
		for _, word := range []string{"ann@", "ann%", "horse"} {
			if strings.Contains(text, word) {
				t.Errorf("the log has %q in it:\n%s", word, text)
			}
		}
		if !strings.Contains(text, "autoconfig.contoso.example") {
			t.Errorf("the log is\n%s", text)
		}
	}
}

// TestAnIssuerTellsItsEndpoints of a server that speaks the protocol.
func TestAnIssuerTellsItsEndpoints(t *testing.T) {
	server := oauthtest.New(&oauthtest.Options{InMemory: true})
	defer server.Close()
	p, err := lookup.Issuer(t.Context(), server.Issuer(), &oauth.DiscoverOptions{HTTPClient: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if p.Endpoint.TokenURL != server.TokenURL() || p.Endpoint.AuthURL != server.AuthURL() || p.Checked.IsZero() {
		t.Errorf("the endpoints are %+v", p.Endpoint)
	}
	if _, err := lookup.Issuer(t.Context(), "http://contoso.example", nil); err == nil {
		t.Error("an issuer without encryption was asked")
	}
}

func Example() {
	w := &world{mx: map[string][]string{"contoso.example": {"contoso-example.mail.protection.outlook.com."}}}
	// Elsewhere the options are nil.
	found, err := lookup.Find(context.Background(), "ann@contoso.example", w.options())
	if err != nil {
		fmt.Println(found, err)
		return
	}
	fmt.Println(found.Method, found.Provider.Name, found.Exchange)
	fmt.Println(found.Provider.IMAP.Address(0), found.Users[preset.IMAP])
	fmt.Println(found.Steps[0].Err)
	// Output:
	// MX records Microsoft 365 true
	// outlook.office365.com:993 ann@contoso.example
	// the domain is none of a known provider's own
}
