package smtpx_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// patience is how long each step may take by RFC 5321 section 4.5.3.2, at the least;
// what it does not speak of is as long as a command.
func patience() map[string]time.Duration {
	return map[string]time.Duration{
		mailtest.Greeting: 5 * time.Minute, "EHLO": 5 * time.Minute, "MAIL": 5 * time.Minute, "RCPT": 5 * time.Minute,
		"DATA": 5 * time.Minute, smtptest.EndOfData: 10 * time.Minute,
	}
}

// A server that takes its time gets the message at each step, as long as RFC 5321
// wants it to be waited for. Longer than that nobody waits, and nothing is in doubt
// but what became of a message that had left.
func TestSlowServersAreWaitedFor(t *testing.T) {
	for step, bound := range patience() {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{IdleTimeout: -1})
				s.Inject(mailtest.Delay(step, bound-time.Second))
				mustSend(t, c)
				s.Inject(mailtest.Delay(step, bound+time.Second))
				start := time.Now()
				rec, err := c.Send(t.Context(), toBob(), source(letter))
				want := session.NotSent
				if step == smtptest.EndOfData {
					want = session.SentUnknown
				}
				checkOutcome(t, rec, err, want)
				if took := time.Since(start); took != bound || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Send gave up after %v with %v, want %v and %v", took, err, bound, os.ErrDeadlineExceeded)
				}
			})
		})
	}
}

// A server may rest in the middle of a message.
func TestAServerThatRestsInTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, script(t, func(c net.Conn) {
			r := bufio.NewReader(c)
			for answer, text := "220 slow", false; ; {
				if answer != "" {
					if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
						return
					}
				}
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == "DATA\r\n" || line == "half way\r\n" {
					pass(4 * time.Minute)
				}
				switch {
				case line == "DATA\r\n":
					answer, text = "354 go", true
				case line == ".\r\n":
					answer, text = "250 taken", false
				case text:
					answer = ""
				default:
					answer = "250 ok"
				}
			}
		}), session.Credentials{}, nil)
		start := time.Now()
		half := strings.Repeat("a part of what is in it\r\n", 20_000)
		rec, err := c.Send(t.Context(), toBob(), source("Subject: long\r\n\r\n"+half+"half way\r\n"+half))
		if err != nil || rec.Outcome != session.Accepted {
			t.Errorf("Send = %v, %v, want accepted", rec.Outcome, err)
		}
		if took := time.Since(start); took != 8*time.Minute {
			t.Errorf("it took %v, want 8m: the server rests twice", took)
		}
	})
}

// How long the answer to a message is waited for is a setting of its own: one that
// wants the answers to commands soon does not leave messages in doubt. By Send and
// SendAll alike.
func TestTheBoundOnAMessageIsItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		bounds session.Timeouts
		want   time.Duration // 0 is that the server is waited for whatever it takes
	}{
		"short commands":       {session.Timeouts{Command: 20 * time.Second}, 10 * time.Minute},
		"long commands":        {session.Timeouts{Command: 20 * time.Minute}, 20 * time.Minute},
		"unbounded commands":   {session.Timeouts{Command: -1}, 0},
		"a short message":      {session.Timeouts{Message: time.Minute}, time.Minute},
		"a long message":       {session.Timeouts{Command: time.Minute, Message: 30 * time.Minute}, 30 * time.Minute},
		"an unbounded message": {session.Timeouts{Command: time.Minute, Message: -1}, 0},
	} {
		for offer, extensions := range offers() {
			t.Run(name+", "+offer, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, &smtptest.Options{Extensions: extensions})
					server := inMemory(s)
					server.Timeouts = tt.bounds
					c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1})
					mustSend(t, c)
					delay, want := tt.want+time.Second, session.SentUnknown
					if tt.want == 0 {
						delay, want = 24*time.Hour, session.Accepted
					}
					for _, send := range []func() session.SendOutcome{
						func() session.SendOutcome {
							rec, _ := c.Send(t.Context(), toBob(), source(letter))
							return rec.Outcome
						},
						func() session.SendOutcome {
							all, _ := sendAll(t, c, circulars(1), nil)
							return all["0"].Receipt.Outcome
						},
					} {
						s.Inject(mailtest.Delay(smtptest.EndOfData, delay))
						start := time.Now()
						got := send()
						took := time.Since(start)
						if wait := min(delay, tt.want); got != want || took != wait && tt.want > 0 {
							t.Errorf("a message is %v after %v, want %v after %v", got, took, want, wait)
						}
					}
				})
			})
		}
	}
}
