package smtpx_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// oddServer answers each line by what it begins with, and what it has no
// answer for with "250 ok". A message is answered by what stands under ".".
type oddServer struct {
	answers map[string]string

	mu    sync.Mutex
	heard []string
}

func (o *oddServer) serve(c net.Conn) {
	r := bufio.NewReader(c)
	answer := "220 odd"
	for {
		if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
			return
		}
		inData := strings.HasPrefix(answer, "354")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSuffix(line, "\r\n")
			o.hear(line)
			if answer = o.answer(line); !inData || line == "." {
				break
			}
		}
	}
}

func (o *oddServer) hear(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard = append(o.heard, line)
}

func (o *oddServer) answer(line string) string {
	for prefix, answer := range o.answers {
		if strings.HasPrefix(line, prefix) {
			return answer
		}
	}
	return "250 ok"
}

func (o *oddServer) said() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.heard, "\n")
}

func TestOddServers(t *testing.T) {
	const pipelining = "250-odd\r\n250 PIPELINING"
	const start = "EHLO [127.0.0.1]\nMAIL FROM:<ann@example.com>\nRCPT TO:<bob@example.com>"
	tests := []struct {
		name    string
		answers map[string]string
		heard   string
		outcome session.SendOutcome
		text    string
	}{
		{
			"wants a message for nobody",
			map[string]string{"EHLO": pipelining, "RCPT": "550 no", "DATA": "354 go", ".": "554 nobody"},
			start + "\nDATA\n.\nRSET", session.NotSent, "RCPT bob@example.com: 550 no",
		},
		{
			"takes an empty message for nobody",
			map[string]string{"EHLO": pipelining, "RCPT": "550 no", "DATA": "354 go"},
			start + "\nDATA\n.\nRSET", session.NotSent, "RCPT bob@example.com: 550 no",
		},
		{
			"wants a message from nobody",
			map[string]string{"EHLO": pipelining, "MAIL": "550 no", "DATA": "354 go"},
			start + "\nDATA", session.NotSent, "MAIL: 550 no",
		},
		{
			"takes DATA for done",
			map[string]string{},
			start + "\nDATA", session.NotSent, "DATA: 250 ok",
		},
		{
			"does not let a transaction end",
			map[string]string{"RCPT": "550 no", "RSET": "502 no"},
			start + "\nRSET\nQUIT", session.NotSent, "RCPT bob@example.com: 550 no",
		},
		{
			"wants more after RCPT",
			map[string]string{"RCPT": "354 go"},
			start + "\nRSET", session.NotSent, "RCPT bob@example.com: 354 go",
		},
		{
			"wants more after the message",
			map[string]string{"DATA": "354 go", ".": "354 more"},
			start + "\nDATA\n" + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(letter, "\r\n"), "\r\n.", "\r\n.."), "\r\n", "\n") + "\n.",
			session.SentUnknown, "message: 354 more",
		},
		{
			"leaves after the message",
			map[string]string{"DATA": "354 go", ".": "221 2.0.0 closing connection"},
			start + "\nDATA\n" + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(letter, "\r\n"), "\r\n.", "\r\n.."), "\r\n", "\n") + "\n.",
			session.SentUnknown, "message: 221 2.0.0 closing connection",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &oddServer{answers: tt.answers}
				c := newClient(t, script(t, o.serve), session.Credentials{}, nil)
				rec, err := c.Send(t.Context(), toBob(), source(letter))
				checkOutcome(t, rec, err, tt.outcome)
				if !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Send = %v, want %q in it", err, tt.text)
				}
				if got := strings.TrimSuffix(o.said(), "\nQUIT"); got != strings.TrimSuffix(tt.heard, "\nQUIT") {
					t.Errorf("the server heard\n%s\nwant\n%s", got, tt.heard)
				}
			})
		})
	}
}

