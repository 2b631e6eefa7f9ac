package pipe

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// backlog is how many connections may wait for Accept.
const backlog = 128

// Listener is a [net.Listener] without a network: [Listener.Dial] makes the
// connections that Accept returns.
type Listener struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []net.Conn
	closed  bool
}

// NewListener returns a listener that is ready to be dialled.
func NewListener() *Listener {
	l := &Listener{}
	l.changed.L = &l.mu
	return l
}

// Dial connects to the listener and returns the client's end. As with TCP it
// does not wait for Accept. It fails with the context's error where that has
// ended, and with an error wrapping [syscall.ECONNREFUSED] where the listener is
// closed or 128 connections wait for Accept already.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, l.dialError(err)
	}
	client, server := New()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting) == backlog {
		return nil, l.dialError(syscall.ECONNREFUSED)
	}
	l.waiting = append(l.waiting, server)
	l.changed.Broadcast()
	return client, nil
}

func (l *Listener) dialError(err error) error {
	return &net.OpError{Op: "dial", Net: "pipe", Addr: l.Addr(), Err: err}
}

// Accept returns the server's end of the next connection, in the order of
// dialling. It waits for one and fails with [net.ErrClosed] after Close.
func (l *Listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.waiting) == 0 {
		l.changed.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "pipe", Addr: l.Addr(), Err: net.ErrClosed}
	}
	c := l.waiting[0]
	l.waiting = l.waiting[1:]
	return c, nil
}

// Close ends Accept and the connections that nobody accepted. It returns nil.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.waiting {
		_ = c.Close()
	}
	l.waiting = nil
	l.changed.Broadcast()
	return nil
}

// Addr returns an address whose network is "pipe".
func (l *Listener) Addr() net.Addr { return addr("server") }
