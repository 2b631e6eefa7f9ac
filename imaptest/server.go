package imaptest

import (
	"cmp"
	"context"
	"crypto/tls"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// Options change what a [Server] is like. The zero value is a modern server
// without TLS.
type Options struct {
	// Security is how connections are protected: in plain text, which allows
	// signing in, by TLS from the start, or by STARTTLS.
	Security mailtest.Security
	// TLS holds the server's certificate. Where it is nil, one is made on first
	// use for localhost, 127.0.0.1, ::1 and Hosts.
	TLS *tls.Config
	// Hosts are further names for that certificate.
	Hosts []string
	// Capabilities are what the server offers and knows, in the words of the
	// CAPABILITY response; nil means [DefaultCapabilities]. IMAP4rev1, STARTTLS
	// and LOGINDISABLED come by themselves where they apply. What is left out is
	// not known either: its commands, items and codes are gone. A word that the
	// server does not know is offered and has no effect.
	Capabilities []string
	// QuietCapabilities leaves the CAPABILITY code out of the greeting and of
	// the answer to a sign-in, so that clients have to ask.
	QuietCapabilities bool
	// NoTokenChallenge answers a refused token with NO at once, as Microsoft's
	// servers do, instead of sending the error challenge first.
	NoTokenChallenge bool
	// CheckToken, if not nil, decides about access tokens here, in the place of
	// what the accounts have; see [mailtest.TokenCheck] for its errors. The user
	// is an account's address.
	CheckToken func(ctx context.Context, user string, token secret.Text) error
	// NoModSeq are the names of folders that keep no change counters, although
	// the server offers CONDSTORE (RFC 7162, section 3.1.2.2).
	NoModSeq []string
	// Prefix stands before the names of all folders of an account but INBOX, and
	// ends in "/", such as "INBOX/". NAMESPACE tells it, and a name without it is
	// refused.
	Prefix string
	// NoCharset refuses a SEARCH that names a charset, with NO and the code
	// BADCHARSET, as servers do that compare ASCII alone.
	NoCharset bool
	// WantID refuses to open a folder before the client has named itself by ID, as
	// NetEase's servers do.
	WantID bool
	// MaxMessage is the size in bytes that APPEND takes, 50 MiB if 0.
	MaxMessage int
}

// DefaultCapabilities returns what a server offers that was not told otherwise.
func DefaultCapabilities() []string {
	return []string{
		"IMAP4rev1", "SASL-IR", "LITERAL+", "ID", "ENABLE", "NAMESPACE", "UNSELECT", "UIDPLUS", "MOVE",
		"CONDSTORE", "QRESYNC", "ESEARCH", "PARTIAL", "OBJECTID", "PREVIEW", "QUOTA", "QUOTA=RES-STORAGE",
		"QUOTA=RES-MESSAGE", "COMPRESS=DEFLATE", "CREATE-SPECIAL-USE", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE", "IDLE", "NOTIFY", "CHILDREN",
		"AUTH=PLAIN", "AUTH=LOGIN", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER",
	}
}

// GmailCapabilities returns what Gmail's server offers, as far as this one knows
// it. An account that is to behave like one of Gmail has its folders made labels
// by [mailtest.Account.UseLabels].
func GmailCapabilities() []string {
	return []string{
		"IMAP4rev1", "UNSELECT", "IDLE", "NAMESPACE", "QUOTA", "ID", "X-GM-EXT-1", "UIDPLUS", "COMPRESS=DEFLATE",
		"ENABLE", "MOVE", "CONDSTORE", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS", "LITERAL-", "SPECIAL-USE",
		"CHILDREN", "SASL-IR", "AUTH=XOAUTH2", "AUTH=PLAIN", "AUTH=OAUTHBEARER",
	}
}

// Without returns [DefaultCapabilities] without the given ones, whose case does
// not matter.
func Without(capabilities ...string) []string {
	return slices.DeleteFunc(DefaultCapabilities(), func(c string) bool {
		return slices.ContainsFunc(capabilities, func(d string) bool { return strings.EqualFold(c, d) })
	})
}

// Server is a fake IMAP server. It is safe for concurrent use.
type Server struct {
	box          *mailtest.Box
	options      Options
	capabilities map[string]bool // in upper case
	commands     map[string]command
	net          *fakenet.Server

	mu       sync.Mutex
	recent   map[uint32]mailtest.UID // by UIDVALIDITY: the UID from which on messages are recent
	ids      []map[string]string     // what clients said of themselves
	previews map[previewKey]bool     // that were made
}

// New returns a server for the accounts of a Box. It can be dialled in memory
// at once and opens no socket before [Server.Listen] or [Server.Addr] is
// called. The options may be nil. [Server.Close] ends the server.
func New(box *mailtest.Box, o *Options) *Server {
	s := &Server{box: box, capabilities: make(map[string]bool), recent: make(map[uint32]mailtest.UID), previews: make(map[previewKey]bool)}
	if o != nil {
		s.options = *o
	}
	s.options.MaxMessage = cmp.Or(s.options.MaxMessage, 50<<20)
	if s.options.Capabilities == nil {
		s.options.Capabilities = DefaultCapabilities()
	}
	for _, c := range s.options.Capabilities {
		s.capabilities[strings.ToUpper(c)] = true
	}
	s.commands = s.known()
	s.net = fakenet.New(s.serve, &fakenet.Options{
		Security: s.options.Security, TLS: s.options.TLS, Hosts: s.options.Hosts,
	})
	return s
}

// Dial connects in memory and returns the client's end; network and address are
// ignored. It has the signature that clients want for dialling. It fails with
// the context's error, or with an error wrapping [syscall.ECONNREFUSED] after
// Close.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.net.Dial(ctx, network, address)
}

