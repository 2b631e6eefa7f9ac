package profile_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/profile"
)

// app is a set that signs in by itself; a test adds what is wrong.
const app = `"provider": "microsoft", "tenant": "contoso.com", "flow": "client-credentials", "clientId": "c", "clientSecret": "env:S", "account": "ann@contoso.com"`

// person is a set of a person.
const person = `"provider": "microsoft", "tenant": "contoso.com", "clientId": "c", "account": "ann@contoso.com"`

// hosts is a set with a password and no provider.
const hosts = `"password": "env:P", "account": "ann@example.com"`

// TestMistakes goes through the rules: each line is a set, the path of what is
// wrong, and words of the reason and the fix.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, set, path, reason, fix string }{
		// Names, types and words.
		{"an unknown name", person + `, "clientid": "c"`, "/clientid", `"clientid" is not known`, `did you mean "clientId"?`},
		{"an unknown name deep down", person + `, "incoming": {"prot": 993}`, "/incoming/prot", `"prot" is not known`, `did you mean "port"?`},
		{"a name like none", person + `, "xyzzy": 1`, "/xyzzy", "is not known", "known are description, provider"},
		{"a name twice", person + `, "clientId": "d"`, "/clientId", "stands twice", "keep one"},
		{"a text for an object", person + `, "incoming": "IMAP"`, "/incoming", "it is a text", "write an object"},
		{"null", person + `, "tenant": null`, "/tenant", "", ""},
		{"a port in quotes", hosts + `, "incoming": {"host": "h", "port": "993"}`, "/incoming/port", "it is a text", "without quotes"},
		{"a word that is none", person + `, "mode": "readonly"`, "/mode", `"readonly" is not known`, `did you mean "read-only"?`},
		{"SMTP to read", person + `, "incoming": {"protocol": "SMTP"}`, "/incoming/protocol", `"SMTP" is not known`, `"IMAP"`},
		{"a time without a unit", person + `, "limits": {"idleTimeout": "30"}`, "/limits/idleTimeout", "not a time", `"30s"`},
		{"a time that is a number", person + `, "retry": {"wait": 5}`, "/retry/wait", "it is a number", `a time in quotes, such as "30s"`},
		{"a scheme with a slip", `"provider": "microsoft", "clientId": "c", "account": "evn:ACCOUNT"`, "/account", "scheme that is not known", `did you mean "env:…"? The text itself is written "literal:…"`},
		{"a scheme in capitals", `"provider": "microsoft", "clientId": "c", "account": "a@b.c", "flow": "pinned", "refreshToken": "ENV:TOKEN"`, "/refreshToken", "scheme that is not known", `did you mean "env:…"?`},
		{"half of a pair", person + `, "description": "\ud800"`, "/description", "not Unicode", ""},
		// Where to sign in.
		{"an unknown provider", `"provider": "mircosoft", "clientId": "c", "account": "a@b.c"`, "/provider", "is not known", `did you mean "microsoft"?`},
		{"nowhere to sign in", `"clientId": "c", "account": "a@b.c", "incoming": {"host": "h"}`, "/provider", "where to sign in", "tokenUrl"},
		{"no authUrl", `"oauth": {"tokenUrl": "https://o.example/t"}, "clientId": "c", "account": "a@b.c", "incoming": {"host": "h"}`, "/oauth/authUrl", "missing", "issuer"},
		{"no deviceUrl", `"flow": "device", "oauth": {"tokenUrl": "https://o.example/t"}, "clientId": "c", "account": "a@b.c", "incoming": {"host": "h"}`, "/oauth/deviceUrl", "missing", "issuer"},
		{"no encryption at sign-in", `"oauth": {"base": "http://o.example"}, "clientId": "c", "account": "a@b.c", "incoming": {"host": "h"}`, "/oauth/base", "not encrypted", "https"},
		{"base and issuer", `"oauth": {"base": "o.example", "issuer": "https://o.example"}, "clientId": "c", "account": "a@b.c", "incoming": {"host": "h"}`, "/oauth/issuer", "a base as well", "one of the two"},
		// What flows need, and have no use for.
		{"no client id", `"provider": "microsoft", "account": "a@b.c"`, "/clientId", "flow pkce needs it", "register the program"},
		{"no client secret", `"provider": "microsoft", "tenant": "t.com", "flow": "client-credentials", "clientId": "c", "account": "a@b.c"`, "/clientSecret", "missing", "refer to the secret"},
		{"no certificate", `"provider": "microsoft", "tenant": "t.com", "flow": "certificate", "clientId": "c", "account": "a@b.c"`, "/certificate", "missing", ""},
		{"an empty certificate", `"provider": "microsoft", "tenant": "t.com", "flow": "certificate", "clientId": "c", "certificate": {}, "account": "a@b.c"`, "/certificate/content", "missing", "PEM or PFX"},
		{"no key", `"provider": "google", "flow": "service-account", "account": "a@b.c"`, "/serviceAccount", "missing", ""},
		{"no refresh token", `"provider": "microsoft", "flow": "pinned", "clientId": "c", "account": "a@b.c"`, "/refreshToken", "missing", "env:NAME"},
		{"no password", `"flow": "password", "account": "a@b.c", "incoming": {"host": "h"}`, "/password", "missing", "env:NAME"},
		{"no external", `"flow": "external", "account": "a@b.c", "incoming": {"host": "h"}`, "/external", "missing", ""},
		{"neither token nor url", `"flow": "external", "external": {}, "account": "a@b.c", "incoming": {"host": "h"}`, "/external", "either a token or a url", "one of the two"},
		{"a redirect for a program", app + `, "redirectUri": "http://localhost"`, "/redirectUri", "means nothing with the flow client-credentials", "remove it"},
		{"parameters for a device", person + `, "flow": "device", "authParams": {"prompt": "login"}`, "/authParams", "means nothing with the flow device", "remove it"},
		{"a client id beside a password", hosts + `, "clientId": "c", "incoming": {"host": "h"}`, "/clientId", "means nothing with the flow password", "remove it"},
		// What providers lack.
		{"client credentials at Google", `"provider": "google", "flow": "client-credentials", "clientId": "c", "clientSecret": "env:S", "account": "a@b.c"`, "/flow", "Google has no flow client-credentials", "service-account"},
		{"client credentials of personal accounts", `"provider": "outlook.com", "flow": "client-credentials", "clientId": "c", "clientSecret": "env:S", "account": "a@b.c"`, "/flow", "no flow client-credentials", "pkce"},
		{"client credentials of all tenants", `"provider": "microsoft", "tenant": "common", "flow": "client-credentials", "clientId": "c", "clientSecret": "env:S", "account": "a@b.c"`, "/flow", "no flow client-credentials", "use"},
		{"POP3 at iCloud", `"provider": "icloud", "password": "env:P", "account": "a@b.c", "incoming": {"protocol": "POP3"}`, "/incoming", "does not offer POP3", "IMAP"},
		// Who signs in.
		{"nobody", `"provider": "microsoft", "clientId": "c", "scopes": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"`, "/account", "without the scopes openid and email", "add openid and email"},
		{"nobody for a program", strings.ReplaceAll(app, `, "account": "ann@contoso.com"`, ""), "/account", "does not tell whose mailbox", "mailbox's address"},
		{"a name for a password that there is none", person + `, "authUser": "CONTOSO\\ann"`, "/authUser", "means nothing with the flow pkce", "remove it"},
		{"another mailbox by a password", hosts + `, "mailbox": "info@example.com", "incoming": {"host": "h"}`, "/mailbox", "password does not open it by IMAP", "server's own form"},
		// Redirects and parameters.
		{"a redirect to another machine", person + `, "redirectUri": "http://example.com/back"`, "/redirectUri", "not on this machine", "localhost"},
		{"a redirect with a query", person + `, "redirectUri": "http://localhost/?a=b"`, "/redirectUri", "query", "localhost"},
		{"a redirect that the provider does not take", person + `, "redirectUri": "http://[::1]"`, "/redirectUri", "http", "http://localhost"},
		{"a redirect without a scheme", person + `, "redirectUri": "localhost"`, "/redirectUri", "not an absolute address", "localhost"},
		{"a parameter of the protocol", person + `, "authParams": {"state": "x"}`, "/authParams/state", "sets this parameter itself", "remove it"},
		{"a prompt that is none", person + `, "authParams": {"prompt": "logn"}`, "/authParams/prompt", `"logn" is not known`, `did you mean "login"?`},
		{"an address for the host of EWS", hosts + `, "incoming": {"protocol": "EWS", "host": "https://mail.example.com/EWS"}`, "/incoming/host", "not the name of a host", "field url"},
		// Modes.
		{"a way out to read", person + `, "mode": "read-only", "outgoing": {}`, "/outgoing", "means nothing in the mode read-only", "another mode"},
		{"a way in to send", person + `, "mode": "send-only", "incoming": {}`, "/incoming", "means nothing in the mode send-only", "another mode"},
		{"copies without a way in", person + `, "mode": "send-only", "outgoing": {"saveSent": "always"}`, "/outgoing/saveSent", "means nothing in the mode send-only", ""},
		{"no servers", `"password": "env:P", "account": "a@b.c"`, "/incoming", "neither servers nor a provider", "name a provider"},
		// Servers.
		{"993 in plain text", hosts + `, "incoming": {"host": "h", "port": 993, "security": "STARTTLS"}`, "/incoming/port", "993 is not the port of IMAP with STARTTLS", "set security to TLS"},
		{"143 under TLS", hosts + `, "incoming": {"host": "h", "port": 143}`, "/incoming/port", "143 is not the port of IMAP with TLS", "STARTTLS or None"},
		{"587 under TLS", hosts + `, "outgoing": {"host": "h", "port": 587}`, "/outgoing/port", "587 is not the port of SMTP with TLS", "STARTTLS"},
		{"995 with STLS", hosts + `, "incoming": {"protocol": "POP3", "host": "h", "port": 995, "security": "STARTTLS"}`, "/incoming/port", "995 is not the port of POP3", "TLS"},
		{"a port that is none", hosts + `, "incoming": {"host": "h", "port": 70000}`, "/incoming/port", "not a port", "1 to 65535"},
		{"a port in half", hosts + `, "incoming": {"host": "h", "port": 99.5}`, "/incoming/port", "not a port", "1 to 65535"},
		{"host and port together", hosts + `, "incoming": {"host": "h:993"}`, "/incoming/host", "not the name of a host", "field of its own"},
		{"no host", `"password": "env:P", "incoming": {"user": "ann"}`, "/incoming/host", "neither a provider nor an address", "give the host"},
		{"no encryption", hosts + `, "incoming": {"host": "h", "security": "None"}`, "/incoming/security", "not sent without encryption", "allowPlainAuth"},
		{"a port for Graph", person + `, "incoming": {"protocol": "Graph", "port": 443}`, "/incoming/port", "means nothing with Graph", "remove it"},
		{"a url for IMAP", person + `, "incoming": {"url": "https://x.example"}`, "/incoming/url", "means nothing with IMAP", "host and port"},
		{"no address to test", person + `, "outgoing": {"testRecipient": "ann"}`, "/outgoing/testRecipient", "not a mail address", "ann@example.com"},
		// The rest.
		{"statuses for any failure", person + `, "retry": {"statuses": [503]}`, "/retry/statuses", "means nothing with on", "another on"},
		{"a count for none", person + `, "retry": {"on": "none", "count": 3}`, "/retry/count", "means nothing with on", "another on"},
		{"a status that is none", person + `, "retry": {"on": "status", "statuses": [5030]}`, "/retry/statuses/0", "not a status", "100 to 599"},
		{"a factor that shrinks", person + `, "retry": {"factor": 0.5}`, "/retry/factor", "not a factor", "1 to 1000"},
		{"half a message", person + `, "limits": {"pageSize": 1.5}`, "/limits/pageSize", "not a number of things", "whole number"},
		{"a key without its certificate", person + `, "tls": {"key": "file:/k"}`, "/tls/key", "belong together", "both or none"},
		{"a proxy of two minds", person + `, "proxy": {"url": "http://p:1", "environment": true}`, "/proxy/url", "environment", "one of the two"},
		{"a proxy that is none", person + `, "proxy": {"url": "gopher://p"}`, "/proxy/url", "", "http://proxy"},
		{"a proxy's password without its user", person + `, "proxy": {"url": "http://p:1", "password": "env:P"}`, "/proxy/user", "missing", "give it"},
		{"a key that is none", person + `, "store": {"key": "a b"}`, "/store/key", "", ""},
		{"the secret itself", person + `, "clientSecret": "my lame horse"`, "/clientSecret", "the secret itself", "AllowLiteralSecrets"},
		{"the secret itself, by its scheme", person + `, "clientSecret": "literal:my lame horse"`, "/clientSecret", "the secret itself", "refer to it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := mistakesOf(t, one(tt.set), nil)
			if strings.Contains(got, "lame horse") {
				t.Errorf("the mistake shows a secret: %s", got)
			}
			for line := range strings.Lines(got) {
				if rest, ok := strings.CutPrefix(line, "/sets/ann"+tt.path+": "); ok && strings.Contains(rest, tt.reason) && strings.Contains(rest, tt.fix) {
					return
				}
			}
			t.Errorf("mistakes\n%s\nwant %s: …%s…; …%s…", got, tt.path, tt.reason, tt.fix)
		})
	}
}

