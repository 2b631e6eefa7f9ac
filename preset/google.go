package preset

import (
	"net/url"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// gmail is the one scope for Google's mail protocols, for all of reading,
// writing and sending.
const gmail = "https://mail.google.com/"

// Google returns Gmail and Google Workspace. Clients that are registered as
// desktop programs get a secret that Google does not treat as one; set it as
// ClientSecret of the configuration.
//
// While the consent screen of the client is in the state "Testing", every
// sign-in ends after seven days.
func Google() Provider {
	return Provider{
		Name:    "Google",
		Source:  "https://developers.google.com/workspace/gmail/imap/xoauth2-protocol",
		Checked: checked(),
		Notes: []string{
			"IMAP and POP3 may have to be switched on in the settings of the mailbox, and in Workspace by an administrator.",
			"While the client's consent screen is in the state Testing, every sign-in ends after seven days.",
			"A change of the user's password ends a sign-in that has a scope of Gmail.",
		},
		Domains: []string{"gmail.com", "googlemail.com"},
		MX:      []string{"google.com", "googlemail.com"},
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			Issuer:                "https://accounts.google.com",
			AuthURL:               "https://accounts.google.com/o/oauth2/v2/auth",
			TokenURL:              "https://oauth2.googleapis.com/token",
			RevokeURL:             "https://oauth2.googleapis.com/revoke",
			IdleLimit:             180 * 24 * time.Hour,
			GrantTypes:            []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantJWTBearer},
			RefreshTokensReusable: true,
		},
		Flows:       googleFlows(),
		Refused:     googleRefused(),
		RedirectURL: "http://127.0.0.1",
		Redirects:   googleRedirects(),
		// Without these a second sign-in gets no refresh token.
		AuthParams:      url.Values{"access_type": {"offline"}, "prompt": {"consent"}},
		SignInScopes:    []string{"openid", "email"},
		Scopes:          map[Protocol][]string{IMAP: {gmail}, POP3: {gmail}, SMTP: {gmail}},
		AppScopes:       map[Protocol][]string{IMAP: {gmail}, POP3: {gmail}, SMTP: {gmail}},
		IMAP:            session.Server{Host: "imap.gmail.com", Port: 993, Security: session.TLS},
		POP3:            session.Server{Host: "pop.gmail.com", Port: 995, Security: session.TLS},
		SMTP:            session.Server{Host: "smtp.gmail.com", Port: 465, Security: session.TLS, FilesSent: true},
		FilesSentSource: "https://support.google.com/mail/answer/78892",
		Mechanisms: map[Protocol][]string{
			IMAP: {"OAUTHBEARER", "XOAUTH2", "PLAIN"}, POP3: {"OAUTHBEARER", "XOAUTH2", "PLAIN"}, SMTP: {"OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"},
		},
		Limits: googleLimits(),
	}
}

// googleFlows are the ways that Google has.
func googleFlows() map[Flow]FlowFacts {
	return map[Flow]FlowFacts{
		FlowBrowser: {
			Secret: SecretRequired,
			Note:   "A client of the kind Desktop app has a secret that is none; a program may show it to everybody.",
		},
		FlowServiceAccount: googleDelegation(),
		FlowAppPassword: {
			Note:   "The account needs 2-Step Verification; in Workspace an administrator may have switched app passwords off.",
			Source: "https://support.google.com/accounts/answer/185833",
		},
	}
}

// googleRefused says why there are no others.
func googleRefused() map[Flow]string {
	return map[Flow]string{ //nolint:gosec // G101: words about passwords
		FlowClientCredentials: "Google has no client credentials for mail; in Workspace a service-account acts for the users of a domain",
		FlowManagedIdentity:   "managed identities are Microsoft's; in Workspace a service-account acts for the users of a domain",
		FlowDevice:            "the scope of Gmail is not among the few that Google gives to devices; use browser, if need be on another machine, with the address pasted",
		FlowPassword:          "Google takes no account password from mail programs; use browser, or an app-password",
	}
}

// GoogleWorkspace returns Google for programs that act for the users of a
// Workspace domain by a service account, to which an administrator has
// delegated the domain for the scopes of AppConfig: oauth.ServiceAccount. It
// is Google without the ways that a person signs in.
func GoogleWorkspace() Provider {
	p := Google()
	p.Name = "Google Workspace"
	p.Notes = []string{
		"An administrator has to delegate the scope https://mail.google.com/ for the domain to the service account's client id, which may take a day to work.",
		"For IMAP the scope https://www.googleapis.com/auth/gmail.imap_admin may take its place in AppScopes: it shows all labels, whatever the user hides from IMAP.",
	}
	p.Domains, p.MX = nil, nil
	p.Flows = map[Flow]FlowFacts{FlowServiceAccount: googleDelegation()}
	for _, flow := range []Flow{FlowBrowser, FlowAppPassword, FlowPassword} {
		p.Refused[flow] = "this provider is for programs; people sign in at the one called google"
	}
	p.Limits = googleLimits()
	return p
}

// googleDelegation is a service account that acts for the users of a domain.
func googleDelegation() FlowFacts {
	return FlowFacts{
		Secret: SecretNone,
		Note:   "It is for Workspace alone, where an administrator has delegated the domain to the service account; personal accounts are out of its reach.",
		Source: "https://developers.google.com/identity/protocols/oauth2/service-account",
	}
}

// googleRedirects are those of clients of the kind Desktop app.
func googleRedirects() RedirectRules {
	return RedirectRules{
		Loopback: []string{"127.0.0.1", "::1", "localhost"}, AnyPort: true, HTTPS: true,
		Note:   "A client of the kind Desktop app needs no registered redirect for loopback; https is for clients of the kind Web application.",
		Source: "https://developers.google.com/identity/protocols/oauth2/native-app",
	}
}

// googleLimits: the bandwidth is that of Workspace; that of personal accounts is
// not published.
func googleLimits() map[Protocol]Limits {
	const (
		bandwidth = "https://support.google.com/a/answer/1071518"
		workspace = "The bandwidth is stated for Workspace; for personal accounts none is."
	)
	return map[Protocol]Limits{
		IMAP: {Connections: 15, DownloadPerDay: 2500 << 20, UploadPerDay: 500 << 20, Note: workspace, Source: bandwidth},
		POP3: {DownloadPerDay: 1250 << 20, Note: workspace, Source: bandwidth},
		SMTP: {
			Recipients: 100, MessagesPerDay: 500, MessageSize: 25 << 20,
			Note:   "In Workspace 2,000 messages a day may be sent.",
			Source: "https://support.google.com/a/answer/166852",
		},
	}
}
