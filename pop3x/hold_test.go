package pop3x_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
)

// large returns a message of about n bytes.
func large(n int) string {
	return mailtest.Sample(1) + strings.Repeat(strings.Repeat("x", 76)+"\r\n", n/78)
}

// TestAnyCallIsLegalWhileABodyIsOpen: the rest of it is read ahead, into a file
// where it is long, and comes whole.
func TestAnyCallIsLegalWhileABodyIsOpen(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	want := large(5 << 20)
	w := newWorld(t, 2, nil, nil)
	w.put(want)
	ids := w.ids()
	body, err := w.client.Open(t.Context(), ids[2])
	if err != nil {
		t.Fatal(err)
	}
	start := make([]byte, 10_000)
	if _, err := io.ReadFull(body, start); err != nil {
		t.Fatal(err)
	}
	if got := subjects(w.list()); got != "1 2 1" {
		t.Errorf("the list has %q", got)
	}
	if raw, err := read(t.Context(), w.client, ids[1]); err != nil || raw != mailtest.Sample(2) {
		t.Errorf("another body: %d bytes, %v", len(raw), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files hold what was read ahead, want 1", len(files))
	}
	rest, err := io.ReadAll(body)
	if err != nil || string(start)+string(rest) != want {
		t.Errorf("the body has %d bytes, %v; want %d", len(start)+len(rest), err, len(want))
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("%d files are left", len(files))
	}
}

// TestBodiesCome: each once, oldest first, in as few flights as the server allows.
func TestBodiesCome(t *testing.T) {
	for _, without := range []string{"", "PIPELINING"} {
		w := newWorld(t, 300, &pop3test.Options{Capabilities: pop3test.Without(without)}, nil)
		ids := w.ids()
		asked := slices.Clone(ids)
		slices.Reverse(asked)
		var got []session.ID
		for body, err := range w.client.Bodies(t.Context(), append(asked, ids[3])...) {
			if err != nil {
				t.Fatalf("Bodies after %d: %v", len(got), err)
			}
			got = append(got, body.ID)
			if len(got)%3 == 0 {
				continue // what is not read is passed over
			}
			raw, err := io.ReadAll(body)
			if err != nil || string(raw) != mailtest.Sample(len(got)) {
				t.Errorf("body %d has %d bytes, %v", len(got), len(raw), err)
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%d bodies, want 300 in their order", len(got))
		}
	}
}

// TestCallsInsideALoopOverBodies: they get the connection, whatever was asked for
// ahead, and every body comes once and whole.
func TestCallsInsideALoopOverBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, nil, nil)
		for n := range 40 {
			w.put(mailtest.Sample(n+1) + strings.Repeat("more\r\n", n*100))
		}
		ids := w.ids()
		n := 0
		for body, err := range w.client.Bodies(t.Context(), ids...) {
			if err != nil {
				t.Fatalf("Bodies after %d: %v", n, err)
			}
			var start [20]byte
			_, _ = io.ReadFull(body, start[:])
			switch n % 4 {
			case 0:
				if raw, err := read(t.Context(), w.client, ids[39-n]); err != nil || !strings.HasPrefix(raw, mailtest.Sample(40-n)) {
					t.Errorf("Open inside the loop: %d bytes, %v", len(raw), err)
				}
			case 1:
				if all, err := collect(t.Context(), w.client, session.Query{Limit: 2}); err != nil || len(all) != 2 {
					t.Errorf("Messages inside the loop: %d, %v", len(all), err)
				}
			}
			rest, err := io.ReadAll(body)
			if want := mailtest.Sample(n+1) + strings.Repeat("more\r\n", n*100); err != nil || string(start[:])+string(rest) != want {
				t.Errorf("body %d has %d bytes, %v; want %d", n+1, 20+len(rest), err, len(want))
			}
			n++
		}
		if n != 40 {
			t.Errorf("%d bodies, want 40", n)
		}
	})
}

// TestAMessageIsDeletedWhenItHasBeenRead, inside the loop that reads them.
func TestAMessageIsDeletedWhenItHasBeenRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 12, nil, nil)
		n := 0
		for body, err := range w.client.Bodies(t.Context(), w.ids()...) {
			if err != nil {
				t.Fatalf("Bodies after %d: %v", n, err)
			}
			n++
			raw, err := io.ReadAll(body)
			if err != nil || string(raw) != mailtest.Sample(n) {
				t.Errorf("body %d has %d bytes, %v", n, len(raw), err)
			}
			if results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, body.ID); err != nil || outcomes(results) != "done" {
				t.Fatalf("Apply = %+v, %v", results, err)
			}
		}
		if n != 12 || w.left() != "" {
			t.Errorf("%d bodies; left are %s", n, w.left())
		}
	})
}

// TestALoopThatIsLeftLeavesNothing: no goroutine, no file, and a client that
// works, whatever was asked for ahead.
func TestALoopThatIsLeftLeavesNothing(t *testing.T) {
	for _, size := range []int{100, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 0, nil, nil)
			for range 10 {
				w.put(large(size))
			}
			ids := w.ids()
			for range 3 {
				for _, err := range w.client.Bodies(t.Context(), ids...) {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				body, err := w.client.Open(t.Context(), ids[4])
				if err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = w.client.Count(t.Context(), "") }() // which has it read ahead
				synctest.Wait()
				if err := body.Close(); err != nil {
					t.Error(err)
				}
			}
			synctest.Wait()
			if err := w.client.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLoopsAtTheSameTime share the one connection.
func TestLoopsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 30, nil, nil)
		ids := w.ids()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				n := 0
				for body, err := range w.client.Bodies(t.Context(), ids...) {
					if err != nil {
						t.Errorf("Bodies after %d: %v", n, err)
						return
					}
					n++
					if raw, err := io.ReadAll(body); err != nil || string(raw) != mailtest.Sample(n) {
						t.Errorf("body %d has %d bytes, %v", n, len(raw), err)
					}
				}
				if n != 30 {
					t.Errorf("%d bodies, want 30", n)
				}
			})
		}
		group.Wait()
	})
}

