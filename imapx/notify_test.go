package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
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
func listen(t *testing.T, client session.Notifier, opts session.NotifyOptions, folders ...session.FolderRef) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := &ear{cancel: cancel, done: make(chan struct{})}
	t.Cleanup(func() { cancel(); <-e.done })
	go func() {
		defer close(e.done)
		for n, err := range client.Notify(ctx, folders, opts) {
			e.mu.Lock()
			if err != nil {
				e.err = err
			} else {
				e.heard = append(e.heard, fmt.Sprintf("%s %v", map[session.NoticeKind]string{session.Listening: "listening", session.Activity: "activity"}[n.Kind], n.Folder))
			}
			e.mu.Unlock()
		}
	}()
	return e
}

// news returns what came since it was asked last, once nothing moves any more.
func (e *ear) news() string {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := strings.ReplaceAll(strings.Join(e.heard, ", "), "role:", "")
	e.heard = nil
	return heard
}

func (e *ear) failure() error {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (w *world) deliver(t *testing.T, folder string) {
	t.Helper()
	if _, err := w.account.Append(folder, mailtest.Sample(1), nil); err != nil {
		t.Fatal(err)
	}
}

// TestNotifyOfOneFolder: the server tells of arrivals, flags and removals at the
// instant when they happen, without being asked.
func TestNotifyOfOneFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil)
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
		if got := e.news(); got != "listening inbox" {
			t.Errorf("first came %q, want listening alone", got)
		}
		for name, happens := range map[string]func() error{
			"an arrival": func() error { w.deliver(t, "INBOX"); return nil },
			"a flag":     func() error { return w.account.AddFlags("INBOX", []string{mailtest.Seen}, 1) },
			"a removal":  func() error { _, err := w.account.Expunge("INBOX", 2); return err },
		} {
			began := time.Now()
			if err := happens(); err != nil {
				t.Fatal(err)
			}
			if got := e.news(); got != "activity inbox" || time.Since(began) > 0 {
				t.Errorf("of %s came %q after %v, want an activity at once", name, got, time.Since(began))
			}
		}
		w.deliver(t, "Sent")
		if got := e.news(); got != "" {
			t.Errorf("of another folder came %q", got)
		}
	})
}

// TestIdleIsRenewed: the server is left alone for the time of the settings, and
// every question has to be answered.
func TestIdleIsRenewed(t *testing.T) {
	for name, renewal := range map[string]time.Duration{"default": 0, "short": 2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.IdleRenewal = renewal })
			e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
			e.news()
			before := len(w.server.Commands())
			want := imapx.DefaultIdleRenewal
			if renewal > 0 {
				want = renewal
			}
			for range 100 {
				pass(want)
			}
			e.news()
			if got := len(w.names(before)); got < 199 || got > 200 {
				t.Errorf("%s: %d commands in a hundred renewals, want DONE and IDLE for each", name, got)
			}
			w.deliver(t, "INBOX")
			if got := e.news(); got != "activity inbox" {
				t.Errorf("%s: then came %q, want an activity", name, got)
			}
		})
	}
}

