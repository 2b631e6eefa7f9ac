package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// earOptions are the settings of listen.
type earOptions struct {
	interval time.Duration // between two looks
	// pace, where it is not nil, has looks come at its intervals as well, however
	// well the backend listens: into its folders, and into those that nobody can
	// listen to.
	pace   *retry.Policy
	others []FolderRef
}

// ear hears notices while its owner is busy, and keeps them until it asks: one a
// folder.
type ear struct {
	polls  bool // nobody listens
	cancel context.CancelFunc
	lines  sync.WaitGroup

	mu      sync.Mutex // never held while something blocks
	pending map[FolderRef]NoticeKind
	order   []FolderRef
	err     error
	wake    chan struct{} // holds one item while there is something to take
}

// listen begins to hear of folders, by the backend's [Notifier] where it has one.
func listen(ctx context.Context, in Incoming, folders []FolderRef, opts earOptions) *ear {
	ctx, cancel := context.WithCancel(ctx)
	e := &ear{cancel: cancel, pending: map[FolderRef]NoticeKind{}, wake: make(chan struct{}, 1)}
	n, ok := As[Notifier](in)
	e.polls = !ok
	if ok && len(folders) > 0 {
		e.lines.Go(func() { e.hear(ctx, n, folders, opts) })
	}
	pace := opts.pace
	if pace == nil && !ok {
		each := cmp.Or(max(opts.interval, 0), DefaultWatchInterval)
		pace = &retry.Policy{Initial: each, Factor: 1, Max: each, Jitter: -1}
	}
	if pace != nil {
		e.lines.Go(func() { e.poll(ctx, *pace, slices.Concat(folders, opts.others)) })
	}
	return e
}

// hear takes down what the backend tells.
func (e *ear) hear(ctx context.Context, n Notifier, folders []FolderRef, opts earOptions) {
	err := errors.New("the backend has stopped to listen")
	for notice, failed := range n.Notify(ctx, folders, NotifyOptions{Interval: max(opts.interval, 0)}) {
		if err = failed; failed != nil {
			break
		}
		e.again(notice)
	}
	e.fail(err)
}

// poll takes down that it is time to look.
func (e *ear) poll(ctx context.Context, pace retry.Policy, folders []FolderRef) {
	for try := 1; ; try++ {
		for _, f := range folders {
			kind := Activity
			if e.polls && try == 1 {
				kind = Listening
			}
			e.again(Notice{Kind: kind, Folder: f})
		}
		if retry.Sleep(ctx, pace.Wait(try, nil)) != nil {
			return
		}
	}
}

// again takes down a notice, one that was heard or one that could not be dealt
// with.
func (e *ear) again(n Notice) {
	e.mu.Lock()
	kind, there := e.pending[n.Folder]
	if !there {
		e.order = append(e.order, n.Folder)
		kind = n.Kind
	}
	if n.Kind == Listening {
		kind = Listening
	}
	e.pending[n.Folder] = kind
	e.mu.Unlock()
	e.stir()
}

func (e *ear) fail(err error) {
	e.mu.Lock()
	e.err = err
	e.mu.Unlock()
	e.stir()
}

func (e *ear) stir() {
	select {
	case e.wake <- struct{}{}:
	default: // its owner is to come anyway
	}
}

// next waits for a notice. What was heard before the end is told before it.
func (e *ear) next(ctx context.Context) (Notice, error) {
	for {
		if ctx.Err() != nil {
			return Notice{}, retry.Ended(ctx)
		}
		e.mu.Lock()
		if len(e.order) > 0 {
			n := Notice{Folder: e.order[0]}
			n.Kind = e.pending[n.Folder]
			e.order = e.order[1:]
			delete(e.pending, n.Folder)
			e.mu.Unlock()
			return n, nil
		}
		err := e.err
		e.mu.Unlock()
		if err != nil {
			return Notice{}, err
		}
		select {
		case <-e.wake:
		case <-ctx.Done():
		}
	}
}

// stop ends the lines and waits until they have ended.
func (e *ear) stop() {
	e.cancel()
	e.lines.Wait()
}
