package smtpx_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

const (
	ann      = "ann@example.com"
	bob      = "bob@example.com"
	carol    = "carol@example.com"
	password = "correct horse"
)

const letter = "Message-ID: <1@example.com>\r\nFrom: ann@example.com\r\nSubject: hello\r\n\r\n.dots\r\n..\r\nbye\r\n"

func newBox() *mailtest.Box {
	box := mailtest.New()
	box.Add(ann, secret.New(password))
	box.Add(bob, secret.New("battery horse"))
	box.Add(carol, secret.New("x"))
	return box
}

// newServer starts a fake server that ends with the test.
func newServer(t *testing.T, o *smtptest.Options) *smtptest.Server {
	t.Helper()
	s := smtptest.New(newBox(), o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// inMemory says how to reach s without a network and without encryption.
func inMemory(s *smtptest.Server) session.Server {
	return session.Server{
		Host: "mail.example.com", Security: session.None, AllowPlainAuth: true, Dial: s.Dial,
	}
}

// overTCP says how to reach s through the network.
func overTCP(t *testing.T, s *smtptest.Server, security session.Security) session.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return session.Server{Host: host, Port: n, Security: security, TLS: s.ClientTLS()}
}

func withPassword() session.Credentials {
	return session.Credentials{User: ann, Password: secret.New(password)}
}

// newClient makes a client that ends with the test.
func newClient(t *testing.T, server session.Server, creds session.Credentials, o *smtpx.Options) *smtpx.Client {
	t.Helper()
	c, err := smtpx.New(server, creds, logged(t, &server, o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// logged has a client write to the test's output all it logs, where the test
// does not look at that itself.
func logged(t *testing.T, server *session.Server, o *smtpx.Options) *smtpx.Options {
	t.Helper()
	var all smtpx.Options
	if o != nil {
		all = *o
	}
	log := testlog.New(t)
	if all.Logger == nil {
		all.Logger = testlog.Logger(log)
	}
	if all.Observer == nil {
		all.Observer = testlog.NewObserver(log)
	}
	if server.Transcript == nil {
		server.Transcript = log
	}
	return &all
}

func toBob() session.Envelope { return session.Envelope{From: ann, To: []string{bob}} }

func source(s string) message.Source { return message.Bytes([]byte(s)) }

// mustSend sends the letter to bob.
func mustSend(t *testing.T, c *smtpx.Client) {
	t.Helper()
	rec, err := c.Send(t.Context(), toBob(), source(letter))
	if err != nil || rec.Outcome != session.Accepted {
		t.Fatalf("Send = %v, %v, want accepted", rec, err)
	}
}

// said returns what the server heard, line by line.
func said(s *smtptest.Server) string {
	var lines []string
	for _, c := range s.Commands() {
		lines = append(lines, c.Line)
	}
	return strings.Join(lines, "\n")
}

// checkSaid compares that with what it should have heard.
func checkSaid(t *testing.T, s *smtptest.Server, want ...string) {
	t.Helper()
	if got, want := said(s), strings.Join(want, "\n"); got != want {
		t.Errorf("the server heard\n%s\nwant\n%s", got, want)
	}
}

// brokenSource gives some bytes and then something else than the rest.
type brokenSource struct {
	text string
	size int64
	err  error // io.EOF where nil
	hook func()
}

func (b brokenSource) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader(b.text), b)), nil
}

func (b brokenSource) Read([]byte) (int, error) {
	if b.hook != nil {
		b.hook()
	}
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

func (b brokenSource) Size() int64 { return b.size }

// script is a server that is told each of its lines; it serves one connection.
func script(t *testing.T, serve func(c net.Conn)) session.Server {
	t.Helper()
	return session.Server{
		Host: "mail.example.com", Security: session.None, AllowPlainAuth: true,
		Dial: func(context.Context, string, string) (net.Conn, error) { return pipeTo(serve), nil },
	}
}

// pass lets virtual time go on.
func pass(d time.Duration) { <-time.After(d) }
