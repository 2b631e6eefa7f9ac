package preset_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
)

// all returns every provider, with a host where one is needed.
func all(t *testing.T) map[string]preset.Provider {
	t.Helper()
	providers := map[string]preset.Provider{}
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil {
			p, err = preset.New(name, &preset.Options{Host: "mail.contoso.example"})
		}
		if err != nil {
			t.Fatalf("New(%q): %v", name, err)
		}
		providers[name] = p
	}
	return providers
}

// published is a day on which the data was, so that Checked can be looked at
// without a clock.
func published() time.Time { return time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC) }

// TestEveryProviderSaysWhereFrom: data without a source and a date is hearsay.
func TestEveryProviderSaysWhereFrom(t *testing.T) {
	for _, p := range all(t) {
		t.Run(p.ID, func(t *testing.T) {
			if p.ID == "" || p.Name == "" {
				t.Errorf("ID = %q, Name = %q, want both", p.ID, p.Name)
			}
			if p.Checked.IsZero() || p.Checked.After(published()) {
				t.Errorf("Checked = %v, want a day that has been", p.Checked)
			}
			if p.SMTP.FilesSent && p.FilesSentSource == "" {
				t.Error("FilesSent is known from nowhere")
			}
			if (p.IdleInterval != 0) != (p.IdleSource != "") {
				t.Errorf("IdleInterval = %v, IdleSource = %q", p.IdleInterval, p.IdleSource)
			}
			for _, address := range sources(p) {
				u, err := url.Parse(address)
				if err != nil || u.Scheme != "https" || u.Host == "" {
					t.Errorf("source %q, want an https address", address)
				}
			}
			for proto, l := range p.Limits {
				if l.Source == "" || !p.Offers(proto) {
					t.Errorf("limits of %s: source %q, offered %v", proto, l.Source, p.Offers(proto))
				}
			}
		})
	}
}

// sources returns all sources of a provider that are set, and its Source.
func sources(p preset.Provider) []string {
	list := []string{p.Source, p.FilesSentSource, p.IdleSource, p.Redirects.Source}
	for _, f := range p.Flows {
		list = append(list, f.Source)
	}
	for _, l := range p.Limits {
		list = append(list, l.Source)
	}
	for _, r := range p.Retirements {
		list = append(list, r.Source)
	}
	return append(slices.DeleteFunc(list[1:], func(s string) bool { return s == "" }), p.Source)
}

// TestEveryAddressIsEncrypted: servers by TLS or STARTTLS, the rest by https.
func TestEveryAddressIsEncrypted(t *testing.T) {
	for _, p := range all(t) {
		t.Run(p.ID, func(t *testing.T) {
			e := p.Endpoint
			for what, address := range map[string]string{
				"AuthURL": e.AuthURL, "TokenURL": e.TokenURL, "DeviceURL": e.DeviceURL, "RevokeURL": e.RevokeURL,
				"EWS": p.EWS.URL, "EWS.Resource": p.EWS.Resource, "Graph": p.Graph.URL, "Graph.Resource": p.Graph.Resource,
				"IMAP.Resource": p.IMAP.Resource,
			} {
				if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
					t.Errorf("%s = %q, want an https address", what, address)
				}
			}
			if len(p.Protocols()) == 0 {
				t.Error("it offers nothing")
			}
			for _, proto := range []preset.Protocol{preset.IMAP, preset.POP3, preset.SMTP} {
				s, ok := p.Server(proto)
				if ok && (s.Port == 0 || s.Security == session.None || s.AllowPlainAuth || s.Host != strings.ToLower(s.Host)) {
					t.Errorf("the server %+v of %s is not complete and encrypted", s, proto)
				}
			}
		})
	}
}

