package smtpx_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// A message that is sent while a long bulk runs over the same client does not wait for
// the end of it, and the bulk goes on.
func TestASendBesideABulk(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const messages = 2000
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				server := inMemory(s)
				server.Dial = distant(s.Dial, 100*time.Millisecond)
				c := newClient(t, server, withPassword(), nil)
				ended := make(chan int)
				go func() {
					accepted := 0
					for r, err := range c.SendAll(t.Context(), circulars(messages), nil) {
						if err == nil && r.Receipt.Outcome == session.Accepted {
							accepted++
						}
					}
					ended <- accepted
				}()
				pass(5 * time.Second)
				for range 3 {
					began := time.Now()
					mustSend(t, c)
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("Send took %v", took)
					}
				}
				select {
				case n := <-ended:
					t.Errorf("the bulk of %d was through before", n)
				default:
				}
				if n := <-ended; n != messages {
					t.Errorf("%d messages of the bulk were accepted, want %d", n, messages)
				}
			})
		})
	}
}

// Nobody holds a connection in a pause: a server would end it, and others may need it.
func TestNoConnectionIsHeldInAPause(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{Rate: smtpx.Rate{Messages: 10, Per: time.Hour}})
				began, open := time.Now(), make(chan int, 1)
				time.AfterFunc(10*time.Minute, func() {
					_, n := s.Connections()
					open <- n
				})
				all, err := sendAll(t, c, circulars(25), nil)
				if took := time.Since(began); err != nil || count(all)[session.Accepted] != 25 || took != 2*time.Hour {
					t.Errorf("SendAll = %v, %v after %v, want all accepted after 2h", count(all), err, took)
				}
				if n := <-open; n != 0 {
					t.Errorf("%d connections are open in the pause", n)
				}
				for _, r := range all {
					if r.Tries != 1 {
						t.Errorf("message %s took %d tries", r.Key, r.Tries)
					}
				}
			})
		})
	}
}
