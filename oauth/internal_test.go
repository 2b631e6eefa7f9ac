package oauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mailsession/mailsession/secret"
)

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		code, suberror string
		status         int
		want           Kind
	}{
		{"invalid_grant", "", 400, KindRevoked},
		{"invalid_grant", "bad_token", 400, KindRevoked},
		{"invalid_grant", "token_expired", 400, KindExpired},
		{"invalid_grant", "consent_required", 400, KindConsent},
		{"invalid_grant", "basic_action", 400, KindInteraction},
		{"invalid_grant", "invalid_rapt", 400, KindInteraction},
		{"invalid_grant", "client_mismatch", 400, KindClientConfig},
		{"invalid_grant", "protection_policy_required", 400, KindPolicy},
		{"interaction_required", "", 400, KindInteraction},
		{"interaction_required", "consent_required", 400, KindConsent},
		{"consent_required", "", 400, KindConsent},
		{"login_required", "", 400, KindInteraction},
		{"invalid_client", "", 401, KindClientConfig},
		{"unauthorized_client", "", 400, KindClientConfig},
		{"invalid_scope", "", 400, KindClientConfig},
		{"access_denied", "", 0, KindPolicy},
		{"temporarily_unavailable", "", 400, KindTemporary},
		{"server_error", "", 0, KindTemporary},
		{"something_new", "", 400, KindUnknown},
		{"something_new", "", 503, KindTemporary},
		{"", "", 400, KindUnknown},
		{"", "", 403, KindUnknown},
		{"", "", 404, KindClientConfig},
		{"", "", 302, KindClientConfig},
		{"", "", 408, KindTemporary},
		{"", "", 429, KindTemporary},
		{"", "", 500, KindTemporary},
	} {
		if got := kindOf(tt.code, tt.suberror, tt.status); got != tt.want {
			t.Errorf("kindOf(%q, %q, %d) = %v, want %v", tt.code, tt.suberror, tt.status, got, tt.want)
		}
	}
}

