package oauthtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// client is an independent client: golang.org/x/oauth2, with a redirect
// listener of three lines.
type client struct {
	srv    *oauthtest.Server
	config oauth2.Config
	ctx    context.Context //nolint:containedctx // The HTTP client of x/oauth2 travels in the context.
	answer chan url.Values
}

func newClient(t *testing.T, srv *oauthtest.Server, scopes ...string) *client {
	t.Helper()
	listener, err := srv.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	c := &client{srv: srv, answer: make(chan url.Values, 1)}
	redirect := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		c.answer <- r.Form
	})}
	go func() { _ = redirect.Serve(listener) }()
	t.Cleanup(func() { _ = redirect.Close() })
	c.ctx = context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client())
	c.config = oauth2.Config{
		ClientID: oauthtest.DefaultClientID, Scopes: scopes,
		RedirectURL: "http://" + listener.Addr().String(),
		Endpoint:    oauth2.Endpoint{AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL(), AuthStyle: oauth2.AuthStyleInParams},
	}
	return c
}

// code lets the browser sign in and returns what came to the redirect URI.
func (c *client) code(t *testing.T, verifier string, more ...oauth2.AuthCodeOption) url.Values {
	t.Helper()
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}, more...)
	if err := c.srv.Browser(c.ctx, c.config.AuthCodeURL("state-1", options...)); err != nil {
		t.Fatalf("Browser: %v", err)
	}
	return <-c.answer
}

// signIn returns the tokens of a whole sign-in.
func (c *client) signIn(t *testing.T) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	tok, err := c.config.Exchange(c.ctx, c.code(t, verifier).Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatalf("Exchange: %v", err)
	}
	return tok
}

// refresh redeems a refresh token.
func (c *client) refresh(t *testing.T, refreshToken string) (*oauth2.Token, error) {
	t.Helper()
	return c.config.TokenSource(c.ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
}

// errorCode returns the OAuth error in err.
func errorCode(err error) string {
	if retrieve, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return retrieve.ErrorCode
	}
	return fmt.Sprint(err)
}

// bed is what a test runs on.
type bed struct {
	t   *testing.T
	srv *oauthtest.Server
}

// everywhere runs a test over TCP, over TLS, and in memory in virtual time.
func everywhere(t *testing.T, o oauthtest.Options, test func(bed)) {
	t.Helper()
	t.Run("tcp", func(t *testing.T) {
		srv := oauthtest.New(&o)
		defer srv.Close()
		test(bed{t, srv})
	})
	t.Run("tls", func(t *testing.T) {
		authority, err := testtls.New()
		if err != nil {
			t.Fatalf("testtls.New: %v", err)
		}
		o := o
		o.TLS, o.RootCAs = authority.Server(), authority.Client().RootCAs
		srv := oauthtest.New(&o)
		defer srv.Close()
		test(bed{t, srv})
	})
	t.Run("memory", func(t *testing.T) { inMemory(t, o, test) })
}

// inMemory runs a test in a bubble.
func inMemory(t *testing.T, o oauthtest.Options, test func(bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := o
		o.InMemory = true
		srv := oauthtest.New(&o)
		defer srv.Close()
		test(bed{t, srv})
	})
}

