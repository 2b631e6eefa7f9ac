package outbox_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// subject returns that of a message.
func subject(raw string) string {
	_, rest, _ := strings.Cut(raw, "\nSubject: ")
	line, _, _ := strings.Cut(rest, "\r\n")
	return line
}

// sendFault is something that goes wrong once, and what becomes of the message in
// three days.
type sendFault struct {
	fault mailtest.Fault
	state outbox.State
	bob   int // messages that arrived
}

// ignored has the command not carried out.
func ignored(f mailtest.Fault) mailtest.Fault {
	f.Ignore = true
	return f
}

func sendFaults() map[string]sendFault {
	all := map[string]sendFault{
		"greeting, silence":       {mailtest.Silence(mailtest.Greeting), outbox.StateSent, 1},
		"handshake, drop":         {mailtest.Drop(mailtest.Handshake, 0), outbox.StateSent, 1},
		"sign-in, refused":        {mailtest.Refuse("AUTH"), outbox.StateSent, 1},
		"sender, refused":         {mailtest.Reply("MAIL", "550 5.7.1 not you"), outbox.StateFailed, 0},
		"recipient, refused":      {mailtest.Reply("RCPT", "550 5.1.1 no such user"), outbox.StateFailed, 0},
		"message, refused":        {mailtest.Reply(smtptest.EndOfData, "554 5.6.0 no"), outbox.StateFailed, 0},
		"message, later":          {mailtest.Reply(smtptest.EndOfData, "452 4.3.1 no room"), outbox.StateSent, 1},
		"message, answer lost":    {mailtest.Drop(smtptest.EndOfData, 0), outbox.StateUnknown, 1},
		"message, lost":           {ignored(mailtest.Drop(smtptest.EndOfData, 0)), outbox.StateUnknown, 0},
		"message, silence":        {mailtest.Silence(smtptest.EndOfData), outbox.StateUnknown, 1},
		"message, half an answer": {mailtest.Half(smtptest.EndOfData), outbox.StateUnknown, 1},
	}
	for _, command := range []string{"EHLO", "AUTH", "MAIL", "RCPT", "DATA"} {
		all[command+", drop"] = sendFault{mailtest.Drop(command, 0), outbox.StateSent, 1}
		all[command+", silence"] = sendFault{mailtest.Silence(command), outbox.StateSent, 1}
		all[command+", half"] = sendFault{mailtest.Half(command), outbox.StateSent, 1}
		all[command+", goodbye"] = sendFault{mailtest.Bye(command, "421 4.3.2 shutting down"), outbox.StateSent, 1}
	}
	return all
}

// Whatever goes wrong once at whatever step: no message is doubled, none is lost
// without a word, and what is not known is called that.
func TestFaultsOfSending(t *testing.T) {
	t.Parallel()
	for name, f := range sendFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				b := o.box(outbox.Options{})
				o.provider.SMTP.Inject(f.fault)
				enqueue(t, b, "a", draft("One", bob))
				stop := running(t, b)
				defer stop()
				<-time.After(6 * time.Hour)
				wantState(t, b, "a", f.state)
				if got := o.count(bob, "INBOX"); got != f.bob {
					t.Errorf("bob has %d messages, want %d", got, f.bob)
				}
				if got, want := o.count(ann, "Sent"), b2i(f.state == outbox.StateSent); got != want {
					t.Errorf("Sent has %d copies, want %d", got, want)
				}
			})
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Whatever goes wrong once with the copy: the message counts as sent, is not sent
// again, and one copy is filed in the end.
func TestFaultsOfTheCopy(t *testing.T) {
	t.Parallel()
	faults := map[string]mailtest.Fault{}
	for _, command := range []string{mailtest.Greeting, "LIST", "SEARCH", "APPEND", "SELECT"} {
		faults[command+", drop"] = mailtest.Drop(command, 0)
		faults[command+", silence"] = mailtest.Silence(command)
	}
	faults["APPEND, refused"] = mailtest.Reply("APPEND", "NO [OVERQUOTA] the mailbox is full")
	faults["APPEND, later"] = mailtest.Reply("APPEND", "NO [UNAVAILABLE] later")
	faults["APPEND, lost"] = ignored(mailtest.Drop("APPEND", 0))
	faults["SEARCH, later"] = mailtest.Reply("SEARCH", "NO [UNAVAILABLE] later")
	faults["sign-in, refused"] = mailtest.Refuse("AUTHENTICATE")
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				b := o.box(outbox.Options{})
				o.provider.IMAP.Inject(fault)
				enqueue(t, b, "a", draft("One", bob))
				stop := running(t, b)
				defer stop()
				<-time.After(6 * time.Hour)
				e := wantState(t, b, "a", outbox.StateSent)
				if e.Copy != session.CopyFiled && e.Copy != session.CopyFound || e.CopyErr != "" {
					t.Errorf("the copy is %v (%s), want it filed", e.Copy, e.CopyErr)
				}
				if got, copies := o.count(bob, "INBOX"), o.count(ann, "Sent"); got != 1 || copies != 1 || o.bodies() != 0 {
					t.Errorf("bob has %d, Sent %d, the Store the bytes of %d; want 1, 1 and 0", got, copies, o.bodies())
				}
			})
		})
	}
}

// A mailbox that takes no copy at all does not keep the outbox busy for ever.
func TestACopyThatCannotBeFiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.IMAP.Inject(mailtest.Reply("APPEND", "NO [OVERQUOTA] the mailbox is full").Repeating(-1))
		enqueue(t, b, "a", draft("One", bob))
		stop := running(t, b)
		defer stop()
		<-time.After(24 * time.Hour)
		e := wantState(t, b, "a", outbox.StateSent)
		if e.Copy != session.CopyFailed || !strings.Contains(e.CopyErr, "full") || !e.Next.IsZero() || o.bodies() != 0 {
			t.Errorf("the entry is %+v, want the copy given up", e)
		}
	})
}
