package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

func TestSignIn(t *testing.T) {
	for _, mode := range []string{"", "query", "form_post"} {
		for _, redirectURL := range []string{"", "http://127.0.0.1", "http://localhost/callback", "http://[::1]/cb"} {
			t.Run(mode+" "+redirectURL, func(t *testing.T) {
				everywhere(t, oauthtest.Options{MailScopes: []string{mailScope}}, func(b *bed) {
					b.cfg.Endpoint.ResponseMode = mode
					b.cfg.Endpoint.IssuerInRedirect = true
					b.cfg.RedirectURL = redirectURL
					grant := b.signIn()
					if grant.Address() != oauthtest.DefaultEmail || grant.Subject() != "1001" {
						b.t.Errorf("Address, Subject = %q, %q, want %s, 1001", grant.Address(), grant.Subject(), oauthtest.DefaultEmail)
					}
					tok := b.token(grant.For(mailResource))
					if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil {
						b.t.Errorf("CheckToken = %v, want nil", err)
					}
					if got := b.srv.Hits(oauthtest.TokenPath); got != 1 {
						b.t.Errorf("%d token requests, want 1", got)
					}
					if r := b.tokenRequest(); r.BasicAuth || hasKey(r, "client_secret") || hasKey(r, "scope") {
						b.t.Errorf("a public client's request with one resource is %+v", r)
					}
				})
			})
		}
	}
}

func hasKey(r oauthtest.Request, name string) bool {
	_, ok := r.Form[name]
	return ok
}

func TestSignInOverTLS(t *testing.T) {
	authority, err := testtls.New()
	if err != nil {
		t.Fatalf("testtls.New: %v", err)
	}
	b := newBed(t, oauthtest.Options{TLS: authority.Server(), RootCAs: authority.Client().RootCAs})
	b.signIn()

	b.cfg.HTTPClient = nil // trusts the system's authorities only
	_, err = oauth.SignIn(t.Context(), b.cfg, &oauth.SignInOptions{
		OpenURL: func(ctx context.Context, address string) error {
			_ = b.srv.Browser(ctx, address) // The page about the failure has an error status.
			return nil
		},
		LoginHint: oauthtest.DefaultEmail, Listen: b.srv.Listen,
	})
	b.failed(err, oauth.KindClientConfig)
}

func TestConfidentialClients(t *testing.T) {
	const odd = "a horse+with %26 & signs"
	for _, tt := range []struct {
		style oauth.AuthStyle
		auth  oauthtest.ClientAuth
	}{{oauth.InParams, oauthtest.AuthPost}, {oauth.InHeader, oauthtest.AuthBasic}} {
		client := oauthtest.Client{ID: "conf", Secret: secret.New(odd), Auth: tt.auth}
		inBubble(t, oauthtest.Options{Clients: []oauthtest.Client{client}}, func(b *bed) {
			b.cfg.ClientID, b.cfg.ClientSecret = "conf", secret.New(odd)
			b.cfg.Endpoint.AuthStyle = tt.style
			b.signIn()
			if r := b.tokenRequest(); r.BasicAuth != (tt.style == oauth.InHeader) {
				b.t.Errorf("style %d: the request is %+v", tt.style, r)
			}
		})
	}
}

func TestPublicClientNeverSendsBasic(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Endpoint.AuthStyle = oauth.InHeader
		b.signIn()
	})
}

func TestAuthorizationRequest(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.AuthParams = url.Values{"access_type": {"offline"}, "prompt": {"consent"}}
		b.cfg.Endpoint.AuthURL += "?tenant=1"
		var query url.Values
		b.opts.OpenURL = func(ctx context.Context, address string) error {
			u, err := url.Parse(address)
			if err != nil {
				return err
			}
			query = u.Query()
			return b.srv.Browser(ctx, address)
		}
		b.signIn()
		for name, want := range map[string]string{
			"tenant": "1", "access_type": "offline", "prompt": "consent", "response_type": "code",
			"client_id": oauthtest.DefaultClientID, "scope": strings.Join(b.cfg.Scopes, " "),
			"code_challenge_method": "S256", "login_hint": oauthtest.DefaultEmail,
		} {
			if got := query.Get(name); got != want {
				b.t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(query.Get(name)) < 43 {
				b.t.Errorf("%s = %q, want 43 characters or more", name, query.Get(name))
			}
		}
		if query.Has("response_mode") {
			b.t.Errorf("response_mode = %q, want none", query.Get("response_mode"))
		}
		if uri := query.Get("redirect_uri"); !strings.HasPrefix(uri, "http://localhost:") || strings.HasSuffix(uri, "/") {
			b.t.Errorf("redirect_uri = %q, want http://localhost with a port and no path", uri)
		}
	})
}

