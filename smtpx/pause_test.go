package smtpx_test

import (
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