// TestEveryMistakeAtOnce: a file with several tells them all, in the order of
// their paths.
func TestEveryMistakeAtOnce(t *testing.T) {
	got := mistakesOf(t, []byte(`{
		"version": 2,
		"set": {},
		"sets": {
			"a/b": {"provider": "microsoft", "clientid": "c", "mode": "x", "incoming": {"port": "1"}},
			"ann": {"provider": "google", "flow": "client-credentials", "clientId": "c", "clientSecret": "env:S", "account": "a@b.c", "redirectUri": "x"},
			"ann": {},
			"Ann": {"password": "env:P", "account": "a@b.c", "incoming": {"host": "h", "port": 143}}
		}
	}`), nil)
	var paths []string
	for line := range strings.Lines(got) {
		path, _, _ := strings.Cut(line, ": ")
		paths = append(paths, path)
	}
	if want := "/set /sets/Ann/incoming/port /sets/ann /sets/ann /sets/ann/flow /sets/ann/flow /sets/ann/redirectUri /sets/a~1b/clientid /sets/a~1b/incoming/port /sets/a~1b/mode /version"; strings.Join(paths, " ") != want {
		t.Errorf("paths %q, want %s; all of it:\n%s", paths, want, got)
	}
}

// TestOneSlipIsOneMistake: a field under a wrong name is not missed under its
// right one as well, nor is another flow believed to be meant.
func TestOneSlipIsOneMistake(t *testing.T) {
	for _, set := range []string{
		`"provider": "google", "account": "a@b.c", "pasword": "env:P"`,
		`"provider": "google", "account": "a@b.c", "clientId": "c", "clientSecret": "env:S", "refreshtoken": "env:P"`,
		`"provider": "gogle", "account": "a@b.c", "password": "env:P"`,
		`"provider": "google", "account": "a@b.c", "password": "Env:P"`,
	} {
		if got := mistakesOf(t, one(set), nil); strings.Contains(got, "\n") {
			t.Errorf("%s has the mistakes\n%s\nwant one", set, got)
		}
	}
}

