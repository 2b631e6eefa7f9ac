package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// external returns an App with tokens of a supplier.
func (b *bed) external(s oauth.Supplier) *oauth.App {
	b.t.Helper()
	app, err := oauth.External(b.cfg, s)
	if err != nil {
		b.t.Fatalf("External: %v", err)
	}
	return app
}

// showKey is the header that the control room wants to see.
func (b *bed) showKey() func(context.Context) (http.Header, error) {
	return func(context.Context) (http.Header, error) {
		return http.Header{"Authorization": {"Bearer " + b.srv.RoomKey().Reveal()}}, nil
	}
}

// TestTokensOfAControlRoom: whichever way it names the token's end, the program
// asks anew before; where it names none, after less than a minute.
func TestTokensOfAControlRoom(t *testing.T) {
	for end, want := range map[string]time.Duration{"in": 55 * time.Minute, "on": 55 * time.Minute, "time": 55 * time.Minute, "none": 54 * time.Second} {
		inBubble(t, oauthtest.Options{MailScopes: []string{mailResource}}, func(b *bed) {
			address := b.srv.ControlRoomURL() + "?mailbox=" + oauthtest.DefaultEmail + "&end=" + end + "&resource={resource}"
			source := b.external(oauth.FromURL(address, b.showKey())).For(mailResource)
			b.opens(b.token(source), oauthtest.DefaultEmail)
			if got := b.srv.Log()[0].Form["resource"]; got != mailResource {
				b.t.Errorf("resource %q, want %q", got, mailResource)
			}
			let(want - 2*time.Second)
			if b.token(source); b.srv.Hits(oauthtest.ControlRoomPath) != 1 {
				b.t.Errorf("end %q: asked anew before %v", end, want)
			}
			let(2 * time.Second)
			if b.token(source); b.srv.Hits(oauthtest.ControlRoomPath) != 2 {
				b.t.Errorf("end %q: not asked anew after %v", end, want)
			}
			b.mustNotContain("the log", b.log.String())
		})
	}
}

// TestAControlRoomThatRefuses: the error says why, and holds nothing of the
// address but its host, nothing of the header and nothing of the answer's token.
func TestAControlRoomThatRefuses(t *testing.T) {
	const hush = "hush-horse"
	for _, tt := range []struct {
		name   string
		header func(*bed) func(context.Context) (http.Header, error)
		fault  oauthtest.Fault
		kind   oauth.Kind
		want   string
	}{
		{"no key", nil, oauthtest.Fault{}, oauth.KindClientConfig, "show the key"},
		{"an OAuth error", (*bed).showKey, oauthtest.Fault{Error: "temporarily_unavailable"}, oauth.KindTemporary, "temporarily_unavailable"},
		{"an error in a good answer", (*bed).showKey, oauthtest.Fault{Status: 200, Body: `{"error":"access_denied"}`}, oauth.KindPolicy, "access_denied"},
		{"busy", (*bed).showKey, oauthtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}}, oauth.KindTemporary, "try again in 7s"},
		{"elsewhere", (*bed).showKey, oauthtest.Fault{Status: 302, Header: http.Header{"Location": {"https://else.example"}}}, oauth.KindClientConfig, "302"},
		{"a page", (*bed).showKey, oauthtest.Fault{Status: 200, Body: "<html>Sign in to the wireless network</html>", ContentType: "text/html"}, oauth.KindTemporary, "not a JSON object"},
		{"no token", (*bed).showKey, oauthtest.Fault{Status: 200, Body: `{"token_of_mine":"` + hush + `"}`}, oauth.KindProtocol, "not a JSON object with an access_token"},
		{"a token in two lines", (*bed).showKey, oauthtest.Fault{Status: 200, Body: `{"access_token":"` + hush + `\n"}`}, oauth.KindProtocol, "not a JSON object with an access_token"},
		{"a token of yesterday", (*bed).showKey, oauthtest.Fault{Status: 200, Body: `{"access_token":"` + hush + `","expires_on":1}`}, oauth.KindTemporary, "has expired already"},
		{"the header fails", func(*bed) func(context.Context) (http.Header, error) {
			return func(context.Context) (http.Header, error) { return nil, errNoOIDC }
		}, oauthtest.Fault{}, oauth.KindUnknown, errNoOIDC.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				var header func(context.Context) (http.Header, error)
				if tt.header != nil {
					header = tt.header(b)
				}
				b.srv.Inject(oauthtest.ControlRoomPath, tt.fault)
				app := b.external(oauth.FromURL(b.srv.ControlRoomURL()+"?mailbox=ann@example.org&code="+hush, header))
				_, err := app.For("").Token(b.t.Context())
				b.failed(err, tt.kind)
				if !strings.Contains(err.Error(), tt.want) {
					b.t.Errorf("Token: %v, want %q", err, tt.want)
				}
				all := fmt.Sprintf("%v %+v %#v %+v %s", err, err, err, app, b.log)
				if b.mustNotContain("what is printed", all); strings.Contains(all, hush) {
					b.t.Errorf("what is printed has a secret in it: %s", all)
				}
			})
		})
	}
}

