package preset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func TestConfigAsksForWhatIsUsed(t *testing.T) {
	p := preset.Microsoft365("contoso.com")
	for _, tt := range []struct {
		protocols []preset.Protocol
		want      string
	}{
		{[]preset.Protocol{preset.IMAP}, "https://outlook.office.com/IMAP.AccessAsUser.All openid email profile offline_access"},
		{[]preset.Protocol{preset.SMTP}, "https://outlook.office.com/SMTP.Send openid email profile offline_access"},
		{[]preset.Protocol{preset.POP3}, "https://outlook.office.com/POP.AccessAsUser.All openid email profile offline_access"},
		{[]preset.Protocol{preset.EWS}, "https://outlook.office365.com/EWS.AccessAsUser.All openid email profile offline_access"},
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

// TestGraphAsksForLessWhereLessIsDone: the full set is what people can be asked
// for; a mode, and the user's own mailbox alone, need less.
func TestGraphAsksForLessWhereLessIsDone(t *testing.T) {
	p := preset.Microsoft365("common")
	for _, tt := range []struct {
		access preset.Access
		want   string
	}{
		{
			preset.Access{OtherMailbox: true},
			"Mail.Read Mail.Read.Shared Mail.ReadBasic Mail.ReadBasic.Shared Mail.ReadWrite Mail.ReadWrite.Shared " +
				"Mail.Send Mail.Send.Shared User.Read User.ReadBasic.All openid email profile offline_access",
		},
		{preset.Access{}, "Mail.Read Mail.ReadBasic Mail.ReadWrite Mail.Send User.Read openid email profile offline_access"},
		{preset.Access{Mode: session.ReadOnly}, "Mail.Read Mail.ReadBasic User.Read openid email profile offline_access"},
		{
			preset.Access{Mode: session.ReadOnly, OtherMailbox: true},
			"Mail.Read Mail.Read.Shared Mail.ReadBasic Mail.ReadBasic.Shared User.Read User.ReadBasic.All openid email profile offline_access",
		},
		{preset.Access{Mode: session.SendOnly}, "Mail.Send User.Read openid email profile offline_access"},
		{preset.Access{Mode: session.SendOnly, OtherMailbox: true}, "Mail.Send Mail.Send.Shared User.Read User.ReadBasic.All openid email profile offline_access"},
		{preset.Access{Scopes: []string{"mail.readbasic", "offline_access", "https://example.org/other"}}, "Mail.ReadBasic offline_access https://example.org/other"},
		{preset.Access{Scopes: []string{}}, ""},
	} {
		tt.access.Protocols = []preset.Protocol{preset.Graph}
		got := strings.ReplaceAll(strings.Join(p.ConfigFor("id", tt.access).Scopes, " "), "https://graph.microsoft.com/", "")
		if got != tt.want {
			t.Errorf("ScopesFor(%+v) = %q, want %q", tt.access, got, tt.want)
		}
	}
}

// TestAModeHasNoUseForHalfOfTheProtocols: who only reads is not asked to allow
// sending, and the other way round.
func TestAModeHasNoUseForHalfOfTheProtocols(t *testing.T) {
	p := preset.Microsoft365("common")
	for mode, want := range map[session.Mode]string{
		session.ReadWrite: "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send",
		session.ReadOnly:  "https://outlook.office.com/IMAP.AccessAsUser.All",
		session.SendOnly:  "https://outlook.office.com/SMTP.Send",
	} {
		scopes := p.ScopesFor(preset.Access{Mode: mode})
		if got := strings.Join(scopes[:len(scopes)-len(p.SignInScopes)], " "); got != want {
			t.Errorf("%v: %q, want %q", mode, got, want)
		}
	}
}

func TestConfigsShareNothing(t *testing.T) {
	p := preset.Google()
	first := p.Config("id")
	first.AuthParams.Set("prompt", "none")
	first.Endpoint.GrantTypes[0], first.Scopes[0] = "changed", "changed"
	second := p.Config("id")
	if got := second.AuthParams.Get("prompt"); got != "consent" {
		t.Errorf("prompt = %q after a change to another Config, want consent", got)
	}
	if second.Endpoint.GrantTypes[0] == "changed" || second.Scopes[0] == "changed" {
		t.Errorf("a change to a Config changed another one: %+v", second)
	}
}

func TestMicrosoftsProtocolsShareAToken(t *testing.T) {
	for _, p := range []preset.Provider{
		preset.Microsoft365("common"), preset.OutlookCom(), preset.MicrosoftGCC("t"), preset.MicrosoftGCCHigh("t"),
		preset.MicrosoftDoD("t"), preset.MicrosoftChina("t"),
	} {
		if p.IMAP.Resource != p.SMTP.Resource || p.IMAP.Resource != p.POP3.Resource || p.IMAP.Resource == "" {
			t.Errorf("%s: resources %q, %q and %q, want the same", p.Name, p.IMAP.Resource, p.POP3.Resource, p.SMTP.Resource)
		}
		for proto, resource := range map[preset.Protocol]string{
			preset.IMAP: p.IMAP.Resource, preset.POP3: p.POP3.Resource, preset.SMTP: p.SMTP.Resource,
			preset.EWS: p.EWS.Resource, preset.Graph: p.Graph.Resource,
		} {
			for _, s := range p.Scopes[proto] {
				if !strings.HasPrefix(s, resource+"/") {
					t.Errorf("%s: scope %q of %s is not of the resource %q", p.Name, s, proto, resource)
				}
			}
		}
	}
}

// TestTheTenantAndTheCloud: what people may set of Microsoft's clouds.
func TestTheTenantAndTheCloud(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    preset.Options
		want string
	}{
		{"microsoft", preset.Options{}, "https://login.microsoftonline.com/common/oauth2/v2.0/token"},
		{"microsoft", preset.Options{Tenant: "a/b"}, "https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/token"},
		{"microsoft-gcc", preset.Options{}, "https://login.microsoftonline.com/organizations/oauth2/v2.0/token"},
		{"microsoft-gcc-high", preset.Options{Tenant: "t"}, "https://login.microsoftonline.us/t/oauth2/v2.0/token"},
		{"microsoft-dod", preset.Options{Tenant: "t"}, "https://login.microsoftonline.us/t/oauth2/v2.0/token"},
		{"microsoft-china", preset.Options{Tenant: "t"}, "https://login.partner.microsoftonline.cn/t/oauth2/v2.0/token"},
		{"microsoft-china", preset.Options{Tenant: "t", OAuthBase: "login.chinacloudapi.cn"}, "https://login.chinacloudapi.cn/t/oauth2/v2.0/token"},
		{"exchange", preset.Options{Host: "mail.contoso.example", OAuthBase: "https://sts.contoso.example/adfs"}, "https://sts.contoso.example/adfs/oauth2/token"},
		{"Outlook.COM", preset.Options{}, "https://login.microsoftonline.com/consumers/oauth2/v2.0/token"},
	} {
		p, err := preset.New(tt.name, &tt.o)
		if err != nil || p.Endpoint.TokenURL != tt.want {
			t.Errorf("New(%q, %+v) has the token endpoint %q, %v, want %q", tt.name, tt.o, p.Endpoint.TokenURL, err, tt.want)
		}
	}
	for tenant, p := range map[string]preset.Provider{"common": preset.Microsoft365(""), "organizations": preset.MicrosoftDoD("")} {
		if !strings.Contains(p.Endpoint.TokenURL, "/"+tenant+"/") {
			t.Errorf("%s without a tenant has the token endpoint %q, want that of %s", p.Name, p.Endpoint.TokenURL, tenant)
		}
	}
}

// TestTheResourceIsThePersonsToDecide where sources conflict about it.
func TestTheResourceIsThePersonsToDecide(t *testing.T) {
	p, err := preset.New("microsoft-dod", &preset.Options{Tenant: "contoso.us", Resource: "https://outlook.office365.us/"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Config("id", preset.IMAP, preset.EWS).Scopes[:2]; !slices.Equal(got, []string{
		"https://outlook.office365.us/IMAP.AccessAsUser.All", "https://outlook.office365.us/EWS.AccessAsUser.All",
	}) {
		t.Errorf("scopes %q, want those of the resource that was given", got)
	}
	if got := p.AppConfig("id", preset.SMTP).Scopes; !slices.Equal(got, []string{"https://outlook.office365.us/.default"}) {
		t.Errorf("a program's scopes %q, want those of the resource that was given", got)
	}
	if p.IMAP.Resource != "https://outlook.office365.us" || p.EWS.Resource != p.IMAP.Resource || p.IMAP.Host != "outlook-dod.office365.us" {
		t.Errorf("IMAP %q for %q, EWS for %q", p.IMAP.Host, p.IMAP.Resource, p.EWS.Resource)
	}
	if got := p.Scopes[preset.Graph][0]; got != "https://dod-graph.microsoft.us/Mail.Read" {
		t.Errorf("Graph's scope is %q, want its own resource", got)
	}
}

// TestWhatCannotBeChosen is said, and what to do.
func TestWhatCannotBeChosen(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    preset.Options
		want string
	}{
		{"nobody", preset.Options{}, strings.Join(preset.Names(), ", ")},
		{"", preset.Options{}, strings.Join(preset.Names(), ", ")},
		{"yahooo", preset.Options{}, `did you mean "yahoo"?`},
		{"microsft", preset.Options{}, `did you mean "microsoft"?`},
		{"gmail", preset.Options{}, `did you mean "google"?`},
		{"gmail.com", preset.Options{}, `did you mean "google"?`},
		{"hotmail", preset.Options{}, `did you mean "outlook.com"?`},
		{"zoho", preset.Options{}, `did you mean "zoho.com"?`},
		{"google", preset.Options{Tenant: "contoso.com"}, "no use for a tenant; leave it out"},
		{"microsoft", preset.Options{Host: "mail.contoso.example"}, "no use for a host"},
		{"exchange", preset.Options{}, "needs the host of the server"},
		{"exchange", preset.Options{Host: "mail.contoso.example", Tenant: "t"}, "only with an OAuth base"},
	} {
		if _, err := preset.New(tt.name, &tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%q, %+v): %v, want %q", tt.name, tt.o, err, tt.want)
		}
	}
}

// TestProgramsWithoutAPerson: the presets know the scopes that a program asks
// for in its own name, and where it has no way; oauth refuses the same.
func TestProgramsWithoutAPerson(t *testing.T) {
	credential := oauth.ClientSecret(secret.New("horse"))
	contoso := preset.Microsoft365("contoso.com")
	if got := strings.Join(contoso.AppConfig("id").Scopes, " "); got != "https://outlook.office365.com/.default" {
		t.Errorf("Microsoft's scopes %q, want that of the resource, once", got)
	}
	if got := strings.Join(contoso.AppConfig("id", preset.Graph).Scopes, " "); got != "https://graph.microsoft.com/.default" {
		t.Errorf("Graph's scopes %q, want that of the resource, once", got)
	}
	if _, err := oauth.ClientCredentials(contoso.AppConfig("id"), credential, nil); err != nil {
		t.Errorf("one tenant: %v", err)
	}
	if err := contoso.Allows(preset.FlowClientCredentials, preset.IMAP); err != nil {
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
		if p.Allows(preset.FlowClientCredentials, preset.IMAP) == nil {
			t.Errorf("%s allows what oauth refuses", p.Name)
		}
	}
	if _, err := oauth.ClientCredentials(preset.Yahoo().AppConfig("id"), credential, nil); err == nil {
		t.Error("Yahoo has client credentials")
	}
	signer := oauth.IAMSigner("robot@contoso.iam.gserviceaccount.com", oauth.StaticToken(secret.New("horse")), nil)
	if _, err := oauth.ServiceAccount(preset.GoogleWorkspace().AppConfig("", preset.SMTP), signer, "ann@contoso.example"); err != nil {
		t.Errorf("a service account at Google: %v", err)
	}
}

// TestTheUsersName is the address, or what is before the @.
func TestTheUsersName(t *testing.T) {
	cloud := preset.ICloud()
	for proto, want := range map[preset.Protocol]string{preset.IMAP: "ann", preset.SMTP: "ann@icloud.com"} {
		if got := cloud.User(proto, "ann@icloud.com"); got != want {
			t.Errorf("User(%s) = %q, want %q", proto, got, want)
		}
	}
	if got := preset.WebDE().User(preset.IMAP, "ann"); got != "ann" {
		t.Errorf("User = %q of what is no address, want it as it is", got)
	}
}

// TestAServerOfOnesOwn needs no flows to be allowed everything.
func TestAServerOfOnesOwn(t *testing.T) {
	p := preset.Provider{Name: "Contoso", IMAP: session.Server{Host: "imap.contoso.example"}}
	if err := p.Allows(preset.FlowDevice, preset.IMAP); err != nil {
		t.Errorf("flows that are not known: %v", err)
	}
	if err := p.Allows(preset.FlowDevice, preset.Graph); err == nil || !strings.Contains(err.Error(), "does not offer Graph") {
		t.Errorf("a protocol that is not offered: %v", err)
	}
}

// TestAnIssuersMetadata make a provider of which the servers are missing.
func TestAnIssuersMetadata(t *testing.T) {
	m := &oauth.Metadata{
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			Issuer: "https://id.contoso.example", AuthURL: "https://id.contoso.example/auth", TokenURL: "https://id.contoso.example/token",
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		},
		Scopes: []string{"openid", "offline_access", "urn:ietf:params:oauth:scope:mail", "roles"},
	}
	p := preset.FromMetadata(m, time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC))
	p.IMAP.Host = "imap.contoso.example"
	if got := strings.Join(p.Config("id", preset.IMAP).Scopes, " "); got != "urn:ietf:params:oauth:scope:mail openid offline_access" {
		t.Errorf("scopes %q, want what the server has of what is asked for", got)
	}
	if err := p.Allows(preset.FlowBrowser, preset.IMAP); err != nil {
		t.Error(err)
	}
	if p.Allows(preset.FlowClientCredentials, preset.IMAP) == nil {
		t.Error("a grant type that the server does not list is allowed")
	}
	m.Endpoint.GrantTypes, m.Scopes = nil, nil
	p = preset.FromMetadata(m, time.Time{})
	p.IMAP.Host = "imap.contoso.example"
	if got := strings.Join(p.Config("id", preset.IMAP).Scopes, " "); got != "openid email" || p.Allows(preset.FlowDevice, preset.IMAP) != nil {
		t.Errorf("scopes %q, flows %v of a server that says nothing", got, p.Flows)
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

func ExampleProvider_ConfigFor() {
	config := preset.Microsoft365("common").ConfigFor("11111111-2222-3333-4444-555555555555", preset.Access{
		Protocols: []preset.Protocol{preset.Graph},
		Mode:      session.ReadOnly,
	})
	fmt.Println(config.Scopes[0])
	// Output: https://graph.microsoft.com/Mail.Read
}

func ExampleProvider_Allows() {
	fmt.Println(preset.Google().Allows(preset.FlowClientCredentials, preset.IMAP))
	// Output:
	// preset: IMAP is not opened by client-credentials at Google: Google has no client credentials for mail; in Workspace a service-account acts for the users of a domain; it is by browser, service-account, app-password
}

func ExampleByMX() {
	p, ok := preset.ByMX("contoso-com.mail.protection.outlook.com")
	fmt.Println(p.Name, ok)
	// Output: Microsoft 365 true
}
