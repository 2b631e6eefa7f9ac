package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/seal"
)

// stores are the Stores that an outbox is kept in.
func stores(t *testing.T) map[string]state.Store {
	t.Helper()
	dir, err := state.OpenDir(t.TempDir() + "/state")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.New(state.NewMemory(), seal.Keys{Passphrase: secret.New("correct horse")}, &seal.Options{WorkFactor: 2})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]state.Store{"memory": state.NewMemory(), "folder": dir, "sealed": sealed}
}

// Several workers with sessions of their own share one Store, and each message goes
// out once.
func TestWorkersShareAStore(t *testing.T) {
	const messages, workers = 20, 3
	for _, name := range []string{"memory", "folder", "sealed"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.store = stores(t)[name]
				var boxes []*outbox.Outbox
				for range workers {
					boxes = append(boxes, o.box(outbox.Options{}))
				}
				for i := range messages {
					enqueue(t, boxes[i%workers], fmt.Sprintf("%02d", i), draft("One", bob))
				}
				for _, b := range boxes {
					defer running(t, b)()
				}
				<-time.After(time.Minute)
				n := 0
				for e, err := range boxes[0].Entries(t.Context()) {
					if err != nil || e.State != outbox.StateSent || e.Tries != 1 || e.Copy != session.CopyFiled || e.Key != fmt.Sprintf("%02d", n) {
						t.Errorf("entry %d is %+v, %v; want it sent in one try", n, e, err)
					}
					n++
				}
				if got := o.appends(); got != messages {
					t.Errorf("%d copies were appended, want %d", got, messages)
				}
				if got, copies := o.count(bob, "INBOX"), o.count(ann, "Sent"); n != messages || got != messages || copies != messages || o.bodies() != 0 {
					t.Errorf("%d entries, bob has %d messages, Sent %d, the Store the bytes of %d; want %d, and none", n, got, copies, o.bodies(), messages)
				}
			})
		})
	}
}

// appends returns how many copies the IMAP server was given.
func (o *office) appends() int {
	n := 0
	for _, c := range o.provider.IMAP.Commands() {
		if c.Name == "APPEND" {
			n++
		}
	}
	return n
}

// Without a worker nothing is sent; one that begins later sends the oldest first.
func TestTheOldestGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		for _, key := range []string{"c", "a", "b"} {
			enqueue(t, b, key, draft(key, bob))
			<-time.After(time.Second)
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		var subjects []string
		list, err := o.accounts[bob].Messages("INBOX")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			subjects = append(subjects, subject(m.Raw))
		}
		if !slices.Equal(subjects, []string{"c", "a", "b"}) {
			t.Errorf("sent in the order %q, want that of enqueueing", subjects)
		}
	})
}

// A Drain that is interrupted says so, and leaves the rest to the next one.
func TestAnInterruptedDrainSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		ctx, interrupt := context.WithCancel(t.Context())
		b := o.box(outbox.Options{Changed: func(e outbox.Entry) {
			if e.State == outbox.StateSent {
				interrupt()
			}
		}})
		for i := range 3 {
			enqueue(t, b, strconv.Itoa(i), draft("One", bob))
		}
		if err := b.Drain(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupted Drain = %v, want the context's error", err)
		}
		if got := o.count(bob, "INBOX"); got != 1 {
			t.Errorf("%d messages were sent before it was interrupted, want 1", got)
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if got := o.count(bob, "INBOX"); got != 3 {
			t.Errorf("%d messages were sent in all, want 3", got)
		}
	})
}

// While the server cannot be reached nobody's message is to blame: one try is made
// for all of them.
func TestAServerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Bye(mailtest.Greeting, "421 4.3.2 shutting down").Repeating(2))
		for i := range 5 {
			enqueue(t, b, strconv.Itoa(i), draft("One", bob))
		}
		stop := running(t, b)
		defer stop()
		synctest.Wait()
		tried := 0
		for e, err := range b.Entries(t.Context(), outbox.StateNew) {
			if err != nil {
				t.Error(err)
			}
			tried += e.Tries
		}
		enqueue(t, b, "late", draft("One", bob))
		synctest.Wait()
		if e := wantState(t, b, "late", outbox.StateNew); tried != 1 || e.Tries != 0 {
			t.Errorf("%d tries for five messages and %d for a new one, want one in all", tried, e.Tries)
		}
		<-time.After(10 * time.Minute)
		if got := o.count(bob, "INBOX"); got != 6 {
			t.Errorf("bob has %d messages, want 6", got)
		}
	})
}

