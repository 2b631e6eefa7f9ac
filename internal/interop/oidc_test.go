//go:build interop

package interop_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestSignInAtOIDCProvider signs in as a public client and as one with a
// secret, with the code in the redirect's query and in a posted form.
func TestSignInAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	for _, tc := range []struct {
		name, mode, redirect string
		client               interop.OIDCClient
		user                 string
	}{
		{"public, query", "query", "", server.Public, ann},
		{"public, form_post", "form_post", "", server.Public, bob},
		{"secret, query", "query", "http://127.0.0.1", server.Confidential, bob},
		{"secret, form_post", "form_post", "http://localhost/callback", server.Confidential, ann},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := realAuthorization(server)
			a.config.ClientID, a.config.ClientSecret = tc.client.ID, tc.client.Secret
			a.config.Endpoint.AuthStyle = oauth.InHeader
			a.config.Endpoint.ResponseMode = tc.mode
			a.config.RedirectURL = tc.redirect
			grant := a.signIn(t, tc.user)
			if grant.Address() != tc.user || grant.Subject() != tc.user {
				t.Errorf("Address, Subject = %q, %q, want %q twice", grant.Address(), grant.Subject(), tc.user)
			}
			source, first := grant.For(""), tokenOf(t, grant)
			known := introspect(t, server, first)
			if !known.Active || known.Email != tc.user || known.Username != tc.user || !slices.Contains(strings.Fields(known.Scope), mailScope) {
				t.Errorf("introspection of the access token: %+v, want an active one of %s with the scope %s", known, tc.user, mailScope)
			}
			must(t, invalidate(t, source))
			if second := tokenOf(t, grant); second.Equal(first) || !introspect(t, server, second).Active {
				t.Error("after a refresh there is no new access token that is active")
			}
		})
	}
}

// TestOIDCProviderRefusesWhatItShould: what the other tests prove is worth
// something only if the server is strict.
func TestOIDCProviderRefusesWhatItShould(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	answers := make(chan url.Values, 1)
	program := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { answers <- r.URL.Query() }))
	defer program.Close()
	digest := sha256.Sum256([]byte("a verifier that nobody will ever be asked for"))
	challenge := base64.RawURLEncoding.EncodeToString(digest[:])
	for _, tc := range []struct {
		name    string
		change  url.Values
		failure string
	}{
		{"nothing is wrong", nil, ""},
		{"no PKCE", url.Values{"code_challenge": nil, "code_challenge_method": nil}, "invalid_request"},
		{"PKCE without a digest", url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		{"a user that nobody knows", url.Values{"login_hint": {"eve@example.test"}}, "access_denied"},
	} {
		query := url.Values{
			"client_id": {server.Public.ID}, "response_type": {"code"}, "redirect_uri": {program.URL}, "scope": {"openid mail"},
			"state": {"s"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}, "login_hint": {ann},
		}
		maps.Copy(query, tc.change)
		if err := server.Browser(t.Context(), server.AuthURL+"?"+query.Encode()); err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		answer := <-answers
		if answer.Get("error") != tc.failure || (answer.Get("code") == "") != (tc.failure != "") || answer.Get("iss") != server.Issuer {
			t.Errorf("%s: error %q, a code: %t, iss %q; want error %q and iss %q", tc.name,
				answer.Get("error"), answer.Get("code") != "", answer.Get("iss"), tc.failure, server.Issuer)
		}
	}
	elsewhere := url.Values{"client_id": {server.Public.ID}, "response_type": {"code"}, "redirect_uri": {"http://example.test"}}
	if err := server.Browser(t.Context(), server.AuthURL+"?"+elsewhere.Encode()); err == nil {
		t.Error("a redirect to somewhere else was accepted")
	}
}

// TestExpiredTokenIsRefreshed waits for the end of an access token's short life
// and finds another one behind a rotated refresh token.
func TestExpiredTokenIsRefreshed(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, &interop.OIDCOptions{AccessLifetime: 2 * time.Second})
	a, seen := recorded(server)
	grant := a.signIn(t, ann)
	first := tokenOf(t, grant)
	until(t, "the access token to be replaced", func() bool { return !tokenOf(t, grant).Equal(first) })
	until(t, "the first access token to end", func() bool { return !introspect(t, server, first).Active })
	if tokens := seen.refreshTokens(); len(tokens) < 2 || tokens[0].Equal(tokens[1]) {
		t.Errorf("%d refresh tokens were issued, want one at the sign-in and another at the refresh", len(tokens))
	}
}