// TestEveryProtocolOpens: each protocol that is offered has a flow, and scopes
// where a flow asks for tokens.
func TestEveryProtocolOpens(t *testing.T) {
	person := []preset.Flow{preset.FlowBrowser, preset.FlowDevice}
	program := []preset.Flow{preset.FlowClientCredentials, preset.FlowServiceAccount, preset.FlowManagedIdentity}
	for _, p := range all(t) {
		t.Run(p.ID, func(t *testing.T) {
			for _, proto := range p.Protocols() {
				flows := p.FlowsFor(proto)
				retired := len(p.Retirements) > 0
				if len(flows) == 0 && !retired {
					t.Errorf("%s is opened by nothing", proto)
				}
				for _, f := range flows {
					switch {
					case slices.Contains(person, f) && len(p.Scopes[proto]) == 0:
						t.Errorf("%s by %s has no scopes", proto, f)
					case slices.Contains(program, f) && len(p.AppScopes[proto]) == 0:
						t.Errorf("%s by %s has no scopes for programs", proto, f)
					}
					if (slices.Contains(person, f) || f == preset.FlowClientCredentials) && p.Flows[f].Secret == preset.SecretUnknown {
						t.Errorf("%s does not say whether clients have a secret", f)
					}
				}
			}
			for proto := range p.Scopes {
				if !p.Offers(proto) {
					t.Errorf("scopes of %s, which is not offered", proto)
				}
			}
			for scope := range p.ScopeUses {
				if !slices.Contains(slices.Concat(p.Scopes[preset.Graph], p.Scopes[preset.IMAP]), scope) {
					t.Errorf("a use of the scope %q, which is asked for by nothing", scope)
				}
			}
		})
	}
}

// TestEveryRefusalHasAReason: what a provider has not is explained, and the
// explanation names a way that it has.
func TestEveryRefusalHasAReason(t *testing.T) {
	for _, p := range all(t) {
		t.Run(p.ID, func(t *testing.T) {
			for _, proto := range p.Protocols() {
				for _, f := range preset.AllFlows() {
					err := p.Allows(f, proto)
					allowed := slices.Contains(p.FlowsFor(proto), f)
					if allowed != (err == nil) {
						t.Errorf("Allows(%s, %s) = %v, of the flows %v", f, proto, err, p.FlowsFor(proto))
					}
					refused, ok := errors.AsType[*preset.FlowError](err)
					if err != nil && (!ok || refused.Flow != f || refused.Protocol != proto || refused.Provider != p.Name) {
						t.Errorf("Allows(%s, %s) = %#v, want a FlowError about them", f, proto, err)
					}
					if ok && f != preset.FlowAppPassword && f != preset.FlowPassword && refused.Reason == "" {
						t.Errorf("%s by %s is refused without a reason", proto, f)
					}
				}
			}
		})
	}
}

// TestOnlyOrganizationsHavePrograms: nobody opens the mailboxes of consumers in a
// program's own name, Yahoo's brands have no sign-in on another device, and
// Google's has no scope for mail.
func TestOnlyOrganizationsHavePrograms(t *testing.T) {
	for id, p := range all(t) {
		organization := strings.HasPrefix(id, "microsoft") || id == "exchange"
		for _, f := range []preset.Flow{preset.FlowClientCredentials, preset.FlowManagedIdentity} {
			if _, has := p.Flows[f]; has && !organization {
				t.Errorf("%s has the flow %s", id, f)
			}
		}
		if _, has := p.Flows[preset.FlowServiceAccount]; has != strings.HasPrefix(id, "google") {
			t.Errorf("%s has service accounts: %v", id, has)
		}
		if _, has := p.Flows[preset.FlowDevice]; has && !organization && id != "outlook.com" {
			t.Errorf("%s has the device flow", id)
		}
	}
	tenant := preset.Microsoft365("contoso.com")
	if tenant.Allows(preset.FlowClientCredentials, preset.EWS) != nil || tenant.Allows(preset.FlowManagedIdentity, preset.Graph) != nil {
		t.Error("one tenant has no programs")
	}
	for flow, protocols := range map[preset.Flow][]preset.Protocol{
		preset.FlowPassword: {preset.SMTP}, preset.FlowAppPassword: {preset.SMTP},
	} {
		for _, proto := range tenant.Protocols() {
			if allowed := tenant.Allows(flow, proto) == nil; allowed != slices.Contains(protocols, proto) {
				t.Errorf("%s by %s in a tenant: allowed %v", proto, flow, allowed)
			}
		}
	}
}

