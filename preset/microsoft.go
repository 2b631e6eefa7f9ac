package preset

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// cloud is one of Microsoft's clouds. Tokens, accounts and registrations of one
// are of no use in another.
type cloud struct {
	name string
	// oauth is the base of the authorization server, empty for the worldwide one.
	oauth string
	// outlook is what Exchange takes a person's tokens for, app a program's, and
	// a person's for EWS.
	outlook, app string
	// host is that of IMAP and POP3.
	host, smtp string
	// graph is the root of Graph, and what it takes tokens for.
	graph  string
	source string
	notes  []string
}

// worldwide is the cloud of all but some governments and China. IMAP, POP3 and
// SMTP share a resource, so that one access token opens all that it has the
// scopes for. What programs ask for in their own name is documented with the
// other name of the resource alone, as is EWS.
func worldwide() cloud {
	return cloud{
		name: "Microsoft 365", outlook: "https://outlook.office.com", app: "https://outlook.office365.com",
		host: "outlook.office365.com", smtp: "smtp.office365.com", graph: "https://graph.microsoft.com",
		source: "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
	}
}

// Microsoft365 returns Exchange Online. The tenant is its id or a domain of
// it, or "organizations" for all work and school accounts, or "common" for
// these and personal accounts, as does the empty one. Only the tenant itself works
// for clients that are registered for it alone, and for programs without a person.
//
// SMTP AUTH is switched off for most tenants and has to be switched on for the
// mailbox by an administrator, for OAuth too.
func Microsoft365(tenant string) Provider {
	p := exchangeOnline(worldwide(), cmp.Or(tenant, "common"))
	p.Domains = []string{".onmicrosoft.com"}
	p.MX = []string{"mail.protection.outlook.com", "mx.microsoft"}
	p.Notes = append(p.Notes, "SMTP AUTH is switched off for most tenants, for tokens too; an administrator has to switch it on for the mailbox.")
	return p
}

// OutlookCom returns Microsoft's personal accounts: outlook.com, hotmail.com,
// live.com, msn.com and their like in many countries. Clients are public ones,
// and PKCE works as for work accounts. There are neither programs without a
// person, nor EWS.
func OutlookCom() Provider {
	c := worldwide()
	c.name, c.smtp = "Outlook.com", "smtp-mail.outlook.com"
	p := exchangeOnline(c, "consumers")
	p.EWS, p.Notes = Service{}, append(p.Notes, "POP3 and IMAP may have to be switched on in the settings of the mailbox, under Forwarding and IMAP.")
	delete(p.Scopes, EWS)
	p.AppScopes = nil
	p.Domains, p.MX = outlookDomains(), []string{"olc.protection.outlook.com"}
	none := "personal accounts open to people alone; use browser or device"
	p.Refused = map[Flow]string{
		FlowClientCredentials: none, FlowManagedIdentity: none, FlowServiceAccount: none,
		FlowPassword: basicGone, FlowAppPassword: basicGone,
	}
	delete(p.Flows, FlowPassword)
	delete(p.Flows, FlowAppPassword)
	const pkce = "Clients are public, and PKCE works; a secret that is sent is refused."
	p.Flows[FlowBrowser] = FlowFacts{Secret: SecretNone, Note: pkce}
	p.Flows[FlowDevice] = FlowFacts{Secret: SecretNone, Note: pkce}
	p.Limits, p.Retirements = map[Protocol]Limits{Graph: graphLimits()}, []Retirement{outlookBasic()}
	p.Mechanisms[SMTP] = []string{"XOAUTH2"}
	return p
}

// exchangeOnline returns Exchange in one of the clouds, for all organizations where no
// tenant is named.
func exchangeOnline(c cloud, tenant string) Provider {
	p := Provider{
		Name:         c.name,
		Source:       c.source,
		Checked:      checked(),
		Notes:        append(c.notes, "Graph sends what is larger than about 3 MB by way of a draft, which needs Mail.ReadWrite in a session that only sends too."),
		Endpoint:     oauth.MicrosoftEndpoint(c.oauth, cmp.Or(tenant, "organizations")),
		RedirectURL:  "http://localhost",
		Redirects:    microsoftRedirects(),
		SignInScopes: []string{"openid", "email", "profile", "offline_access"},
		Scopes: map[Protocol][]string{
			IMAP:  {c.outlook + "/IMAP.AccessAsUser.All"},
			POP3:  {c.outlook + "/POP.AccessAsUser.All"},
			SMTP:  {c.outlook + "/SMTP.Send"},
			EWS:   {c.app + "/EWS.AccessAsUser.All"},
			Graph: graphScopes(c.graph),
		},
		ScopeUses:       graphUses(c.graph),
		AppScopes:       map[Protocol][]string{Graph: {c.graph + "/.default"}},
		IMAP:            session.Server{Host: c.host, Port: 993, Security: session.TLS, Resource: c.outlook},
		POP3:            session.Server{Host: c.host, Port: 995, Security: session.TLS, Resource: c.outlook},
		SMTP:            session.Server{Host: c.smtp, Port: 587, Security: session.STARTTLS, Resource: c.outlook, FilesSent: true},
		EWS:             Service{URL: "https://" + c.host + "/EWS/Exchange.asmx", Resource: c.app},
		Graph:           Service{URL: c.graph + "/v1.0", Resource: c.graph},
		FilesSentSource: "https://docs.nextcloud.com/server/latest/admin_manual/groupware/mail.html",
		Mechanisms:      map[Protocol][]string{IMAP: {"XOAUTH2"}, POP3: {"XOAUTH2"}, SMTP: {"XOAUTH2", "LOGIN"}},
		Limits:          exchangeLimits(),
		Retirements:     exchangeRetirements(),
	}
	for _, proto := range []Protocol{IMAP, POP3, SMTP, EWS} {
		p.AppScopes[proto] = []string{c.app + "/.default"}
	}
	p.Flows, p.Refused = exchangeFlows(slices.Contains(p.Endpoint.GrantTypes, oauth.GrantClientCredentials))
	return p
}

