package ews_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// TestCloseEndsWhatWaits: what waits since a server is busy ends when the program closes
// the client, and not when the server would have had it come back.
func TestCloseEndsWhatWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		operation string
		run       func(t *testing.T, b *bed, id session.ID) error
	}{
		"opening": {"GetItem", func(t *testing.T, b *bed, id session.ID) error {
			t.Helper()
			_, err := b.Open(t.Context(), id)
			return err
		}},
		"listing": {"FindItem", func(t *testing.T, b *bed, _ session.ID) error {
			t.Helper()
			_, _, err := b.list(t.Context(), session.Query{})
			return err
		}},
		"changes": {"SyncFolderItems", func(t *testing.T, b *bed, _ session.ID) error {
			t.Helper()
			_, _, _, _, err := b.news(t, session.Cursor{})
			return err
		}},
		"storing": {"CreateItem", func(t *testing.T, b *bed, _ session.ID) error {
			t.Helper()
			_, err := b.Append(t.Context(), session.Inbox, message.Bytes([]byte(mailtest.Sample(2))), nil)
			return err
		}},
		"moving": {"MoveItem", func(t *testing.T, b *bed, id session.ID) error {
			t.Helper()
			results, err := b.Apply(t.Context(), session.Change{MoveTo: session.Trash}, id)
			for _, r := range results {
				err = errors.Join(err, r.Err)
			}
			return err
		}},
	} {
		for kind, fault := range map[string]mailtest.Fault{
			"the whole": ewstest.Busy(tt.operation, time.Hour), "an item": ewstest.BusyItems(tt.operation, time.Hour),
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed(t, settings{})
					b.fill(t, 1)
					_, ids, err := b.list(t.Context(), session.Query{})
					if err != nil {
						t.Fatal(err)
					}
					b.server.Inject(fault.Repeating(100))
					ended := make(chan error, 1)
					go func() { ended <- tt.run(t, b, ids[0]) }()
					synctest.Wait()
					closed := time.Now()
					if err := b.Close(); err != nil {
						t.Fatal(err)
					}
					if err := <-ended; !errors.Is(err, session.ErrClosed) {
						t.Errorf("it ends in %v, want ErrClosed", err)
					}
					if d := time.Since(closed); d > 0 {
						t.Errorf("it ends %v after Close, want at once", d)
					}
				})
			})
		}
	}
}

// TestABodyIsClosedWhileItIsRead: by another goroutine than the one that reads it, which
// ends then, and the connection serves nobody else.
func TestABodyIsClosedWhileItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.put(t, "Subject: long\r\n\r\n"+strings.Repeat("so long\r\n", 100_000))
		_, ids, err := b.list(t.Context(), session.Query{})
		if err != nil {
			t.Fatal(err)
		}
		b.server.Inject(mailtest.Drip("GetItem", 1024, time.Second))
		body, err := b.Open(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, body)
			read <- err
		}()
		later(10 * time.Second)
		if err := body.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-read; !errors.Is(err, session.ErrClosed) {
			t.Errorf("the reader ends in %v, want ErrClosed", err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("Close once more: %v", err)
		}
		if _, _, err := b.list(t.Context(), session.Query{}); err != nil {
			t.Errorf("a listing afterwards: %v", err)
		}
	})
}
