package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// over has the works go over a way in that wraps theirs.
func (w *works) over(wrap func(beneath) session.Incoming) {
	w.t.Helper()
	inner := w.s
	made, err := session.New(session.Credentials{}, func(session.Setup) (session.Incoming, error) { return wrap(beneath{inner}), nil }, nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = made
}

// beneath is a Session as a way in that tells changes.
type beneath struct{ *session.Session }

func (w beneath) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return w.Session.Changes(ctx, folder, since, &opts)
}

// failing is a way in of which a test has calls fail.
type failing struct {
	beneath

	page  func(n int, page session.Changes) error // before the n-th page of a call
	apply func(id session.ID) error               // instead of a change
}

func (f failing) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		n := 0
		for page, err := range f.beneath.Changes(ctx, folder, since, opts) {
			if n++; err == nil && f.page != nil {
				if err = f.page(n, page); err != nil {
					page = session.Changes{}
				}
			}
			if !yield(page, err) || err != nil && !errors.Is(err, session.ErrCursorExpired) {
				return
			}
		}
	}
}

func (f failing) Apply(ctx context.Context, c session.Change, ids ...session.ID) ([]session.Result, error) {
	if f.apply == nil {
		return f.beneath.Apply(ctx, c, ids...)
	}
	var results []session.Result
	for _, id := range ids {
		if err := f.apply(id); err != nil {
			results = append(results, session.Result{ID: id, Outcome: session.NotDone, Err: err})
			continue
		}
		made, err := f.beneath.Apply(ctx, c, id)
		if err != nil {
			return nil, err
		}
		results = append(results, made...)
	}
	return results, nil
}

// TestProcessKeepsTheLastOutcome where a call ends in a failure of the server: the
// message before it is not handled again.
func TestProcessKeepsTheLastOutcome(t *testing.T) {
	for at := 1; at <= 3; at++ {
		w := newWorks(t, 10)
		gone, sound := errors.New("the line is gone"), w.s
		w.over(func(in beneath) session.Incoming {
			return failing{beneath: in, page: func(n int, _ session.Changes) error {
				if n == at {
					return gone
				}
				return nil
			}}
		})
		if _, err := w.process(t.Context(), nil); !errors.Is(err, gone) {
			t.Fatalf("Process = %v, want %v", err, gone)
		}
		w.s = sound
		if _, err := w.process(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		w.wantOnce(10)
	}
}

// unsteady is a Store some writes of which fail, before they are written or after,
// in a way that passes.
type unsteady struct {
	state.Store

	n     int
	after bool
}

func (u *unsteady) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if u.n++; u.n%3 != 0 {
		return u.Store.CompareAndSwap(ctx, key, old, value)
	}
	if u.after {
		if _, err := u.Store.CompareAndSwap(ctx, key, old, value); err != nil {
			return "", err
		}
	}
	return "", passes{errors.New("the database is away")}
}

// TestProcessOutlastsItsStore: a write that failed, or of which nobody knows, leaves
// no message behind, and is nobody else's.
func TestProcessOutlastsItsStore(t *testing.T) {
	for _, after := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 10)
			w.store = &unsteady{Store: w.store, after: after}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			got, err := w.process(ctx, &session.ProcessOptions{Watch: true})
			if !errors.Is(err, context.DeadlineExceeded) || got.Done != 10 || got.Waiting != 0 {
				t.Errorf("Process over a Store that fails (after the write: %t) = %+v, %v; want all 10 done", after, got, err)
			}
			w.wantOnce(10)
		})
	}
}

