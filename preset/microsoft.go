package preset

import (
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// outlook is what Microsoft's mail protocols take tokens for. IMAP, POP3 and SMTP
// share it, so that one access token opens all that it has the scopes for.
const outlook = "https://outlook.office.com"

// outlookApp is what a program asks for in its own name. Microsoft documents it
// with this name of the resource alone, other than for people's permissions.
const outlookApp = "https://outlook.office365.com/.default"

// Microsoft365 returns Exchange Online. The tenant is its id or a domain of
// it, or "organizations" for all work and school accounts, or "common" for
// these and personal accounts. Only the tenant itself works for clients that
// are registered for it alone, and for programs without a person.
//
// SMTP AUTH is switched off for most tenants and has to be switched on for the
// mailbox by an administrator, for OAuth too.
func Microsoft365(tenant string) Provider {
	return microsoft("Microsoft 365", tenant, "smtp.office365.com")
}

// OutlookCom returns Microsoft's personal accounts: outlook.com, hotmail.com,
// live.com and msn.com.
func OutlookCom() Provider {
	return microsoft("Outlook.com", "consumers", "smtp-mail.outlook.com")
}

func microsoft(name, tenant, smtp string) Provider {
	return Provider{
		Name:         name,
		Source:       "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
		Checked:      time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC),
		Endpoint:     oauth.MicrosoftEndpoint("", tenant),
		RedirectURL:  "http://localhost",
		SignInScopes: []string{"openid", "email", "profile", "offline_access"},
		Scopes: map[Protocol][]string{
			IMAP: {outlook + "/IMAP.AccessAsUser.All"},
			POP3: {outlook + "/POP.AccessAsUser.All"},
			SMTP: {outlook + "/SMTP.Send"},
		},
		AppScopes: map[Protocol][]string{
			IMAP: {outlookApp},
			POP3: {outlookApp},
			SMTP: {outlookApp},
		},
		IMAP:            session.Server{Host: "outlook.office365.com", Port: 993, Security: session.TLS, Resource: outlook},
		POP3:            session.Server{Host: "outlook.office365.com", Port: 995, Security: session.TLS, Resource: outlook},
		SMTP:            session.Server{Host: smtp, Port: 587, Security: session.STARTTLS, Resource: outlook, FilesSent: true},
		FilesSentSource: "https://docs.nextcloud.com/server/latest/admin_manual/groupware/mail.html",
	}
}
