package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailsession/mailsession/internal/retry"
)

// WaitFor returns the first message that q finds, one that is there already or
// one that comes: for programs and tests that expect a code or a receipt. Of
// those that are there it is the newest, or the oldest where q says so. A message
// that is found after a change of its flags counts as well.
//
// It listens where the protocol can, as [Session.Watch] does, and looks first
// and with each notice after that, at what came or was changed since; between
// looking and listening nothing is missed. Failures that pass are waited over as
// there. It ends with an error where ctx ends. Limit and After of q do not count,
// and messages that cannot be read are none to wait for.
//
// Over a backend that cannot tell changes, it looks at the whole folder each
// time. A nil opts means the zero WatchOptions, of which Since and Fields do not
// count.
func (s *Session) WaitFor(ctx context.Context, q Query, opts *WatchOptions) (*Message, error) {
	in, err := s.reader("wait for a message")
	if err == nil {
		err = q.Check()
	}
	if err != nil {
		return nil, err
	}
	w := newWait(in, q, distinct([]FolderRef{q.Folder}), opts.orZero())
	m, _, err := w.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("session: wait for a message: %w", err)
	}
	return m, nil
}

// wait waits for a message in some folders.
type wait struct {
	in      Incoming
	syncer  Syncer // nil where there is none
	query   Query
	folders []*waited
	opts    WatchOptions
	backoff backoff

	lenient bool                // a folder that does not exist is passed over
	pace    *retry.Policy       // of further looks, however well the backend listens
	fits    func(*Message) bool // what a message that is found has to be as well
}

// waited is one folder that is looked into.
type waited struct {
	ref    FolderRef
	cursor Cursor
	looked bool // all that was there before the cursor does not match
}

func newWait(in Incoming, q Query, folders []FolderRef, opts WatchOptions) *wait {
	w := &wait{in: in, query: q, opts: opts, backoff: backoff{pace: opts.pace()}}
	w.query.Limit, w.query.After = 0, ID{}
	w.syncer, _ = As[Syncer](in)
	for _, ref := range folders {
		w.folders = append(w.folders, &waited{ref: ref})
	}
	return w
}

// run returns the message, and the folder that it is in. Each folder is looked
// into before anything is waited for, since the backend may be one that lets
// nobody listen.
func (w *wait) run(ctx context.Context) (*Message, FolderRef, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var there, missing []FolderRef
	for _, f := range w.folders {
		m, gone, err := w.first(ctx, f)
		switch {
		case m != nil || err != nil:
			return m, f.ref, err
		case gone:
			missing = append(missing, f.ref)
		default:
			there = append(there, f.ref)
		}
	}
	l := listen(ctx, w.in, there, listenOptions{interval: w.opts.Interval, pace: w.pace, others: missing})
	defer l.stop()
	for {
		n, err := l.next(ctx)
		if err != nil {
			return nil, "", w.end(err)
		}
		i := slices.IndexFunc(w.folders, func(f *waited) bool { return f.ref == n.Folder })
		if i < 0 {
			continue // nobody asked for it
		}
		m, _, err := w.look(ctx, w.folders[i])
		if m != nil {
			return m, n.Folder, nil
		}
		if err != nil {
			if err := w.backoff.wait(ctx, err); err != nil {
				return nil, "", w.end(err)
			}
			l.post(n)
		}
	}
}

// end adds what was wrong last to the end of the context.
func (w *wait) end(err error) error {
	if w.backoff.last == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errors.Join(err, w.backoff.last)
}

// first looks into a folder until that worked.
func (w *wait) first(ctx context.Context, f *waited) (m *Message, missing bool, err error) {
	for {
		m, missing, err = w.look(ctx, f)
		if err == nil {
			return m, missing, nil
		}
		if err := w.backoff.wait(ctx, err); err != nil {
			return nil, false, w.end(err)
		}
	}
}

// look returns a message that matches. A folder that is renumbered meanwhile is
// looked into again: what was found has other ids now.
func (w *wait) look(ctx context.Context, f *waited) (m *Message, missing bool, err error) {
	m, err = w.lookOnce(ctx, f)
	if errors.Is(err, ErrStaleID) {
		m, err = w.lookOnce(ctx, f)
	}
	if w.lenient && errors.Is(err, ErrNoFolder) {
		return nil, true, nil
	}
	if err == nil {
		w.backoff.reset()
	}
	return m, false, err
}

// lookOnce looks into the whole folder at first, and at what came or was changed
// after that.
func (w *wait) lookOnce(ctx context.Context, f *waited) (m *Message, err error) {
	switch {
	case w.syncer == nil:
		return w.find(ctx, f.ref, nil)
	case f.looked:
		return w.news(ctx, f)
	case f.cursor.IsZero(): // before the look, so that nothing comes in between
		if f.cursor, err = w.syncer.Cursor(ctx, f.ref); err != nil {
			return nil, err
		}
	}
	m, err = w.find(ctx, f.ref, nil)
	f.looked = err == nil
	return m, err
}

// news looks at what came or was changed.
func (w *wait) news(ctx context.Context, f *waited) (*Message, error) {
	for page, err := range w.syncer.Changes(ctx, f.ref, f.cursor, SyncOptions{Fields: FieldFlags, PageSize: w.opts.PageSize}) {
		if expired(err) {
			continue // the pages that follow have all there is
		}
		if err != nil {
			return nil, err
		}
		ids := make([]ID, 0, len(page.Added)+len(page.Changed))
		for _, n := range slices.Concat(page.Added, page.Changed) {
			ids = append(ids, n.ID)
		}
		if len(ids) > 0 {
			m, err := w.find(ctx, f.ref, ids)
			if m != nil || err != nil {
				return m, err
			}
		}
		f.cursor = page.Cursor
	}
	return nil, nil //nolint:nilnil // nothing that matches came
}

// find returns the first message that matches, of those with the ids where there
// are any.
func (w *wait) find(ctx context.Context, folder FolderRef, ids []ID) (*Message, error) {
	q := w.query
	q.Folder = folder
	if ids != nil {
		q.Where = Filter{IDs: ids}
		if !w.query.Where.IsZero() {
			q.Where.All = []Filter{w.query.Where}
		}
	}
	for m, err := range readable(w.in.Messages(ctx, q)) {
		if err != nil {
			return nil, err
		}
		if w.fits == nil || w.fits(m) {
			return m, nil
		}
	}
	return nil, nil //nolint:nilnil // nothing matches
}
