package smtptest

import (
	"net/mail"
	"slices"
	"strings"
	"time"
)

// ExchangeOptions returns options that make a server behave like Exchange Online's
// submission, as far as this one can: its extensions, with LOGIN and XOAUTH2
// alone; tokens that are refused without an error challenge; mail as another
// sender than the account refused; three connections an account that send at a
// time, and 30 messages a minute. What an administrator has switched off is one of
// the policies [SMTPAuthDisabled] and [BasicAuthDisabled], put ahead of the others.
func ExchangeOptions() *Options {
	return &Options{
		Extensions: []string{
			"SIZE", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "AUTH LOGIN XOAUTH2", "8BITMIME", "BINARYMIME",
			"CHUNKING", "SMTPUTF8",
		},
		MaxMessage:       150 << 20,
		MaxRecipients:    500,
		NoTokenChallenge: true,
		Words: Words{ //nolint:gosec // G101: words about passwords, and none of them.
			Greeting:      "220 AM0PR01CA0001.outlook.office365.com Microsoft ESMTP MAIL Service ready",
			SignedIn:      "235 2.7.0 Authentication successful",
			WrongPassword: "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]",
			WrongToken:    "535 5.7.3 Authentication unsuccessful [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]",
			SignInFirst:   "530 5.7.57 Client not authenticated to send mail. [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]",
			Bye:           "221 2.0.0 Service closing transmission channel",
		},
		Policies: []Policy{
			OwnSender(nil),
			AtMostOpen("MAIL", 3, "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information."),
			Rate("MAIL", 30, time.Minute, ByUser, "421 4.4.2 Message submission rate for this client has exceeded the configured limit"),
		},
	}
}

// SMTPAuthDisabled refuses every sign-in of the users as Exchange Online does where
// an administrator has not allowed authenticated SMTP for a mailbox, or for the
// organization where no users are given.
func SMTPAuthDisabled(users ...string) Policy {
	where := "Mailbox"
	if len(users) == 0 {
		where = "Tenant"
	}
	return func(e Event) string {
		if e.Command != "AUTH" || len(users) > 0 && !containsAddress(users, e.User) {
			return ""
		}
		return "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the " + where +
			". Visit https://aka.ms/smtp_auth_disabled for more information."
	}
}

// BasicAuthDisabled refuses sign-ins with a password as Exchange Online does.
func BasicAuthDisabled() Policy {
	return func(e Event) string {
		if e.Command != "AUTH" || e.Mechanism != "PLAIN" && e.Mechanism != "LOGIN" {
			return ""
		}
		return "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."
	}
}

// OwnSender refuses MAIL with a sender that is neither the account's address nor
// among those that it may send as, in Exchange's words. The map is from accounts to
// senders and may be nil. Clients that have not signed in are not looked at, nor is
// the null sender.
func OwnSender(sendAs map[string][]string) Policy {
	return func(e Event) string {
		if e.Command != "MAIL" || e.User == "" || e.From == "" || maySendAs(sendAs, e.User, e.From) {
			return ""
		}
		return "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
	}
}

// OwnAuthor is [OwnSender] for the address of the field From, where Exchange
// refuses the whole message.
func OwnAuthor(sendAs map[string][]string) Policy {
	return func(e Event) string {
		if e.Command != EndOfData || e.User == "" {
			return ""
		}
		author := authorOf(e.Raw)
		if author == "" || maySendAs(sendAs, e.User, author) {
			return ""
		}
		return "554 5.2.252 SendAsDenied; " + e.User + " not allowed to send as " + author +
			"; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; " +
			"Failed to process message due to a permanent exception with message Cannot submit message."
	}
}

// maySendAs reports whether the sender is the user or one of the user's.
func maySendAs(sendAs map[string][]string, user, sender string) bool {
	if strings.EqualFold(user, sender) {
		return true
	}
	for account, senders := range sendAs {
		if strings.EqualFold(account, user) && containsAddress(senders, sender) {
			return true
		}
	}
	return false
}

func containsAddress(addresses []string, address string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool { return strings.EqualFold(a, address) })
}

// authorOf returns the first address of the field From, "" where none is found.
func authorOf(raw string) string {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return ""
	}
	all, err := m.Header.AddressList("From")
	if err != nil || len(all) == 0 {
		return ""
	}
	return all[0].Address
}
