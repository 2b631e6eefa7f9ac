package lookup_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/encoding/charmap"

	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/session"
)

// server returns a document with one incoming server.
func server(inside string) string {
	return `<clientConfig><emailProvider id="contoso"><incomingServer ` + inside + `</incomingServer></emailProvider></clientConfig>`
}

// TestServersThatAreLeftOut are told, with the reason.
func TestServersThatAreLeftOut(t *testing.T) {
	const imap = `type="imap"><hostname>imap.contoso.example</hostname><port>993</port><socketType>SSL</socketType>`
	for _, tt := range []struct{ name, inside, want string }{
		{"whole", imap, ""},
		{"spaces and case", ` type=" IMAP "><hostname> IMAP.contoso.example. </hostname><port> 993 </port><socketType> ssl </socketType>`, ""},
		{"old names", imap + `<authentication>plain</authentication>`, ""},
		{"protocol", `type="jmap"><hostname>a.example</hostname>`, "protocol is not known"},
		{"no host", `type="imap"><port>993</port><socketType>SSL</socketType>`, "no host"},
		{"a bad host", `type="imap"><hostname>a/b</hostname><port>993</port><socketType>SSL</socketType>`, "no host"},
		{"no port", `type="imap"><hostname>a.example</hostname><port>0</port><socketType>SSL</socketType>`, "no port"},
		{"a large port", `type="imap"><hostname>a.example</hostname><port>65536</port><socketType>SSL</socketType>`, "no port"},
		{"no encryption", `type="imap"><hostname>a.example</hostname><port>143</port>`, "not encrypted"},
		{"Kerberos", imap + `<authentication>GSSAPI</authentication><authentication>NTLM</authentication>`, "GSSAPI, NTLM alone"},
		{"Exchange by http", `type="ews"><url>http://mail.contoso.example/EWS/Exchange.asmx</url>`, "no https address"},
	} {
		d, err := lookup.ParseDocument([]byte(server(tt.inside)), ann)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if skipped := strings.Join(d.Skipped, "; "); (tt.want == "") != (len(d.Servers) == 1) || !strings.Contains(skipped, tt.want) {
			t.Errorf("%s: servers %+v, skipped %q, want %q", tt.name, d.Servers, skipped, tt.want)
		}
	}
}

func TestDocumentsThatAreNone(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{"", "no autoconfig document"},
		{"<html></html>", "no autoconfig document"},
		{"<clientConfig>", "no autoconfig document"},
		{"<clientConfig/>", "names no provider"},
		{`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><clientConfig><emailProvider><displayName>&e;</displayName></emailProvider></clientConfig>`, "no autoconfig document"},
		{`<?xml version="1.0" encoding="klingon"?><clientConfig/>`, `"klingon" is not known`},
	} {
		if d, err := lookup.ParseDocument([]byte(tt.body), ann); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseDocument(%q) = %+v, %v, want %q", tt.body, d, err, tt.want)
		}
	}
	if _, err := lookup.ParseDocument([]byte("<"+strings.Repeat("a", 100_000)+"/>"), ann); err == nil || len(err.Error()) > 1000 {
		t.Errorf("the error about a document with a long name has %d bytes", len(fmt.Sprint(err)))
	}
}

// TestExchangeIsNamed by the forms that documents have for it.
func TestExchangeIsNamed(t *testing.T) {
	const address = "https://mail.contoso.example/EWS/Exchange.asmx"
	for inside, want := range map[string]string{
		`type="ews"><url>` + address + `</url>`:                                     address,
		`type="exchange"><hostname>mail</hostname><ewsURL>` + address + `</ewsURL>`: address,
		`type="exchange"><hostname>mail.contoso.example</hostname>`:                 "",
	} {
		d, err := lookup.ParseDocument([]byte(server(inside)), ann)
		if err != nil || !d.Exchange {
			t.Errorf("%s: %v, Exchange %v", inside, err, d.Exchange)
			continue
		}
		if (want == "") != (len(d.Servers) == 0) || (want != "" && (d.Servers[0].Protocol != preset.EWS || d.Servers[0].URL != want)) {
			t.Errorf("%s: %+v, want %q", inside, d.Servers, want)
		}
	}
}

// TestCharacterSets: documents of before UTF-8 was everywhere.
func TestCharacterSets(t *testing.T) {
	text, err := charmap.ISO8859_1.NewEncoder().String(`<?xml version="1.0" encoding="ISO-8859-1"?><clientConfig><emailProvider><displayName>Bücher</displayName></emailProvider></clientConfig>`)
	if err != nil {
		t.Fatal(err)
	}
	d, err := lookup.ParseDocument([]byte(text), ann)
	if err != nil || d.Name != "Bücher" {
		t.Errorf("%+v, %v, want the name in UTF-8", d, err)
	}
}

// FuzzParseDocument: whatever a web server answers, only servers come out that
// can be connected to, encrypted, with names that can be shown.
func FuzzParseDocument(f *testing.F) {
	for _, seed := range []string{contoso, hosted, server(`type="ews"><url>https://a.example/</url>`), "<clientConfig/>", "", "<a>&lt;</a>"} {
		f.Add([]byte(seed), ann)
	}
	f.Add([]byte(contoso), "no address")
	f.Fuzz(func(t *testing.T, body []byte, address string) {
		d, err := lookup.ParseDocument(body, address)
		if err != nil {
			if d != nil {
				t.Errorf("an error and a document: %v, %+v", err, d)
			}
			return
		}
		for _, s := range d.Servers {
			switch s.Protocol {
			case preset.IMAP, preset.POP3, preset.SMTP:
				if s.Host == "" || strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == '@' }) ||
					s.Port < 1 || s.Port > 65535 || (s.Security != session.TLS && s.Security != session.STARTTLS) {
					t.Errorf("the server %+v cannot be", s)
				}
			case preset.EWS, preset.Graph:
				if !strings.HasPrefix(strings.ToLower(s.URL), "https://") {
					t.Errorf("the service %+v is not encrypted", s)
				}
			default:
				t.Errorf("the protocol of %+v is none", s)
			}
		}
		for _, text := range append([]string{d.Name}, d.Skipped...) {
			if strings.ContainsFunc(text, unicode.IsControl) && !strings.ContainsFunc(address, unicode.IsControl) {
				t.Errorf("%q cannot be shown", text)
			}
		}
	})
}
