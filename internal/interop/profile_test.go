//go:build interop

package interop_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// fields are those of a set.
type fields map[string]any

// with returns the fields and more of them.
func (f fields) with(more fields) fields {
	all := fields{}
	for _, from := range []fields{f, more} {
		maps.Copy(all, from)
	}
	return all
}

// profileOptions are those of a program whose log the test writes down.
func profileOptions(t *testing.T, server *interop.OIDC) *profile.Options {
	t.Helper()
	log := testlog.New(t)
	o := &profile.Options{
		Store:  state.NewMemory(),
		Logger: testlog.Logger(log), Observer: testlog.NewObserver(log),
		Configure: func(_ string, p *profile.Plan) {
			for _, s := range []*profile.Side{p.Incoming, p.Outgoing} {
				if s != nil {
					s.Server.Transcript = log
				}
			}
		},
	}
	if server != nil {
		o.Browser = &oauth.SignInOptions{OpenURL: server.Browser}
	}
	return o
}

// profileOf writes a file with the set "ann" and loads it.
func profileOf(t *testing.T, o *profile.Options, set fields) *profile.File {
	t.Helper()
	data, err := json.Marshal(map[string]any{"version": 1, "sets": map[string]any{"ann": set}})
	must(t, err)
	path := filepath.Join(t.TempDir(), "mail.json")
	must(t, os.WriteFile(path, data, 0o600))
	f, err := profile.Load(path, o)
	must(t, err)
	return f
}

// openSet opens the set "ann".
func openSet(t *testing.T, f *profile.File) *session.Session {
	t.Helper()
	s, err := f.Open(t.Context(), "ann")
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sidesOn are the sides of a set on the real servers.
func sidesOn(t *testing.T, servers *interop.Servers, security, incoming string) fields {
	t.Helper()
	in := map[string]string{
		"IMAP TLS": servers.IMAPS, "IMAP STARTTLS": servers.IMAP, "IMAP None": servers.IMAP,
		"POP3 TLS": servers.POP3S, "POP3 STARTTLS": servers.POP3, "POP3 None": servers.POP3,
	}[incoming+" "+security]
	out := map[string]string{"TLS": servers.Submissions, "STARTTLS": servers.Submission, "None": servers.SMTP}[security]
	side := func(protocol, address string) fields {
		host, port, err := net.SplitHostPort(address)
		must(t, err)
		s := fields{"protocol": protocol, "host": host, "port": json.Number(port), "security": security}
		if security == "None" {
			s["allowPlainAuth"] = true
		}
		return s
	}
	return fields{
		"incoming": side(incoming, in), "outgoing": side("SMTP", out).with(fields{"testRecipient": bob}),
		"tls": fields{"ca": "file:" + servers.CAFile},
	}
}

// keptIn writes a secret into a file and returns the reference to it.
func keptIn(t *testing.T, text string) (path, reference string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	return path, "file:" + path
}

// TestNoneTLSAndSTARTTLSByASet: a set with servers and a password sends and reads
// in every kind of encryption, by IMAP and POP3, and sends its test mail.
func TestNoneTLSAndSTARTTLSByASet(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	_, password := keptIn(t, userOf(t, servers, ann).Password.Reveal())
	for _, security := range []string{"TLS", "STARTTLS", "None"} {
		for _, incoming := range []string{"IMAP", "POP3"} {
			set := fields{"account": ann, "password": password}.with(sidesOn(t, servers, security, incoming))
			f := profileOf(t, profileOptions(t, nil), set)
			s := openSet(t, f)
			receipt, err := s.SendTest(t.Context(), ann, nil)
			if err != nil || receipt.Outcome != session.Accepted {
				t.Fatalf("%s %s: SendTest = %v, %v", incoming, security, receipt.Outcome, err)
			}
			awaitMail(t, s, receipt.MessageID)
			must(t, s.Close())
			if receipt, err := f.SendTest(t.Context(), "ann"); err != nil || receipt.Outcome != session.Accepted {
				t.Errorf("%s %s: the test mail: %v, %v", incoming, security, receipt.Outcome, err)
			}
		}
	}
}

// TestASetAtOIDCProvider: an issuer is all that the set says of the authorization
// server. The address is found in the id_token; the modes forbid; a changed
// client id invalidates; one session serves many actions.
func TestASetAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	servers := startServers(t, &interop.Options{Tokens: server.Introspection()})
	o := profileOptions(t, server)
	o.Browser.LoginHint = ann
	set := fields{
		"oauth": fields{"issuer": server.Issuer}, "clientId": server.Public.ID, "scopes": "mail,openid~email", "redirectUri": "http://127.0.0.1",
		"authParams": fields{"prompt": "consent"},
	}.with(sidesOn(t, servers, "TLS", "IMAP"))
	f := profileOf(t, o, set)
	if _, err := f.Open(t.Context(), "ann"); !errors.Is(err, oauth.ErrNoGrant) {
		t.Errorf("Open before the sign-in: %v, want ErrNoGrant", err)
	}
	if _, err := profileOf(t, o, set.with(fields{"redirectUri": "http://127.0.0.1/elsewhere"})).SignIn(t.Context(), "ann"); err == nil {
		t.Error("signed in with a redirect that is not registered")
	}
	grant, err := f.SignIn(t.Context(), "ann")
	must(t, err)
	if grant.Address() != ann {
		t.Errorf("signed in as %q, want %s", grant.Address(), ann)
	}
	shared := f.NewSet()
	s, err := shared.Session(t.Context(), "ann")
	must(t, err)
	again, err := shared.Session(t.Context(), "ann")
	must(t, err)
	if s != again || s.User() != ann {
		t.Errorf("the sessions are %p and %p of %q, want one of %s", s, again, s.User(), ann)
	}
	tellStory(t, s)
	must(t, shared.Close())

	reading := profileOf(t, o, set.with(fields{"mode": "read-only", "outgoing": fields{}}).without("outgoing"))
	r := openSet(t, reading)
	if _, err := r.Facts(t.Context()); err != nil {
		t.Errorf("reading: %v", err)
	}
	if _, err := r.SendTest(t.Context(), ann, nil); !isModeError(err) {
		t.Errorf("sending while only reading is allowed: %v, want a ModeError", err)
	}
	w := openSet(t, profileOf(t, o, set.with(fields{"mode": "send-only"}).without("incoming")))
	if _, err := w.SendTest(t.Context(), ann, nil); err != nil {
		t.Errorf("sending: %v", err)
	}
	if _, err := w.Facts(t.Context()); !isModeError(err) {
		t.Errorf("reading while only sending is allowed: %v, want a ModeError", err)
	}
	_, err = profileOf(t, o, set.with(fields{"clientId": "somebody-else"})).Open(t.Context(), "ann")
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindClientConfig {
		t.Errorf("Open with another client id: %v, want that the sign-in is another client's", err)
	}
}