// TestProcessPassesWhatHangs: a message at which the handler hangs until each call
// ends keeps no other from being handled, and with a bound is a problem in the end.
func TestProcessPassesWhatHangs(t *testing.T) {
	for _, bound := range []time.Duration{0, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 6)
			calls := func(n int) (total session.Processed) {
				for range n {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					got, err := w.s.Process(ctx, session.Progress{Store: w.store, Name: "x"}, session.Query{}, func(ctx context.Context, task session.Task) error {
						if task.Message.Header.Subject() == "Sample 1" {
							<-ctx.Done()
							return context.Cause(ctx)
						}
						return w.handle(ctx, task)
					}, &session.ProcessOptions{MaxTries: 3, TryTimeout: bound})
					cancel()
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Process: %v", err)
					}
					total.Done, total.Problems, total.Waiting = total.Done+got.Done, total.Problems+got.Problems, got.Waiting
					<-time.NewTimer(time.Hour).C
				}
				return total
			}
			want := session.Processed{Done: 5, Waiting: 1}
			if bound > 0 {
				want = session.Processed{Done: 5, Problems: 1}
			}
			if got := calls(4); got != want {
				t.Errorf("calls that one message hangs in, bounded by %v, come to %+v, want %+v", bound, got, want)
			}
		})
	}
}

// TestProcessChecksItsFolders before it calls a handler.
func TestProcessChecksItsFolders(t *testing.T) {
	for what, opts := range map[string]*session.ProcessOptions{
		"no problem folder":                  {Done: session.Archive, Problem: session.FolderAt("Nowhere")},
		"the folder itself":                  {Done: session.Inbox},
		"the folder itself by its path":      {Done: session.FolderAt("INBOX")},
		"the folder itself in other letters": {Problem: session.FolderAt("inbox")},
		"a role that no folder has":          {Problem: session.FolderFor(session.RoleImportant)},
	} {
		w := newWorks(t, 2)
		if got, err := w.process(t.Context(), opts); err == nil || len(w.effects) > 0 {
			t.Errorf("%s: Process = %+v, %v, with the effects %v; want an error before the first handler", what, got, err, w.effects)
		}
	}
	w := newWorks(t, 2)
	p, opts := session.Progress{Store: w.store, Name: "x"}, &session.ProcessOptions{Done: session.FolderAt("problems")}
	if _, err := w.s.Process(t.Context(), p, session.Query{Folder: session.FolderAt("Problems")}, w.handle, opts); err == nil || !strings.Contains(err.Error(), "come from") {
		t.Errorf("a name that differs in its letters alone: Process = %v, want that it is the same folder", err)
	}
}

