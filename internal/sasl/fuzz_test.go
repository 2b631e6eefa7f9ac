package sasl_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/secret"
)

// Whatever a server sends, what is kept is bounded, printable and free of the
// token.
func FuzzParseChallenge(f *testing.F) {
	for _, s := range []string{
		`{"status":"401","schemes":"bearer","scope":"mail"}`,
		`{"status":400,"schemes":["bearer","mac"],"scope":null}`,
		`{"status":"invalid_token","openid-configuration":"https://example.com/.well-known/openid-configuration"}`,
		`{"Status":"x","status":"y"} trailing`, `{"status":`, `[1]`, `"s"`, "\x00\x01", "",
		`{"status":"the-token is no good"}`, strings.Repeat("é", 3000),
	} {
		f.Add([]byte(s))
	}
	const token = "the-token"
	f.Fuzz(func(t *testing.T, p []byte) {
		c := sasl.ParseChallenge(p, secret.New(token))
		for _, s := range []string{c.Status, c.Schemes, c.Scope, c.OpenIDConfiguration, c.Raw} {
			switch {
			case len(s) > 2048:
				t.Errorf("%d bytes kept of %d", len(s), len(p))
			case !utf8.ValidString(s):
				t.Errorf("not UTF-8: %q", s)
			case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
				t.Errorf("not printable: %q", s)
			case strings.Contains(s, token):
				t.Errorf("shows the token: %q", s)
			}
		}
		if c.String() == "" && c.Raw != "" {
			t.Errorf("String() of %q is empty", c.Raw)
		}
	})
}

// Whatever the credentials are, either nothing is sent, or a server that
// takes the response apart by the letter finds exactly them.
func FuzzInjection(f *testing.F) {
	f.Add("ann@example.com", "ya29.token", "mail.example.com", 993)
	f.Add("a,b=c", "t", "", 0)
	f.Add("a\x01auth=Bearer evil", "t\x01", "h\x01", -1)
	f.Add("a\x00b", "p\x00q", "h", 1)
	f.Fuzz(func(t *testing.T, user, token, host string, port int) {
		s := secret.New(token)
		if _, ir, err := sasl.NewXOAUTH2(user, s).Start(); err == nil {
			want := [][]byte{[]byte("user=" + user), []byte("auth=Bearer " + token), {}, {}}
			compare(t, bytes.Split(ir, []byte{1}), want)
		}
		if _, ir, err := sasl.NewPLAIN(user, "", s).Start(); err == nil {
			compare(t, bytes.Split(ir, []byte{0}), [][]byte{{}, []byte(user), []byte(token)})
		}
		if _, ir, err := sasl.NewPLAIN(user, host, s).Start(); err == nil && host != "" {
			compare(t, bytes.Split(ir, []byte{0}), [][]byte{[]byte(user), []byte(host), []byte(token)})
		}
		if _, ir, err := sasl.NewOAUTHBEARER(user, s, host, port).Start(); err == nil {
			checkBearer(t, ir, user, token, host, port)
		}
	})
}

func checkBearer(t *testing.T, ir []byte, user, token, host string, port int) {
	t.Helper()
	fields := bytes.Split(ir, []byte{1})
	gs2 := strings.Split(string(fields[0]), ",")
	if len(gs2) != 3 || gs2[0] != "n" || gs2[2] != "" {
		t.Fatalf("GS2 header %q has %d parts, want n, a name and nothing", fields[0], len(gs2))
	}
	name := strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(gs2[1], "a="), "=2C", ","), "=3D", "=")
	if name != user {
		t.Errorf("the server finds the name %q, want %q", name, user)
	}
	var want [][]byte
	if host != "" {
		want = append(want, []byte("host="+host))
	}
	if port != 0 {
		want = append(want, []byte("port="+strconv.Itoa(port)))
	}
	want = append(want, []byte("auth=Bearer "+token), []byte{}, []byte{})
	compare(t, fields[1:], want)
}

func compare(t *testing.T, got, want [][]byte) {
	t.Helper()
	if a, b := bytes.Join(got, []byte("|")), bytes.Join(want, []byte("|")); len(got) != len(want) || !bytes.Equal(a, b) {
		t.Errorf("the server finds %q, want %q", got, want)
	}
}
