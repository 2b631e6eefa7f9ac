// Package smtptest is a fake SMTP submission server over a [mailtest.Box]:
// what it accepts for an address that has an account arrives in that account's
// INBOX.
//
//	box := mailtest.New()
//	box.Add("ann@example.com", secret.New("correct horse"))
//	server := smtptest.New(box, nil)
//	defer server.Close()
//
// Clients reach it over TCP at [Server.Addr], or without a network through
// [Server.Dial], which also works inside a bubble of testing/synctest. A
// session of package session gets there with
//
//	session.Server{Host: "smtp.example.com", Dial: server.Dial, Security: session.None, AllowPlainAuth: true}
//
// or, where the options have Security: mailtest.TLS and the host among Hosts,
//
//	session.Server{Host: "smtp.example.com", Dial: server.Dial, TLS: server.ClientTLS()}
//
// [Server.Messages] has what was accepted, [Server.Commands] what clients said.
//
// # Protocol
//
// It speaks RFC 5321 with PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC
// 6152), SMTPUTF8 (RFC 6531), ENHANCEDSTATUSCODES (RFC 2034), CHUNKING (RFC
// 3030), DSN (RFC 3461), STARTTLS (RFC 3207) and AUTH (RFC 4954) with PLAIN,
// LOGIN, XOAUTH2 and OAUTHBEARER. [Options] can switch each of them off with
// [Without], and on with [With]: BINARYMIME (RFC 3030), REQUIRETLS (RFC 8689),
// DELIVERBY (RFC 2852), MT-PRIORITY (RFC 6710) and LIMITS (RFC 9422), of which it
// keeps MAILMAX, RCPTMAX and RCPTDOMAINMAX. What is asked for by these parameters
// is judged, kept and not done: no reports are sent.
//
// # Strictness
//
// What a lenient server would guess at, it refuses: lone CRs and LFs, also in
// chunks unless they are BINARYMIME, paths with spaces, parameters that are not
// on offer, wrong or given twice. A client that is seen to send commands ahead
// without PIPELINING, or anything behind DATA, AUTH, EHLO, NOOP, VRFY or QUIT before
// the answer, is sent away; it is seen where the bytes come together. Lines of
// commands may have 2,048 bytes, those of a message as many as
// [Options.MaxTextLine] says.
//
// Nobody may send before signing in, unless [Options] allow it. Mail to an
// address in the domain of an account needs that account to be there; mail to
// any other domain is accepted, as for delivery elsewhere, and kept in Messages
// alone.
//
// # Refusals that servers make
//
// [Options.Policies] refuse what is well-formed: [Greylist], [Rate] and
// [AtMostOpen] for limits of senders, recipients, users and connections,
// [OwnSender] and [OwnAuthor] for senders that are not the account's, and any
// function of a test. They keep time by package time, which is virtual in a bubble.
// [ExchangeOptions] are those of Exchange Online, with [SMTPAuthDisabled] and
// [BasicAuthDisabled] for what its administrators switch off:
//
//	o := smtptest.ExchangeOptions()
//	o.Policies = append([]smtptest.Policy{smtptest.SMTPAuthDisabled()}, o.Policies...)
//
// # Going wrong
//
// [Server.Inject] takes [mailtest.Fault] values. Their command names are the
// verbs, such as "EHLO" and "RCPT", and [EndOfData] for the dot that ends a
// message. A recipient is refused by
//
//	server.Inject(mailtest.Reply("RCPT", "550 5.1.1 no such user").Containing("bob@"))
//
// and [mailtest.Content] is the arrival of a message's bytes, so that the connection
// is cut after 100 bytes of the third last chunk by
//
//	fault := mailtest.Drop(mailtest.Content, 100).Containing("LAST")
//	fault.Skip = 2
package smtptest

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// EndOfData is the name, for faults and in [Server.Commands], of the line that
// ends the message after DATA. A fault that drops the connection there loses
// the server's answer to a message that it has accepted; with Fault.Ignore set
// as well, it loses the message too.
const EndOfData = "."