// TestReuseEndsTheSignIn replays a refresh token as a thief does: the server
// ends the sign-in for both, and the program is told to sign in again.
func TestReuseEndsTheSignIn(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	a, seen := recorded(server)
	grant := a.signIn(t, ann)
	source := grant.For("")
	must(t, invalidate(t, source))
	good := tokenOf(t, grant)
	status, answer := post(t, server.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "client_id": {server.Public.ID}, "refresh_token": {seen.refreshTokens()[0].Reveal()},
	})
	if status != http.StatusBadRequest || !strings.Contains(answer, "invalid_grant") {
		t.Errorf("the replay was answered %d %s, want 400 invalid_grant", status, answer)
	}
	if introspect(t, server, good).Active {
		t.Error("the access token outlives the replay")
	}
	wantKind(t, invalidate(t, source), oauth.KindRevoked, true)
	_, err := source.Token(t.Context())
	wantKind(t, err, oauth.KindRevoked, true)
}

// TestRevocationEndsTheSignIn gives the server's revocation endpoint the
// refresh token, as a program does whose user signs out.
func TestRevocationEndsTheSignIn(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	a, seen := recorded(server)
	grant := a.signIn(t, ann)
	token := tokenOf(t, grant)
	form := url.Values{"client_id": {server.Public.ID}, "token": {seen.refreshTokens()[0].Reveal()}}
	if status, answer := post(t, server.RevokeURL, form); status != http.StatusOK {
		t.Errorf("the revocation endpoint answered %d %s, want 200", status, answer)
	}
	if introspect(t, server, token).Active {
		t.Error("the access token outlives the revocation")
	}
	wantKind(t, invalidate(t, grant.For("")), oauth.KindRevoked, true)
}

// TestALostReplyAtOIDCProvider: the server has rotated the refresh token and
// nobody knows the new one. The first error says that it is open what has
// happened, the next one that the sign-in is lost, and not that it was revoked.
func TestALostReplyAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	grant := realAuthorization(server).signIn(t, ann)
	source := grant.For("")
	token := tokenOf(t, grant)
	must(t, server.LoseNextToken(t.Context()))
	e := wantKind(t, invalidate(t, source), oauth.KindReplyLost, false)
	if e.Code != "" || refreshHits(t, server) != 1 || !introspect(t, server, token).Active {
		t.Errorf("code %q after %d refreshes, want none after 1 that spoiled nothing", e.Code, refreshHits(t, server))
	}
	_, err := source.Token(t.Context())
	if e := wantKind(t, err, oauth.KindReplyLost, true); e.Code != "invalid_grant" {
		t.Errorf("code %q, want invalid_grant", e.Code)
	}
	if got := refreshHits(t, server); got != 2 || introspect(t, server, token).Active {
		t.Errorf("%d refreshes, want 2, of which the second ended the sign-in", got)
	}
}

// TestTroubleAtOIDCProviderPasses: a refresh that meets a server in trouble, or
// none, is tried again until the server is back, and the sign-in lives on.
func TestTroubleAtOIDCProviderPasses(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]struct {
		begin, end func(context.Context, *interop.OIDC) error
		tries      int // that reach the server
	}{
		"503 twice": {
			begin: func(ctx context.Context, o *interop.OIDC) error {
				return errors.Join(o.InjectToken(ctx, http.StatusServiceUnavailable), o.InjectToken(ctx, http.StatusServiceUnavailable))
			},
			end:   func(context.Context, *interop.OIDC) error { return nil },
			tries: 3,
		},
		"down for a while": {
			begin: func(ctx context.Context, o *interop.OIDC) error { return o.Down(ctx) },
			end:   func(ctx context.Context, o *interop.OIDC) error { return o.Up(ctx) },
			tries: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startOIDC(t, nil)
			a := realAuthorization(server)
			client := &http.Client{Transport: &http.Transport{}}
			failed := make(chan struct{}, 10) // more than there are tries
			a.config.HTTPClient, a.config.Logger = client, newAnnouncer(failed)
			grant := a.signIn(t, ann)
			first := tokenOf(t, grant)
			must(t, trouble.begin(t.Context(), server))
			client.CloseIdleConnections() // a request on a connection that is dying would count as sent
			replaced := make(chan error, 1)
			go func() { replaced <- invalidate(t, grant.For("")) }()
			select {
			case <-failed:
			case err := <-replaced:
				t.Fatalf("the first try did not fail: %v", err)
			}
			must(t, trouble.end(t.Context(), server))
			if err := <-replaced; err != nil {
				t.Errorf("a refresh through trouble that passes: %v", err)
			}
			if tokenOf(t, grant).Equal(first) || refreshHits(t, server) != trouble.tries {
				t.Errorf("%d refreshes, want %d and a new token", refreshHits(t, server), trouble.tries)
			}
		})
	}
}

