package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// Messages implements [session.Incoming]. It asks for the numbers of all
// messages that the server's part of the query matches and then, page by page,
// for their summaries, and for what the rest of the query has to be compared
// with.
func (c *Client) Messages(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	return func(yield func(*session.Message, error) bool) {
		l, err := c.search(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for len(l.uids) > 0 {
			items, err := l.next(ctx)
			for i, it := range items {
				items[i] = item{} // the loop may let go of it
				if !yield(it.message, it.err) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// listing is what a query found, in the order it is to be told.
type listing struct {
	client *Client
	query  session.Query
	folder string // the server's name
	scope  session.IDParts
	plan   *plan
	uids   []uint32 // what is left of it

	paged bool // a page was asked for
	told  int  // items so far
	vain  int  // messages that were looked at here and do not match
}

func (c *Client) search(ctx context.Context, q session.Query) (*listing, error) {
	if err := checkQuery(q); err != nil {
		return nil, err
	}
	q.Folder = cmp.Or(q.Folder, session.Inbox)
	q.Fields = cmp.Or(q.Fields, session.FieldsAll)
	l, err := c.find(ctx, q)
	if errors.Is(err, session.ErrNoFolder) && c.forget() {
		l, err = c.find(ctx, q) // the folder may have got another name
	}
	return l, err
}

func (c *Client) find(ctx context.Context, q session.Query) (*listing, error) {
	name, err := c.resolve(ctx, q.Folder)
	if err != nil {
		return nil, err
	}
	l := &listing{client: c, query: q, folder: name}
	after, err := c.afterOf(q, name)
	if err != nil {
		return nil, err
	}
	err = c.read(ctx, "search", func(cn *conn) error {
		s, err := c.enterAfresh(cn, name, c.setup.ReadOnly)
		if err != nil {
			return err
		}
		l.scope = c.scope(s)
		if after.Key = ""; !q.After.IsZero() && after != l.scope {
			return fmt.Errorf("%s: folder %s: go on behind %v: %w", cn.address, shownName(name), q.After, session.ErrStaleID)
		}
		l.plan, l.uids, err = c.planned(cn, q, l.scope)
		return err
	}, slog.String("folder", name))
	if err != nil {
		return nil, err
	}
	if !q.After.IsZero() {
		// A set with an asterisk names the last message whatever its number is.
		l.uids = slices.DeleteFunc(l.uids, func(uid uint32) bool { return !l.plan.page.behind(uid) })
	}
	if !q.OldestFirst {
		slices.Reverse(l.uids)
	}
	if l.plan.local == nil && q.Limit > 0 && len(l.uids) > q.Limit {
		l.uids = l.uids[:q.Limit]
	}
	return l, nil
}

// afterOf takes the place apart that the query goes on behind.
func (c *Client) afterOf(q session.Query, folder string) (session.IDParts, error) {
	if q.After.IsZero() {
		return session.IDParts{}, nil
	}
	parts, _, err := c.own(q.After)
	if err == nil && parts.Folder != folder {
		err = fmt.Errorf("%s: folder %s: go on behind %v: %w", c.address, shownName(folder), q.After, session.ErrOtherFolder)
	}
	return parts, err
}

// scope returns the parts that the ids of a folder's messages share.
func (c *Client) scope(s *selected) session.IDParts {
	return session.IDParts{
		Backend: "imap", Mailbox: c.mailbox, Folder: s.name,
		Validity: strconv.FormatUint(uint64(s.validity), 10),
	}
}

func withKey(scope session.IDParts, uid uint32) session.ID {
	scope.Key = strconv.FormatUint(uint64(uid), 10)
	return session.NewID(scope)
}

// item is a message or why there is none.
type item struct {
	uid       uint32
	message   *session.Message
	previewed bool // the server had a preview
	err       error
}

// page asks for the summaries of some messages, in the order of uids. Messages
// that were removed meanwhile are left out.
func (l *listing) page(ctx context.Context, uids []uint32) ([]item, error) {
	ascending := slices.Sorted(slices.Values(uids))
	var got []fetched
	var lost error
	err := l.client.read(ctx, "fetch", func(cn *conn) error {
		if err := l.enter(cn); err != nil {
			return err
		}
		var err error
		got, lost, err = cn.fetchAll(ascending, l.wanted())
		return err
	}, slog.String("folder", l.folder), slog.Int("messages", len(uids)))
	if err != nil {
		return nil, err
	}
	return l.items(uids, got, lost), nil
}

// enter opens the folder, in which the numbers have to mean what they meant.
func (l *listing) enter(cn *conn) error {
	s, err := l.client.enter(cn, l.folder, l.client.setup.ReadOnly)
	if err != nil {
		return err
	}
	if l.client.scope(s) != l.scope {
		return fmt.Errorf("%s: folder %s: %w", cn.address, shownName(l.folder), session.ErrStaleID)
	}
	return nil
}

// wanted returns what to fetch of every message.
func (l *listing) wanted() session.Reads {
	return session.Reads{Fields: l.query.Fields | l.plan.reads.Fields, WholeHeader: l.plan.reads.WholeHeader}
}

func (l *listing) items(uids []uint32, got []fetched, lost error) []item {
	items := make([]item, 0, len(uids))
	asked := l.wanted().Fields&session.FieldStructure != 0
	for _, uid := range uids {
		id := withKey(l.scope, uid)
		i, found := find(got, uid)
		switch {
		case found && got[i].err != nil:
			items = append(items, item{uid: uid, err: &session.ItemError{ID: id, Err: got[i].err}})
		case found:
			m := got[i].message
			m.ID, m.Incomplete = id, got[i].missing(l.client.address, asked)
			items = append(items, item{uid: uid, message: m, previewed: got[i].previewed})
		case lost != nil:
			// One of the answers could not be told apart; it may be this one.
			items = append(items, item{uid: uid, err: &session.ItemError{ID: id, Err: lost}})
		}
	}
	return items
}

// Open implements [session.Incoming]. The reader holds a connection until it
// is closed or read to its end.
func (c *Client) Open(ctx context.Context, id session.ID) (io.ReadCloser, error) {
	return c.openSection(ctx, id, "[]")
}

// openSection opens a section of a message, such as "[1.2]".
func (c *Client) openSection(ctx context.Context, id session.ID, section string) (_ io.ReadCloser, err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "imap.open", slog.String("server", c.address))
	defer func() {
		end(err)
		c.report(ctx, "open", nil, err)
	}()
	parts, uid, err := c.own(id)
	if err != nil {
		return nil, err
	}
	l, err := c.pool.GetFor(ctx, has([]slog.Attr{slog.String("folder", parts.Folder)}))
	if err != nil {
		return nil, err
	}
	b, err := c.open(l, parts, uid, section)
	if backend.IsLost(err) {
		if err := l.Renew(); err != nil {
			return nil, err
		}
		b, err = c.open(l, parts, uid, section)
	}
	if err == nil {
		b.id = id
		return b, nil
	}
	l.Release()
	if concernsItem(err) {
		err = &session.ItemError{ID: id, Err: err}
	}
	return nil, err
}

// concernsItem tells what is wrong with one message from what would be wrong
// with every other.
func concernsItem(err error) bool {
	_, answered := errors.AsType[*Error](err)
	_, refused := errors.AsType[*session.AuthError](err)
	return itemError(err) || errors.Is(err, session.ErrNoMessage) || answered && !refused && !session.Temporary(err)
}

// open looks for the message, a second time after the server told what is new:
// another connection may have seen the message before this one.
func (c *Client) open(l *pool.Lease[*conn], parts session.IDParts, uid uint32, section string) (*body, error) {
	if err := c.enterFor(l.Conn, parts); err != nil {
		return nil, l.Conn.explain("open", err)
	}
	b, err := c.fetchBody(l, uid, section)
	if errors.Is(err, session.ErrNoMessage) {
		if err := l.Conn.refresh(); err != nil {
			return nil, err
		}
		b, err = c.fetchBody(l, uid, section)
	}
	return b, l.Conn.explain("open", err)
}

func (c *Client) fetchBody(l *pool.Lease[*conn], uid uint32, section string) (*body, error) {
	m, err := l.Conn.begin("open", fmt.Sprintf("UID FETCH %d (UID BODY.PEEK%s)", uid, section))
	if err != nil {
		return nil, err
	}
	var broken error
	for {
		name, sc, err := m.next()
		switch {
		case errors.Is(err, errDone):
			return nil, cmp.Or(broken, m.finish(errDone), l.Conn.noMessage("open"))
		case err != nil:
			return nil, m.finish(err)
		}
		if name == "FETCH" {
			b := &body{turn: backend.NewTurn(l.Conn.wire), lease: l, command: m, address: l.Conn.address}
			found, err := b.find(sc, uid)
			switch {
			case err == nil && found:
				return b, nil
			case itemError(err):
				broken = fmt.Errorf("%s: open: %w", l.Conn.address, err)
			case err != nil:
				return nil, m.finish(err)
			}
		}
		if err := sc.end(); err != nil {
			return nil, m.finish(err)
		}
	}
}

// body is a message being read.
type body struct {
	turn    *backend.Turn
	lease   *pool.Lease[*conn]
	command *command
	address string
	id      session.ID
	literal *wire.Literal // of a streamed body
	short   *strings.Reader
	err     error
}

// find looks for the body in a FETCH response. Where the message's number
// comes only behind it, the body is taken to be the one that was asked for.
func (b *body) find(sc *scanner, uid uint32) (bool, error) {
	if !sc.open() {
		return false, sc.malformed("a list")
	}
	for sc.more() {
		name := strings.ToUpper(string(sc.name()))
		switch {
		case name == "":
			return false, sc.malformed("an item's name")
		case name == "UID":
			n, err := sc.number()
			if err != nil || n != uint64(uid) {
				return false, err
			}
		case strings.HasPrefix(name, "BODY["):
			return b.take(sc)
		default:
			if err := sc.skip(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// take takes the body, of which NIL says that the message is gone (RFC 2180
// section 4.1).
func (b *body) take(sc *scanner) (found bool, err error) {
	if sc.peek() == atLiteral {
		b.literal = sc.stream()
		return true, nil
	}
	text, err := sc.text(maxHeader)
	b.short = strings.NewReader(string(text))
	return text != nil, err
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (n int, err error) {
	b.turn.Take()
	defer b.turn.Pass()
	if b.err != nil {
		return 0, b.err
	}
	if b.literal != nil {
		n, err = b.literal.Read(p)
	} else {
		n, err = b.short.Read(p)
	}
	b.note(err)
	return n, b.err
}

// WriteTo implements [io.WriterTo]; see [passing.WriteTo].
func (b *body) WriteTo(w io.Writer) (n int64, err error) {
	b.turn.Take()
	defer b.turn.Pass()
	if b.err == nil {
		if b.literal != nil {
			n, err = b.literal.WriteTo(w)
		} else {
			n, err = b.short.WriteTo(w)
		}
		if err != nil && b.lease.Conn.wire.Err() == nil {
			return n, err // w takes no more
		}
		b.note(cmp.Or(err, io.EOF))
	}
	return n, untilEOF(b.err)
}

// note takes note of how reading goes.
func (b *body) note(err error) {
	switch {
	case errors.Is(err, io.EOF):
		// Every announced byte came. A connection that breaks behind them changes
		// nothing; an answer that does not go on there was announced wrongly.
		b.err = io.EOF
		if err := b.end(true); itemError(err) {
			b.err = &session.ItemError{ID: b.id, Err: fmt.Errorf("%s: open: %w: %w", b.address, io.ErrUnexpectedEOF, err)}
		}
	case err != nil:
		b.err = b.lease.Conn.explain("open", err)
		_ = b.end(false) // the error is told already
	}
}

// drainLimit is how much of an unread body is read to save the connection.
const drainLimit = 256 << 10

// Close implements [io.Closer].
func (b *body) Close() error {
	b.turn.Seize()
	defer b.turn.Pass()
	if b.lease == nil {
		return nil
	}
	b.err = session.ErrClosed
	if b.literal != nil && b.literal.Left() > drainLimit {
		b.lease.Conn.wire.Kill(session.ErrClosed)
	}
	_ = b.end(true) // whoever closes a body does not want the rest
	return nil
}

// end gives the connection back. The error is what is wrong behind the body.
func (b *body) end(drain bool) error {
	if b.lease == nil {
		return nil
	}
	var behind error
	err := b.lease.Conn.wire.Err()
	if err == nil && drain {
		if behind, err = b.drain(); behind != nil {
			// Whether the next line begins an answer is anybody's guess.
			b.lease.Conn.wire.Kill(behind)
			err = behind
		}
	}
	_ = b.command.finish(err) // the body's own errors are told by Read
	b.turn.Leave()
	b.lease.Release()
	b.lease = nil
	return behind
}

// drain reads the answer to its end. Behind is set where it does not go on as
// it has to after the body.
func (b *body) drain() (behind, err error) {
	sc := &b.command.scan
	if b.literal != nil {
		if err := b.literal.Discard(); err != nil {
			return nil, err
		}
		if err := sc.resume(); err != nil {
			return nil, err
		}
	}
	for sc.more() {
		if len(sc.name()) == 0 {
			return sc.malformed("an item's name"), nil
		}
		if err := sc.skip(); itemError(err) {
			return err, nil
		} else if err != nil {
			return nil, err
		}
	}
	if sc.peek() != atEnd {
		return sc.malformed("the end"), nil
	}
	return nil, nil
}