// Options change how a [Server] behaves. The zero value is a server in plain
// text that has all extensions and wants clients to sign in.
type Options struct {
	// Security is how connections are protected. With STARTTLS nothing but
	// EHLO, NOOP, RSET, QUIT and STARTTLS is taken before TLS.
	Security mailtest.Security

	// TLS holds the server's certificate, nil for one made on first use.
	TLS *tls.Config

	// Hosts are further names of the certificate made on first use, beside
	// localhost, 127.0.0.1 and ::1.
	Hosts []string

	// Hostname is how the server names itself, "mail.example.com" if empty.
	Hostname string

	// Extensions are the lines of the answer to EHLO, with parameters where an
	// extension has them. Nil means [DefaultExtensions]. What is not among
	// them is not known to the server. STARTTLS is added where Security asks
	// for it.
	Extensions []string

	// NoEHLO makes the server refuse EHLO, so that it has no extensions.
	NoEHLO bool

	// Anonymous lets clients send without signing in, but only to addresses
	// that have accounts.
	Anonymous bool

	// NoTokenChallenge answers a refused token with 535 at once, as Microsoft's
	// servers do, instead of sending the error challenge first.
	NoTokenChallenge bool

	// CheckToken, if not nil, decides about access tokens here, in the place of
	// what the accounts have; see [mailtest.TokenCheck] for its errors. The user
	// is an account's address.
	CheckToken func(ctx context.Context, user string, token secret.Text) error

	// MaxMessage is the largest message in bytes, 50 MiB if 0.
	MaxMessage int

	// MaxRecipients is how many recipients a message may have, 1,000 if 0.
	MaxRecipients int

	// MaxTextLine is the longest line of a message in bytes and without its line
	// end; any length if 0. RFC 5321 section 4.5.3.1.6 asks for 998.
	MaxTextLine int

	// Idle is how long a client may take between two commands before it is sent
	// away with 421; any time if 0.
	Idle time.Duration

	// Policies are asked, in their order, before the server agrees to a step.
	Policies []Policy

	// Words are what the server says in words of its own.
	Words Words
}

// Words are whole answers with their codes, such as "220 mx.example.com ready".
// What is empty is said in the words of this package.
type Words struct {
	// Greeting is the first line.
	Greeting string
	// SignedIn answers a sign-in.
	SignedIn string
	// WrongPassword and WrongToken refuse one.
	WrongPassword, WrongToken string
	// SignInFirst refuses mail of a client that has not signed in.
	SignInFirst string
	// Bye answers QUIT.
	Bye string
}

// DefaultExtensions returns what [Options.Extensions] stands for where it is
// nil. SIZE gets its parameter from [Options.MaxMessage].
func DefaultExtensions() []string {
	return []string{
		"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN",
		"AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER",
	}
}

// Without returns [DefaultExtensions] without those of the given keywords, whose
// case does not matter.
func Without(keywords ...string) []string {
	return slices.DeleteFunc(DefaultExtensions(), func(line string) bool {
		keyword, _, _ := strings.Cut(line, " ")
		return slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, keyword) })
	})
}

// With returns [DefaultExtensions] and the given lines, each in the place of the
// one with its keyword where there is one:
//
//	smtptest.With("BINARYMIME", "REQUIRETLS", "LIMITS MAILMAX=10", "AUTH PLAIN")
func With(lines ...string) []string {
	all := DefaultExtensions()
	for _, line := range lines {
		keyword, _, _ := strings.Cut(line, " ")
		i := slices.IndexFunc(all, func(other string) bool {
			k, _, _ := strings.Cut(other, " ")
			return strings.EqualFold(k, keyword)
		})
		if i < 0 {
			all = append(all, line)
			continue
		}
		all[i] = line
	}
	return all
}

// Message is a message that the server accepted.
type Message struct {
	// Conn is the number of the connection, counted from 1.
	Conn int
	// Encrypted tells whether the message came over TLS.
	Encrypted bool
	// Hello is the name that the client introduced itself by.
	Hello string
	// User is the address of the account that the client signed in to, "" if
	// it did not.
	User string
	// From is the sender's address, "" for the null sender.
	From string
	// Params are the parameters of the MAIL command, as they came.
	Params string
	// To are the accepted recipients, in the order of their RCPT commands.
	To []string
	// ToParams are the parameters of each of these commands, as they came.
	ToParams []string
	// Raw is the message as it came, without the protocol's dots.
	Raw string
	// Stuffed is what came after DATA: with the protocol's dots, and with the line
	// that ends the message. It is empty where the message came by BDAT.
	Stuffed string
	// Chunked tells whether it came by BDAT, and Chunks in pieces of what length.
	Chunked bool
	Chunks  []int
	// QueueID is the name that the server gave it in its answer.
	QueueID string
}

// Server is a fake SMTP server. It is safe for concurrent use.
type Server struct {
	box     *mailtest.Box
	options Options
	net     *fakenet.Server

	mu       sync.Mutex
	messages []Message
	open     map[string]int // connections by the account's address, "" for all of them
}

