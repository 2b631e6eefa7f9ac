package pfx_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/pfx"
	"github.com/mailsession/mailsession/secret"
)

const (
	password   = "correct-horse"
	thumbprint = "75b8f5230c4af58ad3d0068932efc027d93322bb6b2ba32187f8b6b79255ef41"
)

// TestFilesOfOpenSSL: the files were made by OpenSSL 3.0, with the encryption of
// today, with that of earlier years (-legacy), and without a password.
func TestFilesOfOpenSSL(t *testing.T) {
	for name, with := range map[string]string{"modern": password, "legacy": password, "nopassword": ""} {
		data, err := os.ReadFile("testdata/" + name + ".pfx") //nolint:gosec // G304: of the table
		if err != nil {
			t.Fatal(err)
		}
		c, err := pfx.Parse(data, secret.New(with))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := c.Thumbprint(); got != thumbprint {
			t.Errorf("%s: thumbprint %s, want that of openssl x509 -fingerprint, %s", name, got, thumbprint)
		}
		if got, want := c.String(), `certificate of "CN=robot" until 2126-10-28`; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for _, wrong := range []string{"wrong-" + password, "\U0001f40e" + password} {
			_, err = pfx.Parse(data, secret.New(wrong))
			if err == nil || strings.Contains(err.Error(), password) {
				t.Errorf("%s with a wrong password: %v, want an error without it", name, err)
			}
		}
		if _, err = pfx.Parse(data, secret.New("wrong")); !errors.Is(err, pfx.ErrPassword) {
			t.Errorf("%s with a wrong password: %v, want ErrPassword", name, err)
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for data, want := range map[string]string{
		"": "is not a PFX file", "-----BEGIN CERTIFICATE-----": "is not a PFX file", strings.Repeat("x", pfx.MaxSize+1): "larger than",
	} {
		if _, err := pfx.Parse([]byte(data), secret.Text{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.20q) = %v, want %q", data, err, want)
		}
	}
}

// FuzzParse: a piece of a file, or another password, is an error that holds
// nothing of either. What the files say themselves is not changed: the number
// of rounds is among it, and the library does them all.
func FuzzParse(f *testing.F) {
	whole, err := os.ReadFile("testdata/legacy.pfx")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), password)
	f.Add(uint16(1), password)
	f.Add(uint16(0), "é\x00\xff")
	f.Fuzz(func(t *testing.T, missing uint16, with string) {
		data := whole[:len(whole)-int(missing)%len(whole)]
		c, err := pfx.Parse(data, secret.New(with))
		if good := len(data) == len(whole) && with == password; good != (err == nil) || good != (c != nil) {
			t.Errorf("Parse of %d bytes with %q = %v, %v", len(data), with, c, err)
		}
		if err != nil && len(with) > 8 && strings.Contains(err.Error(), with) {
			t.Errorf("the password is in the error: %v", err)
		}
	})
}

// Example signs in to Microsoft with the certificate of a PFX file.
func Example() {
	data, err := os.ReadFile("testdata/modern.pfx")
	if err != nil {
		fmt.Println(err)
		return
	}
	certificate, err := pfx.Parse(data, secret.New("correct-horse"))
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := &oauth.Config{ClientID: "11111111-2222-3333-4444-555555555555", Endpoint: oauth.MicrosoftEndpoint("", "contoso.com")}
	app, err := oauth.ClientCredentials(cfg, oauth.ClientCertificate(certificate, nil), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app)
	fmt.Println(app.NotAfter().Year())
	// Output:
	// app 11111111-2222-3333-4444-555555555555 at login.microsoftonline.com by client certificate
	// 2126
}
