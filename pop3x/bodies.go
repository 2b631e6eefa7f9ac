package pop3x

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"slices"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/spool"
	"github.com/mailsession/mailsession/session"
)

// Bodies implements [session.Fetcher]. Messages come in the order in which they
// came to the maildrop, straight from the connection and, where the server takes
// that, asked for ahead. Where another call wants the connection, what was asked
// for is read ahead.
func (c *Client) Bodies(ctx context.Context, ids ...session.ID) iter.Seq2[session.Body, error] {
	return func(yield func(session.Body, error) bool) {
		b := &bulk{client: c, yield: yield, refused: map[session.ID]bool{}, turn: make(chan struct{}, 1)}
		defer b.finish()
		b.sort(ids)
		for len(b.left) > 0 && !b.stopped {
			b.session(ctx)
		}
	}
}

// bulk is one loop over bodies. It holds its turn but for the time in which the
// loop looks at a message.
type bulk struct {
	client  *Client
	yield   func(session.Body, error) bool
	stopped bool
	refused map[session.ID]bool // the server did not give the message
	fresh   bool                // only a session that begins now will do
	vain    bool                // the last one brought nothing

	left    map[session.ID]session.IDParts // not told yet
	lease   *pool.Lease[*conn]             // nil where there is no connection
	window  *window
	asked   []wanted // the messages of the window, those that were sent first
	turn    chan struct{}
	passing *passing
	spooled []spooled
	wants   bool // somebody wants the connection; the client's mutex guards it
}

// wanted is a message, and its number in a session.
type wanted struct {
	id     session.ID
	number int
	size   int64
}

// spooled is a message that was read ahead, or why it cannot be read.
type spooled struct {
	id    session.ID
	spool *spool.Spool
	err   error
}

// sort takes ids, each once. Those of others are told at once.
func (b *bulk) sort(ids []session.ID) {
	b.left = make(map[session.ID]session.IDParts, len(ids))
	for _, id := range ids {
		if _, twice := b.left[id]; twice || b.stopped {
			continue
		}
		parts, err := b.client.own(id)
		if err != nil {
			b.tell(session.Body{ID: id}, &session.ItemError{ID: id, Err: err})
			continue
		}
		b.left[id] = parts
	}
}

// tell gives the loop one item.
func (b *bulk) tell(body session.Body, err error) {
	if !b.stopped && !b.yield(body, err) {
		b.stopped = true
	}
}

// fail notes that one message cannot be read. It is told when the connection
// was given back.
func (b *bulk) fail(id session.ID, err error) {
	delete(b.left, id)
	b.spooled = append(b.spooled, spooled{id: id, err: &session.ItemError{ID: id, Err: err}})
}

// finish leaves nothing behind, even where the loop ended in a panic, and frees
// who still waits for the turn.
func (b *bulk) finish() {
	if b.lease != nil {
		b.lease.Conn.w.Kill(session.ErrClosed)
		b.release()
	}
	select {
	case b.turn <- struct{}{}:
	default:
	}
}

// session tells what one connection brings. A line that breaks is made anew;
// where that brings nothing either, it is the loop's end.
func (b *bulk) session(ctx context.Context) {
	before := len(b.left)
	ctx, end := observe.Start(ctx, b.client.opts.Observer, "pop3.bodies",
		slog.String("server", b.client.address), slog.Int("messages", before))
	err := b.run(ctx)
	b.giveBack(err)
	b.tellSpooled()
	end(err)
	b.client.report(ctx, "bodies", []slog.Attr{slog.Int("messages", before)}, err)
	progress := len(b.left) < before
	switch {
	case b.stopped || err == nil:
		b.vain = false
	case backend.IsLost(err) && (progress || !b.vain):
		b.vain = !progress
	default:
		b.tell(session.Body{}, err)
		b.stopped = true
	}
}

