package oauth_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// visitor makes requests to a redirect listener.
type visitor struct {
	*bed
	uri   string // the redirect URI
	state string
}

// answered is what a visitor gets.
type answered struct {
	status int
	at     *url.URL
	header http.Header
	body   string
}

// do sends a request and follows redirects.
func (v *visitor) do(req *http.Request) answered {
	v.t.Helper()
	resp, err := v.srv.Client().Do(req)
	if err != nil {
		v.t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
		return answered{at: req.URL}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return answered{resp.StatusCode, resp.Request.URL, resp.Header, string(body)}
}

// request makes a request for a path and query below the redirect URI.
func (v *visitor) request(ctx context.Context, method, target string, form url.Values) *http.Request {
	v.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, v.uri+target, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Errorf("request: %v", err)
		return nil
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

// get asks for a path and query below the redirect URI.
func (v *visitor) get(ctx context.Context, target string) answered {
	v.t.Helper()
	return v.do(v.request(ctx, http.MethodGet, target, nil))
}

// whileWaiting signs in, and calls visit while the listener waits for its
// callback. The browser goes on only after that.
func (b *bed) whileWaiting(visit func(ctx context.Context, v *visitor)) {
	b.t.Helper()
	b.opts.OpenURL = func(ctx context.Context, address string) error {
		uri, state := redirectOf(b.t, address)
		visit(ctx, &visitor{b, uri, state})
		return b.srv.Browser(ctx, address)
	}
	b.signIn()
}

func TestTheListenerKeepsWaiting(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b *bed) {
		b.whileWaiting(func(ctx context.Context, v *visitor) {
			good := "/?code=x&state=" + v.state
			evil := v.request(ctx, http.MethodGet, good, nil)
			evil.Host = "evil.example:80"
			rebound := v.request(ctx, http.MethodGet, good, nil)
			rebound.Host = "localhost.evil.example" + v.uri[strings.LastIndex(v.uri, ":"):]
			portless := v.request(ctx, http.MethodGet, good, nil)
			portless.Host = "localhost"
			text := v.request(ctx, http.MethodPost, "/", url.Values{"code": {"x"}, "state": {v.state}})
			text.Header.Set("Content-Type", "text/plain")
			huge := v.request(ctx, http.MethodPost, "/", url.Values{"code": {strings.Repeat("x", 100<<10)}, "state": {v.state}})
			for _, tt := range []struct {
				name   string
				req    *http.Request
				status int
			}{
				{"favicon", v.request(ctx, http.MethodGet, "/favicon.ico", nil), http.StatusNotFound},
				{"nothing", v.request(ctx, http.MethodGet, "/", nil), http.StatusNotFound},
				{"other query", v.request(ctx, http.MethodGet, "/?utm=1", nil), http.StatusNotFound},
				{"HEAD", v.request(ctx, http.MethodHead, good, nil), http.StatusNotFound},
				{"PUT", v.request(ctx, http.MethodPut, good, nil), http.StatusNotFound},
				{"OPTIONS", v.request(ctx, http.MethodOptions, good, nil), http.StatusNotFound},
				{"other path", v.request(ctx, http.MethodGet, "/other"+good[1:], nil), http.StatusNotFound},
				{"double slash", v.request(ctx, http.MethodGet, "/"+good, nil), http.StatusNotFound},
				{"guessed result", v.request(ctx, http.MethodGet, "/signed-in/x", nil), http.StatusNotFound},
				{"other host", evil, http.StatusForbidden},
				{"rebound host", rebound, http.StatusForbidden},
				{"host without the port", portless, http.StatusForbidden},
				{"wrong state", v.request(ctx, http.MethodGet, "/?code=x&state=wrong", nil), http.StatusBadRequest},
				{"no state", v.request(ctx, http.MethodGet, "/?code=x", nil), http.StatusBadRequest},
				{"wrong state with an error", v.request(ctx, http.MethodGet, "/?error=access_denied&state=wrong", nil), http.StatusBadRequest},
				{"two states", v.request(ctx, http.MethodGet, good+"&state=x", nil), http.StatusBadRequest},
				{"code and error", v.request(ctx, http.MethodGet, good+"&error=x", nil), http.StatusBadRequest},
				{"neither", v.request(ctx, http.MethodGet, "/?state="+v.state, nil), http.StatusBadRequest},
				{"bad escape", v.request(ctx, http.MethodGet, good+"&x=%zz", nil), http.StatusBadRequest},
				{"form in the query of a POST", v.request(ctx, http.MethodPost, good, url.Values{"a": {"b"}}), http.StatusNotFound},
				{"POST that is no form", text, http.StatusBadRequest},
				{"POST without a wanted state", v.request(ctx, http.MethodPost, "/", url.Values{"code": {"x"}, "state": {"y"}}), http.StatusBadRequest},
				{"huge POST", huge, http.StatusBadRequest},
			} {
				if got := v.do(tt.req); got.status != tt.status {
					v.t.Errorf("%s: status %d, want %d", tt.name, got.status, tt.status)
				} else if got.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
					v.t.Errorf("%s: the headers are %v", tt.name, got.header)
				}
			}
		})
		if got := b.srv.Hits(oauthtest.TokenPath); got != 1 {
			b.t.Errorf("%d token requests, want 1", got)
		}
	})
}

