package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/pending"
	"github.com/mailsession/mailsession/internal/retry"
)

// listenOptions are the settings of listen.
type listenOptions struct {
	interval time.Duration // between two looks
	// pace, where it is not nil, has looks come at its intervals as well, however
	// well the backend listens: into its folders, and into those that nobody can
	// listen to.
	pace   *retry.Policy
	others []FolderRef
}

// listener hears notices while its owner is busy, and keeps them until it asks: one a
// folder.
type listener struct {
	polls   bool // nobody listens
	cancel  context.CancelFunc
	lines   sync.WaitGroup
	notices *pending.Queue[FolderRef, NoticeKind]
}

// listen begins to hear of folders, by the backend's [Notifier] where it has one.
func listen(ctx context.Context, in Incoming, folders []FolderRef, opts listenOptions) *listener {
	ctx, cancel := context.WithCancel(ctx)
	l := &listener{cancel: cancel, notices: pending.New[FolderRef](func(before, now NoticeKind) NoticeKind {
		return min(before, now) // Listening says all that Activity says
	})}
	n, ok := As[Notifier](in)
	l.polls = !ok
	if ok && len(folders) > 0 {
		l.lines.Go(func() { l.hear(ctx, n, folders, opts) })
	}
	pace := opts.pace
	if pace == nil && !ok {
		each := cmp.Or(max(opts.interval, 0), DefaultWatchInterval)
		pace = &retry.Policy{Initial: each, Factor: 1, Max: each, Jitter: -1}
	}
	if pace != nil {
		l.lines.Go(func() { l.poll(ctx, *pace, slices.Concat(folders, opts.others)) })
	}
	return l
}

// hear takes down what the backend tells.
func (l *listener) hear(ctx context.Context, n Notifier, folders []FolderRef, opts listenOptions) {
	err := errors.New("the backend has stopped listening, and does not say why; begin another watch")
	for notice, failed := range n.Notify(ctx, folders, NotifyOptions{Interval: max(opts.interval, 0)}) {
		if failed != nil {
			err = failed
			break
		}
		l.post(notice)
	}
	l.notices.Fail(err)
}

// poll takes down that it is time to look.
func (l *listener) poll(ctx context.Context, pace retry.Policy, folders []FolderRef) {
	for try := 1; ; try++ {
		for _, f := range folders {
			kind := Activity
			if l.polls && try == 1 {
				kind = Listening
			}
			l.post(Notice{Kind: kind, Folder: f})
		}
		if retry.Sleep(ctx, pace.Wait(try, nil)) != nil {
			return
		}
	}
}

// post takes down a notice, one that was heard or one that could not be dealt
// with.
func (l *listener) post(n Notice) { l.notices.Post(n.Folder, n.Kind) }

// next waits for a notice. What was heard before the end is told before it.
func (l *listener) next(ctx context.Context) (Notice, error) {
	folder, kind, err := l.notices.Next(ctx)
	return Notice{Kind: kind, Folder: folder}, err
}

// stop ends the lines and waits until they have ended.
func (l *listener) stop() {
	l.cancel()
	l.lines.Wait()
}
