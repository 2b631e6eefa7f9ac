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
	"github.com/mailsession/mailsession/session"
)

// labelless is a way in to a mailbox that has no labels: what is in two folders is
// two messages there.
type labelless struct{ beneath }

func (l labelless) Facts(ctx context.Context) (session.Facts, error) {
	facts, err := l.beneath.Facts(ctx)
	facts.Labels = false
	return facts, err
}

// halting is a way in that only copies what it is to move, and then is lost, the
// first time for each message.
type halting struct {
	labelless

	halted map[session.ID]bool
	lost   func()
}

func (h *halting) Apply(ctx context.Context, c session.Change, ids ...session.ID) ([]session.Result, error) {
	if c.MoveTo == "" || len(ids) == 0 || h.halted[ids[0]] {
		return h.beneath.Apply(ctx, c, ids...)
	}
	if _, err := h.beneath.Apply(ctx, session.Change{CopyTo: c.MoveTo}, ids...); err != nil {
		return nil, err
	}
	err := passes{errors.New("the line was lost")}
	results := make([]session.Result, 0, len(ids))
	for _, id := range ids {
		h.halted[id] = true
		results = append(results, session.Result{ID: id, Outcome: session.DoneUnknown, Err: err})
	}
	h.lost()
	return results, err
}

// halting has the works go over a way in that halts in each move.
func (w *works) halting(lost func()) {
	w.over(func(in beneath) session.Incoming {
		return &halting{labelless: labelless{in}, halted: map[session.ID]bool{}, lost: lost}
	})
}

// TestAMoveThatHalted, behind the copy and ahead of the removal, leaves one message
// in the end: whether the line was lost then, or the program ended.
func TestAMoveThatHalted(t *testing.T) {
	for _, dies := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorks(t, 6)
			w.over(func(in beneath) session.Incoming { return labelless{in} })
			sound := w.s
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.halting(func() {
				if dies {
					cancel()
				}
			})
			opts := &session.ProcessOptions{Done: session.Archive}
			_, err := w.process(ctx, opts)
			if died := errors.Is(err, context.Canceled); died != dies || !dies && err != nil {
				t.Fatalf("Process = %v, want that it was cancelled: %t", err, dies)
			}
			if inbox, archive := w.in("INBOX"), w.in("Archive"); archive == "" || !strings.Contains(inbox, archive) {
				t.Fatalf("the inbox holds %q and the archive %q, want copies alone", inbox, archive)
			}
			if dies {
				w.s = sound // another process
			}
			for range 3 {
				<-time.After(time.Hour)
				if _, err := w.process(t.Context(), opts); err != nil {
					t.Fatal(err)
				}
			}
			if inbox, archive := w.in("INBOX"), w.in("Archive"); inbox != "" || archive != "1 2 3 4 5 6" {
				t.Errorf("dies %t: the inbox holds %q, the archive %q, want each message once, moved", dies, inbox, archive)
			}
			w.wantOnce(6)
		})
	}
}

// TestAMoveOfMessagesWithoutAnIDThatHalted leaves one of each in the end, however
// often it halts: they are known again by their size, their time and their bytes. Of
// two that are alike none is lost, where only one was copied.
func TestAMoveOfMessagesWithoutAnIDThatHalted(t *testing.T) {
	const nameless = "From: scanner@example.com\r\nSubject: Sample %s\r\n\r\nhello\r\n"
	synctest.Test(t, func(t *testing.T) {
		w := newWorks(t, 0)
		for _, name := range []string{"7", "8", "twin", "twin"} {
			if _, err := w.account.Append("INBOX", fmt.Sprintf(nameless, name), nil); err != nil {
				t.Fatal(err)
			}
		}
		// Of the same size and time as another one, and no copy of it.
		if _, err := w.account.Append("Archive", fmt.Sprintf(nameless, "9"), nil); err != nil {
			t.Fatal(err)
		}
		w.over(func(in beneath) session.Incoming { return halfWay{labelless{in}} })
		for range 12 {
			if _, err := w.process(t.Context(), &session.ProcessOptions{Done: session.Archive, MaxTries: -1}); err != nil {
				t.Fatal(err)
			}
			<-time.After(2 * time.Hour)
		}
		archive := strings.Fields(w.in("Archive"))
		slices.Sort(archive)
		if inbox, archive := w.in("INBOX"), strings.Join(archive, " "); inbox != "" || archive != "7 8 9 twin twin" {
			t.Errorf("the inbox holds %q, the archive %q, want each message once, moved", inbox, archive)
		}
	})
}

