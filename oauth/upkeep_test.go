package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/state"
)

const day = 24 * time.Hour

// TestKeepAlive: a mailbox lies still for a year, and a daily call keeps the
// grant alive with few requests. Without it the grant ends.
func TestKeepAlive(t *testing.T) {
	for _, alive := range []bool{true, false} {
		inBubble(t, oauthtest.Options{RefreshLifetime: 90 * day, Rotation: oauthtest.RotateKeepOld}, func(b *bed) {
			b.cfg.Endpoint.IdleLimit = 90 * day
			grant := b.signIn()
			refreshed := 0
			for range 365 {
				let(day)
				if !alive {
					continue
				}
				did, err := grant.KeepAlive(b.t.Context(), 0)
				if err != nil {
					b.t.Fatalf("KeepAlive: %v", err)
				}
				if did {
					refreshed++
				}
			}
			if alive && (refreshed != 8 || b.refreshes() != 8) {
				b.t.Errorf("%d refreshes, %d requests; want 8, one for each 45 days", refreshed, b.refreshes())
			}
			_, err := grant.For("").Token(b.t.Context())
			if alive && err != nil {
				b.t.Errorf("after a year Token = %v, want a token", err)
			}
			if !alive {
				b.failed(err, oauth.KindExpired)
			}
		})
	}
}

func TestKeepAliveCostsNothingWhereTheGrantIsInUse(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		keep := oauth.Keep{Store: state.NewMemory(), Key: "grant/ann"}
		b.opts.Keep = &keep
		grant := b.signIn()
		let(40 * day)
		// Another process uses it.
		other, err := oauth.Open(b.t.Context(), b.cfg, keep)
		if err != nil {
			b.t.Fatalf("Open: %v", err)
		}
		b.token(other.For(""))
		for _, idle := range []time.Duration{0, time.Hour} {
			if did, err := grant.KeepAlive(b.t.Context(), idle); did || err != nil {
				b.t.Errorf("KeepAlive(%v) = %t, %v, want no refresh", idle, did, err)
			}
		}
		if got := b.refreshes(); got != 1 {
			b.t.Errorf("%d refreshes, want the other process's", got)
		}
		let(2 * time.Hour)
		if did, err := grant.KeepAlive(b.t.Context(), time.Hour); !did || err != nil {
			b.t.Errorf("KeepAlive after 2h = %t, %v, want a refresh", did, err)
		}
		b.token(grant.For("")) // that of KeepAlive
		if got := b.refreshes(); got != 2 {
			b.t.Errorf("%d refreshes, want 2", got)
		}
		b.srv.Revoke(oauthtest.DefaultEmail)
		let(day)
		_, err = grant.KeepAlive(b.t.Context(), time.Hour)
		b.failed(err, oauth.KindRevoked)
	})
}

// TestRevoke: the server ends the grant, the record forgets it, and whoever asks
// for a token is told to sign in.
func TestRevoke(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults []oauthtest.Fault
		gone   bool // the fault says so; the server still has the grant
	}{
		{"at once", nil, false},
		{"busy", []oauthtest.Fault{{Status: 503}}, false},
		{"the answer is lost", []oauthtest.Fault{{ReplyLost: true}}, false},
		{"gone already, at Google", []oauthtest.Fault{oauthtest.Google("invalid_token", "", "Token expired or revoked")}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				keep := oauth.Keep{Store: state.NewMemory(), Key: "grant/ann"}
				b.opts.Keep, b.cfg.Endpoint.RevokeURL = &keep, b.srv.RevokeURL()
				grant := b.signIn()
				tok := b.token(grant.For(""))
				b.srv.Inject(oauthtest.RevokePath, tt.faults...)
				if err := grant.Revoke(b.t.Context()); err != nil {
					b.t.Fatalf("Revoke: %v", err)
				}
				if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); !tt.gone && !errors.Is(err, oauthtest.ErrRevokedToken) {
					b.t.Errorf("CheckToken = %v, want revoked", err)
				}
				again, err := oauth.Open(b.t.Context(), b.cfg, keep)
				if err != nil {
					b.t.Fatalf("Open: %v", err)
				}
				for name, g := range map[string]*oauth.Grant{"the grant": grant, "one opened later": again} {
					_, err := g.For("").Token(b.t.Context())
					if e := b.failed(err, oauth.KindRevoked); !strings.Contains(e.Error(), "signed out") || !oauth.NeedsSignIn(err) {
						b.t.Errorf("%s: %v, want that the user signed out", name, err)
					}
				}
				kept, err := keep.Store.Load(b.t.Context(), keep.Key)
				if err != nil {
					b.t.Fatalf("Load: %v", err)
				}
				b.mustNotContain("the record", string(kept.Value))
				if b.refreshes() != 0 {
					b.t.Errorf("%d refreshes, want none", b.refreshes())
				}
				// A new sign-in takes the place.
				b.token(b.signIn().For(""))
			})
		})
	}
}