// TestAHugeRequestHeader: the listener refuses it, or hangs up on it, and waits
// on.
func TestAHugeRequestHeader(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b *bed) {
		b.whileWaiting(func(ctx context.Context, v *visitor) {
			resp, err := v.srv.Client().Do(v.request(ctx, http.MethodGet, "/?state="+v.state+"&code="+strings.Repeat("x", 1<<20), nil))
			if err != nil {
				return // it hung up before the whole request was sent
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				v.t.Errorf("a request header of 1 MiB: status %d, want 431 or none", resp.StatusCode)
			}
		})
		if got := b.srv.Hits(oauthtest.TokenPath); got != 1 {
			b.t.Errorf("%d token requests, want 1", got)
		}
	})
}

var styleText = regexp.MustCompile(`(?s)<style>(.*)</style>`)

func TestThePageAtTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  oauthtest.Fault
		status int
		want   string
	}{
		{"success", oauthtest.Fault{}, http.StatusOK, "You are signed in"},
		{"failure", oauthtest.Fault{Error: "invalid_client", Description: `<script>alert("x")</script>`}, http.StatusBadRequest, "&lt;script&gt;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everywhere(t, oauthtest.Options{}, func(b *bed) {
				b.srv.Inject(oauthtest.TokenPath, tt.fault)
				pages := make(chan answered, 1)
				b.opts.OpenURL = func(ctx context.Context, address string) error {
					v := visitor{b, address, ""}
					pages <- v.get(ctx, "")
					return nil
				}
				_, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
				page := <-pages
				if (err == nil) != (tt.status == http.StatusOK) || page.status != tt.status || !strings.Contains(page.body, tt.want) {
					b.t.Fatalf("SignIn = %v, page %d:\n%s\nwant status %d and %q", err, page.status, page.body, tt.status, tt.want)
				}
				if page.at.RawQuery != "" || !strings.HasPrefix(page.at.Path, "/signed-in/") {
					b.t.Errorf("the browser ends at %s, want a page without a query", page.at)
				}
				checkPage(b.t, page)
				b.mustNotContain("the page", page.body)
			})
		})
	}
}

// checkPage checks that a page needs nothing, tells nothing, and fits a phone.
func checkPage(t *testing.T, page answered) {
	t.Helper()
	m := styleText.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("the page has no style:\n%s", page.body)
	}
	sum := sha256.Sum256([]byte(m[1]))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for name, want := range map[string]string{
		"Content-Security-Policy": policy,
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"Content-Type":            "text/html; charset=utf-8",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for _, foreign := range []string{"<script", "<img", "<link", "src=", "href=", "url(", "@import", "http"} {
		if strings.Contains(strings.ReplaceAll(page.body, "http status", ""), foreign) {
			t.Errorf("the page contains %q:\n%s", foreign, page.body)
		}
	}
	if !strings.Contains(page.body, `content="width=device-width, initial-scale=1"`) || !strings.Contains(page.body, "overflow-wrap: anywhere") {
		t.Errorf("the page does not fit a narrow screen:\n%s", page.body)
	}
}