// TestGrantTypesAreThoseOfTheFlows: oauth refuses what a preset refuses.
func TestGrantTypesAreThoseOfTheFlows(t *testing.T) {
	grants := map[preset.Flow]string{
		preset.FlowBrowser: oauth.GrantAuthorizationCode, preset.FlowDevice: oauth.GrantDeviceCode,
		preset.FlowClientCredentials: oauth.GrantClientCredentials, preset.FlowServiceAccount: oauth.GrantJWTBearer,
	}
	for _, p := range all(t) {
		t.Run(p.ID, func(t *testing.T) {
			for flow := range p.Flows {
				if grant := grants[flow]; grant != "" && !slices.Contains(p.Endpoint.GrantTypes, grant) {
					t.Errorf("the flow %s needs the grant type %s, which is not among %q", flow, grant, p.Endpoint.GrantTypes)
				}
			}
			_, browser := p.Flows[preset.FlowBrowser]
			if browser && (p.Endpoint.AuthURL == "" || p.Endpoint.TokenURL == "") {
				t.Errorf("a browser is sent to %q, and the code to %q", p.Endpoint.AuthURL, p.Endpoint.TokenURL)
			}
			if _, device := p.Flows[preset.FlowDevice]; device && p.Endpoint.DeviceURL == "" {
				t.Error("the device flow has no endpoint")
			}
			if p.RedirectURL != "" && browser {
				if err := p.Redirects.Check(p.RedirectURL); err != nil {
					t.Errorf("the provider's own redirect: %v", err)
				}
			}
		})
	}
}

// TestNothingIsTwice: an address belongs to one provider, and so does a name.
func TestNothingIsTwice(t *testing.T) {
	owners := map[string]string{}
	for id, p := range all(t) {
		for _, name := range slices.Concat([]string{"name " + p.Name}, prefixed("domain ", p.Domains), prefixed("mx ", p.MX)) {
			if other := owners[name]; other != "" {
				t.Errorf("%s is of %s and of %s", name, other, id)
			}
			owners[name] = id
		}
		if p.ID != id {
			t.Errorf("New(%q).ID = %q", id, p.ID)
		}
		for _, name := range slices.Concat(p.Domains, p.MX) {
			if name != strings.ToLower(name) || strings.ContainsAny(name, " /:@") {
				t.Errorf("%s has the domain %q", id, name)
			}
		}
	}
	if names := preset.Names(); !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("Names() = %q, want them sorted and each once", names)
	}
}

func prefixed(prefix string, names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = prefix + name
	}
	return list
}

// TestDomainTable holds the whole table of domains and mail exchangers against
// a listing that people can read. UPDATE_GOLDEN=1 writes it anew.
func TestDomainTable(t *testing.T) {
	var b strings.Builder
	providers := all(t)
	for _, name := range preset.Names() {
		p := providers[name]
		if len(p.Domains)+len(p.MX) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", name)
		for _, d := range slices.Sorted(slices.Values(p.Domains)) {
			fmt.Fprintf(&b, "\t%s\n", d)
		}
		for _, m := range slices.Sorted(slices.Values(p.MX)) {
			fmt.Fprintf(&b, "\tmx %s\n", m)
		}
	}
	file := filepath.Join("testdata", "domains.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file) //nolint:gosec // G304: a file of this package
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the table is\n%s\nand %s has\n%s\nrun the test with UPDATE_GOLDEN=1 where the change is meant", b.String(), file, want)
	}
}

func TestWhoseAddressItIs(t *testing.T) {
	for _, tt := range []struct {
		by   func(string) (preset.Provider, bool)
		name string
		want string
	}{
		{preset.ByDomain, "Gmail.com", "google"},
		{preset.ByDomain, "msn.com", "outlook.com"},
		{preset.ByDomain, "contoso.onmicrosoft.com.", "microsoft"},
		{preset.ByDomain, "verizon.net", "aol"},
		{preset.ByDomain, "zohomail.com.au", "zoho.com.au"},
		{preset.ByDomain, "contoso.example", ""},
		{preset.ByDomain, "notgmail.com", ""},
		{preset.ByMX, "ASPMX.L.Google.com.", "google"},
		{preset.ByMX, "contoso-example.mail.protection.outlook.com", "microsoft"},
		{preset.ByMX, "outlook-com.olc.protection.outlook.com", "outlook.com"},
		{preset.ByMX, "mx.zoho.eu", "zoho.eu-organization"},
		{preset.ByMX, "in1-smtp.messagingengine.com", "fastmail"},
		{preset.ByMX, "notgoogle.com", ""},
		{preset.ByHost, "imap.fastmail.com", "fastmail"},
		{preset.ByHost, "outlook.office365.com", "microsoft"},
		{preset.ByHost, "127.0.0.1", ""},
		{preset.ByHost, "mail.contoso.example", ""},
		{preset.ByHost, "", ""},
	} {
		if p, ok := tt.by(tt.name); p.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("%q is of %q, %v, want %q", tt.name, p.ID, ok, tt.want)
		}
	}
}
