package smtpx_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

func pipeTo(serve func(net.Conn)) net.Conn {
	client, server := pipe.New()
	go func() {
		defer server.Close()
		serve(server)
	}()
	return client
}

// The whole story: sign in, send, keep the connection, send again, say goodbye
// after a while.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		if made, _ := s.Connections(); made != 0 {
			t.Errorf("New made %d connections, want none", made)
		}
		e := session.Envelope{From: ann, To: []string{bob, carol, "dan@elsewhere.example"}}
		rec, err := c.Send(t.Context(), e, source(letter))
		if err != nil {
			t.Fatal(err)
		}
		want := "{accepted [{bob@example.com true <nil>} {carol@example.com true <nil>} {dan@elsewhere.example true <nil>}] " +
			s.Messages()[0].QueueID + " 1@example.com {none  <nil>}}"
		if got := fmt.Sprint(rec); got != want {
			t.Errorf("Send = %s, want %s", got, want)
		}
		if got := s.Messages()[0].Raw; got != letter {
			t.Errorf("the server has %q, want %q", got, letter)
		}
		mustSend(t, c)
		pass(smtpx.DefaultIdleTimeout + time.Second)
		synctest.Wait()
		transaction := func(to ...string) []string {
			lines := []string{fmt.Sprintf("MAIL FROM:<%s> SIZE=%d BODY=8BITMIME", ann, len(letter))}
			for _, a := range to {
				lines = append(lines, "RCPT TO:<"+a+">")
			}
			return append(lines, "DATA", ".")
		}
		heard := []string{"EHLO [127.0.0.1]", "AUTH PLAIN [redacted]"}
		heard = append(heard, transaction(e.To...)...)
		heard = append(heard, transaction(bob)...)
		checkSaid(t, s, append(heard, "QUIT")...)
		if made, open := s.Connections(); made != 1 || open != 0 {
			t.Errorf("%d connections were made and %d are open, want 1 and 0", made, open)
		}
	})
}

func TestSendThroughSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		out, err := session.New(withPassword(), nil, smtpx.Backend(inMemory(s), nil), &session.Options{Mode: session.SendOnly})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		rec, err := out.Send(t.Context(), toBob(), source(letter))
		if err != nil || rec.Outcome != session.Accepted {
			t.Errorf("Send = %v, %v, want accepted", rec, err)
		}
	})
}

// What a server lacks is not used, and what it needs is done step by step.
func TestExtensions(t *testing.T) {
	tests := []struct {
		name string
		o    smtptest.Options
		want []string
	}{
		{
			"none",
			smtptest.Options{Extensions: []string{"AUTH LOGIN"}},
			[]string{"EHLO [127.0.0.1]", "AUTH LOGIN", "[redacted]", "[redacted]", "MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.com>", "DATA", "."},
		},
		{
			"HELO",
			smtptest.Options{NoEHLO: true, Anonymous: true},
			[]string{"EHLO [127.0.0.1]", "HELO [127.0.0.1]", "MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.com>", "DATA", "."},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &tt.o)
				creds := withPassword()
				if tt.o.Anonymous {
					creds = session.Credentials{}
				}
				mustSend(t, newClient(t, inMemory(s), creds, nil))
				checkSaid(t, s, tt.want...)
			})
		})
	}
}

// Without PIPELINING no command leaves before the one before it is answered;
// with it, one answer is waited for where there would be four.
func TestPipelining(t *testing.T) {
	for _, pipelining := range []bool{false, true} {
		t.Run(strconv.FormatBool(pipelining), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const turn = time.Second
				extensions := smtptest.Without("PIPELINING")
				want := 4 * turn // MAIL, RCPT, RCPT, DATA
				if pipelining {
					extensions, want = nil, turn
				}
				s := newServer(t, &smtptest.Options{Extensions: extensions, Anonymous: true})
				server := inMemory(s)
				server.Dial = distant(s.Dial, turn)
				c := newClient(t, server, session.Credentials{}, nil)
				mustSend(t, c) // the second one goes over the same connection
				start := time.Now()
				_, err := c.Send(t.Context(), session.Envelope{From: ann, To: []string{bob, carol}}, source(letter))
				if err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != want+turn { // the message is one turn more
					t.Errorf("Send took %v, want %v", got, want+turn)
				}
			})
		})
	}
}

