package backend

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/mailsession/mailsession/internal/pending"
	"github.com/mailsession/mailsession/session"
)

// Board is where the lines of a [session.Notifier] leave what they notice, while
// the loop over the notices is busy. It holds at most one notice for each folder.
type Board struct {
	folders []session.FolderRef
	notices *pending.Queue[session.FolderRef, session.NoticeKind]
}

// NewBoard returns a board for folders: each once, the inbox for the zero one, and
// where none is named.
func NewBoard(folders []session.FolderRef) *Board {
	b := &Board{notices: pending.New[session.FolderRef](func(before, now session.NoticeKind) session.NoticeKind {
		return min(before, now) // Listening says all that Activity says
	})}
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
	for _, f := range folders {
		b.notices.Post(f, kind)
	}
}

// Fail ends the iteration, behind what is posted already.
func (b *Board) Fail(err error) { b.notices.Fail(err) }

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
			folder, kind, err := b.notices.Next(ctx)
			if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
				err = explain(err)
			}
			if err != nil {
				yield(session.Notice{}, err)
				return
			}
			if !yield(session.Notice{Kind: kind, Folder: folder}, nil) {
				return
			}
		}
	}
}
