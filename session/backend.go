package session

import (
	"context"
	"io"
	"iter"

	"github.com/mailsession/mailsession/message"
)

// Incoming is a way to read and change mail. Programs use a [Session];
// backends implement this.
//
// A backend is made without I/O, dials when it is first used, dials again when
// its connection died and is safe for concurrent use. When a context ends, the
// call returns the context's error at once and the connection it used is
// closed.
type Incoming interface {
	// Folders iterates over the user's own folders. Those that others share are
	// left out, as far as the backend can tell. An error is the last item.
	Folders(ctx context.Context) iter.Seq2[Folder, error]

	// Messages iterates over summaries with the fields that q asks for,
	// newest first unless q says otherwise. It never sets \Seen. It takes a
	// page, lets go of the connection and then yields, so that any call is
	// legal inside the loop. A message that cannot be read is an
	// [*ItemError] beside a nil message, and the iteration goes on; any other
	// error is the last item.
	Messages(ctx context.Context, q Query) iter.Seq2[*Message, error]

	// Open returns the raw bytes of a message (RFC 5322), streamed. They end
	// in io.EOF only if all of them came, else in io.ErrUnexpectedEOF or the
	// cause. The reader may hold a connection until it is closed; it stays
	// bound to ctx. Another goroutine may close it while it is read, which
	// then ends in [ErrClosed].
	Open(ctx context.Context, id ID) (io.ReadCloser, error)

	// Apply makes the change to each message and returns one Result an id,
	// in the order of the ids. The error is nil where every Result could be
	// determined, even if some are NotDone.
	Apply(ctx context.Context, c Change, ids ...ID) ([]Result, error)

	// Facts tells what the backend can do here.
	Facts(ctx context.Context) (Facts, error)

	// Close ends all connections. Calls that are under way return an error
	// that wraps [ErrClosed], as do later ones.
	Close() error
}

// Outgoing is a way to send mail. Programs use a [Session]; backends implement
// this. What is said of connections and contexts at [Incoming] holds here too.
type Outgoing interface {
	// Send sends the message to every recipient of the envelope. The error
	// is nil only where all were accepted. Message and envelope are checked
	// before the first byte leaves.
	Send(ctx context.Context, e Envelope, m message.Source) (Receipt, error)

	// Close ends all connections.
	Close() error
}

// Facts is what a backend says of itself.
type Facts struct {
	// Backend is the protocol, such as "imap".
	Backend string
	// Server is how the server names itself, where it does.
	Server string
	// OneFolder says that there is but the inbox.
	OneFolder bool
	// NoFlags says that no flag can be kept on the server.
	NoFlags bool
	// Keywords says that flags other than the named ones can mostly be kept; a
	// folder may still refuse them.
	Keywords bool
	// FreeKeywords says that a keyword may be text of one line, blanks and letters
	// of any language included, such as the category "Red category" of Exchange;
	// what else it has to be the backend's package says. Without it a keyword is an
	// atom of IMAP (RFC 9051 section 9): printable ASCII without blanks and
	// without ( ) { % * " \ and ].
	FreeKeywords bool
	// SafeMove says that a move is one step on the server, or a copy that is
	// verified before the original goes; without it, moving is refused.
	SafeMove bool
	// SafeDelete says that deleting removes what was named and nothing else;
	// without it, deleting is refused.
	SafeDelete bool
	// NewIDs says that the id of a moved or copied message is told.
	NewIDs bool
	// Versions says that summaries have a [Message.Version], and that a change
	// may depend on it; see [Change.IfUnchanged]. A folder may still have none.
	Versions bool
	// ObjectIDs says that summaries have an EmailID and a ThreadID, which a
	// server may still leave out.
	ObjectIDs bool
	// Labels says that summaries have Labels, and that a change may add and remove
	// them.
	Labels bool
	// AfterGone says that [Query.After] may name a message that is gone; without
	// it the place of such a one is not known, which is [ErrNoMessage].
	AfterGone bool
	// Quota says that the limits of the mailbox are told; see [Session.Quota].
	Quota bool
	// Namespaces says that the folders of others are told from the user's own;
	// see [Folder.Namespace].
	Namespaces bool
	// Native is the server's own language of [Filter.Native], "X-GM-RAW" for
	// Gmail's. Where it is empty, such a filter is refused.
	Native string
}