func TestTheCodeIsRedeemedForTheFirstResource(t *testing.T) {
	inBubble(t, oauthtest.Options{OneResource: true, RequireOffline: true}, func(b *bed) {
		b.cfg.Scopes = []string{"openid", mailScope, graphScope, "offline_access"}
		grant := b.signIn()
		if got, want := b.tokenRequest().Form["scope"], "openid "+mailScope+" offline_access"; got != want {
			b.t.Errorf("the code was redeemed for %q, want %q", got, want)
		}
		mail, graph := b.token(grant.For(mailResource)), b.token(grant.For(graphResource+"/"))
		for _, tt := range []struct {
			tok   *oauth.Token
			scope string
			want  error
		}{
			{mail, mailScope, nil},
			{mail, graphScope, oauthtest.ErrWrongScope},
			{graph, graphScope, nil},
			{graph, mailScope, oauthtest.ErrWrongScope},
		} {
			err := b.srv.Checker(tt.scope)(oauthtest.DefaultEmail, tt.tok.AccessToken)
			if !errors.Is(err, tt.want) {
				b.t.Errorf("scopes %v, wanted %s: %v, want %v", tt.tok.Scopes, tt.scope, err, tt.want)
			}
		}
		if got := b.refreshes(); got != 1 {
			b.t.Errorf("%d refreshes, want 1: the first token came with the code", got)
		}
	})
}

func TestSignInFails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		path  string
		fault oauthtest.Fault
		kind  oauth.Kind
		text  string
	}{
		{"denied", oauthtest.AuthorizePath, oauthtest.Fault{Error: "access_denied", Description: "the user said no"}, oauth.KindPolicy, "the user said no"},
		{"consent", oauthtest.AuthorizePath, oauthtest.Fault{Error: "consent_required"}, oauth.KindConsent, "consent_required"},
		{"server trouble", oauthtest.AuthorizePath, oauthtest.Fault{Error: "temporarily_unavailable"}, oauth.KindTemporary, "try again"},
		{"bad scope", oauthtest.AuthorizePath, oauthtest.Fault{Error: "invalid_scope"}, oauth.KindClientConfig, "invalid_scope"},
		{"secret expired", oauthtest.TokenPath, oauthtest.Fault{Status: 401, Error: "invalid_client"}, oauth.KindClientConfig, "invalid_client"},
		{"code refused", oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant"}, oauth.KindInteraction, "the code is not good"},
		{"used code", oauthtest.TokenPath, oauthtest.Entra(54005, "invalid_grant", "", "x"), oauth.KindInteraction, "the code was used before"},
		{"reply lost", oauthtest.TokenPath, oauthtest.Fault{ReplyLost: true}, oauth.KindReplyLost, "a code works once: sign in again"},
		{"no token", oauthtest.TokenPath, oauthtest.Fault{Status: 200, Body: `{"token_type":"Bearer"}`}, oauth.KindProtocol, "no access token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everywhere(t, oauthtest.Options{}, func(b *bed) {
				b.srv.Inject(tt.path, tt.fault)
				_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
				e := b.failed(err, tt.kind)
				if !strings.Contains(e.Error(), tt.text) || e.Server == "" {
					b.t.Errorf("error %q of server %q, want %q in it", err, e.Server, tt.text)
				}
				b.mustNotContain("the error", fmt.Sprintf("%v %+v", err, err))
			})
		})
	}
}

