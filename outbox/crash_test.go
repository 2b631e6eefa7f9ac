package outbox_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/state"
)

// filing has the fake server file what is sent in ann's folder of sent mail, before
// the whole of its answer is out.
func (o *office) filing() {
	o.provider.SMTP.Inject(mailtest.CallAfter(smtptest.EndOfData, 1, func() {
		all := o.provider.SMTP.Messages()
		if _, err := o.accounts[ann].Append("Sent", all[len(all)-1].Raw, nil); err != nil {
			o.t.Error(err)
		}
	}).Repeating(-1))
}

// crash has a worker enqueue and send, and ends it at a named point, as the end of
// its process would: nothing of it goes on.
func (o *office) crash(point string) {
	o.t.Helper()
	o.crashWith(point, func(ctx context.Context, b *outbox.Outbox) error {
		_, err := b.EnqueueDraft(ctx, "a", draft("One", bob))
		return err
	})
}

// crashWith is crash with a message of the test's.
func (o *office) crashWith(point string, enqueue func(ctx context.Context, b *outbox.Outbox) error) {
	o.t.Helper()
	b := o.box(outbox.Options{})
	ctx, cancel := context.WithCancel(o.t.Context())
	ended, crashed := make(chan struct{}), false
	outbox.AtPoints(b, func(reached string) {
		if reached == point {
			crashed = true
			cancel()
			runtime.Goexit()
		}
	})
	go func() {
		defer close(ended)
		if err := enqueue(ctx, b); err != nil {
			o.t.Error(err)
		}
		if err := b.Drain(ctx); err != nil {
			o.t.Error(err)
		}
	}()
	<-ended
	if !crashed {
		o.t.Fatalf("the worker did not come to the point %q", point)
	}
}

// afterCrash is what a crash leaves to the next worker.
type afterCrash struct {
	state outbox.State
	bob   int // messages that arrived
}

// crashes are what becomes of a message after a crash at each point.
func crashes() map[string]afterCrash {
	sent := afterCrash{outbox.StateSent, 1}
	return map[string]afterCrash{
		"entry kept": sent, "body kept": sent,
		"claimed": {outbox.StateUnknown, 0}, "answered": {outbox.StateUnknown, 1},
		"recorded": sent, "copy filed": sent, "copy noted": sent, "body removed": sent,
	}
}

// A crash at any point doubles nothing and loses nothing: the next worker goes on
// where the first one ended, or knows that it does not know.
func TestACrashDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, point := range outbox.Points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.crash(point)
				b := o.box(outbox.Options{})
				enqueue(t, b, "a", draft("One", bob)) // the program does not know how far it came
				stop := running(t, b)
				defer stop()
				<-time.After(48 * time.Hour)
				want := crashes()[point]
				e := wantState(t, b, "a", want.state)
				if got := o.count(bob, "INBOX"); got != want.bob {
					t.Errorf("bob has %d messages, want %d", got, want.bob)
				}
				if want.state == outbox.StateUnknown {
					if !e.Next.IsZero() {
						t.Errorf("after two days it is still looked for, at %v", e.Next)
					}
					o.decide(b, want.bob)
				}
				wantState(t, b, "a", outbox.StateSent)
				if got, copies := o.count(bob, "INBOX"), o.count(ann, "Sent"); got != 1 || copies != 1 || o.bodies() > 0 {
					t.Errorf("in the end bob has %d, Sent %d, and the Store the bytes of %d; want 1, 1 and 0", got, copies, o.bodies())
				}
			})
		})
	}
}

// decide does for an unknown message what somebody does who has asked bob.
func (o *office) decide(b *outbox.Outbox, arrived int) {
	o.t.Helper()
	decision := b.Resend
	if arrived > 0 {
		decision = b.MarkSent
	}
	if err := decision(o.t.Context(), "a"); err != nil {
		o.t.Error(err)
	}
	synctest.Wait()
}

// Where the server files what is sent, a crash between its answer and the record of
// it is found out about by itself, and no second copy is filed.
func TestACrashIsResolvedByTheSentFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.filing()
		o.crash(outbox.PointAnswered)
		b := o.box(outbox.Options{})
		stop := running(t, b)
		defer stop()
		<-time.After(2 * time.Minute)
		e := wantState(t, b, "a", outbox.StateSent)
		if !e.Found || e.Copy != session.CopyFound {
			t.Errorf("the entry is %+v, want it found, and its copy", e)
		}
		if got, copies := o.count(bob, "INBOX"), o.count(ann, "Sent"); got != 1 || copies != 1 {
			t.Errorf("bob has %d, Sent %d; want one each", got, copies)
		}
	})
}

