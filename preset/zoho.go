package preset

import "github.com/mailsession/mailsession/oauth"

// zohoRegions are Zoho's data centres by the domain that their addresses end in.
// An account is at one of them.
func zohoRegions() []string {
	return []string{"zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zoho.com.cn", "zohocloud.ca"}
}

// Zoho returns Zoho Mail of a region, which is the domain that the region's
// addresses end in, such as "zoho.com", "zoho.eu" or "zohocloud.ca"; New knows
// them all by these names. With organization the servers are those for users
// with a domain of their own.
//
// Zoho's servers are not known to take access tokens for IMAP, POP3 and SMTP. The
// Endpoint is that of its other interfaces.
func Zoho(region string, organization bool) Provider {
	name, host := "Zoho Mail", ""
	if organization {
		name, host = "Zoho Mail for organizations", "pro"
	}
	p := Provider{
		Name: name + " (" + region + ")", Source: "https://www.zoho.com/mail/help/imap-access.html", Checked: checked(),
		Notes: []string{"IMAP and POP3 have to be switched on in the settings of the mailbox, under Mail Accounts."},
		Endpoint: oauth.Endpoint{
			AuthURL:               "https://accounts." + region + "/oauth/v2/auth",
			TokenURL:              "https://accounts." + region + "/oauth/v2/token",
			RevokeURL:             "https://accounts." + region + "/oauth/v2/token/revoke",
			GrantTypes:            []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
			RefreshTokensReusable: true,
		},
		Flows: map[Flow]FlowFacts{
			FlowPassword:    {Note: "An account with two-factor authentication needs an app password in its place."},
			FlowAppPassword: {Note: "People make it in the security settings of the account."},
		},
		Refused: onlyPeople("use password or app-password", ""),
	}
	p.Refused[FlowBrowser] = "Zoho's servers are not known to take tokens for IMAP, POP3 and SMTP; use password or app-password"
	p.serve("imap"+host+"."+region, "pop"+host+"."+region, "smtp"+host+"."+region)
	switch {
	case organization:
		p.MX = []string{region}
	case region == "zohocloud.ca", region == "zoho.com.cn":
		// Whose addresses are there is not known.
	default:
		p.Domains = []string{region, "zohomail" + region[len("zoho"):]}
	}
	return p
}

// zohoEntries are those of all regions.
func zohoEntries() []entry {
	var entries []entry
	for _, region := range zohoRegions() {
		entries = append(entries,
			fixed(region, func() Provider { return Zoho(region, false) }),
			fixed(region+"-organization", func() Provider { return Zoho(region, true) }))
	}
	return entries
}
