package smtpx_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// Break in a pause, which the server or the program's own settings want, does not wait
// for its end, and nothing is sent when it has come.
func TestBreakInAPause(t *testing.T) {
	for name, extensions := range offers() {
		for what, rate := range map[string]smtpx.Rate{"the server's": {}, "one's own": {Messages: 3, Per: time.Hour}} {
			t.Run(what+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, &smtptest.Options{Extensions: extensions})
					if rate.Per == 0 {
						s.Inject(mailtest.Reply("RCPT", "450 4.7.28 sending rate, try again in 3 hours").Repeating(-1))
					}
					c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{Rate: rate, Retry: smtpx.Retry{Count: -1}})
					began := time.Now()
					for _, err := range c.SendAll(t.Context(), circulars(100), nil) {
						t.Logf("the first message: %v", err)
						break
					}
					n := len(s.Messages())
					if took := time.Since(began); took != 0 {
						t.Errorf("break took %v, want no time", took)
					}
					pass(5 * time.Hour)
					if later := len(s.Messages()); later != n {
						t.Errorf("the server has %d messages when the loop is left, and %d later", n, later)
					}
				})
			})
		}
	}
}

// What lasts ends a bulk at once, also where another connection waits for its turn.
func TestALastingRefusalInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		refused := mailtest.Reply("AUTH", "535 5.7.8 no")
		refused.Skip = 1
		s.Inject(refused, mailtest.Delay("EHLO", time.Minute)) // while the other one sends
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 2, Rate: smtpx.Rate{Messages: 2, Per: time.Hour}})
		began := time.Now()
		var why error
		accepted := 0
		for r, err := range c.SendAll(t.Context(), circulars(10), nil) {
			if r.Receipt.Outcome == session.Accepted {
				accepted++
			}
			why = err
		}
		if took := time.Since(began); !session.NeedsSignIn(why) || accepted != 1 || took != time.Minute {
			t.Errorf("SendAll ended in %v with %d accepted after %v, want the refused sign-in and one after a minute", why, accepted, took)
		}
	})
}

// A connection that has carried as many messages as the server lets it, or that the
// server has forgotten the sign-in of, is replaced at once: nobody waits, no message is
// refused, and no other connection is held up.
func TestAConnectionAtItsEnd(t *testing.T) {
	for _, answer := range []string{
		"421 too many messages in this connection",                                          // Exim
		"421 4.7.0 Connection closed by server. Maximum message count per session reached.", // Amazon SES
		"452 4.5.3 Too many messages sent",
		"451 4.7.1 Message limit for this session reached",
		"530 5.7.57 Client not authenticated to send mail",
	} {
		for name, extensions := range offers() {
			t.Run(answer+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, &smtptest.Options{
						Extensions: extensions,
						Policies:   []smtptest.Policy{smtptest.Rate("MAIL", 5, 0, smtptest.ByConnection, answer)},
					})
					c := newClient(t, inMemory(s), withPassword(), nil)
					began := time.Now()
					all, err := sendAll(t, c, circulars(40), nil)
					if took := time.Since(began); err != nil || count(all)[session.Accepted] != 40 || took != 0 {
						t.Errorf("SendAll = %v, %v after %v, want all accepted at once", count(all), err, took)
					}
					checkTruth(t, s, all, 40)
					for range 12 {
						mustSend(t, c)
					}
					if took := time.Since(began); took != 0 {
						t.Errorf("Send waited for %v", took)
					}
				})
			})
		}
	}
}

// The same words at a connection's first message are about the mailbox: the server
// wants a pause.
func TestTooManyMessagesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &smtptest.Options{
			Policies: []smtptest.Policy{smtptest.Rate("MAIL", 3, time.Minute, smtptest.ByUser, "421 4.7.0 Too many messages sent")},
		})
		c := newClient(t, inMemory(s), withPassword(), nil)
		began := time.Now()
		all, err := sendAll(t, c, circulars(6), nil)
		if took := time.Since(began); err != nil || count(all)[session.Accepted] != 6 || took < time.Minute || took > 2*time.Minute {
			t.Errorf("SendAll = %v, %v after %v, want all accepted after a minute", count(all), err, took)
		}
	})
}

// Close ends what waits for a pause, of the server's or of one's own, and for the next
// try of what was refused for now.
func TestCloseInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]string{
			"the mailbox's":   "450 4.7.28 sending rate, try again in 3 hours",
			"the recipient's": "450 4.2.1 try again in 3 hours",
		} {
			s := newServer(t, nil)
			s.Inject(mailtest.Reply("RCPT", answer).Repeating(-1))
			c := newClient(t, inMemory(s), withPassword(), nil)
			closed := time.Now().Add(time.Hour)
			time.AfterFunc(time.Hour, func() { _ = c.Close() })
			all, err := sendAll(t, c, circulars(100), nil)
			if !errors.Is(err, session.ErrClosed) || count(all)[session.NotSent] != len(all) || !time.Now().Equal(closed) {
				t.Errorf("%s: SendAll = %v, %v at %v, want %v at the moment of Close", name, count(all), err, time.Since(closed), session.ErrClosed)
			}
		}
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{Rate: smtpx.Rate{Messages: 1, Per: 24 * time.Hour}})
		mustSend(t, c)
		closed := time.Now().Add(time.Hour)
		time.AfterFunc(time.Hour, func() { _ = c.Close() })
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		if checkOutcome(t, rec, err, session.NotSent); !errors.Is(err, session.ErrClosed) || !time.Now().Equal(closed) {
			t.Errorf("Send = %v at %v, want %v at the moment of Close", err, time.Since(closed), session.ErrClosed)
		}
	})
}