func TestARefusedCodeIsNotSentAgain(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Endpoint.RefreshTokensReusable = true // says nothing about codes
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{ReplyLost: true})
		_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
		b.failed(err, oauth.KindReplyLost)
		if got := b.srv.Hits(oauthtest.TokenPath); got != 1 {
			b.t.Errorf("%d token requests, want 1", got)
		}
	})
}

func TestIDTokenIsChecked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		claims map[string]any
		issuer string // of the Config, "" for the server's
		ok     bool
		want   string // the address, or a part of the error
	}{
		{"as it is", nil, "", true, oauthtest.DefaultEmail},
		{"no email", map[string]any{"email": nil}, "", true, oauthtest.DefaultEmail},
		{"upn", map[string]any{"email": "ann", "preferred_username": nil, "upn": "ann@corp.example"}, "", true, "ann@corp.example"},
		{"no address", map[string]any{"email": nil, "preferred_username": "ann"}, "", true, ""},
		{"an address that would inject", map[string]any{"email": "a\x01@b", "preferred_username": "a b@c"}, "", true, ""},
		{"several audiences", map[string]any{"aud": []string{"x", oauthtest.DefaultClientID}, "azp": oauthtest.DefaultClientID}, "", true, oauthtest.DefaultEmail},
		{"other audience", map[string]any{"aud": "x"}, "", false, "another client"},
		{"other party", map[string]any{"aud": []string{"x", oauthtest.DefaultClientID}}, "", false, "several clients"},
		{"other nonce", map[string]any{"nonce": "x"}, "", false, "nonce"},
		{"no nonce", map[string]any{"nonce": nil}, "", false, "nonce"},
		{"other issuer", map[string]any{"iss": "https://evil.example"}, "", false, "evil.example"},
		{"no expiry", map[string]any{"exp": nil}, "", false, "expired"},
		{"long expired", map[string]any{"exp": 1}, "", false, "expired"},
		{"not an object", map[string]any{"aud": 7}, "", false, "claims"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := oauthtest.Options{Accounts: []oauthtest.Account{{
				Subject: "1", Email: oauthtest.DefaultEmail, Claims: tt.claims,
			}}}
			inBubble(t, o, func(b *bed) {
				grant, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
				if !tt.ok {
					e := b.failed(err, oauth.KindProtocol)
					if !strings.Contains(e.Error(), tt.want) {
						b.t.Errorf("error %q, want %q in it", err, tt.want)
					}
					return
				}
				if err != nil || grant.Address() != tt.want {
					b.t.Errorf("SignIn = %v, %v, want address %q", grant, err, tt.want)
				}
			})
		})
	}
}

func TestIssuerOfTheRedirect(t *testing.T) {
	for _, tt := range []struct {
		name     string
		omit     bool
		issuer   string
		required bool
		ok       bool
	}{
		{"right", false, "", true, true},
		{"missing, not required", true, "", false, true},
		{"missing, required", true, "", true, false},
		{"another", false, "https://other.example", false, false},
		{"not known", false, "-", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{OmitIss: tt.omit}, func(b *bed) {
				b.cfg.Scopes = []string{mailScope} // no id_token, which would be checked too
				b.cfg.Endpoint.IssuerInRedirect = tt.required
				switch tt.issuer {
				case "":
				case "-":
					b.cfg.Endpoint.Issuer = ""
				default:
					b.cfg.Endpoint.Issuer = tt.issuer
				}
				_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
				if tt.ok && err != nil {
					b.t.Errorf("SignIn = %v, want nil", err)
				}
				if !tt.ok {
					b.failed(err, oauth.KindProtocol)
				}
				if !tt.ok && b.srv.Hits(oauthtest.TokenPath) != 0 {
					b.t.Error("the code was redeemed nevertheless")
				}
			})
		})
	}
}

