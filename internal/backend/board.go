package backend

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// Board is where the lines of a [session.Notifier] leave what they notice, while
// the loop over the notices is busy. It holds at most one notice for each folder.
type Board struct {
	folders []session.FolderRef
	posted  chan struct{} // holds one item while there is something to take

	mu    sync.Mutex // never held during I/O
	kinds map[session.FolderRef]session.NoticeKind
	queue []session.FolderRef
	err   error
}

// NewBoard returns a board for folders: each once, the inbox for the zero one, and
// where none is named.
func NewBoard(folders []session.FolderRef) *Board {
	b := &Board{posted: make(chan struct{}, 1), kinds: map[session.FolderRef]session.NoticeKind{}}
	for _, f := range folders {
		if f = cmp.Or(f, session.Inbox); !slices.Contains(b.folders, f) {
			b.folders = append(b.folders, f)
		}
	}
	if len(b.folders) == 0 {
		b.folders = []session.FolderRef{session.Inbox}
	}
	return b
}

// Folders returns what the board is for.
func (b *Board) Folders() []session.FolderRef { return b.folders }

// Post leaves a notice. [session.Listening] says all that [session.Activity] says.
func (b *Board) Post(kind session.NoticeKind, folders ...session.FolderRef) {
	b.mu.Lock()
	for _, f := range folders {
		before, there := b.kinds[f]
		if !there {
			b.queue = append(b.queue, f)
		}
		if !there || before == session.Activity {
			b.kinds[f] = kind
		}
	}
	b.mu.Unlock()
	b.wake()
}

// Fail ends the iteration, behind what is posted already.
func (b *Board) Fail(err error) {
	b.mu.Lock()
	b.err = cmp.Or(b.err, err)
	b.mu.Unlock()
	b.wake()
}

func (b *Board) wake() {
	select {
	case b.posted <- struct{}{}:
	default: // it was not taken note of yet
	}
}

// take takes the oldest notice; where there is none, the error is why there is
// nothing more to come, nil where there may be.
func (b *Board) take() (notice session.Notice, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return notice, false, b.err
	}
	f := b.queue[0]
	b.queue = slices.Delete(b.queue, 0, 1)
	notice = session.Notice{Kind: b.kinds[f], Folder: f}
	delete(b.kinds, f)
	return notice, true, nil
}

// Notices iterates over what lines post. They run in a goroutine with a context of
// their own, which ends with the iteration; it waits for them. The error of a
// context that ends goes through explain.
func (b *Board) Notices(ctx context.Context, lines func(ctx context.Context), explain func(error) error) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			lines(inner)
		}()
		defer func() {
			cancel()
			<-done
		}()
		for {
			if ctx.Err() != nil {
				yield(session.Notice{}, explain(retry.Ended(ctx)))
				return
			}
			notice, ok, err := b.take()
			switch {
			case ok:
				if !yield(notice, nil) {
					return
				}
				continue
			case err != nil:
				yield(session.Notice{}, err)
				return
			}
			select {
			case <-b.posted:
			case <-ctx.Done():
			}
		}
	}
}
