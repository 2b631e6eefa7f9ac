package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// DefaultWatchInterval is what a zero [WatchOptions.Interval] means where the
// backend listens to nothing and has no interval of its own.
const DefaultWatchInterval = time.Minute

// EventKind is what an [Event] tells.
type EventKind int

// The kinds of events.
const (
	// EventListening: the folder is watched from now on, and what happened before
	// has been told. It comes once for each folder.
	EventListening EventKind = iota
	// EventNew: a message came to the folder.
	EventNew
	// EventChanged: the flags, labels or read state of a message may differ from
	// before.
	EventChanged
	// EventRemoved: a message left the folder.
	EventRemoved
	// EventReset: what was known of the folder is void, and all its messages
	// follow as new ones. The server renumbered it, or forgot its history, or the
	// role by which it is watched is another folder's now, or that of the same one
	// under another name.
	EventReset
	// EventReconnected: the line was lost and is there again, and what happened
	// meanwhile has been told. A backend that keeps no line, such as that of POP3,
	// has none to lose.
	EventReconnected
	// EventGone: the folder is not there, or not any more, and nothing more is told
	// of it. It comes beside an error that wraps [ErrNoFolder], and the others are
	// watched on.
	EventGone
)

// String returns the kind in a word, such as "new".
func (k EventKind) String() string {
	names := []string{"listening", "new", "changed", "removed", "reset", "reconnected", "gone"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("event %d", int(k))
	}
	return names[k]
}

// Event is one thing that happened in a folder that is watched.
type Event struct {
	// Kind is what happened.
	Kind EventKind
	// Folder is where, by the name that it was given to Watch; [Inbox] for the zero
	// one.
	Folder FolderRef
	// ID is the message that it happened to, where the Kind is about one.
	ID ID
	// Message is the summary of one that is new, with the fields that were asked
	// for. Of one that was changed it has what [Changes.Changed] has.
	Message *Message
	// Cursor, unless it is zero, is the place in the folder's history behind this
	// event: keep it once the event has been dealt with. Where it is zero, events
	// follow that belong together with this one.
	Cursor Cursor
}

// WatchOptions are the settings of [Session.Watch], [Session.WaitFor] and
// [Session.Process]. The zero value works.
type WatchOptions struct {
	// Since is where to go on from, folder by folder: what happened after the
	// Cursor is told first. The zero Cursor means the beginning, where all messages
	// are new. A folder that is not in it is watched from now on. WaitFor and
	// Process have no use for it.
	Since map[FolderRef]Cursor
	// Fields are the parts of the summaries of new messages; zero means
	// [FieldsAll].
	Fields Fields
	// PageSize is how many new messages are asked for at once; zero means the
	// backend's own default.
	PageSize int
	// Interval is the time between two looks where the server tells nothing by
	// itself; zero means the backend's own default, or [DefaultWatchInterval].
	Interval time.Duration
	// FirstWait is the wait after the first failure that passes, half a second
	// where it is zero; each following one is twice as long, up to MaxWait, a
	// minute where that is zero, or as long as the server asks for.
	FirstWait, MaxWait time.Duration
}

func (o *WatchOptions) orZero() WatchOptions {
	if o == nil {
		return WatchOptions{}
	}
	return *o
}

func (o WatchOptions) pace() retry.Policy {
	return retry.Policy{Initial: max(o.FirstWait, 0), Max: cmp.Or(max(o.MaxWait, 0), time.Minute)}
}

// Watch iterates over what happens in folders, in the inbox where none is named,
// until ctx ends, and with its error. It listens where the protocol can, and
// looks again and again where it cannot; the events are the same.
//
// Nothing is lost and nothing told twice, whatever happens to the line: after
// each notice, and whenever the line was lost and is there again, it asks for the
// [Session.Changes] since the place that it has come to. The last event of each
// page has the Cursor behind the page; with that in [WatchOptions.Since], a later
// Watch goes on, also in another process, and also where the loop was left within
// a page, of which all is told again.
//
// A message that came and cannot be summarized is an [*ItemError] beside an
// EventNew that has its ID. A folder that was deleted, or has another name, is an
// error that wraps [ErrNoFolder] beside an EventGone, as long as there are others:
// these are listened to anew. Failures that pass are waited over: [Temporary]
// ones, and from the first success on a server that cannot be reached. Any other
// error is the last item, as is the end of the last folder. Any call is legal
// inside the loop, a slow loop does not disturb the line, and break leaks nothing.
//
// Where the backend cannot tell changes, the error wraps
// [errors.ErrUnsupported]. A nil opts means the zero WatchOptions.
func (s *Session) Watch(ctx context.Context, folders []FolderRef, opts *WatchOptions) iter.Seq2[Event, error] {
	syncer, err := readingAs[Syncer](s, "watch folders")
	if err != nil {
		return failed[Event](err)
	}
	return func(yield func(Event, error) bool) {
		w := &watch{in: s.in, syncer: syncer, opts: opts.orZero()}
		w.name(folders)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if err := w.run(ctx, yield); err != nil && !errors.Is(err, errLeft) {
			yield(Event{}, fmt.Errorf("session: watch: %w", err))
		}
	}
}

