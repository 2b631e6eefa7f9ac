package pop3x_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
)

// over returns a Session over the world's client.
func (w *world) over() *session.Session {
	w.Helper()
	s, err := session.New(withPassword(), func(session.Setup) (session.Incoming, error) { return w.client, nil }, nil, nil)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// changes takes all pages of what happened since a cursor.
func (w *world) changes(since session.Cursor) (added string, removed []session.ID, now session.Cursor, failed int) {
	w.Helper()
	var all []*session.Message
	for page, err := range w.client.Changes(w.Context(), "", since, session.SyncOptions{}) {
		if err != nil {
			w.Fatalf("Changes: %v", err)
		}
		all, removed, now = append(all, page.Added...), append(removed, page.Removed...), page.Cursor
		failed += len(page.Failed)
	}
	return subjects(all), removed, now, failed
}

// TestChangesOfMessagesThatShareAName: when one of them goes, nobody can tell
// which, and what is left has another id.
func TestChangesOfMessagesThatShareAName(t *testing.T) {
	w := newWorld(t, 2, &pop3test.Options{UID: func(mailtest.Message) string { return "shared" }}, nil)
	added, _, now, _ := w.changes(session.Cursor{})
	if added != "1 2" {
		t.Errorf("Changes add %q, want 1 2", added)
	}
	before := w.ids()
	kept, err := w.account.Messages("INBOX")
	if err == nil {
		_, err = w.account.Expunge("INBOX", kept[0].UID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if added, removed, _, _ := w.changes(now); added != "2" || len(removed) != len(before) {
		t.Errorf("Changes add %q and remove %v, want 2 added under an id of its own, and both of before removed", added, removed)
	}
}

// TestChangesOfMessagesWithoutAName are told as failed from the beginning, and not
// for ever.
func TestChangesOfMessagesWithoutAName(t *testing.T) {
	w := newWorld(t, 3, &pop3test.Options{UID: func(m mailtest.Message) string {
		if strings.Contains(m.Raw, "sample-2@") {
			return ""
		}
		return fmt.Sprintf("uid-%d", m.UID)
	}}, nil)
	added, _, now, failed := w.changes(session.Cursor{})
	if added != "1 3" || failed != 1 {
		t.Errorf("Changes add %q with %d failed, want 1 3 and one", added, failed)
	}
	if added, removed, _, failed := w.changes(now); added != "" || len(removed) > 0 || failed != 0 {
		t.Errorf("Changes after that add %q, remove %v, with %d failed; want nothing", added, removed, failed)
	}
}

// TestCursorsExpireWithTheNames: a server that lost UIDL names all messages anew.
func TestCursorsExpireWithTheNames(t *testing.T) {
	w := newWorld(t, 3, nil, nil)
	_, _, now, _ := w.changes(session.Cursor{})
	parts, err := now.Parts()
	if err != nil {
		t.Fatal(err)
	}
	parts.Validity = "header"
	expired, added := false, 0
	for page, err := range w.client.Changes(t.Context(), "", session.NewCursor(parts), session.SyncOptions{}) {
		if errors.Is(err, session.ErrCursorExpired) {
			expired = true
			continue
		}
		if err != nil || !page.Reset || !expired || len(page.Removed) > 0 {
			t.Errorf("Changes = %+v, %v; want ErrCursorExpired, and then everything anew", page, err)
		}
		added += len(page.Added)
	}
	if added != 3 {
		t.Errorf("%d messages were told, want 3", added)
	}
}

// TestCursorIsShort where the server counts: a few bytes a message.
func TestCursorIsShort(t *testing.T) {
	const n = 2000
	w := newWorld(t, 0, nil, &pop3x.Options{PageSize: 500})
	for range n {
		w.put(mailtest.Sample(1))
	}
	_, _, now, _ := w.changes(session.Cursor{})
	each := float64(len(now.String())) / n
	t.Logf("a cursor has %.1f bytes a message", each)
	if each > 8 {
		t.Errorf("a cursor has %.1f bytes a message, want at most 8", each)
	}
}

// TestWatchKeepsToTheServersDelay: no sign-in comes sooner than the server wants,
// and what comes is told.
func TestWatchKeepsToTheServersDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, &pop3test.Options{
			LoginDelay: 5 * time.Minute, Capabilities: append(pop3test.DefaultCapabilities(), "LOGIN-DELAY"),
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
		defer cancel()
		go func() {
			pass(22 * time.Minute)
			w.put(mailtest.Sample(2))
		}()
		var told []string
		for e, err := range w.over().Watch(ctx, nil, &session.WatchOptions{Interval: time.Second}) {
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Watch: %v", err)
			}
			if err == nil {
				told = append(told, e.Kind.String())
			}
		}
		if got, want := strings.Join(told, " "), "listening new"; got != want {
			t.Errorf("Watch told %q, want %q", got, want)
		}
		if made, _ := w.server.Connections(); made != 12 {
			t.Errorf("%d sign-ins in an hour, want 12", made)
		}
	})
}

// TestAWatchOutlastsALockedMaildrop: over an hour with trouble on the line and
// other sessions in the maildrop, every message that comes is told once.
func TestAWatchOutlastsALockedMaildrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil, &pop3x.Options{LockWait: -1})
		var told []string
		for e, err := range w.over().Watch(t.Context(), nil, nil) {
			if err != nil {
				t.Fatalf("Watch: %v", err)
			}
			switch e.Kind {
			case session.EventListening:
				go func() {
					for n := 4; n <= 20; n++ {
						pass(97 * time.Second)
						w.put(mailtest.Sample(n))
						switch n % 3 {
						case 0:
							w.server.Inject(mailtest.Drop("UIDL", 20))
						case 1:
							w.server.Inject(mailtest.Reply("AUTH", "-ERR [IN-USE] another session"))
						}
					}
				}()
			case session.EventNew:
				told = append(told, strings.TrimPrefix(e.Message.Header.Subject(), "Sample "))
			case session.EventChanged, session.EventRemoved, session.EventReset, session.EventReconnected, session.EventGone:
				t.Errorf("the event %v of %v, where messages came alone", e.Kind, e.ID)
			}
			if len(told) == 17 {
				break
			}
		}
		if got, want := strings.Join(told, " "), "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"; got != want {
			t.Errorf("Watch told %s, want %s", got, want)
		}
	})
}

// TestAWatchThatIsRefusedEnds with what a person has to do.
func TestAWatchThatIsRefusedEnds(t *testing.T) {
	w := newWorld(t, 1, nil, nil)
	w.server.Inject(mailtest.Refuse("AUTH"))
	for e, err := range w.over().Watch(t.Context(), nil, nil) {
		if !session.NeedsSignIn(err) {
			t.Fatalf("Watch = %v, %v, want an AuthError", e, err)
		}
	}
}
