package pop3test

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// Options change what a [Server] is like. The zero value is a modern server
// without TLS. [ExchangeOptions] and [GmailOptions] return those of servers that people meet.
type Options struct {
	// Security is how connections are protected: in plain text, which allows
	// signing in, by TLS from the start, or by STLS, for which
	// [mailtest.STARTTLS] stands.
	Security mailtest.Security
	// TLS holds the server's certificate. Where it is nil, one is made on first
	// use for localhost, 127.0.0.1, ::1 and Hosts.
	TLS *tls.Config
	// Hosts are further names for that certificate.
	Hosts []string
	// Hostname is how the server names itself in the timestamp of APOP,
	// "mail.example.com" if empty.
	Hostname string

	// Capabilities are the lines of the answer to CAPA, with parameters where a
	// capability has them; nil means [DefaultCapabilities]. STLS comes by itself
	// where Security asks for it. What is left out is not known either: its
	// commands and codes are gone, and a client that is seen to send commands
	// ahead without PIPELINING is sent away. A word that the server does not know is
	// offered and has no effect.
	Capabilities []string
	// NoCAPA makes the server ignorant of CAPA. The capabilities are there
	// without it.
	NoCAPA bool
	// APOP puts a timestamp into the greeting and takes APOP (RFC 1939, section
	// 7).
	APOP bool
	// Last adds the command LAST, which RFC 1460 had.
	Last bool
	// Words are what the server says in words of its own.
	Words Words

	// TwoStepAuth wants AUTH and its first response on two lines, and ends the
	// connection where they come on one, as Exchange Online does.
	TwoStepAuth bool
	// NoTokenChallenge answers a refused token with -ERR at once, as Microsoft's
	// servers do, instead of sending the error challenge first.
	NoTokenChallenge bool
	// CheckToken, if not nil, decides about access tokens here, in the place of
	// what the accounts have; see [mailtest.TokenCheck] for its errors. The user
	// is an account's address.
	CheckToken func(ctx context.Context, user string, token secret.Text) error

	// Admit, if not nil, is asked about each sign-in whose secret is good. Unless
	// it is empty, what it returns is said behind -ERR, and the client is not let
	// in: "[SYS/TEMP] too many connections". The user is an account's address.
	Admit func(user string) string

	// Folder is the folder that is the maildrop, INBOX if empty.
	Folder string
	// Shared lets several sessions open a maildrop at the same time. Otherwise
	// all but the first are refused with IN-USE.
	Shared bool
	// LoginDelay is how long an account has to wait between two sign-ins. It
	// becomes the parameter of the capability LOGIN-DELAY where that has none.
	LoginDelay time.Duration
	// Idle is after how much time without a command a session is ended, without
	// a word and without removing anything; 10 minutes if 0, which is the
	// least that RFC 1939 allows.
	Idle time.Duration

	// UID, if not nil, returns what UIDL says of a message, in the place of a
	// name made of UIDVALIDITY and UID. It is called anew for each line, so that
	// names can change as well as repeat; an empty one makes a malformed line.
	UID func(m mailtest.Message) string
	// Size, if not nil, returns the size that STAT and LIST tell of a message,
	// in the place of the true one; Exchange's is an estimate.
	Size func(m mailtest.Message) int
	// Stuck, if not nil, says which messages QUIT does not manage to remove: it
	// removes the others and answers -ERR (RFC 1939, section 6).
	Stuck func(m mailtest.Message) bool
	// StrictUTF8 refuses to show messages whose header is not ASCII to a client
	// that has not said UTF8, with the code UTF8 (RFC 6856, section 5).
	StrictUTF8 bool

	// Retrieved is what becomes of the messages that a client retrieved, when it
	// says QUIT. By default that is nothing.
	Retrieved Fate
	// IgnoreDELE agrees to DELE and does with the message what Retrieved says.
	IgnoreDELE bool
	// Once shows a message to no session after one that retrieved it and said
	// QUIT.
	Once bool
	// Recent takes user names with "recent:" ahead. Their sessions see the
	// messages of the last 30 days, also those that Once would hide, and change
	// nothing about who sees what.
	Recent bool
}

// Fate is what becomes of a message that was retrieved.
type Fate int

// The fates of messages.
const (
	// Keep leaves the message as it is.
	Keep Fate = iota
	// MarkRead sets the flag \Seen.
	MarkRead
	// Archive moves the message to the folder with the role of an archive.
	Archive
	// Trash moves the message to the folder with the role of a waste basket.
	Trash
)

