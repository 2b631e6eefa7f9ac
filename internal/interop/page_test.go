//go:build interop

package interop_test

import (
	"bytes"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// phone is how wide the screen of a small phone is, in CSS pixels.
const phone = 360

// TestTheResultPageInABrowser: a real browser, as narrow as a phone, ends every
// sign-in on a page that says how it went, with no code in the address bar or
// behind the back button, and asks nobody else for anything.
func TestTheResultPageInABrowser(t *testing.T) {
	long := strings.Repeat("administrator", 3) + strings.Repeat(" has-to-allow-this ", 9) + `<script>alert(1)</script>`
	for _, tc := range []struct {
		name, mode string
		path       string
		fault      oauthtest.Fault
		says       string
	}{
		{"success", "query", "", oauthtest.Fault{}, "You are signed in"},
		{"posted form", "form_post", "", oauthtest.Fault{}, "You are signed in"},
		{"declined", "query", oauthtest.AuthorizePath, oauthtest.Fault{Error: "access_denied", Description: long}, "The sign-in failed"},
		{"declined, posted form", "form_post", oauthtest.AuthorizePath, oauthtest.Fault{Error: "access_denied", Description: long}, "The sign-in failed"},
		{"code refused", "query", oauthtest.TokenPath, oauthtest.Entra(7000218, "invalid_client", "", long), "The server wants a client secret: allow public client flows"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := oauthtest.New(nil)
			t.Cleanup(server.Close)
			browser, err := interop.StartChromium(t.Context(), phone)
			must(t, err)
			t.Cleanup(func() { must(t, browser.Stop()) })
			if tc.path != "" {
				server.Inject(tc.path, tc.fault)
			}
			_, err = oauth.SignIn(t.Context(), &oauth.Config{
				ClientID: oauthtest.DefaultClientID,
				Endpoint: oauth.Endpoint{Issuer: server.Issuer(), AuthURL: server.AuthURL(), TokenURL: server.TokenURL(), ResponseMode: tc.mode},
				Scopes:   []string{"openid", "email", "mail"},
			}, &oauth.SignInOptions{LoginHint: oauthtest.DefaultEmail, OpenURL: browser.Open})
			if (err == nil) != (tc.path == "") {
				t.Errorf("SignIn = %v", err)
			}
			page, err := browser.Await(t.Context(), "/signed-in/")
			must(t, err)
			if !strings.Contains(page.Text, tc.says) || !strings.Contains(page.Text, "close this page") {
				t.Errorf("the page reads %q, want %q in it", page.Text, tc.says)
			}
			checkBrowser(t, browser, page)
		})
	}
}

// checkBrowser looks at the address bar, the history, the width of the page and
// what was asked for, and takes a picture.
func checkBrowser(t *testing.T, browser *interop.Chromium, page interop.Page) {
	t.Helper()
	at, err := url.Parse(page.URL)
	must(t, err)
	if at.RawQuery != "" || at.Fragment != "" {
		t.Errorf("the address bar has more than a path: %s", page.URL)
	}
	history, err := browser.History(t.Context())
	must(t, err)
	for _, address := range history {
		if strings.Contains(address, "?code=") || strings.Contains(address, "&code=") {
			t.Errorf("the back button leads to a code: %q", history)
		}
	}
	if page.Width > phone || page.Screen != phone || page.Font < 16 {
		t.Errorf("the page is %d wide on a screen of %d, its text %d high; want no more than %d, and 16 at least", page.Width, page.Screen, page.Font, phone)
	}
	if len(browser.Requested()) == 0 {
		t.Error("no request of the browser was seen")
	}
	for _, address := range browser.Requested() {
		u, err := url.Parse(address)
		must(t, err)
		if host := u.Hostname(); host != "127.0.0.1" && host != "localhost" {
			t.Errorf("the browser asked for %s", address)
		}
	}
	picture, err := browser.Screenshot(t.Context())
	must(t, err)
	if shot, err := png.Decode(bytes.NewReader(picture)); err != nil || shot.Bounds().Dx() != 2*phone {
		t.Errorf("the picture cannot be read or is not %d wide: %v", 2*phone, err)
	}
	if dir := os.Getenv("MAILSESSION_SCREENSHOTS"); dir != "" {
		must(t, os.WriteFile(filepath.Join(dir, strings.NewReplacer("/", "_", ",", "").Replace(t.Name())+".png"), picture, 0o600)) //nolint:gosec // G703: the person who runs the test names the folder.
	}
}
