package ews

import (
	"net/url"
	"testing"
)

// FuzzDiscovery: an answer of Autodiscover, whatever it is, is an error or leads to one
// place; and what is followed is an address of the web that is encrypted, on a host
// that was named.
func FuzzDiscovery(f *testing.F) {
	f.Add([]byte(`{"Protocol":"Ews","Url":"https://mail.contoso.example/EWS/Exchange.asmx"}`))
	f.Add([]byte(`{"ErrorCode":"ProtocolNotSupported","ErrorMessage":"no"}`))
	f.Add([]byte(`<Autodiscover xmlns="a"><Response><Account><Action>settings</Action><Protocol><Type>EXPR</Type><EwsUrl>https://mail.contoso.example/e</EwsUrl></Protocol></Account></Response></Autodiscover>`))
	f.Add([]byte(`<Autodiscover><Response><Account><Action>redirectUrl</Action><RedirectUrl>https://user:x@contoso.example</RedirectUrl></Account></Response></Autodiscover>`))
	f.Add([]byte(`<Envelope><Body><GetUserSettingsResponseMessage><Response><ErrorCode>NoError</ErrorCode><UserResponses><UserResponse><UserSettings><UserSetting>` +
		`<Name>ExternalEwsUrl</Name><Value>https://evil.example@contoso.example/</Value></UserSetting></UserSettings></UserResponse></UserResponses></Response></GetUserSettingsResponseMessage></Body></Envelope>`))
	f.Add([]byte(`<Envelope><Body><GetUserSettingsResponseMessage><Response><UserResponses><UserResponse><ErrorCode>RedirectUrl</ErrorCode><RedirectTarget>https://contoso.example:443:1/` +
		`</RedirectTarget></UserResponse></UserResponses></Response></GetUserSettingsResponseMessage></Body></Envelope>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, way := range []DiscoveryWay{ByJSON, ByPOX, BySOAP} {
			said, err := way.read(body)
			set := 0
			for _, s := range []string{said.service, said.mailbox, said.next} {
				if s != "" {
					set++
				}
			}
			if err == nil && set != 1 || err != nil && set != 0 {
				t.Fatalf("%s: %+v, %v; want one place, or an error", way, said, err)
			}
			d := newDiscoverer(DiscoverOptions{})
			if err := d.about("ann@contoso.example"); err != nil {
				t.Fatal(err)
			}
			if err != nil || said.mailbox != "" || d.accept(t.Context(), way, "https://contoso.example/", &said) != nil {
				continue
			}
			u, err := url.Parse(said.service + said.next)
			if err != nil || u.Scheme != "https" || u.User != nil || !d.named(hostOf(u.Host), false) {
				t.Errorf("%s: %+v is followed (%v), want an https address at the domain", way, said, err)
			}
		}
	})
}
