package smtpx_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// forgetful is a server, or a device on the way to one, that offers PIPELINING and
// drops what comes ahead of its answers.
func forgetful(c net.Conn) {
	r := bufio.NewReader(c)
	answer := "220 forgetful"
	for inMessage := false; ; {
		if !inMessage {
			if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
				return
			}
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch {
		case inMessage:
			inMessage = line != ".\r\n"
			answer = "250 taken"
			continue
		case strings.HasPrefix(line, "EHLO"):
			answer = "250-forgetful\r\n250 PIPELINING"
		case line == "DATA\r\n":
			answer, inMessage = "354 go", true
			if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
				return
			}
		default:
			answer = "250 ok"
		}
		_, _ = r.Discard(r.Buffered())
	}
}

// A server that breaks its word on PIPELINING is told by its silence, with what to do
// about it; without that extension it can be used.
func TestWithoutPipelining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, script(t, forgetful), session.Credentials{}, nil)
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if !session.Temporary(err) || !strings.Contains(err.Error(), "put PIPELINING into Options.Without") {
			t.Errorf("Send = %v, want a passing failure and what to do about it", err)
		}
		c = newClient(t, script(t, forgetful), session.Credentials{}, &smtpx.Options{Without: []string{"pipelining"}})
		began := time.Now()
		for range 3 {
			mustSend(t, c)
		}
		all, err := sendAll(t, c, circulars(10), nil)
		if took := time.Since(began); err != nil || count(all)[session.Accepted] != 10 || took != 0 {
			t.Errorf("SendAll = %v, %v after %v", count(all), err, took)
		}
	})
}

// What is left out of what the server offers is not used, in whatever case it is
// written.
func TestWithoutExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{Without: []string{"CHUNKING", "size", "8bitmime"}})
		all, err := sendAll(t, c, circulars(5), nil)
		if err != nil || count(all)[session.Accepted] != 5 {
			t.Fatalf("SendAll = %v, %v", count(all), err)
		}
		for _, m := range s.Messages() {
			if m.Chunked || m.Params != "" {
				t.Errorf("a message came by BDAT %t with %q", m.Chunked, m.Params)
			}
		}
	})
}

// A server that is busy where a connection begins, says so in whatever way, or takes
// its time, gets everything in the end, each message once.
func TestBusyServers(t *testing.T) {
	for name, fault := range map[string]mailtest.Fault{
		"421 at the door":           mailtest.Bye(mailtest.Greeting, "421 4.3.2 busy"),
		"450 at the door":           mailtest.Bye(mailtest.Greeting, "450 4.3.2 busy"),
		"hangs up":                  mailtest.Drop(mailtest.Greeting, 0),
		"421 to EHLO":               mailtest.Bye("EHLO", "421 4.3.2 busy"),
		"451 to EHLO":               mailtest.Reply("EHLO", "451 4.3.0 later"),
		"454 to AUTH":               mailtest.Reply("AUTH", "454 4.7.0 Temporary authentication failure"),
		"432 to AUTH":               mailtest.Reply("AUTH", "432 4.3.2 Concurrent connections limit exceeded"),
		"takes its time to greet":   mailtest.Delay(mailtest.Greeting, 50*time.Second),
		"takes its time for AUTH":   mailtest.Delay("AUTH", 50*time.Second),
		"takes its time for MAIL":   mailtest.Delay("MAIL", 110*time.Second),
		"takes its time in the end": mailtest.Delay(smtptest.EndOfData, 9*time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				s.Inject(fault.Repeating(3))
				c := newClient(t, inMemory(s), withPassword(), nil)
				all, err := sendAll(t, c, circulars(10), nil)
				if err != nil || count(all)[session.Accepted] != 10 {
					t.Errorf("SendAll = %v, %v, want all accepted", count(all), err)
				}
				checkTruth(t, s, all, 10)
				s.Heal()
			})
		})
	}
}

