package outbox_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// A pause that the server asks for just when a message was taken into the hands
// leaves it in no doubt: it waits as new, and is sent when the pause is over.
func TestAPauseLeavesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		s := o.session(session.Options{})
		b := o.boxOver(s, outbox.Options{})
		var once sync.Once
		outbox.AtPoints(b, func(reached string) {
			if reached != "claimed" {
				return
			}
			once.Do(func() {
				o.provider.SMTP.Inject(mailtest.Reply("MAIL", "451 4.7.0 [THROTTLED] try again in 40 seconds"))
				if _, err := s.SendTest(t.Context(), bob, nil); err == nil {
					t.Error("the server asked for no pause")
				}
			})
		})
		enqueue(t, b, "a", draft("One", bob))
		began := time.Now()
		stop := running(t, b)
		defer stop()
		synctest.Wait()
		e := wantState(t, b, "a", outbox.StateNew)
		if wait := e.Next.Sub(began); wait != 40*time.Second || e.Tries != 0 {
			t.Errorf("after %d tries it waits for %v, want none and 40s", e.Tries, wait)
		}
		enqueue(t, b, "b", draft("Two", bob))
		synctest.Wait()
		if e := wantState(t, b, "b", outbox.StateNew); !e.Changed.Equal(e.Queued) {
			t.Error("the second message was taken into the hands for nothing")
		}
		<-time.After(39 * time.Second)
		if got := len(o.provider.SMTP.Messages()); got != 0 {
			t.Errorf("%d messages were sent in the pause", got)
		}
		<-time.After(2 * time.Second)
		if e := wantState(t, b, "a", outbox.StateSent); e.Tries != 1 || o.count(bob, "INBOX") != 2 {
			t.Errorf("after %d tries bob has %d messages, want one and two", e.Tries, o.count(bob, "INBOX"))
		}
	})
}

// A message to more recipients than the server takes at a time goes to all of them
// without a pause.
func TestMoreRecipientsThanAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		full := mailtest.Reply("RCPT", "452 4.5.3 Too many recipients")
		o.provider.SMTP.Inject(full.Skipping(1), full.Containing("eve@").Skipping(1))
		enqueue(t, b, "a", draft("One", bob, eve, ann))
		began := time.Now()
		stop := running(t, b)
		defer stop()
		synctest.Wait()
		if e := wantState(t, b, "a", outbox.StateSent); time.Since(began) != 0 || e.Tries < 2 {
			t.Errorf("it took %v and %d tries", time.Since(began), e.Tries)
		}
		if o.count(bob, "INBOX") != 1 || o.count(eve, "INBOX") != 1 || o.count(ann, "INBOX") != 1 {
			t.Error("not everybody has it once")
		}
	})
}

// A Drain at a session that is to send so much in a minute sends everything, each
// message once.
func TestADrainWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		s, err := session.New(session.Credentials{User: ann, Password: secret.New("correct horse")}, nil,
			smtpx.Backend(o.provider.Preset().SMTP, &smtpx.Options{Rate: smtpx.Rate{Messages: 2, Per: time.Minute}}), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		b := o.boxOver(s, outbox.Options{})
		for i := range 5 {
			enqueue(t, b, strconv.Itoa(i), draft("One", bob))
		}
		began := time.Now()
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); o.count(bob, "INBOX") != 5 || took != 2*time.Minute {
			t.Errorf("bob has %d messages after %v, want all 5 after 2m", o.count(bob, "INBOX"), took)
		}
		for i := range 5 {
			if e := wantState(t, b, strconv.Itoa(i), outbox.StateSent); e.Tries != 1 {
				t.Errorf("message %d took %d tries", i, e.Tries)
			}
		}
	})
}