// run tells messages over one connection until all are told or somebody wants
// the connection. What an older session does not have is left for a new one.
func (b *bulk) run(ctx context.Context) error {
	l, err := b.client.lease(ctx, b.client.pool.Get)
	if err != nil {
		return err
	}
	if b.fresh {
		if err := renew(l); err != nil {
			return err
		}
	}
	b.lease = l
	if err := b.plan(); err != nil {
		return err
	}
	b.client.mu.Lock()
	b.wants = false
	b.client.mu.Unlock()
	b.client.hold(b)
	for len(b.asked) > 0 && b.lease != nil && !b.stopped {
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

// plan finds out which numbers the messages have in this session.
func (b *bulk) plan() error {
	cn := b.lease.Conn
	if _, err := cn.survey(); err != nil {
		return err
	}
	b.asked = b.asked[:0]
	for id, parts := range b.left {
		e, err := cn.look(parts)
		switch {
		case err == nil:
			b.asked = append(b.asked, wanted{id: id, number: e.number, size: e.size})
		case !b.old():
			b.fail(id, err)
		}
	}
	slices.SortFunc(b.asked, func(x, y wanted) int { return cmp.Compare(x.number, y.number) })
	if len(b.asked) == 0 {
		b.fresh = true // where anything is left, this session is too old for it
	}
	b.window = &window{conn: cn, op: opRetr, size: cn.sizeOf}
	for _, w := range b.asked {
		b.window.numbers = append(b.window.numbers, w.number)
	}
	return nil
}

// old reports whether a session that began before could be replaced by one that
// knows better.
func (b *bulk) old() bool { return b.lease.Reused && !b.fresh }

// next tells the next message.
func (b *bulk) next() error {
	w := b.asked[0]
	b.asked = b.asked[1:]
	d, err := b.window.begin()
	if answered(err) {
		// It is asked for once more, in a session of its own.
		if b.refused[w.id] {
			b.fail(w.id, err)
		}
		b.refused[w.id], b.fresh = true, true
		return nil
	}
	if err != nil {
		return err
	}
	delete(b.left, w.id)
	p := &passing{bulk: b, dots: d, left: w.size}
	b.passing = p
	b.turn <- struct{}{}
	b.tell(session.Body{ID: w.id, Reader: p}, nil)
	<-b.turn
	b.passing = nil
	return p.end()
}

// giveBack gives the connection back. Where little was asked for in vain it is
// saved by reading that.
func (b *bulk) giveBack(err error) {
	if b.lease == nil {
		return
	}
	if err == nil && b.stopped && len(b.window.flying) > 0 {
		b.window.numbers = nil
		if b.window.bytes > drainLimit {
			b.lease.Conn.w.Kill(session.ErrClosed)
		}
		for len(b.window.flying) > 0 && b.lease.Conn.w.Err() == nil {
			if d, err := b.window.begin(); err == nil {
				b.window.drain(d)
			}
		}
	}
	b.release()
}

func (b *bulk) release() {
	b.client.hold(nil)
	b.lease.Release()
	b.lease = nil
}

// letGo implements [holder].
func (b *bulk) letGo() {
	b.client.mu.Lock()
	defer b.client.mu.Unlock()
	if !b.wants {
		b.wants = true
		go b.readAhead()
	}
}

// readAhead reads what was asked for, so that somebody else can have the
// connection.
func (b *bulk) readAhead() {
	<-b.turn
	defer func() { b.turn <- struct{}{} }()
	if b.lease == nil {
		return
	}
	cn := b.lease.Conn
	b.passing.readAhead()
	b.window.numbers = nil
	for len(b.window.flying) > 0 && cn.w.Err() == nil {
		w := b.asked[0]
		b.asked = b.asked[1:]
		d, err := b.window.begin()
		if err != nil {
			continue // it is asked for once more
		}
		s := &spool.Spool{}
		if err := s.Fill(d); err != nil {
			s.Close()
			cn.w.Kill(cn.explain(opRetr, err))
			break
		}
		cn.owed--
		delete(b.left, w.id)
		b.spooled = append(b.spooled, spooled{id: w.id, spool: s})
	}
	b.release()
}

// tellSpooled gives the loop what was read ahead.
func (b *bulk) tellSpooled() {
	all := b.spooled
	b.spooled = nil
	for _, s := range all {
		if s.err != nil {
			b.tell(session.Body{ID: s.id}, s.err)
			continue
		}
		b.tell(session.Body{ID: s.id, Reader: s.spool}, nil)
		s.spool.Close()
	}
}

// passing is a message that is read while the loop looks at it.
type passing struct {
	bulk  *bulk
	dots  *dots
	left  int64 // by the size of LIST
	spool *spool.Spool
	err   error
	whole bool // all of it came off the connection
}

// Read implements [io.Reader].
func (p *passing) Read(buf []byte) (int, error) {
	<-p.bulk.turn
	defer func() { p.bulk.turn <- struct{}{} }()
	if p.spool != nil {
		n, err := p.spool.Read(buf)
		if errors.Is(err, io.EOF) {
			err = p.err
		}
		return n, err
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.dots.Read(buf)
	p.left -= int64(n)
	if err != nil {
		p.take(err)
	}
	return n, p.err
}

// take notes how the message ended.
func (p *passing) take(err error) {
	conn := p.bulk.lease.Conn
	if errors.Is(err, io.EOF) {
		conn.owed--
		p.err, p.whole = io.EOF, true
		return
	}
	p.err = conn.explain(opRetr, err)
}

// readAhead reads the rest off the connection.
func (p *passing) readAhead() {
	if p.err != nil {
		return
	}
	p.spool = &spool.Spool{}
	err := p.spool.Fill(p.dots)
	if err == nil {
		err = io.EOF
	} else {
		p.bulk.lease.Conn.w.Kill(err) // it stands in the middle of the message
	}
	p.take(err)
}

// end passes over what the loop did not read.
func (p *passing) end() error {
	if p.spool != nil {
		p.spool.Close()
		return nil
	}
	b := p.bulk
	switch {
	case p.whole || b.lease == nil:
		p.err = session.ErrClosed
		return nil
	case p.err != nil:
		return p.err
	case b.stopped && p.left > drainLimit:
		b.lease.Conn.w.Kill(session.ErrClosed)
		return nil
	case b.stopped:
		b.window.drain(p.dots)
		p.err = session.ErrClosed
		return nil
	}
	p.err = session.ErrClosed // valid until the next turn
	return b.window.end(p.dots)
}
