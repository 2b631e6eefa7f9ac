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
)

// watch returns what a watch of folders tells in an hour: what happened to each,
// and the end.
func (w *works) watch(folders ...session.FolderRef) (string, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
	defer cancel()
	var words []string
	var last error
	for e, err := range w.s.Watch(ctx, folders, nil) {
		if last = err; e.Kind == session.EventReconnected || err != nil && e.Kind != session.EventGone {
			continue
		}
		word := fmt.Sprintf("%v %s", e.Kind, strings.TrimPrefix(string(e.Folder), "role:"))
		if gone := e.Kind == session.EventGone; gone != errors.Is(err, session.ErrNoFolder) {
			w.t.Errorf("%s comes beside the error %v", word, err)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", "), last
}

// TestWatchGoesOnWithoutAFolder that is deleted, whether the server tells of it or
// it is found out by looking, until none is left.
func TestWatchGoesOnWithoutAFolder(t *testing.T) {
	doomed, problems := session.FolderAt("Doomed"), session.FolderAt("Problems")
	for _, listens := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 0)
			if err := w.account.CreateFolder("Doomed", ""); err != nil {
				t.Fatal(err)
			}
			if !listens {
				w.over(func(in beneath) session.Incoming { return in })
			}
			remove := func(folder string) func() {
				return func() {
					if err := w.account.DeleteFolder(folder); err != nil {
						t.Error(err)
					}
				}
			}
			time.AfterFunc(10*time.Minute, remove("Doomed"))
			time.AfterFunc(20*time.Minute, func() { w.put(1) })
			time.AfterFunc(30*time.Minute, remove("Problems"))
			time.AfterFunc(40*time.Minute, func() { w.put(2) })
			got, err := w.watch(doomed, session.Inbox, problems)
			want := "listening Doomed, listening inbox, listening Problems, gone Doomed, new inbox, gone Problems, new inbox"
			got = strings.ReplaceAll(got, "path:", "")
			if got != want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a watch that listens (%t) tells %q, %v; want %q and the end of its time", listens, got, err, want)
			}
		})
	}
}

// TestWatchOfFoldersThatAreNotThere: each is told, the last one as the end.
func TestWatchOfFoldersThatAreNotThere(t *testing.T) {
	here, there := session.FolderAt("Here"), session.FolderAt("There")
	for name, tt := range map[string]struct {
		folders []session.FolderRef
		want    string
		err     error
	}{
		"one of two": {[]session.FolderRef{here, session.Inbox}, "gone Here, listening inbox", context.DeadlineExceeded},
		"both":       {[]session.FolderRef{here, there}, "gone Here", session.ErrNoFolder},
		"one":        {[]session.FolderRef{here}, "", session.ErrNoFolder},
	} {
		synctest.Test(t, func(t *testing.T) {
			got, err := newWorks(t, 0).watch(tt.folders...)
			if got = strings.ReplaceAll(got, "path:", ""); got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: the watch tells %q, %v; want %q and %v", name, got, err, tt.want, tt.err)
			}
		})
	}
}

// mistaken is a way in whose notices end because of a folder, although all are
// there.
type mistaken struct{ beneath }

func (mistaken) Notify(context.Context, []session.FolderRef, session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) { yield(session.Notice{}, session.ErrNoFolder) }
}

// refusing is a way in to a server that refuses to look into the inbox for a while, in
// the words that it has for a folder that is not there.
type refusing struct {
	beneath

	from time.Time
}

func (r refusing) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	if folder == session.Inbox && time.Now().After(r.from) {
		return func(yield func(session.Changes, error) bool) {
			yield(session.Changes{}, fmt.Errorf("server unavailable: %w", session.ErrNoFolder))
		}
	}
	return r.beneath.Changes(ctx, folder, since, opts)
}

// TestWatchBelievesNoMistake: where all folders are there, an error about one is
// the end, and no folder is left out in silence.
func TestWatchBelievesNoMistake(t *testing.T) {
	for name, tt := range map[string]struct {
		way  func(in beneath) session.Incoming
		want string
	}{
		"of who listens":    {func(in beneath) session.Incoming { return mistaken{in} }, ""},
		"where it is asked": {func(in beneath) session.Incoming { return refusing{in, time.Now().Add(time.Minute / 2)} }, "listening inbox, listening archive"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 0)
			w.over(tt.way)
			if got, err := w.watch(session.Inbox, session.Archive); got != tt.want || !errors.Is(err, session.ErrNoFolder) {
				t.Errorf("%s: the watch tells %q, %v; want %q and session.ErrNoFolder", name, got, err, tt.want)
			}
		})
	}
}

// TestAWatchIsLeftAtAFolderThatIsGone: then nothing more comes.
func TestAWatchIsLeftAtAFolderThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		for e, err := range newWorks(t, 0).s.Watch(t.Context(), []session.FolderRef{session.FolderAt("Here"), session.Inbox}, nil) {
			if n++; e.Kind != session.EventGone || !errors.Is(err, session.ErrNoFolder) {
				t.Errorf("%v, %v; want that a folder is gone", e.Kind, err)
			}
			break
		}
		if n != 1 {
			t.Errorf("%d items, want one", n)
		}
	})
}
