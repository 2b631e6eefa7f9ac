package ewstest

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
)

// Path is where the service is, in the spelling of Exchange's documentation. The
// case of a path does not matter.
const Path = "/EWS/Exchange.asmx"

// Server is a fake Exchange server. It is safe for concurrent use.
type Server struct {
	box     *mailtest.Box
	options Options
	net     *fakenet.Server

	mu            sync.Mutex
	requests      []*Request
	kept          int             // bytes of bodies in requests
	bags          map[uint64]*bag // by the message's id
	counter       int
	sent          []Sent
	rounds        []*round
	told          map[uint64]toldFlags         // by the message's id
	hierarchies   map[string]map[uint64]string // by sync state
	generation    int                          // of sync states
	blocked       map[string]bool
	subscriptions map[string]*subscription
	dropped       chan struct{} // closed when subscriptions end
	oof           map[*mailtest.Account]*node
}

// New returns a server for the accounts of a Box. It can be dialled in memory
// at once and opens no socket before [Server.Listen], [Server.Addr] or
// [Server.URL] is called. The options may be nil. [Server.Close] ends the server.
func New(box *mailtest.Box, o *Options) *Server {
	s := &Server{
		box: box, bags: make(map[uint64]*bag), hierarchies: make(map[string]map[uint64]string),
		subscriptions: make(map[string]*subscription), dropped: make(chan struct{}), oof: make(map[*mailtest.Account]*node),
	}
	if o != nil {
		s.options = *o
	}
	s.options.complete()
	s.net = fakenet.New(s.serve, &fakenet.Options{
		Security: s.options.Security, TLS: s.options.TLS, Hosts: s.options.Hosts,
	})
	return s
}

// Dial connects in memory and returns the client's end; network and address are
// ignored. It has the signature of [net/http.Transport.DialContext]. It fails
// with the context's error, or with an error wrapping [syscall.ECONNREFUSED]
// after Close.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.net.Dial(ctx, network, address)
}

// Listen makes the server reachable over TCP as well, on a free port of
// 127.0.0.1. Further calls change nothing.
func (s *Server) Listen() error { return s.net.Listen() }

// Addr returns the TCP address as host:port, and calls Listen for it if need
// be. It returns "" where that fails; Listen says why.
func (s *Server) Addr() string { return s.net.Addr() }

// URL returns the address of the service over TCP. It calls Listen if need be.
func (s *Server) URL() string { return s.scheme() + "://" + s.Addr() + Path }

func (s *Server) scheme() string {
	if s.options.Security == mailtest.TLS {
		return "https"
	}
	return "http"
}

// Close ends the listener and all connections and waits for their goroutines.
// It returns nil and may be called more than once.
func (s *Server) Close() error {
	err := s.net.Close()
	s.DropSubscriptions()
	return err
}

// ClientTLS returns new settings for a client that trusts the server's
// certificate and nothing else. ServerName is empty: the client sets it, to
// localhost or one of the options' Hosts. It returns nil where no certificate
// could be made.
func (s *Server) ClientTLS() *tls.Config { return s.net.ClientTLS() }

// Inject makes the server answer wrongly as the faults say. They wait until a
// fitting request comes, on whatever connection.
func (s *Server) Inject(faults ...mailtest.Fault) { s.net.Inject(faults...) }

// Pending returns how many injected faults have not come to their end. A test
// that expects all to be met finds 0.
func (s *Server) Pending() int { return s.net.Pending() }

// Heal takes back the injected faults that have not come to their end.
func (s *Server) Heal() { s.net.Heal() }

// Commands returns the requests as all fakes tell what their clients said: the
// operation as the name, and behind it in the line the attributes and short
// texts of the request. Of very many only the newest are kept, 10,000 at least.
// [Server.Requests] tells more.
func (s *Server) Commands() []mailtest.Command { return s.net.Commands() }

// Disconnect ends every connection at once, as a restart does. New ones are
// still taken. Subscriptions stay.
func (s *Server) Disconnect() { s.net.Disconnect() }

// Connections returns how many connections were made so far and how many of
// them are open.
func (s *Server) Connections() (made, open int) { return s.net.Connections() }

// next returns a number that was never given out before.
func (s *Server) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counter++
	return s.counter
}
