package smtpx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// A connection that died while it was kept is replaced without a word.
func TestKeptConnectionDied(t *testing.T) {
	tests := []struct {
		name string
		kill func(*smtptest.Server)
	}{
		{"server restarted", func(s *smtptest.Server) { s.Disconnect() }},
		{"421 at MAIL", func(s *smtptest.Server) { s.Inject(mailtest.Bye("MAIL", "421 4.4.2 timeout")) }},
		{"421 at RCPT", func(s *smtptest.Server) { s.Inject(mailtest.Bye("RCPT", "421 4.4.2 timeout")) }},
		{"lost at DATA", func(s *smtptest.Server) { s.Inject(mailtest.Drop("DATA", 0)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				c := newClient(t, inMemory(s), withPassword(), nil)
				mustSend(t, c)
				tt.kill(s)
				mustSend(t, c)
				if got := len(s.Messages()); got != 2 {
					t.Errorf("the server has %d messages, want 2", got)
				}
				if made, _ := s.Connections(); made != 2 {
					t.Errorf("%d connections were made, want 2", made)
				}
			})
		})
	}
}

// A message that can be read only once survives the death of a kept connection.
func TestKeptConnectionDiedUnderReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		mustSend(t, c)
		s.Disconnect()
		rec, err := c.Send(t.Context(), toBob(), message.Reader(strings.NewReader(letter), -1))
		if err != nil || rec.Outcome != session.Accepted {
			t.Errorf("Send = %+v, %v, want it accepted", rec, err)
		}
		if got := len(s.Messages()); got != 2 {
			t.Errorf("the server has %d messages, want 2", got)
		}
	})
}

// Where the server answers nothing but 421, it is asked once more and not for
// ever.
func TestKeptConnectionDiedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		mustSend(t, c)
		s.Inject(mailtest.Bye("MAIL", "421 4.3.2 shutting down").Repeating(-1))
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if e, ok := errors.AsType[*smtpx.Error](err); !ok || e.Code != 421 || !session.Temporary(err) {
			t.Errorf("Send = %v, want a temporary 421", err)
		}
		if made, _ := s.Connections(); made != 2 {
			t.Errorf("%d connections were made, want 2", made)
		}
	})
}

// A message that may have been taken is never sent again.
func TestKeptConnectionLosesTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		mustSend(t, c)
		s.Inject(mailtest.Drop(smtptest.EndOfData, 0))
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		checkOutcome(t, rec, err, session.SentUnknown)
		if got := len(s.Messages()); got != 2 {
			t.Errorf("the server has %d messages, want 2", got)
		}
	})
}

func TestNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{IdleTimeout: -1})
		mustSend(t, c)
		mustSend(t, c)
		synctest.Wait()
		if made, open := s.Connections(); made != 2 || open != 0 {
			t.Errorf("%d connections were made and %d are open, want 2 and 0", made, open)
		}
		if got := strings.Count(said(s), "QUIT"); got != 2 {
			t.Errorf("the server heard QUIT %d times, want 2", got)
		}
	})
}

// A server that does not answer QUIT holds Close up for a few seconds only.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		mustSend(t, c)
		s.Inject(mailtest.Silence("QUIT"))
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("Close took %v, want 5s", got)
		}
	})
}

func TestOverTLS(t *testing.T) {
	for security, fake := range map[session.Security]mailtest.Security{
		session.TLS: mailtest.TLS, session.STARTTLS: mailtest.STARTTLS,
	} {
		t.Run(security.String(), func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Security: fake})
			c := newClient(t, overTCP(t, s, security), withPassword(), nil)
			mustSend(t, c)
			mustSend(t, c)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			for _, m := range s.Messages() {
				if !m.Encrypted || m.Raw != letter || m.Conn != 1 {
					t.Errorf("the server has %+v, want the letter, encrypted, over the first connection", m)
				}
			}
			for _, cmd := range s.Commands() {
				if !cmd.Encrypted && cmd.Name != "EHLO" && cmd.Name != "STARTTLS" {
					t.Errorf("%s was sent in plain text", cmd.Name)
				}
			}
		})
	}
}

// TestAnotherProtocol: who has mistaken the port is told to look at it.
func TestAnotherProtocol(t *testing.T) {
	s := newServer(t, nil)
	s.Inject(mailtest.Reply(mailtest.Greeting, "* OK IMAP4rev1 ready"))
	rec, err := newClient(t, inMemory(s), withPassword(), nil).Send(t.Context(), toBob(), source(letter))
	checkOutcome(t, rec, err, session.NotSent)
	if !strings.Contains(err.Error(), `"* OK IMAP4rev1 ready"; this is not the answer of a mail server: check host and port`) {
		t.Errorf("Send = %v, want what to check", err)
	}
}

