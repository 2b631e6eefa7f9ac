package smtptest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/smtptest"
)

const password = "correct horse"

func newBox() *mailtest.Box {
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New(password))
	ann.AcceptTokens(mailtest.Tokens(secret.New("good-horse")))
	box.Add("bob@example.com", secret.New("battery horse"))
	return box
}

func newServer(t *testing.T, o *smtptest.Options) *smtptest.Server {
	t.Helper()
	return serverOver(t, newBox(), o)
}

func serverOver(t *testing.T, box *mailtest.Box, o *smtptest.Options) *smtptest.Server {
	t.Helper()
	s := smtptest.New(box, o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestTooManyErrors(t *testing.T) {
	s := newServer(t, nil)
	c, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	if _, err := io.WriteString(c, "EHLO me\r\n"); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.HasPrefix(line, "250 "); {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(c, strings.Repeat("NO\r\n", 200)); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(all), "502 "); got != 100 {
		t.Errorf("%d commands were refused one by one, want 100", got)
	}
	if !strings.HasSuffix(string(all), "421 4.7.0 Too many errors\r\n") {
		t.Errorf("the last answer is %q, want 421", all[len(all)-30:])
	}
}

// The client of the standard library knows nothing of this server.
func TestStandardLibraryClient(t *testing.T) {
	for _, security := range []mailtest.Security{mailtest.None, mailtest.TLS, mailtest.STARTTLS} {
		t.Run(security.String(), func(t *testing.T) {
			box := newBox()
			s := serverOver(t, box, &smtptest.Options{Security: security})
			c := dialStandard(t, s, security)
			if err := c.Auth(smtp.PlainAuth("", "ann@example.com", password, "127.0.0.1")); err != nil {
				t.Fatal(err)
			}
			raw := mailtest.CRLF("Subject: hi\n\n.\n..a\n.b\nend\n")
			send(t, c, "ann@example.com", raw, "bob@example.com", "Bob@Example.com", "carol@elsewhere.example")
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
			checkArrival(t, s, box, raw, security != mailtest.None)
		})
	}
}

func dialStandard(t *testing.T, s *smtptest.Server, security mailtest.Security) *smtp.Client {
	t.Helper()
	var nc net.Conn
	var err error
	cfg := s.ClientTLS()
	cfg.ServerName = "127.0.0.1"
	if security == mailtest.TLS {
		nc, err = (&tlsDialer{cfg}).dial(t.Context(), s.Addr())
	} else {
		nc, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(nc, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if security == mailtest.STARTTLS {
		if err := c.StartTLS(cfg); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func send(t *testing.T, c *smtp.Client, from, raw string, to ...string) {
	t.Helper()
	err := c.Mail(from)
	for _, a := range to {
		err = errors.Join(err, c.Rcpt(a))
	}
	w, err2 := c.Data()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, raw)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}

func checkArrival(t *testing.T, s *smtptest.Server, box *mailtest.Box, raw string, encrypted bool) {
	t.Helper()
	sent := s.Messages()
	if len(sent) != 1 {
		t.Fatalf("%d messages were accepted, want 1", len(sent))
	}
	m := sent[0]
	if m.From != "ann@example.com" || m.User != "ann@example.com" || len(m.To) != 3 || m.Encrypted != encrypted ||
		m.Conn != 1 || m.QueueID == "" || m.Hello != "localhost" || m.Params != "BODY=8BITMIME SMTPUTF8" {
		t.Errorf("Messages()[0] = %+v", m)
	}
	if m.Raw != raw {
		t.Errorf("the message is %q, want %q", m.Raw, raw)
	}
	bob, _ := box.Account("bob@example.com")
	got, err := bob.Messages("INBOX")
	if err != nil || len(got) != 1 || got[0].Raw != raw {
		t.Errorf("INBOX of bob has %v, %v, want the message once", got, err)
	}
}

func TestCommandsHideSecrets(t *testing.T) {
	s := newServer(t, nil)
	talk(t, s, greeting+"C: HELO me\nS: 250 mail.example.com\nC: AUTH "+b64("hunter2hunter2")+"\nS: 503 5.5.1 AUTH comes once, after EHLO and before MAIL\n")
	c := dialStandard(t, s, mailtest.None)
	if err := c.Auth(smtp.PlainAuth("", "ann@example.com", password, "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	send(t, c, "ann@example.com", "body\r\n", "bob@example.com")
	var lines []string
	for _, cmd := range s.Commands() {
		lines = append(lines, cmd.Line)
	}
	want := []string{
		"HELO me", "AUTH [redacted]", "EHLO localhost", "AUTH PLAIN [redacted]",
		"MAIL FROM:<ann@example.com> BODY=8BITMIME SMTPUTF8", "RCPT TO:<bob@example.com>", "DATA", ".",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("Commands() = %q, want %q", lines, want)
	}
}

func TestFaults(t *testing.T) {
	script := func(last ...string) string {
		return greeting + "C: HELO me\nS: 250 mail.example.com\n" + strings.Join(last, "\n")
	}
	mail := "C: MAIL FROM:<x@y.example>\nS: 250 2.1.0 Ok\nC: RCPT TO:<ann@example.com>\nS: 250 2.1.5 Ok\n" +
		"C: DATA\nS: 354 End data with <CR><LF>.<CR><LF>\nC: a\nC: ."
	tests := []struct {
		name     string
		fault    mailtest.Fault
		dialogue string
		accepted int
	}{
		{"greeting", mailtest.Bye(mailtest.Greeting, "421 4.3.2 not now"), "S: 421 4.3.2 not now\nS: EOF", 0},
		{"refused greeting", mailtest.Refuse(mailtest.Greeting), "S: 554 5.3.2 No SMTP service here\nS: EOF", 0},
		{"one recipient", mailtest.Reply("RCPT", "450 4.2.1 later").Containing("BOB@"), script(
			"C: MAIL FROM:<>", "S: 250 2.1.0 Ok",
			"C: RCPT TO:<ann@example.com>", "S: 250 2.1.5 Ok",
			"C: RCPT TO:<bob@example.com>", "S: 450 4.2.1 later"), 0},
		{"refused MAIL", mailtest.Refuse("MAIL"), script("C: MAIL FROM:<>", "S: 550 5.7.1 Command refused"), 0},
		{"refused message", mailtest.Refuse(smtptest.EndOfData), script(mail, "S: 554 5.7.1 Message refused"), 0},
		{"answer lost", mailtest.Drop(smtptest.EndOfData, 0), script(mail, "S: EOF"), 1},
		{"message lost", mailtest.Fault{Command: smtptest.EndOfData, Ignore: true, Stop: mailtest.StopClose}, script(mail, "S: EOF"), 0},
		{"closed behind the answer", mailtest.Bye("QUIT", "221 bye"), script("C: QUIT", "S: 221 bye", "S: EOF"), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Anonymous: true})
			s.Inject(tt.fault)
			talk(t, s, tt.dialogue)
			if got := len(s.Messages()); got != tt.accepted {
				t.Errorf("%d messages were accepted, want %d", got, tt.accepted)
			}
			if s.Pending() != 0 {
				t.Error("the fault was not used")
			}
		})
	}
}

func TestSignInUnavailable(t *testing.T) {
	box := newBox()
	account, _ := box.Account("ann@example.com")
	account.AcceptTokens(func(context.Context, secret.Text) error { return mailtest.ErrUnavailable })
	talk(t, serverOver(t, box, bare()), hello+"C: AUTH XOAUTH2 "+b64("user=ann@example.com\x01auth=Bearer t\x01\x01")+
		"\nS: 454 Temporary authentication failure")
}

func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &smtptest.Options{Anonymous: true})
		s.Inject(mailtest.Delay("NOOP", time.Hour))
		start := time.Now()
		talk(t, s, greeting+"C: NOOP\nS: 250 2.0.0 OK")
		if got := time.Since(start); got != time.Hour {
			t.Errorf("NOOP took %v, want 1h", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDialAfterClose(t *testing.T) {
	s := newServer(t, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dial(t.Context(), "", ""); err == nil {
		t.Error("Dial after Close = nil, want an error")
	}
	if got := s.Addr(); got != "" {
		t.Errorf("Addr after Close = %q, want nothing", got)
	}
}

func Example() {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	server := smtptest.New(box, &smtptest.Options{Anonymous: true})
	defer server.Close()

	// Any client will do. This one is the standard library's.
	err := smtp.SendMail(server.Addr(), nil, "bob@example.org", []string{"ann@example.com"},
		[]byte("Subject: hello\r\n\r\nIt works.\r\n"))
	fmt.Println(err)

	ann, _ := box.Account("ann@example.com")
	inbox, _ := ann.Messages("INBOX")
	fmt.Println(len(inbox), server.Messages()[0].From)
	// Output:
	// <nil>
	// 1 bob@example.org
}

// A server that puts senders off at first, as greylisting does.
func ExampleGreylist() {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	server := smtptest.New(box, &smtptest.Options{
		Anonymous: true,
		Policies:  []smtptest.Policy{smtptest.Greylist(5 * time.Minute)},
	})
	defer server.Close()

	err := smtp.SendMail(server.Addr(), nil, "bob@example.org", []string{"ann@example.com"}, []byte("Subject: hello\r\n\r\n"))
	if refused, ok := errors.AsType[*textproto.Error](err); ok {
		fmt.Println(refused.Code, refused.Msg)
	}
	// Output:
	// 450 4.2.0 Recipient address rejected: greylisted, try again later
}
