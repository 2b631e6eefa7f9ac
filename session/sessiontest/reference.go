package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// Reference is a mail server in memory over a [mailtest.Box], and the backends
// for it: what a backend has to do, in as few words as can be. Its protocol is
// one of its own: a connection a call, questions and answers as lines of JSON,
// and the bytes of messages in chunks of announced length.
type Reference struct {
	// Box holds the accounts. Mail to their addresses arrives in their
	// inboxes, and all other recipients are refused.
	Box *mailtest.Box
	// Facts are what the way in can do; see [ReferenceFacts]. What they lack is
	// refused.
	Facts session.Facts
	// PageSize is how many summaries are asked for at once; zero means 10.
	PageSize int
	// MaxMessage is the size in bytes of the largest message that is taken;
	// zero means 1 MiB.
	MaxMessage int64

	// noResume has a listing end where its line is lost.
	noResume bool
	// noAlarm has a client that listens wait for ever on a silent line.
	noAlarm bool
}

// referenceName is the backend in ids.
const referenceName = "reference"

// ReferenceFacts returns the facts of a Reference that lacks nothing.
func ReferenceFacts() session.Facts {
	return session.Facts{
		Backend: referenceName, Keywords: true, FreeKeywords: true, SafeMove: true, SafeDelete: true, NewIDs: true,
		Versions: true, ObjectIDs: true, Labels: true, Native: "words", AfterGone: true,
	}
}

// Dial connects to the server, which serves the connection until it is closed.
// The arguments say nothing to it.
func (r *Reference) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := pipe.New()
	go r.serve(server)
	return client, nil
}

// Incoming returns the way in over dial.
func (r *Reference) Incoming(dial Dial) session.IncomingBackend {
	return func(s session.Setup) (session.Incoming, error) {
		c := &referenceClient{server: r, dial: dial, creds: s.Credentials, done: make(chan struct{})}
		c.mailbox = session.Fingerprint(referenceName, s.Credentials.User)
		return c, nil
	}
}

// Outgoing returns the way out over dial.
func (r *Reference) Outgoing(dial Dial) session.OutgoingBackend {
	return func(s session.Setup) (session.Outgoing, error) {
		c := &referenceClient{server: r, dial: dial, creds: s.Credentials, done: make(chan struct{})}
		return referenceSender{c}, nil
	}
}

// referenceClient is the way in, and what the way out shares with it.
type referenceClient struct {
	server  *Reference
	dial    Dial
	creds   session.Credentials
	mailbox string

	done  chan struct{} // closed by Close
	close sync.Once
}

// Close implements [session.Incoming].
func (c *referenceClient) Close() error {
	c.close.Do(func() { close(c.done) })
	return nil
}

// call is one connection with one question on it.
type call struct {
	*talk

	ctx  context.Context //nolint:containedctx // a call is its context's view of a connection
	stop context.CancelCauseFunc
}

// ask makes a connection and sends a question. Closing the backend ends the
// call as the end of its context does.
func (c *referenceClient) ask(ctx context.Context, q question) (*call, error) {
	ctx, stop := context.WithCancelCause(ctx)
	select {
	case <-c.done:
		stop(session.ErrClosed)
	default:
	}
	if ctx.Err() != nil {
		defer stop(nil)
		return nil, fmt.Errorf("%s: %s: %w", referenceName, q.Op, context.Cause(ctx))
	}
	conn, err := c.dial(ctx, "tcp", referenceName+":1")
	if err != nil {
		stop(nil)
		return nil, fmt.Errorf("%s: %s: %w", referenceName, q.Op, err)
	}
	k := &call{talk: newTalk(conn), ctx: ctx, stop: stop}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // to end the call is all there is to do
	go func() {
		select {
		case <-c.done:
			stop(session.ErrClosed)
		case <-ctx.Done():
		}
	}()
	q.User, q.Password = c.creds.User, c.creds.Password.Reveal()
	if err := k.put(q); err != nil {
		return nil, k.end(fmt.Errorf("%s: %s: %w: %w", referenceName, q.Op, io.ErrUnexpectedEOF, err)) // the line was cut
	}
	return k, nil
}

