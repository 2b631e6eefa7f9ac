package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
)

// watchRules are about Watch, which stands on what a backend tells of changes, and
// listens where it can.
func watchRules() []incomingRule {
	return []incomingRule{
		{"a watch tells what comes, changes and goes", watchTells},
		{"a watch goes on from a cursor, and tells what happened meanwhile", watchGoesOn},
		{"a watch hears of several folders", watchFolders},
		{"a watch tells that a folder was renumbered, and what is in it", watchReset},
		{"a folder that is gone ends a watch of its own alone", watchGone},
		{"a line cut anywhere in a watch loses and doubles nothing", watchCut},
		{"a day of watching over lost lines tells what the mailbox holds", watchDay},
		{"a watch ends with its context, at the same instant", watchEnds},
		{"a watch that is left leaks nothing", watchLeft},
	}
}

// watching is a loop over the events of a watch.
type watching struct {
	r     *reading
	ended chan struct{}
	wake  chan struct{} // holds one item while there is something new
	stop  context.CancelFunc

	mu     sync.Mutex // never held while something blocks
	models map[session.FolderRef]*model
	kinds  map[session.EventKind]int
	count  int
	err    error
}

// watch begins to watch folders from where the options say. Each is called for
// each event, while nothing is locked.
func (r *reading) watch(ctx context.Context, opts session.WatchOptions, each func(n int), folders ...session.FolderRef) *watching {
	r.Helper()
	if r.realTime {
		opts.Interval, opts.FirstWait, opts.MaxWait = time.Second, 50*time.Millisecond, time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{
		r: r, ended: make(chan struct{}), wake: make(chan struct{}, 1), stop: cancel,
		models: map[session.FolderRef]*model{}, kinds: map[session.EventKind]int{},
	}
	s := r.over()
	go func() {
		defer close(w.ended)
		for e, err := range s.Watch(ctx, folders, &opts) {
			w.take(e, err)
			if each != nil {
				each(w.count)
			}
		}
	}()
	r.Cleanup(w.end)
	return w
}

// end ends the watch and waits for that.
func (w *watching) end() {
	w.stop()
	<-w.ended
}

// model returns what was told of a folder; mu is held.
func (w *watching) model(ref session.FolderRef) *model {
	m := w.models[ref]
	if m == nil {
		m = newModel()
		w.models[ref] = m
	}
	return m
}

func (w *watching) take(e session.Event, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}()
	m := w.model(e.Folder)
	if _, item := errors.AsType[*session.ItemError](err); item {
		m.fail(e.ID)
		return
	}
	if w.count++; e.Kind == session.EventGone && errors.Is(err, session.ErrNoFolder) {
		w.kinds[e.Kind]++
		return
	}
	if err != nil {
		w.err = err
		return
	}
	w.kinds[e.Kind]++
	switch e.Kind {
	case session.EventNew:
		m.add(e.Message)
	case session.EventChanged:
		m.change(e.Message)
	case session.EventRemoved:
		m.remove(e.ID)
	case session.EventReset:
		m.reset()
	case session.EventListening, session.EventReconnected:
		if e.Cursor.IsZero() {
			m.complain("an event of the kind %v has no cursor", e.Kind)
		}
	case session.EventGone:
		m.complain("a folder is gone without an error")
	}
	if !e.Cursor.IsZero() {
		m.cursor = e.Cursor
	}
}

