package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// What the program of the tests is and may.
const (
	robot         = "11111111-2222-3333-4444-555555555555"
	robotSecret   = "a horse of the robot"
	sharedMailbox = "info@example.org"
	appScope      = mailResource + "/IMAP.AccessAsApp"
	workload      = "system:serviceaccount:mail:reader"
)

// newPEM returns a new certificate with its key. It is valid in virtual time.
func newPEM(tb testing.TB, until time.Time) []byte {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatalf("GenerateKey: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "robot"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatalf("CreateCertificate: %v", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatalf("MarshalPKCS8PrivateKey: %v", err)
	}
	return slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	)
}

// newCertificate returns a certificate for a client and what a server knows of
// it.
func newCertificate(tb testing.TB, until time.Time) (*oauth.Certificate, *x509.Certificate) {
	tb.Helper()
	data := newPEM(tb, until)
	c, err := oauth.ParseCertificate(data)
	if err != nil {
		tb.Fatalf("ParseCertificate: %v", err)
	}
	_, rest := pem.Decode(data)
	block, _ := pem.Decode(rest)
	public, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatalf("ParseCertificate of x509: %v", err)
	}
	return c, public
}

// farOff is the end of certificates that do not end in a test.
func farOff() time.Time { return time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) }

// forRobot returns options of a server like Microsoft's, where a program has
// permissions on mail and on a mailbox.
func forRobot(certificates ...*x509.Certificate) oauthtest.Options {
	return oauthtest.Options{
		Microsoft: true, MailScopes: []string{appScope},
		Clients: []oauthtest.Client{{ID: robot, Secret: secret.New(robotSecret), App: &oauthtest.App{
			Permissions: []string{appScope, graphResource + "/Mail.Read"}, Mailboxes: []string{sharedMailbox},
			Certificates: certificates, Algorithms: []string{"PS256", "RS256"}, Federated: []string{workload},
		}}},
	}
}

// asRobot makes the bed's client the program, with no scopes of a person.
func (b *bed) asRobot() {
	b.cfg.ClientID, b.cfg.Scopes = robot, nil
}

// app returns the program by a credential.
func (b *bed) app(c oauth.Credential) *oauth.App {
	b.t.Helper()
	app, err := oauth.ClientCredentials(b.cfg, c, nil)
	if err != nil {
		b.t.Fatalf("ClientCredentials: %v", err)
	}
	return app
}

// opens checks that a token opens a mailbox and nothing else.
func (b *bed) opens(tok *oauth.Token, user string) {
	b.t.Helper()
	if err := b.srv.CheckToken(user, tok.AccessToken); err != nil {
		b.t.Errorf("CheckToken(%s) = %v, want nil", user, err)
	}
	if err := b.srv.CheckToken("eve@example.org", tok.AccessToken); err == nil {
		b.t.Error("the token opens a mailbox that nobody opened to the program")
	}
}

// TestProgramsSignInWithoutAPerson: by each credential a program gets a token of
// its own, with which it opens the mailbox that was opened to it.
func TestProgramsSignInWithoutAPerson(t *testing.T) {
	certificate, public := newCertificate(t, farOff())
	for name, credential := range map[string]func(*bed) oauth.Credential{
		"secret": func(*bed) oauth.Credential { return oauth.ClientSecret(secret.New(robotSecret)) },
		"secret in the header": func(b *bed) oauth.Credential {
			b.cfg.Endpoint.AuthStyle = oauth.InHeader
			return oauth.ClientSecret(secret.New(robotSecret))
		},
		"certificate": func(*bed) oauth.Credential { return oauth.ClientCertificate(certificate, nil) },
		"certificate by RS256": func(*bed) oauth.Credential {
			return oauth.ClientCertificate(certificate, &oauth.CertificateOptions{Algorithm: oauth.RS256, SendChain: true, KeyID: "k"})
		},
		"federated file": func(b *bed) oauth.Credential { return oauth.FederatedFile(b.workloadFile()) },
		"federated token": func(b *bed) oauth.Credential {
			return oauth.FederatedToken(func(context.Context) (secret.Text, error) { return b.srv.WorkloadToken(workload) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, forRobot(public), func(b *bed) {
				b.asRobot()
				app := b.app(credential(b))
				b.opens(b.token(app.For(mailResource)), sharedMailbox)
				b.token(app.For(mailResource + "/"))
				r := b.tokenRequest()
				if got := r.Form["scope"]; got != mailResource+"/.default" || r.Form["grant_type"] != "client_credentials" {
					b.t.Errorf("scope %q of grant type %q, want the resource's default of client_credentials", got, r.Form["grant_type"])
				}
				if r.BasicAuth != (name == "secret in the header") {
					b.t.Errorf("the secret was in the header: %t", r.BasicAuth)
				}
				if n := b.srv.Hits(oauthtest.TokenPath); n != 1 {
					b.t.Errorf("%d token requests, want 1 for one resource", n)
				}
				if tok := b.token(app.For(graphResource)); b.srv.CheckToken(sharedMailbox, tok.AccessToken) == nil {
					b.t.Error("a token for another resource opens mail")
				}
				b.mustNotContain("the log", b.log.String())
			})
		})
	}
}