// What a copy in the folder of sent mail proves of several recipients depends on what
// is known of the server's answers: a worker that crashed took them with it.
func TestWhatACopyProves(t *testing.T) {
	t.Parallel()
	refuseEve := mailtest.Reply("RCPT", "550 5.1.1 no such user").Containing("eve@")
	lose := mailtest.Drop(smtptest.EndOfData, 1)
	for name, tt := range map[string]struct {
		crash     bool
		allOrNone bool
		faults    []mailtest.Fault
		state     outbox.State
		bob, eve  outbox.RecipientState
	}{
		"a crash, and one refused":       {true, false, []mailtest.Fault{refuseEve}, outbox.StateUnknown, outbox.Unsure, outbox.Unsure},
		"a crash, and nobody refused":    {true, false, nil, outbox.StateUnknown, outbox.Unsure, outbox.Unsure},
		"a crash, and all or none":       {true, true, nil, outbox.StateSent, outbox.Accepted, outbox.Accepted},
		"a lost answer, and one refused": {false, false, []mailtest.Fault{refuseEve, lose}, outbox.StatePartial, outbox.Accepted, outbox.Refused},
		"a lost answer":                  {false, false, []mailtest.Fault{lose}, outbox.StateSent, outbox.Accepted, outbox.Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.provider.SMTP.Inject(tt.faults...)
				send := func(ctx context.Context, b *outbox.Outbox) error {
					e := session.Envelope{From: ann, To: []string{bob, eve}, AllOrNone: tt.allOrNone}
					_, err := b.Enqueue(ctx, "a", e, message.Bytes([]byte("Subject: One\r\n\r\nAs agreed.\r\n")))
					return err
				}
				b := o.box(outbox.Options{})
				if tt.crash {
					o.filing()
					o.crashWith(outbox.PointAnswered, send)
				} else if err := send(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				stop := running(t, b)
				defer stop()
				synctest.Wait()
				if !tt.crash { // the server files it late
					if _, err := o.accounts[ann].Append("Sent", o.provider.SMTP.Messages()[0].Raw, nil); err != nil {
						t.Fatal(err)
					}
				}
				<-time.After(48 * time.Hour)
				e := wantState(t, b, "a", tt.state)
				if !e.Found || e.Recipients[0].State != tt.bob || e.Recipients[1].State != tt.eve || !e.Next.IsZero() {
					t.Errorf("the entry is %+v, want it found, bob %s and eve %s", e, tt.bob, tt.eve)
				}
				if got := len(o.provider.SMTP.Messages()); got != 1 {
					t.Errorf("it was sent %d times, want once", got)
				}
				if tt.state != outbox.StateUnknown {
					return
				}
				if err := b.MarkSent(t.Context(), "a"); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if wantState(t, b, "a", outbox.StateSent); o.count(ann, "Sent") != 1 || o.bodies() != 0 {
					t.Errorf("Sent has %d, the Store the bytes of %d; want 1 and 0", o.count(ann, "Sent"), o.bodies())
				}
			})
		})
	}
}

// A line that is lost before the answer makes a message unknown too. A server that
// files it late is waited for.
func TestALostAnswerIsResolvedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Drop(smtptest.EndOfData, 0))
		enqueue(t, b, "a", draft("One", bob))
		stop := running(t, b)
		defer stop()
		<-time.After(time.Hour)
		e := wantState(t, b, "a", outbox.StateUnknown)
		if e.Next.IsZero() || e.Recipients[0].State != outbox.Unsure {
			t.Errorf("the entry is %+v, want it unsure, and looked for", e)
		}
		if _, err := o.accounts[ann].Append("Sent", o.provider.SMTP.Messages()[0].Raw, nil); err != nil {
			t.Fatal(err)
		}
		<-time.After(12 * time.Hour)
		if e := wantState(t, b, "a", outbox.StateSent); !e.Found {
			t.Error("it was not found in the folder of sent mail")
		}
	})
}

