package ews_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// lose removes a message from the inbox.
func (b *bed) lose(uid mailtest.UID) error {
	_, err := b.account.Expunge("INBOX", uid)
	return err
}

// TestMessageThatVanishes: of a message that came and went before anybody could look at
// it, nothing is told, neither that it came nor that it left.
func TestMessageThatVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.fill(t, 3)
		b.server.Inject(mailtest.Call("GetItem", func() {
			if err := b.lose(2); err != nil {
				t.Error(err)
			}
			b.put(t, mailtest.Sample(4))
		}))
		var told []string
		var since session.Cursor
		for range 2 {
			for page, err := range b.Changes(t.Context(), session.Inbox, since, session.SyncOptions{PageSize: 3}) {
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page.Added {
					told = append(told, m.Header.Subject())
				}
				if len(page.Added) > 3 || len(page.Removed)+len(page.Failed) > 0 {
					t.Errorf("a page has %d added, %v removed and %v failed, want up to 3 added alone", len(page.Added), page.Removed, page.Failed)
				}
				since = page.Cursor
			}
		}
		if got, want := strings.Join(told, ", "), "Sample 1, Sample 3, Sample 4"; got != want {
			t.Errorf("told of %s, want %s", got, want)
		}
	})
}

// TestMessagesThatVanishAgainAndAgain: a mailbox in which each message goes at once does
// not hold the loop up for ever.
func TestMessagesThatVanishAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.fill(t, 1)
		n := 1
		b.server.Inject(mailtest.Call("GetItem", func() {
			if err := b.lose(mailtest.UID(n)); err != nil { //nolint:gosec // a small number
				t.Error(err)
			}
			n++
			b.put(t, mailtest.Sample(n))
		}).Repeating(100))
		pages := 0
		for page, err := range b.Changes(t.Context(), session.Inbox, session.Cursor{}, session.SyncOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			pages++
			if len(page.Failed) != 1 || len(page.Added)+len(page.Removed) != 0 {
				t.Errorf("a page: %s, want the last one that vanished", fmt.Sprint(page))
			}
		}
		if pages != 1 || n > 20 {
			t.Errorf("%d pages after %d messages, want one", pages, n)
		}
	})
}

// TestChangeThatCannotBeRead: a message that came and cannot be read is told of once,
// with what the server says, and the history is not asked for any further.
func TestChangeThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.fill(t, 3)
		b.server.Inject(ewstest.Failing("GetItem", "ErrorCorruptData").Repeating(-1))
		for page, err := range b.Changes(t.Context(), session.Inbox, session.Cursor{}, session.SyncOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Failed) != 3 || len(page.Added) != 0 {
				t.Errorf("%d have failed and %d were added, want three and none", len(page.Failed), len(page.Added))
			}
			for _, bad := range page.Failed {
				if !strings.Contains(bad.Error(), "ErrorCorruptData") {
					t.Errorf("told is %v, want what the server says", bad)
				}
			}
		}
		if n := b.asked("SyncFolderItems"); n != 1 {
			t.Errorf("the history was asked for %d times, want once", n)
		}
	})
}

// noMessages is an answer to GetItem that tells of none.
const noMessages = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" +
	`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetItemResponse/></s:Body></s:Envelope>`

// TestAnswerWithoutMessages: where the server answers and tells nothing of what it was
// asked for, each message is an ItemError.
func TestAnswerWithoutMessages(t *testing.T) {
	b := newBed(t, settings{})
	b.fill(t, 2)
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil {
		t.Fatal(err)
	}
	b.server.Inject(mailtest.Reply("GetItem", noMessages).Repeating(-1))
	told := 0
	for body, err := range b.Bodies(t.Context(), ids...) {
		if bad, ok := errors.AsType[*session.ItemError](err); !ok || bad.ID != body.ID {
			t.Errorf("message %v: %v; want an ItemError of it", body.ID, err)
		}
		told++
	}
	if told != 2 {
		t.Errorf("told of %d messages, want two", told)
	}
}

// TestListingWithoutContents: where an answer leaves out the contents that a listing needs,
// the summaries tell what they lack.
func TestListingWithoutContents(t *testing.T) {
	b := newBed(t, settings{})
	b.fill(t, 2)
	b.server.Inject(mailtest.Reply("GetItem", noMessages).Containing("IncludeMimeContent").Repeating(-1))
	for m, err := range b.Messages(t.Context(), session.Query{Fields: session.FieldStructure}) {
		if err != nil || m.Incomplete == nil {
			t.Errorf("message %v, %v: want it, and that its structure is not known", m, err)
		}
	}
}

// TestAChangeWhoseAnswerIsLost: where the answer is lost, and no connection can be made
// to ask again, nobody knows what became of a change.
func TestAChangeWhoseAnswerIsLost(t *testing.T) {
	var down atomic.Bool
	b := newBed(t, settings{change: func(s *session.Server) {
		dial := s.Dial
		s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() {
				return nil, errors.New("no way")
			}
			return dial(ctx, network, address)
		}
	}})
	b.fill(t, 1)
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	b.server.Inject(mailtest.Drop("UpdateItem", 20))
	results, err := b.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, ids...)
	testlog.Error(t, err)
	if len(results) != 1 || results[0].Outcome != session.DoneUnknown {
		t.Errorf("results %+v, want that the outcome is unknown", results)
	}
}