// workloadFile writes a token as a cluster does and returns the file's path.
func (b *bed) workloadFile() string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "token")
	b.writeWorkload(path)
	return path
}

func (b *bed) writeWorkload(path string) {
	b.t.Helper()
	token, err := b.srv.WorkloadToken(workload)
	if err == nil {
		err = os.WriteFile(path, []byte(token.Reveal()+"\n"), 0o600)
	}
	if err != nil {
		b.t.Fatalf("write a federated token: %v", err)
	}
}

// TestProgramsTokensAreKeptAsThoseOfPeople: the cache of a Grant and of an App
// are one.
func TestProgramsTokensAreKeptAsThoseOfPeople(t *testing.T) {
	inBubble(t, forRobot(), func(b *bed) {
		b.asRobot()
		source := b.app(oauth.ClientSecret(secret.New(robotSecret))).For(mailResource)
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Second})
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { b.token(source) })
		}
		all.Wait()
		first := b.token(source)
		let(time.Until(first.Expiry) - 5*time.Minute - time.Nanosecond)
		if b.token(source); b.srv.Hits(oauthtest.TokenPath) != 1 {
			b.t.Errorf("%d token requests for 1000 callers before the margin, want 1", b.srv.Hits(oauthtest.TokenPath))
		}
		let(time.Nanosecond)
		second := b.token(source)
		if second.AccessToken.Equal(first.AccessToken) {
			b.t.Error("the same token at the margin, want another")
		}
		invalidator, _ := source.(oauth.Invalidator)
		for range 10 {
			all.Go(func() {
				if err := invalidator.Invalidate(b.t.Context(), second); err != nil {
					b.t.Errorf("Invalidate: %v", err)
				}
			})
		}
		all.Wait()
		if b.token(source).AccessToken.Equal(second.AccessToken) || b.srv.Hits(oauthtest.TokenPath) != 3 {
			b.t.Errorf("%d token requests, want 3: one for all that found the token refused", b.srv.Hits(oauthtest.TokenPath))
		}
	})
}

// TestEachRequestHasAnAssertionOfItsOwn: a server takes an assertion once, also
// where its answer was an error or was lost.
func TestEachRequestHasAnAssertionOfItsOwn(t *testing.T) {
	certificate, public := newCertificate(t, farOff())
	inBubble(t, forRobot(public), func(b *bed) {
		b.asRobot()
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{ReplyLost: true}, oauthtest.Fault{Status: http.StatusServiceUnavailable})
		b.opens(b.token(b.app(oauth.ClientCertificate(certificate, nil)).For(mailResource)), sharedMailbox)
		if n := b.srv.Hits(oauthtest.TokenPath); n != 3 {
			b.t.Errorf("%d requests, want 3", n)
		}
	})
}

// TestFederatedFileIsReadAnew: the file's writer replaces it, and may have
// emptied it when it is read.
func TestFederatedFileIsReadAnew(t *testing.T) {
	inBubble(t, forRobot(), func(b *bed) {
		b.asRobot()
		path := b.workloadFile()
		source := b.app(oauth.FederatedFile(path)).For(mailResource)
		b.token(source)
		let(time.Hour) // The first token has expired ten minutes after it was written.
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			b.t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() { b.opens(b.token(source), sharedMailbox) })
		let(100 * time.Millisecond)
		b.writeWorkload(path)
		all.Wait()
		if !strings.Contains(b.log.String(), "is empty") {
			b.t.Error("the log does not tell of the empty file")
		}
	})
}

