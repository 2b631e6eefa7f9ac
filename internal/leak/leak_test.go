package leak_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/leak"
)

// secrets returns one secret of each kind, as tests have them.
func secrets(tb testing.TB) map[leak.Kind][]string {
	tb.Helper()
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return map[leak.Kind][]string{
		leak.Password:   {"horse", `pä ss:{PLAIN}"\%$'#horse`, "correct horse", "hobby-horse-token"},
		leak.Token:      {"at-" + rand.Text(), "rt-" + rand.Text(), "client-secret-" + rand.Text()},
		leak.State:      {rand.Text() + rand.Text()},
		leak.JWT:        {segment(`{"alg":"RS256"}`) + "." + segment(`{"sub":"ann"}`) + "." + segment("signature")},
		leak.PrivateKey: keys(tb),
		leak.Identity:   {"AGE-SECRET-KEY-1" + rand.Text(), "AGE-SECRET-KEY-PQ-1" + rand.Text()},
	}
}

// keys returns private keys in PEM, and as a JSON Web Key.
func keys(tb testing.TB) []string {
	tb.Helper()
	short, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	all := []string{`{"kty":"EC","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`}
	for name, encode := range map[string]func() ([]byte, error){
		"PRIVATE KEY":     func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(short) },
		"EC PRIVATE KEY":  func() ([]byte, error) { return x509.MarshalECPrivateKey(short) },
		"RSA PRIVATE KEY": func() ([]byte, error) { return x509.MarshalPKCS1PrivateKey(long), nil },
	} {
		der, err := encode()
		if err != nil {
			tb.Fatal(err)
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
		// The whole, and the first line of the key without the header.
		all = append(all, text, strings.Split(text, "\n")[1])
	}
	return all
}

// wrappings are ways in which a program may print a secret.
func wrappings() map[string]func(string) string {
	return map[string]func(string) string{
		"plain":           func(s string) string { return s },
		"base64":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 for URLs": func(s string) string { return "/path/" + base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"XOAUTH2": func(s string) string {
			return "AUTH XOAUTH2 " + base64.StdEncoding.EncodeToString([]byte("user=ann\x01auth=Bearer "+s+"\x01\x01"))
		},
		"PLAIN":      func(s string) string { return base64.StdEncoding.EncodeToString([]byte("\x00ann@example.com\x00" + s)) },
		"Basic":      func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+s)) },
		"query":      func(s string) string { return "refresh_token=" + url.QueryEscape(s) + "&x=y" },
		"every byte": func(s string) string { return "u=" + strings.ToLower(everyByte(s, "%%%02X")) },
		"JSON": func(s string) string {
			text, _ := json.Marshal(map[string]string{"message": fmt.Sprintf("<%s>", s)})
			return string(text)
		},
		"JSON twice":    func(s string) string { return fmt.Sprintf("%q", fmt.Sprintf("%q", "x"+s)) },
		"%q":            func(s string) string { return fmt.Sprintf("%q", s) },
		"%+q":           func(s string) string { return fmt.Sprintf("%+q", "ü"+s) },
		"\\x":           func(s string) string { return everyByte(s, `\x%02x`) },
		"octal":         func(s string) string { return everyByte(s, `\%03o`) },
		"unicode":       func(s string) string { return everyByte(s, `\u%04x`) },
		"%x":            func(s string) string { return fmt.Sprintf("%x", s) },
		"numbers":       func(s string) string { return "[" + everyByte(s, "0x%x ") + "]" },
		"bytes with %v": func(s string) string { return fmt.Sprintf("%v", []byte(s)) },
		"bytes, %#v":    func(s string) string { return fmt.Sprintf("%#v", []byte(s)) },
		"HTML":          func(s string) string { return html.EscapeString("<p>" + s) },
		"Basic in a URL": func(s string) string {
			return "https://h/?basic=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("?>ann:"+s)))
		},
	}
}

func everyByte(s, format string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&out, format, c)
	}
	return out.String()
}

func TestEverySecretIsFoundInEveryWrapping(t *testing.T) {
	t.Parallel()
	for kind, values := range secrets(t) {
		for _, value := range values {
			for name, wrap := range wrappings() {
				// The noise shifts the alignment of base64.
				for _, before := range []string{"", "a", "ab", "level=DEBUG msg=refused err="} {
					line := before + wrap(value)
					if hits := leak.Find(line); !holds(hits, kind) {
						t.Errorf("%s, %s behind %q: Find found %v", kind, name, before, hits)
					}
				}
			}
		}
	}
}

func holds(hits []leak.Hit, kind leak.Kind) bool {
	for _, h := range hits {
		if h.Kind == kind {
			return true
		}
	}
	return false
}

func TestOrdinaryOutputHoldsNone(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"--- PASS: TestWholeProvider/STARTTLS (0.01s)",
		`time=2000-01-01T00:00:00.000Z level=DEBUG msg="token refreshed" op=refresh secret=[redacted]`,
		"C: a1 AUTHENTICATE XOAUTH2 [redacted]",
		"S: 250-ENHANCEDSTATUSCODES",
		"S: * CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256-PLUS LITERAL+ SASL-IR CONDSTORE UTF8=ACCEPT",
		"S: 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=",
		"Message-ID: <r3kx5vbz2ypdq4mjt7wnh6gaolecufis@sender.example>",
		"-----BEGIN CERTIFICATE-----", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
		"boundary=----------------------------ABCABCABCABCABCABCABC", "-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"goroutine 7 [running]: runtime.throw({0x6d61696c, 0x12}) /usr/lib/go/src/runtime/panic.go:1067 +0x48",
		"sha256 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
		"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		`{"error":"invalid_grant","error_description":"AADSTS50173: é 100% \"no\""}`,
	} {
		if hits := leak.Find(line); len(hits) > 0 {
			t.Errorf("Find(%q) = %v, want none", line, hits)
		}
	}
}

func TestAHitSaysWhereAndThroughWhat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line, through string
		start         int
	}{
		{"err=no horse", "", 7},
		{"err=no rt-" + rand.Text(), "", 7},
		{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00ann\x00horse")), "base64", 11},
		{"see https://h/?p=%68orse", "URL encoding", 17},
		{"see " + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("?>>>?>horse"))), "base64 in URL encoding", 4},
	} {
		hits := leak.Find(tt.line)
		if len(hits) == 0 || hits[0].Through != tt.through || hits[0].Start != tt.start {
			t.Errorf("Find(%q) = %+v, want one through %q at %d", tt.line, hits, tt.through, tt.start)
		}
	}
}

// FuzzFind: whatever stands around a secret, it is found, and where it begins
// is within the line.
func FuzzFind(f *testing.F) {
	for _, line := range []string{"", "level=INFO ", "%", `\`, `\u00`, "a-", "&#", "[104 117", "eyJ", "0x", "-----BEGIN "} {
		f.Add(line, line)
	}
	token := "rt-" + rand.Text()
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, value := range []string{"horse", token} {
			line := before + " " + value + " " + after
			hits := leak.Find(line)
			if len(hits) == 0 {
				t.Errorf("Find(%q) found nothing", line)
			}
			for _, h := range hits {
				if h.Start < 0 || h.Start >= len(line) {
					t.Errorf("Find(%q): start %d", line, h.Start)
				}
			}
		}
	})
}
