package interop

import (
	"net/url"
	"reflect"
	"testing"
	"time"
)

// TestPostForm reads the page that oidc-provider answers with in
// response_mode=form_post.
func TestPostForm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, page string
		target     string
		fields     url.Values
		ok         bool
	}{
		{name: "no form", page: "<html><body>Who are you?</body></html>"},
		{
			name:   "a form",
			page:   "<form method=\"post\" action=\"http://localhost:1/a?b=1&amp;c=2\">\n<input type=\"hidden\" name=\"code\" value=\"&lt;x&gt;\"/>\n<input type=\"hidden\" name=\"state\" value=\"\"/>\n<button type=\"submit\">Continue</button></form>",
			target: "http://localhost:1/a?b=1&c=2",
			fields: url.Values{"code": {"<x>"}, "state": {""}},
			ok:     true,
		},
	} {
		target, fields, ok := postForm(tc.page)
		if target != tc.target || !reflect.DeepEqual(fields, tc.fields) || ok != tc.ok {
			t.Errorf("%s: postForm = %q, %v, %t, want %q, %v, %t", tc.name, target, fields, ok, tc.target, tc.fields, tc.ok)
		}
	}
}

// TestPrintedURLs passes over warnings and waits for the end of a line.
func TestPrintedURLs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		output string
		want   []string
	}{
		{"", nil},
		{"WARNING: see http://example.test\n", nil},
		{"WARNING: old\nhttp://127.0.0.1:1\nhttp://127.0.0.1:2", []string{"http://127.0.0.1:1"}},
		{"http://127.0.0.1:1\nWARNING: old\nhttp://127.0.0.1:2\n", []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}},
	} {
		if got := printedURLs(tc.output); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("printedURLs(%q) = %q, want %q", tc.output, got, tc.want)
		}
	}
}

// TestAccessLifetimeIsInWholeSeconds: OAuth knows no others (RFC 6749 section
// 5.1).
func TestAccessLifetimeIsInWholeSeconds(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{-time.Second, time.Millisecond, 1500 * time.Millisecond} {
		o := &OIDC{dir: t.TempDir()}
		if err := o.writeSettings(&OIDCOptions{AccessLifetime: lifetime}); err == nil {
			t.Errorf("a lifetime of %v was accepted", lifetime)
		}
	}
}
