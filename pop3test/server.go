package pop3test

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
)

// Server is a fake POP3 server. It is safe for concurrent use.
type Server struct {
	box      *mailtest.Box
	options  Options
	commands map[string]command
	net      *fakenet.Server

	mu      sync.Mutex
	stamps  int                             // greetings with a timestamp so far
	locked  map[*mailtest.Account]int       // sessions that have the maildrop open
	entered map[*mailtest.Account]time.Time // the last sign-in
	shown   map[*mailtest.Account]map[uint64]bool
}

// New returns a server for the accounts of a Box. It can be dialled in memory
// at once and opens no socket before [Server.Listen] or [Server.Addr] is
// called. The options may be nil. [Server.Close] ends the server.
func New(box *mailtest.Box, o *Options) *Server {
	s := &Server{
		box: box, locked: make(map[*mailtest.Account]int), entered: make(map[*mailtest.Account]time.Time),
		shown: make(map[*mailtest.Account]map[uint64]bool),
	}
	if o != nil {
		s.options = *o
	}
	s.options.complete()
	s.commands = known()
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
// localhost or one of the options' Hosts. It returns nil where no certificate
// could be made.
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
// passwords, digests and tokens. The lines within AUTH appear under its name. Of
// very many commands only the newest are kept, 10,000 at least.
func (s *Server) Commands() []mailtest.Command { return s.net.Commands() }

// Disconnect ends every connection at once, as a restart does. New ones are
// still taken. What their sessions had marked as deleted stays.
func (s *Server) Disconnect() { s.net.Disconnect() }

// Connections returns how many connections were made so far and how many of
// them are open.
func (s *Server) Connections() (made, open int) { return s.net.Connections() }

// Occupy opens an account's maildrop as another client's session does: nobody
// else gets in, unless the options have Shared, until release is called, which
// may be called more than once. It waits for nothing and counts as no sign-in.
func (s *Server) Occupy(account *mailtest.Account) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked[account]++
	return sync.OnceFunc(func() { s.release(account) })
}

// Occupied reports whether a session has the account's maildrop open.
func (s *Server) Occupied(account *mailtest.Account) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked[account] > 0
}

func (s *Server) release(account *mailtest.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked[account]--
}
