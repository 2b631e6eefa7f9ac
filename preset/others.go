package preset

import (
	"strings"

	"github.com/mailsession/mailsession/oauth"
)

// notTold is said where a sign-in does not tell whose it was.
const notTold = "Nothing is known that would make the sign-in tell the user's address; the program has to know it."

// Fastmail returns Fastmail, for people with domains of their own too. Clients
// are registered by hand; people with an app password do without.
func Fastmail() Provider {
	const protocol = "https://www.fastmail.com/dev/protocol-"
	p := Provider{
		Name: "Fastmail", Source: "https://www.fastmail.com/dev/", Checked: checked(),
		Notes:   []string{"Fastmail registers clients by hand.", notTold},
		Domains: []string{"fastmail.com", "fastmail.fm"}, MX: []string{"messagingengine.com"},
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			AuthURL:    "https://api.fastmail.com/oauth/authorize",
			TokenURL:   "https://api.fastmail.com/oauth/refresh",
			RevokeURL:  "https://api.fastmail.com/oauth/revoke",
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		},
		Flows: map[Flow]FlowFacts{
			FlowBrowser:     {Secret: SecretNone, Note: "PKCE is demanded. Every refresh replaces the refresh token, and one that is used again ends the sign-in."},
			FlowAppPassword: {Note: "People make it in the settings, under Privacy and Security."},
		},
		Refused:     onlyPeople("use browser or app-password", "Fastmail takes no account password from mail programs; use app-password or browser"),
		RedirectURL: "http://localhost",
		Redirects: RedirectRules{
			Loopback: []string{"localhost"}, HTTPS: true, Custom: true,
			Note:   "An https redirect has to be of a site that the program's maker owns.",
			Source: "https://www.fastmail.com/dev/",
		},
		Scopes: map[Protocol][]string{IMAP: {protocol + "imap"}, POP3: {protocol + "pop"}, SMTP: {protocol + "smtp"}},
	}
	p.serve("imap.fastmail.com", "pop.fastmail.com", "smtp.fastmail.com")
	return p
}

// Comcast returns Xfinity's mail.
func Comcast() Provider {
	const scope = "https://email.comcast.net/"
	p := Provider{
		Name: "Comcast", Source: ispdb + "comcast.net", Checked: checked(),
		Notes:   []string{"Access by other programs has to be allowed in the settings of the mailbox, under Security."},
		Domains: []string{"comcast.net"}, MX: []string{"comcast.net"},
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			AuthURL:    "https://oauth.xfinity.com/oauth/authorize",
			TokenURL:   "https://oauth.xfinity.com/oauth/token",
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		},
		Flows: map[Flow]FlowFacts{
			FlowBrowser:  {Secret: SecretRequired},
			FlowPassword: {Source: "https://www.xfinity.com/support/articles/third-party-email-access"},
		},
		Refused:      onlyPeople("use browser or password", ""),
		SignInScopes: []string{"profile", "openid"},
		Scopes:       map[Protocol][]string{IMAP: {scope}, POP3: {scope}, SMTP: {scope}},
	}
	p.serve("imap.comcast.net", "mail.comcast.net", "smtp.comcast.net")
	return p
}

// Yandex returns Yandex Mail, for people with domains of their own too. Its
// servers take XOAUTH2 without saying so.
func Yandex() Provider {
	p := Provider{
		Name: "Yandex", Source: "https://yandex.com/dev/id/doc/en/", Checked: checked(),
		Notes:   []string{"IMAP or POP3 has to be switched on in the settings of the mailbox, under Email clients.", notTold},
		Domains: strings.Fields("yandex.ru yandex.com yandex.net yandex.by yandex.kz yandex.ua ya.ru narod.ru"),
		MX:      []string{"mx.yandex.ru", "mx.yandex.net"},
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			AuthURL:    "https://oauth.yandex.com/authorize",
			TokenURL:   "https://oauth.yandex.com/token",
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		},
		Flows: map[Flow]FlowFacts{
			FlowBrowser:     {Protocols: []Protocol{IMAP, SMTP}, Secret: SecretRequired},
			FlowAppPassword: {Note: "People make it in the security settings of the account, for mail."},
		},
		Refused:     onlyPeople("use browser or app-password", "Yandex takes no account password from mail programs; use app-password or browser"),
		RedirectURL: "https://oauth.yandex.ru/verification_code",
		Redirects: RedirectRules{
			Loopback: []string{"localhost", "127.0.0.1"}, HTTPS: true, Custom: true,
			Note:   "The page that the default leads to shows the code, for the user to paste.",
			Source: "https://yandex.com/dev/id/doc/en/register-client",
		},
		Scopes:       map[Protocol][]string{IMAP: {"mail:imap_full"}, SMTP: {"mail:smtp"}},
		IdleInterval: yandexIdle,
		IdleSource:   "https://github.com/mjs/imapclient/issues/234",
		Mechanisms:   map[Protocol][]string{IMAP: {"XOAUTH2", "PLAIN"}, POP3: {"PLAIN"}, SMTP: {"XOAUTH2", "PLAIN", "LOGIN"}},
	}
	p.Refused[FlowBrowser] = "Yandex has no scope for POP3; use app-password, or IMAP"
	p.serve("imap.yandex.com", "pop.yandex.com", "smtp.yandex.com")
	return p
}

// MailRu returns Mail.ru and its brands.
func MailRu() Provider {
	p := Provider{
		Name: "Mail.ru", Source: ispdb + "mail.ru", Checked: checked(),
		Notes:   []string{notTold},
		Domains: strings.Fields("mail.ru inbox.ru list.ru bk.ru corp.mail.ru"),
		MX:      []string{"mxs.mail.ru", "emx.mail.ru"},
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			AuthURL:    "https://o2.mail.ru/login",
			TokenURL:   "https://o2.mail.ru/token",
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		},
		Flows: map[Flow]FlowFacts{
			FlowBrowser:     {Secret: SecretRequired, Note: "Sources conflict about SMTP: some clients use the scope of IMAP for it, the provider's entry in the database of configurations has a password there."},
			FlowAppPassword: {Note: "People make it in the security settings of the account."},
		},
		Refused:    onlyPeople("use browser or app-password", "Mail.ru takes no account password from mail programs; use app-password or browser"),
		Scopes:     map[Protocol][]string{IMAP: {"mail.imap"}, POP3: {"mail.imap"}, SMTP: {"mail.imap"}},
		Mechanisms: map[Protocol][]string{IMAP: {"XOAUTH2", "PLAIN"}, POP3: {"XOAUTH2", "PLAIN"}},
	}
	p.serve("imap.mail.ru", "pop.mail.ru", "smtp.mail.ru")
	return p
}

// onlyPeople says why there are none of the ways of programs and devices, and no
// account password where a reason is given.
func onlyPeople(instead, password string) map[Flow]string {
	refused := map[Flow]string{
		FlowClientCredentials: "the provider has no way for programs in their own name; " + instead,
		FlowManagedIdentity:   "managed identities are of Microsoft's cloud; " + instead,
		FlowServiceAccount:    "service accounts are Google's; " + instead,
		FlowDevice:            "the provider is not known to have a sign-in on another device; " + instead,
	}
	if password != "" {
		refused[FlowPassword] = password
	}
	return refused
}