// TestOIDCProviderOutOfReach: a server that does not come back is a temporary
// failure, for the program that refreshes and for the one whose mail server
// cannot ask. Neither is told to sign in again, and all is well afterwards.
func TestOIDCProviderOutOfReach(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	a := realAuthorization(server)
	client := &http.Client{Transport: &http.Transport{}}
	a.config.HTTPClient = client
	servers := startServers(t, &interop.Options{Tokens: a.tokens})
	grant := a.signIn(t, ann)
	in, out := pair(t, servers, session.TLS)
	s := newSession(t, session.Credentials{User: ann, Tokens: grant}, in, out)

	must(t, server.Down(t.Context()))
	client.CloseIdleConnections()
	if _, err := s.Facts(t.Context()); !session.Temporary(err) || session.NeedsSignIn(err) {
		t.Errorf("a mail server that cannot ask about a token: %v; temporary %t, needs sign-in %t", err, session.Temporary(err), session.NeedsSignIn(err))
	}
	wantKind(t, invalidate(t, grant.For("")), oauth.KindTemporary, false)

	must(t, server.Up(t.Context()))
	if _, err := s.Facts(t.Context()); err != nil {
		t.Errorf("after the authorization server is back: %v", err)
	}
	if got := refreshHits(t, server); got != 1 {
		t.Errorf("%d refreshes reached the server, want 1", got)
	}
}

// announcer is a log handler that tells of each try that is to be made again.
type announcer struct{ failed chan<- struct{} }

// newAnnouncer returns a logger that announces to a channel.
func newAnnouncer(failed chan<- struct{}) *slog.Logger { return slog.New(announcer{failed}) }

func (announcer) Enabled(context.Context, slog.Level) bool { return true }

func (a announcer) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "token request failed, trying again" {
		a.failed <- struct{}{}
	}
	return nil
}

func (a announcer) WithAttrs([]slog.Attr) slog.Handler { return a }

func (a announcer) WithGroup(string) slog.Handler { return a }

// invalidate has a source replace its token.
func invalidate(t *testing.T, source oauth.TokenSource) error {
	t.Helper()
	token, err := source.Token(t.Context())
	if err != nil {
		return err
	}
	invalidator, ok := source.(oauth.Invalidator)
	if !ok {
		t.Errorf("%T cannot replace a token", source)
		return nil
	}
	return invalidator.Invalidate(t.Context(), token)
}

// wantKind checks what kind of failure an error is and what it asks for.
func wantKind(t *testing.T, err error, kind oauth.Kind, signIn bool) oauth.Error {
	t.Helper()
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Kind != kind || oauth.NeedsSignIn(err) != signIn || oauth.Temporary(err) != (kind == oauth.KindTemporary) {
		t.Fatalf("error %v; needs sign-in %t, temporary %t; want kind %q and needs sign-in %t",
			err, oauth.NeedsSignIn(err), oauth.Temporary(err), kind, signIn)
	}
	if signIn && !strings.Contains(err.Error(), "sign in again") {
		t.Errorf("error %v does not say to sign in again", err)
	}
	return *e
}

// known is what a server knows of a token (RFC 7662 section 2.2).
type known struct {
	Active                 bool
	Username, Email, Scope string
}

// introspect asks about a token as a mail server does.
func introspect(t *testing.T, server *interop.OIDC, token secret.Text) known {
	t.Helper()
	status, answer := post(t, server.IntrospectURL, url.Values{
		"token": {token.Reveal()}, "client_id": {server.MailServer.ID}, "client_secret": {server.MailServer.Secret.Reveal()},
	})
	var k known
	if err := json.Unmarshal([]byte(answer), &k); err != nil || status != http.StatusOK {
		t.Fatalf("the introspection endpoint answered %d %s: %v", status, answer, err)
	}
	return k
}