// halfWay is a way in that copies the first of the messages that it is to move, and
// then is lost, each time.
type halfWay struct{ labelless }

func (h halfWay) Apply(ctx context.Context, c session.Change, ids ...session.ID) ([]session.Result, error) {
	if c.MoveTo == "" || len(ids) == 0 {
		return h.beneath.Apply(ctx, c, ids...)
	}
	if _, err := h.beneath.Apply(ctx, session.Change{CopyTo: c.MoveTo}, ids[0]); err != nil {
		return nil, err
	}
	err := passes{errors.New("the line was lost")}
	results := make([]session.Result, 0, len(ids))
	for _, id := range ids {
		results = append(results, session.Result{ID: id, Outcome: session.DoneUnknown, Err: err})
	}
	return results, err
}

// TestAMoveIsCompletedByACopyAlone: another message with the same Message-ID is none.
func TestAMoveIsCompletedByACopyAlone(t *testing.T) {
	other := strings.Replace(mailtest.Sample(1), "This is", "That is", 1) // of the same length
	if other == mailtest.Sample(1) {
		t.Fatal("the other message is the same")
	}
	if inbox, archive, tries := movedBesides(t, other, session.DoneUnknown); inbox != "" || archive != "1 1" || tries != 2 {
		t.Errorf("after %d tries the inbox holds %q, the archive %q, want both messages there", tries, inbox, archive)
	}
}

// TestAMoveThatWasRefused has made no copy: what is in the target and is the same
// message is not taken for one, and the original is moved and not removed.
func TestAMoveThatWasRefused(t *testing.T) {
	if inbox, archive, tries := movedBesides(t, mailtest.Sample(1), session.NotDone); inbox != "" || archive != "1 1" || tries != 2 {
		t.Errorf("after %d tries the inbox holds %q, the archive %q, want both messages there", tries, inbox, archive)
	}
}

// movedBesides processes a message, with another one in the folder for what is done.
// The first try to change it changes nothing, and has an outcome.
func movedBesides(t *testing.T, other string, first session.ChangeOutcome) (inbox, archive string, tries int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorks(t, 1)
		if _, err := w.account.Append("Archive", other, nil); err != nil {
			t.Fatal(err)
		}
		w.over(func(in beneath) session.Incoming { return labelless{in} })
		w.over(func(in beneath) session.Incoming { return busyOnce{in, first, &tries} })
		for range 2 {
			if _, err := w.process(t.Context(), &session.ProcessOptions{Done: session.Archive}); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
		}
		inbox, archive = w.in("INBOX"), w.in("Archive")
	})
	return inbox, archive, tries
}

// busyOnce is a way in on which the first change comes to nothing.
type busyOnce struct {
	beneath

	outcome session.ChangeOutcome
	tries   *int
}

func (b busyOnce) Apply(ctx context.Context, c session.Change, ids ...session.ID) ([]session.Result, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if *b.tries++; *b.tries > 1 {
		return b.beneath.Apply(ctx, c, ids...)
	}
	results := make([]session.Result, 0, len(ids))
	for _, id := range ids {
		results = append(results, session.Result{ID: id, Outcome: b.outcome, Err: passes{errors.New("busy")}})
	}
	return results, nil
}