func TestRevokeRefused(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Endpoint.RevokeURL = b.srv.RevokeURL()
		grant := b.signIn()
		b.srv.Inject(oauthtest.RevokePath, oauthtest.Fault{Status: 401, Error: "invalid_client"})
		b.failed(grant.Revoke(b.t.Context()), oauth.KindClientConfig)
		b.token(grant.For(graphResource)) // nothing was forgotten
	})
}

func TestNoRevocationIsOffered(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		grant := b.signIn()
		if err := grant.Revoke(b.t.Context()); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "Forget") {
			b.t.Errorf("Revoke = %v, want ErrUnsupported and what to do", err)
		}
		microsoft := b.behind("https://login.microsoftonline.com/common/oauth2/v2.0/token", oauthtest.Fault{})
		if err := microsoft.Revoke(b.t.Context()); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "https://myapplications.microsoft.com") {
			b.t.Errorf("Revoke at Microsoft = %v, want ErrUnsupported and Microsoft's page", err)
		}
		tok := b.token(grant.For(""))
		if err := grant.Forget(b.t.Context()); err != nil {
			b.t.Fatalf("Forget: %v", err)
		}
		_, err := grant.For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil {
			b.t.Errorf("CheckToken = %v, want nil: the server was not told", err)
		}
	})
}

func TestFacts(t *testing.T) {
	inBubble(t, oauthtest.Options{RefreshLifetime: 7 * day}, func(b *bed) {
		b.cfg.Endpoint.IdleLimit = 90 * day
		b.cfg.Scopes = append(b.cfg.Scopes, graphScope)
		grant := b.signIn()
		signedIn := time.Now().Truncate(time.Second) // the virtual clock's first one
		let(3 * day)
		facts, err := grant.Facts(b.t.Context())
		if err != nil || !facts.Refreshable || facts.NeedsSignIn || facts.Missing != nil {
			b.t.Errorf("Facts = %+v, %v, want a good grant", facts, err)
		}
		if !facts.LastUse.Equal(signedIn) || !facts.Ends.Equal(signedIn.Add(7*day)) || !facts.IdleEnd.Equal(signedIn.Add(90*day)) {
			b.t.Errorf("Facts = %+v, want a sign-in at %v, its end 7 days and its idle end 90 days later", facts, signedIn)
		}
		b.srv.Revoke(oauthtest.DefaultEmail)
		_, err = grant.For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		if facts, err = grant.Facts(b.t.Context()); err != nil || !facts.NeedsSignIn {
			b.t.Errorf("after the end Facts = %+v, %v, want NeedsSignIn", facts, err)
		}
	})
}

// TestPartialConsent: the user unticks one of the scopes.
func TestPartialConsent(t *testing.T) {
	const send = mailResource + "/Mail.Send"
	inBubble(t, oauthtest.Options{Withheld: []string{send}}, func(b *bed) {
		b.cfg.Scopes = append(b.cfg.Scopes, send)
		keep := &oauth.Keep{Store: state.NewMemory(), Key: "grant/ann"}
		b.opts.Keep = keep
		grant := b.signIn()
		again, err := oauth.Open(b.t.Context(), b.cfg, *keep)
		if err != nil {
			b.t.Fatalf("Open: %v", err)
		}
		for name, g := range map[string]*oauth.Grant{"at the sign-in": grant, "opened later": again} {
			if got := g.Missing(); fmt.Sprint(got) != "["+send+"]" {
				b.t.Errorf("%s: Missing = %v, want %s", name, got, send)
			}
		}
		if !strings.Contains(b.log.String(), "not everything that was asked for was granted") {
			b.t.Errorf("the log does not say so:\n%s", b.log)
		}
	})
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		if got := b.signIn().Missing(); got != nil {
			b.t.Errorf("with everything granted Missing = %v, want none", got)
		}
	})
}