// New returns a server over box that can be dialled in memory at once. It opens
// no socket before [Server.Addr] or [Server.Listen] is called. The options may
// be nil.
func New(box *mailtest.Box, o *Options) *Server {
	s := &Server{box: box, open: map[string]int{}}
	if o != nil {
		s.options = *o
	}
	s.options.Hostname = cmp.Or(s.options.Hostname, "mail.example.com")
	s.options.MaxMessage = cmp.Or(s.options.MaxMessage, 50<<20)
	s.options.MaxRecipients = cmp.Or(s.options.MaxRecipients, 1000)
	if s.options.Extensions == nil {
		s.options.Extensions = DefaultExtensions()
	}
	s.net = fakenet.New(s.serve, &fakenet.Options{
		Security: s.options.Security, TLS: s.options.TLS, Hosts: s.options.Hosts,
		MaxLine: s.options.MaxMessage + maxCommand,
	})
	return s
}

// Listen makes the server reachable over TCP, on a free port of 127.0.0.1.
// Further calls change nothing.
func (s *Server) Listen() error { return s.net.Listen() }

// Addr returns the TCP address as host:port, after calling [Server.Listen]. It
// returns "" where that fails; Listen says why.
func (s *Server) Addr() string { return s.net.Addr() }

// Dial connects in memory and returns the client's end; network and address are
// ignored. It fails with the context's error, or after Close. The connection
// outlives the context.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.net.Dial(ctx, network, address)
}

// ClientTLS returns new settings for a client that trusts the server's
// certificate and nothing else, without a ServerName. It returns nil where no
// certificate could be made.
func (s *Server) ClientTLS() *tls.Config { return s.net.ClientTLS() }

// Inject adds faults behind those that are waiting.
func (s *Server) Inject(faults ...mailtest.Fault) { s.net.Inject(faults...) }

// Pending returns how many injected faults have not come to their end.
func (s *Server) Pending() int { return s.net.Pending() }

// Heal takes back all faults that have not come to their end.
func (s *Server) Heal() { s.net.Heal() }

// Commands returns what clients said, in the order of arrival and without
// passwords and tokens. The lines within AUTH appear under its name, those of a
// message not at all. Of very many commands only the newest are kept, 10,000 at
// least.
func (s *Server) Commands() []mailtest.Command { return s.net.Commands() }

// Connections returns how many connections were made so far and how many of
// them are open.
func (s *Server) Connections() (made, open int) { return s.net.Connections() }

// Disconnect ends every connection at once, as a restart of the server does.
// New connections are still taken.
func (s *Server) Disconnect() { s.net.Disconnect() }

// Close ends the listener and every connection and waits for their goroutines.
// It returns nil and may be called more than once.
func (s *Server) Close() error { return s.net.Close() }

// Messages returns the messages accepted so far, in that order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.messages)
	for i := range all {
		all[i].To, all[i].ToParams = slices.Clone(all[i].To), slices.Clone(all[i].ToParams)
		all[i].Chunks = slices.Clone(all[i].Chunks)
	}
	return all
}

// opened counts a connection, or one that signed in.
func (s *Server) opened(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[user]++
}

// left takes back what [Server.opened] counted for a connection.
func (s *Server) left(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[""]--
	if user != "" {
		s.open[user]--
	}
}

// openNow returns how many connections are open, of the user if it is not empty.
func (s *Server) openNow(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[user]
}

// accept keeps a message, delivers it to those recipients that have an account
// and returns its queue id.
func (s *Server) accept(m Message) string {
	s.mu.Lock()
	m.QueueID = queueID(len(s.messages) + 1)
	s.messages = append(s.messages, m)
	s.mu.Unlock()
	var local, seen []string
	for _, to := range m.To {
		key := strings.ToLower(to)
		if _, ok := s.box.Account(to); ok && !slices.Contains(seen, key) {
			local, seen = append(local, to), append(seen, key)
		}
	}
	// All of them have an account, and accounts do not go away.
	_ = s.box.Deliver(m.Raw, local...)
	return m.QueueID
}

// queueID writes a number as servers write their ids.
func queueID(n int) string {
	const letters = "BCDFGHJKLMNPQRSTVWXYZ0123456789"
	id := []byte("4mt000000")
	for i := len(id) - 1; n > 0 && i > 2; i-- {
		id[i] = letters[n%len(letters)]
		n /= len(letters)
	}
	return string(id)
}

// local reports whether mail to the address stays here: an account has its
// domain.
func (s *Server) local(address string) bool {
	domain := domainOf(address)
	return slices.ContainsFunc(s.box.Accounts(), func(a *mailtest.Account) bool {
		return strings.EqualFold(domainOf(a.Address()), domain)
	})
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