// without returns the fields but for one.
func (f fields) without(name string) fields {
	all := f.with(nil)
	delete(all, name)
	return all
}

func isModeError(err error) bool {
	_, ok := errors.AsType[*session.ModeError](err)
	return ok
}

// refreshTokenOf signs somebody in and returns the refresh token, as an
// administrator does who then looks after it.
func refreshTokenOf(t *testing.T, server *interop.OIDC, client interop.OIDCClient, address string) string {
	t.Helper()
	r := &recorder{}
	cfg := oauth.Config{
		ClientID: client.ID, ClientSecret: client.Secret, HTTPClient: &http.Client{Transport: r},
		Endpoint: oauth.Endpoint{Issuer: server.Issuer, AuthURL: server.AuthURL, TokenURL: server.TokenURL, IssuerInRedirect: true},
		Scopes:   []string{mailScope, "openid", "email"},
	}
	if !client.Secret.IsZero() {
		cfg.Endpoint.AuthStyle = oauth.InHeader
	}
	_, err := oauth.SignIn(t.Context(), &cfg, &oauth.SignInOptions{LoginHint: address, OpenURL: server.Browser})
	must(t, err)
	tokens := r.refreshTokens()
	if len(tokens) == 0 {
		t.Fatal("the server gave no refresh token")
	}
	return tokens[len(tokens)-1].Reveal()
}

// TestAPinnedTokenIsReplacedOutside: the sign-in of a token file is revoked, its
// refresh token is replaced there, and the program's next session goes on; the
// token of another user is refused. The client has a secret of all kinds of
// characters.
func TestAPinnedTokenIsReplacedOutside(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	servers := startServers(t, &interop.Options{Tokens: server.Introspection()})
	o := profileOptions(t, nil)
	path := filepath.Join(t.TempDir(), "token.json")
	pin := func(address string) {
		data, err := json.Marshal(map[string]string{
			"client_id": server.Confidential.ID, "client_secret": server.Confidential.Secret.Reveal(),
			"refresh_token": refreshTokenOf(t, server, server.Confidential, address),
		})
		must(t, err)
		must(t, os.WriteFile(path, data, 0o600))
	}
	pin(ann)
	f := profileOf(t, o, fields{
		"oauth": fields{"authUrl": server.AuthURL, "tokenUrl": server.TokenURL, "authStyle": "header"}, "tokenFile": "file:" + path,
		"scopes": []string{mailScope, "openid", "email"},
	}.with(sidesOn(t, servers, "STARTTLS", "IMAP")))
	s := openSet(t, f)
	if s.User() != ann {
		t.Errorf("the session is of %q, want %s", s.User(), ann)
	}
	tellStory(t, s)
	must(t, s.Close())

	must(t, server.Revoke(t.Context(), ann))
	must(t, server.RevokeAccess(t.Context(), ann))
	s = openSet(t, f)
	_, err := s.Facts(t.Context())
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindRevoked || !session.NeedsSignIn(err) {
		t.Errorf("after the sign-in was revoked: %v, want KindRevoked", err)
	}
	pin(ann)
	s = openSet(t, f)
	if _, err := s.Facts(t.Context()); err != nil {
		t.Errorf("after the token was replaced: %v", err)
	}
	must(t, s.Close())

	must(t, server.Revoke(t.Context(), ann))
	must(t, server.RevokeAccess(t.Context(), ann))
	pin(bob)
	s, err = f.Open(t.Context(), "ann")
	if err == nil {
		_, err = s.Facts(t.Context())
		must(t, s.Close())
	}
	if !errors.Is(err, oauth.ErrOtherUser) {
		t.Errorf("with Bob's token: %v, want ErrOtherUser", err)
	}
}

