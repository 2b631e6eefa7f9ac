package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/proxy"
)

// fake is a proxy in memory. Each connection to it is played by a function.
type fake struct {
	play func(conn net.Conn)

	mu       sync.Mutex
	dialled  []string // the addresses by which the proxy was reached
	requests []string // what was asked of it, by the players below
	open     []net.Conn
}

// newFake returns a proxy that ends its connections with the test.
func newFake(t *testing.T, play func(f *fake, conn net.Conn)) *fake {
	t.Helper()
	f := &fake{}
	f.play = func(conn net.Conn) { play(f, conn) }
	t.Cleanup(f.close)
	return f
}

// Dial connects to the proxy, whatever the address.
func (f *fake) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := pipe.New()
	f.mu.Lock()
	f.dialled = append(f.dialled, address)
	f.open = append(f.open, server)
	f.mu.Unlock()
	go f.play(server)
	return client, nil
}

func (f *fake) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.open {
		_ = conn.Close()
	}
}

func (f *fake) note(request string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request)
}

// seen returns what was asked of the proxy, and how often it was dialled.
func (f *fake) seen() (requests []string, dials int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.requests...), len(f.dialled)
}

// answering reads one request before each answer and is silent then. A request
// is noted as "CONNECT target credentials".
func answering(answers ...string) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) {
		r := bufio.NewReader(conn)
		for _, answer := range answers {
			if !f.readRequest(r) {
				return
			}
			_, _ = io.WriteString(conn, answer)
		}
	}
}

// oneEach gives each connection one of the answers and leaves it open.
func oneEach(answers ...string) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) {
		_, n := f.seen()
		answering(answers[n-1])(f, conn)
	}
}

// once gives one answer and closes the connection.
func once(answer string) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) {
		answering(answer)(f, conn)
		_ = conn.Close()
	}
}

func (f *fake) readRequest(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	f.note(req.Method + " " + req.RequestURI + " " + req.Header.Get("Proxy-Authorization"))
	return true
}

// saying reads n bytes before each of the answers, one after the other.
func saying(steps ...step) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) {
		for _, s := range steps {
			p := make([]byte, s.read)
			if _, err := io.ReadFull(conn, p); err != nil {
				return
			}
			f.note(string(p))
			_, _ = io.WriteString(conn, s.say)
			if s.end {
				_ = conn.Close()
			}
		}
	}
}

type step struct {
	read int
	say  string
	end  bool
}

// forwarding is a whole HTTP proxy, which lets those through who send the
// credentials, "" for none.
func forwarding(credentials string, next proxy.Dial) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) {
		defer conn.Close()
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		f.note(req.Method + " " + req.RequestURI)
		if req.Header.Get("Proxy-Authorization") != credentials {
			_, _ = io.WriteString(conn, "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
			return
		}
		far, err := next(context.Background(), "tcp", req.RequestURI)
		if err != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nProxy-Agent: fake\r\n\r\n")
		relay(conn, far)
	}
}

// underTLS puts TLS in front of a player.
func underTLS(cfg *tls.Config, play func(*fake, net.Conn)) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) { play(f, tls.Server(conn, cfg)) }
}

// forwardingSOCKS is a whole SOCKS5 proxy, which takes one user and password,
// none where user is empty.
func forwardingSOCKS(user, password string, next proxy.Dial) func(*fake, net.Conn) {
	return func(f *fake, conn net.Conn) {
		defer conn.Close()
		methods := read(conn, int(read(conn, 2)[1]))
		if user == "" {
			_, _ = conn.Write([]byte{5, 0})
		} else {
			if len(methods) < 2 || methods[1] != 2 {
				_, _ = conn.Write([]byte{5, 0xff})
				return
			}
			_, _ = conn.Write([]byte{5, 2})
			gotUser := string(read(conn, int(read(conn, 2)[1])))
			gotPassword := string(read(conn, int(read(conn, 1)[0])))
			if gotUser != user || gotPassword != password {
				_, _ = conn.Write([]byte{1, 1})
				return
			}
			_, _ = conn.Write([]byte{1, 0})
		}
		target := socksTarget(conn)
		f.note("CONNECT " + target)
		far, err := next(context.Background(), "tcp", target)
		if err != nil {
			_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		_, _ = conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 4, 56})
		relay(conn, far)
	}
}

// read reads n bytes, zeros where there are no more.
func read(r io.Reader, n int) []byte {
	p := make([]byte, n)
	_, _ = io.ReadFull(r, p)
	return p
}

func socksTarget(r io.Reader) string {
	var host string
	switch read(r, 4)[3] {
	case 1:
		host = net.IP(read(r, 4)).String()
	case 3:
		host = string(read(r, int(read(r, 1)[0])))
	case 4:
		host = net.IP(read(r, 16)).String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(read(r, 2)))))
}

// relay copies in both directions until either side ends.
func relay(near, far net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
	<-done
}