func TestSignIn(t *testing.T) {
	for _, mode := range []string{"query", "form_post"} {
		t.Run(mode, func(t *testing.T) {
			everywhere(t, oauthtest.Options{}, func(b bed) {
				t, srv := b.t, b.srv
				c := newClient(t, srv, "mail")
				verifier := oauth2.GenerateVerifier()
				answer := c.code(t, verifier, oauth2.SetAuthURLParam("response_mode", mode))
				if answer.Get("state") != "state-1" || answer.Get("iss") != srv.Issuer() {
					t.Errorf("answer has state %q and iss %q, want state-1 and %s", answer.Get("state"), answer.Get("iss"), srv.Issuer())
				}
				tok, err := c.config.Exchange(c.ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
				if err != nil {
					t.Fatalf("Exchange: %v", err)
				}
				if err := srv.CheckToken(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); err != nil {
					t.Errorf("CheckToken = %v, want nil", err)
				}
				if next, err := c.refresh(t, tok.RefreshToken); err != nil || next.AccessToken == tok.AccessToken {
					t.Errorf("refresh = %v, same token %t; want another token", err, next.AccessToken == tok.AccessToken)
				}
			})
		})
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	srv := oauthtest.New(&oauthtest.Options{
		Scopes:  []string{"mail"},
		Clients: []oauthtest.Client{{ID: "c", RedirectURIs: []string{"http://localhost/back", "https://app.example/back"}}},
	})
	defer srv.Close()
	good := url.Values{
		"client_id": {"c"}, "redirect_uri": {"http://localhost:1234/back"}, "response_type": {"code"}, "scope": {"mail openid"},
		"code_challenge": {"x"}, "code_challenge_method": {"S256"}, "state": {"s"}, "login_hint": {"ANN@example.org"},
	}
	for _, tt := range []struct {
		name, parameter, value string
		status                 int
		want                   string // in the redirect
	}{
		{"good", "", "", http.StatusFound, "code"},
		{"unknown client", "client_id", "d", http.StatusBadRequest, ""},
		{"other redirect path", "redirect_uri", "http://localhost:1234/", http.StatusBadRequest, ""},
		{"other redirect host", "redirect_uri", "http://127.0.0.1:1234/back", http.StatusBadRequest, ""},
		{"port matters elsewhere", "redirect_uri", "https://app.example:444/back", http.StatusBadRequest, ""},
		{"no redirect", "redirect_uri", "", http.StatusBadRequest, ""},
		{"implicit flow", "response_type", "token", http.StatusFound, "unsupported_response_type"},
		{"no PKCE", "code_challenge", "", http.StatusFound, "invalid_request"},
		{"plain PKCE", "code_challenge_method", "plain", http.StatusFound, "invalid_request"},
		{"unknown scope", "scope", "mail pets", http.StatusFound, "invalid_scope"},
		{"fragment", "response_mode", "fragment", http.StatusFound, "invalid_request"},
		{"no hint", "login_hint", "", http.StatusOK, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			query := maps.Clone(good)
			if tt.parameter != "" {
				query.Set(tt.parameter, tt.value)
			}
			status, target := ask(t, srv, srv.AuthURL()+"?"+query.Encode())
			got := target.Get("error")
			if target.Has("code") {
				got = "code"
			}
			if status != tt.status || got != tt.want {
				t.Errorf("answer %d %q, want %d %q", status, got, tt.status, tt.want)
			}
			if status == http.StatusFound && (target.Get("state") != "s" || target.Get("iss") != srv.Issuer()) {
				t.Errorf("redirect has state %q, iss %q", target.Get("state"), target.Get("iss"))
			}
		})
	}
}

// ask sends a GET and returns the status and the query of the redirect.
func ask(t *testing.T, srv *oauthtest.Server, address string) (int, url.Values) {
	t.Helper()
	c := *srv.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatalf("NewRequest: %v", err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("GET: %v", err)
	}
	defer resp.Body.Close()
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatalf("Location: %v", err)
	}
	return resp.StatusCode, target.Query()
}

func TestACodeIsStrict(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv, "mail")
		verifier := oauth2.GenerateVerifier()
		value := c.code(t, verifier).Get("code")
		other := c.config
		other.RedirectURL = "http://127.0.0.1:1"
		for name, try := range map[string]func() (*oauth2.Token, error){
			"no verifier":    func() (*oauth2.Token, error) { return c.config.Exchange(c.ctx, value) },
			"wrong verifier": func() (*oauth2.Token, error) { return c.config.Exchange(c.ctx, value, oauth2.VerifierOption("x")) },
			"other redirect": func() (*oauth2.Token, error) {
				return other.Exchange(c.ctx, value, oauth2.VerifierOption(verifier))
			},
			"unknown": func() (*oauth2.Token, error) {
				return c.config.Exchange(c.ctx, "nonsense", oauth2.VerifierOption(verifier))
			},
		} {
			if _, err := try(); errorCode(err) != "invalid_grant" {
				t.Errorf("%s: error %q, want invalid_grant", name, errorCode(err))
			}
		}
		tok, err := c.config.Exchange(c.ctx, value, oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatalf("Exchange: %v", err)
		}
		if _, err := c.config.Exchange(c.ctx, value, oauth2.VerifierOption(verifier)); errorCode(err) != "invalid_grant" {
			t.Errorf("second use: error %q, want invalid_grant", errorCode(err))
		}
		if err := srv.CheckToken(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); !errors.Is(err, oauthtest.ErrRevokedToken) {
			t.Errorf("CheckToken after the second use = %v, want ErrRevokedToken", err)
		}
	})
}

