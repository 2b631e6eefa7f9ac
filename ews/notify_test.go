package ews_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// ear is a loop over notices, which keeps what came.
type ear struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	heard []string
	err   error
}

// listen begins a loop.
func (b *bed) listen(t *testing.T, folders ...session.FolderRef) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := &ear{cancel: cancel, done: make(chan struct{})}
	t.Cleanup(e.end)
	go func() {
		defer close(e.done)
		for n, err := range b.Notify(ctx, folders, session.NotifyOptions{}) {
			e.mu.Lock()
			if err != nil {
				e.err = err
			} else {
				e.heard = append(e.heard, map[session.NoticeKind]string{session.Listening: "listening", session.Activity: "activity"}[n.Kind]+" "+string(n.Folder))
			}
			e.mu.Unlock()
		}
	}()
	return e
}

func (e *ear) end() {
	e.cancel()
	<-e.done
}

// news returns what came since it was asked last, once nothing moves any more; what
// came several times in a row is told once.
func (e *ear) news() string {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := strings.ReplaceAll(strings.Join(slices.Compact(e.heard), ", "), "role:", "")
	e.heard = nil
	return heard
}

func (e *ear) failure() error {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// later lets virtual time go by.
func later(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

// asked returns how often an operation was asked for.
func (b *bed) asked(operation string) int {
	n := 0
	for _, r := range b.server.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

func (b *bed) deliver(t *testing.T, folder string) {
	t.Helper()
	if _, err := b.account.Append(folder, mailtest.Sample(1), nil); err != nil {
		t.Fatal(err)
	}
}

// wantNews checks what came.
func (e *ear) wantNews(t *testing.T, when, want string) {
	t.Helper()
	if got := e.news(); got != want {
		t.Errorf("%s: heard %q, want %q (%v)", when, got, want, e.failure())
	}
}

// TestStream: what happens in any of the folders is told at the instant when it does,
// over one connection and by one subscription all day long, and a stream that comes to
// its end after half an hour is no lost line.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		e := b.listen(t, session.Inbox, session.Sent, session.Trash)
		e.wantNews(t, "at first", "listening inbox, listening sent, listening trash")
		b.deliver(t, "INBOX")
		e.wantNews(t, "at a message", "activity inbox")
		b.deliver(t, "Sent")
		e.wantNews(t, "at a message elsewhere", "activity sent")
		if _, err := b.account.Move("INBOX", "Trash", 1); err != nil {
			t.Fatal(err)
		}
		if got := e.news(); got != "activity inbox, activity trash" && got != "activity trash, activity inbox" {
			t.Errorf("at a move: heard %q, want both folders", got)
		}
		later(24 * time.Hour)
		if got := e.news(); !strings.Contains(got, "activity inbox") || strings.Contains(got, "listening") {
			t.Errorf("after a day of nothing: heard %q, want that a new stream may have missed something, and of no lost line", got)
		}
		b.deliver(t, "INBOX")
		e.wantNews(t, "a day later", "activity inbox")
		if n := b.asked("Subscribe"); n != 1 {
			t.Errorf("subscribed %d times in a day, want once", n)
		}
		if n := b.asked("GetStreamingEvents"); n < 48 || n > 50 {
			t.Errorf("%d streams in a day, want one each half an hour", n)
		}
		if _, open := b.server.Connections(); open != 1 {
			t.Errorf("%d connections are open, want one for all folders", open)
		}
	})
}

// TestSubscriptionIsGone: where the server has forgotten what it was to tell, it is
// told again at once, and the loop learns that the line was lost.
func TestSubscriptionIsGone(t *testing.T) {
	for _, version := range []ewstest.Version{ewstest.Exchange2007SP1, ewstest.Exchange2016} {
		t.Run(string(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{server: ewstest.Options{Version: version}})
				e := b.listen(t, session.Inbox)
				e.wantNews(t, "at first", "listening inbox")
				later(2*time.Hour + 10*time.Minute)
				e.news()
				b.server.DropSubscriptions()
				b.deliver(t, "INBOX")
				if version == ewstest.Exchange2007SP1 {
					later(ews.DefaultPollInterval)
				}
				e.wantNews(t, "after the server has forgotten", "listening inbox")
				b.deliver(t, "INBOX")
				later(ews.DefaultPollInterval)
				e.wantNews(t, "at a message", "activity inbox")
				if n := b.asked("Subscribe"); n != 2 {
					t.Errorf("subscribed %d times, want twice", n)
				}
			})
		})
	}
}