func TestEveryKindHasANameAndARemedy(t *testing.T) {
	seen := make(map[string]Kind)
	for kind := KindUnknown; kind <= KindProtocol; kind++ {
		for _, text := range []string{kind.String(), (&Error{Kind: kind}).Remedy(), (&Error{Kind: kind, Code: "x", Wait: time.Minute}).Remedy()} {
			if other, ok := seen[text]; text == "" || (ok && other != kind) {
				t.Errorf("kind %d says %q, as kind %d does", kind, text, other)
			}
			seen[text] = kind
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{
			&Error{Kind: KindRevoked, Op: "refresh", Server: "login.example", Status: 400, Code: "invalid_grant", Suberror: "bad_token", Description: "AADSTS50173: …"},
			"oauth: refresh at login.example: invalid_grant (bad_token): AADSTS50173: …; the grant is over, revoked or else expired without the server saying so: sign in again",
		},
		{
			&Error{Kind: KindTemporary, Op: "refresh", Server: "login.example", Status: 429, Wait: time.Minute},
			"oauth: refresh at login.example: HTTP status 429; try again in 1m0s",
		},
		{
			&Error{Kind: KindTemporary, Op: "refresh", Server: "login.example", Err: io.ErrUnexpectedEOF},
			"oauth: refresh at login.example: unexpected EOF; try again later",
		},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
}

func TestClean(t *testing.T) {
	hidden := secret.New("s3cr3t+/value")
	for _, tt := range []struct{ text, want string }{
		{"plain", "plain"},
		{"a\r\n b\x00\x1b[31m", "a b[31m"},
		{"the token s3cr3t+/value is bad", "the token [redacted] is bad"},
		{"s3cr3t\x00+/value", "[redacted]"},
		{"code=s3cr3t%2B%2Fvalue", "code=[redacted]"},
		{"Trace ID: 0f3c1a2b-1111-2222-3333-444455556666", "Trace ID: 0f3c1a2b-1111-2222-3333-444455556666"},
		{"eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("aB3_", 20) + ".x", "eyJhbGciOiJSUzI1NiJ9.[redacted].x"},
		{"left\u202eright", "leftright"},
		{"bad \xff utf8", "bad utf8"},
		{strings.Repeat("word ", 200), strings.Repeat("word ", 80) + "…"},
		{`Post "https://login.microsoftonline.com/common/oauth2/v2.0/token": EOF`, `Post "https://login.microsoftonline.com/common/oauth2/v2.0/token": EOF`},
	} {
		if got := clean(tt.text, hidden, secret.Text{}); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := cleanCode(strings.Repeat("x", 65)); got != "unreadable" {
		t.Errorf("cleanCode of 65 bytes = %q", got)
	}
}

func TestScopes(t *testing.T) {
	const mail, send, graph = "https://a.example/Mail", "https://a.example/Send", "https://b.example/Read"
	all := []string{"openid", mail, graph, send, "offline_access"}
	for _, tt := range []struct {
		scopes   []string
		resource string
		want     []string
	}{
		{all, "https://a.example", []string{"openid", mail, send, "offline_access"}},
		{all, "https://a.example/", []string{"openid", mail, send, "offline_access"}},
		{all, mail, []string{"openid", mail, "offline_access"}},
		{all, "https://b.example", []string{"openid", graph, "offline_access"}},
		{all, "", []string{"openid", mail, send, "offline_access"}},
		{all, "https://c.example", []string{"openid", mail, send, "offline_access"}},
		{all, "https://a.exam", []string{"openid", mail, send, "offline_access"}},
		{[]string{"openid", mail, send}, "", []string{"openid", mail, send}},
		{[]string{"mail-r", "mail-w"}, "", []string{"mail-r", "mail-w"}},
		{[]string{"https://mail.example/"}, "https://mail.example", []string{"https://mail.example/"}},
		{[]string{"mail:imap", "disk:read"}, "mail", []string{"mail:imap"}},
		{nil, "x", nil},
	} {
		if got := scopesFor(tt.scopes, tt.resource); !slices.Equal(got, tt.want) {
			t.Errorf("scopesFor(%q, %q) = %q, want %q", tt.scopes, tt.resource, got, tt.want)
		}
	}
	for _, tt := range []struct {
		scopes, want []string
		several      bool
	}{
		{all, []string{"openid", mail, send, "offline_access"}, true},
		{[]string{mail, send}, []string{mail, send}, false},
		{[]string{"mail:imap", "mail:smtp"}, []string{"mail:imap", "mail:smtp"}, false},
		{[]string{"openid"}, []string{"openid"}, false},
		{[]string{"Mail.Read", mail}, []string{"Mail.Read"}, true},
		{nil, nil, false},
	} {
		if got, several := firstScopes(tt.scopes); !slices.Equal(got, tt.want) || several != tt.several {
			t.Errorf("firstScopes(%q) = %q, %t, want %q, %t", tt.scopes, got, several, tt.want, tt.several)
		}
	}
}

func TestIssuers(t *testing.T) {
	const templated = "https://login.example/{tenantid}/v2.0"
	for _, tt := range []struct {
		configured, claimed, tenant string
		token, redirect             bool
	}{
		{"https://a.example", "https://a.example", "", true, true},
		{"https://a.example", "https://a.example/", "", false, false},
		{"https://a.example", "a.example", "", true, false},
		{"https://a.example", "", "", false, false},
		{templated, "https://login.example/t-1/v2.0", "t-1", true, true},
		{templated, "https://login.example/t-1/v2.0", "t-2", false, true},
		{templated, "https://login.example/t-1/v2.0", "", false, true},
		{templated, "https://login.example//v2.0", "", false, false},
		{templated, "https://login.example/a/b/v2.0", "a/b", false, false},
		{templated, "https://evil.example/t-1/v2.0", "t-1", false, false},
		{templated, "https://login.example/t-1", "t-1", false, false},
	} {
		if got := sameIssuer(tt.configured, tt.claimed, tt.tenant); got != tt.token {
			t.Errorf("sameIssuer(%q, %q, %q) = %t, want %t", tt.configured, tt.claimed, tt.tenant, got, tt.token)
		}
		if got := issuerFits(tt.configured, tt.claimed); got != tt.redirect {
			t.Errorf("issuerFits(%q, %q) = %t, want %t", tt.configured, tt.claimed, got, tt.redirect)
		}
	}
}

func TestAllowsHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost:80": true, "LOCALHOST:80": true, "127.0.0.1:80": true, "[::1]:80": true, "localhost": true, "[::1]": true,
		"localhost:81": false, "127.0.0.2:80": false, "evil.example:80": false, "": false, ":80": false,
		"localhost.evil.example:80": false, "127.0.0.1.evil.example:80": false,
	} {
		if got := allowsHost(host, "80"); got != want {
			t.Errorf("allowsHost(%q) = %t, want %t", host, got, want)
		}
	}
}

func TestBrowserCommands(t *testing.T) {
	const address = "https://login.example/?a=b"
	for _, tt := range []struct {
		name string
		goos string
		env  map[string]string
		wsl  bool
		want string
	}{
		{"linux desktop", "linux", map[string]string{"DISPLAY": ":0"}, false, "[[xdg-open @] [x-www-browser @]]"},
		{"wayland", "linux", map[string]string{"WAYLAND_DISPLAY": "w"}, false, "[[xdg-open @] [x-www-browser @]]"},
		{"no display", "linux", nil, false, "[]"},
		{"BROWSER", "linux", map[string]string{"BROWSER": "firefox"}, false, "[[firefox @]]"},
		{"BROWSER list", "linux", map[string]string{"BROWSER": "a --new %s::b"}, false, "[[a --new @] [b @]]"},
		{"BROWSER before the desktop", "linux", map[string]string{"BROWSER": "a", "DISPLAY": ":0"}, false, "[[a @] [xdg-open @] [x-www-browser @]]"},
		{"WSL", "linux", map[string]string{"DISPLAY": ":0"}, true, "[[wslview @] [rundll32.exe url.dll,FileProtocolHandler @]]"},
		{"mac", "darwin", nil, false, "[[open @]]"},
		{"windows", "windows", map[string]string{"BROWSER": `C:\b.exe;c`}, false, `[[C:\b.exe @] [c @] [rundll32 url.dll,FileProtocolHandler @]]`},
	} {
		getenv := func(name string) string { return tt.env[name] }
		got := fmt.Sprint(browserCommands(tt.goos, getenv, tt.wsl, address))
		if want := strings.ReplaceAll(tt.want, "@", address); got != want {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
	}
}

func TestPrompt(t *testing.T) {
	const page = "https://login.example/"
	for _, tt := range []struct {
		name       string
		p          prompt
		says, none []string
	}{
		{"here", prompt{address: page, port: "1234"}, []string{"\n" + page + "\n"}, []string{"ssh", "paste", "container"}},
		{"over ssh", prompt{address: page, port: "1234", where: whereabout{ssh: "ann@192.0.2.7"}}, []string{"\nssh -L 1234:127.0.0.1:1234 ann@192.0.2.7\n"}, []string{"paste"}},
		{"over ssh, with paste", prompt{address: page, port: "1234", paste: true, where: whereabout{ssh: "h"}}, []string{"ssh -L", "copy its address and paste"}, nil},
		{"elsewhere", prompt{address: page, paste: true, where: whereabout{ssh: "h"}}, []string{"paste it here"}, []string{"ssh"}},
		{"container", prompt{address: page, port: "1234", where: whereabout{container: true}}, []string{"port 1234 of the container"}, []string{"ssh"}},
	} {
		got := tt.p.String()
		for _, want := range tt.says {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q in it", tt.name, got, want)
			}
		}
		for _, not := range tt.none {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q, want no %q", tt.name, got, not)
			}
		}
	}
}

func TestSSHTarget(t *testing.T) {
	for connection, want := range map[string]string{
		"":                                  "",
		"198.51.100.9 50000 192.0.2.7 22":   "ann@192.0.2.7",
		"198.51.100.9 50000 192.0.2.7 2222": "-p 2222 ann@192.0.2.7",
		"odd":                               "THIS-HOST",
	} {
		env := map[string]string{"SSH_CONNECTION": connection, "USER": "ann"}
		if got := sshTarget(func(name string) string { return env[name] }); got != want {
			t.Errorf("sshTarget(%q) = %q, want %q", connection, got, want)
		}
	}
}

func TestPrivateWindows(t *testing.T) {
	got := privately([][]string{{"/usr/bin/firefox", "@"}, {"chromium", "--new", "@"}, {"msedge", "@"}, {"chromium", "--incognito", "@"}, {"xdg-open", "@"}})
	want := "[[/usr/bin/firefox --private-window @] [chromium --incognito --new @] [msedge @] [chromium --incognito @] [xdg-open @]]"
	if fmt.Sprint(got) != want {
		t.Errorf("privately = %v, want %v", got, want)
	}
}

// canned is a transport that gives the same answer always.
type canned struct {
	status      int
	contentType string
	body        []byte
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Status: http.StatusText(c.status),
		Header: http.Header{"Content-Type": {c.contentType}},
		Body:   io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

// FuzzTokenAnswer: whatever a token endpoint says, the outcome is a token with
// an end, or an Error of one line that holds nothing secret.
func FuzzTokenAnswer(f *testing.F) {
	const sent = "rt-7Q4XWZ2M5K"
	for _, seed := range []struct {
		status            int
		contentType, body string
	}{
		{200, "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"b","scope":"x y","id_token":"h.p.s"}`},
		{200, "text/plain; charset=utf-8", `{"access_token":"a","expires_in":"3599.5"}`},
		{200, "application/json", `{"access_token":"a","expires_in":""}`},
		{200, "application/json", `{"access_token":1,"error":{"code":403}}`},
		{200, "application/json", `{"error":"invalid_code"}`},
		{200, "application/x-www-form-urlencoded", `access_token=a&expires_in=60`},
		{200, "text/html", `<html><body>login</body></html>`},
		{400, "application/json", `{"error":"invalid_grant","suberror":"bad_token","error_description":"AADSTS50173: ` + sent + `\r\nTrace","error_codes":[50173]}`},
		{400, "application/json", `{"error":"` + sent + `","suberror":"x ` + sent + `"}`},
		{503, "", ""},
		{302, "text/html", "moved"},
		{204, "", ""},
		{400, "application/json", `{"error":"invalid_grant","error_subtype":"invalid_rapt"}`},
	} {
		f.Add(seed.status, seed.contentType, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		cfg := &Config{
			ClientID: "c", ClientSecret: secret.New("cs-3R8TNPL6"),
			HTTPClient: &http.Client{Transport: canned{status, contentType, body}},
		}
		cfg.Endpoint.TokenURL = "https://login.example/token"
		got, err := cfg.request(t.Context(), tokenRequest{
			op: "refresh", params: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {sent}},
			scopes: []string{"x"}, secrets: []secret.Text{secret.New(sent)},
		})
		if (got == nil) == (err == nil) {
			t.Fatalf("answer %v and error %v", got, err)
		}
		if err != nil {
			checkError(t, err, sent, "cs-3R8TNPL6")
			return
		}
		if got.token.AccessToken.IsZero() || got.token.Type == "" || !got.token.Expiry.After(time.Now()) || len(got.token.Scopes) == 0 {
			t.Errorf("token %+v", got.token)
		}
		if status > 299 {
			t.Errorf("status %d gave a token", status)
		}
	})
}

// checkError checks that an error is typed, of one line, short, and tells no
// secret.
func checkError(t *testing.T, err error, secrets ...string) {
	t.Helper()
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("error %T %v, want *Error", err, err)
	}
	text := err.Error()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("error %q contains %q", text, s)
		}
	}
	if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) || len(text) > 6000 {
		t.Errorf("error %q is not one short line", text)
	}
}