// until waits until what was told fulfils a condition.
func (w *watching) until(what string, met func() bool) {
	w.r.Helper()
	bound := boundOf(w.r.realTime)
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for {
		w.mu.Lock()
		done, err := met(), w.err
		w.mu.Unlock()
		if done {
			return
		}
		if err != nil {
			w.r.Fatalf("Watch ended before %s: %v", what, err)
		}
		select {
		case <-w.wake:
		case <-timer.C:
			w.r.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// heard waits until an event of the kind has come so many times.
func (w *watching) heard(kind session.EventKind, n int) {
	w.r.Helper()
	w.until(fmt.Sprintf("event %v came %d times", kind, n), func() bool { return w.kinds[kind] >= n })
}

// settled waits until what was told of a folder is what a listing has.
func (w *watching) settled(ctx context.Context, when string, ref session.FolderRef) {
	w.r.Helper()
	want := map[session.ID]string{}
	for _, n := range w.r.list(ctx, session.Query{Folder: ref, OldestFirst: true}) {
		want[n.ID] = fmt.Sprint(sorted(n.Flags))
	}
	w.until(when+", what was told is what the folder holds", func() bool {
		m := w.model(ref)
		if len(m.known) != len(want) {
			return false
		}
		for id, flags := range want {
			if got, known := m.known[id]; !known || got != flags {
				return false
			}
		}
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wrong := range w.model(ref).wrong {
		w.r.Errorf("%s: %s", when, wrong)
	}
}

// since is the beginning of the inbox.
func fromBeginning() session.WatchOptions {
	return session.WatchOptions{Since: map[session.FolderRef]session.Cursor{session.Inbox: {}}}
}

// watches reports whether the backend can be watched.
func (r *reading) watches(ctx context.Context) bool {
	r.Helper()
	if _, ok := session.As[session.Syncer](r.in); ok {
		return true
	}
	n := 0
	for _, err := range r.over().Watch(ctx, nil, nil) {
		n++
		wantUnsupported(r, "Watch", err, "watch")
	}
	if n != 1 {
		r.Errorf("Watch over a backend that cannot tell changes gives %d items, want an error", n)
	}
	return false
}

func watchTells(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	facts := r.facts(ctx)
	r.seed(3)
	w := r.watch(ctx, session.WatchOptions{}, nil)
	w.heard(session.EventListening, 1)
	r.put(inbox, Stored{Raw: sample(4)})
	w.heard(session.EventNew, 1)
	ids := idsOf(r.oldest(ctx))
	w.mu.Lock()
	if _, known := w.model(session.Inbox).known[ids[3]]; !known || len(w.model(session.Inbox).known) != 1 {
		r.Errorf("a watch from now on tells %v as new, want %v alone", w.model(session.Inbox).known, ids[3])
	}
	for _, id := range ids[:3] {
		w.model(session.Inbox).known[id] = "[]" // what was there before
	}
	w.mu.Unlock()
	if !facts.NoFlags {
		r.done(ctx, session.Change{Set: session.Flags{session.Flagged}}, ids[0], ids[3])
		w.heard(session.EventChanged, 2)
	}
	if err := r.Mailbox.Remove(inbox, 2); err != nil {
		r.Fatal(err)
	}
	w.heard(session.EventRemoved, 1)
	w.settled(ctx, "after one event of each kind", session.Inbox)
}

// watchGoesOn leaves a watch and begins another from the text of its cursor.
func watchGoesOn(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	r.seed(many)
	w := r.watch(ctx, fromBeginning(), nil)
	w.heard(session.EventListening, 1)
	w.settled(ctx, "from the beginning", session.Inbox)
	w.end()
	old := w.model(session.Inbox)
	r.put(inbox, Stored{Raw: sample(101)})
	if err := r.Mailbox.Remove(inbox, 1); err != nil {
		r.Fatal(err)
	}
	r.renew()
	text, err := old.cursor.MarshalText()
	if err != nil {
		r.Fatal(err)
	}
	var since session.Cursor
	if err := since.UnmarshalText(text); err != nil {
		r.Fatalf("the cursor %q does not read back: %v", text, err)
	}
	w = r.watch(ctx, session.WatchOptions{Since: map[session.FolderRef]session.Cursor{"": since}}, nil)
	w.heard(session.EventListening, 1)
	w.mu.Lock()
	if w.kinds[session.EventNew] != 1 || w.kinds[session.EventRemoved] != 1 {
		r.Errorf("a watch that goes on tells %v, want one message that came and one that left", w.kinds)
	}
	w.mu.Unlock()
}

func watchFolders(ctx context.Context, r *reading) {
	if !r.watches(ctx) || r.facts(ctx).OneFolder {
		return
	}
	archive := session.FolderAt(r.archive(ctx))
	path, _ := archive.Path()
	w := r.watch(ctx, session.WatchOptions{}, nil, session.Inbox, archive, session.Inbox)
	w.heard(session.EventListening, 2)
	for n := range 4 {
		r.put([]string{inbox, path}[n%2], Stored{Raw: sample(n + 1)})
		w.heard(session.EventNew, n+1)
	}
	w.settled(ctx, "after mail to two folders", session.Inbox)
	w.settled(ctx, "after mail to two folders", archive)
}

func watchReset(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	folder, ref := r.toRenumber(ctx, 5)
	w := r.watch(ctx, session.WatchOptions{Since: map[session.FolderRef]session.Cursor{ref: {}}}, nil, ref)
	w.heard(session.EventListening, 1)
	r.line.cutAll() // so that nobody is told of it
	if err := r.Mailbox.Renumber(folder); err != nil {
		r.Fatal(err)
	}
	r.put(folder, Stored{Raw: sample(7)})
	r.line.cutAll() // there are clients that are back at once, and servers that tell nobody who listens
	if !r.NoValidity {
		w.heard(session.EventReset, 1)
	}
	w.settled(ctx, "after the server renumbered", ref)
}

// watchGone has one of two folders be deleted, and then watches that one alone.
func watchGone(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	s := r.editor(ctx)
	if s == nil {
		return
	}
	r.create(ctx, s, "Doomed")
	doomed := session.FolderAt("Doomed")
	w := r.watch(ctx, session.WatchOptions{}, nil, doomed, session.Inbox)
	w.heard(session.EventListening, 2)
	if err := s.DeleteFolder(ctx, doomed); err != nil {
		r.Fatalf("DeleteFolder: %v", err)
	}
	r.line.cutAll() // there are servers that tell nobody who listens
	w.heard(session.EventGone, 1)
	r.put(inbox, Stored{Raw: sample(1)})
	w.heard(session.EventNew, 1)
	w.settled(ctx, "after the other folder was deleted", session.Inbox)
	w.end()
	w = r.watch(ctx, session.WatchOptions{}, nil, doomed)
	<-w.ended
	if !errors.Is(w.err, session.ErrNoFolder) || w.count != 1 {
		r.Errorf("a watch of a folder that is gone told %d times and ended in %v, want session.ErrNoFolder alone", w.count, w.err)
	}
}

// watchCut cuts the line once in each of many watches.
func watchCut(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	r.seed(many)
	n := many
	story := func(when string) (sent, received int64) {
		w := r.watch(ctx, fromBeginning(), nil)
		w.heard(session.EventListening, 1)
		n++
		r.put(inbox, Stored{Raw: sample(n)})
		if err := r.Mailbox.Remove(inbox, 1); err != nil {
			r.Fatal(err)
		}
		w.heard(session.EventNew, many+1)
		sent, received, _, _ = r.line.counts()
		r.line.arm(nil) // the listing to compare with is no part of the story
		w.settled(ctx, when, session.Inbox)
		w.end()
		return sent, received
	}
	r.renew()
	r.line.arm(nil)
	sent, received := story("with a good line")
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts)) {
		r.renew()
		r.facts(ctx) // a server that was never reached is no lost line
		r.line.arm(&f)
		story(fmt.Sprintf("cut after %d bytes %v", f.after, f.dir))
	}
}

func watchEnds(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	r.seed(3)
	for _, late := range []time.Duration{0, 90 * time.Minute} {
		if r.realTime && late > 0 {
			continue // it would take that long
		}
		inner, cancel := context.WithCancel(ctx)
		w := r.watch(inner, session.WatchOptions{}, nil)
		w.heard(session.EventListening, 1)
		r.pause(ctx, late)
		if !r.realTime {
			synctest.Wait()
		}
		start := time.Now()
		cancel()
		<-w.ended
		if took := time.Since(start); !r.realTime && took != 0 {
			r.Errorf("a watch of %v that was cancelled ended after %v, want at once", late, took)
		}
		if !errors.Is(w.err, context.Canceled) {
			r.Errorf("a watch that was cancelled ended in %v, want context.Canceled", w.err)
		}
	}
	r.wantNoLines("after watches that ended")
}

// wantNoLines checks that nothing is open after Close, and hardly anything before: a
// connection that listened and one that asked may rest.
func (r *reading) wantNoLines(when string) {
	r.Helper()
	if n := r.line.open(); n > 2 {
		r.Errorf("%s: %d connections are open, want two at most", when, n)
	}
	closeIt(r, r.in)
	if n := r.line.open(); n != 0 {
		r.Errorf("%s: %d connections are open after Close", when, n)
	}
}

func watchLeft(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	r.seed(3)
	s := r.over()
	opts := fromBeginning()
	for n := range 8 {
		events := 0
		for _, err := range s.Watch(ctx, nil, &opts) {
			if err != nil {
				r.Fatalf("Watch: %v", err)
			}
			if events++; events > n%4 {
				break
			}
		}
	}
	r.wantNoLines("after watches that were left")
}
