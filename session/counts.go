package session

import "context"

// Counts is how much a folder holds, as the server counts it.
type Counts struct {
	// Messages is how many there are, Unread how many of them are not [Seen].
	Messages, Unread int64
	// Bytes is their size in all, -1 where the server does not count it.
	Bytes int64
}

// Counter counts the messages of a folder. It is a further interface of an
// [Incoming]; see [Session.Count].
type Counter interface {
	Count(ctx context.Context, folder FolderRef) (Counts, error)
}

// Count returns how much a folder holds, without listing it. The zero folder is
// the inbox. Folders does not count, since at many servers that takes a question
// for each folder; [Session.ListFolders] does where it is told to.
func (s *Session) Count(ctx context.Context, folder FolderRef) (Counts, error) {
	c, err := readingAs[Counter](s, "count messages")
	if err != nil {
		return Counts{}, err
	}
	return c.Count(ctx, folder)
}
