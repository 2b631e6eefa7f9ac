package proxy_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

// setEnvironment sets the variables that are looked at, and no others.
func setEnvironment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToLower(name), "")
	}
	t.Setenv("REQUEST_METHOD", "")
	for name, value := range set {
		t.Setenv(name, value)
	}
}

// TestEnvironmentChoosesTheProxy: each kind of connection has its variables.
func TestEnvironmentChoosesTheProxy(t *testing.T) {
	three := map[string]string{"HTTP_PROXY": "http://a", "HTTPS_PROXY": "http://b", "ALL_PROXY": "http://c"}
	for _, tt := range []struct {
		name             string
		set              map[string]string
		http, https, any string // where is dialled for each scheme
	}{
		{"nothing set", nil, target, target, target},
		{"all set", three, "a:80", "b:80", "c:80"},
		{"HTTP_PROXY alone", map[string]string{"HTTP_PROXY": "a:3128"}, "a:3128", target, target},
		{"HTTPS_PROXY alone", map[string]string{"HTTPS_PROXY": "b:3128"}, target, "b:3128", "b:3128"},
		{"ALL_PROXY alone", map[string]string{"ALL_PROXY": "http://c:1"}, "c:1", "c:1", "c:1"},
		{"lower case", map[string]string{"http_proxy": "a:1", "https_proxy": "b:1", "all_proxy": "c:1"}, "a:1", "b:1", "c:1"},
		{"both cases", map[string]string{"ALL_PROXY": "c:1", "all_proxy": "d:1"}, "c:1", "c:1", "c:1"},
		{"in a CGI program", map[string]string{"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET", "ALL_PROXY": "c:1"}, "c:1", "c:1", "c:1"},
		{"NO_PROXY", map[string]string{"ALL_PROXY": "c:1", "NO_PROXY": "example.org"}, target, target, target},
		{"no_proxy for another port", map[string]string{"ALL_PROXY": "c:1", "no_proxy": "example.org:25"}, "c:1", "c:1", "c:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setEnvironment(t, tt.set)
			for scheme, want := range map[string]string{"http": tt.http, "https": tt.https, "mail": tt.any, "": tt.any} {
				f := newFake(t, answering("HTTP/1.1 200 OK\r\n\r\n"))
				conn, err := proxy.FromEnvironment().Dialer(scheme, f.Dial)(t.Context(), "tcp", target)
				if err != nil {
					t.Errorf("%q: Dial: %v", scheme, err)
					continue
				}
				_ = conn.Close()
				if !slices.Equal(f.dialled, []string{want}) {
					t.Errorf("%q: dialled %q, want %q", scheme, f.dialled, want)
				}
			}
		})
	}
}

// TestNoProxy goes through the rules of the list.
func TestNoProxy(t *testing.T) {
	for _, tt := range []struct {
		list, address string
		direct        bool
	}{
		{"", "imap.example.org:993", false},
		{"*", "imap.example.org:993", true},
		{"example.org", "example.org:993", true},
		{"example.org", "imap.example.org:993", true},
		{"example.org", "notexample.org:993", false},
		{".example.org", "imap.example.org:993", true},
		{".example.org", "example.org:993", false},
		{"*.example.org", "imap.example.org:993", true},
		{"EXAMPLE.org", "IMAP.example.ORG:993", true},
		{"a.test, imap.example.org ,b.test", "imap.example.org:993", true},
		{"imap.example.org:993", "imap.example.org:993", true},
		{"imap.example.org:143", "imap.example.org:993", false},
		{"192.0.2.1", "192.0.2.1:993", true},
		{"192.0.2.1", "192.0.2.11:993", false},
		{"192.0.2.1:25", "192.0.2.1:993", false},
		{"192.0.2.0/24", "192.0.2.77:993", true},
		{"192.0.2.0/24", "192.0.3.77:993", false},
		{"2001:db8::/32", "[2001:db8::1]:993", true},
		{"2001:db8::1", "[2001:db8::1]:993", true},
		{"2001:db8::1", "[2001:db8::2]:993", false},
		{"", "localhost:993", true},
		{"", "127.0.0.1:993", true},
		{"", "127.8.8.8:993", true},
		{"", "[::1]:993", true},
	} {
		setEnvironment(t, map[string]string{"ALL_PROXY": "socks5://proxy.example.net", "NO_PROXY": tt.list})
		f := newFake(t, saying(step{read: 3, say: "\x05\x00"}, step{read: 4, say: "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"}))
		conn, err := proxy.FromEnvironment().Dialer("mail", f.Dial)(t.Context(), "tcp", tt.address)
		if err != nil {
			t.Errorf("NO_PROXY=%q: Dial(%s): %v", tt.list, tt.address, err)
			continue
		}
		_ = conn.Close()
		want := "proxy.example.net:1080"
		if tt.direct {
			want = tt.address
		}
		if !slices.Equal(f.dialled, []string{want}) {
			t.Errorf("NO_PROXY=%q: %s is reached by dialling %q, want %q", tt.list, tt.address, f.dialled, want)
		}
	}
}

// TestCredentialsOfTheEnvironment are used and not shown.
func TestCredentialsOfTheEnvironment(t *testing.T) {
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	own := &proxy.Config{Environment: true, User: "own", Password: secret.New("x")}
	for _, tt := range []struct {
		value  string
		config *proxy.Config
		want   string
	}{
		{"http://ann:tr0ub%20%26%20horse@proxy.example.net", proxy.FromEnvironment(), basic("ann:" + password)},
		{"ann:tr0ub%20%26%20horse@proxy.example.net:3128", proxy.FromEnvironment(), basic("ann:" + password)},
		{"http://ann:tr0ub%20%26%20horse@proxy.example.net", own, basic("ann:" + password)},
		{"http://proxy.example.net", own, basic("own:x")},
		{"http://proxy.example.net", proxy.FromEnvironment(), ""},
	} {
		setEnvironment(t, map[string]string{"ALL_PROXY": tt.value})
		f := newFake(t, once("HTTP/1.1 407 No\r\n\r\n"))
		_, err := tt.config.Dialer("mail", f.Dial)(t.Context(), "tcp", target)
		if err == nil || strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: error %v, want one without credentials", tt.value, err)
		}
		if got, _ := f.seen(); !slices.Equal(got, []string{"CONNECT " + target + " " + tt.want}) {
			t.Errorf("%s: asked %q, want the credentials %q", tt.value, got, tt.want)
		}
		wantNoSecret(t, err, tt.config)
	}
}

// TestWrongVariableIsNamed without its value.
func TestWrongVariableIsNamed(t *testing.T) {
	for value, words := range map[string]string{
		"http://ann:pass word@proxy:80": "the environment's ALL_PROXY: it is not of the form",
		"ftp://proxy.example.net":       `the environment's ALL_PROXY: its scheme is "ftp"`,
		"http://:password@proxy":        "the environment's ALL_PROXY: it holds a password without a user",
		"socks5://ann@proxy":            "SOCKS5 takes no user name without a password",
	} {
		setEnvironment(t, map[string]string{"ALL_PROXY": value})
		f := newFake(t, saying())
		_, err := proxy.FromEnvironment().Dialer("mail", f.Dial)(t.Context(), "tcp", target)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "word@") || len(f.dialled) > 0 {
			t.Errorf("ALL_PROXY=%s: error %v after dialling %q, want %q and nothing dialled", value, err, f.dialled, words)
		}
	}
}