// exchangeFlows returns the ways of signing in, and why others are none. One
// tells that the tenant stands for one.
func exchangeFlows(one bool) (map[Flow]FlowFacts, map[Flow]string) {
	const public = "A public client has no secret, and one that is sent is refused (AADSTS700025); a client that is registered as Web has one."
	flows := map[Flow]FlowFacts{
		FlowBrowser:     {Secret: SecretOptional, Note: public},
		FlowDevice:      {Secret: SecretOptional, Note: public},
		FlowPassword:    {Protocols: []Protocol{SMTP}, Note: "An administrator has to allow SMTP AUTH for the mailbox, and security defaults have to be off."},
		FlowAppPassword: {Protocols: []Protocol{SMTP}, Note: "There are app passwords only for accounts with multi-factor authentication that is set user by user."},
	}
	refused := map[Flow]string{
		FlowServiceAccount: "service accounts are Google's; use client-credentials",
		FlowPassword:       basicGone,
		FlowAppPassword:    basicGone,
	}
	if !one {
		many := "it needs the tenant's id or a domain of it, in place of one that stands for many"
		refused[FlowClientCredentials], refused[FlowManagedIdentity] = many, many
		return flows, refused
	}
	flows[FlowClientCredentials] = FlowFacts{
		Secret: SecretRequired,
		Note:   "A certificate or a federated token may take the place of the secret. For IMAP, POP3 and SMTP an administrator has to register the program with Exchange, by the object id of the Enterprise application, and to open mailboxes to it; for EWS every request impersonates a mailbox.",
	}
	flows[FlowManagedIdentity] = FlowFacts{
		Secret: SecretNone,
		Note:   "It is known to work for Graph, by RBAC for Applications in Exchange.",
	}
	return flows, refused
}

// basicGone is why passwords open nothing but, for a while, SMTP.
const basicGone = "passwords are no longer taken; use browser or device, or client-credentials in a tenant"

// graphNames returns the scopes of Graph's mail.
func graphNames() []string {
	return []string{
		"Mail.Read", "Mail.Read.Shared", "Mail.ReadBasic", "Mail.ReadBasic.Shared", "Mail.ReadWrite", "Mail.ReadWrite.Shared",
		"Mail.Send", "Mail.Send.Shared", "User.Read", "User.ReadBasic.All",
	}
}

// graphScopes returns the full set that a person allows, with the resource: a
// scope without one is Graph's too, but does not tell which token it belongs to.
func graphScopes(root string) []string {
	var scopes []string
	for _, name := range graphNames() {
		scopes = append(scopes, root+"/"+name)
	}
	return scopes
}

// graphUses returns what Graph's scopes are needed for. User.Read names the
// user, User.ReadBasic.All the owners of other mailboxes.
func graphUses(root string) map[string]ScopeUse {
	uses := map[string]ScopeUse{}
	for _, name := range graphNames() {
		use := ScopeUse{OtherMailbox: strings.HasSuffix(name, ".Shared") || name == "User.ReadBasic.All"}
		switch {
		case strings.HasPrefix(name, "Mail.ReadWrite"):
			use.Modes = []session.Mode{session.ReadWrite}
		case strings.HasPrefix(name, "Mail.Read"):
			use.Modes = []session.Mode{session.ReadWrite, session.ReadOnly}
		case strings.HasPrefix(name, "Mail.Send"):
			use.Modes = []session.Mode{session.ReadWrite, session.SendOnly}
		}
		uses[root+"/"+name] = use
	}
	return uses
}

// microsoftRedirects: the port is not compared, the path is; 127.0.0.1 needs an
// edit of the registration's manifest, [::1] is not taken.
func microsoftRedirects() RedirectRules {
	return RedirectRules{
		Loopback: []string{"localhost", "127.0.0.1"}, AnyPort: true, HTTPS: true, Custom: true,
		Note:   "Register it under Mobile and desktop applications: a Web redirect needs a secret, and one of a single-page application gives refresh tokens of 24 hours.",
		Source: "https://learn.microsoft.com/entra/identity-platform/reply-url",
	}
}
