package outbox_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
)

// rewrite changes the record of an entry as another program would.
func (o *office) rewrite(key string, change func(record map[string]any)) {
	o.t.Helper()
	for _, at := range o.keys("/entry/") {
		kept, err := o.store.Load(o.t.Context(), at)
		if err != nil {
			o.t.Fatal(err)
		}
		var record map[string]any
		if err := json.Unmarshal(kept.Value, &record); err != nil {
			o.t.Fatal(err)
		}
		if record["key"] != key {
			continue
		}
		change(record)
		value, err := json.Marshal(record)
		if err == nil {
			_, err = o.store.CompareAndSwap(o.t.Context(), at, kept.Version, value)
		}
		if err != nil {
			o.t.Fatal(err)
		}
		return
	}
	o.t.Fatalf("there is no entry of %q", key)
}

func envelopeOf(record map[string]any) map[string]any {
	envelope, _ := record["envelope"].(map[string]any)
	return envelope
}

// What another version wrote, in a form that this one does not know, is not touched: it
// is neither sent without what may matter, nor removed. Everything else goes out, is
// listed and pruned, and the error says why that one was left.
func TestAnEntryOfAnotherVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		write, undo func(record map[string]any)
	}{
		"another format": {
			func(r map[string]any) { r["format"], r["recipients"] = 2, "bob" },
			func(r map[string]any) {
				r["format"], r["recipients"] = 1, []any{map[string]any{"address": bob, "state": "waiting"}}
			},
		},
		"no format": {func(r map[string]any) { delete(r, "format") }, func(r map[string]any) { r["format"] = 1 }},
		"another field": {
			func(r map[string]any) { r["embargo"] = true },
			func(r map[string]any) { delete(r, "embargo") },
		},
		"another wish in the envelope": {
			func(r map[string]any) { envelopeOf(r)["Secrecy"] = "high" },
			func(r map[string]any) { delete(envelopeOf(r), "Secrecy") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				b := o.box(outbox.Options{})
				enqueue(t, b, "newer", draft("Newer", bob))
				enqueue(t, b, "usual", draft("Usual", bob))
				o.rewrite("newer", tt.write)

				if err := b.Drain(t.Context()); !errors.Is(err, outbox.ErrOtherVersion) {
					t.Errorf("Drain = %v, want %v", err, outbox.ErrOtherVersion)
				}
				wantState(t, b, "usual", outbox.StateSent)
				o.leaves(b)
				if n, err := b.Prune(t.Context(), -1); n != 1 || !errors.Is(err, outbox.ErrOtherVersion) {
					t.Errorf("Prune = %d, %v, want the other one pruned, and %v", n, err, outbox.ErrOtherVersion)
				}
				if got := o.count(bob, "INBOX"); got != 1 || o.bodies() != 1 {
					t.Errorf("bob has %d messages, the Store the bytes of %d, want one each", got, o.bodies())
				}

				o.rewrite("newer", tt.undo)
				if err := b.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				wantState(t, b, "newer", outbox.StateSent)
			})
		})
	}
}

// leaves looks whether the entry of another version is told of in every call.
func (o *office) leaves(b *outbox.Outbox) {
	o.t.Helper()
	ctx := o.t.Context()
	var keys []string
	var last error
	for e, err := range b.Entries(ctx) {
		if last = err; err == nil {
			keys = append(keys, e.Key)
		}
	}
	if got := strings.Join(keys, " "); got != "usual" || !errors.Is(last, outbox.ErrOtherVersion) {
		o.t.Errorf("Entries are %q and %v, want the usual one and %v", got, last, outbox.ErrOtherVersion)
	}
	_, looked := b.Entry(ctx, "newer")
	_, again := b.Enqueue(ctx, "newer", session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte("Subject: x\r\n\r\nx\r\n")))
	for call, err := range map[string]error{
		"Entry": looked, "Enqueue": again,
		"MarkSent": b.MarkSent(ctx, "newer"), "Resend": b.Resend(ctx, "newer"), "Drop": b.Drop(ctx, "newer"),
	} {
		if !errors.Is(err, outbox.ErrOtherVersion) || !strings.Contains(err.Error(), `"newer"`) {
			o.t.Errorf("%s = %v, want %v and the key", call, err, outbox.ErrOtherVersion)
		}
	}
}
