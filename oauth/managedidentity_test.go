package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/proxy"
)

// identities are those of the machine.
func identities() []oauthtest.Identity {
	return []oauthtest.Identity{
		{ClientID: "system", ObjectID: "o-1", ResourceID: "/vm", Permissions: []string{appScope}, Mailboxes: []string{sharedMailbox}},
		{ClientID: "assigned", ObjectID: "o-2", ResourceID: "/assigned", Permissions: []string{appScope}, Mailboxes: []string{oauthtest.DefaultEmail}},
	}
}

// environment is a function in the place of os.Getenv.
func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// onMachine returns the options for the metadata service of the bed's server.
func (b *bed) onMachine() *oauth.ManagedIdentityOptions {
	b.cfg.ClientID, b.cfg.Scopes = "", nil
	return &oauth.ManagedIdentityOptions{BaseURL: b.srv.URL(), Getenv: environment(nil)}
}

// managed returns the source of an identity.
func (b *bed) managed(o *oauth.ManagedIdentityOptions) oauth.TokenSource {
	b.t.Helper()
	app, err := oauth.ManagedIdentity(b.cfg, o)
	if err != nil {
		b.t.Fatalf("ManagedIdentity: %v", err)
	}
	return app.For(mailResource)
}

// TestManagedIdentities: through both interfaces, each identity by each of its
// names opens its own mailbox.
func TestManagedIdentities(t *testing.T) {
	for _, appService := range []bool{false, true} {
		for _, tt := range []struct {
			client, object, resource, user string
		}{
			{user: sharedMailbox},
			{client: "assigned", user: oauthtest.DefaultEmail},
			{object: "o-2", user: oauthtest.DefaultEmail},
			{resource: "/assigned", user: oauthtest.DefaultEmail},
		} {
			everywhere(t, oauthtest.Options{Identities: identities(), MailScopes: []string{appScope}}, func(b *bed) {
				o := b.onMachine()
				path := oauthtest.IMDSPath
				if appService {
					o.Getenv, path = environment(b.srv.IdentityEnv()), oauthtest.AppServicePath
				}
				b.cfg.ClientID, o.ObjectID, o.ResourceID = tt.client, tt.object, tt.resource
				source := b.managed(o)
				tok := b.token(source)
				b.opens(tok, tt.user)
				b.token(source)
				if n := b.srv.Hits(path); n != 1 {
					b.t.Errorf("%d requests to %s, want 1", n, path)
				}
				if left := time.Until(tok.Expiry); left < 59*time.Minute || left > time.Hour {
					b.t.Errorf("the token lives for %v, want about 1h", left)
				}
				r := b.srv.Log()[0]
				if got := r.Form["resource"]; got != mailResource {
					b.t.Errorf("resource %q, want %q", got, mailResource)
				}
				b.mustNotContain("the log", b.log.String())
			})
		}
	}
}

// TestTheMetadataServiceIsBeingUpdated: what Microsoft says passes is waited
// for, also for the 70 seconds that an update takes.
func TestTheMetadataServiceIsBeingUpdated(t *testing.T) {
	for _, status := range []int{404, 410, 429, 500, 503} {
		inBubble(t, oauthtest.Options{Identities: identities(), MailScopes: []string{appScope}}, func(b *bed) {
			b.srv.Inject(oauthtest.IMDSPath, slices.Repeat([]oauthtest.Fault{{Status: status}}, 6)...)
			start := time.Now()
			b.opens(b.token(b.managed(b.onMachine())), sharedMailbox)
			if waited := time.Since(start); waited < 70*time.Second || waited > 2*time.Minute {
				b.t.Errorf("status %d: waited for %v, want more than 70s", status, waited)
			}
		})
		inBubble(t, oauthtest.Options{Identities: identities()}, func(b *bed) {
			b.srv.Inject(oauthtest.IMDSPath, slices.Repeat([]oauthtest.Fault{{Status: status}}, 20)...)
			_, err := b.managed(b.onMachine()).Token(b.t.Context())
			if e := b.failed(err, oauth.KindTemporary); e.Status != status {
				b.t.Errorf("Token = %v, want status %d", err, status)
			}
		})
	}
	inBubble(t, oauthtest.Options{Identities: identities()}, func(b *bed) {
		b.srv.Inject(oauthtest.IMDSPath, oauthtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"33"}}})
		start := time.Now()
		b.token(b.managed(b.onMachine()))
		if waited := time.Since(start); waited < 33*time.Second {
			b.t.Errorf("waited for %v, want the 33s that were asked for", waited)
		}
	})
}