// A daily job keeps grants alive whose mailboxes lie still.
func ExampleGrant_KeepAlive() {
	srv := oauthtest.New(nil)
	defer srv.Close()

	ctx := context.Background()
	grant, err := oauth.SignIn(ctx, &oauth.Config{
		ClientID: oauthtest.DefaultClientID,
		Endpoint: oauth.Endpoint{AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL(), RevokeURL: srv.RevokeURL()},
		Scopes:   []string{"offline_access", "https://mail.example.org/Mail.Read"},
	}, &oauth.SignInOptions{LoginHint: "ann@example.org", OpenURL: srv.Browser})
	if err != nil {
		fmt.Println(err)
		return
	}
	refreshed, err := grant.KeepAlive(ctx, 30*24*time.Hour)
	fmt.Println(refreshed, err)
	fmt.Println(grant.Revoke(ctx))
	_, err = grant.For("").Token(ctx)
	fmt.Println(oauth.NeedsSignIn(err))
	// Output:
	// false <nil>
	// <nil>
	// true
}

// TestDiscover finds the server's endpoints at both places.
func TestDiscover(t *testing.T) {
	for _, missing := range []string{"", oauthtest.MetadataPath} {
		everywhere(t, oauthtest.Options{}, func(b *bed) {
			if missing != "" {
				b.srv.Inject(missing, oauthtest.Fault{Status: 404, Body: "no"})
			}
			found, err := oauth.Discover(b.t.Context(), b.srv.Issuer(), &oauth.DiscoverOptions{HTTPClient: b.srv.Client()})
			if err != nil {
				b.t.Fatalf("Discover: %v", err)
			}
			want := oauth.Endpoint{
				Issuer: b.srv.Issuer(), AuthURL: b.srv.AuthURL(), TokenURL: b.srv.TokenURL(), DeviceURL: b.srv.DeviceURL(),
				RevokeURL: b.srv.RevokeURL(), IssuerInRedirect: true,
				GrantTypes: []string{
					oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantDeviceCode,
					oauth.GrantClientCredentials, oauth.GrantJWTBearer,
				},
			}
			if !reflect.DeepEqual(found.Endpoint, want) {
				b.t.Errorf("Endpoint = %+v, want %+v", found.Endpoint, want)
			}
			b.cfg.Endpoint = found.Endpoint
			b.signIn()
		})
	}
}

