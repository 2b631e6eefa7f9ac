package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
	"github.com/mailsession/mailsession/state"
)

// works is a mailbox whose messages are handled, and what was done for each, by
// its key.
type works struct {
	t       testing.TB
	s       *session.Session
	account *mailtest.Account
	store   state.Store
	effects map[string][]string // the tries of each subject, by their keys
	fail    func(t session.Task) error
}

func newWorks(tb testing.TB, n int) *works {
	tb.Helper()
	return newWorksOf(tb, ann, n)
}

// newWorksOf is newWorks for the mailbox of somebody.
func newWorksOf(tb testing.TB, user string, n int) *works {
	tb.Helper()
	server := &sessiontest.Reference{Box: mailtest.New(), Facts: sessiontest.ReferenceFacts(), PageSize: 4}
	w := &works{t: tb, store: state.NewMemory(), effects: map[string][]string{}}
	w.account = server.Box.Add(user, secret.New("correct horse"))
	for i := range n {
		w.put(i + 1)
	}
	if err := w.account.CreateFolder("Problems", ""); err != nil {
		tb.Fatal(err)
	}
	var err error
	w.s, err = session.New(session.Credentials{User: user, Password: secret.New("correct horse")}, server.Incoming(server.Dial), nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.s.Close() })
	return w
}

func (w *works) put(n int) {
	w.t.Helper()
	if _, err := w.account.Append("INBOX", mailtest.Sample(n), nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *works) in(folder string) string {
	w.t.Helper()
	kept, err := w.account.Messages(folder)
	if err != nil {
		w.t.Fatal(err)
	}
	names := make([]string, 0, len(kept))
	for _, m := range kept {
		_, rest, _ := strings.Cut(m.Raw, "Subject: Sample ")
		name, _, _ := strings.Cut(rest, "\r\n")
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// handle does its work, unless it is to fail before.
func (w *works) handle(_ context.Context, t session.Task) error {
	if w.fail != nil {
		if err := w.fail(t); err != nil {
			return err
		}
	}
	name := strings.TrimPrefix(t.Message.Header.Subject(), "Sample ")
	w.effects[name] = append(w.effects[name], t.Key)
	return nil
}

func (w *works) process(ctx context.Context, opts *session.ProcessOptions) (session.Processed, error) {
	return w.s.Process(ctx, session.Progress{Store: w.store, Name: "bills/inbox"}, session.Query{}, w.handle, opts)
}

// TestProcessGoesThroughOnce: each message is handled once, by however many calls,
// and moved to where it belongs; one that fails is tried again when its time has
// come and keeps nobody waiting.
func TestProcessGoesThroughOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorks(t, 10)
		var failed []time.Time
		w.fail = func(task session.Task) error {
			switch {
			case task.Message.Header.Subject() == "Sample 3" && task.Try < 3:
				failed = append(failed, time.Now())
				return errors.New("the accounts are closed")
			case task.Message.Header.Subject() == "Sample 5":
				return session.GiveUp(errors.New("no bill"))
			case task.Message.Header.Subject() == "Sample 7" && task.Try == 1:
				return session.TryAgainIn(10*time.Second, errors.New("come back"))
			}
			return nil
		}
		opts := &session.ProcessOptions{Done: session.Archive, Problem: session.FolderAt("Problems")}
		got, err := w.process(t.Context(), opts)
		if want := (session.Processed{Done: 7, Problems: 1, Waiting: 2}); err != nil || got != want {
			t.Fatalf("Process = %+v, %v; want %+v", got, err, want)
		}
		if inbox, archive, problems := w.in("INBOX"), w.in("Archive"), w.in("Problems"); inbox != "3 7" || archive != "1 2 4 6 8 9 10" || problems != "5" {
			t.Errorf("the inbox holds %q, the archive %q, the problems %q", inbox, archive, problems)
		}
		w.put(11)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		opts.Watch = true
		got, err = w.process(ctx, opts)
		if want := (session.Processed{Done: 3}); !errors.Is(err, context.DeadlineExceeded) || got != want {
			t.Errorf("Process that watches = %+v, %v; want %+v", got, err, want)
		}
		if len(failed) != 2 || failed[1].Sub(failed[0]) != session.DefaultFirstRetry {
			t.Errorf("sample 3 failed at %v, want a minute between", failed)
		}
		if got, err := w.process(t.Context(), nil); err != nil || got != (session.Processed{}) {
			t.Errorf("Process where nothing is to do = %+v, %v", got, err)
		}
		w.wantOnce(10)
	})
}

