package ews_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// inParts is a message of text and three files, of which each has so many bytes.
func inParts(size int) string {
	var b strings.Builder
	b.WriteString("From: bob@example.org\r\nSubject: files\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the files.\r\n")
	for i := range 3 {
		fmt.Fprintf(&b, "--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=%d\r\n\r\n%s\r\n", i, strings.Repeat(string(rune('a'+i)), size))
	}
	return b.String() + "--b--\r\n"
}

// part returns the content of a part, shortened to its first byte and its length.
func (b *bed) part(t *testing.T, id session.ID, number string) string {
	t.Helper()
	p, err := b.OpenPart(t.Context(), id, number)
	if err != nil {
		t.Errorf("part %s: %v", number, err)
		return ""
	}
	content, err := io.ReadAll(p)
	if err := errors.Join(err, p.Close(), p.Close()); err != nil {
		t.Errorf("part %s: %v", number, err)
	}
	return fmt.Sprintf("%.1s %d", content, len(content))
}

// cost returns how many bytes the server sends for what f does.
func (b *bed) cost(f func()) (n int) {
	before := len(b.server.Requests())
	f()
	for _, r := range b.server.Requests()[before:] {
		n += len(r.Reply)
	}
	return n
}

func filesLeft(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestGoingThroughTheParts: the first part takes what stands before it, the second the
// whole message, and the others next to nothing, until the message changes. No file is
// left when nobody goes through parts any more.
func TestGoingThroughTheParts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		const size = 800_000
		b := newBed(t, settings{})
		b.put(t, inParts(size))
		b.put(t, inParts(10))
		_, ids, err := b.list(t.Context(), session.Query{OldestFirst: true})
		if err != nil {
			t.Fatal(err)
		}
		const whole = size * 3 * 4 / 3
		for i, tt := range []struct {
			number, want string
			least, most  int
			before       func()
		}{
			{"2", "a 800000", whole, whole * 11 / 10, nil}, // the server has sent it when the rest is not wanted
			{"3", "b 800000", whole, whole * 11 / 10, nil},
			{"4", "c 800000", 0, 4000, nil},
			{"2", "a 800000", 0, 4000, nil},
			{"1", "S 14", 0, 4000, nil},
			{"1", "S 14", whole, whole * 11 / 10, func() {
				if err := b.account.AddFlags("INBOX", []string{mailtest.Flagged}, 1); err != nil {
					t.Error(err)
				}
			}},
			{"4", "c 800000", 0, 4000, nil},
		} {
			if tt.before != nil {
				tt.before()
			}
			got := ""
			cost := b.cost(func() { got = b.part(t, ids[0], tt.number) })
			if got != tt.want || cost < tt.least || cost > tt.most {
				t.Errorf("%d: part %s is %q, for %d bytes; want %q, for %d to %d", i, tt.number, got, cost, tt.want, tt.least, tt.most)
			}
		}
		if n := filesLeft(t); n != 1 {
			t.Errorf("%d files are there, want that of the message", n)
		}
		if _, err := b.OpenPart(t.Context(), ids[0], "5"); !errors.Is(err, session.ErrNoPart) {
			t.Errorf("part 5: %v, want ErrNoPart", err)
		}
		<-time.After(ews.DefaultIdleTimeout + time.Second)
		synctest.Wait()
		if n := filesLeft(t); n != 0 {
			t.Errorf("%d files are left after a while", n)
		}
	})
}

// TestPartsOfTwoMessages: another message lets go of the first, whose open parts can be
// read to their end all the same; and so does Close.
func TestPartsOfTwoMessages(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b := newBed(t, settings{})
	b.put(t, inParts(600_000))
	b.put(t, inParts(500_000))
	_, ids, err := b.list(t.Context(), session.Query{OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	b.part(t, ids[0], "2")
	open, err := b.OpenPart(t.Context(), ids[0], "3")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if got := b.part(t, ids[1], "4"); got != "c 500000" {
				t.Errorf("the other message's part is %q", got)
			}
		})
	}
	all.Wait()
	if n, err := io.Copy(io.Discard, open); n != 600_000 || err != nil {
		t.Errorf("the open part has %d bytes, %v; want 600000", n, err)
	}
	if err := errors.Join(open.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if n := filesLeft(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
	if _, err := b.OpenPart(t.Context(), ids[1], "4"); !errors.Is(err, session.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// TestPartsThatCannotBeKept: what is gone is said to be, and a line that breaks within the
// message is replaced. A client that keeps no connections keeps no message either.
func TestPartsThatCannotBeKept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.put(t, inParts(600_000))
		_, ids, err := b.list(t.Context(), session.Query{})
		if err != nil {
			t.Fatal(err)
		}
		b.part(t, ids[0], "2")
		b.server.Inject(mailtest.Drop("GetItem", 1_000_000).Skipping(1))
		if got := b.part(t, ids[0], "4"); got != "c 600000" {
			t.Errorf("after a broken line the part is %q", got)
		}
		if _, err := b.account.Expunge("INBOX", 1); err != nil {
			t.Fatal(err)
		}
		if _, err := b.OpenPart(t.Context(), ids[0], "4"); !errors.Is(err, session.ErrNoMessage) {
			t.Errorf("of a message that is gone: %v, want ErrNoMessage", err)
		}
		none := newBed(t, settings{client: ews.Options{IdleTimeout: -1}})
		none.put(t, inParts(600_000))
		if _, ids, err = none.list(t.Context(), session.Query{}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			none.part(t, ids[0], "2")
		}
		if n := filesLeft(t); n != 1 {
			t.Errorf("%d files are there, want that of the first client", n)
		}
	})
}