// errLeft says that a loop wants no more.
var errLeft = errors.New("the loop was left")

// watch is one loop over events.
type watch struct {
	in      Incoming
	syncer  Syncer
	opts    WatchOptions
	folders []*watched
	backoff backoff
}

// watched is one folder that is watched.
type watched struct {
	ref    FolderRef
	cursor Cursor
	placed bool // the cursor is known
	heard  bool // EventListening has been told
	failed bool // the last look failed
	gone   bool // there is no such folder
	anew   bool // what was told of it is void, and that has not been told yet
}

// follows reports whether a folder is another one than before and is to be watched
// all the same: a role names whatever folder has it. The inbox has one name for ever.
func (f *watched) follows(err error) bool {
	_, byRole := f.ref.Role()
	return byRole && f.ref != Inbox && errors.Is(err, ErrOtherFolder)
}

// name takes the folders, each once.
func (w *watch) name(folders []FolderRef) {
	since := map[FolderRef]Cursor{}
	for ref, c := range w.opts.Since {
		since[plain(ref)] = c
	}
	for _, ref := range distinct(folders) {
		c, placed := since[plain(ref)]
		w.folders = append(w.folders, &watched{ref: ref, cursor: c, placed: placed})
	}
	w.backoff = backoff{pace: w.opts.pace()}
}

// distinct returns folders by their names, each once, and the inbox for none.
func distinct(folders []FolderRef) []FolderRef {
	all := make([]FolderRef, 0, max(len(folders), 1))
	for _, ref := range folders {
		if !slices.ContainsFunc(all, func(other FolderRef) bool { return plain(other) == plain(ref) }) {
			all = append(all, cmp.Or(ref, Inbox))
		}
	}
	if len(all) == 0 {
		all = append(all, Inbox)
	}
	return all
}

// plain returns one name for the inbox, which has several: programs that use
// another one than the last time must not lose their place.
func plain(ref FolderRef) FolderRef {
	path, ok := ref.Path()
	if ref == "" || ok && strings.EqualFold(path, "INBOX") {
		return Inbox
	}
	return ref
}

func (w *watch) refs() []FolderRef {
	refs := make([]FolderRef, len(w.folders))
	for i, f := range w.folders {
		refs[i] = f.ref
	}
	return refs
}

// run watches the folders for as long as there are any.
func (w *watch) run(ctx context.Context, yield func(Event, error) bool) error {
	for {
		err := w.begin(ctx)
		if err == nil {
			err = w.follow(ctx, yield)
		}
		if !errors.Is(err, ErrNoFolder) {
			return err
		}
		if err := w.part(ctx, err, yield); err != nil {
			return err
		}
	}
}

// begin finds out where the folders stand of which that is not known.
func (w *watch) begin(ctx context.Context) error {
	for _, f := range w.folders {
		if f.placed {
			continue
		}
		c, err := w.stand(ctx, f)
		if err != nil {
			return err
		}
		f.cursor, f.placed = c, true
	}
	return nil
}

// stand finds out the present place in a folder's history.
func (w *watch) stand(ctx context.Context, f *watched) (Cursor, error) {
	for {
		c, err := w.syncer.Cursor(ctx, f.ref)
		if err == nil {
			w.backoff.reset()
			return c, nil
		}
		if f.gone = errors.Is(err, ErrNoFolder); f.gone {
			return Cursor{}, err
		}
		if err := w.backoff.wait(ctx, err); err != nil {
			return Cursor{}, err
		}
	}
}

