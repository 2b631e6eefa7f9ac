package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestWatchFollowsARole: the folder that a role names may get another name, while it is
// watched and between two watches. It is told of anew then, since the ids of its
// messages are void, and watched on, and so are the others. An empty one is told as
// well.
func TestWatchFollowsARole(t *testing.T) {
	for messages, want := range map[int]string{
		0: "listening inbox, listening archive, reset archive, new inbox, new archive",
		2: "listening inbox, listening archive, reset archive, new archive, new archive, new inbox, new archive",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 0)
			w.over(func(in beneath) session.Incoming { return in }) // that looks
			for range messages {
				w.archive(2)
			}
			before, err := w.s.Cursor(t.Context(), session.Archive)
			if err != nil {
				t.Fatal(err)
			}
			rename := func(from, to string) func() {
				return func() {
					if err := w.account.RenameFolder(from, to); err != nil {
						t.Error(err)
					}
				}
			}
			// Between two looks, one at a time.
			time.AfterFunc(10*time.Minute+30*time.Second, rename("Archive", "Filed"))
			time.AfterFunc(20*time.Minute+30*time.Second, func() { w.put(1) })
			time.AfterFunc(30*time.Minute+30*time.Second, func() { w.archive(2) })
			got, err := w.watch(session.Inbox, session.Archive)
			if got != want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the watch of a role tells %q, %v; want %q and the end of its time", got, err, want)
			}

			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			var kinds []string
			opts := &session.WatchOptions{Since: map[session.FolderRef]session.Cursor{session.Archive: before}}
			for e, err := range w.s.Watch(ctx, []session.FolderRef{session.Archive}, opts) {
				if err == nil && e.Kind != session.EventNew {
					kinds = append(kinds, e.Kind.String())
				}
			}
			if got := strings.Join(kinds, " "); got != "reset listening" {
				t.Errorf("a watch that goes on from before the new name tells %q, want a reset", got)
			}
		})
	}
}

// TestACursorOfAnotherFolder is a mistake where a path names the folder, or the inbox,
// which are never another one.
func TestACursorOfAnotherFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorks(t, 1)
		other, err := w.s.Cursor(t.Context(), session.FolderAt("Problems"))
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range []session.FolderRef{session.Inbox, session.FolderAt("Archive")} {
			opts := &session.WatchOptions{Since: map[session.FolderRef]session.Cursor{folder: other}}
			for e, err := range w.s.Watch(t.Context(), []session.FolderRef{folder}, opts) {
				if !errors.Is(err, session.ErrOtherFolder) {
					t.Errorf("%s: %v, %v; want %v", folder, e.Kind, err, session.ErrOtherFolder)
					break
				}
			}
		}
	})
}

// archive puts a message into the archive, whatever its name.
func (w *works) archive(n int) {
	w.t.Helper()
	name := "Archive"
	if _, err := w.account.Folder(name); err != nil {
		name = "Filed"
	}
	if _, err := w.account.Append(name, mailtest.Sample(n), nil); err != nil {
		w.t.Fatal(err)
	}
}
