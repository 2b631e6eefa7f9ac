// Package preset is what is known of mail providers, as data: endpoints,
// scopes, servers, ways of signing in, limits and dates, so that a program names
// a provider and not its addresses. Every provider says where its data is from
// and when it was last compared with that.
//
//	p := preset.Microsoft365("common")
//	grant, err := oauth.SignIn(ctx, p.Config(clientID, preset.IMAP, preset.SMTP), nil)
//
// A preset has no client id. Register the program with the provider, and give
// the client id that it gets there to [Provider.Config].
//
// [Names] lists the providers, [New] returns one with the tenant or the host
// that it depends on, [ByDomain] and [ByMX] know whose an address is. Nothing
// here does I/O; package lookup, below this one, asks DNS and web servers.
//
// What is not known is left out, never guessed: nil flows, no limits, no source
// of FilesSent. A Provider is a value; changing its fields is how a program
// corrects what is known here. Those of maps and slices are its own.
package preset

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// Protocol is a way to mail at a provider.
type Protocol string

// The protocols. IMAP and POP3 read, SMTP sends, EWS and Graph do both.
const (
	IMAP  Protocol = "IMAP"
	POP3  Protocol = "POP3"
	SMTP  Protocol = "SMTP"
	EWS   Protocol = "EWS"
	Graph Protocol = "Graph"
)

// Protocols returns all protocols.
func Protocols() []Protocol { return []Protocol{IMAP, POP3, SMTP, EWS, Graph} }

// usual are the protocols that a program opens that names none. POP3 is not
// among them: who reads by IMAP need not be allowed to empty the mailbox by POP3.
func usual() []Protocol { return []Protocol{IMAP, SMTP} }

// Reads reports whether mail is read by the protocol.
func (p Protocol) Reads() bool { return p != SMTP }

// Sends reports whether mail is sent by the protocol.
func (p Protocol) Sends() bool { return p == SMTP || p == EWS || p == Graph }

// Provider is one provider of mail.
type Provider struct {
	// ID is the name that New knows it by, empty for one that is not in Names.
	ID string
	// Name is what people call it.
	Name string
	// Source and Checked say where the data is from and when it was last
	// compared with that.
	Source  string
	Checked time.Time
	// Notes are what a person has to know or to do before it works, in full
	// sentences.
	Notes []string

	// Domains are those of the addresses that are always at the provider, with a
	// dot before one whose subdomains are meant, MX the ends of the names of its
	// mail exchangers, which serve other domains too. Both are in lower case.
	Domains, MX []string

	// Endpoint is the provider's authorization server. It is zero where there
	// is none.
	Endpoint oauth.Endpoint
	// Flows are the ways of signing in that the provider has; nil where that is
	// not known. See Allows.
	Flows map[Flow]FlowFacts
	// Refused says why the provider has no way that one might expect, and what
	// is there in its place.
	Refused map[Flow]string
	// RedirectURL is the redirect to register for programs on a user's
	// computer: a loopback one where Redirects allows that.
	RedirectURL string
	// Redirects are the provider's rules for redirects.
	Redirects RedirectRules
	// AuthParams are parameters that the provider's sign-in needs.
	AuthParams url.Values
	// SignInScopes are those that name the user and allow to refresh.
	SignInScopes []string
	// Scopes are all those of each protocol. ScopeUses says which of them a
	// program does without that does less.
	Scopes map[Protocol][]string
	// ScopeUses says what scopes are needed for. One that is not in it is
	// needed for whatever its protocol is opened for.
	ScopeUses map[string]ScopeUse
	// AppScopes are those that a program asks for in its own name; see
	// AppConfig.
	AppScopes map[Protocol][]string

	// IMAP, POP3 and SMTP are the servers, zero where there is none. FilesSent of
	// SMTP tells whether the provider files what is sent through it.
	IMAP, POP3, SMTP session.Server
	// EWS and Graph are the services over HTTPS, zero where there is none.
	EWS, Graph Service
	// FilesSentSource is where FilesSent is known from. It is empty where
	// FilesSent is false because nobody knows.
	FilesSentSource string
	// LocalUsers are the protocols whose servers take the part of the address
	// before the @ as the user's name, and not all of it. See User.
	LocalUsers []Protocol
	// Mechanisms are the SASL mechanisms that a protocol's server is known to
	// take, best first. It is knowledge for people: clients choose by what the
	// server offers, unless Mechanisms of the server itself says otherwise.
	Mechanisms map[Protocol][]string
	// IdleInterval is after how long an IDLE is to be begun anew, zero where
	// nothing else is known than the 29 minutes of RFC 2177; IdleSource is where
	// it is known from.
	IdleInterval time.Duration
	IdleSource   string
	// Limits are what the provider says of a protocol's limits.
	Limits map[Protocol]Limits
	// Retirements are the ways that end, or have ended. See Warnings.
	Retirements []Retirement
}

// Service is a way to mail over HTTPS.
type Service struct {
	// URL is its address: of the file for EWS, as
	// https://mail.contoso.example/EWS/Exchange.asmx, of the root with the
	// version for Graph, as https://graph.microsoft.com/v1.0.
	URL string
	// Resource is what access tokens for it have to be issued for; see
	// [oauth.Sources].
	Resource string
}

// Limits are what a provider bears of one mailbox. A field is zero where
// nothing is known.
type Limits struct {
	// Connections is how many may be open at once.
	Connections int
	// MessagesPerMinute and MessagesPerDay are how many may be sent.
	MessagesPerMinute, MessagesPerDay int
	// Recipients is how many a message may have, RecipientsPerDay how many all
	// of a day's messages may.
	Recipients, RecipientsPerDay int
	// MessageSize is the largest message in bytes, as encoded.
	MessageSize int64
	// DownloadPerDay and UploadPerDay are in bytes.
	DownloadPerDay, UploadPerDay int64
	// Note says what the numbers do not, such as of requests and minutes.
	Note string
	// Source is where this is from.
	Source string
}

// Server returns the mail server of IMAP, POP3 or SMTP, and whether there is
// one.
func (p Provider) Server(proto Protocol) (session.Server, bool) {
	var s session.Server
	switch proto {
	case IMAP:
		s = p.IMAP
	case POP3:
		s = p.POP3
	case SMTP:
		s = p.SMTP
	case EWS, Graph:
	}
	return s, s.Host != ""
}

// Service returns the service of EWS or Graph, and whether there is one.
func (p Provider) Service(proto Protocol) (Service, bool) {
	var s Service
	switch proto {
	case EWS:
		s = p.EWS
	case Graph:
		s = p.Graph
	case IMAP, POP3, SMTP:
	}
	return s, s.URL != ""
}

// User returns the name to sign in with for an address: the address, or the part
// of it before the @ where the protocol's server wants that.
func (p Provider) User(proto Protocol, address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || !slices.Contains(p.LocalUsers, proto) {
		return address
	}
	return address[:at]
}

// Offers reports whether the provider has a protocol.
func (p Provider) Offers(proto Protocol) bool {
	_, server := p.Server(proto)
	_, service := p.Service(proto)
	return server || service
}

// Protocols returns what the provider offers, in the order of the constants.
func (p Provider) Protocols() []Protocol {
	return slices.DeleteFunc(Protocols(), func(proto Protocol) bool { return !p.Offers(proto) })
}
