package session

import (
	"context"
	"iter"
	"time"
)

// NoticeKind is why a [Notice] comes.
type NoticeKind int

// The kinds of notices.
const (
	// Listening: from now on the server tells of what happens in the Folder. It
	// comes first for each folder, and again each time when the line was lost and
	// is there again: what happened in between is in [Session.Changes] alone.
	Listening NoticeKind = iota
	// Activity: something happened in the Folder, or may have.
	Activity
)

// Notice is a backend's word that it is worth asking for the changes of a folder.
type Notice struct {
	Kind   NoticeKind
	Folder FolderRef
}

// NotifyOptions are the settings of a [Notifier]. The zero value works.
type NotifyOptions struct {
	// Interval is the time between two looks where the server tells nothing by
	// itself; zero, like anything below, means the backend's own default.
	Interval time.Duration
}

// Notifier tells that something happened, at once where the protocol can. It is a
// further interface of an [Incoming], on which [Session.Watch] stands.
//
// It tells nothing of what happened: notices may come for nothing, and those that
// come while the loop is busy are merged, whatever their number. The lines are
// kept alive meanwhile. A line that was lost is replaced, with growing waits
// between the tries, also over errors that are [Temporary]; any other error is
// the last item. The iteration ends with the context, and with its error.
type Notifier interface {
	Notify(ctx context.Context, folders []FolderRef, opts NotifyOptions) iter.Seq2[Notice, error]
}