// TestRefusedPrograms: what is wrong with a program is told in the provider's
// words, is never the matter of a person, and names nothing secret.
func TestRefusedPrograms(t *testing.T) {
	certificate, public := newCertificate(t, farOff())
	stranger, _ := newCertificate(t, farOff())
	good := func() oauth.Credential { return oauth.ClientSecret(secret.New(robotSecret)) }
	for _, tt := range []struct {
		name       string
		change     func(*bed, *oauthtest.App)
		credential oauth.Credential
		want       string
	}{
		{"wrong secret", nil, oauth.ClientSecret(secret.New("a wrong horse")), "AADSTS7000215"},
		{"secret has expired", func(_ *bed, a *oauthtest.App) { a.SecretExpired = true }, good(), "AADSTS7000222"},
		{"no such program", func(b *bed, _ *oauthtest.App) { b.cfg.ClientID = "somebody" }, good(), "AADSTS700016"},
		{"certificate of somebody", nil, oauth.ClientCertificate(stranger, nil), "AADSTS700027"},
		{"assertion for another server", nil, oauth.ClientCertificate(certificate, &oauth.CertificateOptions{Audience: "https://else.example"}), "AADSTS700023"},
		{"permission of a person", func(b *bed, _ *oauthtest.App) { b.cfg.Scopes = []string{mailScope} }, good(), "AADSTS1002012"},
		{"unknown algorithm", nil, oauth.ClientCertificate(certificate, &oauth.CertificateOptions{Algorithm: "HS256"}), "use PS256 or RS256"},
		{"no file", nil, oauth.FederatedFile(filepath.Join(t.TempDir(), "none")), "cannot be read"},
		{"no JWT", nil, oauth.FederatedToken(func(context.Context) (secret.Text, error) { return secret.New("a b.c.d"), nil }), "no JWT"},
		{"a function fails", nil, oauth.FederatedToken(func(context.Context) (secret.Text, error) { return secret.Text{}, errNoOIDC }), errNoOIDC.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := forRobot(public)
			inBubble(t, o, func(b *bed) {
				b.asRobot()
				if tt.change != nil {
					tt.change(b, o.Clients[0].App)
				}
				app := b.app(tt.credential)
				_, err := app.For(mailResource).Token(b.t.Context())
				e, ok := errors.AsType[*oauth.Error](err)
				if !ok || !strings.Contains(err.Error(), tt.want) || oauth.NeedsSignIn(err) || oauth.Temporary(err) {
					b.t.Fatalf("Token: %v, want %q, neither temporary nor a sign-in", err, tt.want)
				}
				if e.Kind != oauth.KindClientConfig && !errors.Is(err, errNoOIDC) {
					b.t.Errorf("kind %v, want client configuration", e.Kind)
				}
				all := fmt.Sprintf("%v %+v %#v %+v %#v %+v %s", err, e, e, app, app.For(mailResource), tt.credential, b.log)
				b.mustNotContain("what is printed", all)
				if strings.Contains(all, "a wrong horse") || strings.Contains(all, robotSecret) {
					b.t.Errorf("what is printed contains the client secret: %s", all)
				}
			})
		})
	}
}

var errNoOIDC = errors.New("the workflow has no permission id-token: write")

// TestAPersonIsNeverAskedFor: what would need a sign-in elsewhere is an
// administrator's matter here, and nothing is said of a grant that there is not.
func TestAPersonIsNeverAskedFor(t *testing.T) {
	for _, tt := range []struct {
		fault  oauthtest.Fault
		kind   oauth.Kind
		remedy string
	}{
		{oauthtest.Fault{Error: "invalid_grant"}, oauth.KindClientConfig, "its registration"},
		{oauthtest.Fault{Error: "interaction_required"}, oauth.KindClientConfig, "its registration"},
		{oauthtest.Fault{Error: "consent_required"}, oauth.KindPolicy, "an administrator must consent"},
		{oauthtest.Fault{Error: "invalid_client"}, oauth.KindClientConfig, "correct the client's registration"},
		{oauthtest.Fault{Error: "odd"}, oauth.KindUnknown, "go by what is said"},
		{oauthtest.Entra(700082, "invalid_grant", "", "x"), oauth.KindClientConfig, "its registration"},
		{oauthtest.Entra(65001, "invalid_grant", "consent_required", "x"), oauth.KindPolicy, "an administrator must consent"},
		{oauthtest.Entra(53003, "invalid_grant", "", "x"), oauth.KindPolicy, "conditional access"},
		{oauthtest.Entra(50105, "invalid_grant", "", "x"), oauth.KindPolicy, "ask the administrator"},
		{oauthtest.Entra(7000222, "invalid_client", "", "x"), oauth.KindClientConfig, "has expired: make a new one"},
	} {
		inBubble(t, forRobot(), func(b *bed) {
			b.asRobot()
			b.srv.Inject(oauthtest.TokenPath, tt.fault)
			_, err := b.app(oauth.ClientSecret(secret.New(robotSecret))).For(mailResource).Token(b.t.Context())
			e := b.failed(err, tt.kind)
			remedy := e.Remedy()
			if !strings.Contains(remedy, tt.remedy) || strings.Contains(remedy, "sign in again") || strings.Contains(remedy, "grant") {
				b.t.Errorf("remedy %q, want %q in it, and neither a sign-in nor a grant", remedy, tt.remedy)
			}
		})
	}
}

