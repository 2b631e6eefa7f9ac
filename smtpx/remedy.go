package smtpx

import (
	"slices"
	"strings"

	"github.com/emersion/go-smtp"
)

// advice is for refusals that users meet and that do not say what to do. A
// zero code and an empty text fit every refusal.
type advice struct {
	code     int
	enhanced smtp.EnhancedCode
	text     string // a part of the server's text, in lower case
	remedy   string
}

const (
	fewerAtATime = "send the message to fewer recipients at a time, or have SendAll send it again to the rest (Retry.Recipients)"
	askForSignIn = "the server wants a sign-in before it takes mail: give credentials"
	useOAuth     = "passwords are not accepted here; sign in with OAuth"
	askForRights = `the user may not send as this sender: grant "Send As" for the address, or use the user's own`
	dailyLimit   = "the account has sent as much as it may in a day: wait until tomorrow, or send through a service for bulk mail"
	sendLess     = "send less at a time: bound it by Options.Rate, Exchange Online takes 30 messages a minute"
)

// advices are in the order in which they are looked at; the first that fits
// counts: first those of whoever signs in, then those of whom he sends as, then
// those of how much he sends, last those of the message itself. Most are
// Exchange Online's, whose texts name the switch that refused but not where it
// is, and Gmail's.
func advices() []advice {
	return slices.Concat(signInAdvices(), senderAdvices(), amountAdvices(), messageAdvices())
}

// signInAdvices are about who signs in.
func signInAdvices() []advice {
	return []advice{
		{
			enhanced: smtp.EnhancedCode{5, 7, 139}, text: "smtpclientauthentication",
			remedy: `an administrator has to allow "Authenticated SMTP" for the mailbox or for the organization; a new token or password does not help`,
		},
		{enhanced: smtp.EnhancedCode{5, 7, 139}, text: "basic authentication is disabled", remedy: useOAuth},
		{enhanced: smtp.EnhancedCode{5, 7, 139}, text: "security defaults", remedy: useOAuth},
		{
			enhanced: smtp.EnhancedCode{5, 7, 57},
			remedy:   askForSignIn + `, and check that "Authenticated SMTP" is allowed for the mailbox`,
		},
		{
			code: 535, enhanced: smtp.EnhancedCode{5, 7, 3},
			remedy: "a token has to be issued for SMTP.Send, or SMTP.SendAsApp, and the user name has to be the mailbox's address; a password has to be right and still allowed",
		},
		{
			code: 535, enhanced: smtp.EnhancedCode{5, 7, 8}, text: "gsmtp",
			remedy: "Google takes an app password, which needs two-step verification, or OAuth with the scope https://mail.google.com/; the account's own password is not accepted",
		},
		{code: 534, enhanced: smtp.EnhancedCode{5, 7, 9}, remedy: "use an app password, or sign in with OAuth"},
		{code: 534, enhanced: smtp.EnhancedCode{5, 7, 14}, remedy: "sign in to the account with a web browser once, then use an app password or OAuth"},
		{code: 421, enhanced: smtp.EnhancedCode{4, 7, 66}, remedy: "the server wants TLS 1.2 or later: raise MinVersion in Server.TLS"},
		{code: 530, text: "starttls", remedy: "set the server's Security to STARTTLS"},
		{code: 530, remedy: askForSignIn},
	}
}

// senderAdvices are about whom the message is from.
func senderAdvices() []advice {
	return []advice{
		{text: "sendasdenied", remedy: askForRights},
		{enhanced: smtp.EnhancedCode{5, 7, 60}, remedy: askForRights},
		{enhanced: smtp.EnhancedCode{5, 2, 252}, remedy: askForRights},
		{
			enhanced: smtp.EnhancedCode{5, 1, 8}, text: "bad outbound sender",
			remedy: `the account is blocked for sending spam: secure it, then an administrator takes it off the "Restricted entities" in the Defender portal`,
		},
		{
			enhanced: smtp.EnhancedCode{5, 7, 708},
			remedy:   "Exchange Online takes no mail from this address or organization for its reputation: new and trial organizations are limited; ask its support to lift that",
		},
		{
			enhanced: smtp.EnhancedCode{5, 7, 64}, text: "tenantattribution",
			remedy: "the connector does not recognize this machine: sign in and use the port for submission, or correct the connector's address or certificate",
		},
		{
			enhanced: smtp.EnhancedCode{5, 7, 26},
			remedy:   "the sender's domain does not vouch for this server: send through the domain's own server, or add it to the domain's SPF record, or sign with DKIM",
		},
	}
}

// amountAdvices are about how much is sent how fast.
func amountAdvices() []advice {
	return []advice{
		{enhanced: smtp.EnhancedCode{4, 3, 2}, text: "concurrent connections", remedy: "use fewer connections: lower Options.MaxConnections, Exchange Online allows three a mailbox"},
		{enhanced: smtp.EnhancedCode{4, 4, 2}, text: "submission rate", remedy: sendLess},
		{text: "submission quota", remedy: dailyLimit},
		{enhanced: smtp.EnhancedCode{5, 4, 5}, remedy: dailyLimit},
		{enhanced: smtp.EnhancedCode{5, 7, 705}, remedy: dailyLimit},
		{enhanced: smtp.EnhancedCode{4, 7, 28}, remedy: sendLess},
		{code: 421, enhanced: smtp.EnhancedCode{4, 7, 0}, text: "gsmtp", remedy: "Gmail wants to be left alone for a while: " + sendLess},
		{enhanced: smtp.EnhancedCode{4, 5, 3}, remedy: fewerAtATime},
		{enhanced: smtp.EnhancedCode{5, 5, 3}, remedy: fewerAtATime},
		{text: "too many recipients", remedy: fewerAtATime},
	}
}

// messageAdvices are about the message itself.
func messageAdvices() []advice {
	return []advice{
		{enhanced: smtp.EnhancedCode{5, 3, 4}, remedy: "the message is too large: send a link in place of the attachment"},
		{enhanced: smtp.EnhancedCode{5, 2, 3}, remedy: "the message is too large: send a link in place of the attachment"},
		{code: 552, enhanced: smtp.EnhancedCode{5, 7, 0}, text: "security issue", remedy: "an attachment is of a kind that Gmail refuses, also within archives: send a link in its place"},
	}
}

// remedy says what to do about e, "" where that is not known.
func remedy(e *Error) string {
	text := strings.ToLower(e.Text)
	for _, a := range advices() {
		if (a.code == 0 || a.code == e.Code) &&
			(a.enhanced == smtp.EnhancedCode{} || a.enhanced == e.Enhanced) &&
			strings.Contains(text, a.text) {
			return a.remedy
		}
	}
	return ""
}
