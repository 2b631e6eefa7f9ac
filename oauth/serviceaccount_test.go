package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

const (
	gmail    = "https://mail.google.com/"
	iamScope = "https://www.googleapis.com/auth/iam"
	account  = "reader@contoso.iam.gserviceaccount.com"
	signPath = "/v1/projects/-/serviceAccounts/" + account + ":signJwt"
)

// serviceAccount adds an account to which the mail of all users is delegated,
// and returns its key.
func (b *bed) serviceAccount(scopes ...string) *oauth.ServiceAccountKey {
	b.t.Helper()
	file, err := b.srv.AddServiceAccount(account, scopes...)
	if err != nil {
		b.t.Fatalf("AddServiceAccount: %v", err)
	}
	key, err := oauth.ParseServiceAccountKey(file)
	if err != nil {
		b.t.Fatalf("ParseServiceAccountKey: %v", err)
	}
	b.cfg.ClientID, b.cfg.Scopes = "", []string{gmail, "openid"}
	return key
}

// acting returns the source of a service account that acts for a user.
func (b *bed) acting(signer oauth.JWTSigner, user string) oauth.TokenSource {
	b.t.Helper()
	app, err := oauth.ServiceAccount(b.cfg, signer, user)
	if err != nil {
		b.t.Fatalf("ServiceAccount: %v", err)
	}
	return app.For("")
}

// signer returns what signs without a key, by a base token with a scope.
func (b *bed) signer(scope string) oauth.JWTSigner {
	return oauth.IAMSigner(account, b.base(scope), &oauth.IAMOptions{BaseURL: b.srv.URL() + "/", Config: b.cfg})
}

// base returns a source of base tokens that can be invalidated.
func (b *bed) base(scope string) oauth.TokenSource {
	b.t.Helper()
	app, err := oauth.External(b.cfg, oauth.FromFunc(func(context.Context, string) (*oauth.Token, error) {
		issued, err := b.srv.Issue(oauthtest.DefaultEmail, scope)
		return &oauth.Token{AccessToken: issued.Access, Expiry: issued.Expiry}, err
	}))
	if err != nil {
		b.t.Fatalf("External: %v", err)
	}
	return app.For("")
}

// TestAServiceAccountOpensMailboxes: with its key and without, for the user it
// acts for and nobody else.
func TestAServiceAccountOpensMailboxes(t *testing.T) {
	everywhere(t, oauthtest.Options{MailScopes: []string{gmail}}, func(b *bed) {
		key := b.serviceAccount(gmail)
		for what, signer := range map[string]oauth.JWTSigner{"key": key, "IAM": b.signer(iamScope)} {
			tok := b.token(b.acting(signer, oauthtest.DefaultEmail))
			b.opens(tok, oauthtest.DefaultEmail)
			if len(tok.Scopes) != 1 || tok.Scopes[0] != gmail {
				b.t.Errorf("%s: scopes %q, want %q", what, tok.Scopes, gmail)
			}
		}
		if err := b.srv.CheckToken(account, b.token(b.acting(key, "")).AccessToken); err != nil {
			b.t.Errorf("without a user: %v, want a token of the account itself", err)
		}
		if n := b.srv.Hits(oauthtest.SignJWTPath(account)); n != 1 {
			b.t.Errorf("%d requests to sign, want 1", n)
		}
		b.mustNotContain("the log", b.log.String())
	})
}

// TestADayOfAServiceAccount: no refresh token is needed, for an assertion is
// signed for each token.
func TestADayOfAServiceAccount(t *testing.T) {
	inBubble(t, oauthtest.Options{MailScopes: []string{gmail}}, func(b *bed) {
		source := b.acting(b.serviceAccount(gmail), oauthtest.DefaultEmail)
		for range 24 {
			b.opens(b.token(source), oauthtest.DefaultEmail)
			let(time.Hour)
		}
		if n := b.srv.Hits(oauthtest.TokenPath); n != 24 {
			b.t.Errorf("%d requests in 24 hours, want 24", n)
		}
	})
}

// TestRefusedServiceAccounts: the error says what an administrator does about
// it, and holds nothing of the key.
func TestRefusedServiceAccounts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*bed)
		user   string
		want   string
	}{
		{"not delegated", func(b *bed) { b.srv.Delegate(account) }, oauthtest.DefaultEmail, "delegates exactly these scopes to client 117000000000000000001"},
		{"another scope", func(b *bed) { b.cfg.Scopes = []string{gmail, "https://www.googleapis.com/auth/drive"} }, oauthtest.DefaultEmail, "Client is unauthorized to retrieve access tokens"},
		{"no such user", nil, "nobody@example.org", "Invalid email or User ID"},
		{"key was deleted", func(b *bed) { b.serviceAccount(gmail) }, oauthtest.DefaultEmail, "Invalid JWT Signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				key := b.serviceAccount(gmail)
				if tt.change != nil {
					tt.change(b)
				}
				source := b.acting(key, tt.user)
				_, err := source.Token(b.t.Context())
				b.failed(err, oauth.KindClientConfig)
				if !strings.Contains(err.Error(), tt.want) || oauth.NeedsSignIn(err) {
					b.t.Errorf("Token: %v, want %q", err, tt.want)
				}
				all := fmt.Sprintf("%+v %#v %+v %#v %v %s", err, err, key, key, source, b.log)
				b.mustNotContain("what is printed", all)
				if strings.Contains(all, "PRIVATE KEY") || strings.Contains(all, "MII") {
					b.t.Errorf("what is printed contains the key: %s", all)
				}
			})
		})
	}
}

