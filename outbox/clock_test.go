package outbox_test

import (
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// inThirtyYears has the entries' times of some names be as a clock that is so far ahead
// would have set them.
func (o *office) inThirtyYears(names string) {
	o.t.Helper()
	times := regexp.MustCompile(`"(` + names + `)":"([0-9]{4})-`)
	for _, key := range o.keys("/entry/") {
		_, err := state.Update(o.t.Context(), o.store, key, func(value []byte) ([]byte, error) {
			return times.ReplaceAllFunc(value, func(field []byte) []byte {
				parts := times.FindSubmatch(field)
				year, err := strconv.Atoi(string(parts[2]))
				if err != nil {
					o.t.Error(err)
				}
				return []byte(`"` + string(parts[1]) + `":"` + strconv.Itoa(year+30) + "-")
			}), nil
		})
		if err != nil {
			o.t.Fatal(err)
		}
	}
	if e, err := outbox.New(o.store, nil, nil); err != nil {
		o.t.Fatal(err)
	} else if e, err := e.Entry(o.t.Context(), "a"); err != nil || time.Until(e.Next) < 20*365*24*time.Hour {
		o.t.Fatalf("Entry = %+v, %v, want what is next in thirty years", e, err)
	}
}

const (
	everyTime = "queued|since|changed|next"
	nextAlone = "next"
)

// A message that was enqueued while the clock was wrong does not wait until the time
// comes that it told.
func TestAClockThatWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		enqueue(t, b, "a", draft("One", bob))
		o.inThirtyYears(everyTime)
		o.provider.SMTP.Inject(mailtest.Reply("MAIL", "451 4.3.0 local trouble"))
		stop := running(t, b)
		defer stop()
		synctest.Wait()
		if e := wantState(t, b, "a", outbox.StateNew); e.Tries != 1 {
			t.Errorf("%d tries, want one and then a wait", e.Tries)
		}
		<-time.After(5 * time.Minute)
		if wantState(t, b, "a", outbox.StateSent); o.count(bob, "INBOX") != 1 {
			t.Error("bob has not got it")
		}
	})
}

// Nor is a message looked for that late whose sending nobody knows the end of, whether
// the clock was wrong when it came to that or when it was looked for.
func TestAClockThatWasAheadOfALook(t *testing.T) {
	for _, times := range []string{everyTime, nextAlone} {
		t.Run(times, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.crash(outbox.PointAnswered)
				b := o.box(outbox.Options{})
				stop := running(t, b)
				<-time.After(10 * time.Minute)
				stop()
				wantState(t, b, "a", outbox.StateUnknown)
				o.inThirtyYears(times)
				stop = running(t, b)
				defer stop()
				synctest.Wait()
				now := time.Now()
				e := wantState(t, b, "a", outbox.StateUnknown)
				if wait := e.Next.Sub(now); wait <= 0 || wait > 6*time.Hour || e.Changed.After(now) {
					t.Errorf("the entry is %+v, want it looked for, and the next look within hours", e)
				}
			})
		})
	}
}

// Nor is a copy filed that late.
func TestAClockThatWasAheadOfACopy(t *testing.T) {
	for _, times := range []string{everyTime, nextAlone} {
		t.Run(times, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				b := o.box(outbox.Options{})
				o.provider.IMAP.Inject(mailtest.Reply("APPEND", "NO [UNAVAILABLE] later"))
				enqueue(t, b, "a", draft("One", bob))
				if err := b.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantState(t, b, "a", outbox.StateSent)
				o.inThirtyYears(times)
				if err := b.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				e := wantState(t, b, "a", outbox.StateSent)
				if e.Copy != session.CopyFiled || o.count(ann, "Sent") != 1 || o.count(bob, "INBOX") != 1 {
					t.Errorf("the entry is %+v, want its copy filed, once", e)
				}
			})
		})
	}
}
