package preset_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func all(t *testing.T) map[string]preset.Provider {
	t.Helper()
	providers := map[string]preset.Provider{}
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil {
			t.Fatalf("ByName(%q): %v", name, err)
		}
		providers[name] = p
	}
	return providers
}

// TestDataIsWhole goes through what every preset has to have.
func TestDataIsWhole(t *testing.T) {
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			for what, address := range map[string]string{
				"Endpoint.Issuer": p.Endpoint.Issuer, "Endpoint.AuthURL": p.Endpoint.AuthURL,
				"Endpoint.TokenURL": p.Endpoint.TokenURL, "Source": p.Source, "FilesSentSource": p.FilesSentSource,
			} {
				if !strings.HasPrefix(address, "https://") {
					t.Errorf("%s = %q, want an https address", what, address)
				}
			}
			redirect, err := url.Parse(p.RedirectURL)
			if err != nil || redirect.Scheme != "http" || redirect.Path != "" || redirect.Port() != "" {
				t.Errorf("RedirectURL = %q, want loopback without port and path", p.RedirectURL)
			}
			if !p.SMTP.FilesSent {
				t.Error("SMTP.FilesSent = false, want what all of these do")
			}
			if p.Name == "" || p.Checked.IsZero() {
				t.Errorf("Name = %q, Checked = %v", p.Name, p.Checked)
			}
			for _, s := range []session.Server{p.IMAP, p.POP3, p.SMTP} {
				if s.Host == "" || s.Port == 0 || s.Security == session.None {
					t.Errorf("server %+v is not complete and encrypted", s)
				}
			}
			for proto, scopes := range p.Scopes {
				if len(scopes) == 0 {
					t.Errorf("no scopes for %s", proto)
				}
			}
			if !slices.Contains(p.SignInScopes, "openid") || !slices.Contains(p.SignInScopes, "email") {
				t.Errorf("SignInScopes = %q, want those that tell the address", p.SignInScopes)
			}
		})
	}
}

func TestConfigAsksForWhatIsUsed(t *testing.T) {
	p := preset.Microsoft365("contoso.com")
	for _, tt := range []struct {
		protocols []preset.Protocol
		want      string
	}{
		{[]preset.Protocol{preset.IMAP}, "https://outlook.office.com/IMAP.AccessAsUser.All openid email profile offline_access"},
		{[]preset.Protocol{preset.SMTP}, "https://outlook.office.com/SMTP.Send openid email profile offline_access"},
		{[]preset.Protocol{preset.POP3}, "https://outlook.office.com/POP.AccessAsUser.All openid email profile offline_access"},
		{nil, "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send openid email profile offline_access"},
	} {
		if got := strings.Join(p.Config("id", tt.protocols...).Scopes, " "); got != tt.want {
			t.Errorf("Config(%v).Scopes = %q, want %q", tt.protocols, got, tt.want)
		}
	}
	if got := strings.Join(preset.Google().Config("id").Scopes, " "); got != "https://mail.google.com/ openid email" {
		t.Errorf("Google's scopes = %q, want each once", got)
	}
}

func TestConfigsShareNothing(t *testing.T) {
	p := preset.Google()
	p.Config("id").AuthParams.Set("prompt", "none")
	if got := p.Config("id").AuthParams.Get("prompt"); got != "consent" {
		t.Errorf("prompt = %q after a change to another Config, want consent", got)
	}
}

func TestMicrosoftsProtocolsShareAToken(t *testing.T) {
	for _, p := range []preset.Provider{preset.Microsoft365("common"), preset.OutlookCom()} {
		if p.IMAP.Resource != p.SMTP.Resource || p.IMAP.Resource != p.POP3.Resource || p.IMAP.Resource == "" {
			t.Errorf("%s: resources %q, %q and %q, want the same", p.Name, p.IMAP.Resource, p.POP3.Resource, p.SMTP.Resource)
		}
		for _, proto := range []preset.Protocol{preset.IMAP, preset.POP3, preset.SMTP} {
			for _, s := range p.Scopes[proto] {
				if !strings.HasPrefix(s, p.IMAP.Resource+"/") {
					t.Errorf("%s: scope %q of %s is not of the resource %q", p.Name, s, proto, p.IMAP.Resource)
				}
			}
		}
	}
}

func TestTenant(t *testing.T) {
	got := preset.Microsoft365("a/b").Endpoint.TokenURL
	if want := "https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/token"; got != want {
		t.Errorf("TokenURL = %q, want %q", got, want)
	}
}

func TestUnknownName(t *testing.T) {
	_, err := preset.ByName("yahooo")
	if err == nil || !strings.Contains(err.Error(), strings.Join(preset.Names(), ", ")) {
		t.Errorf("ByName error %v, want the known names", err)
	}
}

func Example() {
	p := preset.Microsoft365("contoso.com")
	config := p.Config("11111111-2222-3333-4444-555555555555", preset.IMAP)
	fmt.Println(p.IMAP.Address(0), p.IMAP.Security)
	fmt.Println(config.Endpoint.TokenURL)
	fmt.Println(config.Scopes[0])
	// Output:
	// outlook.office365.com:993 TLS
	// https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token
	// https://outlook.office.com/IMAP.AccessAsUser.All
}

// TestProgramsWithoutAPerson: the presets know the scopes that a program asks
// for in its own name, and where it has no way.
func TestProgramsWithoutAPerson(t *testing.T) {
	credential := oauth.ClientSecret(secret.New("x"))
	contoso := preset.Microsoft365("contoso.com").AppConfig("id")
	if got := strings.Join(contoso.Scopes, " "); got != "https://outlook.office365.com/.default" {
		t.Errorf("Microsoft's scopes %q, want that of the resource, once", got)
	}
	if _, err := oauth.ClientCredentials(contoso, credential, nil); err != nil {
		t.Errorf("one tenant: %v", err)
	}
	for want, p := range map[string]preset.Provider{
		"personal accounts": preset.OutlookCom(),
		"that tenant's id":  preset.Microsoft365("organizations"),
		"ServiceAccount":    preset.Google(),
	} {
		_, err := oauth.ClientCredentials(p.AppConfig("id", preset.IMAP), credential, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", p.Name, err, want)
		}
	}
	signer := oauth.IAMSigner("robot@contoso.iam.gserviceaccount.com", oauth.StaticToken(secret.New("x")), nil)
	if _, err := oauth.ServiceAccount(preset.Google().AppConfig("", preset.SMTP), signer, "ann@contoso.example"); err != nil {
		t.Errorf("a service account at Google: %v", err)
	}
}
