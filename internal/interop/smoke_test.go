//go:build interop

package interop_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
)

const (
	ann = "ann@example.test"
	bob = "bob@example.test"
)

func wantOK(t *testing.T, command, result string) {
	t.Helper()
	if !strings.HasPrefix(result, "OK ") {
		t.Fatalf("%s = %q, want OK", command, result)
	}
}

// TestPasswordsOnIMAP signs in with a password over each kind of connection.
func TestPasswordsOnIMAP(t *testing.T) {
	t.Parallel()
	// Every kind of character that has to be quoted somewhere on the way.
	odd := interop.User{Address: "odd@other.test", Password: secret.New(`pä ss:{PLAIN}"\%$'#horse`)}
	servers := startServers(t, &interop.Options{Users: []interop.User{{Address: ann}, odd}})
	for _, tc := range []struct {
		name string
		dial func(t *testing.T) *rawIMAP
	}{
		{"none", func(t *testing.T) *rawIMAP { t.Helper(); return dialIMAP(t, servers.IMAP) }},
		{"TLS", func(t *testing.T) *rawIMAP { t.Helper(); return dialIMAPS(t, servers) }},
		{"STARTTLS", func(t *testing.T) *rawIMAP {
			t.Helper()
			c := dialIMAP(t, servers.IMAP)
			c.startTLS(servers.ClientTLS())
			return c
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, user := range servers.Users {
				c := tc.dial(t)
				wantOK(t, "LOGIN", c.login(user))
				folders := strings.Join(c.ok(`LIST "" "*"`), "\n")
				for _, want := range []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`, "INBOX"} {
					if !strings.Contains(folders, want) {
						t.Errorf("LIST has no %s:\n%s", want, folders)
					}
				}
			}
			wrong := interop.User{Address: ann, Password: secret.New("wrong horse")}
			if got, want := tc.dial(t).login(wrong), "NO [AUTHENTICATIONFAILED] Authentication failed."; got != want {
				t.Errorf("LOGIN with a wrong password = %q, want %q", got, want)
			}
		})
	}
}

// dialSMTP connects to one of the three ports and upgrades where it has to be.
func dialSMTP(t *testing.T, servers *interop.Servers, address string) *smtp.Client {
	t.Helper()
	config := servers.ClientTLS()
	config.ServerName = "localhost"
	dial := (&net.Dialer{}).DialContext
	if address == servers.Submissions {
		dial = (&tls.Dialer{Config: config}).DialContext
	}
	conn, err := dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeWith(t.Context(), conn))
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if address == servers.Submission {
		if err := c.StartTLS(config); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestSubmissionArrives sends over each kind of connection and reads by IMAP
// what arrived.
func TestSubmissionArrives(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	sender := userOf(t, servers, ann)
	reader := dialIMAPS(t, servers)
	wantOK(t, "LOGIN", reader.login(userOf(t, servers, bob)))
	for i, tc := range []struct{ name, address string }{
		{"STARTTLS", servers.Submission},
		{"TLS", servers.Submissions},
		{"none", servers.SMTP},
	} {
		c := dialSMTP(t, servers, tc.address)
		if err := c.Auth(smtp.PlainAuth("", sender.Address, sender.Password.Reveal(), "localhost")); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		subject := "sent by " + tc.name
		submit(t, c, bob, "From: "+ann+"\r\nTo: "+bob+"\r\nSubject: "+subject+"\r\n\r\nHello.\r\n.\r\nEnd.\r\n")
		reader.awaitMessages(i + 1)
		got := strings.Join(reader.ok(fmt.Sprintf("FETCH %d BODY.PEEK[]", i+1)), "\n")
		if !strings.Contains(got, "Subject: "+subject+"\r\n") || !strings.Contains(got, "\r\n\r\nHello.\r\n.\r\nEnd.\r\n") {
			t.Errorf("%s: the message that arrived is\n%s", tc.name, got)
		}
	}
}

// submit sends one message to one recipient.
func submit(t *testing.T, c *smtp.Client, to, message string) {
	t.Helper()
	if err := errors.Join(c.Mail(ann), c.Rcpt(to)); err != nil {
		t.Fatal(err)
	}
	data, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := data.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	if err := data.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSubmissionRefuses looks at what the ports do not allow: mail before a
// login, mail to other machines or to nobody, and anything before STARTTLS.
func TestSubmissionRefuses(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	sender := userOf(t, servers, ann)
	login := smtp.PlainAuth("", sender.Address, sender.Password.Reveal(), "localhost")

	stranger := dialSMTP(t, servers, servers.Submissions)
	if err := stranger.Mail(ann); err != nil {
		t.Fatal(err)
	}
	wantReply(t, "RCPT before AUTH", stranger.Rcpt(bob), 554)

	known := dialSMTP(t, servers, servers.Submissions)
	if err := errors.Join(known.Auth(login), known.Mail(ann)); err != nil {
		t.Fatal(err)
	}
	wantReply(t, "RCPT to another machine", known.Rcpt("someone@elsewhere.test"), 554)
	wantReply(t, "RCPT to nobody", known.Rcpt("nobody@example.test"), 550)

	wrong := dialSMTP(t, servers, servers.Submissions)
	wantReply(t, "AUTH with a wrong password", wrong.Auth(smtp.PlainAuth("", ann, "wrong", "localhost")), 535)

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", servers.Submission)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	early, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	wantReply(t, "MAIL before STARTTLS", early.Mail(ann), 530)
}

// wantReply checks the code of a refusal.
func wantReply(t *testing.T, what string, err error, code int) {
	t.Helper()
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok || reply.Code != code {
		t.Errorf("%s = %v, want code %d", what, err, code)
	}
}

// tokenAuth is XOAUTH2 for net/smtp.
type tokenAuth struct {
	user, token string
	challenge   string // what a refused token is answered
}

// Start sends the token at once.
func (a *tokenAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "XOAUTH2", []byte(xoauth2(a.user, a.token)), nil
}

// Next answers the challenge of a refused token with an empty line, after which
// the server says no.
func (a *tokenAuth) Next(fromServer []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	a.challenge = string(fromServer)
	return []byte{}, nil
}

// TestTokensOnSubmission signs in with a good and with an expired token.
func TestTokensOnSubmission(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{Tokens: introspection(t)})
	good := &tokenAuth{user: ann, token: annsToken}
	if err := dialSMTP(t, servers, servers.Submission).Auth(good); err != nil {
		t.Errorf("AUTH with a good token = %v, want none", err)
	}
	expired := &tokenAuth{user: ann, token: expiredToken}
	wantReply(t, "AUTH with an expired token", dialSMTP(t, servers, servers.Submission).Auth(expired), 535)
	if want := `{"status":"401","schemes":"bearer","scope":"mail"}`; expired.challenge != want {
		t.Errorf("challenge = %q, want %q", expired.challenge, want)
	}
}

// TestDeliveryAndPOP3 puts messages into a mailbox and reads it by POP3.
func TestDeliveryAndPOP3(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	message := []byte("Subject: one\r\n\r\n.a line with a dot\r\n")
	if err := servers.Deliver(t.Context(), message, ann, bob); err != nil {
		t.Fatal(err)
	}
	if err := servers.Deliver(t.Context(), message, "nobody@example.test"); err == nil {
		t.Error("Deliver to nobody = nil, want an error")
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", servers.POP3)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Cleanup(closeWith(t.Context(), conn))
	pop := textproto.NewReader(bufio.NewReader(conn))
	wantLine(t, pop, "+OK")
	for _, command := range []string{"USER " + bob, "PASS " + userOf(t, servers, bob).Password.Reveal(), "RETR 1"} {
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			t.Fatal(err)
		}
		wantLine(t, pop, "+OK")
	}
	got, err := pop.ReadDotBytes()
	if err != nil {
		t.Fatal(err)
	}
	if want := "\n.a line with a dot\n"; !strings.HasSuffix(string(got), want) {
		t.Errorf("RETR = %q, want it to end in %q", got, want)
	}
}

func wantLine(t *testing.T, r *textproto.Reader, prefix string) {
	t.Helper()
	line, err := r.ReadLine()
	if err != nil || !strings.HasPrefix(line, prefix) {
		t.Fatalf("ReadLine = %q, %v, want %s", line, err, prefix)
	}
}