// A refusal of one recipient too many passes, also by the code of old servers; other
// refusals by that code last.
func TestOneRecipientTooMany(t *testing.T) {
	for answer, temporary := range map[string]bool{
		"452 4.5.3 Too many recipients": true, "552 5.5.3 Too many": true, "552 Too many recipients": true,
		"552 5.2.2 Mailbox full": false, "552 exceeded storage allocation": false, "550 5.5.3 no": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			s.Inject(mailtest.Reply("RCPT", answer).Containing("carol@"))
			c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{Retry: smtpx.Retry{Recipients: true}})
			all, err := sendAll(t, c, func(yield func(session.Mail) bool) { yield(circular(0, bob, carol)) }, nil)
			want := session.Partial
			if temporary {
				want = session.Accepted
			}
			if got := all["0"]; err != nil || got.Receipt.Outcome != want {
				t.Errorf("%s: SendAll = %v in %d tries, %v, want %v", answer, got.Receipt.Outcome, got.Tries, err, want)
			}
		})
	}
}

// A message to more recipients than the server takes at a time goes to all of them,
// so many at a time, and nobody waits. That is no try again, and a refusal of another
// kind among them still has its own.
func TestMoreRecipientsThanAtATime(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions, MaxRecipients: 3})
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{
					MaxConnections: 1, Retry: smtpx.Retry{Recipients: true, Count: 1, Initial: time.Minute},
				})
				var to []string
				for i := range 11 {
					to = append(to, string(rune('a'+i))+"@elsewhere.example")
				}
				mails := func(yield func(session.Mail) bool) {
					_ = yield(circular(0, bob)) && yield(circular(1, to...)) && yield(circular(2, bob))
				}
				began := time.Now()
				all, err := sendAll(t, c, mails, nil)
				if took := time.Since(began); err != nil || count(all)[session.Accepted] != 3 || took > 0 || all["1"].Tries != 4 {
					t.Errorf("SendAll = %v in %d tries, %v, after %v", count(all), all["1"].Tries, err, took)
				}
				s.Inject(mailtest.Reply("RCPT", "450 4.2.1 later").Containing("b@else"))
				began = time.Now()
				all, err = sendAll(t, c, mails, nil)
				if took := time.Since(began); err != nil || count(all)[session.Accepted] != 3 || took > time.Minute || took < 30*time.Second {
					t.Errorf("SendAll = %v, %v, after %v, want one wait", count(all), err, took)
				}
				got := map[string]int{}
				for _, m := range s.Messages() {
					for _, address := range m.To {
						got[address]++
					}
				}
				for _, address := range to {
					if got[address] != 2 {
						t.Errorf("%s got %d of the messages, want each of two once", address, got[address])
					}
				}
			})
		})
	}
}

// A server that offers CHUNKING and does not know BDAT gets everything by DATA: at
// once, and once. A refusal that is about the message stays one.
func TestBDATThatIsNotKnown(t *testing.T) {
	for answer, unknown := range map[string]bool{
		"500 5.5.1 command unrecognized": true, "502 5.5.1 not implemented": true, "504 5.5.4 no": true, "554 5.6.0 no such content here": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			s.Inject(mailtest.Reply("BDAT", answer).Repeating(-1))
			c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1, Retry: smtpx.Retry{Count: -1}})
			began := time.Now()
			all, err := sendAll(t, c, circulars(20), nil)
			if took := time.Since(began); err != nil || (count(all)[session.Accepted] == 20) != unknown || took != 0 {
				t.Errorf("%s: %v, %v after %v, want all accepted: %t", answer, count(all), err, took, unknown)
			}
			checkTruth(t, s, all, 20)
			for key, r := range all {
				if r.Tries != 1 {
					t.Errorf("%s: message %s took %d tries", answer, key, r.Tries)
				}
			}
			if !unknown {
				return
			}
			before := strings.Count(said(s), "BDAT")
			if all, err := sendAll(t, c, circulars(20), nil); err != nil || count(all)[session.Accepted] != 20 {
				t.Errorf("%s: the second time %v, %v", answer, count(all), err)
			}
			if got := strings.Count(said(s), "BDAT"); got != before || before == 0 {
				t.Errorf("%s: BDAT was tried %d times and then %d", answer, before, got-before)
			}
		})
	}
}
