package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Namespace says whose a folder is (RFC 2342).
type Namespace string

// The namespaces. Where a server does not tell them, every folder is Personal.
const (
	// Personal: the user's own.
	Personal Namespace = ""
	// OtherUsers: another user's, who lets this one use it.
	OtherUsers Namespace = "other users"
	// Shared: nobody's in particular.
	Shared Namespace = "shared"
)

// FolderOptions say what [Session.ListFolders] lists and tells. The zero value is
// what [Session.Folders] does.
type FolderOptions struct {
	// Foreign lists the folders in the namespaces [OtherUsers] and [Shared] too.
	// A server may know very many of them.
	Foreign bool
	// Counts fills in [Folder.Counts]. Servers that cannot count in a listing
	// are asked once a folder.
	Counts bool
	// Subscribed fills in [Folder.Subscribed].
	Subscribed bool
}

// FolderLister lists folders with more about them. It is a further interface of
// an [Incoming]; see [Session.ListFolders].
type FolderLister interface {
	ListFolders(ctx context.Context, opts FolderOptions) iter.Seq2[Folder, error]
}

// ListFolders iterates over the folders of the mailbox as Folders does, over
// those that others share with the user where the options say so, and tells of
// each what they ask for. Nil options are the zero ones. An error is the last
// item.
//
// Where the backend has no such listing, it is made of Folders and Count; what
// neither of them tells ends in an error that wraps [errors.ErrUnsupported].
func (s *Session) ListFolders(ctx context.Context, opts *FolderOptions) iter.Seq2[Folder, error] {
	in, err := s.reader("list folders")
	if err != nil {
		return failed[Folder](err)
	}
	var o FolderOptions
	if opts != nil {
		o = *opts
	}
	if l, ok := As[FolderLister](in); ok {
		return l.ListFolders(ctx, o)
	}
	counter, counts := As[Counter](in)
	switch {
	case o.Subscribed:
		return failed[Folder](fmt.Errorf("session: list folders: the incoming backend knows no subscriptions: %w", errors.ErrUnsupported))
	case o.Counts && !counts:
		return failed[Folder](fmt.Errorf("session: list folders: the incoming backend cannot count messages: %w", errors.ErrUnsupported))
	case o.Counts:
		return counted(ctx, in, counter)
	}
	return in.Folders(ctx)
}

// counted lists folders and counts each by itself, once all are listed.
func counted(ctx context.Context, in Incoming, counter Counter) iter.Seq2[Folder, error] {
	return func(yield func(Folder, error) bool) {
		var all []Folder
		for f, err := range in.Folders(ctx) {
			if err != nil {
				yield(Folder{}, err)
				return
			}
			all = append(all, f)
		}
		for _, f := range all {
			if !f.NoMessages {
				counts, err := counter.Count(ctx, f.Ref())
				switch {
				case errors.Is(err, ErrNoFolder): // it went meanwhile
					continue
				case err != nil:
					yield(Folder{}, err)
					return
				}
				f.Counts = &counts
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}
