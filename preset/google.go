package preset

import (
	"net/url"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// gmail is the one scope for Google's mail protocols.
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
		Checked: time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC),
		Endpoint: oauth.Endpoint{ //nolint:gosec // G101: addresses that everybody may know
			Issuer:                "https://accounts.google.com",
			AuthURL:               "https://accounts.google.com/o/oauth2/v2/auth",
			TokenURL:              "https://oauth2.googleapis.com/token",
			RevokeURL:             "https://oauth2.googleapis.com/revoke",
			IdleLimit:             180 * 24 * time.Hour,
			GrantTypes:            []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantJWTBearer},
			RefreshTokensReusable: true,
		},
		RedirectURL: "http://127.0.0.1",
		// Without these a second sign-in gets no refresh token.
		AuthParams:   url.Values{"access_type": {"offline"}, "prompt": {"consent"}},
		SignInScopes: []string{"openid", "email"},
		Scopes: map[Protocol][]string{
			IMAP: {gmail},
			POP3: {gmail},
			SMTP: {gmail},
		},
		AppScopes: map[Protocol][]string{
			IMAP: {gmail},
			POP3: {gmail},
			SMTP: {gmail},
		},
		IMAP:            session.Server{Host: "imap.gmail.com", Port: 993, Security: session.TLS},
		POP3:            session.Server{Host: "pop.gmail.com", Port: 995, Security: session.TLS},
		SMTP:            session.Server{Host: "smtp.gmail.com", Port: 465, Security: session.TLS, FilesSent: true},
		FilesSentSource: "https://support.google.com/mail/answer/78892",
	}
}