// Listen makes the server reachable over TCP as well, on a free port of
// 127.0.0.1. Further calls change nothing.
func (s *Server) Listen() error { return s.net.Listen() }

// Addr returns the TCP address as host:port, and calls Listen for it if need
// be. It returns "" where that fails; Listen says why.
func (s *Server) Addr() string { return s.net.Addr() }

// Close ends the listener and all connections and waits for their goroutines.
// It returns nil and may be called more than once.
func (s *Server) Close() error { return s.net.Close() }

// ClientTLS returns new settings for a client that trusts the server's
// certificate and nothing else. ServerName is empty: the client sets it, to
// localhost or one of the options' Hosts.
func (s *Server) ClientTLS() *tls.Config { return s.net.ClientTLS() }

// Inject makes the server answer wrongly as the faults say. They wait until a
// fitting command comes, on whatever connection.
func (s *Server) Inject(faults ...mailtest.Fault) { s.net.Inject(faults...) }

// Pending returns how many injected faults have not come to their end. A test
// that expects all to be met finds 0.
func (s *Server) Pending() int { return s.net.Pending() }

// Heal takes back the injected faults that have not come to their end.
func (s *Server) Heal() { s.net.Heal() }

// Commands returns what clients said, in the order of arrival and without
// passwords and tokens. The lines within AUTHENTICATE appear under its name,
// the one that ends IDLE as DONE. Of very many commands only the newest are
// kept, 10,000 at least.
func (s *Server) Commands() []mailtest.Command { return s.net.Commands() }

// IDs returns what clients said of themselves by ID (RFC 2971), in the order of
// arrival: a map from the names of fields, in lower case, to their values, nil
// for one that said NIL.
func (s *Server) IDs() []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]map[string]string, len(s.ids))
	for i, id := range s.ids {
		ids[i] = maps.Clone(id)
	}
	return ids
}

// Disconnect ends every connection at once, as a restart does. New ones are
// still taken.
func (s *Server) Disconnect() { s.net.Disconnect() }

// Connections returns how many connections were made so far and how many of
// them are open.
func (s *Server) Connections() (made, open int) { return s.net.Connections() }

// offers reports whether the capability, in upper case, is one of the options'.
func (s *Server) offers(capability string) bool { return s.capabilities[capability] }

// recentFrom returns from which UID on the messages of the folder with that
// UIDVALIDITY are recent: no session has been told of them.
func (s *Server) recentFrom(validity uint32) mailtest.UID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent[validity]
}

// claimRecent makes the messages before next recent for no further session.
func (s *Server) claimRecent(validity uint32, next mailtest.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent[validity] = max(s.recent[validity], next)
}
