package session

import (
	"context"
	"iter"
)

// Changes is one page of what happened in a folder: what it comes to in the end,
// not each step. No ID is in two of its lists.
type Changes struct {
	// Added are summaries of messages that came to the folder, oldest first.
	Added []*Message
	// Changed are messages whose flags, labels or read state may differ from
	// before: the ID, Flags, and Version and Labels where the server has them.
	Changed []*Message
	// Removed are messages that left the folder.
	Removed []ID
	// Failed are messages that came or changed but could not be summarized. They are
	// not told again.
	Failed []*ItemError
	// Reset says that the folder is read anew from this page on: what was known of
	// it before is void.
	Reset bool
	// Cursor is where to go on once this page has been dealt with.
	Cursor Cursor
	// More says that another page follows.
	More bool
}

// SyncOptions are the settings of [Session.Changes]. The zero value works.
type SyncOptions struct {
	// Fields are the parts of the summaries of added messages; zero means
	// [FieldsAll].
	Fields Fields
	// PageSize is how many messages a page adds at most; zero means the backend's
	// own default. What is changed and removed may be more.
	PageSize int
}

// Syncer tells what changed in a folder. It is a further interface of an
// [Incoming]; see [Session.Changes].
type Syncer interface {
	// Changes iterates over what happened since a Cursor.
	Changes(ctx context.Context, folder FolderRef, since Cursor, opts SyncOptions) iter.Seq2[Changes, error]
	// Cursor returns the present place in a folder's history, from which Changes
	// tells only what happens from now on.
	Cursor(ctx context.Context, folder FolderRef) (Cursor, error)
}

// Changes iterates over what happened in a folder since a place in its history,
// page by page, each with the Cursor behind it: keep that once the page has been
// dealt with, and nothing is lost or told twice, whatever happens to the program
// in between. From the zero Cursor on, all messages are added. The last page has
// no More; where nothing happened, it is the only one, and empty. The zero folder
// is the inbox. A nil opts means the zero SyncOptions.
//
// Where the history is gone, the first item is an error that wraps
// [ErrCursorExpired]. A loop that goes on is given the folder anew, as from the
// zero Cursor, in pages of which the first has Reset set. Any other error is the
// last item.
//
// Where the backend cannot tell changes, the error wraps
// [errors.ErrUnsupported].
func (s *Session) Changes(ctx context.Context, folder FolderRef, since Cursor, opts *SyncOptions) iter.Seq2[Changes, error] {
	syncer, err := readingAs[Syncer](s, "tell changes")
	if err != nil {
		return failed[Changes](err)
	}
	var o SyncOptions
	if opts != nil {
		o = *opts
	}
	return syncer.Changes(ctx, folder, since, o)
}

// Cursor returns the present place in a folder's history, so that
// [Session.Changes] tells only what happens from now on. The zero folder is the
// inbox.
func (s *Session) Cursor(ctx context.Context, folder FolderRef) (Cursor, error) {
	syncer, err := readingAs[Syncer](s, "tell changes")
	if err != nil {
		return Cursor{}, err
	}
	return syncer.Cursor(ctx, folder)
}