func TestNobodySignsIn(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		start := time.Now()
		b.opts.OpenURL = func(context.Context, string) error { return nil }
		_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
		b.failed(err, oauth.KindInteraction)
		if !errors.Is(err, context.DeadlineExceeded) || !oauth.NeedsSignIn(err) || oauth.Temporary(err) {
			b.t.Errorf("error %v: deadline %t, needs sign-in %t, temporary %t", err,
				errors.Is(err, context.DeadlineExceeded), oauth.NeedsSignIn(err), oauth.Temporary(err))
		}
		if got := time.Since(start); got != oauth.DefaultSignInTimeout {
			b.t.Errorf("SignIn returned after %v, want %v", got, oauth.DefaultSignInTimeout)
		}
	})
}

func TestSignInEndsWithItsContext(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		ctx, cancel := context.WithCancelCause(b.t.Context())
		reason := errors.New("the window was closed")
		b.opts.OpenURL = func(ctx context.Context, _ string) error {
			cancel(reason)
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		_, err := oauth.SignIn(ctx, b.cfg, b.opts)
		if !errors.Is(err, reason) || !errors.Is(err, context.Canceled) || time.Since(start) != 0 {
			b.t.Errorf("SignIn = %v after %v, want %v at once", err, time.Since(start), reason)
		}
	})
}

func TestOpenURLFails(t *testing.T) {
	broken := errors.New("no browser here")
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.opts.OpenURL = func(context.Context, string) error { return broken }
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); !errors.Is(err, broken) {
			b.t.Errorf("without a prompt SignIn = %v, want %v", err, broken)
		}
	})
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		var shown bytes.Buffer
		b.opts.Prompt = &shown
		b.opts.OpenURL = func(ctx context.Context, address string) error {
			if !strings.Contains(shown.String(), address) {
				return fmt.Errorf("the prompt %q lacks the address", shown.String())
			}
			go func() {
				let(time.Minute) // the user copies the address
				_ = b.srv.Browser(ctx, address)
			}()
			return broken
		}
		b.signIn()
	})
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.opts.Prompt = failingWriter{broken}
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); !errors.Is(err, broken) {
			b.t.Errorf("with a broken prompt SignIn = %v, want %v", err, broken)
		}
	})
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestConfigIsChecked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*oauth.Config)
		want   string
	}{
		{"no client", func(c *oauth.Config) { c.ClientID = "" }, "ClientID"},
		{"plain token endpoint", func(c *oauth.Config) { c.Endpoint.TokenURL = "http://login.example/token" }, "https"},
		{"plain authorization endpoint", func(c *oauth.Config) { c.Endpoint.AuthURL = "http://login.example/a" }, "https"},
		{"loopback in the name only", func(c *oauth.Config) { c.Endpoint.TokenURL = "http://localhost.example/" }, "https"},
		{"no endpoint", func(c *oauth.Config) { c.Endpoint.TokenURL = "" }, "TokenURL"},
		{"other scheme", func(c *oauth.Config) { c.Endpoint.AuthURL = "file:///etc/passwd" }, "AuthURL"},
		{"retries", func(c *oauth.Config) { c.Retry.On = 17 }, "Retry.On is 17"},
		{"response mode", func(c *oauth.Config) { c.Endpoint.ResponseMode = "fragment" }, "ResponseMode"},
		{"own state", func(c *oauth.Config) { c.AuthParams = url.Values{"state": {"x"}} }, "state"},
		{"foreign redirect", func(c *oauth.Config) { c.RedirectURL = "http://example.org" }, "RedirectURL"},
		{"https redirect", func(c *oauth.Config) { c.RedirectURL = "https://localhost" }, "http"},
		{"redirect with a query", func(c *oauth.Config) { c.RedirectURL = "http://localhost/?a=b" }, "RedirectURL"},
		{"redirect with escapes", func(c *oauth.Config) { c.RedirectURL = "http://localhost/a%2Fb" }, "RedirectURL"},
		{"redirect with a user", func(c *oauth.Config) { c.RedirectURL = "http://x@localhost/" }, "RedirectURL"},
		{"redirect that is none", func(c *oauth.Config) { c.RedirectURL = "http://local host" }, "RedirectURL"},
	} {
		cfg := &oauth.Config{ClientID: "c"}
		cfg.Endpoint.AuthURL, cfg.Endpoint.TokenURL = "https://login.example/a", "https://login.example/t"
		tt.change(cfg)
		_, err := oauth.SignIn(t.Context(), cfg, &oauth.SignInOptions{
			OpenURL: func(context.Context, string) error { return errors.New("opened a browser") },
		})
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Kind != oauth.KindClientConfig || !strings.Contains(e.Error(), tt.want) {
			t.Errorf("%s: SignIn = %v, want a configuration error about %s", tt.name, err, tt.want)
		}
	}
	if _, err := oauth.SignIn(t.Context(), nil, nil); err == nil {
		t.Error("SignIn without a Config succeeded")
	}
}