// wantOnce checks that n messages had their effect, each once.
func (w *works) wantOnce(n int) {
	w.t.Helper()
	for name, keys := range w.effects {
		if len(keys) != 1 {
			w.t.Errorf("sample %s was handled %d times", name, len(keys))
		}
	}
	if len(w.effects) != n {
		w.t.Errorf("%d messages were handled, want %d", len(w.effects), n)
	}
}

// crash is a Store that fails from its n-th write on: before it is written, or
// after.
type crash struct {
	state.Store

	left    int
	written bool
}

var errCrash = errors.New("the machine went down")

func (c *crash) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if c.left--; c.left > 0 {
		return c.Store.CompareAndSwap(ctx, key, old, value)
	}
	if c.left == 0 && c.written {
		if _, err := c.Store.CompareAndSwap(ctx, key, old, value); err != nil {
			return "", err
		}
	}
	return "", errCrash
}

// TestProcessSurvivesACrashAtEachWrite: nothing is lost, nothing but the message
// at which it happened is doubled, and that under the same key.
func TestProcessSurvivesACrashAtEachWrite(t *testing.T) {
	const n = 10
	for _, folder := range []session.FolderRef{"", session.Archive} {
		for _, written := range []bool{false, true} {
			crashes := 0
			for at := 1; ; at++ {
				w := newWorks(t, n)
				sound := w.store
				opts := &session.ProcessOptions{Done: folder}
				w.store = &crash{Store: sound, left: at, written: written}
				if _, err := w.process(t.Context(), opts); err == nil {
					break
				} else if !errors.Is(err, errCrash) {
					t.Fatalf("crash at write %d: %v", at, err)
				}
				crashes++
				w.store = sound
				if _, err := w.process(t.Context(), opts); err != nil {
					t.Errorf("after a crash at write %d (written: %t): %v", at, written, err)
				}
				w.wantAtLeastOnce(fmt.Sprintf("crash at write %d (written: %t, moved: %q)", at, written, folder), n, 1)
				if folder != "" && w.in("INBOX") != "" {
					t.Errorf("crash at write %d: the inbox holds %s", at, w.in("INBOX"))
				}
			}
			if crashes < n {
				t.Errorf("there were %d writes, want one a message at least", crashes)
			}
			if most := n + 8; crashes > most {
				t.Errorf("there were %d writes for %d messages, want at most %d", crashes, n, most)
			}
		}
	}
}

// wantAtLeastOnce checks that every message was handled, and at most so many once
// more, under the same key.
func (w *works) wantAtLeastOnce(when string, n, doubles int) {
	w.t.Helper()
	for name, keys := range w.effects {
		doubles -= len(keys) - 1
		if distinct := slices.Compact(keys); len(distinct) != 1 {
			w.t.Errorf("%s: sample %s was handled under the keys %v", when, name, keys)
		}
	}
	if len(w.effects) != n || doubles < 0 {
		w.t.Errorf("%s: %d messages of %d were handled, %d too often", when, len(w.effects), n, -doubles)
	}
}