// TestSigningWithoutAKey: a base token that is refused is replaced once; what
// the API says is told, without the token.
func TestSigningWithoutAKey(t *testing.T) {
	t.Run("base token was revoked", func(t *testing.T) {
		inBubble(t, oauthtest.Options{MailScopes: []string{gmail}}, func(b *bed) {
			b.serviceAccount(gmail)
			base := b.base(iamScope)
			b.token(base)
			b.srv.RevokeAccess(oauthtest.DefaultEmail)
			signer := oauth.IAMSigner(account, base, &oauth.IAMOptions{BaseURL: b.srv.URL(), Config: b.cfg, Delegates: []string{"other@contoso.iam.gserviceaccount.com"}})
			b.opens(b.token(b.acting(signer, oauthtest.DefaultEmail)), oauthtest.DefaultEmail)
			if n := b.srv.Hits(signPath); n != 2 {
				b.t.Errorf("%d requests to sign, want 2", n)
			}
		})
	})
	for name, tt := range map[string]struct {
		fault oauthtest.Fault
		scope string
		kind  oauth.Kind
		want  string
	}{
		"no permission": {scope: "email", kind: oauth.KindClientConfig, want: "Service Account Token Creator on " + account},
		"no token":      {fault: oauthtest.Fault{Status: 200, Body: `{"signedJwt":"no"}`}, scope: iamScope, kind: oauth.KindProtocol, want: "no signedJwt"},
		"refused twice": {
			fault: oauthtest.Fault{Status: 401, Body: `{"error":{"code":401,"status":"UNAUTHENTICATED","message":"No."}}`},
			scope: "email", kind: oauth.KindClientConfig, want: "PERMISSION_DENIED",
		},
		"wrong page": {fault: oauthtest.Fault{Status: 404}, scope: iamScope, kind: oauth.KindClientConfig, want: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				b.serviceAccount(gmail)
				b.srv.Inject(signPath, tt.fault)
				_, err := b.acting(b.signer(tt.scope), oauthtest.DefaultEmail).Token(b.t.Context())
				b.failed(err, tt.kind)
				if !strings.Contains(err.Error(), tt.want) {
					b.t.Errorf("Token: %v, want %q", err, tt.want)
				}
				b.mustNotContain("the error and the log", err.Error()+b.log.String())
			})
		})
	}
	t.Run("the API is busy", func(t *testing.T) {
		inBubble(t, oauthtest.Options{}, func(b *bed) {
			b.serviceAccount(gmail)
			b.srv.Inject(signPath, oauthtest.Fault{Status: 503}, oauthtest.Fault{Silent: true})
			b.token(b.acting(b.signer(iamScope), oauthtest.DefaultEmail))
			if n := b.srv.Hits(signPath); n != 3 {
				b.t.Errorf("%d requests to sign, want 3", n)
			}
		})
	})
}

// TestWhatAServiceAccountNeeds: what is missing is told at once.
func TestWhatAServiceAccountNeeds(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		key := b.serviceAccount(gmail)
		microsoft := *b.cfg
		microsoft.Endpoint = oauth.MicrosoftEndpoint("", "contoso.com")
		for _, tt := range []struct {
			cfg    *oauth.Config
			signer oauth.JWTSigner
			want   string
		}{
			{nil, key, "there is none"},
			{b.cfg, nil, "nothing to sign with"},
			{b.cfg, (*oauth.ServiceAccountKey)(nil), "nothing to sign with"},
			{&microsoft, key, "does not offer"},
			{&oauth.Config{Endpoint: b.cfg.Endpoint}, key, "no Scopes"},
			{&oauth.Config{Scopes: []string{gmail}}, oauth.IAMSigner(account, nil, nil), "TokenURL"},
		} {
			if _, err := oauth.ServiceAccount(tt.cfg, tt.signer, "ann@example.org"); err == nil || !strings.Contains(err.Error(), tt.want) {
				b.t.Errorf("ServiceAccount = %v, want %q", err, tt.want)
			}
		}
		if _, err := oauth.ServiceAccount(&oauth.Config{Scopes: []string{gmail}}, key, "ann@example.org"); err != nil {
			b.t.Errorf("without an endpoint: %v, want that of the key", err)
		}
		for want, o := range map[string]*oauth.IAMOptions{"only https": {BaseURL: "http://iam.example"}, "no base tokens": {BaseURL: b.srv.URL()}} {
			_, err := b.acting(oauth.IAMSigner(account, nil, o), "").Token(b.t.Context())
			if err == nil || !strings.Contains(err.Error(), want) {
				b.t.Errorf("Token = %v, want %q", err, want)
			}
		}
	})
}