// withListen runs a sign-in with a way to listen that change makes.
func withListen(t *testing.T, change func(b *bed) func(ctx context.Context, network, address string) (net.Listener, error), test func(b *bed)) {
	t.Helper()
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.opts.Listen = change(b)
		test(b)
	})
}

func TestWithoutIPv6(t *testing.T) {
	refuse := func(b *bed) func(ctx context.Context, network, address string) (net.Listener, error) {
		return func(ctx context.Context, network, address string) (net.Listener, error) {
			if strings.HasPrefix(address, "[::1]") {
				return nil, syscall.EADDRNOTAVAIL
			}
			return b.srv.Listen(ctx, network, address)
		}
	}
	withListen(t, refuse, func(b *bed) { b.signIn() })
	withListen(t, refuse, func(b *bed) {
		b.cfg.RedirectURL = "http://[::1]"
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); err == nil {
			b.t.Error("SignIn on a missing address succeeded")
		}
	})
}

func TestBothFamiliesHaveOnePort(t *testing.T) {
	// Somebody else has ::1 on the first ports that are free on 127.0.0.1.
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		var taken []string
		b.opts.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
			if strings.HasPrefix(address, "[::1]") && address != "[::1]:0" && len(taken) < 3 {
				taken = append(taken, address)
				return nil, syscall.EADDRINUSE
			}
			return b.srv.Listen(ctx, network, address)
		}
		b.signIn()
		if slices.Sort(taken); len(slices.Compact(taken)) != 3 {
			b.t.Errorf("ports tried: %v, want three different ones before the one taken", taken)
		}
	})
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		other, err := b.srv.Listen(b.t.Context(), "tcp", "[::1]:45555")
		if err != nil {
			b.t.Fatalf("Listen: %v", err)
		}
		defer other.Close()
		b.cfg.RedirectURL = "http://localhost:45555"
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); !errors.Is(err, syscall.EADDRINUSE) {
			b.t.Errorf("SignIn on a fixed port in other hands = %v, want EADDRINUSE", err)
		}
	})
}

func TestFixedPort(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.RedirectURL = "http://localhost:45556/back"
		b.signIn()
		b.signIn() // The port is free again.
	})
}

func TestNothingShowsSecrets(t *testing.T) {
	clientSecret := strings.Repeat("client-horse-", 2)
	o := oauthtest.Options{Clients: []oauthtest.Client{{ID: oauthtest.DefaultClientID, Secret: secret.New(clientSecret)}}}
	everywhere(t, o, func(b *bed) {
		b.cfg.ClientSecret = secret.New(clientSecret)
		grant := b.signIn()
		source := grant.For(graphResource)
		tok := b.token(source)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant", Description: "no " + clientSecret})
		invalidator, _ := source.(oauth.Invalidator)
		err := invalidator.Invalidate(b.t.Context(), tok)
		b.failed(err, oauth.KindRevoked)
		var out bytes.Buffer
		for _, v := range []any{grant, b.cfg, *b.cfg, tok, *tok, source, err, []any{grant}, map[string]any{"t": tok}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
		}
		all := out.String() + b.log.String()
		b.mustNotContain("the output", all)
		if strings.Contains(all, clientSecret) || strings.Contains(all, fmt.Sprintf("%x", clientSecret)) {
			b.t.Errorf("the output contains the client secret:\n%s", all)
		}
		if !strings.Contains(b.log.String(), "signed in") || !strings.Contains(b.log.String(), "op=oauth.Refresh") {
			b.t.Errorf("the log lacks what was done:\n%s", b.log)
		}
	})
}