// FuzzRepair: what was an object of JSON stays one with the same token, and a
// second repair changes nothing.
func FuzzRepair(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","expires_in":"3600"}`, "\ufeff{}", `{"expires_in":1e99}`, `{"expires_in":NaN}`, `[1]`, ``, `{`, `{"expires_in":null,"error":null}`,
	} {
		f.Add("application/json", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		type1, out := repair(contentType, body)
		type2, again := repair(type1, out)
		if type1 != type2 || !bytes.Equal(out, again) {
			t.Errorf("repair(%q) = %q, then %q", body, out, again)
		}
		var before, after map[string]any
		if json.Unmarshal(body, &before) != nil || before == nil {
			return
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("repair(%q) = %q: %v", body, out, err)
		}
		if token, ok := before["access_token"].(string); ok && after["access_token"] != token {
			t.Errorf("repair(%q) = %q: the token is another", body, out)
		}
		if seconds, ok := after["expires_in"]; ok {
			if n, _ := seconds.(float64); n < 1 || n != float64(int64(n)) {
				t.Errorf("repair(%q) = %q: expires_in is %v", body, out, seconds)
			}
		}
	})
}

// FuzzIDToken: an id_token is accepted only if its claims, read by other
// means, say what they must; errors quote none of them but the issuer.
func FuzzIDToken(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"https://a.example","sub":"1","aud":"c","exp":4000000000,"nonce":"n","email":"ann@example.org"}`,
		`{"iss":"https://a.example","aud":["c","d"],"azp":"c","exp":4e9,"nonce":"n","upn":"ann@x"}`,
		`{"aud":[],"exp":"x"}`, `{}`, `null`, `[]`, ``,
	} {
		f.Add("h." + base64.RawURLEncoding.EncodeToString([]byte(seed)) + ".s")
	}
	f.Add("..")
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, raw string) {
		rules := idTokenRules{clientID: "c", issuer: "https://a.example", nonce: secret.New("n"), now: time.Unix(3_000_000_000, 0)}
		user, err := readIDToken(secret.New(raw), rules)
		if err != nil {
			if user != (identity{}) {
				t.Errorf("error %v with an identity %+v", err, user)
			}
			return
		}
		payload, decodeErr := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.Split(raw, ".")[1], "="))
		if decodeErr != nil {
			t.Fatalf("accepted what is not base64: %v", decodeErr)
		}
		for _, must := range []string{"a.example", `n`, `c`} {
			if !bytes.Contains(payload, []byte(must)) && !bytes.Contains(payload, []byte(`\u`)) {
				t.Errorf("accepted %q without %q", payload, must)
			}
		}
		if user.address != "" && (!strings.Contains(user.address, "@") || strings.ContainsFunc(user.address, unicode.IsControl)) {
			t.Errorf("address %q", user.address)
		}
	})
}

// FuzzCallback: a callback has a code or an error, never both, and no
// parameter twice; its error is an Error of one line.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		"code=abc&state=x&iss=https%3A%2F%2Fa.example", "error=access_denied&error_description=no%0Away&state=x", "code=a&code=b&state=x",
		"state=x", "", "code=a&error=b", "a;b=c", "%zz", "iss=x&error=%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		c, err := parseCallback(values)
		if err != nil {
			return
		}
		if c.code.IsZero() == (c.err == "") {
			t.Errorf("parseCallback(%q): code %t and error %q", query, !c.code.IsZero(), c.err)
		}
		for _, name := range []string{"code", "state", "error", "iss"} {
			if len(values[name]) > 1 {
				t.Errorf("parseCallback(%q) took %s twice", query, name)
			}
		}
		err = c.check(Endpoint{AuthURL: "https://a.example/auth", Issuer: "https://a.example"})
		if (c.err != "" || (c.hasIssuer && c.issuer != "https://a.example")) != (err != nil) {
			t.Errorf("check of %q = %v", query, err)
		}
		if err != nil {
			checkError(t, err)
		}
	})
}