func TestManyRecipients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		e := session.Envelope{From: ann}
		for i := range 950 {
			e.To = append(e.To, fmt.Sprintf("somebody-with-a-rather-long-name-%03d@elsewhere.example", i))
		}
		rec, err := c.Send(t.Context(), e, source(letter))
		if err != nil || len(rec.Recipients) != len(e.To) {
			t.Fatalf("Send = %d recipients, %v, want %d", len(rec.Recipients), err, len(e.To))
		}
		if got := len(s.Messages()[0].To); got != len(e.To) {
			t.Errorf("the server has %d recipients, want %d", got, len(e.To))
		}
	})
}

func TestRecipientsRefused(t *testing.T) {
	tests := []struct {
		name     string
		to       []string
		faults   []mailtest.Fault
		outcome  session.SendOutcome
		accepted string // y or n for each recipient
		text     string
	}{
		{
			"one of three",
			[]string{bob, "nobody@example.com", carol},
			nil, session.Partial, "yny",
			"message 1@example.com accepted for 2 of 3 recipients: mail.example.com:25: RCPT nobody@example.com: 550 5.1.1 User unknown",
		},
		{
			"the only one",
			[]string{"nobody@example.com"},
			nil, session.NotSent, "n",
			"message 1@example.com not sent: mail.example.com:25: RCPT nobody@example.com: 550 5.1.1 User unknown",
		},
		{
			"all for now",
			[]string{bob, carol},
			[]mailtest.Fault{mailtest.Reply("RCPT", "450-4.2.1 mailbox\r\n450 4.2.1 busy").Repeating(2)},
			session.NotSent, "nn",
			"message 1@example.com not sent: mail.example.com:25: RCPT bob@example.com: 450 4.2.1 mailbox busy",
		},
		{
			"the sender",
			[]string{bob},
			[]mailtest.Fault{mailtest.Reply("MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender")},
			session.NotSent, "n",
			`"Send As"`,
		},
		{
			"the message",
			[]string{bob, "nobody@example.com"},
			[]mailtest.Fault{mailtest.Reply(smtptest.EndOfData, "554 5.7.1 spam")},
			session.NotSent, "nn",
			"message: 554 5.7.1 spam",
		},
		{
			"DATA",
			[]string{bob},
			[]mailtest.Fault{mailtest.Reply("DATA", "451 4.3.0 disk full")},
			session.NotSent, "n",
			"DATA: 451 4.3.0 disk full",
		},
	}
	for _, tt := range tests {
		for _, extensions := range [][]string{nil, smtptest.Without("PIPELINING")} {
			t.Run(fmt.Sprintf("%s, PIPELINING %v", tt.name, extensions == nil), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, &smtptest.Options{Extensions: extensions})
					c := newClient(t, inMemory(s), withPassword(), nil)
					s.Inject(tt.faults...)
					rec, err := c.Send(t.Context(), session.Envelope{From: ann, To: tt.to}, source(letter))
					checkReceipt(t, rec, err, tt.outcome, tt.accepted)
					if err == nil || !strings.Contains(err.Error(), tt.text) {
						t.Errorf("Send = %v, want it to say %q", err, tt.text)
					}
					// The connection is good for the next message.
					mustSend(t, c)
					if made, _ := s.Connections(); made != 1 {
						t.Errorf("%d connections were made, want 1", made)
					}
				})
			})
		}
	}
}

func checkReceipt(t *testing.T, rec session.Receipt, err error, outcome session.SendOutcome, accepted string) {
	t.Helper()
	if rec.Outcome != outcome {
		t.Errorf("outcome %v, want %v", rec.Outcome, outcome)
	}
	var got strings.Builder
	for _, r := range rec.Recipients {
		if r.Accepted {
			got.WriteByte('y')
		} else {
			got.WriteByte('n')
		}
	}
	if got.String() != accepted {
		t.Errorf("recipients accepted: %s, want %s", got.String(), accepted)
	}
	se, ok := errors.AsType[*session.SendError](err)
	if !ok || se.Receipt.Outcome != outcome {
		t.Errorf("the error is %v, want a SendError with the same outcome", err)
	}
}

func TestErrorCarriesCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		s.Inject(mailtest.Reply("RCPT", "452 4.2.2 over quota"))
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		e, ok := errors.AsType[*smtpx.Error](err)
		if !ok || e.Code != 452 || e.Enhanced != (smtp.EnhancedCode{4, 2, 2}) || e.Text != "over quota" ||
			e.Op != "RCPT" || e.Recipient != bob || e.Server != "mail.example.com:25" {
			t.Errorf("Send = %#v, want an Error with all that the server said", err)
		}
		if se, ok := errors.AsType[*smtp.SMTPError](err); !ok || se.Code != 452 {
			t.Errorf("Send = %v, want an SMTPError in it", err)
		}
		if !session.Temporary(err) {
			t.Error("a 452 is not temporary, want it to be")
		}
		if !errors.Is(rec.Recipients[0].Err, error(e)) {
			t.Errorf("the recipient's error is %v, want %v", rec.Recipients[0].Err, e)
		}
	})
}

// What is wrong with a message or an envelope is said before anything is sent.
func TestRefusedBeforehand(t *testing.T) {
	eightBit := mailtest.CRLF("Subject: hi\n\nhöllo\n")
	tests := []struct {
		name       string
		extensions []string
		e          session.Envelope
		body       string
		want       any // pointer to a pointer of the error's type
		dials      bool
	}{
		{"line end in a recipient", nil, session.Envelope{From: ann, To: []string{bob, "x@y.example>\r\nRCPT TO:<evil@z.example"}}, letter, new(*smtpx.AddressError), false},
		{"line end in the sender", nil, session.Envelope{From: "a\n@b.example", To: []string{bob}}, letter, new(*smtpx.AddressError), false},
		{"NUL", nil, session.Envelope{From: ann, To: []string{"b\x00@example.com"}}, letter, new(*smtpx.AddressError), false},
		{"parameters", nil, session.Envelope{From: ann, To: []string{"b@example.com> NOTIFY=NEVER"}}, letter, new(*smtpx.AddressError), false},
		{"too big", nil, toBob(), letter + strings.Repeat("x", 5000), new(*smtpx.SizeError), true},
		{"8BITMIME", smtptest.Without("8BITMIME"), toBob(), eightBit, new(*smtpx.ExtensionError), true},
		{"SMTPUTF8 for a recipient", smtptest.Without("SMTPUTF8"), session.Envelope{From: ann, To: []string{"bøb@example.com"}}, letter, new(*smtpx.ExtensionError), true},
		{"DSN", smtptest.Without("DSN"), session.Envelope{From: ann, To: []string{bob}, Reports: &session.DeliveryReports{}}, letter, new(*smtpx.ExtensionError), true},
		{"SMTPUTF8 for the header", smtptest.Without("SMTPUTF8"), toBob(), "To: bøb@example.com\r\n" + letter, new(*smtpx.ExtensionError), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: tt.extensions, Anonymous: true, MaxMessage: 4000})
				c := newClient(t, inMemory(s), session.Credentials{}, nil)
				rec, err := c.Send(t.Context(), tt.e, source(tt.body))
				if !errors.As(err, tt.want) || rec.Outcome != session.NotSent {
					t.Errorf("Send = %v, %v, want not sent and a %T", rec.Outcome, err, tt.want)
				}
				if heard := said(s); strings.Contains(heard, "MAIL") {
					t.Errorf("the server heard %q, want no MAIL", heard)
				}
				if made, _ := s.Connections(); (made > 0) != tt.dials {
					t.Errorf("%d connections were made, want any: %v", made, tt.dials)
				}
			})
		})
	}
	t.Run("nothing to send", func(t *testing.T) {
		c := newClient(t, session.Server{Host: "mail.example.com"}, session.Credentials{}, nil)
		if _, err := c.Send(t.Context(), session.Envelope{From: ann}, source(letter)); err == nil {
			t.Error("Send without recipients = nil, want an error")
		}
		if _, err := c.Send(t.Context(), toBob(), nil); err == nil {
			t.Error("Send without a message = nil, want an error")
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		var transcript bytes.Buffer
		server := inMemory(s)
		server.Dial, server.Transcript = distant(s.Dial, 2*time.Second), &transcript
		c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 3})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { mustSend(t, c) })
		}
		wg.Wait()
		if got := len(s.Messages()); got != 20 {
			t.Errorf("the server has %d messages, want 20", got)
		}
		if made, _ := s.Connections(); made != 3 {
			t.Errorf("%d connections were made, want 3", made)
		}
		if text := transcript.String(); strings.Contains(text, "AGFubkBleGFtcGxl") || strings.Contains(text, "Subject:") {
			t.Errorf("the transcript of several connections shows a secret or a message:\n%s", text)
		}
	})
}
