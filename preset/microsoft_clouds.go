package preset

import (
	"cmp"
	"strings"

	"github.com/mailsession/mailsession/oauth"
)

// sovereign is said of the clouds that are not the worldwide one.
const sovereign = "Register the program in the cloud that it signs in to; registrations, accounts and tokens of other clouds are of no use in it. Whether the dates at which ways into the worldwide cloud end apply here is not known."

// MicrosoftGCC returns Exchange Online of the Government Community Cloud, which
// has the addresses of the worldwide cloud. The tenant is as in Microsoft365,
// but there are no personal accounts.
func MicrosoftGCC(tenant string) Provider {
	c := worldwide()
	c.name = "Microsoft 365 GCC"
	return exchangeOnline(c, tenant)
}

// MicrosoftGCCHigh returns Exchange Online of the US Government cloud GCC High.
func MicrosoftGCCHigh(tenant string) Provider {
	return sovereignCloud(cloud{
		name: "Microsoft 365 GCC High", oauth: "https://login.microsoftonline.us",
		outlook: "https://outlook.office365.us", app: "https://outlook.office365.us",
		host: "outlook.office365.us", smtp: "smtp.office365.us", graph: "https://graph.microsoft.us",
		source: "https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-u-s-government-gcc-high-endpoints",
		notes:  []string{sovereign},
	}, tenant)
}

// MicrosoftDoD returns Exchange Online of the US Department of Defense. Sources
// conflict about what tokens are issued for: most name
// https://outlook-dod.office365.us, which is what is here, some that of GCC
// High. Options.Resource replaces it.
func MicrosoftDoD(tenant string) Provider {
	return sovereignCloud(cloud{
		name: "Microsoft 365 DoD", oauth: "https://login.microsoftonline.us",
		outlook: "https://outlook-dod.office365.us", app: "https://outlook-dod.office365.us",
		host: "outlook-dod.office365.us", smtp: "outlook-dod.office365.us", graph: "https://dod-graph.microsoft.us",
		source: "https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-u-s-government-dod-endpoints",
		notes: []string{sovereign, "Sources conflict about the resource: where tokens are refused, set it to https://outlook.office365.us. " +
			"That SMTP is at this host is known from one source alone."},
	}, tenant)
}

// MicrosoftChina returns Exchange Online that 21Vianet runs in China. It is known
// from few sources; Options.Resource and Options.OAuthBase replace what is
// otherwise in a tenant.
func MicrosoftChina(tenant string) Provider {
	p := sovereignCloud(cloud{
		name: "Microsoft 365 China (21Vianet)", oauth: "https://login.partner.microsoftonline.cn",
		outlook: "https://partner.outlook.cn", app: "https://partner.outlook.cn",
		host: "partner.outlook.cn", smtp: "smtp.partner.outlook.cn", graph: "https://microsoftgraph.chinacloudapi.cn",
		source: "https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges-21vianet",
		notes: []string{sovereign, "Scopes and resource of IMAP, POP3 and SMTP are known from few sources and not from Microsoft; " +
			"some tenants are said to want requests of the version before 2.0, which this library does not make."},
	}, tenant)
	p.MX = []string{"mail.protection.partner.outlook.cn"}
	return p
}

// sovereignCloud returns Exchange in a cloud of its own: without the dates of the
// worldwide one, and without its domains.
func sovereignCloud(c cloud, tenant string) Provider {
	p := exchangeOnline(c, tenant)
	p.Retirements = nil
	return p
}

// exchangeTenant returns a function that makes a cloud's provider of what may be
// given for it.
func exchangeTenant(provider func(tenant string) Provider, tenant string) func(Options) (Provider, error) {
	return func(o Options) (Provider, error) {
		tenant := cmp.Or(o.Tenant, tenant)
		p := provider(tenant)
		if o.OAuthBase != "" {
			p.Endpoint = oauth.MicrosoftEndpoint(o.OAuthBase, tenant)
		}
		if o.Resource != "" {
			p.setResource(strings.TrimRight(o.Resource, "/"))
		}
		return p, nil
	}
}

// setResource replaces what Exchange takes tokens for.
func (p *Provider) setResource(resource string) {
	for proto, server := range map[Protocol]*string{
		IMAP: &p.IMAP.Resource, POP3: &p.POP3.Resource, SMTP: &p.SMTP.Resource, EWS: &p.EWS.Resource,
	} {
		if p.Scopes[proto] == nil {
			continue
		}
		for i, scope := range p.Scopes[proto] {
			p.Scopes[proto][i] = resource + scope[strings.LastIndex(scope, "/"):]
		}
		p.AppScopes[proto] = []string{resource + "/.default"}
		*server = resource
	}
}
