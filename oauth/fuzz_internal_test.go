package oauth

import (
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// FuzzDeviceAnswer: whatever a device authorization endpoint says, there is an
// error, or a code and pages that can be shown and a life with an end.
func FuzzDeviceAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"device_code":"d","user_code":"AB-CD","verification_uri":"https://a.example/device","expires_in":900,"interval":5}`,
		`{"device_code":"d","user_code":"AB-CD","verification_url":"https://www.google.com/device","expires_in":"1800","interval":"5"}`,
		`{"device_code":"d","user_code":"\u202e","verification_uri":"https://a.example"}`,
		`{"device_code":"d","user_code":"A","verification_uri":"http://a.example","interval":-1}`,
		`{"device_code":"d","user_code":"A","verification_uri":"https://a.example","verification_uri_complete":"file:///etc","expires_in":1e99}`,
		`{"device_code":7}`, `[]`, ``, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseDeviceAnswer(body)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if d.deviceCode.IsZero() || d.userCode == "" || d.life() <= 0 || d.life() > maxDeviceLife {
			t.Errorf("a code %q that is good for %v", d.userCode, d.life())
		}
		if wait := newPace(d.interval).next; wait <= 0 || wait > maxInterval {
			t.Errorf("the first wait is %v", wait)
		}
		text := d.shown(time.Time{}).String()
		if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), unshowable) {
			t.Errorf("what is shown holds more than text: %q", text)
		}
	})
}

// FuzzPasted: of all that a user may paste, only the redirect URI with the
// state of the sign-in is taken, and errors quote nothing of it.
func FuzzPasted(f *testing.F) {
	const state = "S7Q4XWZ2M5K"
	for _, seed := range []string{
		"https://a.example/done?code=c&state=" + state, "https://a.example/done/?error=x&state=" + state + "#f",
		"http://a.example/done?code=c&state=" + state, "https://a.example/other?code=c&state=" + state,
		"https://a.example/done?code=c&state=x", "code=c&state=" + state, "", "::", "https://a.example/done?%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := &attempt{uri: "https://a.example/done", state: secret.New(state)}
		c, err := a.parsePasted(text)
		switch {
		case err == nil && (!c.state.Equal(a.state) || !strings.Contains(strings.ToLower(text), "a.example/")):
			t.Errorf("%q was taken", text)
		case err != nil && (strings.ContainsAny(err.Error(), "\r\n") || strings.Contains(err.Error(), state)):
			t.Errorf("the error is %q", err)
		}
	})
}

// FuzzMetadata: whatever a metadata document says, what is taken from it is the
// issuer's, and every address in it is of TLS or of this machine.
func FuzzMetadata(f *testing.F) {
	const issuer = "https://login.example/t-1/v2.0"
	for _, seed := range []string{
		`{"issuer":"` + issuer + `","token_endpoint":"https://login.example/token","revocation_endpoint":"http://localhost/r"}`,
		`{"issuer":"https://{tenantid}/t-1/v2.0","token_endpoint":"https://login.example/token"}`,
		`{"issuer":"https://login.example/{tenantid}/v2.0","token_endpoint":"https://login.example/token","jwks_uri":"http://x/"}`,
		`{"issuer":"` + issuer + `","token_endpoint":"//x"}`, `{"issuer":7}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseMetadata(body, issuer)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if !issuerFits(m.Endpoint.Issuer, issuer) || issuerFits(m.Endpoint.Issuer, "https://evil.example/t-1/v2.0") || m.Endpoint.TokenURL == "" {
			t.Errorf("the document of %q was taken for that of %q", m.Endpoint.Issuer, issuer)
		}
		for _, address := range []string{m.Endpoint.AuthURL, m.Endpoint.TokenURL, m.Endpoint.DeviceURL, m.Endpoint.RevokeURL, m.RegistrationURL, m.KeysURL, m.UserinfoURL} {
			if address != "" && (secureURL("x", address) != nil || !strings.HasPrefix(address, "https://")) {
				t.Errorf("the address %q was taken", address)
			}
		}
	})
}