// The folder of sent mail proves nothing of a second try after the first one was
// accepted for others.
func TestAnEarlierTryProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Reply("RCPT", "450 4.2.0 later").Containing("bob@"))
		o.provider.SMTP.Inject(mailtest.Drop(smtptest.EndOfData, 0).Skipping(1))
		enqueue(t, b, "a", draft("One", eve, bob))
		stop := running(t, b)
		defer stop()
		<-time.After(time.Hour)
		e := wantState(t, b, "a", outbox.StateUnknown)
		if !e.Next.IsZero() || e.Recipients[0].State != outbox.Accepted || e.Recipients[1].State != outbox.Unsure || o.count(ann, "Sent") != 1 {
			t.Errorf("the entry is %+v, want it left to the program, with the copy of the first try", e)
		}
	})
}

// stuck is a Store that fails to change anything now and then.
type stuck struct {
	*state.Memory

	broken atomic.Bool
}

func (s *stuck) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if s.broken.Load() {
		return "", errors.New("the disk does not answer")
	}
	return s.Memory.CompareAndSwap(ctx, key, old, value)
}

// standStill has a worker get the server's answer and then stand still, so that
// another one counts it out; meanwhile is done then, before the first one goes on. In
// the end the message is in a state.
func standStill(t *testing.T, want outbox.State, meanwhile func(o *office, b *outbox.Outbox)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		memory := state.NewMemory()
		frozen := &stuck{Memory: memory}
		o.store = frozen
		first := o.box(outbox.Options{})
		enqueue(t, first, "a", draft("One", bob))
		o.store = memory
		second := o.box(outbox.Options{})
		goOn := make(chan struct{})
		outbox.AtPoints(first, func(point string) {
			if point == outbox.PointAnswered {
				frozen.broken.Store(true)
				<-goOn
				frozen.broken.Store(false)
			}
		})
		stopFirst := running(t, first)
		defer stopFirst()
		synctest.Wait()
		stopSecond := running(t, second)
		defer stopSecond()
		<-time.After(50 * time.Second)
		wantState(t, second, "a", outbox.StateSending)
		<-time.After(time.Minute)
		wantState(t, second, "a", outbox.StateUnknown)
		meanwhile(o, second)
		close(goOn)
		synctest.Wait()
		wantState(t, second, "a", want)
	})
}

// A worker that was counted out while it stood still, and knows what became of the
// message, ends the uncertainty.
func TestALateAnswerCounts(t *testing.T) {
	standStill(t, outbox.StateSent, func(*office, *outbox.Outbox) {})
}

// After the program has decided, a late answer to an earlier try does not count.
func TestADecisionIsFinal(t *testing.T) {
	for want, fault := range map[outbox.State]mailtest.Fault{
		outbox.StateSent:    {Command: "NOOP"},
		outbox.StateUnknown: mailtest.Drop(smtptest.EndOfData, 0),
	} {
		standStill(t, want, func(o *office, b *outbox.Outbox) {
			o.provider.SMTP.Inject(fault)
			if err := b.Resend(o.t.Context(), "a"); err != nil {
				o.t.Error(err)
			}
			synctest.Wait()
			if e := wantState(o.t, b, "a", want); e.Tries != 1 || o.count(bob, "INBOX") != 2 {
				o.t.Errorf("the entry is %+v and bob has %d, want the second try alone in it", e, o.count(bob, "INBOX"))
			}
		})
	}
}

// A late answer that does not count leaves the message's bytes alone: the program's
// decision may still need them.
func TestALateAnswerLeavesTheBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		memory := state.NewMemory()
		frozen := &stuck{Memory: memory}
		o.store = frozen
		first := o.boxOver(o.session(session.Options{}), outbox.Options{})
		enqueue(t, first, "a", draft("One", bob))
		o.store = memory
		second := o.boxOver(o.session(session.Options{}), outbox.Options{})
		goOn := make(chan struct{})
		outbox.AtPoints(first, func(point string) {
			if point == outbox.PointAnswered {
				frozen.broken.Store(true)
				<-goOn
				frozen.broken.Store(false)
			}
		})
		stopFirst := running(t, first)
		defer stopFirst()
		synctest.Wait()
		stopSecond := running(t, second)
		defer stopSecond()
		<-time.After(2 * time.Minute)
		o.provider.SMTP.Inject(mailtest.Reply("MAIL", "451 4.3.0 local trouble"))
		if err := second.Resend(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		wantState(t, second, "a", outbox.StateNew)
		close(goOn)
		synctest.Wait()
		if got := o.bodies(); got != 1 {
			t.Errorf("the Store has the bytes of %d messages, want those of the one that waits", got)
		}
		<-time.After(5 * time.Minute)
		wantState(t, second, "a", outbox.StateSent)
	})
}