func TestTLSRefused(t *testing.T) {
	tests := []struct {
		name     string
		security session.Security
		fake     mailtest.Security
		fault    mailtest.Fault
		trust    bool
		text     string
	}{
		{"unknown authority", session.TLS, mailtest.TLS, mailtest.Fault{Command: "none"}, false, "certificate"},
		{"unknown authority behind STARTTLS", session.STARTTLS, mailtest.STARTTLS, mailtest.Fault{Command: "none"}, false, "certificate"},
		{"not offered", session.STARTTLS, mailtest.None, mailtest.Fault{Command: "none"}, true, "does not offer STARTTLS"},
		{"not at the moment", session.STARTTLS, mailtest.STARTTLS, mailtest.Refuse("STARTTLS"), true, "454 TLS not available"},
		{"injected", session.STARTTLS, mailtest.STARTTLS, mailtest.After("STARTTLS", "250 AUTH PLAIN\r\n"), true, "injected"},
		{"TLS on a port without", session.TLS, mailtest.None, mailtest.Fault{Command: "none"}, true, "does not speak TLS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Security: tt.fake, Extensions: smtptest.Without("ENHANCEDSTATUSCODES")})
			s.Inject(tt.fault)
			server := overTCP(t, s, tt.security)
			if !tt.trust {
				server.TLS = nil
			}
			c := newClient(t, server, withPassword(), nil)
			rec, err := c.Send(t.Context(), toBob(), source(letter))
			checkOutcome(t, rec, err, session.NotSent)
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Send = %v, want %q in it", err, tt.text)
			}
			if strings.Contains(said(s), "AUTH") {
				t.Errorf("the server heard %q, want no AUTH", said(s))
			}
		})
	}
}

// A server that leaves in the middle of the handshake may be there again soon.
func TestCutInTheHandshake(t *testing.T) {
	for security, fake := range map[session.Security]mailtest.Security{session.TLS: mailtest.TLS, session.STARTTLS: mailtest.STARTTLS} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Security: fake})
			s.Inject(mailtest.Drop(mailtest.Handshake, 0))
			server := inMemory(s)
			server.Host, server.Security, server.TLS = "localhost", security, s.ClientTLS()
			c := newClient(t, server, withPassword(), nil)
			rec, err := c.Send(t.Context(), toBob(), source(letter))
			checkOutcome(t, rec, err, session.NotSent)
			if !session.Temporary(err) || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "TLS with localhost") {
				t.Errorf("%v: Send = %v, temporary %t, want a passing failure of TLS that is no end of a stream", security, err, session.Temporary(err))
			}
			mustSend(t, c)
		})
	}
}

func TestTranscriptAndLog(t *testing.T) {
	for _, extensions := range [][]string{nil, smtptest.Without("PIPELINING")} {
		synctest.Test(t, func(t *testing.T) {
			var transcript, log bytes.Buffer
			s := newServer(t, &smtptest.Options{Extensions: extensions})
			server := inMemory(s)
			server.Transcript = &transcript
			c := newClient(t, server, withPassword(), &smtpx.Options{
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			mustSend(t, c)
			s.Inject(mailtest.Reply("RCPT", "550 5.1.1 no such user"))
			_, _ = c.Send(t.Context(), toBob(), source(letter))
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			for _, want := range []string{"MAIL FROM:<ann@example.com>", "AUTH PLAIN", "queued as", "QUIT"} {
				if !strings.Contains(transcript.String(), want) {
					t.Errorf("the transcript lacks %q:\n%s", want, transcript.String())
				}
			}
			for _, hidden := range []string{"AGFubkBleGFtcGxl", password, "Subject: hello", "bye\n"} {
				if strings.Contains(transcript.String(), hidden) || strings.Contains(log.String(), hidden) {
					t.Errorf("transcript or log show %q:\n%s\n%s", hidden, transcript.String(), log.String())
				}
			}
			for _, want := range []string{"level=DEBUG", "level=WARN", "outcome=accepted", `outcome="not sent"`, "queue_id=4mt", "message_id=1@example.com"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %s:\n%s", want, log.String())
				}
			}
		})
	}
}

// recorder is an Observer that remembers what it was told.
type recorder struct {
	mu  sync.Mutex
	ops []string
}

func (r *recorder) Start(ctx context.Context, op string, _ ...slog.Attr) (context.Context, func(error, ...slog.Attr)) {
	return ctx, func(err error, attrs ...slog.Attr) {
		r.mu.Lock()
		defer r.mu.Unlock()
		words := []string{op}
		if err != nil {
			words = append(words, "failed")
		}
		for _, a := range attrs {
			words = append(words, a.String())
		}
		r.ops = append(r.ops, strings.Join(words, " "))
	}
}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		seen := &recorder{}
		out, err := session.New(withPassword(), nil, smtpx.Backend(inMemory(s), &smtpx.Options{}),
			&session.Options{Mode: session.SendOnly, Observer: seen})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if _, err := out.Send(t.Context(), toBob(), source(letter)); err != nil {
			t.Fatal(err)
		}
		s.Inject(mailtest.Refuse("RCPT"))
		if _, err := out.Send(t.Context(), toBob(), source(letter)); err == nil {
			t.Fatal("Send to a refused recipient = nil, want an error")
		}
		want := "smtp.connect, smtp.send outcome=accepted, smtp.send failed outcome=not sent"
		if got := strings.Join(seen.ops, ", "); got != want {
			t.Errorf("the observer saw %s, want %s", got, want)
		}
	})
}

func TestNewChecksSettings(t *testing.T) {
	good := session.Server{Host: "mail.example.com"}
	for name, tt := range map[string]struct {
		server session.Server
		o      *smtpx.Options
	}{
		"no host":                {session.Server{}, nil},
		"port":                   {session.Server{Host: "h", Port: 70000}, nil},
		"line end in local name": {good, &smtpx.Options{LocalName: "a\r\nMAIL FROM:<>"}},
		"space in local name":    {good, &smtpx.Options{LocalName: "my host"}},
		"connections":            {good, &smtpx.Options{MaxConnections: -1}},
	} {
		if _, err := smtpx.New(tt.server, session.Credentials{}, tt.o); err == nil {
			t.Errorf("%s: New = nil, want an error", name)
		}
	}
}
