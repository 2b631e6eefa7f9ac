package session

import "context"

// Quota is a limit that a server sets on what a mailbox holds (RFC 9208).
type Quota struct {
	// Root is the server's name of the limit, mostly empty. Folders that have a
	// root in common fill the same room.
	Root string
	// Bytes is the size of the messages together. Servers count in units of
	// 1,024 bytes.
	Bytes Usage
	// Messages is how many messages there are.
	Messages Usage
}

// Usage is how much of something there is, and how much there may be.
type Usage struct {
	// Used may be above Limit, and is -1 where the server does not tell it.
	Used int64
	// Limit is -1 where there is none.
	Limit int64
}

// Left returns how much there is room for, zero where the limit is reached or
// passed. It is ok where there is a limit, and the server tells how much is used.
func (u Usage) Left() (left int64, ok bool) {
	return max(u.Limit-u.Used, 0), u.Limit >= 0 && u.Used >= 0
}

// Quotas tells the limits of a mailbox. It is a further interface of an
// [Incoming]; see [Session.Quota].
type Quotas interface {
	Quota(ctx context.Context, folder FolderRef) ([]Quota, error)
}

// Quota returns the limits on what a folder holds, mostly one for the mailbox as
// a whole. There are none where the server sets no limit. The zero folder is the
// inbox; a folder of somebody else has the limits of its owner. Where the server
// tells no limits, the error wraps [errors.ErrUnsupported]; see [Facts.Quota]. A
// mailbox that is full refuses what is put into it with [ErrOverQuota].
func (s *Session) Quota(ctx context.Context, folder FolderRef) ([]Quota, error) {
	q, err := readingAs[Quotas](s, "ask for the quota")
	if err != nil {
		return nil, err
	}
	return q.Quota(ctx, folder)
}