// TestProcessEndsWithItsContext: at each message, whatever the handler makes of it,
// and the next call loses nothing.
func TestProcessEndsWithItsContext(t *testing.T) {
	for _, heeds := range []bool{false, true} {
		for at := 1; at <= 6; at++ {
			w := newWorks(t, 6)
			ctx, cancel := context.WithCancel(t.Context())
			w.fail = func(task session.Task) error {
				if task.Message.Header.Subject() != fmt.Sprintf("Sample %d", at) {
					return nil
				}
				if cancel(); heeds {
					return context.Canceled
				}
				return nil
			}
			if _, err := w.process(ctx, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("Process = %v, want the context's error", err)
			}
			w.fail = func(task session.Task) error {
				if task.Try != 1 {
					t.Errorf("%s has its try %d; a try that was not given its time does not count", task.Message.Header.Subject(), task.Try)
				}
				return nil
			}
			if _, err := w.process(t.Context(), nil); err != nil {
				t.Errorf("Process again: %v", err)
			}
			w.wantOnce(6)
		}
	}
}

// TestProcessPassesPoison: a message at which the program dies each time keeps no
// other from being handled, and is a problem in the end.
func TestProcessPassesPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorks(t, 6)
		w.fail = func(task session.Task) error {
			if task.Message.Header.Subject() == "Sample 2" {
				panic("poison")
			}
			return nil
		}
		opts := &session.ProcessOptions{Problem: session.FolderAt("Problems"), MaxTries: 3}
		deaths := 0
		for range 8 {
			func() {
				defer func() {
					if recover() != nil {
						deaths++
					}
				}()
				if _, err := w.process(t.Context(), opts); err != nil {
					t.Errorf("Process: %v", err)
				}
			}()
			later := time.NewTimer(time.Hour)
			<-later.C
		}
		if deaths != 3 || w.in("Problems") != "2" {
			t.Errorf("the program died %d times, the problems hold %q; want 3 times, and sample 2", deaths, w.in("Problems"))
		}
		w.wantAtLeastOnce("with poison", 5, 1) // that of before the first death
	})
}

// TestProcessKeepsToItsMailbox: a record whose processor died in the first page has no
// cursor, and is refused for another mailbox all the same, before anything is handled.
func TestProcessKeepsToItsMailbox(t *testing.T) {
	w := newWorks(t, 3)
	w.fail = func(task session.Task) error {
		if task.Message.Header.Subject() == "Sample 2" {
			panic("poison")
		}
		return nil
	}
	func() {
		defer func() { _ = recover() }()
		_, err := w.process(t.Context(), nil)
		t.Errorf("Process = %v, want the handler's panic", err)
	}()
	other := newWorksOf(t, "bob@example.com", 3)
	other.store = w.store
	if _, err := other.process(t.Context(), nil); !errors.Is(err, session.ErrOtherMailbox) || len(other.effects) > 0 {
		t.Errorf("Process of another mailbox = %v, and handled %v; want ErrOtherMailbox, and nothing", err, other.effects)
	}
}

// TestProcessNoticesAnother: a second processor takes the record over, and the
// first one calls no handler after that.
func TestProcessNoticesAnother(t *testing.T) {
	w := newWorks(t, 6)
	var once bool
	w.fail = func(task session.Task) error {
		if task.Message.Header.Subject() == "Sample 3" && !once {
			once = true
			if _, err := w.process(t.Context(), nil); err != nil {
				t.Errorf("the second processor: %v", err)
			}
		}
		return nil
	}
	_, err := w.process(t.Context(), nil)
	if !errors.Is(err, state.ErrConflict) || !strings.Contains(err.Error(), "another processor") {
		t.Errorf("the first processor: %v, want that another has taken over", err)
	}
	w.wantAtLeastOnce("with two processors", 6, 1)
}

