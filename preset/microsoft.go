package preset

import (
	"net/url"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// outlook is what Microsoft's mail protocols take tokens for. IMAP and SMTP
// share it, so that one access token opens both.
const outlook = "https://outlook.office.com"

// Microsoft365 returns Exchange Online. The tenant is its id or a domain of
// it, or "organizations" for all work and school accounts, or "common" for
// these and personal accounts. Only the tenant itself works for clients that
// are registered for it alone.
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
	base := "https://login.microsoftonline.com/" + url.PathEscape(tenant)
	return Provider{
		Name:    name,
		Source:  "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
		Checked: time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC),
		Endpoint: oauth.Endpoint{
			// The issuer names the tenant by its id, whatever the address says.
			Issuer:                "https://login.microsoftonline.com/{tenantid}/v2.0",
			AuthURL:               base + "/oauth2/v2.0/authorize",
			TokenURL:              base + "/oauth2/v2.0/token",
			DeviceURL:             base + "/oauth2/v2.0/devicecode",
			IdleLimit:             90 * 24 * time.Hour,
			ResponseMode:          "form_post",
			RefreshTokensReusable: true,
		},
		RedirectURL:  "http://localhost",
		SignInScopes: []string{"openid", "email", "profile", "offline_access"},
		Scopes: map[Protocol][]string{
			IMAP: {outlook + "/IMAP.AccessAsUser.All"},
			SMTP: {outlook + "/SMTP.Send"},
		},
		IMAP:      session.Server{Host: "outlook.office365.com", Port: 993, Security: session.TLS, Resource: outlook},
		SMTP:      session.Server{Host: smtp, Port: 587, Security: session.STARTTLS, Resource: outlook},
		FilesSent: true,
	}
}
