package ews_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestNoRoomForASubscription: where the server has as many subscriptions or streams of
// the user as it allows, it is asked now and then at once, which is told. It is not
// pressed, and where there is room again, what happens is told at the instant again.
func TestNoRoomForASubscription(t *testing.T) {
	for name, tt := range map[string]struct {
		operation, code, way string
		tries                int // at first
	}{
		"subscriptions":               {"Subscribe", "ErrorExceededSubscriptionCount", "poll", 1},
		"subscriptions by streams":    {"Subscribe", "ErrorExceededConnectionCount", "poll", 2},
		"streams":                     {"GetStreamingEvents", "ErrorExceededConnectionCount", "pull", 1},
		"subscriptions of the stream": {"GetStreamingEvents", "ErrorExceededSubscriptionCount", "poll", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := &notes{}
				b := newBed(t, settings{client: ews.Options{
					Logger: slog.New(slog.NewTextHandler(told, &slog.HandlerOptions{Level: slog.LevelWarn})), Observer: testlog.NewObserver(told),
				}})
				b.server.Inject(ewstest.Failing(tt.operation, tt.code).Repeating(-1))
				e := b.listen(t, session.Inbox)
				if got := e.news(); !strings.HasPrefix(got, "listening inbox") {
					t.Errorf("at first: heard %q, want that it listens at once", got)
				}
				if n := b.asked(tt.operation); n != tt.tries {
					t.Errorf("the server was asked for it %d times, want %d", n, tt.tries)
				}
				began := time.Now()
				if _, err := b.Count(t.Context(), session.Inbox); err != nil || time.Since(began) != 0 {
					t.Errorf("Count meanwhile = %v after %v, want an answer at once", err, time.Since(began))
				}
				all := told.String()
				if !strings.Contains(all, "ews.fallback") || !strings.Contains(all, "level=WARN") || !strings.Contains(all, "way="+tt.way) || !strings.Contains(all, tt.code) {
					t.Errorf("what is told is %s; want the way %s and why", all, tt.way)
				}
				later(time.Hour - time.Second)
				if n := b.asked(tt.operation); n != 6*tt.tries {
					t.Errorf("within an hour the server was asked for it %d times, want %d times each ten minutes", n, tt.tries)
				}
				b.server.Heal()
				later(10 * time.Minute)
				e.news()
				b.deliver(t, "INBOX")
				e.wantNews(t, "where there is room again", "activity inbox")
			})
		})
	}
}

// TestOwnSubscriptionsMakeRoom: those that nobody uses are given up for one that is
// wanted.
func TestOwnSubscriptionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		for _, f := range []session.FolderRef{session.Sent, session.Trash} {
			e := b.listen(t, f)
			e.news()
			e.end()
		}
		b.server.Inject(ewstest.Failing("Subscribe", "ErrorExceededSubscriptionCount"))
		e := b.listen(t, session.Inbox)
		e.wantNews(t, "at first", "listening inbox")
		b.deliver(t, "INBOX")
		e.wantNews(t, "at a message", "activity inbox")
		if n := b.server.Subscriptions(); n != 2 {
			t.Errorf("%d subscriptions are left, want one given up and two left", n)
		}
	})
}

// TestCloseUnsubscribes: what a mailbox may have few of is given back, of loops that
// run and of those that are over, by whatever way they listen.
func TestCloseUnsubscribes(t *testing.T) {
	for _, version := range []ewstest.Version{ewstest.Exchange2007SP1, ewstest.Exchange2016} {
		t.Run(string(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{server: ewstest.Options{Version: version}})
				before := b.listen(t, session.Sent)
				before.news()
				before.end()
				e := b.listen(t, session.Inbox)
				e.wantNews(t, "at first", "listening inbox")
				if n := b.server.Subscriptions(); n != 2 {
					t.Fatalf("%d subscriptions, want two", n)
				}
				began := time.Now()
				if err := b.Close(); err != nil || time.Since(began) > time.Second {
					t.Errorf("Close = %v after %v", err, time.Since(began))
				}
				if err := e.failure(); !errors.Is(err, session.ErrClosed) {
					t.Errorf("the loop ends in %v, want ErrClosed", err)
				}
				if n := b.server.Subscriptions(); n != 0 {
					t.Errorf("%d subscriptions are left behind", n)
				}
				if _, open := b.server.Connections(); open != 0 {
					t.Errorf("%d connections are open after Close", open)
				}
			})
		})
	}
}

// TestCloseDoesNotWait: a server that does not answer, or is not there, or took the
// password back, costs two seconds at most, and no wrong password.
func TestCloseDoesNotWait(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(b *bed)
		most  time.Duration
	}{
		"silence": {func(b *bed) { b.server.Inject(mailtest.Silence("Unsubscribe").Repeating(-1)) }, 2 * time.Second},
		"gone":    {func(b *bed) { _ = b.server.Close() }, 2 * time.Second},
		"busy":    {func(b *bed) { b.server.Inject(ewstest.Busy("Unsubscribe", time.Hour).Repeating(-1)) }, 0},
		"refused": {func(b *bed) {
			b.server.Inject(mailtest.Refuse("GetFolder").Repeating(-1))
			b.server.Disconnect()
			later(time.Minute)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				e := b.listen(t, session.Inbox)
				e.wantNews(t, "at first", "listening inbox")
				tt.spoil(b)
				synctest.Wait()
				asked, began := b.asked("GetFolder"), time.Now()
				if err := b.Close(); err != nil || time.Since(began) > tt.most {
					t.Errorf("Close = %v after %v, want %v at most", err, time.Since(began), tt.most)
				}
				if n := b.asked("GetFolder"); name == "refused" && n != asked {
					t.Errorf("the password was shown once more")
				}
			})
		})
	}
}