// TestKeyFilesThatAreNone: the error says which file is wanted, and quotes
// nothing.
func TestKeyFilesThatAreNone(t *testing.T) {
	for data, want := range map[string]string{
		"":                             "not a JSON object",
		"MIIJKAIBAzCCCOQGCSqGSIb3DQEH": "not the P12 one",
		`{"type":"authorized_user","refresh_token":"1//secret"}`:                                              "authorized_user",
		`{"type":"service_account"}`:                                                                          "client_email",
		`{"type":"service_account","client_email":"a@b","private_key":"hush"}`:                                "not PEM",
		`{"type":"service_account","client_email":"a@b","private_key":123456}`:                                "not a JSON object",
		`{"type":"service_account","client_email":"a@b","private_key":"-----BEGIN X-----\n-----END X-----"}`:  "not a private key",
		`{"type":"service_account","client_email":"a@b","private_key":"` + strings.Repeat("x", 70_000) + `"}`: "too large",
	} {
		_, err := oauth.ParseServiceAccountKey([]byte(data))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseServiceAccountKey(%.40q) = %v, want %q", data, err, want)
			continue
		}
		for _, hush := range []string{"hush", "1//secret", "123456", "MIIJ"} {
			if strings.Contains(err.Error(), hush) {
				t.Errorf("the error quotes the file: %v", err)
			}
		}
	}
}

// ExampleServiceAccount is a backup program that reads the mail of a Workspace
// domain, to which an administrator delegated it.
func ExampleServiceAccount() {
	srv := oauthtest.New(nil)
	defer srv.Close()
	file, err := srv.AddServiceAccount("backup@contoso.iam.gserviceaccount.com", "https://mail.google.com/")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := oauth.ParseServiceAccountKey(file) // the JSON key that Google gave out
	if err != nil {
		fmt.Println(err)
		return
	}
	// A real one has the Config of preset.Google().AppConfig("").
	cfg := &oauth.Config{Scopes: []string{"https://mail.google.com/"}, Endpoint: oauth.Endpoint{TokenURL: srv.TokenURL()}}
	for _, user := range []string{"ann@example.org", "nobody@example.org"} {
		app, err := oauth.ServiceAccount(cfg, key, user)
		if err != nil {
			fmt.Println(err)
			return
		}
		tok, err := app.For("").Token(context.Background())
		if err != nil {
			refused, _ := errors.AsType[*oauth.Error](err)
			fmt.Println(refused.Description)
			continue
		}
		fmt.Println(srv.CheckToken(user, tok.AccessToken))
	}
	// Output:
	// <nil>
	// Invalid email or User ID
}

// ExampleIAMSigner is the same without a key file: a machine signs by Google's
// API with the token that it has anyway.
func ExampleIAMSigner() {
	srv := oauthtest.New(nil)
	defer srv.Close()
	const account = "backup@contoso.iam.gserviceaccount.com"
	if _, err := srv.AddServiceAccount(account, "https://mail.google.com/"); err != nil {
		fmt.Println(err)
		return
	}
	base, err := srv.Issue(oauthtest.DefaultEmail, "https://www.googleapis.com/auth/iam")
	if err != nil {
		fmt.Println(err)
		return
	}
	signer := oauth.IAMSigner(account, oauth.StaticToken(base.Access), &oauth.IAMOptions{BaseURL: srv.URL()})
	cfg := &oauth.Config{Scopes: []string{"https://mail.google.com/"}, Endpoint: oauth.Endpoint{TokenURL: srv.TokenURL()}}
	app, err := oauth.ServiceAccount(cfg, signer, oauthtest.DefaultEmail)
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := app.For("").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken))
	// Output: <nil>
}

// A signer of a program's own, over a key management service for example.
type ownSigner struct{ *oauth.ServiceAccountKey }

func (s ownSigner) SignJWT(context.Context, []byte) (secret.Text, error) {
	return secret.Text{}, busy{}
}

type busy struct{}

func (busy) Error() string   { return "the key management service is busy" }
func (busy) Temporary() bool { return true }

// TestASignerOfAProgramsOwn: its temporary errors are tried again, and told.
func TestASignerOfAProgramsOwn(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.HTTPClient = &http.Client{Transport: noRequests{b.t}}
		_, err := b.acting(ownSigner{b.serviceAccount(gmail)}, "").Token(b.t.Context())
		b.failed(err, oauth.KindTemporary)
		if _, ok := errors.AsType[busy](err); !ok || strings.Count(b.log.String(), "trying again") != 5 {
			b.t.Errorf("Token = %v, want the signer's error after 5 more tries; log:\n%s", err, b.log)
		}
	})
}