// TestBodiesGoOnAfterALostLine: behind the last message that was told.
func TestBodiesGoOnAfterALostLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 20, nil, nil)
		ids := w.ids()
		for _, n := range []int{0, 5, 19} {
			w.server.Inject(mailtest.Drop("RETR", 100).Skipping(n))
			var told []session.ID
			cut := 0
			for body, err := range w.client.Bodies(t.Context(), ids...) {
				if err != nil {
					t.Fatalf("Bodies after %d: %v", len(told), err)
				}
				told = append(told, body.ID)
				raw, err := io.ReadAll(body)
				if err != nil {
					cut++
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("a body that was cut: %v", err)
					}
				} else if string(raw) != mailtest.Sample(len(told)) {
					t.Errorf("body %d has %d bytes", len(told), len(raw))
				}
			}
			if !slices.Equal(told, ids) || cut != 1 {
				t.Errorf("%d bodies, %d of them cut, want 20 and 1", len(told), cut)
			}
		}
	})
}

// TestIDsOfOthersAndOfWhatIsGone are ItemErrors, and the loop goes on.
func TestIDsOfOthersAndOfWhatIsGone(t *testing.T) {
	w := newWorld(t, 5, nil, nil)
	ids := w.ids()
	parts, _ := ids[0].Parts()
	parts.Mailbox = "another"
	if _, err := w.account.Expunge("INBOX", 2); err != nil {
		t.Fatal(err)
	}
	var whole, gone, foreign int
	for body, err := range w.client.Bodies(t.Context(), append(ids, session.NewID(parts))...) {
		item, is := errors.AsType[*session.ItemError](err)
		switch {
		case err == nil:
			if _, err := io.Copy(io.Discard, body); err != nil {
				t.Error(err)
			}
			whole++
		case is && item.ID == ids[1] && errors.Is(err, session.ErrNoMessage):
			gone++
		case is && errors.Is(err, session.ErrOtherMailbox):
			foreign++
		default:
			t.Errorf("Bodies: %v", err)
		}
	}
	if whole != 4 || gone != 1 || foreign != 1 {
		t.Errorf("%d bodies, %d gone, %d of others; want 4, 1 and 1", whole, gone, foreign)
	}
}

// TestAnswersOutOfStepAreNotTakenForMessages: a server that says +OK once too
// often is asked one by one from then on.
func TestAnswersOutOfStepAreNotTakenForMessages(t *testing.T) {
	w := newWorld(t, 10, nil, nil)
	ids := w.ids()
	w.server.Inject(mailtest.After("RETR", "+OK once more\r\n").Skipping(3))
	n := 0
	for body, err := range w.client.Bodies(t.Context(), ids...) {
		if err != nil {
			t.Fatalf("Bodies after %d: %v", n, err)
		}
		n++
		if raw, err := io.ReadAll(body); err != nil || string(raw) != mailtest.Sample(n) {
			t.Errorf("body %d has %d bytes, %v", n, len(raw), err)
		}
	}
	if n != 10 {
		t.Errorf("%d bodies, want 10", n)
	}
}

// TestAFinalDotThatDoesNotCome: a listing that swallows the next answer is not
// believed, and behind the last message there is silence, for which nobody waits
// for ever.
func TestAFinalDotThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil, nil)
		w.server.Inject(pop3test.NoFinalDot("UIDL"))
		_, err := collect(t.Context(), w.client, session.Query{})
		if e, is := errors.AsType[*pop3x.Error](err); !is || e.Op != "UIDL" || e.Refused {
			t.Errorf("a list without its end: %v, want that the answer makes no sense", err)
		}
		ids := w.ids()
		w.server.Inject(pop3test.NoFinalDot("RETR").Skipping(2))
		var last error
		var all bytes.Buffer
		for body, err := range w.client.Bodies(t.Context(), ids...) {
			if last = err; err == nil {
				_, last = all.ReadFrom(body)
			}
		}
		if last == nil {
			t.Errorf("three messages, of which the last has no end: %d bytes and no error", all.Len())
		}
		if got := subjects(w.list()); got != "1 2 3" {
			t.Errorf("afterwards the list has %q", got)
		}
	})
}

// TestAServerThatDoesNotStuffDots: its messages end early, and what follows makes
// no sense.
func TestAServerThatDoesNotStuffDots(t *testing.T) {
	w := newWorld(t, 0, nil, nil)
	w.put("Subject: dots\r\n\r\none\r\n.\r\ntwo\r\n")
	id := w.ids()[0]
	w.server.Inject(pop3test.NoStuffing("RETR"))
	raw, err := read(t.Context(), w.client, id)
	if err == nil && raw != "Subject: dots\r\n\r\none\r\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if got, err := read(t.Context(), w.client, id); err != nil || !strings.HasSuffix(got, "one\r\n.\r\ntwo\r\n") {
		t.Errorf("afterwards %q, %v", got, err)
	}
}
