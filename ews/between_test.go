package ews_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/session"
)

// between is what stands before a server: it sees every request and changes answers. An
// answer that it has say "Connection: close" ends the connection, as does one of which
// it returns nothing.
type between struct {
	// request is told of what the client says, and returns what the server hears.
	request func(text string) string
	// answer is told of an answer, and of the request before it. An answer longer than
	// the server writes at once comes in pieces, of which it sees the first.
	answer func(text, request string) string

	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	dials  int
	basic  int // how often the password went as such
	proofs int // how often its proof by NTLM went
	asks   int // for what is to be proven
}

// stand puts it before the server that the settings lead to.
func (b *between) stand(s *session.Server) {
	b.dial = s.Dial
	s.Dial = b.Dial
}

// Dial makes a connection through it.
func (b *between) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := b.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.dials++
	b.mu.Unlock()
	return &betweenConn{Conn: nc, b: b}, nil
}

// shown returns how often the password was shown, as such and as a proof.
func (b *between) shown() (basic, proofs int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.basic, b.proofs
}

type betweenConn struct {
	net.Conn

	b    *between
	last string // request
	left []byte // of an answer that was changed
	over bool
}

func (c *betweenConn) Write(p []byte) (int, error) {
	text := string(p)
	c.b.mu.Lock()
	c.b.basic += strings.Count(text, "Authorization: Basic ")
	c.b.asks += strings.Count(text, " TlRMTVNTUAABAAAA")
	c.b.proofs += strings.Count(text, " TlRMTVNTUAADAAAA")
	c.b.mu.Unlock()
	if strings.HasPrefix(text, "POST ") {
		c.last = text
	}
	if c.b.request != nil {
		text = c.b.request(text)
	}
	if c.over {
		return 0, net.ErrClosed
	}
	if _, err := c.Conn.Write([]byte(text)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *betweenConn) Read(p []byte) (int, error) {
	if len(c.left) == 0 && !c.over {
		piece := make([]byte, 64<<10)
		n, err := c.Conn.Read(piece)
		if err != nil {
			return 0, err
		}
		c.left = c.changed(piece[:n])
	}
	if len(c.left) == 0 && c.over {
		return 0, io.EOF
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

// changed is what comes of a piece of what the server writes.
func (c *betweenConn) changed(piece []byte) []byte {
	if c.b.answer == nil || !bytes.HasPrefix(piece, []byte("HTTP/1.1 ")) {
		return piece
	}
	text := c.b.answer(string(piece), c.last)
	if text == "" || strings.Contains(text, "Connection: close") {
		c.over = true
		_ = c.Conn.Close()
	}
	return []byte(text)
}

// with puts fields into the header of an answer.
func with(answer string, fields ...string) string {
	first, rest, _ := strings.Cut(answer, "\r\n")
	return strings.Join(append([]string{first}, fields...), "\r\n") + "\r\n" + rest
}
