package imapx

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/spool"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// spoolBatch is how many messages are read ahead where no connection can be
// held.
const spoolBatch = 16

// Bodies implements [session.Fetcher]. Messages come folder by folder, by
// commands that ask for many, straight from a connection that the loop holds.
// All loops together hold all connections but one; a loop beyond that reads its
// messages ahead.
func (c *Client) Bodies(ctx context.Context, ids ...session.ID) iter.Seq2[session.Body, error] {
	return func(yield func(session.Body, error) bool) {
		b := &bulk{client: c, yield: yield}
		select {
		case c.streams <- struct{}{}:
			defer func() { <-c.streams }()
		default:
			b.ahead = true
		}
		groups, order := b.group(ids)
		for _, scope := range order {
			if !b.stopped {
				b.folder(ctx, scope, groups[scope])
			}
		}
	}
}

// bulk is one loop over bodies.
type bulk struct {
	client  *Client
	yield   func(session.Body, error) bool
	stopped bool
	ahead   bool // messages are read ahead, and no connection is held meanwhile

	scope   session.IDParts
	left    []uint32         // ascending; not told yet
	bad     map[uint32]error // what is wrong with the answer for a message
	lost    error            // an answer that named no message
	first   bool             // nothing was asked of this folder yet
	single  bool             // the server refuses to answer for several
	behind  bool             // a connection was cut, since a literal had another size than was announced
	spooled []spooled
}

// spooled is a message that was read ahead, or why it cannot be read.
type spooled struct {
	uid   uint32
	spool *spool.Spool
	err   error
}

// group sorts ids by folder. Ids of others are told at once.
func (b *bulk) group(ids []session.ID) (groups map[session.IDParts][]uint32, order []session.IDParts) {
	groups = map[session.IDParts][]uint32{}
	for _, id := range ids {
		scope, uid, err := b.client.own(id)
		if err != nil {
			b.tell(session.Body{ID: id}, &session.ItemError{ID: id, Err: err})
			continue
		}
		scope.Key = ""
		if groups[scope] == nil {
			order = append(order, scope)
		}
		groups[scope] = append(groups[scope], uid)
	}
	return groups, order
}

// tell gives the loop one item.
func (b *bulk) tell(body session.Body, err error) {
	if !b.stopped && !b.yield(body, err) {
		b.stopped = true
	}
}

// fail tells of one message that it cannot be read.
func (b *bulk) fail(uid uint32, err error) {
	b.done(uid)
	b.spooled = append(b.spooled, spooled{uid: uid, err: err})
	if !b.ahead {
		b.tellSpooled()
	}
}

// done takes a message off what is left, mostly the first.
func (b *bulk) done(uid uint32) {
	switch i, found := slices.BinarySearch(b.left, uid); {
	case !found:
	case i == 0:
		b.left = b.left[1:]
	default:
		b.left = slices.Delete(b.left, i, i+1)
	}
}

// folder tells the messages of one folder. Where a try brings nothing more, the
// rest is not there.
func (b *bulk) folder(ctx context.Context, scope session.IDParts, uids []uint32) {
	slices.Sort(uids)
	b.scope, b.left = scope, slices.Compact(uids)
	b.bad, b.lost, b.first, b.single = map[uint32]error{}, nil, true, false
	vain := false
	for len(b.left) > 0 && !b.stopped {
		before := len(b.left)
		b.behind = false
		err := b.try(ctx)
		b.tellSpooled()
		progress := len(b.left) < before || b.behind
		switch e, answered := errors.AsType[*Error](err); {
		case b.stopped:
		case err == nil && !progress && vain:
			b.giveUp()
		case err == nil || progress && (b.behind || backend.IsLost(err)):
			vain = !progress
		case backend.IsLost(err) && !vain:
			vain = true
		case errors.Is(err, session.ErrStaleID), errors.Is(err, session.ErrNoFolder):
			b.lost = err
			b.giveUp()
		case answered && e.Type != "BYE" && !session.NeedsSignIn(err) && !e.Temporary() && !b.single:
			b.single = true
		default:
			b.tell(session.Body{}, err)
			b.stopped = true
		}
	}
}

// giveUp tells of all that is left that it cannot be read.
func (b *bulk) giveUp() {
	for _, uid := range slices.Clone(b.left) {
		err := b.bad[uid]
		if err == nil {
			err = b.lost
		}
		if err == nil {
			err = fmt.Errorf("%s: fetch: %w", b.client.address, session.ErrNoMessage)
		}
		b.fail(uid, err)
	}
	b.tellSpooled()
}