// TestServersThatStopTelling: a server that answers, and tells nothing in IDLE,
// hides nothing for longer than until the next renewal.
func TestServersThatStopTelling(t *testing.T) {
	for name, folders := range map[string][]session.FolderRef{
		"one folder": {session.Inbox}, "by NOTIFY": {session.Inbox, session.Sent},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, nil)
			w.server.Inject(mailtest.Lines("IDLE", func(_ int, line string) string {
				if strings.HasPrefix(line, "* ") {
					return ""
				}
				return line
			}).Repeating(100))
			e := listen(t, w.client, session.NotifyOptions{}, folders...)
			if got := e.news(); strings.Count(got, "listening") != len(folders) {
				t.Errorf("%s: first came %q", name, got)
			}
			for range 3 {
				w.deliver(t, "INBOX")
				if got := e.news(); got != "" {
					t.Errorf("%s: of an arrival came %q, want a server that tells nothing", name, got)
				}
				pass(imapx.DefaultIdleRenewal)
				if got := e.news(); strings.Count(got, "activity inbox") != 1 || strings.Contains(got, "listening") {
					t.Errorf("%s: at the renewal came %q, want an activity", name, got)
				}
			}
		})
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// TestALineThatDies: it is replaced, and what happened meanwhile is to be asked
// for.
func TestALineThatDies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault mailtest.Fault
		after time.Duration // by which it is noticed
	}{
		{"it is cut", mailtest.Drop("DONE", 0), imapx.DefaultIdleRenewal},
		{"it falls silent", mailtest.Silence("DONE"), imapx.DefaultIdleRenewal + 30*time.Second},
		{"the server says goodbye", mailtest.Bye("DONE", "* BYE restarting"), imapx.DefaultIdleRenewal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, nil)
				e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
				e.news()
				w.server.Inject(tt.fault)
				pass(tt.after)
				w.deliver(t, "INBOX")
				if got := e.news(); strings.Contains(got, "listening") {
					t.Errorf("%q came at once, want a pause before the next connection", got)
				}
				pass(time.Second)
				if got := e.news(); !strings.HasSuffix(got, "listening inbox") {
					t.Errorf("after a second came %q, want listening again", got)
				}
				w.deliver(t, "INBOX")
				if got := e.news(); got != "activity inbox" {
					t.Errorf("then came %q, want an activity", got)
				}
			})
		})
	}
}

// TestAServerThatIsAway: the pauses grow, and the loop goes on when the server is
// back.
func TestAServerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
		e.news()
		w.server.Inject(mailtest.Bye(mailtest.Greeting, "* BYE [UNAVAILABLE] later").Repeating(10))
		w.server.Inject(mailtest.Drop("DONE", 0))
		before := time.Now()
		for e.news() == "" {
			pass(time.Second)
		}
		// 1, 2, 4 and so on to two minutes, each less up to a fifth.
		if away := time.Since(before) - imapx.DefaultIdleRenewal; away < 5*time.Minute || away > 20*time.Minute || e.failure() != nil {
			t.Errorf("listening again after %v, error %v", away, e.failure())
		}
	})
}

// TestNotifyEndsWithAnError: what waiting does not mend ends the loop.
func TestNotifyEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		for name, tt := range map[string]struct {
			folder session.FolderRef
			client *imapx.Client
			want   error
		}{
			"no folder": {session.FolderAt("Nowhere"), w.client, session.ErrNoFolder},
			"closed":    {session.Inbox, closed(t, w), session.ErrClosed},
		} {
			e := listen(t, tt.client, session.NotifyOptions{}, tt.folder)
			if got := e.news(); got != "" || !errors.Is(e.failure(), tt.want) {
				t.Errorf("%s: %q, error %v, want %v", name, got, e.failure(), tt.want)
			}
		}
	})
}

// closed returns a client that was closed.
func closed(t *testing.T, w *world) *imapx.Client {
	t.Helper()
	c, err := imapx.New(session.Server{Host: "localhost", Dial: w.server.Dial}, session.Credentials{User: ann, Password: password()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNotifyEndsAtOnce: the loop ends with its context at the same instant, also
// with the server in silence, and leaves nothing behind.
func TestNotifyEndsAtOnce(t *testing.T) {
	for _, command := range []string{mailtest.Greeting, "SELECT", "IDLE", "DONE", ""} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, nil)
			if command != "" {
				w.server.Inject(mailtest.Silence(command))
			}
			e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
			pass(imapx.DefaultIdleRenewal + time.Second)
			before := time.Now()
			e.cancel()
			<-e.done
			if took := time.Since(before); took > 0 || !errors.Is(e.err, context.Canceled) {
				t.Errorf("%s: the loop ended after %v with %v, want the context's error at once", command, took, e.err)
			}
		})
	}
}

// TestABusyLoopKeepsItsLine: the line is renewed while nobody listens, and what
// came meanwhile comes as one notice.
func TestABusyLoopKeepsItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		n := 0
		for notice, err := range w.client.Notify(t.Context(), []session.FolderRef{session.Inbox}, session.NotifyOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			switch n++; n {
			case 1:
				for range 50 {
					pass(time.Hour)
					w.deliver(t, "INBOX")
				}
				synctest.Wait()
				if got := len(w.server.Commands()); got < 600 {
					t.Errorf("%d commands in fifty hours, want IDLE renewed every nine minutes", got)
				}
			case 2:
				if notice.Kind != session.Activity {
					t.Errorf("%+v, want an activity", notice)
				}
				w.deliver(t, "INBOX")
			case 3:
				return
			}
		}
	})
}

