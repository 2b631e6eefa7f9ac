package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// landing returns the address that a browser ends on that cannot reach the
// program.
func (b *bed) landing(ctx context.Context, address string) string {
	b.t.Helper()
	landed, err := b.srv.Landing(ctx, address)
	if err != nil {
		b.t.Errorf("Landing: %v", err)
	}
	return landed
}

// TestFixedRedirects: the port and the path are those registered, letter by
// letter.
func TestFixedRedirects(t *testing.T) {
	for _, tt := range []struct{ uri, elsewhere string }{
		{"http://localhost:9999/callback", "/Callback"},
		{"http://localhost:8888/Callback", "/callback"},
		{"http://127.0.0.1:7777/a/B/", "/a/B"},
	} {
		for _, mode := range []string{"query", "form_post"} {
			o := oauthtest.Options{Clients: []oauthtest.Client{{ID: oauthtest.DefaultClientID, RedirectURIs: []string{tt.uri}}}}
			inBubble(t, o, func(b *bed) {
				b.cfg.RedirectURL, b.cfg.Endpoint.ResponseMode = tt.uri, mode
				b.opts.OpenURL = func(ctx context.Context, address string) error {
					uri, state := redirectOf(b.t, address)
					if uri != tt.uri {
						b.t.Errorf("redirect_uri = %q, want %q", uri, tt.uri)
					}
					base, err := url.Parse(uri)
					if err != nil {
						return err
					}
					v := visitor{b, "http://" + base.Host, state}
					if got := v.get(ctx, tt.elsewhere+"?code=x&state="+state); got.status != http.StatusNotFound {
						b.t.Errorf("%s: status %d, want 404", tt.elsewhere, got.status)
					}
					return b.srv.Browser(ctx, address)
				}
				b.signIn()
				if got := b.srv.Log()[0].Form["response_mode"]; got != mode {
					b.t.Errorf("response_mode = %q, want %q", got, mode)
				}
			})
		}
	}
}

// TestPaste: the browser is where this program cannot be reached, and the user
// pastes the address it ends on, after some wrong ones.
func TestPaste(t *testing.T) {
	for _, uri := range []string{"https://login.example.org/done", "com.example.mail:/oauth", "http://localhost:9999/callback"} {
		t.Run(uri, func(t *testing.T) {
			o := oauthtest.Options{Clients: []oauthtest.Client{{ID: oauthtest.DefaultClientID, RedirectURIs: []string{uri}}}}
			inBubble(t, o, func(b *bed) {
				b.cfg.RedirectURL, b.cfg.Endpoint.ResponseMode = uri, "form_post" // of which no address would be left
				var screen bytes.Buffer
				b.opts.Prompt = &screen
				landed := make(chan string, 1)
				b.opts.OpenURL = func(ctx context.Context, address string) error {
					landed <- b.landing(ctx, address)
					return nil
				}
				var pastes []string
				b.opts.Paste = func(context.Context) (string, error) {
					if pastes == nil {
						good := <-landed
						pastes = []string{
							strings.Replace(good, "state=", "state=x", 1),
							strings.Replace(good, "?", "x?", 1),
							"https://evil.example/done" + good[strings.Index(good, "?"):],
							"", "hello", "https://login.example.org/other?code=x&state=y", uri + "?code=x&state=y", uri, good,
						}
					}
					text := pastes[0]
					pastes = pastes[1:]
					return "  " + text + "\n", nil
				}
				b.signIn()
				if got := strings.Count(screen.String(), "This is not it: "); got != 8 {
					b.t.Errorf("%d wrong addresses were named, want 8:\n%s", got, screen.String())
				}
				b.mustNotContain("the screen", screen.String())
			})
		})
	}
}

func TestPasteIsCheckedLikeAnyAnswer(t *testing.T) {
	const uri = "https://login.example.org/done"
	client := oauthtest.Client{ID: oauthtest.DefaultClientID, RedirectURIs: []string{uri}}
	for _, tt := range []struct {
		name   string
		change func(landed string) (string, error)
		kind   oauth.Kind
		text   string
	}{
		{"another issuer", func(s string) (string, error) { return strings.Replace(s, "iss=http", "iss=https", 1), nil }, oauth.KindProtocol, "issuer"},
		{"an error", func(s string) (string, error) { return strings.Replace(s, "code=", "error=access_denied&x=", 1), nil }, oauth.KindPolicy, "access_denied"},
	} {
		inBubble(t, oauthtest.Options{Clients: []oauthtest.Client{client}}, func(b *bed) {
			b.cfg.RedirectURL = uri
			landed := make(chan string, 1)
			b.opts.OpenURL = func(ctx context.Context, address string) error {
				landed <- b.landing(ctx, address)
				return nil
			}
			b.opts.Paste = func(context.Context) (string, error) { return tt.change(<-landed) }
			_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
			if e := b.failed(err, tt.kind); !strings.Contains(e.Error(), tt.text) || b.srv.Hits(oauthtest.TokenPath) != 0 {
				b.t.Errorf("%s: %v with %d token requests, want %q and none", tt.name, err, b.srv.Hits(oauthtest.TokenPath), tt.text)
			}
		})
	}
	inBubble(t, oauthtest.Options{Clients: []oauthtest.Client{client}}, func(b *bed) {
		b.cfg.RedirectURL = uri
		b.opts.OpenURL = func(context.Context, string) error { return nil }
		tries := 0
		b.opts.Paste = func(context.Context) (string, error) { tries++; return "nonsense", nil }
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); err == nil || !strings.Contains(err.Error(), "10 tries") || tries != 10 {
			b.t.Errorf("SignIn = %v after %d tries, want an end after 10", err, tries)
		}
		b.opts.Paste = func(context.Context) (string, error) { return "", io.EOF }
		if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); !errors.Is(err, io.EOF) {
			b.t.Errorf("without anybody to paste SignIn = %v, want EOF", err)
		}
	})
}

