package outbox_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// A program that stands still in the middle of enqueueing, for however long and
// whatever the clocks say, finds its message sent when it goes on.
func TestAnEnqueuerThatStandsStill(t *testing.T) {
	t.Parallel()
	for _, point := range outbox.Points()[:2] {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				first, second := o.box(outbox.Options{}), o.box(outbox.Options{})
				outbox.AtPoints(first, func(reached string) {
					if reached == point {
						<-time.After(72 * time.Hour)
					}
				})
				stop := running(t, second)
				defer stop()
				enqueue(t, first, "a", draft("One", bob))
				<-time.After(time.Hour)
				wantState(t, second, "a", outbox.StateSent)
				if got := o.count(bob, "INBOX"); got != 1 || o.bodies() != 0 {
					t.Errorf("bob has %d messages, and the Store the bytes of %d; want 1 and 0", got, o.bodies())
				}
			})
		})
	}
}

// Of two that enqueue the same at one moment the second does not wait for the first:
// it keeps the bytes that the other one has not kept yet, under the same Message-ID.
func TestTwoEnqueueAtOneMoment(t *testing.T) {
	t.Parallel()
	enqueues := map[string]func(ctx context.Context, b *outbox.Outbox) (outbox.Entry, error){
		"a draft": func(ctx context.Context, b *outbox.Outbox) (outbox.Entry, error) {
			return b.EnqueueDraft(ctx, "a", draft("One", bob))
		},
		"bytes": func(ctx context.Context, b *outbox.Outbox) (outbox.Entry, error) {
			return b.Enqueue(ctx, "a", session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte("Subject: One\r\n\r\nx\r\n")))
		},
	}
	for name, enqueue := range enqueues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				first, second := o.box(outbox.Options{}), o.box(outbox.Options{})
				goOn := make(chan struct{})
				outbox.AtPoints(first, func(reached string) {
					if reached == "entry kept" {
						<-goOn
					}
				})
				var both sync.WaitGroup
				var entry outbox.Entry
				both.Go(func() {
					var err error
					if entry, err = enqueue(t.Context(), first); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				stop := running(t, second)
				defer stop()
				other, err := enqueue(t.Context(), second)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				wantState(t, second, "a", outbox.StateSent)
				close(goOn)
				both.Wait()
				<-time.After(time.Hour)
				list := o.provider.SMTP.Messages()
				if len(list) != 1 || o.bodies() != 0 {
					t.Fatalf("%d messages were sent, and the Store has the bytes of %d; want 1 and 0", len(list), o.bodies())
				}
				id := message.ParseHeader([]byte(list[0].Raw)).MessageID()
				if id != entry.MessageID || id != other.MessageID {
					t.Errorf("%s was sent, one was told of %s and the other of %s", id, entry.MessageID, other.MessageID)
				}
			})
		})
	}
}

// Bytes that no entry names are of no use to anybody, however new they are by the
// clock of whoever kept them.
func TestBytesThatNobodyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		o.forget(b)
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if got := o.bodies(); got != 0 {
			t.Errorf("the Store has the bytes of %d, want 0", got)
		}
	})
}

// forget removes the entries, as a pruning does that crashes behind it.
func (o *office) forget(b *outbox.Outbox) {
	o.t.Helper()
	for _, key := range o.keys("/entry/") {
		kept, err := o.store.Load(o.t.Context(), key)
		if err == nil {
			_, err = o.store.CompareAndSwap(o.t.Context(), key, kept.Version, nil)
		}
		if err != nil {
			o.t.Fatal(err)
		}
	}
	for e, err := range b.Entries(o.t.Context()) {
		o.t.Fatalf("there is %v (%v)", e, err)
	}
}

// A program that crashes in the middle of enqueueing and does not come back leaves
// nothing for ever, and its entry is seen meanwhile.
func TestWhatIsNeverEnqueuedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.crash("entry kept")
		b := o.box(outbox.Options{KeepFor: 24 * time.Hour})
		stop := running(t, b)
		defer stop()
		<-time.After(23 * time.Hour)
		wantState(t, b, "a", outbox.StateNew)
		<-time.After(3 * time.Hour)
		if got := keys(t, b); got != "[]" || o.count(bob, "INBOX") != 0 {
			t.Errorf("there are %s, and bob has %d; want neither", got, o.count(bob, "INBOX"))
		}
	})
}

// A program that stood still until its entry was pruned is told, and may do it again.
func TestAnEnqueuerWhoseEntryIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		first, second := o.box(outbox.Options{}), o.box(outbox.Options{KeepFor: 24 * time.Hour})
		var once sync.Once
		outbox.AtPoints(first, func(reached string) {
			if reached == "entry kept" {
				once.Do(func() { <-time.After(48 * time.Hour) })
			}
		})
		stop := running(t, second)
		defer stop()
		if _, err := first.EnqueueDraft(t.Context(), "a", draft("One", bob)); err == nil {
			t.Error("the message counts as enqueued, and nothing is left of it")
		}
		<-time.After(time.Minute)
		if got := o.bodies(); got != 0 {
			t.Errorf("the Store has the bytes of %d, want 0", got)
		}
		enqueue(t, first, "a", draft("One", bob))
		<-time.After(time.Minute)
		if wantState(t, second, "a", outbox.StateSent); o.count(bob, "INBOX") != 1 {
			t.Errorf("bob has %d messages, want 1", o.count(bob, "INBOX"))
		}
	})
}

// meddled is a Store on which something happens behind the first look for bytes.
type meddled struct {
	state.Store

	meddle func()
}

func (m *meddled) Unwrap() state.Store { return m.Store }

func (m *meddled) Load(ctx context.Context, key string) (state.Record, error) {
	kept, err := m.Store.Load(ctx, key)
	if meddle := m.meddle; meddle != nil && strings.Contains(key, "/body/") {
		m.meddle = nil
		meddle()
	}
	return kept, err
}

// A program that comes back to its message at the moment at which that is forgotten
// is not told that it is enqueued when it is not.
func TestAnEnqueuerThatComesBackAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.crash("entry kept")
		<-time.After(48 * time.Hour)
		b := o.box(outbox.Options{})
		kept := o.store
		o.store = &meddled{Store: kept, meddle: func() { enqueue(t, b, "a", draft("One", bob)) }}
		if n, err := o.box(outbox.Options{}).Prune(t.Context(), time.Hour); n != 0 || err != nil {
			t.Errorf("Prune = %d, %v; want nothing forgotten", n, err)
		}
		o.store = kept
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if wantState(t, b, "a", outbox.StateSent); o.count(bob, "INBOX") != 1 {
			t.Errorf("bob has %d messages, want 1", o.count(bob, "INBOX"))
		}
	})
}