// TestProcessLeavesWhatCannotBeMoved: it keeps nothing else from being handled and
// moved, is not handled again, and the call says so.
func TestProcessLeavesWhatCannotBeMoved(t *testing.T) {
	w := newWorks(t, 10)
	stuck, bad := errors.New("this message cannot be moved"), session.ID{}
	for m, err := range w.s.Messages(t.Context(), session.Query{OldestFirst: true, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		bad = m.ID
	}
	w.over(func(in beneath) session.Incoming {
		return failing{beneath: in, apply: func(id session.ID) error {
			if id == bad {
				return stuck
			}
			return nil
		}}
	})
	opts := &session.ProcessOptions{Done: session.Archive}
	got, err := w.process(t.Context(), opts)
	if want := (session.Processed{Done: 10, Waiting: 1}); !errors.Is(err, stuck) || got != want {
		t.Errorf("Process = %+v, %v; want %+v and %v", got, err, want, stuck)
	}
	if inbox := w.in("INBOX"); inbox != "1" {
		t.Errorf("the inbox holds %q, want what cannot be moved alone", inbox)
	}
	w.put(11)
	if got, err := w.process(t.Context(), opts); err != nil || got.Done != 1 || w.in("INBOX") != "1" {
		t.Errorf("Process again = %+v, %v; the inbox holds %q", got, err, w.in("INBOX"))
	}
	w.wantOnce(11)
}

// TestProcessIsNotStartledByARenumberedFolder: it handles nothing again that is in
// the folder still, however the settings changed meanwhile.
func TestProcessIsNotStartledByARenumberedFolder(t *testing.T) {
	done := &session.ProcessOptions{Done: session.Archive}
	for what, begin := range map[string]func(w *works) error{
		"begun from now on": func(w *works) error {
			_, err := w.process(t.Context(), &session.ProcessOptions{FromNow: true, Done: session.Archive})
			return err
		},
		"done without a folder for it": func(w *works) error {
			_, err := w.process(t.Context(), nil)
			return err
		},
		"crashed before the move": func(w *works) error {
			sound := w.store
			w.store = &crash{Store: sound, left: 4}
			_, err := w.process(t.Context(), done)
			w.store = sound
			if errors.Is(err, errCrash) {
				return nil
			}
			return fmt.Errorf("no crash: %w", err)
		},
	} {
		w := newWorks(t, 3)
		if err := begin(w); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		before := len(w.effects)
		if err := w.account.BumpUIDValidity("INBOX"); err != nil {
			t.Fatal(err)
		}
		if got, err := w.process(t.Context(), done); !errors.Is(err, session.ErrCursorExpired) || len(w.effects) != before {
			t.Errorf("%s: Process of a renumbered folder = %+v, %v; want ErrCursorExpired and no handler called", what, got, err)
		}
	}
}

// TestProcessHoldsBack where nearly everything fails: the record does not grow with
// the mailbox, and nothing is left out in the end.
func TestProcessHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		w := newWorks(t, n)
		down := true
		w.fail = func(session.Task) error {
			if down {
				return errors.New("the accounts are closed")
			}
			return nil
		}
		opts := &session.ProcessOptions{MaxWaiting: 20, MaxTries: -1}
		for range 3 {
			got, err := w.process(t.Context(), opts)
			if !errors.Is(err, session.ErrTooManyWaiting) || got.Waiting < 20 || got.Waiting > 24 {
				t.Errorf("Process = %+v, %v; want ErrTooManyWaiting and 20 waiting, give or take a page", got, err)
			}
		}
		down = false
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		opts.Watch = true
		if got, err := w.process(ctx, opts); !errors.Is(err, context.DeadlineExceeded) || got.Done != n {
			t.Errorf("Process that watches = %+v, %v; want all %d done", got, err, n)
		}
		w.wantOnce(n)
	})
}

// TestProcessSlowsDown where each try of the same call fails.
func TestProcessSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorks(t, 3)
		tries := 0
		w.over(func(in beneath) session.Incoming {
			return failing{beneath: in, page: func(int, session.Changes) error { return nil }}
		})
		w.store = &away{Store: w.store, tries: &tries}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := w.process(ctx, &session.ProcessOptions{Watch: true}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Process: %v", err)
		}
		if tries > 100 {
			t.Errorf("a Store that is away was tried %d times in an hour, want about once a minute", tries)
		}
	})
}

// away is a Store that takes one write and no more.
type away struct {
	state.Store

	tries *int
}

func (a *away) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if *a.tries++; *a.tries > 1 {
		return "", passes{errors.New("the database is away")}
	}
	return a.Store.CompareAndSwap(ctx, key, old, value)
}

// TestProcessDryRunReadsOnly: a dry run of a processor that moves is legal where
// nothing may be changed.
func TestProcessDryRunReadsOnly(t *testing.T) {
	w := newWorks(t, 2)
	inner := w.s
	reading, err := session.New(session.Credentials{}, func(session.Setup) (session.Incoming, error) { return beneath{inner}, nil }, nil,
		&session.Options{Mode: session.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	opts := &session.ProcessOptions{DryRun: true, Done: session.Archive, Told: func(task session.Task, o session.TaskOutcome, _ error) {
		told = append(told, o.String())
	}}
	p := session.Progress{Store: w.store, Name: "dry"}
	if _, err := reading.Process(t.Context(), p, session.Query{}, nil, opts); err != nil || strings.Join(told, " ") != "pending pending" {
		t.Errorf("a dry run that reads only tells %q, %v", told, err)
	}
	opts.DryRun = false
	if _, err := reading.Process(t.Context(), p, session.Query{}, w.handle, opts); err == nil || len(w.effects) > 0 {
		t.Errorf("Process with a folder for what is done, where nothing may be changed: %v", err)
	}
}
