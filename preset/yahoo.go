package preset

import (
	"strings"

	"github.com/mailsession/mailsession/oauth"
)

// Yahoo returns Yahoo Mail. New clients need an agreement with Yahoo about its
// mail interfaces before they get the scope; people with an app password do
// without.
func Yahoo() Provider {
	p := yahoo("Yahoo", "api.login.yahoo.com", "imap.mail.yahoo.com", "pop.mail.yahoo.com", "smtp.mail.yahoo.com")
	p.Domains = strings.Fields(`
		yahoo.com ymail.com myyahoo.com rocketmail.com
		yahoo.de yahoo.it yahoo.fr yahoo.es yahoo.se
		yahoo.co.in yahoo.co.uk yahoo.co.nz yahoo.com.au yahoo.com.ar yahoo.com.br yahoo.com.mx
		cox.net
	`)
	p.MX = []string{"am0.yahoodns.net"}
	p.Notes = append(p.Notes, "IMAP shows the newest 10,000 messages of a folder; export.imap.mail.yahoo.com shows all of them, and changes none.")
	return p
}

// AOL returns AOL Mail and its brands, and Verizon's mail, which AOL keeps. A
// client of Yahoo's is not one of AOL's.
func AOL() Provider {
	p := yahoo("AOL", "api.login.aol.com", "imap.aol.com", "pop.aol.com", "smtp.aol.com")
	p.Domains = strings.Fields(`
		aol.com aim.com netscape.net netscape.com compuserve.com cs.com wmconnect.com verizon.net
		aol.de aol.it aol.fr aol.es aol.se aol.co.uk aol.co.nz aol.com.au aol.com.ar aol.com.br aol.com.mx
	`)
	p.MX = []string{"gm0.yahoodns.net"}
	return p
}

// ATT returns AT&T's mail and that of the companies it took over, which Yahoo
// keeps. Its sign-in is Yahoo's.
func ATT() Provider {
	p := yahoo("AT&T", "api.login.yahoo.com", "imap.mail.att.net", "inbound.att.net", "smtp.mail.att.net")
	p.Source = "https://www.att.com/support/article/email-support/KM1010523/"
	p.Domains = strings.Fields(`
		att.net ameritech.net bellsouth.net currently.com flash.net nvbell.net pacbell.net prodigy.net sbcglobal.net
		snet.net swbell.net wans.net
	`)
	return p
}

// yahoo is what Yahoo's brands share.
func yahoo(name, authorization, imap, pop3, smtp string) Provider {
	p := Provider{
		Name: name, Source: "https://senders.yahooinc.com/developer/documentation/", Checked: checked(),
		Notes: []string{"A new client needs a signed agreement with Yahoo about its mail interfaces before it gets the scope mail-w.", notTold},
		Endpoint: oauth.Endpoint{
			AuthURL:    "https://" + authorization + "/oauth2/request_auth",
			TokenURL:   "https://" + authorization + "/oauth2/get_token",
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
			AuthStyle:  oauth.InHeader,
		},
		Flows: map[Flow]FlowFacts{
			FlowBrowser:     {Secret: SecretRequired},
			FlowAppPassword: {Note: "People make it in the security settings of the account."},
		},
		Refused: map[Flow]string{ //nolint:gosec // G101: words about passwords
			FlowClientCredentials: "Yahoo has no way for programs in their own name; use browser or app-password",
			FlowManagedIdentity:   "managed identities are of Microsoft's cloud; use browser or app-password",
			FlowServiceAccount:    "service accounts are Google's; use browser or app-password",
			FlowDevice:            "Yahoo has no sign-in on another device; use browser or app-password",
			FlowPassword:          "Yahoo takes no account password from mail programs; use app-password or browser",
		},
		Scopes: map[Protocol][]string{IMAP: {"mail-w"}, POP3: {"mail-w"}, SMTP: {"mail-w"}},
		Mechanisms: map[Protocol][]string{
			IMAP: {"OAUTHBEARER", "XOAUTH2", "PLAIN"}, POP3: {"OAUTHBEARER", "XOAUTH2", "PLAIN"}, SMTP: {"OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"},
		},
	}
	p.serve(imap, pop3, smtp)
	return p
}
