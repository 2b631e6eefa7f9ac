package preset_test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/preset"
)

// TestRedirectsAreCheckedBeforeTheProviderDoes, since providers explain little.
func TestRedirectsAreCheckedBeforeTheProviderDoes(t *testing.T) {
	microsoft, google := preset.Microsoft365("common").Redirects, preset.Google().Redirects
	hosted := preset.RedirectRules{HTTPS: true, NoQuery: true}
	for _, tt := range []struct {
		rules    preset.RedirectRules
		redirect string
		want     string
	}{
		{microsoft, "http://localhost", ""},
		{microsoft, "http://localhost:8080/callback", ""},
		{microsoft, "http://[::1]:8080", "which the provider takes for localhost, 127.0.0.1 alone"},
		{microsoft, "http://contoso.example/callback", "which the provider takes for localhost, 127.0.0.1 alone"},
		{microsoft, "https://contoso.example/callback", ""},
		{microsoft, "msal1234://auth", ""},
		{google, "http://[::1]:8080", ""},
		{google, "org.example.program:/callback", "a scheme of its own"},
		{google, "/callback", "absolute address"},
		{google, "http://127.0.0.1#x", "without user and fragment"},
		{google, "http://127.0.0.1:x", "cannot be parsed"},
		{hosted, "https://contoso.example/?x=1", "has a query"},
		{hosted, "http://localhost", "which the provider takes nowhere; use https"},
		{preset.RedirectRules{Loopback: []string{"localhost"}}, "https://contoso.example/", "uses https"},
		{preset.RedirectRules{}, "https://contoso.example/", ""},
		{preset.Fastmail().Redirects, "http://127.0.0.1", "for localhost alone"},
	} {
		err := tt.rules.Check(tt.redirect)
		if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("Check(%q) = %v, want %q", tt.redirect, err, tt.want)
		}
	}
}