// TestAWrongClockIsNamed: a server that finds an assertion too old or too new
// says no more than that the client is not valid.
func TestAWrongClockIsNamed(t *testing.T) {
	certificate, public := newCertificate(t, farOff())
	for _, tt := range []struct {
		ahead time.Duration
		want  string
	}{{-2 * time.Hour, "clock is 2h0m0s ahead of the server's"}, {time.Hour, "clock is 1h0m0s behind the server's"}, {time.Second, ""}} {
		inBubble(t, forRobot(public), func(b *bed) {
			b.asRobot()
			date := time.Now().Add(tt.ahead).UTC().Format(http.TimeFormat)
			b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_client", Header: http.Header{"Date": {date}}})
			_, err := b.app(oauth.ClientCertificate(certificate, nil)).For(mailResource).Token(b.t.Context())
			b.failed(err, oauth.KindClientConfig)
			if !strings.Contains(err.Error(), tt.want) || (tt.want == "") == strings.Contains(err.Error(), "clock") {
				b.t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

// TestTheEndOfACredentialIsKnown: days before, it can be asked for and is in
// the log; afterwards it explains the refusal.
func TestTheEndOfACredentialIsKnown(t *testing.T) {
	inBubble(t, forRobot(), func(b *bed) {
		b.asRobot()
		end := time.Now().Add(40 * 24 * time.Hour)
		certificate, _ := newCertificate(b.t, end)
		for _, app := range []*oauth.App{
			b.app(oauth.ClientCertificate(certificate, nil)),
			must(oauth.ClientCredentials(b.cfg, oauth.ClientSecret(secret.New(robotSecret)), &oauth.AppOptions{SecretEnds: end})),
		} {
			if got := app.NotAfter(); !got.Equal(end) {
				b.t.Errorf("NotAfter = %v, want %v", got, end)
			}
			for after, want := range map[time.Duration]int{0: 40, time.Hour: 39, 39 * 24 * time.Hour: 1, 40 * 24 * time.Hour: 0, 41*24*time.Hour + time.Hour: -2} {
				if days, known := app.DaysLeft(time.Now().Add(after)); days != want || !known {
					b.t.Errorf("DaysLeft after %v = %d, %t, want %d, true", after, days, known, want)
				}
			}
		}
		if _, known := b.app(oauth.ClientSecret(secret.New(robotSecret))).DaysLeft(time.Now()); known {
			b.t.Error("DaysLeft of a secret whose end nobody named is known")
		}
		source := b.app(oauth.ClientCertificate(certificate, nil)).For(mailResource)
		_, _ = source.Token(b.t.Context())
		if strings.Contains(b.log.String(), "ends soon") {
			b.t.Error("the log warns 40 days before the end, want 30")
		}
		let(11 * 24 * time.Hour)
		_, _ = source.Token(b.t.Context())
		if !strings.Contains(b.log.String(), "ends soon") || !strings.Contains(b.log.String(), "days=29") {
			b.t.Error("the log does not warn of the end 29 days before it")
		}
		let(30 * 24 * time.Hour)
		if _, err := source.Token(b.t.Context()); err == nil || !strings.Contains(err.Error(), "ended on "+end.UTC().Format(time.DateOnly)) {
			b.t.Errorf("Token after the end: %v, want when it was", err)
		}
	})
}

// must returns what cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// noRequests is a transport that nothing may use.
type noRequests struct{ t *testing.T }

func (n noRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("a request to %s, want none", r.URL.Host)
	return nil, errors.New("no requests")
}

// TestWhereProgramsHaveNoWay: it is told before any request, with the way on.
func TestWhereProgramsHaveNoWay(t *testing.T) {
	sample := oauth.ClientSecret(secret.New(robotSecret))
	//nolint:gosec // G101: addresses that everybody may know
	google := oauth.Endpoint{TokenURL: "https://oauth2.googleapis.com/token", GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantJWTBearer}}
	//nolint:gosec // G101: as above
	yahoo := oauth.Endpoint{TokenURL: "https://api.login.yahoo.com/oauth2/get_token", GrantTypes: []string{oauth.GrantAuthorizationCode}}
	//nolint:gosec // G101: as above
	byHand := oauth.Endpoint{TokenURL: "https://login.example/common/oauth2/v2.0/token"}
	for _, tt := range []struct {
		name     string
		endpoint oauth.Endpoint
		want     string
	}{
		{"google, by its host", oauth.Endpoint{TokenURL: google.TokenURL}, "ServiceAccount"},
		{"yahoo, by its host", oauth.Endpoint{TokenURL: yahoo.TokenURL}, "let the user sign in"},
		{"google", google, "ServiceAccount"},
		{"yahoo", yahoo, "let the user sign in"},
		{"consumers", oauth.MicrosoftEndpoint("", "consumers"), "personal accounts: let the user sign in"},
		{"common", oauth.MicrosoftEndpoint("", "common"), "name that tenant's id"},
		{"organizations", oauth.MicrosoftEndpoint("", "Organizations"), "name that tenant's id"},
		{"written by hand", byHand, "name that tenant's id"},
	} {
		cfg := &oauth.Config{ClientID: robot, Endpoint: tt.endpoint, HTTPClient: &http.Client{Transport: noRequests{t}}}
		_, err := oauth.ClientCredentials(cfg, sample, nil)
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Kind != oauth.KindClientConfig || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := oauth.ClientCredentials(&oauth.Config{ClientID: robot, Endpoint: oauth.MicrosoftEndpoint("", "contoso.com")}, sample, nil); err != nil {
		t.Errorf("one tenant: %v, want nil", err)
	}
}

// TestWhatAnAppNeeds: what is missing or there twice is told at once.
func TestWhatAnAppNeeds(t *testing.T) {
	cfg := &oauth.Config{ClientID: robot, Endpoint: oauth.MicrosoftEndpoint("", "contoso.com")}
	withSecret := &oauth.Config{ClientID: robot, Endpoint: cfg.Endpoint, ClientSecret: secret.New("another")}
	for _, tt := range []struct {
		cfg        *oauth.Config
		credential oauth.Credential
		want       string
	}{
		{nil, oauth.ClientSecret(secret.New("x")), "there is none"},
		{cfg, oauth.Credential{}, "there is no credential"},
		{cfg, oauth.ClientSecret(secret.Text{}), "there is no credential"},
		{cfg, oauth.ClientCertificate(nil, nil), "there is no credential"},
		{cfg, oauth.FederatedToken(nil), "there is no credential"},
		{withSecret, oauth.ClientSecret(secret.New("x")), "leave one of them away"},
		{withSecret, oauth.FederatedFile("f"), "leave one of them away"},
		{&oauth.Config{Endpoint: cfg.Endpoint}, oauth.FederatedFile("f"), "no ClientID"},
	} {
		_, err := oauth.ClientCredentials(tt.cfg, tt.credential, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ClientCredentials(%v) = %v, want %q", tt.credential, err, tt.want)
		}
	}
	if _, err := oauth.ClientCredentials(withSecret, oauth.ClientSecret(secret.New("another")), nil); err != nil {
		t.Errorf("the same secret in both places: %v", err)
	}
}

func TestScopesOfPrograms(t *testing.T) {
	const other = graphResource + "/.default"
	for _, tt := range []struct {
		scopes   []string
		resource string
		want     string
	}{
		{nil, mailResource, mailResource + "/.default"},
		{nil, mailResource + "/", mailResource + "/.default"},
		{nil, "", ""},
		{[]string{"openid", "offline_access"}, mailResource, mailResource + "/.default"},
		{[]string{mailResource + "/.default", other}, graphResource, other},
		{[]string{mailResource + "/.default", other, "openid"}, "", mailResource + "/.default"},
		{[]string{mailResource + "/.default", other}, "https://else.example", mailResource + "/.default"},
		{[]string{"mail", "calendar"}, "https://else.example", "mail calendar"},
	} {
		inBubble(t, oauthtest.Options{Clients: []oauthtest.Client{{ID: robot, Secret: secret.New(robotSecret), App: &oauthtest.App{
			Permissions: []string{"mail", "calendar"},
		}}}}, func(b *bed) {
			b.asRobot()
			b.cfg.Scopes = tt.scopes
			b.token(b.app(oauth.ClientSecret(secret.New(robotSecret))).For(tt.resource))
			if got := b.tokenRequest().Form["scope"]; got != tt.want {
				b.t.Errorf("scopes %q for %q: %q, want %q", tt.scopes, tt.resource, got, tt.want)
			}
		})
	}
}