// TestNoManagedIdentity: what is wrong is told, and mended by whoever set the
// machine up.
func TestNoManagedIdentity(t *testing.T) {
	const arc, fabric = "Azure Arc", "Service Fabric"
	for want, env := range map[string]map[string]string{
		arc:           {"IDENTITY_ENDPOINT": "http://127.0.0.1:40342/token", "IMDS_ENDPOINT": "http://127.0.0.1:40342"},
		fabric:        {"IDENTITY_ENDPOINT": "https://x", "IDENTITY_HEADER": "h", "IDENTITY_SERVER_THUMBPRINT": "t"},
		"no full URL": {"IDENTITY_ENDPOINT": "/token", "IDENTITY_HEADER": "h"},
	} {
		_, err := oauth.ManagedIdentity(nil, &oauth.ManagedIdentityOptions{Getenv: environment(env)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ManagedIdentity = %v, want %q", err, want)
		}
	}
	_, err := oauth.ManagedIdentity(&oauth.Config{ClientID: "a"}, &oauth.ManagedIdentityOptions{ObjectID: "b", Getenv: environment(nil)})
	if err == nil || !strings.Contains(err.Error(), "several names") {
		t.Errorf("two names: %v", err)
	}
	inBubble(t, oauthtest.Options{Identities: identities()}, func(b *bed) {
		o := b.onMachine()
		b.cfg.ClientID = "stranger"
		_, err := b.managed(o).Token(b.t.Context())
		if b.failed(err, oauth.KindClientConfig); !strings.Contains(err.Error(), "assign the identity") {
			b.t.Errorf("Token = %v, want what to do", err)
		}
		o = b.onMachine()
		app, err := oauth.ManagedIdentity(b.cfg, o)
		if err != nil {
			b.t.Fatal(err)
		}
		_, err = app.For("").Token(b.t.Context())
		b.failed(err, oauth.KindClientConfig)
		env := b.srv.IdentityEnv()
		env["IDENTITY_HEADER"] = "a stolen header of long ago"
		o.Getenv = environment(env)
		_, err = b.managed(o).Token(b.t.Context())
		b.failed(err, oauth.KindClientConfig)
		if strings.Contains(err.Error()+b.log.String(), "stolen") {
			b.t.Errorf("the header is in the error or the log: %v", err)
		}
		o = b.onMachine()
		o.BaseURL = "http://127.0.0.1:1"
		_, err = b.managed(o).Token(b.t.Context())
		if b.failed(err, oauth.KindTemporary); !strings.Contains(err.Error(), "exist on Azure alone") {
			b.t.Errorf("not on Azure: %v", err)
		}
	})
}

// TestAManagedIdentityUsesNoProxy: whoever is asked through one is not this
// machine's metadata service.
func TestAManagedIdentityUsesNoProxy(t *testing.T) {
	inBubble(t, oauthtest.Options{Identities: identities(), MailScopes: []string{appScope}}, func(b *bed) {
		own, ok := b.srv.Client().Transport.(*http.Transport)
		if !ok {
			b.t.Fatal("the fake's client has another transport")
		}
		transport := own.Clone()
		transport.Proxy = func(r *http.Request) (*url.URL, error) {
			b.t.Errorf("a proxy is asked for on the way to %s", r.URL.Host)
			return nil, nil //nolint:nilnil // It means that there is none.
		}
		b.cfg.HTTPClient = &http.Client{Transport: transport}
		b.cfg.Proxy = &proxy.Config{URL: "http://proxy.example.net:3128"}
		b.opens(b.token(b.managed(b.onMachine())), sharedMailbox)
	})
}

// TestTheSameTokenAgain: Azure hands out a token until half of its time is
// over, whatever a server thinks of it. It is not offered to that server again
// at once, and not kept from it for long either.
func TestTheSameTokenAgain(t *testing.T) {
	inBubble(t, oauthtest.Options{Identities: identities()}, func(b *bed) {
		source := b.managed(b.onMachine())
		tok := b.token(source)
		invalidator, _ := source.(oauth.Invalidator)
		b.failed(invalidator.Invalidate(b.t.Context(), tok), oauth.KindTemporary)
		_, err := source.Token(b.t.Context())
		if b.failed(err, oauth.KindTemporary); oauth.RetryAfter(err) != time.Minute {
			b.t.Errorf("RetryAfter = %v, want 1m", oauth.RetryAfter(err))
		}
		let(time.Minute)
		if again := b.token(source); !again.AccessToken.Equal(tok.AccessToken) {
			b.t.Error("another token, want the one that Azure gives")
		}
		b.failed(invalidator.Invalidate(b.t.Context(), tok), oauth.KindTemporary)
		let(30 * time.Minute)
		if b.token(source).AccessToken.Equal(tok.AccessToken) {
			b.t.Error("the refused token after half an hour, want another")
		}
	})
}

// ExampleManagedIdentity is a program on a virtual machine of Azure: what it may
// do belongs to the machine, and there is no secret at all.
func ExampleManagedIdentity() {
	srv := oauthtest.New(&oauthtest.Options{Identities: []oauthtest.Identity{{
		Permissions: []string{"https://outlook.office365.com/IMAP.AccessAsApp"}, Mailboxes: []string{"info@contoso.com"},
	}}})
	defer srv.Close()
	// A real one needs neither a Config nor options.
	app, err := oauth.ManagedIdentity(nil, &oauth.ManagedIdentityOptions{BaseURL: srv.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := app.For("https://outlook.office365.com").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(srv.CheckToken("info@contoso.com", tok.AccessToken))
	// Output: <nil>
}
