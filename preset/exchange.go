package preset

import (
	"errors"
	"strings"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// Exchange returns an Exchange Server on premises: EWS, and IMAP, POP3 and SMTP
// where its administrator has started these services, as on older servers or
// beside EWS. The host is that of its web address, such as
// mail.contoso.example. Where IMAP and SMTP are elsewhere, change the Host of
// these fields.
//
// It has no authorization server, unless Options.OAuthBase of New names one: AD
// FS, or Microsoft's with a tenant where the organization is a hybrid.
func Exchange(host string) Provider {
	return Provider{
		Name:    "Exchange Server",
		Source:  "https://learn.microsoft.com/exchange/client-developer/exchange-web-services/authentication-and-ews-in-exchange",
		Checked: checked(),
		Notes: []string{
			"An administrator may have to start IMAP and POP3, and to allow them for the mailbox.",
			"The user's name may have to have the domain before it, as in CONTOSO\\ann.",
			"EWS has no end here; the dates of Exchange Online do not apply.",
		},
		Flows: map[Flow]FlowFacts{
			FlowPassword: {Note: "By Basic for EWS, where the server's virtual directory allows it."},
		},
		Refused: map[Flow]string{
			FlowClientCredentials: "the server has no authorization server of its own; name one as OAuthBase where it trusts one",
			FlowManagedIdentity:   "managed identities are of Microsoft's cloud",
			FlowServiceAccount:    "service accounts are Google's",
			FlowBrowser:           "the server has no authorization server of its own; name one as OAuthBase where it trusts one",
			FlowDevice:            "the server has no authorization server of its own; name one as OAuthBase where it trusts one",
			FlowAppPassword:       "there are none; use password",
		},
		IMAP: session.Server{Host: host, Port: 993, Security: session.TLS},
		POP3: session.Server{Host: host, Port: 995, Security: session.TLS},
		SMTP: session.Server{Host: host, Port: 587, Security: session.STARTTLS},
		EWS:  Service{URL: "https://" + host + "/EWS/Exchange.asmx"},
		Mechanisms: map[Protocol][]string{
			IMAP: {"PLAIN", "LOGIN"}, POP3: {"PLAIN", "LOGIN"}, SMTP: {"LOGIN"},
		},
		Limits: map[Protocol]Limits{EWS: {
			Connections: 27,
			Note:        "It is the default of throttling policies since Exchange 2013, which an administrator may change; streaming subscriptions have 10 connections of their own.",
			Source:      "https://learn.microsoft.com/exchange/client-developer/exchange-web-services/ews-throttling-in-exchange",
		}},
	}
}

// exchangeServer makes Exchange of what is given for it.
func exchangeServer(o Options) (Provider, error) {
	if o.Host == "" {
		return Provider{}, errors.New("preset: exchange needs the host of the server, such as mail.contoso.example; Exchange's autodiscover may know it")
	}
	p := Exchange(o.Host)
	if o.OAuthBase == "" {
		if o.Tenant != "" || o.Resource != "" {
			return Provider{}, errors.New("preset: a tenant or a resource of exchange is of use only with an OAuth base; add it, or leave them out")
		}
		return p, nil
	}
	resource := "https://" + o.Host
	if o.Resource != "" {
		resource = strings.TrimRight(o.Resource, "/")
	}
	p.Endpoint = oauth.MicrosoftEndpoint(o.OAuthBase, o.Tenant)
	p.RedirectURL, p.Redirects = "http://localhost", microsoftRedirects()
	p.SignInScopes = []string{"openid", "email", "profile", "offline_access"}
	p.EWS.Resource = resource
	p.Scopes = map[Protocol][]string{EWS: {resource + "/EWS.AccessAsUser.All"}}
	p.AppScopes = map[Protocol][]string{EWS: {resource + "/.default"}}
	for _, flow := range []Flow{FlowBrowser, FlowDevice, FlowClientCredentials} {
		p.Flows[flow] = FlowFacts{Protocols: []Protocol{EWS}, Secret: SecretOptional}
		p.Refused[flow] = "Exchange Server takes tokens for EWS alone"
	}
	return p, nil
}