// A server that asks for more than there is to say is told so, in the words of
// the protocol.
func TestSignInIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oddServer{answers: map[string]string{
			"EHLO": "250-odd\r\n250 AUTH LOGIN", "AUTH": "334 VXNlcm5hbWU6", "YW5u": "334 ", "Y29y": "334 more", "*": "501 gone",
		}}
		c := newClient(t, script(t, o.serve), withPassword(), nil)
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		synctest.Wait()
		if got, want := o.said(), "EHLO [127.0.0.1]\nAUTH LOGIN\nYW5uQGV4YW1wbGUuY29t\nY29ycmVjdCBob3JzZQ==\n*\nQUIT"; got != want {
			t.Errorf("the server heard\n%s\nwant\n%s", got, want)
		}
	})
}

func TestWaitForAConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1})
		s.Inject(mailtest.Delay("DATA", time.Hour))
		go func() { _, _ = c.Send(t.Context(), toBob(), source(letter)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("no patience"))
		defer cancel()
		rec, err := c.Send(ctx, toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no patience") {
			t.Errorf("Send = %v, want %v and its cause", err, context.DeadlineExceeded)
		}
		pass(2 * time.Hour)
	})
}

func TestErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&smtpx.SizeError{Server: "h:25", Size: 11, Limit: 10}, "h:25 takes messages of up to 10 bytes, this one has 11; nothing was sent"},
		{&smtpx.ExtensionError{Server: "h:25", Extension: "AUTH", Remedy: "do this"}, "h:25 does not offer AUTH; do this"},
		{&smtpx.AddressError{Address: "a\nb", Reason: "is bad"}, `the envelope address "a\nb" is bad; nothing was sent`},
		{&smtpx.Error{Server: "h:25", Op: "MAIL", Code: 530, Text: "no", Remedy: "do this"}, "h:25: MAIL: 530 no; do this"},
		{&smtpx.Error{Server: "h:25", Op: "MAIL", Text: "not SMTP"}, "h:25: MAIL: not SMTP"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
	if (&smtpx.Error{Text: "not SMTP"}).Unwrap() != nil {
		t.Error("an Error without a code wraps something, want nothing")
	}
	if !errors.Is(&smtpx.ExtensionError{}, errors.ErrUnsupported) {
		t.Error("an ExtensionError does not match ErrUnsupported")
	}
}

// A server that nobody here wrote understands the client, too.
func TestOtherServer(t *testing.T) {
	inbox := &goServer{}
	srv := smtp.NewServer(inbox)
	srv.Domain, srv.AllowInsecureAuth, srv.EnableSMTPUTF8, srv.MaxMessageBytes = "localhost", true, true, 1<<20
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener has a TCP address
	server := session.Server{Host: "127.0.0.1", Port: port, Security: session.None, AllowPlainAuth: true}
	c := newClient(t, server, withPassword(), nil)
	mustSend(t, c)
	e := session.Envelope{From: ann, To: []string{"nobody@example.com", bob}}
	rec, err := c.Send(t.Context(), e, source(letter))
	checkReceipt(t, rec, err, session.Partial, "ny")
	e.From = "änn@example.com"
	rec, err = c.Send(t.Context(), e, source("Subject: ä\n\n.\n.."))
	checkReceipt(t, rec, err, session.Partial, "ny")
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	want := []string{letter, letter, "Subject: ä\r\n\r\n.\r\n..\r\n"}
	if got := inbox.messages; strings.Join(got, "|") != strings.Join(want, "|") || inbox.sessions != 1 {
		t.Errorf("the server has %q over %d connections, want %q over 1", got, inbox.sessions, want)
	}
}

// goServer is the backend of a server built on go-smtp.
type goServer struct {
	mu       sync.Mutex
	sessions int
	messages []string
}

func (g *goServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions++
	return &goSession{g: g}, nil
}

type goSession struct {
	g      *goServer
	signed bool
}

func (*goSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *goSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if s.signed = user == ann && pass == password; !s.signed {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *goSession) Mail(string, *smtp.MailOptions) error {
	if !s.signed {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (*goSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	return nil
}

func (s *goSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.g.messages = append(s.g.messages, string(b))
	return nil
}

func (*goSession) Reset()        {}
func (*goSession) Logout() error { return nil }

func TestEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		mustSend(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		rec, err := c.Send(ctx, toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Send = %v, want %v", err, context.Canceled)
		}
		mustSend(t, c) // over the connection that was kept
		if made, _ := s.Connections(); made != 1 {
			t.Errorf("%d connections were made, want 1", made)
		}
	})
}