// TestProcessDryRun tells what it would do, and does nothing.
func TestProcessDryRun(t *testing.T) {
	w := newWorks(t, 6)
	var told []string
	opts := &session.ProcessOptions{DryRun: true, Done: session.Archive, Told: func(task session.Task, o session.TaskOutcome, _ error) {
		told = append(told, task.Message.Header.Subject()+" "+o.String())
	}}
	q := session.Query{Where: session.Filter{AnyOf: []session.Filter{{Subject: "Sample 2"}, {Subject: "Sample 5"}}}}
	p := session.Progress{Store: w.store, Name: "dry"}
	for range 2 {
		told = nil
		if _, err := w.s.Process(t.Context(), p, q, nil, opts); err != nil || strings.Join(told, ", ") != "Sample 2 pending, Sample 5 pending" {
			t.Errorf("a dry run tells %q, %v", told, err)
		}
	}
	if rec, err := w.store.Load(t.Context(), "dry"); err != nil || rec.Version != "" || w.in("Archive") != "" {
		t.Errorf("a dry run wrote %q and moved %q", rec.Value, w.in("Archive"))
	}
	opts.DryRun = false
	if got, err := w.s.Process(t.Context(), p, q, w.handle, opts); err != nil || got.Done != 2 || w.in("Archive") != "2 5" {
		t.Errorf("Process = %+v, %v; the archive holds %q, want what was pending", got, err, w.in("Archive"))
	}
}

// TestProcessFromNowAndAnew: where to begin, and what a renumbered folder means.
func TestProcessFromNowAndAnew(t *testing.T) {
	w := newWorks(t, 3)
	fromNow := &session.ProcessOptions{FromNow: true}
	if got, err := w.process(t.Context(), fromNow); err != nil || got.Done != 0 {
		t.Errorf("Process from now on = %+v, %v", got, err)
	}
	w.put(4)
	if got, err := w.process(t.Context(), fromNow); err != nil || got.Done != 1 || len(w.effects["4"]) != 1 {
		t.Errorf("Process = %+v, %v, with the effects %v; want sample 4 alone", got, err, w.effects)
	}
	if err := w.account.BumpUIDValidity("INBOX"); err != nil {
		t.Fatal(err)
	}
	if got, err := w.process(t.Context(), fromNow); !errors.Is(err, session.ErrCursorExpired) || got.Done != 0 {
		t.Errorf("Process of a renumbered folder = %+v, %v; want ErrCursorExpired", got, err)
	}
	if got, err := w.process(t.Context(), &session.ProcessOptions{Anew: true}); err != nil || got.Done != 4 {
		t.Errorf("Process anew = %+v, %v; want all four", got, err)
	}
}

// TestProcessSaysWhatItNeeds before any I/O.
func TestProcessSaysWhatItNeeds(t *testing.T) {
	w := newWorks(t, 1)
	good := session.Progress{Store: w.store, Name: "x"}
	for what, call := range map[string]func() (session.Processed, error){
		"no Store": func() (session.Processed, error) {
			return w.s.Process(t.Context(), session.Progress{Name: "x"}, session.Query{}, w.handle, nil)
		},
		"no name": func() (session.Processed, error) {
			return w.s.Process(t.Context(), session.Progress{Store: w.store}, session.Query{}, w.handle, nil)
		},
		"no handler": func() (session.Processed, error) {
			return w.s.Process(t.Context(), good, session.Query{}, nil, nil)
		},
		"no query": func() (session.Processed, error) {
			return w.s.Process(t.Context(), good, session.Query{Where: session.Filter{Smaller: -1}}, w.handle, nil)
		},
		"no such folder": func() (session.Processed, error) {
			return w.s.Process(t.Context(), good, session.Query{}, w.handle, &session.ProcessOptions{Done: session.FolderAt("Nowhere")})
		},
	} {
		if got, err := call(); err == nil {
			t.Errorf("%s: %+v and no error", what, got)
		}
	}
	if got, err := w.s.Process(t.Context(), good, session.Query{}, w.handle, &session.ProcessOptions{Done: session.Archive}); err != nil || got.Done != 1 || w.in("Archive") != "1" {
		t.Errorf("after the settings were corrected: %+v, %v, the archive holds %q; want the message done and moved", got, err, w.in("Archive"))
	}
}