// TestSeveralFoldersOverFewConnections: as many folders have a line as there are
// connections but one, and the others are looked at.
func TestSeveralFoldersOverFewConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("NOTIFY")}, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = 3 })
		e := listen(t, w.client, session.NotifyOptions{Interval: 20 * time.Second}, session.Inbox, session.Sent, session.Trash, session.Drafts)
		if got := e.news(); strings.Count(got, "listening") != 4 || strings.Contains(got, "activity") {
			t.Errorf("first came %q, want listening of four", got)
		}
		idle := 0
		for _, name := range w.names(0) {
			if name == "IDLE" {
				idle++
			}
		}
		if idle != 2 {
			t.Errorf("%d lines, want 2", idle)
		}
		for _, tt := range []struct {
			folder, want string
			within       time.Duration
		}{
			{"INBOX", "activity inbox", 0},
			{"Sent", "activity sent", 0},
			{"Trash", "activity trash", 20 * time.Second},
			{"Drafts", "activity drafts", 20 * time.Second},
		} {
			w.deliver(t, tt.folder)
			pass(tt.within)
			if got := e.news(); got != tt.want {
				t.Errorf("of %s came %q within %v, want %q", tt.folder, got, tt.within, tt.want)
			}
		}
		if got := list(t, w.client.Messages(t.Context(), session.Query{})); len(got) != 2 {
			t.Errorf("%d messages beside the lines, want 2", len(got))
		}
		if err := w.account.AddFlags("Trash", []string{mailtest.Flagged}, 1); err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second)
		if got := e.news(); got != "activity trash" {
			t.Errorf("of a flag came %q", got)
		}
	})
}

// TestSeveralFoldersByNotify: a server with NOTIFY tells of any number of folders
// over one connection.
func TestSeveralFoldersByNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox, session.Sent, session.Trash, session.Drafts, session.Archive)
		if got := e.news(); strings.Count(got, "listening") != 5 || strings.Contains(got, "activity") {
			t.Errorf("first came %q, want listening of five", got)
		}
		for name, happens := range map[string]func(folder string) error{
			"an arrival": func(folder string) error { w.deliver(t, folder); return nil },
			"a flag":     func(folder string) error { return w.account.AddFlags(folder, []string{mailtest.Seen}, 1) },
		} {
			for folder, want := range map[string]string{"INBOX": "activity inbox", "Archive": "activity archive", "Junk": ""} {
				w.deliver(t, folder)
				e.news()
				if err := happens(folder); err != nil {
					t.Fatal(err)
				}
				if got := e.news(); got != want {
					t.Errorf("of %s in %s came %q, want %q", name, folder, got, want)
				}
				if err := w.account.RemoveFlags(folder, []string{mailtest.Seen}, 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		if made, _ := w.server.Connections(); made != 1 && made != 2 {
			t.Errorf("%d connections, want one for all", made)
		}
		w.server.Disconnect()
		pass(time.Second)
		if got := e.news(); strings.Count(got, "listening") != 5 {
			t.Errorf("after the connection was cut came %q, want listening of five", got)
		}
	})
}

// TestNotifyIsRefused: then folders have lines of their own; where one of them is
// not there, that ends the loop.
func TestNotifyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		w.server.Inject(mailtest.Reply("NOTIFY", "NO [BADEVENT (MessageNew)] no"))
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox, session.Sent)
		if got := e.news(); strings.Count(got, "listening") != 2 {
			t.Errorf("first came %q, want listening of two", got)
		}
		w.deliver(t, "Sent")
		if got := e.news(); got != "activity sent" {
			t.Errorf("of an arrival came %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		for _, err := range w.client.Folders(t.Context()) { // which are known from here on
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.account.DeleteFolder("Archive"); err != nil {
			t.Fatal(err)
		}
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox, session.FolderAt("Archive"))
		if got := e.news(); !errors.Is(e.failure(), session.ErrNoFolder) {
			t.Errorf("%q, error %v, want no folder", got, e.failure())
		}
	})
}