// TestASetThroughRealProxies: requests for tokens and mail take the proxy of the
// set, with credentials and without.
func TestASetThroughRealProxies(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	servers := startServers(t, &interop.Options{Tokens: server.Introspection()})
	proxies := startProxies(t)
	_, password := keptIn(t, proxies.Password.Reveal())
	for _, way := range []struct {
		address string
		log     string // what it writes before host and port
		proxy   fields
	}{
		{proxies.HTTP, "CONNECT ", fields{"url": "http://" + proxies.HTTP}},
		{proxies.HTTPWithPassword, "CONNECT ", fields{"url": "http://" + proxies.HTTPWithPassword, "user": proxies.User, "password": password}},
		{proxies.SOCKSWithPassword, "connected to ", fields{"url": "socks5://" + proxies.SOCKSWithPassword, "user": proxies.User, "password": password}},
	} {
		o := profileOptions(t, server)
		set := fields{
			"oauth": fields{"authUrl": server.AuthURL, "tokenUrl": server.TokenURL}, "clientId": server.Public.ID, "account": ann,
			"scopes": "mail openid email", "proxy": way.proxy,
		}.with(sidesOn(t, servers, "TLS", "IMAP"))
		f := profileOf(t, o, set)
		_, err := f.SignIn(t.Context(), "ann")
		must(t, err)
		s := openSet(t, f)
		receipt, err := s.SendTest(t.Context(), ann, nil)
		if err != nil {
			t.Fatal(err)
		}
		awaitMail(t, s, receipt.MessageID)
		for _, target := range []string{servers.IMAPS, servers.Submissions, strings.TrimPrefix(server.Issuer, "http://")} {
			if log := proxies.Log(way.address); !strings.Contains(log, way.log+target) {
				t.Errorf("%s: the proxy's log has no %q:\n%s", way.address, way.log+target, log)
			}
		}
	}
}

// TestAppOnlyByASetAtOIDCProvider: a program gets tokens in its own name, by the
// secret and the issuer of a set, and a wrong secret is replaced where it is kept.
func TestAppOnlyByASetAtOIDCProvider(t *testing.T) {
	t.Parallel()
	server := startOIDC(t, nil)
	path, reference := keptIn(t, "a wrong horse")
	var creds session.Credentials
	o := profileOptions(t, nil)
	o.Incoming = map[profile.Protocol]profile.IncomingMaker{profile.IMAP: func(string, profile.Side) (session.IncomingBackend, error) {
		return func(setup session.Setup) (session.Incoming, error) {
			creds = setup.Credentials
			return nil, errors.New("only the credentials are wanted")
		}, nil
	}}
	f := profileOf(t, o, fields{
		"flow": "client-credentials", "oauth": fields{"issuer": server.Issuer}, "clientId": server.Service.ID, "clientSecret": reference,
		"account": ann, "scopes": mailScope, "incoming": fields{"host": "imap.example.test"},
	})
	if _, err := f.Open(t.Context(), "ann"); err == nil || creds.Tokens == nil {
		t.Fatalf("Open = %v, want the credentials", err)
	}
	_, err := creds.Tokens.For("").Token(t.Context())
	wantKind(t, err, oauth.KindClientConfig, false)
	must(t, os.WriteFile(path, []byte(server.Service.Secret.Reveal()), 0o600))
	if _, err := f.Open(t.Context(), "ann"); err == nil {
		t.Fatal("Open made a session")
	}
	token, err := creds.Tokens.For("").Token(t.Context())
	must(t, err)
	checkIntrospection(t, server, token, server.Service.ID)
}