func TestRotation(t *testing.T) {
	for _, tt := range []struct {
		name           string
		rotation       oauthtest.Rotation
		rotates        bool
		oldStaysGood   bool
		reuseKillsNext bool
	}{
		{"never", oauthtest.RotateNever, false, true, false},
		{"keep old", oauthtest.RotateKeepOld, true, true, false},
		{"always", oauthtest.RotateAlways, true, false, false},
		{"revoke family", oauthtest.RotateRevokeFamily, true, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, oauthtest.Options{Rotation: tt.rotation}, func(b bed) {
				t, srv := b.t, b.srv
				c := newClient(t, srv, "mail")
				first := c.signIn(t)
				second, err := c.refresh(t, first.RefreshToken)
				if err != nil || (second.RefreshToken != first.RefreshToken) != tt.rotates {
					t.Fatalf("refresh: %v, rotated %t, want %t", err, second.RefreshToken != first.RefreshToken, tt.rotates)
				}
				if _, err := c.refresh(t, first.RefreshToken); (err == nil) != tt.oldStaysGood {
					t.Errorf("second use of the first refresh token: %v, want it good %t", err, tt.oldStaysGood)
				}
				if _, err := c.refresh(t, second.RefreshToken); (err != nil) != tt.reuseKillsNext {
					t.Errorf("use of the newest refresh token: %v, want it dead %t", err, tt.reuseKillsNext)
				}
			})
		})
	}
}

func TestScopesOfOneResource(t *testing.T) {
	const mail, graph = "https://mail.example/IMAP", "https://graph.example/Read"
	inMemory(t, oauthtest.Options{OneResource: true, RequireOffline: true, Rotation: oauthtest.RotateKeepOld}, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv, mail, graph, "offline_access")
		verifier := oauth2.GenerateVerifier()
		value := c.code(t, verifier).Get("code")
		both := oauth2.SetAuthURLParam("scope", mail+" "+graph)
		if _, err := c.config.Exchange(c.ctx, value, oauth2.VerifierOption(verifier), both); errorCode(err) != "invalid_scope" {
			t.Errorf("two resources: error %q, want invalid_scope", errorCode(err))
		}
		tok, err := c.config.Exchange(c.ctx, value, oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatalf("Exchange: %v", err)
		}
		if got := tok.Extra("scope"); got != mail+" offline_access" {
			t.Errorf("scope = %v, want that of the first resource", got)
		}
		if err := srv.Checker(graph)(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); !errors.Is(err, oauthtest.ErrWrongScope) {
			t.Errorf("Checker(graph) = %v, want ErrWrongScope", err)
		}
		if err := srv.Checker(graph, mail)(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); err != nil {
			t.Errorf("Checker(graph, mail) = %v, want nil", err)
		}
	})
}

func TestOfflineAccess(t *testing.T) {
	inMemory(t, oauthtest.Options{RequireOffline: true}, func(b bed) {
		t, srv := b.t, b.srv
		if tok := newClient(t, srv, "mail").signIn(t); tok.RefreshToken != "" {
			t.Error("a refresh token was given without offline_access")
		}
	})
}

func TestClientAuthentication(t *testing.T) {
	const odd = "a horse+with %26 & signs"
	for _, tt := range []struct {
		name   string
		client oauthtest.Client
		style  oauth2.AuthStyle
		secret string
		want   string
	}{
		{"public", oauthtest.Client{ID: "c"}, oauth2.AuthStyleInParams, "", "<nil>"},
		{"public with a secret", oauthtest.Client{ID: "c"}, oauth2.AuthStyleInParams, "x", "invalid_client"},
		{"public with Basic", oauthtest.Client{ID: "c"}, oauth2.AuthStyleInHeader, "", "invalid_client"},
		{"post", oauthtest.Client{ID: "c", Secret: secret.New(odd), Auth: oauthtest.AuthPost}, oauth2.AuthStyleInParams, odd, "<nil>"},
		{"basic", oauthtest.Client{ID: "c", Secret: secret.New(odd), Auth: oauthtest.AuthBasic}, oauth2.AuthStyleInHeader, odd, "<nil>"},
		{"post where basic is wanted", oauthtest.Client{ID: "c", Secret: secret.New(odd), Auth: oauthtest.AuthBasic}, oauth2.AuthStyleInParams, odd, "invalid_client"},
		{"basic where post is wanted", oauthtest.Client{ID: "c", Secret: secret.New(odd), Auth: oauthtest.AuthPost}, oauth2.AuthStyleInHeader, odd, "invalid_client"},
		{"wrong secret", oauthtest.Client{ID: "c", Secret: secret.New(odd)}, oauth2.AuthStyleInParams, "x", "invalid_client"},
		{"no secret", oauthtest.Client{ID: "c", Secret: secret.New(odd)}, oauth2.AuthStyleInParams, "", "invalid_client"},
		{"unknown", oauthtest.Client{ID: "d"}, oauth2.AuthStyleInParams, "", "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, oauthtest.Options{Clients: []oauthtest.Client{tt.client}}, func(b bed) {
				t, srv := b.t, b.srv
				issued, err := srv.Issue(oauthtest.DefaultEmail, "mail")
				if err != nil {
					t.Fatalf("Issue: %v", err)
				}
				c := newClient(t, srv)
				c.config.ClientID, c.config.ClientSecret, c.config.Endpoint.AuthStyle = "c", tt.secret, tt.style
				if _, err := c.refresh(t, issued.Refresh.Reveal()); errorCode(err) != tt.want {
					t.Errorf("refresh: %s, want %s", errorCode(err), tt.want)
				}
			})
		})
	}
}