// Refused credentials hold everything until somebody has put them right.
func TestRefusedCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.accounts[ann].SetPassword(secret.New("another horse"))
		b := o.box(outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		stop := running(t, b)
		defer stop()
		<-time.After(90 * time.Minute)
		if e := wantState(t, b, "a", outbox.StateNew); e.Tries != 2 || e.Err == "" {
			t.Errorf("%d tries with %q, want one an hour", e.Tries, e.Err)
		}
		o.accounts[ann].SetPassword(secret.New("correct horse"))
		<-time.After(time.Hour)
		wantState(t, b, "a", outbox.StateSent)
	})
}

// A session that was closed ends Run, as the lack of one ends Drain, and the messages
// are left as they are.
func TestASessionThatCannotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		s := o.session(session.Options{})
		b := o.boxOver(s, outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := b.Run(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Run = %v, want ErrClosed", err)
		}
		wantState(t, b, "a", outbox.StateNew)
		taking, err := outbox.New(o.store, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := taking.Drain(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Drain without a session = %v, want ErrUnsupported", err)
		}
		wantState(t, b, "a", outbox.StateNew)
	})
}

// Stopping a worker stops what it sends. What had not left goes out later.
func TestStoppingAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Silence("DATA"))
		enqueue(t, b, "a", draft("One", bob))
		stop := running(t, b)
		<-time.After(time.Second)
		wantState(t, b, "a", outbox.StateSending)
		stop()
		if e := wantState(t, b, "a", outbox.StateNew); e.Next.After(time.Now()) {
			t.Errorf("the next try is at %v, want it due", e.Next)
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if wantState(t, b, "a", outbox.StateSent); o.count(bob, "INBOX") != 1 {
			t.Error("bob has not got it once")
		}
	})
}

// A Store that fails for a while delays what is in it, and that is all.
func TestAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		disk := &stuck{Memory: state.NewMemory()}
		o.store = disk
		b := o.box(outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		disk.broken.Store(true)
		if _, err := b.EnqueueDraft(t.Context(), "b", draft("Two", bob)); err == nil {
			t.Error("a message was enqueued that was not kept")
		}
		stop := running(t, b)
		defer stop()
		<-time.After(time.Minute)
		if got := o.count(bob, "INBOX"); got != 0 {
			t.Errorf("bob has %d messages of which no record could be made", got)
		}
		disk.broken.Store(false)
		<-time.After(time.Minute)
		wantState(t, b, "a", outbox.StateSent)
	})
}

// A Store that keeps a change and then says that it failed is looked at again.
func TestAStoreThatDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.store = forgetful{state.NewMemory()}
		b := o.box(outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if wantState(t, b, "a", outbox.StateSent); o.count(bob, "INBOX") != 1 || o.bodies() != 0 {
			t.Errorf("bob has %d messages and the Store the bytes of %d, want 1 and 0", o.count(bob, "INBOX"), o.bodies())
		}
	})
}

// forgetful is a Store that changes what it is asked to, and loses the answer.
type forgetful struct{ *state.Memory }

func (f forgetful) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	_, err := f.Memory.CompareAndSwap(ctx, key, old, value)
	return "", errors.Join(errors.New("the answer was lost"), err)
}

// A worker that takes longer than the term of its claim renews it, and others leave
// its message alone.
func TestASlowWorkerIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		slow := mailtest.Delay(smtptest.EndOfData, 5*time.Minute)
		o.provider.SMTP.Inject(slow)
		first, second := o.box(outbox.Options{}), o.box(outbox.Options{})
		enqueue(t, first, "a", draft("One", bob))
		defer running(t, first)()
		synctest.Wait()
		defer running(t, second)()
		<-time.After(4 * time.Minute)
		wantState(t, second, "a", outbox.StateSending)
		<-time.After(2 * time.Minute)
		if e := wantState(t, second, "a", outbox.StateSent); e.Tries != 1 || e.Found || o.count(bob, "INBOX") != 1 {
			t.Errorf("the entry is %+v and bob has %d, want it sent in one try", e, o.count(bob, "INBOX"))
		}
	})
}

