package ews_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestAProxyThatKeepsStreamsBack: where an answer is passed on when it has ended, or is
// given up for that, the server is asked each minute instead, and a stream is tried again
// more and more seldom.
func TestAProxyThatKeepsStreamsBack(t *testing.T) {
	for name, fault := range map[string]mailtest.Fault{
		"and waits":    mailtest.Silence("GetStreamingEvents"),
		"and gives up": mailtest.Reply("GetStreamingEvents", "504 Gateway Timeout"),
		"and breaks":   mailtest.Reply("GetStreamingEvents", "500 Internal Server Error"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				b.server.Inject(fault.Repeating(1000))
				e := b.listen(t, session.Inbox)
				later(3 * time.Minute)
				e.wantNews(t, "once it is known", "listening inbox")
				b.deliver(t, "INBOX")
				later(ews.DefaultPollInterval)
				e.wantNews(t, "within a minute", "activity inbox")
				later(24 * time.Hour)
				if n := b.asked("GetStreamingEvents"); n < 6 || n > 60 {
					t.Errorf("asked for %d streams in a day, want a few", n)
				}
				b.server.Heal()
				later(3 * time.Hour)
				e.news()
				b.deliver(t, "INBOX")
				e.wantNews(t, "once streams come through", "activity inbox")
			})
		})
	}
}

// TestAProxyThatCutsStreams: one that cuts what is silent for half a minute leaves no
// pauses of minutes in which nothing is heard.
func TestAProxyThatCutsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		e := b.listen(t, session.Inbox)
		for range 10 {
			later(30 * time.Second)
			b.server.Disconnect()
		}
		e.news()
		for range 5 {
			b.deliver(t, "INBOX")
			later(ews.DefaultPollInterval)
			e.wantNews(t, "within a minute", "activity inbox")
		}
		later(4 * time.Hour)
		e.news()
		b.deliver(t, "INBOX")
		e.wantNews(t, "once streams last", "activity inbox")
	})
}

// TestARestartHasAnEnd: whatever a server answers while it starts, the loop goes on, and
// streams come back.
func TestARestartHasAnEnd(t *testing.T) {
	for name, fault := range map[string]mailtest.Fault{
		"an error of the mailbox":    ewstest.Failing("GetStreamingEvents", "ErrorInternalServerError"),
		"an error as a whole":        ewstest.FailingWhole("GetStreamingEvents", "ErrorInternalServerError"),
		"an error of another server": ewstest.Failing("GetStreamingEvents", "ErrorNoApplicableProxyCASServersAvailable"),
		"an error of the web server": mailtest.Reply("GetStreamingEvents", "500 Internal Server Error"),
		"an error for all":           mailtest.Reply("GetFolder", "500 Internal Server Error"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				e := b.listen(t, session.Inbox)
				e.wantNews(t, "at first", "listening inbox")
				later(time.Hour)
				b.server.Inject(fault.Repeating(2))
				b.server.Disconnect()
				later(4 * time.Hour)
				e.news()
				b.deliver(t, "INBOX")
				e.wantNews(t, "afterwards", "activity inbox")
			})
		})
	}
}
