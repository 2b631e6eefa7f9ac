package sessiontest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
)

// noticeRules are about Notify. A backend that has none is looked at again and
// again by a watch, which has rules of its own.
func noticeRules() []incomingRule {
	return []incomingRule{
		{"a notice comes first for each folder, and when something happens", notifies(noticesCome)},
		{"notices go on after a lost line, and begin anew", notifies(noticesLost)},
		{"a line that falls silent is replaced", notifies(noticesSilent)},
		{"notices end with their context, at the same instant", notifies(noticesEnd)},
		{"a loop over notices that is left leaks nothing", notifies(noticesLeft)},
	}
}

// hearing is a loop over notices.
type hearing struct {
	r       *reading
	notices chan session.Notice
	ended   chan struct{}
	stop    context.CancelFunc
	err     error // once ended is closed
}

// hear begins to listen.
func (r *reading) hear(ctx context.Context, n session.Notifier, folders ...session.FolderRef) *hearing {
	r.Helper()
	opts := session.NotifyOptions{}
	if r.realTime {
		opts.Interval = time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	h := &hearing{r: r, notices: make(chan session.Notice), ended: make(chan struct{}), stop: cancel}
	go func() {
		defer close(h.ended)
		for notice, err := range n.Notify(ctx, folders, opts) {
			if err != nil {
				h.err = err
				continue
			}
			select {
			case h.notices <- notice:
			case <-ctx.Done():
			}
		}
	}()
	r.Cleanup(h.end)
	return h
}

func (h *hearing) end() {
	h.stop()
	<-h.ended
}

// wants waits for a notice, and passes over others that may come for nothing.
func (h *hearing) wants(kind session.NoticeKind, folder session.FolderRef) {
	h.r.Helper()
	bound := boundOf(h.r.realTime)
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for {
		select {
		case n := <-h.notices:
			if n.Kind == kind && n.Folder == folder {
				return
			}
		case <-h.ended:
			h.r.Fatalf("Notify ended in %v, want a notice of the kind %d for %s", h.err, kind, folder)
		case <-timer.C:
			h.r.Fatalf("no notice of the kind %d for %s within %v", kind, folder, bound)
		}
	}
}

// first takes the notices that come first, and wants those that say that the
// folders are listened to.
func (h *hearing) first(folders ...session.FolderRef) {
	h.r.Helper()
	heard := map[session.FolderRef]bool{}
	for range folders {
		select {
		case n := <-h.notices:
			if n.Kind != session.Listening && !heard[n.Folder] {
				h.r.Errorf("the first notice for %s is of the kind %d", n.Folder, n.Kind)
			}
			heard[n.Folder] = true
		case <-h.ended:
			h.r.Fatalf("Notify ended in %v", h.err)
		}
	}
	for _, f := range folders {
		if !heard[f] {
			h.r.Errorf("notices came for %v, want one for %s, by the name that was given", heard, f)
		}
	}
}

// notifies makes a rule of one about backends that listen.
func notifies(rule func(ctx context.Context, r *reading, n session.Notifier)) func(ctx context.Context, r *reading) {
	return func(ctx context.Context, r *reading) {
		if n, ok := session.As[session.Notifier](r.in); ok {
			rule(ctx, r, n)
		}
	}
}

func noticesCome(ctx context.Context, r *reading, n session.Notifier) {
	r.seed(2)
	h := r.hear(ctx, n, session.Inbox)
	h.first(session.Inbox)
	r.put(inbox, Stored{Raw: sample(3)})
	h.wants(session.Activity, session.Inbox)
	if err := r.Mailbox.Remove(inbox, 1); err != nil {
		r.Fatal(err)
	}
	h.wants(session.Activity, session.Inbox)
	if r.facts(ctx).OneFolder {
		return
	}
	h.end()
	path := r.archive(ctx)
	archive := session.FolderAt(path)
	h = r.hear(ctx, n, archive, session.Inbox)
	h.first(archive, session.Inbox)
	r.put(path, Stored{Raw: sample(4)})
	h.wants(session.Activity, archive)
	r.put(inbox, Stored{Raw: sample(5)})
	h.wants(session.Activity, session.Inbox)
}

func noticesLost(ctx context.Context, r *reading, n session.Notifier) {
	r.seed(1)
	h := r.hear(ctx, n, session.Inbox)
	h.first(session.Inbox)
	anew := session.Listening
	if r.Polls { // there is no line to lose
		anew = session.Activity
	}
	for i := range 4 {
		if i == 2 {
			r.line.refuse(true)
			r.pause(ctx, 10*time.Minute)
		}
		made := r.line.dialled()
		r.line.cutAll()
		if i == 2 {
			r.pause(ctx, 10*time.Minute)
			r.line.refuse(false)
		}
		h.wants(anew, session.Inbox)
		if i != 2 && !r.Polls && r.line.dialled() == made {
			r.Errorf("notices go on without a new line")
		}
		r.put(inbox, Stored{Raw: sample(2 + i)})
		h.wants(session.Activity, session.Inbox)
	}
}

// noticesSilent has the line fall silent without an end. Where time is real that
// would take as long as it takes.
func noticesSilent(ctx context.Context, r *reading, n session.Notifier) {
	if r.realTime || r.Polls {
		return
	}
	r.seed(1)
	h := r.hear(ctx, n, session.Inbox)
	h.first(session.Inbox)
	synctest.Wait()
	r.line.arm(&fault{dir: receiving, stall: true})
	r.put(inbox, Stored{Raw: sample(2)})
	h.wants(session.Listening, session.Inbox)
	r.put(inbox, Stored{Raw: sample(3)})
	h.wants(session.Activity, session.Inbox)
}

func noticesEnd(ctx context.Context, r *reading, n session.Notifier) {
	r.seed(1)
	for _, closes := range []bool{false, true} {
		h := r.hear(ctx, n, session.Inbox)
		h.first(session.Inbox)
		want := context.Canceled
		start := time.Now()
		if closes {
			want = session.ErrClosed
			closeIt(r, r.in)
		} else {
			h.stop()
		}
		<-h.ended
		if took := time.Since(start); !r.realTime && took != 0 || !errors.Is(h.err, want) {
			r.Errorf("Notify ended in %v after %v, want %v at once", h.err, took, want)
		}
		h.stop()
	}
	if n := r.line.open(); n != 0 {
		r.Errorf("%d connections are open after Close", n)
	}
}

func noticesLeft(ctx context.Context, r *reading, n session.Notifier) {
	r.seed(1)
	for range 5 {
		for _, err := range n.Notify(ctx, []session.FolderRef{session.Inbox}, session.NotifyOptions{}) {
			if err != nil {
				r.Fatalf("Notify: %v", err)
			}
			break
		}
	}
	r.wantNoLines("after loops over notices that were left")
}
