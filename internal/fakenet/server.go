// Package fakenet is what all fake mail servers share: connections in memory
// and over loopback TCP, TLS, lines with limits, a record of what clients said,
// signing in, and the engine that makes a server go wrong as a
// [mailtest.Fault] describes.
//
// A protocol is a [Handler]: a function that serves one [Conn] until it
// returns. It brackets each answer with [Conn.Begin] and [Conn.End]; everything
// written between the two is the answer that faults are applied to, byte by byte
// and without knowledge of the protocol.
package fakenet

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"sync"
	"syscall"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// Handler serves one connection until it returns, which ends the connection.
// The context ends when the connection is closed from this side.
type Handler func(ctx context.Context, c *Conn)

// Options change how a [Server] takes connections. The zero value is a server
// without TLS.
type Options struct {
	// Security is how connections are protected. With TLS the handshake is
	// done before the handler is called; with STARTTLS the handler calls
	// [Conn.StartTLS].
	Security mailtest.Security
	// TLS holds the server's certificate, nil for one made on first use.
	TLS *tls.Config
	// Hosts are further names of the certificate made on first use, beside
	// localhost, 127.0.0.1 and ::1.
	Hosts []string
	// MaxLine is the longest line that [Conn.ReadLine] takes, in bytes and
	// without its line end; 64 KiB if 0.
	MaxLine int
}

// keptCommands is how many commands a server remembers at least.
const keptCommands = 10_000

// Server takes connections and hands them to its handler, each on a goroutine
// of its own. It is safe for concurrent use.
type Server struct {
	handler   Handler
	options   Options
	authority func() (*testtls.Authority, error)

	mu       sync.Mutex
	changed  sync.Cond // of mu; told when a goroutine ends
	listener net.Listener
	conns    map[*Conn]struct{}
	accepted int
	running  int // goroutines, the accept loop included
	closed   bool
	faults   []*injected
	expired  []secret.Text // tokens that a fault made expire
	commands []mailtest.Command
}

// New returns a server that can be dialled in memory at once. It opens no
// socket before [Server.Listen]. The options may be nil.
func New(h Handler, o *Options) *Server {
	s := &Server{handler: h, conns: make(map[*Conn]struct{})}
	if o != nil {
		s.options = *o
	}
	s.options.MaxLine = cmp.Or(s.options.MaxLine, 64<<10)
	s.changed.L = &s.mu
	s.authority = sync.OnceValues(func() (*testtls.Authority, error) {
		return testtls.New(append([]string{"localhost", "127.0.0.1", "::1"}, s.options.Hosts...)...)
	})
	return s
}

// Security returns how connections are protected.
func (s *Server) Security() mailtest.Security { return s.options.Security }

// Dial connects in memory and returns the client's end. Network and address
// are ignored. It fails with the context's error, or with an error wrapping
// [syscall.ECONNREFUSED] after Close. The connection outlives the context.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, _ = network, address
	err := ctx.Err()
	client, server := pipe.New()
	if err == nil && !s.serve(context.WithoutCancel(ctx), server) {
		err = syscall.ECONNREFUSED
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: server.LocalAddr(), Err: err}
	}
	return client, nil
}

// Listen makes the server reachable over TCP, on a free port of 127.0.0.1.
// Further calls change nothing.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	if s.closed {
		return net.ErrClosed
	}
	ctx := context.Background()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.listener = l
	s.running++
	go s.accept(ctx, l)
	return nil
}

func (s *Server) accept(ctx context.Context, l net.Listener) {
	defer s.ended(nil)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.serve(ctx, c)
	}
}

// Addr returns the TCP address as host:port, after calling [Server.Listen]. It
// returns "" where that fails; Listen says why.
func (s *Server) Addr() string {
	if s.Listen() != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener.Addr().String()
}

// serve starts the goroutine of a connection. It returns false where the
// server is closed.
func (s *Server) serve(ctx context.Context, raw net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = raw.Close()
		return false
	}
	s.accepted++
	s.running++
	ctx, cancel := context.WithCancel(ctx)
	c := newConn(s, raw, s.accepted, ctx.Done(), cancel)
	s.conns[c] = struct{}{}
	go func() {
		defer s.ended(c)
		c.run(ctx)
	}()
	return true
}

// ended counts a goroutine out, together with its connection if it had one.
func (s *Server) ended(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.running--
	s.changed.Broadcast()
}

// Close ends the listener and every connection and waits for their goroutines.
// It returns nil, and may be called more than once, but not by a handler.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	s.cutAll()
	for s.running > 0 {
		s.changed.Wait()
	}
	return nil
}

// Disconnect ends every connection at once, as a restart of the server does.
// New connections are still taken.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutAll()
}

func (s *Server) cutAll() {
	for c := range s.conns {
		c.Cut()
		delete(s.conns, c)
	}
}

// Connections returns how many connections were made so far and how many of
// them are open.
func (s *Server) Connections() (made, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, len(s.conns)
}

// Commands returns what clients said so far, in the order of arrival. Of very
// many, only the newest are kept, 10,000 at least.
func (s *Server) Commands() []mailtest.Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

func (s *Server) record(c mailtest.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.commands) == 2*keptCommands {
		s.commands = append(s.commands[:0], s.commands[keptCommands:]...)
	}
	s.commands = append(s.commands, c)
}

// serverTLS returns the settings that connections are protected with.
func (s *Server) serverTLS() (*tls.Config, error) {
	if s.options.TLS != nil {
		return s.options.TLS, nil
	}
	a, err := s.authority()
	if err != nil {
		return nil, err
	}
	return a.Server(), nil
}

// Certificate returns the one that the server shows, the first of its settings, and nil
// where they have none.
func (s *Server) Certificate() *x509.Certificate {
	config, err := s.serverTLS()
	if err != nil || len(config.Certificates) == 0 {
		return nil
	}
	chain := config.Certificates[0]
	if chain.Leaf != nil {
		return chain.Leaf
	}
	if len(chain.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(chain.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

// ClientTLS returns new settings for a client that trusts the server's
// certificate and nothing else, without a ServerName. It returns nil where no
// certificate could be made.
func (s *Server) ClientTLS() *tls.Config {
	if s.options.TLS == nil {
		a, err := s.authority()
		if err != nil {
			return nil
		}
		return a.Client()
	}
	pool := x509.NewCertPool()
	for _, chain := range s.options.TLS.Certificates {
		for _, der := range chain.Certificate {
			if cert, err := x509.ParseCertificate(der); err == nil {
				pool.AddCert(cert)
			}
		}
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