// A program that only drains finds out about a crash as well: it watches what it finds
// in the hands of others for as long as they count as alive.
func TestDrainFindsOutAboutACrash(t *testing.T) {
	for _, filed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t)
			if filed {
				o.filing()
			}
			o.crash(outbox.PointAnswered)
			b := o.box(outbox.Options{})
			enqueue(t, b, "b", draft("Two", bob))
			began := time.Now()
			if err := b.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < outbox.DefaultTerm || took > outbox.DefaultTerm+time.Second {
				t.Errorf("Drain took %v, want the term of a claim", took)
			}
			want := outbox.StateUnknown
			if filed {
				want = outbox.StateSent
			}
			wantState(t, b, "a", want)
			wantState(t, b, "b", outbox.StateSent)
			if got := o.count(bob, "INBOX"); got != 2 {
				t.Errorf("bob has %d messages, want 2", got)
			}
		})
	}
}

// A Drain leaves a worker alone that shows that it is alive, and one that is done.
func TestDrainLeavesTheLivingAlone(t *testing.T) {
	for takes, most := range map[time.Duration]time.Duration{10 * time.Second: 20 * time.Second, 5 * time.Minute: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t)
			o.provider.SMTP.Inject(mailtest.Delay(smtptest.EndOfData, takes))
			first, second := o.box(outbox.Options{}), o.box(outbox.Options{})
			enqueue(t, first, "a", draft("One", bob))
			defer running(t, first)()
			synctest.Wait()
			began := time.Now()
			if err := second.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took == 0 || took > most {
				t.Errorf("beside a worker that takes %v, Drain took %v, want up to %v", takes, took, most)
			}
			<-time.After(takes)
			if e := wantState(t, second, "a", outbox.StateSent); e.Tries != 1 || e.Found || o.count(bob, "INBOX") != 1 {
				t.Errorf("the entry is %+v and bob has %d, want it sent in one try", e, o.count(bob, "INBOX"))
			}
		})
	}
}

// A Drain that is stopped while it watches another worker stops.
func TestStoppingADrainThatWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.crash(outbox.PointAnswered)
		b := o.box(outbox.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began := time.Now()
		if err := b.Drain(ctx); err != nil || time.Since(began) != 7*time.Second {
			t.Errorf("Drain = %v after %v, want nothing after 7s", err, time.Since(began))
		}
		wantState(t, b, "a", outbox.StateSending)
	})
}

// A worker whose Store does not answer gives up what it sends before others count it
// out.
func TestAWorkerGivesUpBeforeItsClaimIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		disk := &stuck{Memory: state.NewMemory()}
		o.store = disk
		o.provider.SMTP.Inject(mailtest.Silence("RCPT"))
		b := o.box(outbox.Options{Term: time.Minute})
		enqueue(t, b, "a", draft("One", bob))
		began := time.Now()
		defer running(t, b)()
		synctest.Wait()
		disk.broken.Store(true)
		<-time.After(53 * time.Second)
		if got := o.provider.SMTP.Commands(); !strings.Contains(got[len(got)-1].Line, "RCPT") && !strings.Contains(got[len(got)-1].Line, "DATA") {
			t.Errorf("after %v it said %q last", time.Since(began), got[len(got)-1].Line)
		}
		<-time.After(2 * time.Second)
		disk.broken.Store(false)
		<-time.After(time.Second)
		wantState(t, b, "a", outbox.StateNew)
		<-time.After(10 * time.Minute)
		if e := wantState(t, b, "a", outbox.StateSent); e.Tries != 2 || o.count(bob, "INBOX") != 1 {
			t.Errorf("the entry is %+v, want it sent in the second try", e)
		}
	})
}
