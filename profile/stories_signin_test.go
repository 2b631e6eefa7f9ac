package profile_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/session"
)

// signIn has Ann sign in with the set "ann".
func signIn(t *testing.T, f *profile.File) {
	t.Helper()
	g, err := f.SignIn(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if g.Address() != ann {
		t.Fatalf("signed in as %q, want %s", g.Address(), ann)
	}
}

// TestPinTheCredentialsOrGiveThem: the credentials are in the set, as a pinned
// refresh token, or the program gives them when it opens the set.
func TestPinTheCredentialsOrGiveThem(t *testing.T) {
	b := newBed(t, nil)
	t.Setenv("MAIL_TOKEN_OF_ANN", b.pin(t, ann))
	f := b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "env:MAIL_TOKEN_OF_ANN"`)
	wantInbox(t, open(t, f), ann)

	given := open(t, f, profile.Override{Credentials: b.password(bob, "battery horse")})
	wantInbox(t, given, bob)
	if given.User() != bob {
		t.Errorf("the session is of %s, want %s", given.User(), bob)
	}
}

// office is an authorization server that has its endpoints where Microsoft's has
// them, in front of the fake one.
type office struct {
	*httptest.Server

	mu    sync.Mutex
	paths []string
}

func newOffice(t *testing.T, behind string) *office {
	t.Helper()
	target, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.URL.Path = r.In.URL.Path[strings.LastIndex(r.In.URL.Path, "/"):]
	}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.paths = append(o.paths, r.URL.Path)
		o.mu.Unlock()
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

// TestSelfHostedOAuthHostWithTenantIDOrCommon: one base URL and a tenant are all
// that is said of the authorization server; the sign-in goes there.
func TestSelfHostedOAuthHostWithTenantIDOrCommon(t *testing.T) {
	b := newBed(t, nil)
	for _, tenant := range []string{"common", "5d9f2c1e-8f2b-4b70-9f0e-2a7f3c1d0e11"} {
		o := newOffice(t, b.OAuth.URL())
		opened := ""
		b.opts.Browser.OpenURL = func(ctx context.Context, address string) error {
			u, err := url.Parse(address)
			opened = strings.TrimPrefix(address, o.URL)
			return errors.Join(err, b.OAuth.Browser(ctx, b.OAuth.AuthURL()+"?"+u.RawQuery))
		}
		f := b.load(t, `"provider": "contoso", "oauth": {"base": "`+o.URL+`"}, "tenant": "`+tenant+`", "account": "`+ann+`", "clientId": "test-client"`)
		signIn(t, f)
		wantInbox(t, open(t, f), ann)
		prefix := "/" + tenant + "/oauth2/v2.0/"
		if !strings.HasPrefix(opened, prefix+"authorize?") || !slices.Contains(o.paths, prefix+"token") {
			t.Errorf("tenant %s: the browser opened %.60s, the server was asked for %q; want authorize and token below %s", tenant, opened, o.paths, prefix)
		}
	}
	for tenant, want := range map[string]string{"contoso.com": "/contoso.com/", "": "/common/", "organizations": "/organizations/"} {
		f := parse(t, one(`"provider": "microsoft", "tenant": "`+tenant+`", "clientId": "c", "account": "a@b.c"`), nil)
		p, err := f.Plan(t.Context(), "ann")
		if err != nil || !strings.Contains(p.OAuth.Endpoint.AuthURL, want) {
			t.Errorf("tenant %q: %v, want endpoints with %s", tenant, err, want)
		}
	}
}

// TestRedirectURIMustMatch: the redirect of the set is what the server compares.
func TestRedirectURIMustMatch(t *testing.T) {
	server := oauthtest.New(&oauthtest.Options{Clients: []oauthtest.Client{{ID: "strict", RedirectURIs: []string{"http://127.0.0.1/back"}}}})
	defer server.Close()
	set := func(redirect string) string {
		return `"oauth": {"authUrl": "` + server.AuthURL() + `", "tokenUrl": "` + server.TokenURL() + `"}, "clientId": "strict", "redirectUri": "` + redirect + `",
			"scopes": "openid email", "incoming": {"host": "imap.example.com"}`
	}
	o := &profile.Options{Browser: &oauth.SignInOptions{OpenURL: server.Browser, Listen: server.Listen, Timeout: 10 * time.Second}}
	for redirect, good := range map[string]bool{"http://127.0.0.1/back": true, "http://127.0.0.1/elsewhere": false, "http://localhost/back": false} {
		_, err := parse(t, one(set(redirect)), o).SignIn(t.Context(), "ann")
		if good != (err == nil) {
			t.Errorf("redirect %s: %v, want success: %t", redirect, err, good)
		}
	}
	mistakesOf(t, one(set("http://mail.example.com/back")), o)
}

// TestDefaultScopesOfEachProtocol: what is not said follows from protocols, mode
// and mailbox; what is said, in a list or in one text, replaces it.
func TestDefaultScopesOfEachProtocol(t *testing.T) {
	const (
		base    = `"provider": "microsoft", "clientId": "c", "account": "ann@contoso.com"`
		outlook = "https://outlook.office.com/"
		person  = " openid email profile offline_access"
	)
	for _, tt := range []struct{ set, want string }{
		{base, outlook + "IMAP.AccessAsUser.All " + outlook + "SMTP.Send" + person},
		{base + `, "mode": "read-only"`, outlook + "IMAP.AccessAsUser.All" + person},
		{base + `, "mode": "send-only"`, outlook + "SMTP.Send" + person},
		{base + `, "incoming": {"protocol": "POP3"}`, outlook + "POP.AccessAsUser.All" + person},
		{base + `, "incoming": {"protocol": "EWS"}`, "https://outlook.office365.com/EWS.AccessAsUser.All" + person},
		{base + `, "scopes": ["Mail.Read", "openid"], "mode": "read-only", "incoming": {"protocol": "Graph"}`, "https://graph.microsoft.com/Mail.Read openid"},
		{base + `, "scopes": "one two"`, "one two"},
		{base + `, "scopes": "one,two"`, "one two"},
		{base + `, "scopes": "one~two, three"`, "one two three"},
		{`"provider": "google", "clientId": "c", "clientSecret": "literal:stable horse", "account": "a@gmail.com"`, "https://mail.google.com/ openid email"},
		{`"provider": "microsoft", "tenant": "contoso.com", "flow": "client-credentials", "clientId": "c", "clientSecret": "literal:stable horse", "account": "a@contoso.com"`, "https://outlook.office365.com/.default"},
	} {
		p, err := parse(t, one(tt.set), &profile.Options{AllowLiteralSecrets: true}).Plan(t.Context(), "ann")
		if err != nil {
			t.Errorf("%s: %v", tt.set, err)
			continue
		}
		got, want := slices.Sorted(slices.Values(p.OAuth.Scopes)), slices.Sorted(strings.FieldsSeq(tt.want))
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngives the scopes %q, want %q", tt.set, got, want)
		}
	}
	graph := func(more string) []string {
		p, err := parse(t, one(base+`, "incoming": {"protocol": "Graph"}`+more), nil).Plan(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		return p.OAuth.Scopes
	}
	if own, other := graph(""), graph(`, "mailbox": "info@contoso.com"`); slices.ContainsFunc(own, isShared) || !slices.ContainsFunc(other, isShared) {
		t.Errorf("Graph asks for %q, and for another mailbox %q; want scopes of shared mail in the second alone", own, other)
	}
}

func isShared(scope string) bool { return strings.HasSuffix(scope, ".Shared") }

// TestAddressFoundOrGiven: without an account the id_token tells it, also that of
// a pin.
func TestAddressFoundOrGiven(t *testing.T) {
	b := newBed(t, nil)
	found := b.load(t, `"provider": "contoso", "clientId": "test-client"`)
	if _, err := found.Open(t.Context(), "ann"); !errors.Is(err, oauth.ErrNoGrant) || !session.NeedsSignIn(err) || !strings.Contains(err.Error(), "SignIn") {
		t.Errorf("Open before the sign-in: %v, want that a person has to sign in", err)
	}
	b.opts.Browser.LoginHint = ann
	signIn(t, b.load(t, `"provider": "contoso", "clientId": "test-client"`))
	signIn(t, found)
	if s := open(t, found); s.User() != ann {
		t.Errorf("the session is of %q, want %s", s.User(), ann)
	} else {
		wantInbox(t, s, ann)
	}

	t.Setenv("MAIL_PIN", b.pin(t, bob))
	pinned := b.load(t, `"provider": "contoso", "clientId": "test-client", "refreshToken": "env:MAIL_PIN"`)
	if s := open(t, pinned); s.User() != bob {
		t.Errorf("the session of the pin is of %q, want %s", s.User(), bob)
	} else {
		wantInbox(t, s, bob)
	}

	given := b.load(t, `"provider": "contoso", "account": "`+ann+`", "password": "env:MAIL_PASSWORD"`)
	t.Setenv("MAIL_PASSWORD", "correct horse")
	wantInbox(t, open(t, given), ann)
}

// TestEmptySecretForPersonalAccounts: a public client has none, and none is sent.
func TestEmptySecretForPersonalAccounts(t *testing.T) {
	for _, empty := range []string{"", `, "clientSecret": ""`} {
		f := parse(t, one(`"provider": "outlook.com", "clientId": "c", "account": "ann@outlook.com"`+empty), nil)
		if p, err := f.Plan(t.Context(), "ann"); err != nil || !p.OAuth.ClientSecret.IsZero() {
			t.Errorf("the plan %+v, %v; want no secret", p, err)
		}
		b := newBed(t, nil)
		own := b.load(t, `"provider": "contoso", "clientId": "test-client", "account": "`+ann+`"`+empty)
		signIn(t, own)
		wantInbox(t, open(t, own), ann)
		for _, r := range b.OAuth.Log() {
			if _, sent := r.Form["client_secret"]; sent || r.BasicAuth {
				t.Errorf("%s was sent a secret", r.Path)
			}
		}
	}
}

// TestEndpointsLoadedByProvider: its name is all that a set says of where to sign
// in, for every provider of package preset that has OAuth.
func TestEndpointsLoadedByProvider(t *testing.T) {
	var seen int
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil || p.Allows(preset.FlowBrowser, preset.IMAP) != nil || p.Endpoint.TokenURL == "" {
			continue
		}
		set := `"provider": "` + name + `", "clientId": "c", "clientSecret": "literal:some horse", "account": "a@b.c"`
		if p.Flows[preset.FlowBrowser].Secret == preset.SecretNone {
			set = strings.ReplaceAll(set, `"clientSecret": "literal:some horse", `, "")
		}
		plan, err := parse(t, one(set), &profile.Options{AllowLiteralSecrets: true}).Plan(t.Context(), "ann")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if plan.OAuth.Endpoint.TokenURL != p.Endpoint.TokenURL || plan.OAuth.Endpoint.AuthURL != p.Endpoint.AuthURL || plan.Incoming.Server.Host != p.IMAP.Host {
			t.Errorf("%s: endpoint %+v at %s, want the preset's", name, plan.OAuth.Endpoint, plan.Incoming.Server.Host)
		}
		seen++
	}
	if seen < 5 {
		t.Errorf("%d providers have OAuth, want several", seen)
	}
}

// TestPromptLoginAndPromptConsent: further parameters go to the sign-in as they
// are in the set.
func TestPromptLoginAndPromptConsent(t *testing.T) {
	for _, prompt := range []string{"login", "consent"} {
		b := newBed(t, nil)
		f := b.load(t, `"provider": "contoso", "clientId": "test-client", "account": "`+ann+`", "authParams": {"prompt": "`+prompt+`", "domain_hint": "contoso"}`)
		signIn(t, f)
		var got []string
		for _, r := range b.OAuth.Log() {
			if r.Path == oauthtest.AuthorizePath && r.Form["prompt"] != "" {
				got = append(got, r.Form["prompt"]+" "+r.Form["domain_hint"])
			}
		}
		if len(got) == 0 || got[0] != prompt+" contoso" {
			t.Errorf("the sign-in had %q, want %s contoso", got, prompt)
		}
	}
}

// TestDeviceCodeByASet has Ann sign in on another device.
func TestDeviceCodeByASet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, &presettest.Options{InMemory: true})
		b.opts.Device = &oauth.DeviceOptions{Show: approve(b)}
		f := b.load(t, `"provider": "contoso", "flow": "device", "clientId": "test-client", "account": "`+ann+`"`)
		signIn(t, f)
		s := open(t, f)
		wantInbox(t, s, ann)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