// TestNotifyOverflow: a server that tells more than it can gives up, and is asked
// anew.
func TestNotifyOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		w.server.Inject(mailtest.Before("DONE", "* OK [NOTIFICATIONOVERFLOW] too much\r\n"))
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox, session.Sent)
		e.news()
		pass(imapx.DefaultIdleRenewal + time.Second)
		if got := e.news(); strings.Count(got, "listening") != 2 {
			t.Errorf("then came %q, want listening again", got)
		}
	})
}

// TestServersThatTellNothing: where there is no IDLE, or where it is refused, the
// folder is looked at; where the server counts no changes, every look may be worth
// it.
func TestServersThatTellNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		options *imaptest.Options
		fault   *mailtest.Fault
		quiet   string
	}{
		"no IDLE":               {options: &imaptest.Options{Capabilities: imaptest.Without("IDLE")}},
		"IDLE is refused":       {fault: new(mailtest.Reply("IDLE", "NO [CANNOT] no"))},
		"no IDLE, no CONDSTORE": {options: &imaptest.Options{Capabilities: imaptest.Without("IDLE", "CONDSTORE", "QRESYNC")}, quiet: "activity inbox"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, tt.options)
			if tt.fault != nil {
				w.server.Inject(*tt.fault)
			}
			e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
			if got := e.news(); got != "listening inbox" {
				t.Errorf("%s: first came %q", name, got)
			}
			pass(imapx.DefaultPollInterval)
			if got := e.news(); got != tt.quiet {
				t.Errorf("%s: of nothing came %q, want %q", name, got, tt.quiet)
			}
			w.deliver(t, "INBOX")
			pass(imapx.DefaultPollInterval)
			if got := e.news(); got != "activity inbox" {
				t.Errorf("%s: of an arrival came %q", name, got)
			}
		})
	}
}

// TestFoldersThatAreLookedAtAfterAnOutage: they are listened to again as those are
// that have a line.
func TestFoldersThatAreLookedAtAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("NOTIFY")}, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = 2 })
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox, session.Sent, session.Trash)
		if got := e.news(); strings.Count(got, "listening") != 3 {
			t.Errorf("first came %q, want listening of three", got)
		}
		pass(time.Hour) // a connection that was lost in between is replaced, and no outage
		e.news()
		w.server.Inject(mailtest.Bye(mailtest.Greeting, "* BYE [UNAVAILABLE] later").Repeating(10))
		w.server.Disconnect()
		pass(time.Hour)
		got := e.news()
		for _, want := range []string{"listening inbox", "listening sent", "listening trash"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("after the outage came %q, want %s once", got, want)
			}
		}
		w.deliver(t, "Trash")
		pass(imapx.DefaultPollInterval)
		if got := e.news(); got != "activity trash" {
			t.Errorf("then came %q, want an activity", got)
		}
	})
}

// TestIntervalsBelowZero: they mean the default, not to look without a pause.
func TestIntervalsBelowZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("IDLE")})
		e := listen(t, w.client, session.NotifyOptions{Interval: -time.Second}, session.Inbox)
		e.news()
		before := len(w.server.Commands())
		pass(imapx.DefaultPollInterval)
		e.news()
		if got := w.names(before); len(got) == 0 || len(got) > 2 || got[len(got)-1] != "STATUS" {
			t.Errorf("in a minute came %v, want one STATUS, on a connection that is proven first", got)
		}
	})
}

func TestRenewalsThatCannotBe(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, time.Millisecond, 30 * time.Minute} {
		if _, err := imapx.New(session.Server{Host: "localhost"}, session.Credentials{User: ann, Password: password()}, &imapx.Options{IdleRenewal: d}); err == nil {
			t.Errorf("an IdleRenewal of %v is taken", d)
		}
	}
}

// TestALineThatIsLostAgainAndAgain: a server that takes connections and soon ends
// them is not left alone for minutes.
func TestALineThatIsLostAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		e := listen(t, w.client, session.NotifyOptions{}, session.Inbox)
		e.news()
		for range 20 {
			w.server.Disconnect()
			pass(8 * time.Second)
			if got := e.news(); got != "listening inbox" {
				t.Fatalf("eight seconds after a line was lost came %q, want listening again", got)
			}
		}
	})
}
