package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// Where nobody came as far as to ask the server for a message, no message is given up:
// one of them is tried now and then, and all go out once the way is free.
func TestWhatNoServerSaidOfAMessage(t *testing.T) {
	for name, faults := range map[string][]mailtest.Fault{
		"turned away at the door":  {mailtest.Bye(mailtest.Greeting, "554 5.7.1 your address is on a list")},
		"turned away at hello":     {mailtest.Reply("EHLO", "550 5.7.1 no"), mailtest.Reply("HELO", "550 5.7.1 no")},
		"somebody else's answer":   {mailtest.Bye(mailtest.Greeting, "HTTP/1.1 400 Bad Request")},
		"no sign-in offered":       {mailtest.Reply("EHLO", "250 mail.example.com")},
		"an unknown mechanism":     {mailtest.Reply("AUTH", "504 5.5.4 not here")},
		"a sign-in that is wanted": {mailtest.Reply("MAIL", "530 5.7.0 Authentication required")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				b := o.box(outbox.Options{})
				for _, f := range faults {
					o.provider.SMTP.Inject(f.Repeating(2))
				}
				enqueue(t, b, "a", draft("One", bob))
				enqueue(t, b, "b", draft("Two", bob))
				stop := running(t, b)
				defer stop()
				synctest.Wait()
				tries := wantState(t, b, "a", outbox.StateNew).Tries + wantState(t, b, "b", outbox.StateNew).Tries
				if tries != 1 {
					t.Errorf("%d tries, want one for all", tries)
				}
				<-time.After(10 * time.Minute)
				wantState(t, b, "a", outbox.StateSent)
				wantState(t, b, "b", outbox.StateSent)
			})
		})
	}
}

// A message that has held the others is tried behind them: it may be the only one that
// meets that answer after all.
func TestWhatHoldsGoesBehindTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Reply("MAIL", "530 5.7.0 Authentication required"))
		for _, key := range []string{"a", "b", "c"} {
			enqueue(t, b, key, draft(key, bob))
		}
		stop := running(t, b)
		defer stop()
		<-time.After(10 * time.Minute)
		arrived, err := o.accounts[bob].Messages("INBOX")
		if err != nil || len(arrived) != 3 {
			t.Fatalf("%d messages have arrived, %v; want three", len(arrived), err)
		}
		for i, m := range arrived {
			key := message.ParseHeader([]byte(m.Raw)).Subject()
			if e, want := wantState(t, b, key, outbox.StateSent), 1+i/2; e.Tries != want {
				t.Errorf("message %d was sent at try %d, want %d", i+1, e.Tries, want)
			}
		}
	})
}

// A certificate that cannot be verified is nothing that anybody said of a message.
func TestACertificateHoldsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		p := o.provider.Preset()
		p.SMTP.TLS = nil
		s, err := session.New(session.Credentials{User: ann, Password: secret.New("correct horse")},
			imapx.Backend(p.IMAP, nil), smtpx.Backend(p.SMTP, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		b := o.boxOver(s, outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if e := wantState(t, b, "a", outbox.StateNew); e.Err == "" {
			t.Error("the entry does not say why it waits")
		}
	})
}

// A message that waited for long since no program ran, or since the clock was wrong,
// is given up for the answers that it gets, and not for its age.
func TestAgeAloneGivesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		<-time.After(30 * 24 * time.Hour)
		o.provider.SMTP.Inject(mailtest.Reply("MAIL", "451 4.7.1 later").Repeating(4))
		stop := running(t, b)
		defer stop()
		<-time.After(time.Hour)
		if e := wantState(t, b, "a", outbox.StateSent); e.Tries != 5 {
			t.Errorf("sent at try %d, want the fifth", e.Tries)
		}
	})
}