// TestSubscriptionIsNeverGood: a server that forgets at once is not asked again and
// again without a pause.
func TestSubscriptionIsNeverGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.server.Inject(ewstest.Failing("GetStreamingEvents", "ErrorSubscriptionNotFound").Repeating(1000))
		e := b.listen(t, session.Inbox)
		later(time.Hour)
		if n := b.asked("Subscribe"); n < 20 || n > 60 {
			t.Errorf("subscribed %d times in an hour, want now and then", n)
		}
		b.server.Heal()
		later(5 * time.Minute)
		e.wantNews(t, "once it is good", "listening inbox")
	})
}

// TestStreamEndsAtOnce: a server, or something before it, that ends each stream as
// soon as it begins costs a request now and then.
func TestStreamEndsAtOnce(t *testing.T) {
	const over = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:GetStreamingEventsResponse xmlns:m="u"><m:ResponseMessages>` +
		`<m:GetStreamingEventsResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:ConnectionStatus>Closed</m:ConnectionStatus>` +
		`</m:GetStreamingEventsResponseMessage></m:ResponseMessages></m:GetStreamingEventsResponse></s:Body></s:Envelope>`
	for name, body := range map[string]string{
		"in order":        over,
		"in mid-sentence": over[:300],
		"without a word":  strings.Replace(over, "Closed", "OK", 1),
		"in nonsense":     strings.Replace(over, "Closed", "OK", 1) + "<html>bad gateway",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				reply := "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n" + body
				b.server.Inject(mailtest.Reply("GetStreamingEvents", reply).Repeating(1000).Skipping(1))
				e := b.listen(t, session.Inbox)
				e.wantNews(t, "at first", "listening inbox")
				later(2 * time.Hour)
				if n := b.asked("GetStreamingEvents"); n < 6 || n > 20 {
					t.Errorf("asked for %d streams in two hours, want a few", n)
				}
				b.server.Heal()
				later(3 * time.Hour)
				e.news()
				b.deliver(t, "INBOX")
				e.wantNews(t, "once streams last again", "activity inbox")
			})
		})
	}
}

// TestPull: before streams there were, the server is asked each minute, and keeps what
// happened while it could not be reached.
func TestPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{server: ewstest.Options{Version: ewstest.Exchange2007SP1}})
		e := b.listen(t, session.Inbox, session.Sent)
		e.wantNews(t, "at first", "listening inbox, listening sent")
		later(3 * time.Hour)
		e.wantNews(t, "while nothing happens", "")
		for range 120 { // more than one answer has room for
			b.deliver(t, "INBOX")
		}
		b.server.Disconnect()
		later(ews.DefaultPollInterval)
		e.wantNews(t, "within a minute", "activity inbox")
		b.deliver(t, "Sent")
		later(ews.DefaultPollInterval)
		e.wantNews(t, "within another minute", "activity sent")
		if n := b.asked("Subscribe"); n != 1 {
			t.Errorf("subscribed %d times, want once", n)
		}
		if n := b.asked("GetStreamingEvents"); n != 0 {
			t.Errorf("asked for %d streams of a server that has none", n)
		}
	})
}

// TestNoRoomForAStream: where no connection can be spared, or the server lets none in
// any more, it is asked now and then, and other operations go on.
func TestNoRoomForAStream(t *testing.T) {
	for name, tt := range map[string]struct {
		connections int
		fault       []mailtest.Fault
		streams     int
	}{
		"one connection in all":     {connections: 1},
		"too many hang already":     {fault: []mailtest.Fault{ewstest.Failing("GetStreamingEvents", "ErrorExceededConnectionCount")}, streams: 1},
		"it refuses subscribing so": {fault: []mailtest.Fault{ewstest.Failing("Subscribe", "ErrorInvalidServerVersion")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{client: ews.Options{MaxConnections: tt.connections}})
				b.server.Inject(tt.fault...)
				e := b.listen(t, session.Inbox)
				e.wantNews(t, "at first", "listening inbox")
				b.deliver(t, "INBOX")
				later(ews.DefaultPollInterval)
				e.wantNews(t, "within a minute", "activity inbox")
				if _, _, err := b.list(t.Context(), session.Query{}); err != nil {
					t.Errorf("a listing meanwhile: %v", err)
				}
				if n := b.asked("GetStreamingEvents"); n != tt.streams {
					t.Errorf("asked for %d streams, want %d", n, tt.streams)
				}
			})
		})
	}
}

// TestNoSubscriptions: where a server has none, or no room for one more, each minute
// may have brought something, as far as anybody knows.
func TestNoSubscriptions(t *testing.T) {
	for _, code := range []string{"ErrorInvalidOperation", "ErrorSubscriptionDelegateAccessNotSupported", "ErrorExceededSubscriptionCount"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				b.server.Inject(ewstest.Failing("Subscribe", code).Repeating(100))
				e := b.listen(t, session.Inbox)
				later(30 * time.Second)
				if got := e.news(); got != "listening inbox" && got != "listening inbox, activity inbox" {
					t.Errorf("at first: heard %q, want that it listens", got)
				}
				later(ews.DefaultPollInterval)
				e.wantNews(t, "a minute later", "activity inbox")
				b.server.Inject(ewstest.Failing("GetFolder", "ErrorFolderNotFound").Repeating(100))
				later(10 * time.Minute)
				if err := e.failure(); !errors.Is(err, session.ErrNoFolder) {
					t.Errorf("once the folder is gone, Notify ends in %v, want ErrNoFolder", err)
				}
			})
		})
	}
}

// TestSubscriptionsAreUsedAgain: a program that waits for one message after the other
// does not use up what a mailbox may have.
func TestSubscriptionsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		for range 30 {
			e := b.listen(t, session.Inbox)
			e.wantNews(t, "at first", "listening inbox")
			b.deliver(t, "INBOX")
			e.wantNews(t, "at a message", "activity inbox")
			e.end()
		}
		if n := b.asked("Subscribe"); n != 1 {
			t.Errorf("30 loops over one folder subscribed %d times, want once", n)
		}
		for n := range 30 {
			name := fmt.Sprintf("Folder %d", n)
			if err := b.account.CreateFolder(name, ""); err != nil {
				t.Fatal(err)
			}
			e := b.listen(t, session.FolderAt(name))
			e.wantNews(t, "at first", "listening path:"+name)
			e.end()
		}
		if n := b.server.Subscriptions(); n > 5 {
			t.Errorf("loops over 31 folders leave %d subscriptions behind, want a few", n)
		}
		later(3 * time.Hour)
		b.server.DropSubscriptions()
		e := b.listen(t, session.FolderAt("Folder 29"))
		e.wantNews(t, "by a subscription that is void", "listening path:Folder 29")
	})
}

// TestAffinity: all that is about a subscription goes to the machine that keeps it, of
// those behind a load balancer, which tells them by a cookie.
func TestAffinity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		lb := &between{
			request: func(text string) string {
				if !strings.Contains(text, "\r\nX-Anchormailbox: "+ann) || !strings.Contains(text, "\r\nX-Preferserveraffinity: true") || !strings.Contains(cookiesOf(text), "lb=machine~1") {
					lost++
				}
				return text
			},
			answer: func(answer, _ string) string { return with(answer, "Set-Cookie: lb=machine~1; path=/; HttpOnly") },
		}
		b := newBed(t, settings{server: ewstest.Options{Schemes: []string{ewstest.Basic}}, change: lb.stand})
		e := b.listen(t, session.Inbox)
		e.wantNews(t, "at first", "listening inbox")
		b.server.Disconnect()
		later(time.Minute)
		e.wantNews(t, "after a lost line", "listening inbox")
		e.end()
		if lost != 1 {
			t.Errorf("%d requests went to any machine, want the first alone", lost)
		}
	})
}

// TestNotifyFails: what does not pass is told, and nothing is tried again.
func TestNotifyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		e := b.listen(t, session.FolderAt("Nowhere"))
		if err := e.failure(); !errors.Is(err, session.ErrNoFolder) {
			t.Errorf("of a folder that is not there, Notify ends in %v, want ErrNoFolder", err)
		}
		e = b.listen(t, session.Inbox)
		e.wantNews(t, "at first", "listening inbox")
		b.server.Inject(mailtest.Refuse("GetFolder").Repeating(100))
		b.server.Disconnect()
		later(time.Minute)
		if err := e.failure(); !session.NeedsSignIn(err) {
			t.Errorf("where the password is no good any more, Notify ends in %v, want an AuthError", err)
		}
	})
}
