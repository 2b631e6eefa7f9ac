package oauthtest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"github.com/mailsession/mailsession/internal/pipe"
)

// firstPort is the first of the ports that a memory network hands out for
// port 0, and ports their number.
const (
	firstPort = 40000
	ports     = 20000
)

// memory is a loopback network of pipes: listeners by address and port.
type memory struct {
	mu        sync.Mutex
	next      uint16
	listeners map[netip.AddrPort]*memoryListener
}

// listen opens a listener on a loopback address, as [net.ListenConfig.Listen]
// does. Port 0 takes a free one.
func (m *memory) listen(ctx context.Context, network, address string) (net.Listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, opError("listen", network, fmt.Errorf("%q is not a loopback address and a port", address))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.Port() == 0 {
		at = m.free(at.Addr())
	}
	if m.listeners[at] != nil {
		return nil, opError("listen", network, syscall.EADDRINUSE)
	}
	l := &memoryListener{Listener: pipe.NewListener(), network: m, at: at}
	if m.listeners == nil {
		m.listeners = make(map[netip.AddrPort]*memoryListener)
	}
	m.listeners[at] = l
	return l, nil
}

// free returns a port of ip that nobody listens on.
func (m *memory) free(ip netip.Addr) netip.AddrPort {
	for {
		at := netip.AddrPortFrom(ip, firstPort+m.next%ports)
		m.next++
		if m.listeners[at] == nil {
			return at
		}
	}
}

// dial connects to a listener. The name localhost means ::1 and then 127.0.0.1,
// as in most browsers.
func (m *memory) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, opError("dial", network, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, opError("dial", network, err)
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"::1", "127.0.0.1"}
	}
	for _, h := range hosts {
		ip, err := netip.ParseAddr(h)
		if err != nil {
			return nil, opError("dial", network, err)
		}
		m.mu.Lock()
		l := m.listeners[netip.AddrPortFrom(ip, uint16(number))]
		m.mu.Unlock()
		if l != nil {
			return l.Dial(ctx)
		}
	}
	return nil, opError("dial", network, syscall.ECONNREFUSED)
}

func opError(op, network string, err error) error {
	return &net.OpError{Op: op, Net: network, Err: err}
}

// memoryListener is a pipe listener with an address.
type memoryListener struct {
	*pipe.Listener
	network *memory
	at      netip.AddrPort
}

// Addr returns a [*net.TCPAddr], as a program expects of a loopback listener.
func (l *memoryListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// Close frees the address.
func (l *memoryListener) Close() error {
	l.network.mu.Lock()
	if l.network.listeners[l.at] == l {
		delete(l.network.listeners, l.at)
	}
	l.network.mu.Unlock()
	return l.Listener.Close()
}

// Listen opens a listener that [Server.Browser] and [Server.Client] reach: in
// memory where the server is in memory, else on the machine's loopback
// interface. It is what a program's redirect listener is opened with. The
// address is a literal loopback address and a port; port 0 takes a free one.
func (s *Server) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if s.memory != nil {
		return s.memory.listen(ctx, network, address)
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, network, address)
}

// Dial connects to the server, or to a listener that [Server.Listen] opened.
// A server in memory reaches nothing else.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.memory != nil {
		return s.memory.dial(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