// try asks for what is left over one connection.
func (b *bulk) try(ctx context.Context) error {
	return b.client.do(ctx, "bodies", func(cn *conn) error {
		scope := b.scope
		enter := b.client.enterAfresh
		if b.first {
			// The connection mostly knows the messages. Those that it does not are
			// asked for again.
			enter, b.first = b.client.enter, false
		}
		s, err := enter(cn, scope.Folder, b.client.setup.ReadOnly)
		if err == nil {
			err = b.client.current(cn, s, scope.Validity)
		}
		if err != nil {
			return err
		}
		uids := slices.Clone(b.left)
		if b.ahead {
			uids = uids[:min(len(uids), spoolBatch)]
		}
		parts := sets(uids)
		if b.single {
			parts = slices.Collect(slices.Chunk(uids, 1))
		}
		for _, part := range parts {
			err := b.fetch(cn, part)
			if e, answered := errors.AsType[*Error](err); b.single && answered && e.Type != "BYE" && !e.Temporary() {
				b.fail(part[0], e)
				err = nil
			}
			if err != nil || b.stopped {
				return err
			}
		}
		return nil
	}, func() bool { return false }, slog.String("folder", b.scope.Folder), slog.Int("messages", len(b.left)))
}

// errStopped ends a command whose answers nobody wants any more.
var errStopped = errors.New("the loop has ended")

func (b *bulk) fetch(cn *conn, uids []uint32) error {
	err := cn.run("fetch", "UID FETCH "+formatSet(uids)+" (UID BODY.PEEK[])", func(name string, sc *scanner) error {
		if name != "FETCH" {
			return nil
		}
		err := b.answer(cn, sc)
		if b.stopped {
			// What is left may be long.
			cn.wire.Kill(errStopped)
			return errStopped
		}
		if itemError(err) && !b.behind {
			b.lost = fmt.Errorf("%s: fetch: %w", cn.address, err)
			return nil
		}
		return err
	})
	if b.stopped {
		return nil
	}
	return err
}

// answer reads one FETCH response. A body ahead of the message's number is kept
// until that is known.
func (b *bulk) answer(cn *conn, sc *scanner) (err error) {
	if !sc.accept('(') {
		return sc.malformed("a list")
	}
	var uid uint32
	var early *spool.Spool
	defer func() {
		if early != nil {
			early.Close()
		}
		if itemError(err) && uid != 0 {
			b.bad[uid] = fmt.Errorf("%s: fetch: %w", cn.address, err)
		}
	}()
	for !sc.accept(')') {
		switch name := strings.ToUpper(string(sc.name())); {
		case name == "":
			return sc.malformed("an item's name")
		case name == "UID":
			n, err := sc.number()
			if err != nil {
				return err
			}
			uid = uint32(min(n, 1<<32-1))
		case name == "BODY[]" && uid != 0 && b.waits(uid):
			return b.stream(cn, sc, uid)
		case name == "BODY[]" && uid == 0 && early == nil && sc.peek() != atEnd:
			early = &spool.Spool{}
			if err := spoolValue(sc, early); err != nil {
				return err
			}
		default:
			if err := sc.skip(); err != nil {
				return err
			}
		}
	}
	if early != nil && b.waits(uid) {
		b.give(uid, early)
		if b.ahead {
			early = nil // it lives until it is told
		}
	}
	return nil
}

// waits reports whether the loop still wants the message.
func (b *bulk) waits(uid uint32) bool {
	_, found := slices.BinarySearch(b.left, uid)
	return found
}

// give hands a whole message over, now or, where messages are read ahead, later.
func (b *bulk) give(uid uint32, s *spool.Spool) {
	b.done(uid)
	if b.ahead {
		b.spooled = append(b.spooled, spooled{uid: uid, spool: s})
		return
	}
	b.tell(session.Body{ID: withKey(b.scope, uid), Reader: s}, nil)
}

// tellSpooled gives the loop what was read ahead.
func (b *bulk) tellSpooled() {
	all := b.spooled
	b.spooled = nil
	for _, s := range all {
		id := withKey(b.scope, s.uid)
		if s.spool == nil {
			b.tell(session.Body{ID: id}, &session.ItemError{ID: id, Err: s.err})
			continue
		}
		b.tell(session.Body{ID: id, Reader: s.spool}, nil)
		s.spool.Close()
	}
}

