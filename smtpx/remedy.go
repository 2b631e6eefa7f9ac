package smtpx

import (
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
	askForSignIn = "the server wants a sign-in before it takes mail: give credentials"
	useOAuth     = "passwords are not accepted here; sign in with OAuth"
	askForRights = `the user may not send as this sender: grant "Send As" for the address, or use the user's own`
)

// advices are in the order in which they are looked at; the first that fits
// counts. Most are Exchange Online's, whose texts name the switch that refused
// but not where it is.
func advices() []advice {
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
		{code: 534, enhanced: smtp.EnhancedCode{5, 7, 9}, remedy: "use an app password, or sign in with OAuth"},
		{enhanced: smtp.EnhancedCode{5, 7, 60}, remedy: askForRights},
		{enhanced: smtp.EnhancedCode{5, 2, 252}, remedy: askForRights},
		{code: 530, text: "starttls", remedy: "set the server's Security to STARTTLS"},
		{code: 530, remedy: askForSignIn},
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