// TestAnAddressWhoseSecretsStaySecret: also where nobody answers there.
func TestAnAddressWhoseSecretsStaySecret(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		for address, want := range map[string]string{ //nolint:gosec // G101: made up here
			"http://rooms.example/token?code=hush": "only https",
			"ftp://rooms.example/hush":             "only https",
			"/token?code=hush":                     "no full https URL",
			"https://%zz/hush":                     "no full https URL",
		} {
			_, err := oauth.External(b.cfg, oauth.FromURL(address, nil))
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
				b.t.Errorf("FromURL(%q): %v, want %q", address, err, want)
			}
		}
		for _, s := range []oauth.Supplier{{}, oauth.FromFunc(nil)} {
			if _, err := oauth.External(nil, s); err == nil || !strings.Contains(err.Error(), "no supplier") {
				b.t.Errorf("External = %v, want that there is no supplier", err)
			}
		}
		_, err := b.external(oauth.FromURL("http://127.0.0.1:1/hush?code=hush", nil)).For("").Token(b.t.Context())
		if b.failed(err, oauth.KindTemporary); strings.Contains(err.Error()+b.log.String(), "hush") {
			b.t.Errorf("the address is in the error or the log: %v", err)
		}
	})
}

// TestAControlRoomBehindAProxy: the Config's proxy is on the way there, too.
func TestAControlRoomBehindAProxy(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b *bed) {
		p := b.behindProxy()
		supplier := oauth.FromURL(b.srv.ControlRoomURL()+"?mailbox="+oauthtest.DefaultEmail, b.showKey())
		b.opens(b.token(b.external(supplier).For("")), oauthtest.DefaultEmail)
		refusal := "HTTP/1.1 407 No\r\n\r\n"
		p.answer.Store(&refusal)
		_, err := b.external(supplier).For("").Token(b.t.Context())
		if b.failed(err, oauth.KindClientConfig); !strings.Contains(err.Error(), "check User and Password of the proxy") {
			b.t.Errorf("Token = %v, want what to do about the proxy", err)
		}
		b.mustNotContain("the error", err.Error())
	})
}

// TestNothingSecretIsPrinted: whatever the verb, and in logs.
func TestNothingSecretIsPrinted(t *testing.T) {
	const hush = "hush-horse"
	certificate, _ := newCertificate(t, farOff())
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for want, v := range map[string]any{
		"rooms.example":             oauth.FromURL("https://rooms.example/"+hush+"?code="+hush, nil),
		"the command helper":        oauth.FromCommand("/opt/"+hush+"/helper", hush),
		"no supplier":               oauth.Supplier{},
		"no credential":             oauth.Credential{},
		"client secret":             oauth.ClientSecret(secret.New(hush)),
		"federated token of a file": oauth.FederatedFile("/run/" + hush),
		certificate.String():        certificate,
		"signer of a@b.example":     oauth.IAMSigner("a@b.example", oauth.StaticToken(secret.New(hush)), &oauth.IAMOptions{BaseURL: "https://" + hush}),
	} {
		logger.Info("seen", "value", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			if got := fmt.Sprintf(verb, v); got != want {
				t.Errorf("%s prints %q, want %q", verb, got, want)
			}
		}
	}
	if strings.Contains(log.String(), hush) {
		t.Errorf("a secret is in the log:\n%s", log.String())
	}
}

// TestTokensOfAFunction: each resource has its own, with the rules of any other
// App.
func TestTokensOfAFunction(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		var asked []string
		app := b.external(oauth.FromFunc(func(_ context.Context, resource string) (*oauth.Token, error) {
			asked = append(asked, resource)
			switch len(asked) {
			case 1:
				return &oauth.Token{AccessToken: secret.New("one")}, nil
			case 2:
				return &oauth.Token{AccessToken: secret.New("two"), Expiry: time.Now().Add(time.Hour)}, nil
			case 3:
				return nil, nil //nolint:nilnil // A function that forgets to return an error.
			case 4:
				return nil, errNoOIDC
			default:
				return nil, busy{}
			}
		}))
		one := b.token(app.For("one"))
		if one.Type != "Bearer" || one.Expiry.Sub(one.Issued) != time.Minute {
			b.t.Errorf("a token without an end: %+v, want one of a minute", one)
		}
		two := b.token(app.For("two"))
		let(50 * time.Minute)
		if !b.token(app.For("two")).AccessToken.Equal(two.AccessToken) || len(asked) != 2 {
			b.t.Errorf("asked for %q, want each once", asked)
		}
		_, err := app.For("one").Token(b.t.Context())
		b.failed(err, oauth.KindProtocol)
		let(time.Hour)
		_, err = app.For("one").Token(b.t.Context())
		if b.failed(err, oauth.KindUnknown); !errors.Is(err, errNoOIDC) {
			b.t.Errorf("Token = %v, want the function's error", err)
		}
		let(time.Hour)
		_, err = app.For("two").Token(b.t.Context())
		b.failed(err, oauth.KindTemporary)
	})
}

// ExampleExternal is a program whose tokens a control room looks after.
func ExampleExternal() {
	srv := oauthtest.New(nil)
	defer srv.Close()
	app, err := oauth.External(nil, oauth.FromURL(
		srv.ControlRoomURL()+"?mailbox=ann@example.org&resource={resource}",
		func(context.Context) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer " + srv.RoomKey().Reveal()}}, nil
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := app.For("https://outlook.office365.com").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(srv.CheckToken("ann@example.org", tok.AccessToken))
	// Output: <nil>
}