// stream gives the loop a message from the connection, or reads it ahead, and
// reads the response to its end.
func (b *bulk) stream(cn *conn, sc *scanner, uid uint32) error {
	body := &passing{bulk: b, conn: cn, scan: sc, id: withKey(b.scope, uid)}
	if sc.peek() != atLiteral {
		text, err := sc.text(maxHeader)
		if err != nil || text == nil {
			return err // NIL: the message is gone (RFC 2180 section 4.1)
		}
		s := &spool.Spool{}
		_ = s.Fill(bytes.NewReader(text)) // what is in memory can be read
		b.give(uid, s)
		return body.rest()
	}
	body.literal = sc.stream()
	if b.ahead {
		return b.spool(cn, body, uid)
	}
	b.done(uid)
	b.tell(session.Body{ID: body.id, Reader: body}, nil)
	if b.stopped {
		body.err = session.ErrClosed
		return nil
	}
	return body.pass()
}

// spool reads a message ahead.
func (b *bulk) spool(cn *conn, body *passing, uid uint32) error {
	s := &spool.Spool{}
	err := s.Fill(body)
	if err == nil {
		b.give(uid, s)
		return nil
	}
	s.Close()
	if item, ok := errors.AsType[*session.ItemError](err); ok {
		b.fail(uid, item.Err)
		return err
	}
	cn.wire.Kill(err) // it stands in the middle of a literal
	return err
}

// passing is a message that is read from the connection while the loop looks at
// it.
type passing struct {
	bulk    *bulk
	conn    *conn
	scan    *scanner
	id      session.ID
	literal *wire.Literal
	err     error
	failure error // why the response cannot be read to its end
}

// Read implements [io.Reader]. That every announced byte came is not enough: an
// answer that does not go on behind them was announced wrongly.
func (p *passing) Read(buf []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.literal.Read(buf)
	p.note(err)
	return n, p.err
}

// WriteTo implements [io.WriterTo]: the bytes go from the connection's buffer to
// w, with which an io.Copy has no buffer of its own to fill.
func (p *passing) WriteTo(w io.Writer) (n int64, err error) {
	if p.err == nil {
		n, err = p.literal.WriteTo(w)
		if err != nil && p.conn.wire.Err() == nil {
			return n, err // w takes no more
		}
		p.note(cmp.Or(err, io.EOF))
	}
	return n, untilEOF(p.err)
}

// untilEOF makes the error of an [io.WriterTo] of that of a reader.
func untilEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // what wraps it is another error
		return nil
	}
	return err
}

// note takes note of how reading goes.
func (p *passing) note(err error) {
	switch {
	case errors.Is(err, io.EOF):
		p.err = io.EOF
		if p.failure = p.close(); itemError(p.failure) {
			p.err = &session.ItemError{ID: p.id, Err: fmt.Errorf("%s: fetch: %w: %w", p.conn.address, io.ErrUnexpectedEOF, p.failure)}
		}
	case err != nil:
		p.err = p.conn.explain("fetch", err)
		p.failure = err
	}
}

// pass passes over what the loop did not read.
func (p *passing) pass() error {
	if p.err == nil {
		p.err = session.ErrClosed // valid until the next turn
		if p.failure = p.literal.Discard(); p.failure == nil {
			p.failure = p.close()
		}
	}
	return p.failure
}

// close reads what follows the message. Where that makes no sense, whether the
// next line begins an answer is anybody's guess.
func (p *passing) close() error {
	err := p.scan.resume()
	if err == nil {
		err = p.rest()
	}
	if itemError(err) {
		p.bulk.behind = true
		p.conn.wire.Kill(err)
	}
	return err
}

// rest reads the list to its end.
func (p *passing) rest() error {
	sc := p.scan
	for !sc.accept(')') {
		if len(sc.name()) == 0 {
			return sc.malformed("an item's name")
		}
		if err := sc.skip(); err != nil {
			return err
		}
	}
	if sc.peek() != atEnd {
		return sc.malformed("the end")
	}
	return nil
}

// spoolValue keeps a string of any kind.
func spoolValue(sc *scanner, s *spool.Spool) error {
	if sc.peek() != atLiteral {
		text, err := sc.text(maxHeader)
		_ = s.Fill(bytes.NewReader(text)) // what is in memory can be read
		return err
	}
	if err := s.Fill(sc.stream()); err != nil {
		sc.wire.Kill(err) // it stands in the middle of a literal
		return err
	}
	return sc.resume()
}