func TestLifetimesInVirtualTime(t *testing.T) {
	o := oauthtest.Options{AccessLifetime: time.Hour, RefreshLifetime: 90 * 24 * time.Hour, CodeLifetime: time.Minute}
	inMemory(t, o, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv, "mail")
		tok := c.signIn(t)
		verifier := oauth2.GenerateVerifier()
		late := c.code(t, verifier).Get("code")
		wait(t, time.Minute)
		if _, err := c.config.Exchange(c.ctx, late, oauth2.VerifierOption(verifier)); errorCode(err) != "invalid_grant" {
			t.Errorf("late code: %q, want invalid_grant", errorCode(err))
		}
		wait(t, 59*time.Minute)
		if err := srv.CheckToken(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); !errors.Is(err, oauthtest.ErrExpiredToken) {
			t.Errorf("CheckToken after an hour = %v, want ErrExpiredToken", err)
		}
		if _, err := c.refresh(t, tok.RefreshToken); err != nil {
			t.Errorf("refresh after an hour: %v", err)
		}
		wait(t, 90*24*time.Hour)
		if _, err := c.refresh(t, tok.RefreshToken); errorCode(err) != "invalid_grant" {
			t.Errorf("refresh after 90 days: %q, want invalid_grant", errorCode(err))
		}
	})
}

// TestExpireRefresh: a sign-in is over at once, and what it has been given lives on.
func TestExpireRefresh(t *testing.T) {
	inMemory(t, oauthtest.Options{}, func(b bed) {
		c := newClient(b.t, b.srv, "mail")
		tok := c.signIn(b.t)
		b.srv.ExpireRefresh(oauthtest.DefaultEmail)
		if _, err := c.refresh(b.t, tok.RefreshToken); errorCode(err) != "invalid_grant" {
			b.t.Errorf("refresh after ExpireRefresh: %q, want invalid_grant", errorCode(err))
		}
		if err := b.srv.CheckToken(oauthtest.DefaultEmail, secret.New(tok.AccessToken)); err != nil {
			b.t.Errorf("CheckToken of the access token = %v, want nil", err)
		}
	})
}

// wait lets virtual time go on.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}

func TestCheckToken(t *testing.T) {
	srv := oauthtest.New(&oauthtest.Options{
		MailScopes: []string{"mail"},
		Accounts:   []oauthtest.Account{{Email: "ann@example.org", Mailboxes: []string{"sales@example.org"}}, {Email: "bob@example.org"}},
	})
	defer srv.Close()
	issue := func(email string, scopes ...string) string {
		issued, err := srv.Issue(email, scopes...)
		if err != nil {
			t.Fatalf("Issue(%s): %v", email, err)
		}
		return issued.Access.Reveal()
	}
	good, scopeless, bobs := issue("ann@example.org", "mail"), issue("ann@example.org", "pets"), issue("bob@example.org", "mail")
	for _, tt := range []struct {
		name, user, token string
		want              error
	}{
		{"good", "Ann@Example.org", good, nil},
		{"shared mailbox", "sales@example.org", good, nil},
		{"other user", "ann@example.org", bobs, oauthtest.ErrOtherUser},
		{"scope", "ann@example.org", scopeless, oauthtest.ErrWrongScope},
		{"unknown", "ann@example.org", "x", oauthtest.ErrUnknownToken},
	} {
		if err := srv.CheckToken(tt.user, secret.New(tt.token)); !errors.Is(err, tt.want) {
			t.Errorf("%s: CheckToken = %v, want %v", tt.name, err, tt.want)
		}
	}
	srv.RevokeAccess("ann@example.org")
	if err := srv.CheckToken("ann@example.org", secret.New(good)); !errors.Is(err, oauthtest.ErrRevokedToken) {
		t.Errorf("CheckToken after RevokeAccess = %v, want ErrRevokedToken", err)
	}
	srv.ExpireAccess("bob@example.org")
	if err := srv.CheckToken("bob@example.org", secret.New(bobs)); !errors.Is(err, oauthtest.ErrExpiredToken) {
		t.Errorf("CheckToken after ExpireAccess = %v, want ErrExpiredToken", err)
	}
	if _, err := srv.Issue("carl@example.org"); err == nil {
		t.Error("Issue for an unknown account succeeded")
	}
	srv.AddAccount(oauthtest.Account{Email: "carl@example.org"})
	if err := srv.CheckToken("carl@example.org", secret.New(issue("carl@example.org", "mail"))); err != nil {
		t.Errorf("CheckToken of an added account = %v, want nil", err)
	}
}