// TestASlipInAReferenceIsNoSecret: where secrets themselves are allowed, a
// reference with a slip in it is not sent as one, and what is marked as the text
// itself is.
func TestASlipInAReferenceIsNoSecret(t *testing.T) {
	o := &profile.Options{AllowLiteralSecrets: true}
	const set = `"provider": "google", "account": "a@b.c", "password": `
	if got := mistakesOf(t, one(set+`"flie:horse"`), o); !strings.Contains(got, `did you mean "file:…"`) || strings.Contains(got, "horse") {
		t.Errorf("a slip in a reference: %s", got)
	}
	for _, text := range []string{"literal:flie:horse", "correct: horse", "c:horse", "swordfish:horse"} {
		if _, err := profile.Parse(one(set+`"`+text+`"`), o); err != nil {
			t.Errorf("the password %q: %v", text, err)
		}
	}
}

// TestWhatIsNoFile: what is no JSON, or too much of it, is told with its place and
// without its text.
func TestWhatIsNoFile(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "it is empty"},
		{"nothing but spaces", " \r\n", "it is empty"},
		{"a comma too many", "{\n \"version\": 1,\n}", "not JSON: line 3, column 1: there is a comma before the end"},
		{"two values", `{"version": 1, "sets": {}} {}`, "not JSON"},
		{"no UTF-8", "{\"\xff\": 1}", "not UTF-8"},
		{"a list", "[]", "the file is a list"},
		{"a comment with a horse", "{// horse\n}", "not JSON: line 1, column 2: JSON has no comments"},
		{"a comment of another kind", "{\"version\": 1, # horse\n}", "not JSON: line 1, column 16: JSON has no comments"},
		{"a tower", strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30), "nested deeper than 16"},
		{"much", strings.Repeat(" ", profile.MaxSize+1), "larger than 16 MiB"},
	} {
		_, err := profile.Parse([]byte(tt.text), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := profile.Load(t.TempDir()+"/none.json", nil); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("Load of no file: %v, want its name", err)
	}
}