func TestTwoTabs(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b *bed) {
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: 50 * time.Millisecond})
		b.opts.OpenURL = func(ctx context.Context, address string) error {
			uri, _ := redirectOf(b.t, address)
			// The browser asks the server once and shows the answer in two tabs.
			client := *b.srv.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			target, err := resp.Location()
			if err != nil {
				return err
			}
			v := visitor{b, uri, ""}
			var tabs sync.WaitGroup
			for range 2 {
				tabs.Go(func() {
					if page := v.get(ctx, "/?"+target.RawQuery); page.status != http.StatusOK || !strings.Contains(page.body, "You are signed in") {
						b.t.Errorf("a tab shows %d:\n%s", page.status, page.body)
					}
				})
			}
			tabs.Wait()
			return nil
		}
		b.signIn()
		if got := b.srv.Hits(oauthtest.TokenPath); got != 1 {
			b.t.Errorf("%d token requests, want 1", got)
		}
	})
}

func TestSlowClients(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.whileWaiting(func(ctx context.Context, v *visitor) {
			u, err := url.Parse(v.uri)
			if err != nil {
				v.t.Errorf("redirect URI: %v", err)
				return
			}
			for name, start := range map[string]string{
				"header": "GET / HTTP/1.1\r\nHost: " + u.Host + "\r\n",
				"body": "POST / HTTP/1.1\r\nHost: " + u.Host +
					"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nstate=",
			} {
				conn, err := v.srv.Dial(ctx, "tcp", u.Host)
				if err != nil {
					v.t.Errorf("Dial: %v", err)
					return
				}
				begun := time.Now()
				if _, err := io.WriteString(conn, start); err != nil {
					v.t.Errorf("%s: Write: %v", name, err)
				}
				// Nobody else has to wait for it.
				if got := v.get(ctx, "/favicon.ico"); got.status != http.StatusNotFound || time.Since(begun) != 0 {
					v.t.Errorf("%s: the favicon came as %d after %v", name, got.status, time.Since(begun))
				}
				_, _ = io.ReadAll(conn) // until the listener has had enough
				if waited := time.Since(begun); waited <= 0 || waited > time.Minute {
					v.t.Errorf("%s: the listener waited %v for a slow client", name, waited)
				}
				_ = conn.Close()
			}
		})
	})
}

func TestIdleConnectionsDoNotHoldUpTheEnd(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		var idle net.Conn
		start := time.Now()
		b.whileWaiting(func(ctx context.Context, v *visitor) {
			u, err := url.Parse(v.uri)
			if err != nil {
				v.t.Errorf("redirect URI: %v", err)
				return
			}
			if idle, err = v.srv.Dial(ctx, "tcp", u.Host); err != nil {
				v.t.Errorf("Dial: %v", err)
			}
		})
		if waited := time.Since(start); waited > 100*time.Millisecond {
			b.t.Errorf("SignIn took %v, want no wait for the idle connection", waited)
		}
		if _, err := bufio.NewReader(idle).ReadByte(); err == nil {
			b.t.Error("the idle connection is still alive")
		}
	})
}

func TestABrowserThatLeavesEarly(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.opts.OpenURL = func(ctx context.Context, address string) error {
			// The browser delivers the answer and is closed before the page comes.
			b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: 10 * time.Second})
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return b.srv.Browser(ctx, address)
		}
		start := time.Now()
		b.signIn()
		if waited := time.Since(start); waited > 20*time.Second {
			b.t.Errorf("SignIn took %v", waited)
		}
	})
}

func TestASlowExchangeStillGetsItsPage(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Endpoint.ResponseMode = "form_post"
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: 29 * time.Second})
		failed := make(chan error, 1)
		b.opts.OpenURL = func(ctx context.Context, address string) error {
			failed <- b.srv.Browser(ctx, address)
			return nil
		}
		b.signIn()
		if err := <-failed; err != nil {
			b.t.Errorf("the browser got no page: %v", err)
		}
	})
}

// A sign-in from beginning to end. Browser stands in for the user's browser; a
// program leaves OpenURL and Listen out.
func ExampleSignIn() {
	srv := oauthtest.New(nil)
	defer srv.Close()

	ctx := context.Background()
	grant, err := oauth.SignIn(ctx, &oauth.Config{
		ClientID: oauthtest.DefaultClientID,
		Endpoint: oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
		Scopes:   []string{"openid", "email", "offline_access", "https://mail.example.org/Mail.Read"},
	}, &oauth.SignInOptions{
		LoginHint: "ann@example.org",
		OpenURL:   srv.Browser,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := grant.For("https://mail.example.org").Token(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(grant.Address())
	fmt.Println(token.Type, token.AccessToken)
	// Output:
	// ann@example.org
	// Bearer [redacted]
}