// TestDiscoverTrustsLittle: a document has to be the issuer's own, in TLS, small,
// and at the issuer's address.
func TestDiscoverTrustsLittle(t *testing.T) {
	const issuer = "https://login.example/t-1/v2.0"
	good := `{"issuer":"` + issuer + `","token_endpoint":"https://login.example/token","authorization_endpoint":"https://login.example/auth"}`
	for _, tt := range []struct {
		name, issuer, body string
		status             int
		kind               oauth.Kind // KindUnknown: none
		text               string
	}{
		{"good", issuer, good, 200, oauth.KindUnknown, ""},
		{"template", issuer, strings.Replace(good, "t-1", "{tenantid}", 1), 200, oauth.KindUnknown, ""},
		{"template elsewhere", issuer, strings.Replace(good, `"https://login.example/t-1`, `"https://evil.example/{tenantid}`, 1), 200, oauth.KindProtocol, "evil.example"},
		{"template for everybody", "https://login.example", strings.Replace(good, "login.example/t-1/v2.0", "{tenantid}", 1), 200, oauth.KindProtocol, "instead of"},
		{"endpoint on this machine", issuer, strings.Replace(good, `"https://login.example/token`, `"http://127.0.0.1:8080/token`, 1), 200, oauth.KindProtocol, "on this machine"},
		{"endpoint on this machine in TLS", issuer, strings.Replace(good, `"https://login.example/auth`, `"https://localhost/auth`, 1), 200, oauth.KindProtocol, "on this machine"},
		{"another issuer", issuer, strings.Replace(good, "t-1", "t-2", 1), 200, oauth.KindProtocol, "t-2"},
		{"a slash more", issuer, strings.Replace(good, "v2.0", "v2.0/", 1), 200, oauth.KindProtocol, "instead of"},
		{"no issuer", issuer, `{"token_endpoint":"https://login.example/token"}`, 200, oauth.KindProtocol, "instead of"},
		{"plain endpoint", issuer, strings.Replace(good, `"https://login.example/token`, `"http://login.example/token`, 1), 200, oauth.KindProtocol, "only https"},
		{"script", issuer, strings.Replace(good, "https://login.example/auth", "javascript:alert(1)", 1), 200, oauth.KindProtocol, "only https"},
		{"no token endpoint", issuer, `{"issuer":"` + issuer + `"}`, 200, oauth.KindProtocol, "no token endpoint"},
		{"not an object", issuer, `[1]`, 200, oauth.KindProtocol, "not a JSON object"},
		{"too large", issuer, good + strings.Repeat(" ", 300<<10) + "}", 200, oauth.KindProtocol, "larger"},
		{"nowhere", issuer, "no", 404, oauth.KindClientConfig, "404"},
		{"moved", issuer, "no", 302, oauth.KindClientConfig, "302"},
		{"plain issuer", "http://login.example", good, 200, oauth.KindClientConfig, "https"},
		{"issuer with a query", issuer + "?x=y", good, 200, oauth.KindClientConfig, "query"},
		{"no issuer at all", "", good, 200, oauth.KindClientConfig, "https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked++
				if r.URL.Host != "login.example" || !strings.Contains(r.URL.Path, "/.well-known/") {
					t.Errorf("asked for %s", r.URL)
				}
				return &http.Response{
					StatusCode: tt.status, Header: http.Header{"Location": {"https://evil.example/"}}, Request: r,
					Body: replaced(http.NoBody, "", tt.body),
				}, nil
			})}
			_, err := oauth.Discover(t.Context(), tt.issuer, &oauth.DiscoverOptions{HTTPClient: client, Retry: oauth.Retry{On: oauth.RetryNever}})
			if tt.kind == oauth.KindUnknown {
				if err != nil {
					t.Errorf("Discover = %v, want nil", err)
				}
				return
			}
			if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("Discover = %v, want kind %q with %q", err, tt.kind, tt.text)
			}
			if tt.status == 404 && asked != 2 {
				t.Errorf("%d places were asked, want 2", asked)
			}
		})
	}
}

// TestDiscoverThroughAProxy: the way to the server is that of token requests.
func TestDiscoverThroughAProxy(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		p := b.behindProxy()
		options := &oauth.DiscoverOptions{HTTPClient: b.cfg.HTTPClient, Proxy: b.cfg.Proxy}
		if _, err := oauth.Discover(b.t.Context(), b.srv.Issuer(), options); err != nil {
			b.t.Errorf("Discover through a proxy: %v", err)
		}
		no := "HTTP/1.1 407 No\r\n\r\n"
		p.answer.Store(&no)
		_, err := oauth.Discover(b.t.Context(), b.srv.Issuer(), options)
		b.failed(err, oauth.KindClientConfig)
		options.Proxy = &proxy.Config{URL: "gopher://proxy.example.net"}
		_, err = oauth.Discover(b.t.Context(), b.srv.Issuer(), options)
		b.failed(err, oauth.KindClientConfig)
	})
}

func ExampleDiscover() {
	srv := oauthtest.New(nil)
	defer srv.Close()

	found, err := oauth.Discover(context.Background(), srv.Issuer(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.Endpoint.TokenURL == srv.TokenURL(), found.ChallengeMethods)
	// Output: true [S256]
}