// TestNamesUnique: no two sets have one name, also where only the case of letters
// differs.
func TestNamesUnique(t *testing.T) {
	const set = `{"password": "env:P", "account": "a@b.c", "incoming": {"host": "h"}}`
	for _, tt := range []struct{ names, path, reason string }{
		{`"ann": ` + set + `, "ann": ` + set, "/sets/ann", "stands twice"},
		{`"ann": ` + set + `, "ANN": ` + set, "/sets/ann", `differs from "ANN"`},
		{`"": ` + set, "/sets/", "empty"},
		{`" ann": ` + set, "/sets/ ann", "space"},
		{`"a\nb": ` + set, "/sets/a\nb", "control character"},
		{`"` + strings.Repeat("n", 101) + `": ` + set, "/sets/nnn", "longer than 100"},
	} {
		got := mistakesOf(t, []byte(`{"version": 1, "sets": {`+tt.names+`}}`), nil)
		if !strings.HasPrefix(got, tt.path) || !strings.Contains(got, tt.reason) {
			t.Errorf("%s\ngives %s, want %s and %q", tt.names, got, tt.path, tt.reason)
		}
	}
	f := parse(t, []byte(`{"version": 1, "sets": {"bob": `+set+`, "ann": `+set+`}}`), nil)
	if got := strings.Join(f.Names(), " "); got != "ann bob" {
		t.Errorf("Names = %s, want ann bob", got)
	}
	if _, err := f.Plan(t.Context(), "an"); err == nil || !strings.Contains(err.Error(), `did you mean "ann"?`) {
		t.Errorf("a set that is not there: %v, want the name that is near", err)
	}
}

// BenchmarkManyMistakes is a file of many sets with a mistake in each: what it
// takes grows with the sets, and not with their square.
func BenchmarkManyMistakes(b *testing.B) {
	for _, n := range []int{500, 5000} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `,"s%d": {"provdier": "google", "account": "a@b.c", "password": "env:P"}`, i)
		}
		data := []byte(`{"version": 1, "sets": {` + text.String()[1:] + `}}`)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := profile.Parse(data, nil); err == nil {
					b.Fatal("no mistake was found")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/set")
		})
	}
}
