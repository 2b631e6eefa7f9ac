//go:build interop

package interop_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// maildrop is a Dovecot mailbox of which the inbox can be renumbered.
type maildrop struct{ mailbox }

// Renumber puts all messages into the folder once more, in the place of those
// that are there. Dovecot's names of messages are their numbers.
func (m maildrop) Renumber(folder string) error {
	all, err := m.Messages(folder)
	for _, stored := range all {
		err = errors.Join(err, m.Remove(folder, 1), m.Append(folder, stored))
	}
	return err
}

// TestPOP3ConformanceOnDovecot: pop3x keeps the rules of a way in on a real
// server.
func TestPOP3ConformanceOnDovecot(t *testing.T) {
	t.Parallel()
	servers := conforming(t)
	next := 0
	sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
		tb.Helper()
		user := servers.Users[next]
		next++
		raw := dialIMAP(tb, servers.IMAP)
		if result := raw.login(user); !strings.HasPrefix(result, "OK") {
			tb.Fatalf("LOGIN: %s", result)
		}
		host, port := hostPort(tb, servers.POP3)
		log := testlog.New(tb)
		return &sessiontest.Incoming{
			Credentials: session.Credentials{User: user.Address, Password: user.Password},
			Mailbox:     maildrop{mailbox{raw}},
			NoNUL:       true, NoArrival: true, FinalBreak: true, NoValidity: true, Polls: true,
			Backend: func(dial sessiontest.Dial) session.IncomingBackend {
				server := session.Server{Host: host, Port: port, Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
				return pop3x.Backend(server, &pop3x.Options{PageSize: 10, Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
			},
			Spoil: func(n int) (string, string) {
				size := len(mailtest.Sample(n)) + len("Received: by sessiontest; Fri, 01 Mar 2024 09:00:00 +0000\r\n")
				return fmt.Sprintf("\r\n%d %d\r\n", n, size), fmt.Sprintf("\r\n%d odd\r\n", n)
			},
		}
	}, &sessiontest.Options{RealTime: true})
}

// popClient returns a client of the first user, over TLS.
func popClient(t *testing.T, servers *interop.Servers, creds session.Credentials, mechanisms ...string) *pop3x.Client {
	t.Helper()
	host, port := hostPort(t, servers.POP3S)
	return newPOP(t, session.Server{Host: host, Port: port, TLS: servers.ClientTLS(), Mechanisms: mechanisms}, creds)
}

func newPOP(t *testing.T, server session.Server, creds session.Credentials) *pop3x.Client {
	t.Helper()
	log := testlog.New(t)
	server.Transcript = log
	c, err := pop3x.New(server, creds, &pop3x.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// fill puts samples into a user's inbox.
func fill(t *testing.T, servers *interop.Servers, user interop.User, n int) maildrop {
	t.Helper()
	raw := dialIMAP(t, servers.IMAP)
	wantOK(t, "LOGIN", raw.login(user))
	m := maildrop{mailbox{raw}}
	for i := range n {
		if err := m.Append("INBOX", sessiontest.Stored{Raw: mailtest.Sample(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestPOP3SignInOnDovecot: by every way that Dovecot offers, over TLS and STLS;
// a refused token comes back with the server's explanation.
func TestPOP3SignInOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{Tokens: introspection(t)})
	ann := userOf(t, servers, "ann@example.test")
	password := session.Credentials{User: ann.Address, Password: ann.Password}
	token := func(text string) session.Credentials {
		return session.Credentials{User: ann.Address, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New(text)))}
	}
	for _, security := range []session.Security{session.TLS, session.STARTTLS} {
		address := servers.POP3S
		if security == session.STARTTLS {
			address = servers.POP3
		}
		host, port := hostPort(t, address)
		for _, tt := range []struct {
			mechanism, status string
			creds             session.Credentials
			refused           bool
		}{
			{mechanism: "PLAIN", creds: password},
			{mechanism: "LOGIN", creds: password},
			{mechanism: "USER", creds: password},
			{mechanism: "XOAUTH2", creds: token(annsToken)},
			{mechanism: "OAUTHBEARER", creds: token(annsToken)},
			{mechanism: "XOAUTH2", creds: token(expiredToken), status: "401", refused: true},
			{mechanism: "OAUTHBEARER", creds: token(unknownToken), status: "invalid_token", refused: true},
			{mechanism: "PLAIN", creds: session.Credentials{User: ann.Address, Password: secret.New("wrong horse")}, refused: true},
		} {
			c := newPOP(t, session.Server{Host: host, Port: port, Security: security, TLS: servers.ClientTLS(), Mechanisms: []string{tt.mechanism}}, tt.creds)
			facts, err := c.Facts(t.Context())
			e, auth := errors.AsType[*session.AuthError](err)
			switch {
			case tt.refused && (!auth || e.Status != tt.status):
				t.Errorf("%v, %s: %v, want an AuthError with the status %q", security, tt.mechanism, err, tt.status)
			case !tt.refused && (err != nil || !facts.SafeDelete):
				t.Errorf("%v, %s: %+v, %v", security, tt.mechanism, facts, err)
			}
		}
	}
}

// TestPOP3DeletionOnDovecot: a batch of marks goes out together, and what was not
// named stays.
func TestPOP3DeletionOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	ann := userOf(t, servers, "ann@example.test")
	box := fill(t, servers, ann, 60)
	c := popClient(t, servers, session.Credentials{User: ann.Address, Password: ann.Password})
	var ids []session.ID
	var bodies int
	for m, err := range c.Messages(t.Context(), session.Query{OldestFirst: true}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	for body, err := range c.Bodies(t.Context(), ids...) {
		if err != nil {
			t.Fatal(err)
		}
		bodies++
		if raw, err := io.ReadAll(body); err != nil || string(raw) != mailtest.Sample(bodies) {
			t.Errorf("body %d has %d bytes, %v", bodies, len(raw), err)
		}
	}
	results, err := c.Apply(t.Context(), session.Change{Delete: true}, ids[:50]...)
	for _, r := range results {
		if r.Outcome != session.Done {
			t.Errorf("%v: %v, %v", r.ID, r.Outcome, r.Err)
		}
	}
	left, listErr := box.Messages("INBOX")
	if err != nil || listErr != nil || len(left) != 10 || bodies != 60 {
		t.Errorf("Apply: %v; %d bodies, %d messages are left, want 60 and 10 (%v)", err, bodies, len(left), listErr)
	}
}

// TestALockedMaildropOnDovecot: another session has it; pop3x waits for its end.
func TestALockedMaildropOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{LockPOP3: true})
	ann := userOf(t, servers, "ann@example.test")
	creds := session.Credentials{User: ann.Address, Password: ann.Password}
	other := occupy(t, servers, ann)
	host, port := hostPort(t, servers.POP3S)
	settings := session.Server{Host: host, Port: port, TLS: servers.ClientTLS()}
	impatient, err := pop3x.New(settings, creds, &pop3x.Options{LockWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = impatient.Close() }()
	_, err = impatient.Facts(t.Context())
	if e, is := errors.AsType[*pop3x.Error](err); !is || e.Code != "IN-USE" || !session.Temporary(err) {
		t.Errorf("a maildrop that another session has: %v, want IN-USE", err)
	}
	patient, err := pop3x.New(settings, creds, &pop3x.Options{LockWait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = patient.Close() }()
	ended := make(chan error, 1)
	go func() {
		_, err := patient.Facts(t.Context())
		ended <- err
	}()
	_, _ = io.WriteString(other, "QUIT\r\n")
	if err := <-ended; err != nil {
		t.Errorf("after the other session has ended: %v", err)
	}
}

// occupy opens a session of another program.
func occupy(t *testing.T, servers *interop.Servers, user interop.User) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", servers.POP3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	lines := bufio.NewScanner(conn)
	for _, command := range []string{"", "USER " + user.Address, "PASS " + user.Password.Reveal(), "STAT"} {
		if command != "" {
			_, _ = io.WriteString(conn, command+"\r\n")
		}
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "+OK") {
			t.Fatalf("another session: %q, %v", lines.Text(), lines.Err())
		}
	}
	return conn
}