// TestPasteBesideTheListener: the listener goes on where nothing can be pasted,
// and the paste ends with the sign-in.
func TestPasteBesideTheListener(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.opts.Paste = func(context.Context) (string, error) { return "", io.EOF }
		b.signIn()
		ended := make(chan error, 1)
		b.opts.Paste = func(ctx context.Context) (string, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return "", ctx.Err()
		}
		b.signIn()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			b.t.Errorf("the paste ended with %v, want that of its context", err)
		}
	})
}

func TestPasteFrom(t *testing.T) {
	r, w := io.Pipe()
	paste := oauth.PasteFrom(r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if text, err := paste(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("paste with an ended context = %q, %v", text, err)
	}
	go func() {
		_, _ = io.WriteString(w, "first\r\nsecond\nlast") // an error shows in what is read
		_ = w.Close()
	}()
	for _, want := range []string{"first", "second", "last"} {
		if got, err := paste(t.Context()); got != want || err != nil {
			t.Errorf("paste = %q, %v, want %q", got, err, want)
		}
	}
	if got, err := paste(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("paste at the end = %q, %v, want EOF", got, err)
	}
}

// TestParametersOfASignIn: those of the options replace those of the Config, and
// the protocol's own are refused.
func TestParametersOfASignIn(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.AuthParams = url.Values{"access_type": {"offline"}, "prompt": {"consent"}}
		b.opts.Params = url.Values{"prompt": {"select_account"}, "domain_hint": {"contoso.com"}}
		b.signIn()
		form := b.srv.Log()[0].Form
		for name, want := range map[string]string{"access_type": "offline", "prompt": "select_account", "domain_hint": "contoso.com"} {
			if form[name] != want {
				b.t.Errorf("%s = %q, want %q", name, form[name], want)
			}
		}
		for _, params := range []url.Values{{"state": {"x"}}, {"redirect_uri": {"x"}}, {"request": {"x"}}, {"prompt": {"login", "consent"}}} {
			b.opts.Params = params
			_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
			b.failed(err, oauth.KindClientConfig)
		}
	})
}

// TestAFreshLogin: it is asked for, and an older one is not taken for it.
func TestAFreshLogin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		claims map[string]any
		ok     bool
	}{
		{"fresh", nil, true},
		{"the server does not say", map[string]any{"auth_time": nil}, true},
		{"an old session", map[string]any{"auth_time": time.Date(1999, 12, 31, 20, 0, 0, 0, time.UTC).Unix()}, false},
	} {
		inBubble(t, oauthtest.Options{Accounts: []oauthtest.Account{{Email: oauthtest.DefaultEmail, Claims: tt.claims}}}, func(b *bed) {
			b.opts.Fresh = true
			_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
			if tt.ok && err != nil {
				b.t.Errorf("%s: SignIn = %v, want nil", tt.name, err)
			}
			if !tt.ok {
				if e := b.failed(err, oauth.KindProtocol); !strings.Contains(e.Error(), "older login") {
					b.t.Errorf("%s: %v, want an older login", tt.name, err)
				}
			}
			if form := b.srv.Log()[0].Form; form["prompt"] != "login" || form["max_age"] != "0" {
				b.t.Errorf("%s: prompt %q, max_age %q; want login, 0", tt.name, form["prompt"], form["max_age"])
			}
		})
	}
}

// The browser is on another machine: the user copies the address that it ends
// on. A program has the user paste it with PasteFrom(os.Stdin).
func ExampleSignInOptions_paste() {
	srv := oauthtest.New(&oauthtest.Options{Clients: []oauthtest.Client{{
		ID: oauthtest.DefaultClientID, RedirectURIs: []string{"https://login.example.org/done"},
	}}})
	defer srv.Close()

	clipboard, write := io.Pipe()
	grant, err := oauth.SignIn(context.Background(), &oauth.Config{
		ClientID:    oauthtest.DefaultClientID,
		Endpoint:    oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
		Scopes:      []string{"openid", "email", "offline_access", "https://mail.example.org/Mail.Read"},
		RedirectURL: "https://login.example.org/done",
	}, &oauth.SignInOptions{
		LoginHint: "ann@example.org",
		OpenURL: func(ctx context.Context, address string) error {
			landed, err := srv.Landing(ctx, address)
			if err == nil {
				_, err = fmt.Fprintln(write, landed)
			}
			return err
		},
		Paste: oauth.PasteFrom(clipboard),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(grant.Address())
	// Output: ann@example.org
}