// end closes the connection and returns what to say of err: the end of the
// context is the cause of all that follows from it.
func (k *call) end(err error) error {
	if err != nil && k.ctx.Err() != nil {
		err = fmt.Errorf("%s: %w", referenceName, context.Cause(k.ctx))
	}
	k.stop(nil)
	return errors.Join(err, ignoreClosed(k.conn.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// collect asks a question that changes nothing and returns its answers, from
// another connection where the first is lost.
func (c *referenceClient) collect(ctx context.Context, q question) ([]answer, error) {
	all, err := c.collectOnce(ctx, q)
	if errors.Is(err, io.ErrUnexpectedEOF) && !c.server.noResume {
		all, err = c.collectOnce(ctx, q)
	}
	return all, err
}

func (c *referenceClient) collectOnce(ctx context.Context, q question) ([]answer, error) {
	k, err := c.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []answer
	for {
		a, err := k.take()
		if err == nil {
			err = a.failure(q.Op)
		}
		if err != nil {
			return nil, k.end(err)
		}
		if a.End {
			return all, k.end(nil)
		}
		all = append(all, a)
	}
}

// Facts implements [session.Incoming].
func (c *referenceClient) Facts(ctx context.Context) (session.Facts, error) {
	_, err := c.collect(ctx, question{Op: "facts"})
	return c.server.Facts, err
}

// Folders implements [session.Incoming].
func (c *referenceClient) Folders(ctx context.Context) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		all, err := c.collect(ctx, question{Op: "folders"})
		if err != nil {
			yield(session.Folder{}, err)
			return
		}
		for _, a := range all {
			if !yield(session.Folder{Path: a.Folder, Role: session.Role(a.Role)}, nil) {
				return
			}
		}
	}
}

// Messages implements [session.Incoming].
func (c *referenceClient) Messages(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	return func(yield func(*session.Message, error) bool) {
		q.Folder = cmp.Or(q.Folder, session.Inbox)
		q.Fields = cmp.Or(q.Fields, session.FieldsAll)
		after, err := c.after(q.After)
		if err != nil {
			yield(nil, err)
			return
		}
		found, err := c.collect(ctx, question{Op: "search", Folder: string(q.Folder), Query: q, After: after})
		if err != nil {
			yield(nil, err)
			return
		}
		for page := range slices.Chunk(found, cmp.Or(c.server.PageSize, 10)) {
			keys := make([]uint32, 0, len(page))
			for _, a := range page {
				keys = append(keys, a.Key)
			}
			all, err := c.collect(ctx, question{Op: "fetch", Folder: "path:" + page[0].Folder, Query: q, Keys: keys})
			if err != nil {
				yield(nil, err)
				return
			}
			if !c.yieldPage(page, all, yield) {
				return
			}
		}
	}
}

// yieldPage tells the messages of a page in the order in which they were
// found. What was removed meanwhile is left out.
func (c *referenceClient) yieldPage(page, all []answer, yield func(*session.Message, error) bool) bool {
	for i, a := range all {
		if a.bad != nil && i < len(page) {
			if !yield(nil, &session.ItemError{ID: c.id(page[i]), Err: a.bad}) {
				return false
			}
			continue
		}
		if !yield(c.summary(a), nil) {
			return false
		}
	}
	return true
}

// summary returns what an answer tells of a message.
func (c *referenceClient) summary(a answer) *session.Message {
	return &session.Message{
		ID: c.id(a), Flags: flagsOf(a.Flags), Received: a.Received, Size: a.Size,
		Header: message.ParseHeader(a.Header), Structure: a.Structure, Preview: a.Preview,
		Version: session.Version(a.Version), EmailID: a.Email, ThreadID: a.Thread, Labels: a.Labels,
	}
}

func (c *referenceClient) id(a answer) session.ID {
	return session.NewID(session.IDParts{
		Backend: referenceName, Mailbox: c.mailbox, Folder: a.Folder,
		Validity: strconv.FormatUint(uint64(a.Validity), 10), Key: strconv.FormatUint(uint64(a.Key), 10),
	})
}

// after takes the place apart that a listing goes on behind; the zero one is its
// beginning.
func (c *referenceClient) after(id session.ID) (place, error) {
	if id.IsZero() {
		return place{}, nil
	}
	return c.own(id)
}

// own takes an id of this mailbox apart.
func (c *referenceClient) own(id session.ID) (place, error) {
	parts, err := id.Parts()
	if err != nil {
		return place{}, err
	}
	if parts.Backend != referenceName || parts.Mailbox != c.mailbox {
		return place{}, fmt.Errorf("%s: message %v: %w", referenceName, id, session.ErrOtherMailbox)
	}
	validity, err1 := strconv.ParseUint(parts.Validity, 10, 32)
	key, err2 := strconv.ParseUint(parts.Key, 10, 32)
	if err := cmp.Or(err1, err2); err != nil {
		return place{}, fmt.Errorf("%s: %q is not the id of a message: %w", referenceName, id, err)
	}
	return place{Folder: parts.Folder, Validity: uint32(validity), Key: uint32(key)}, nil
}

// Open implements [session.Incoming].
func (c *referenceClient) Open(ctx context.Context, id session.ID) (io.ReadCloser, error) {
	p, err := c.own(id)
	if err != nil {
		return nil, err
	}
	return c.openAgain(ctx, question{Op: "open", Places: []place{p}})
}

// openAgain opens a body, over another connection where the first is lost.
func (c *referenceClient) openAgain(ctx context.Context, q question) (io.ReadCloser, error) {
	b, err := c.open(ctx, q)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		b, err = c.open(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (c *referenceClient) open(ctx context.Context, q question) (*referenceBody, error) {
	k, err := c.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	a, err := k.take()
	if err == nil {
		err = a.failure("open")
	}
	if err != nil {
		return nil, k.end(err)
	}
	return &referenceBody{call: k}, nil
}

// referenceBody is a message being read.
type referenceBody struct {
	call *call
	turn sync.Mutex // of who reads or closes
	left int64
	err  error
}

// Read implements [io.Reader].
func (b *referenceBody) Read(p []byte) (int, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.call.chunk(p, &b.left)
	if err == nil {
		return n, nil
	}
	if b.err = io.EOF; !errors.Is(err, io.EOF) {
		b.err = b.call.end(err)
		return n, b.err
	}
	_ = b.call.end(nil) // the message is whole
	return n, io.EOF
}

// Close implements [io.Closer].
func (b *referenceBody) Close() error {
	b.call.stop(session.ErrClosed) // nobody wants what comes to whoever reads
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.err == nil {
		_ = b.call.end(nil) // what was not read does not matter
	}
	b.err = session.ErrClosed
	return nil
}

// Apply implements [session.Incoming]. It asks once: what was lost may have
// been carried out.
func (c *referenceClient) Apply(ctx context.Context, change session.Change, ids ...session.ID) ([]session.Result, error) {
	results := make([]session.Result, len(ids))
	q := question{Op: "apply", Change: change}
	var asked []int
	for i, id := range ids {
		results[i].ID = id
		p, err := c.own(id)
		if err != nil {
			results[i].Outcome, results[i].Err = session.NotDone, err
			continue
		}
		q.Places, asked = append(q.Places, p), append(asked, i)
	}
	err := c.checkFlags(change)
	if err == nil && len(asked) > 0 {
		err = c.carryOut(ctx, q, asked, results)
		if errors.Is(err, errRefused) {
			return results, nil
		}
	}
	for _, i := range asked {
		if r := &results[i]; err != nil && r.Outcome == session.DoneUnknown && r.Err == nil {
			r.Err = err
			if !errors.Is(err, errAsked) {
				r.Outcome = session.NotDone
			}
		}
	}
	return results, err
}

// errAsked marks what was lost after the question was on its way, and
// errRefused what the server refused as a whole, which the results tell.
var (
	errAsked   = errors.New("the answer was lost")
	errRefused = errors.New("refused")
)

func (c *referenceClient) carryOut(ctx context.Context, q question, asked []int, results []session.Result) error {
	k, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	for _, i := range asked {
		a, err := k.take()
		if err != nil {
			return fmt.Errorf("%w: %w", errAsked, k.end(err))
		}
		r := &results[i]
		if r.Err = a.failure("apply"); r.Err != nil {
			r.Outcome = session.NotDone
			continue
		}
		r.Outcome = session.Done
		if a.Key != 0 && c.server.Facts.NewIDs {
			r.NewID = c.id(a)
		}
	}
	return k.end(nil)
}

// checkFlags refuses what is no flag.
func (c *referenceClient) checkFlags(change session.Change) error {
	if err := change.Check(); err != nil {
		return err
	}
	for _, f := range slices.Concat(change.Set, change.Clear) {
		if !isFlag(string(f), c.server.Facts.FreeKeywords) {
			return fmt.Errorf("%s: %q cannot be a flag", referenceName, f)
		}
	}
	return nil
}

// SpoilReference is what [Incoming.Spoil] is for a Reference.
func SpoilReference(n int) (old, broken string) {
	key := strconv.Itoa(n)
	return `"Key":` + key + `,"Received"`, `"Key":` + key + `,!Received"`
}