// Words are what a server says behind +OK and -ERR, with a response code where
// it has one. What is empty is said in the words of this package.
type Words struct {
	// Greeting stands in the first line.
	Greeting string
	// SignedIn answers a sign-in.
	SignedIn string
	// WrongPassword and WrongToken refuse one.
	WrongPassword, WrongToken string
	// Bye answers QUIT.
	Bye string
}

// DefaultCapabilities returns what a server offers that was not told otherwise.
func DefaultCapabilities() []string {
	return []string{
		"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "UTF8 USER", "LANG", "USER",
		"SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER", "IMPLEMENTATION pop3test",
	}
}

// Without returns [DefaultCapabilities] without those of the given keywords,
// whose case does not matter.
func Without(keywords ...string) []string {
	return slices.DeleteFunc(DefaultCapabilities(), func(line string) bool {
		keyword, _, _ := strings.Cut(line, " ")
		return slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, keyword) })
	})
}

// ExchangeOptions returns options that make a server behave like Exchange Online, as
// far as this one can: few capabilities and no PIPELINING, AUTH in two steps
// and without an error challenge, sizes that are estimates, several sessions at
// a time, and retrieved messages marked as read.
func ExchangeOptions() *Options {
	return &Options{
		Capabilities: []string{"TOP", "UIDL", "SASL PLAIN XOAUTH2", "USER"},
		Words: Words{ //nolint:gosec // G101: words about passwords, and none of them.
			Greeting:      "The Microsoft Exchange POP3 service is ready. [ZgBhAGsAZQA=]",
			SignedIn:      "User successfully logged on.",
			WrongPassword: "Logon failure: unknown user name or bad password.",
			WrongToken:    "Authentication failure: unknown user name or bad password.",
			Bye:           "Microsoft Exchange Server POP3 server signing off.",
		},
		TwoStepAuth:      true,
		NoTokenChallenge: true,
		Shared:           true,
		Size:             func(m mailtest.Message) int { return len(m.Raw) + len(m.Raw)/16 + 100 },
		Retrieved:        MarkRead,
	}
}

// GmailOptions returns options that make a server behave like Gmail's, as far as this
// one can: a message is shown until a client has retrieved it, then filed as
// fate says, to DELE as well; a user name with "recent:" ahead sees what
// came in the last 30 days; several sessions open a maildrop at a time.
func GmailOptions(fate Fate) *Options {
	return &Options{
		Capabilities: []string{
			"USER", "RESP-CODES", "EXPIRE 0", "LOGIN-DELAY 300", "TOP", "UIDL", "X-GOOGLE-RICO",
			"SASL PLAIN XOAUTH2 OAUTHBEARER",
		},
		Words: Words{ //nolint:gosec // G101: words about passwords, and none of them.
			Greeting:      "Gpop ready for requests from 127.0.0.1",
			SignedIn:      "Welcome.",
			WrongPassword: "[AUTH] Username and password not accepted.",
			WrongToken:    "[AUTH] Username and password not accepted.",
			Bye:           "Farewell.",
		},
		Shared:     true,
		Retrieved:  fate,
		IgnoreDELE: true,
		Once:       true,
		Recent:     true,
	}
}

// complete fills in what was left to the package.
func (o *Options) complete() {
	o.Hostname = cmp.Or(o.Hostname, "mail.example.com")
	o.Folder = cmp.Or(o.Folder, "INBOX")
	o.Idle = cmp.Or(o.Idle, 10*time.Minute)
	o.Words.Greeting = cmp.Or(o.Words.Greeting, "pop3test ready")
	o.Words.SignedIn = cmp.Or(o.Words.SignedIn, "Signed in")
	o.Words.Bye = cmp.Or(o.Words.Bye, "Bye")
	if o.Capabilities == nil {
		o.Capabilities = DefaultCapabilities()
	}
	if o.UID == nil {
		o.UID = func(m mailtest.Message) string { return fmt.Sprintf("%08x%08x", uint32(m.UID), m.UIDValidity) }
	}
	if o.Size == nil {
		o.Size = func(m mailtest.Message) int { return wireSize(m.Raw) }
	}
	if o.Stuck == nil {
		o.Stuck = func(mailtest.Message) bool { return false }
	}
}