// follow listens, and looks where something may have happened.
func (w *watch) follow(ctx context.Context, yield func(Event, error) bool) error {
	l := listen(ctx, w.in, w.refs(), listenOptions{interval: w.opts.Interval})
	defer l.stop()
	for {
		n, err := l.next(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(w.folders, func(f *watched) bool { return f.ref == n.Folder })
		if i < 0 {
			continue // nobody asked for it
		}
		f := w.folders[i]
		if err := w.look(ctx, f, n.Kind, l.polls, yield); err != nil {
			if f.gone = errors.Is(err, ErrNoFolder); f.gone {
				return err
			}
			if err := w.backoff.wait(ctx, err); err != nil {
				return err
			}
			l.post(n)
		}
	}
}

// part tells which folder is gone, and goes on without it. Where it was the last
// one, or where all are there, it returns the error. The word of those who listen
// does not say which one it is, and that of a server which refuses a folder does not
// say why: what it lists is there.
func (w *watch) part(ctx context.Context, gone error, yield func(Event, error) bool) error {
	isGone := func(f *watched) bool { return f.gone }
	for i := 0; i < len(w.folders) && !slices.ContainsFunc(w.folders, isGone); i++ {
		if _, err := w.stand(ctx, w.folders[i]); err != nil && !w.folders[i].gone {
			return err
		}
	}
	i := slices.IndexFunc(w.folders, isGone)
	if i < 0 || len(w.folders) == 1 {
		return gone
	}
	f := w.folders[i]
	if there, err := w.listed(ctx, f.ref); there || err != nil {
		f.gone = false
		return w.backoff.wait(ctx, cmp.Or(err, gone))
	}
	w.folders = slices.Delete(w.folders, i, i+1)
	if !yield(Event{Kind: EventGone, Folder: f.ref}, fmt.Errorf("session: watch: %w", gone)) {
		return errLeft
	}
	return nil
}

// listed reports whether a folder is among those that hold messages. Those that
// others share are not the user's own, and not looked for.
func (w *watch) listed(ctx context.Context, ref FolderRef) (bool, error) {
	var own []Folder
	for f, err := range w.in.Folders(ctx) {
		if err != nil {
			return false, err
		}
		own = append(own, f)
	}
	path := pathAmong(own, ref)
	return slices.ContainsFunc(own, func(f Folder) bool { return f.Path == path && !f.NoMessages }), nil
}

// look tells what happened in a folder.
func (w *watch) look(ctx context.Context, f *watched, kind NoticeKind, polls bool, yield func(Event, error) bool) error {
	err := w.tell(ctx, f, yield)
	if f.follows(err) {
		f.cursor, f.anew = Cursor{}, true
		err = w.tell(ctx, f, yield)
	}
	if err != nil {
		f.failed = !errors.Is(err, errLeft)
		return err
	}
	event := Event{Kind: EventReconnected, Folder: f.ref, Cursor: f.cursor}
	again := kind == Listening || polls && f.failed
	f.failed = false
	if !f.heard {
		event.Kind, again, f.heard = EventListening, true, true
	}
	if again && !yield(event, nil) {
		return errLeft
	}
	return nil
}

// tell tells all that happened in a folder since its cursor.
func (w *watch) tell(ctx context.Context, f *watched, yield func(Event, error) bool) error {
	opts := SyncOptions{Fields: w.opts.Fields, PageSize: w.opts.PageSize}
	for page, err := range w.syncer.Changes(ctx, f.ref, f.cursor, opts) {
		if expired(err) {
			continue // the pages that follow say so
		}
		if err != nil {
			return err
		}
		w.backoff.reset()
		page.Reset = page.Reset || f.anew
		if err := tellPage(ctx, f.ref, page, yield); err != nil {
			return err
		}
		f.cursor, f.anew = page.Cursor, false
	}
	return nil
}

// expired reports whether a cursor has expired, and the pages that follow have all
// there is. Where the folder is gone with its history, none follow.
func expired(err error) bool {
	return errors.Is(err, ErrCursorExpired) && !errors.Is(err, ErrNoFolder)
}

// tellPage tells a page of changes, the last event with the cursor.
func tellPage(ctx context.Context, folder FolderRef, page Changes, yield func(Event, error) bool) error {
	events, items := eventsOf(page)
	for i, e := range events {
		if ctx.Err() != nil {
			return retry.Ended(ctx)
		}
		if e.Folder = folder; i == len(events)-1 {
			e.Cursor = page.Cursor
		}
		var err error
		if item := items[i]; item != nil {
			err = item
		}
		if !yield(e, err) {
			return errLeft
		}
	}
	return nil
}

// eventsOf returns the events of a page, and which of them are about messages
// that cannot be summarized.
func eventsOf(page Changes) ([]Event, map[int]*ItemError) {
	events := make([]Event, 0, 1+len(page.Removed)+len(page.Changed)+len(page.Failed)+len(page.Added))
	items := make(map[int]*ItemError, len(page.Failed))
	if page.Reset {
		events = append(events, Event{Kind: EventReset})
	}
	for _, id := range page.Removed {
		events = append(events, Event{Kind: EventRemoved, ID: id})
	}
	for _, m := range page.Changed {
		events = append(events, Event{Kind: EventChanged, ID: m.ID, Message: m})
	}
	for _, item := range page.Failed {
		items[len(events)] = item
		events = append(events, Event{Kind: EventNew, ID: item.ID})
	}
	for _, m := range page.Added {
		events = append(events, Event{Kind: EventNew, ID: m.ID, Message: m})
	}
	return events, items
}
