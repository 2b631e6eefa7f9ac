//go:build interop

package interop_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
)

// rawIMAP is a connection that a test speaks IMAP on by hand, so that the
// servers are looked at through nothing that is under test.
type rawIMAP struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	tags int
}

// dialIMAP connects to a port without TLS and reads the greeting.
func dialIMAP(tb testing.TB, address string) *rawIMAP {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	return greetIMAP(tb, conn)
}

// dialIMAPS connects to a port that begins with TLS.
func dialIMAPS(t *testing.T, servers *interop.Servers) *rawIMAP {
	t.Helper()
	conn, err := (&tls.Dialer{Config: servers.ClientTLS()}).DialContext(t.Context(), "tcp", servers.IMAPS)
	if err != nil {
		t.Fatal(err)
	}
	return greetIMAP(t, conn)
}

func greetIMAP(tb testing.TB, conn net.Conn) *rawIMAP {
	tb.Helper()
	c := &rawIMAP{t: tb}
	c.use(conn)
	tb.Cleanup(func() { _ = c.conn.Close() })
	tb.Cleanup(closeWith(tb.Context(), conn))
	if greeting := c.line(); !strings.HasPrefix(greeting, "* OK ") {
		tb.Fatalf("greeting = %q, want * OK", greeting)
	}
	return c
}

// closeWith closes a connection when a context ends, so that no read outlives
// the test.
func closeWith(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() { stop() }
}

func (c *rawIMAP) use(conn net.Conn) {
	c.conn, c.r = conn, bufio.NewReader(conn)
}

// startTLS upgrades the connection.
func (c *rawIMAP) startTLS(config *tls.Config) {
	c.t.Helper()
	c.ok("STARTTLS")
	config = config.Clone()
	config.ServerName = "localhost"
	secured := tls.Client(c.conn, config)
	if err := secured.HandshakeContext(c.t.Context()); err != nil {
		c.t.Fatalf("TLS handshake after STARTTLS: %v", err)
	}
	c.use(secured)
}

// send writes one line.
func (c *rawIMAP) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// line reads one line, with the text of literals put in their places.
func (c *rawIMAP) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("after %q: %v", line, err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	_, announced, ok := strings.Cut(line, "{")
	size, err := strconv.Atoi(strings.TrimSuffix(announced, "}"))
	if !ok || err != nil {
		return line
	}
	literal := make([]byte, size)
	if _, err := io.ReadFull(c.r, literal); err != nil {
		c.t.Fatal(err)
	}
	return line + string(literal) + c.line()
}

// command sends a command and returns its untagged lines and the result
// without the tag.
func (c *rawIMAP) command(command string) (untagged []string, result string) {
	c.t.Helper()
	c.tags++
	tag := fmt.Sprintf("t%d", c.tags)
	c.send(tag + " " + command)
	return c.result(tag)
}

// result reads until the tagged line.
func (c *rawIMAP) result(tag string) (untagged []string, result string) {
	c.t.Helper()
	for {
		line := c.line()
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return untagged, rest
		}
		untagged = append(untagged, line)
	}
}

// ok sends a command that has to succeed and returns its untagged lines.
func (c *rawIMAP) ok(command string) []string {
	c.t.Helper()
	untagged, result := c.command(command)
	if !strings.HasPrefix(result, "OK") {
		verb, _, _ := strings.Cut(command, " ")
		c.t.Fatalf("%s = %q, want OK", verb, result)
	}
	return untagged
}

// login signs in with a password and returns the result.
func (c *rawIMAP) login(user interop.User) string {
	c.t.Helper()
	_, result := c.command(fmt.Sprintf("LOGIN %q %q", user.Address, user.Password.Reveal()))
	return result
}

// authenticate sends an initial response for a mechanism (RFC 4959) and
// returns the challenge, decoded, if there was one, and the result. A
// challenge is answered with the line that ends a failed exchange.
func (c *rawIMAP) authenticate(mechanism, response, end string) (challenge, result string) {
	c.t.Helper()
	c.tags++
	tag := fmt.Sprintf("t%d", c.tags)
	c.send(fmt.Sprintf("%s AUTHENTICATE %s %s", tag, mechanism, base64.StdEncoding.EncodeToString([]byte(response))))
	for {
		line := c.line()
		if encoded, ok := strings.CutPrefix(line, "+ "); ok {
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				c.t.Fatalf("challenge %q: %v", encoded, err)
			}
			challenge = string(decoded)
			c.send(end)
			continue
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return challenge, rest
		}
	}
}

// awaitMessages selects INBOX and waits in IDLE (RFC 2177) until it has at
// least so many messages.
func (c *rawIMAP) awaitMessages(want int) {
	c.t.Helper()
	have := exists(c.ok("SELECT INBOX"))
	if have >= want {
		return
	}
	c.tags++
	tag := fmt.Sprintf("t%d", c.tags)
	c.send(tag + " IDLE")
	for have < want {
		if n := exists([]string{c.line()}); n > 0 {
			have = n
		}
	}
	c.send("DONE")
	if _, result := c.result(tag); !strings.HasPrefix(result, "OK") {
		c.t.Fatalf("IDLE = %q, want OK", result)
	}
}

// exists returns the number of the last "* n EXISTS", 0 where there is none.
func exists(lines []string) int {
	n := 0
	for _, line := range lines {
		var seen int
		if _, err := fmt.Sscanf(line, "* %d EXISTS", &seen); err == nil {
			n = seen
		}
	}
	return n
}
