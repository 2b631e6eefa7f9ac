package session_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
)

// renumbering is a way in to a folder that is renumbered once, in the middle of the
// first listing that is of messages by their ids, or that is not, as the test says.
type renumbering struct {
	beneath

	byID     bool
	renumber func()
}

func (r *renumbering) Messages(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	if r.renumber == nil || (len(q.Where.IDs) > 0) != r.byID {
		return r.beneath.Messages(ctx, q)
	}
	r.renumber()
	r.renumber = nil
	return func(yield func(*session.Message, error) bool) { yield(nil, session.ErrStaleID) }
}

// renumbered has the inbox renumbered during a listing of the works.
func (w *works) renumbered(byID bool) {
	w.t.Helper()
	w.over(func(in beneath) session.Incoming {
		return &renumbering{beneath: in, byID: byID, renumber: func() {
			if err := w.account.BumpUIDValidity("INBOX"); err != nil {
				w.t.Error(err)
			}
		}}
	})
}

// TestAWaitInAFolderThatIsRenumbered, while it is looked into, finds the message
// all the same.
func TestAWaitInAFolderThatIsRenumbered(t *testing.T) {
	for _, byID := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 12)
			w.renumbered(byID)
			time.AfterFunc(90*time.Second, func() { w.put(99) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			m, err := w.s.WaitFor(ctx, session.Query{Where: session.Filter{Subject: "Sample 99"}}, nil)
			if err != nil || m.Header.Subject() != "Sample 99" {
				t.Errorf("renumbered while messages are listed by their ids (%t): WaitFor = %v, %v; want sample 99", byID, m, err)
			}
		})
	}
}

// TestProcessInAFolderThatIsRenumbered, between the word of what came and the look
// at it, goes on as where the folder was renumbered before: from the beginning
// where nothing was handled yet, else as the settings say.
func TestProcessInAFolderThatIsRenumbered(t *testing.T) {
	process := func(w *works, opts *session.ProcessOptions) (session.Processed, error) {
		q := session.Query{Where: session.Filter{Subject: "Sample"}}
		return w.s.Process(t.Context(), session.Progress{Store: w.store, Name: "bills/inbox"}, q, w.handle, opts)
	}
	w := newWorks(t, 6)
	w.renumbered(true)
	if got, err := process(w, nil); err != nil || got.Done != 6 {
		t.Errorf("Process that begins = %+v, %v; want 6 done", got, err)
	}
	w.wantOnce(6)
	w.put(7)
	w.renumbered(true)
	if got, err := process(w, nil); !errors.Is(err, session.ErrCursorExpired) || got.Done != 0 {
		t.Errorf("Process that goes on = %+v, %v; want session.ErrCursorExpired", got, err)
	}
	w.renumbered(true)
	if got, err := process(w, &session.ProcessOptions{Anew: true}); err != nil || got.Done != 7 {
		t.Errorf("Process that may begin anew = %+v, %v; want 7 done", got, err)
	}
}
