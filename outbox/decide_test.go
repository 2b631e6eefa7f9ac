package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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

// Which decisions there are in which state.
func TestDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Reply("RCPT", "550 5.1.1 no").Containing("eve@").Repeating(-1))
		o.provider.SMTP.Inject(mailtest.Drop(smtptest.EndOfData, 0).Skipping(2))
		for key, to := range map[string][]string{"sent": {bob}, "partial": {bob, eve}, "failed": {eve}} {
			enqueue(t, b, key, draft(key, to...))
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		enqueue(t, b, "unknown", draft("unknown", bob))
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		enqueue(t, b, "new", draft("new", bob))
		allowed := map[outbox.State]string{
			outbox.StateNew: "drop", outbox.StateSent: "", outbox.StateDropped: "",
			outbox.StateUnknown: "mark drop", outbox.StatePartial: "drop", outbox.StateFailed: "drop",
		}
		for _, s := range []outbox.State{outbox.StateNew, outbox.StateSent, outbox.StateUnknown, outbox.StatePartial, outbox.StateFailed} {
			wantState(t, b, string(s), s)
			got := ""
			if s != outbox.StateUnknown {
				got += done(t, "mark ", b.MarkSent(t.Context(), string(s)))
			} else {
				got = "mark " // and so it would not be unknown any more
			}
			got += done(t, "drop", b.Drop(t.Context(), string(s)))
			if got != allowed[s] {
				t.Errorf("%s: allowed is %q, want %q", s, got, allowed[s])
			}
		}
		wantState(t, b, "unknown", outbox.StateDropped)
		if e, ok := errors.AsType[*outbox.StateError](b.Resend(t.Context(), "sent")); !ok || e.State != outbox.StateSent || e.Error() == "" {
			t.Errorf("sending again what was sent: %v, want a StateError", e)
		}
		if err := b.Drop(t.Context(), "none"); !errors.Is(err, outbox.ErrNoEntry) {
			t.Errorf("dropping nothing: %v, want ErrNoEntry", err)
		}
		if e := enqueue(t, b, "new", draft("new", bob)); e.State != outbox.StateDropped || o.bodies() != 0 {
			t.Errorf("enqueued again what was dropped is %s with %d bodies, want it as it is", e.State, o.bodies())
		}
	})
}

// done returns what was done, and nothing where the state forbids it.
func done(t *testing.T, what string, err error) string {
	t.Helper()
	if _, ok := errors.AsType[*outbox.StateError](err); ok {
		return ""
	}
	if err != nil {
		t.Error(err)
	}
	return what
}

// What was sent is forgotten after a while, and its key may be used again; what
// waits or is not known is not.
func TestPruning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{KeepFor: 7 * 24 * time.Hour, Poll: 10 * time.Minute})
		stop := running(t, b)
		defer stop()
		enqueue(t, b, "sent", draft("sent", bob))
		<-time.After(time.Minute)
		o.provider.SMTP.Inject(mailtest.Drop(smtptest.EndOfData, 0))
		enqueue(t, b, "unknown", draft("unknown", bob))
		<-time.After(time.Minute)
		o.provider.SMTP.Inject(mailtest.Reply("RCPT", "550 5.1.1 no"))
		enqueue(t, b, "failed", draft("failed", bob))
		<-time.After(6 * 24 * time.Hour)
		if got := keys(t, b); got != "[sent unknown failed]" {
			t.Errorf("after six days there are %s", got)
		}
		<-time.After(2 * 24 * time.Hour)
		if got := keys(t, b); got != "[unknown]" || o.bodies() != 1 {
			t.Errorf("after eight days there are %s, and the bytes of %d; want the unknown one", got, o.bodies())
		}
		if e := enqueue(t, b, "sent", draft("another", bob)); e.State != outbox.StateNew {
			t.Errorf("under the pruned key the message is %s, want new", e.State)
		}
	})
}

func keys(t *testing.T, b *outbox.Outbox) string {
	t.Helper()
	var list []string
	for e, err := range b.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e.Key)
	}
	return fmt.Sprint(list)
}

// All that an envelope asks for is asked for when the message is sent, also what
// later versions of it have.
func TestTheEnvelopeIsKept(t *testing.T) {
	t.Parallel()
	var want session.Envelope
	fill(reflect.ValueOf(&want).Elem())
	o := &office{t: t}
	o.store = stores(t)["memory"]
	b := o.boxOver(nil, outbox.Options{})
	if _, err := b.Enqueue(t.Context(), "a", want, message.Bytes([]byte("Subject: a\r\n\r\n"))); err != nil {
		t.Fatal(err)
	}
	e, err := o.boxOver(nil, outbox.Options{}).Entry(t.Context(), "a")
	if err != nil || !reflect.DeepEqual(e.Envelope, want) {
		t.Errorf("the envelope is %+v, %v; want %+v", e.Envelope, err, want)
	}
}

// fill sets all fields to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
		panic("a kind of field that the test does not know: " + v.Kind().String())
	}
}

// deleting is a Store that does something before the first record is deleted.
type deleting struct {
	*state.Memory

	before func()
}

func (d *deleting) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if before := d.before; value == nil && before != nil {
		d.before = nil
		before()
	}
	return d.Memory.CompareAndSwap(ctx, key, old, value)
}

// A message that the program sends again while old ones are being forgotten is sent.
func TestPruningLeavesWhatIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		store := &deleting{Memory: state.NewMemory()}
		o.store = store
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Reply("RCPT", "550 5.1.1 no"))
		enqueue(t, b, "a", draft("One", bob))
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		wantState(t, b, "a", outbox.StateFailed)
		<-time.After(time.Hour)
		store.before = func() {
			if err := b.Resend(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		if n, err := b.Prune(t.Context(), time.Minute); n != 0 || err != nil {
			t.Errorf("Prune = %d, %v; want nothing forgotten", n, err)
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if wantState(t, b, "a", outbox.StateSent); o.count(bob, "INBOX") != 1 {
			t.Error("bob has not got it")
		}
	})
}
