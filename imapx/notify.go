package imapx

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/pool"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// DefaultPollInterval is the time between two looks at a folder of which the
// server tells nothing by itself.
const DefaultPollInterval = time.Minute

// Notify implements [session.Notifier]. One folder has a line of its own, on
// which the server is left in IDLE (RFC 2177). Of several folders one line is told
// by NOTIFY (RFC 5465) where the server has it; else each has a line, as long as
// one of [Options.MaxConnections] is left for other operations. The others, and
// all where there is no IDLE, are looked at by STATUS. Where a server counts no
// changes, each look is an Activity.
//
// Each renewal of IDLE ([Options.IdleRenewal]) is an Activity of the folders of
// the line, so that a server that has stopped to tell hides nothing for longer.
func (c *Client) Notify(ctx context.Context, folders []session.FolderRef, opts session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		n := newNotifier(c, folders, opts)
		n.board.Notices(ctx, n.run, c.pool.Fail)(yield)
	}
}

// notifier is one iteration over notices.
type notifier struct {
	client   *Client
	board    *backend.Board
	names    []string // the server's, of each of the board's folders
	interval time.Duration
	lines    sync.WaitGroup
	reached  atomic.Bool // the server was there once: if it is not, it may come back
}

func newNotifier(c *Client, folders []session.FolderRef, opts session.NotifyOptions) *notifier {
	n := &notifier{client: c, board: backend.NewBoard(folders), interval: cmp.Or(max(opts.Interval, 0), DefaultPollInterval)}
	n.names = make([]string, len(n.board.Folders()))
	return n
}

// run keeps lines until ctx ends.
func (n *notifier) run(ctx context.Context) {
	n.lines.Go(func() { n.arrange(ctx) })
	select {
	case <-n.client.closed:
		n.board.Fail(n.client.pool.Fail(session.ErrClosed))
	case <-ctx.Done():
	}
	n.lines.Wait()
}

// post leaves a notice of folders on the board.
func (n *notifier) post(kind session.NoticeKind, folders ...int) {
	for _, i := range folders {
		n.board.Post(kind, n.board.Folders()[i])
	}
}

// arrange finds out what the server can do and divides the folders among lines.
func (n *notifier) arrange(ctx context.Context) {
	var caps capabilities
	n.keep(ctx, func(ctx context.Context, _ func()) (err error) {
		if err := n.resolve(ctx); err != nil {
			return err
		}
		return n.client.read(ctx, "capability", func(cn *conn) error {
			caps = cn.caps
			return nil
		})
	})
	if caps == nil || ctx.Err() != nil {
		return
	}
	folders := make([]int, len(n.names))
	for i := range folders {
		folders[i] = i
	}
	if caps.has("IDLE") && caps.has("NOTIFY") && len(folders) > 1 && n.hold() {
		if n.keepLine(ctx, folders, (*listener).notified) {
			return
		}
	}
	n.divide(ctx, folders, caps.has("IDLE"))
}

// divide gives lines to as many folders as may have one, and looks at the others
// now and then.
func (n *notifier) divide(ctx context.Context, folders []int, idle bool) {
	for idle && len(folders) > 0 && n.hold() {
		one := folders[:1]
		folders = folders[1:]
		n.lines.Go(func() {
			if !n.keepLine(ctx, one, (*listener).idle) {
				n.poll(ctx, one)
			}
		})
	}
	if len(folders) > 0 {
		n.poll(ctx, folders)
	}
}

// hold takes one of the places for those that hold a connection for long.
func (n *notifier) hold() bool {
	select {
	case n.client.streams <- struct{}{}:
		return true
	default:
		return false
	}
}

// resolve finds the server's names of the folders.
func (n *notifier) resolve(ctx context.Context) error {
	for i, ref := range n.board.Folders() {
		name, err := n.client.resolve(ctx, ref)
		if errors.Is(err, session.ErrNoFolder) && n.client.forget() {
			name, err = n.client.resolve(ctx, ref)
		}
		if err != nil {
			return err
		}
		n.names[i] = name
	}
	return nil
}

// steady is for how long a line has to last for the next one to be tried as if
// it were the first.
const steady = time.Minute

// flapping bounds how far the pauses grow between lines that are made and soon
// lost: to eight seconds.
const flapping = 4

// keep does something until it succeeds or ctx ends, with growing pauses after
// errors that are temporary, and where a server that was there cannot be reached.
// Any other ends the iteration. What calls up is successful so far.
func (n *notifier) keep(ctx context.Context, do func(ctx context.Context, up func()) error) {
	policy := retry.Policy{Initial: time.Second, Max: 2 * time.Minute}
	for try := 1; ; try++ {
		var since time.Time
		err := do(ctx, func() {
			since = time.Now()
			n.reached.Store(true)
		})
		switch {
		case err == nil, ctx.Err() != nil:
			return
		case !session.Temporary(err) && (!n.reached.Load() || !backend.Unreachable(err)):
			n.board.Fail(err)
			return
		case !since.IsZero() && time.Since(since) >= steady:
			try = 1
		case !since.IsZero():
			try = min(try, flapping) // the server is there
		}
		if retry.Sleep(ctx, policy.Wait(try, err)) != nil {
			return
		}
	}
}

// keepLine keeps a line for folders, over one connection after the other. It
// gives up its place in the end, and returns false where the server refuses.
func (n *notifier) keepLine(ctx context.Context, folders []int, listen func(*listener) error) (ok bool) {
	defer func() { <-n.client.streams }()
	ok = true
	n.keep(ctx, func(ctx context.Context, up func()) error {
		l := &listener{notifier: n, folders: folders, listen: listen, up: up}
		err := l.run(ctx)
		if errors.Is(err, errUnheard) {
			ok = false
			return nil
		}
		return err
	})
	return ok
}

// listener is a connection on which the server tells what happens.
type listener struct {
	notifier *notifier
	folders  []int
	listen   func(*listener) error
	up       func()
	conn     *conn
	began    bool // the server has told, or would have
}

// run listens until the connection dies. The error is never nil.
func (l *listener) run(ctx context.Context) (err error) {
	c := l.notifier.client
	ctx, end := observe.Start(ctx, c.opts.Observer, "imap.listen", slog.String("server", c.address))
	defer func() {
		end(err)
		c.report(ctx, "listen", nil, err)
	}()
	lease, err := c.pool.Get(ctx)
	if err != nil {
		return err
	}
	err = l.on(lease)
	if backend.IsLost(err) && lease.Reused && !l.began || errors.Is(err, errTooLate) {
		if err := lease.Renew(); err != nil {
			return err
		}
		err = l.on(lease)
	}
	if !errors.Is(err, errUnheard) {
		lease.Conn.Abandon() // the server may be in the middle of telling
	}
	lease.Release()
	return err
}

func (l *listener) on(lease *pool.Lease[*conn]) error {
	l.conn = lease.Conn
	return l.conn.explain("listen", l.listen(l))
}

// poll looks at folders now and then.
func (n *notifier) poll(ctx context.Context, folders []int) {
	last := map[int]map[string]uint64{}
	n.keep(ctx, func(ctx context.Context, up func()) error {
		for {
			if err := n.look(ctx, folders, last); err != nil {
				clear(last) // the next one that works is the beginning again
				return err
			}
			up()
			if err := retry.Sleep(ctx, n.interval); err != nil {
				return err
			}
		}
	})
}

// look asks where the folders stand, and posts those that stand elsewhere than
// before.
func (n *notifier) look(ctx context.Context, folders []int, last map[int]map[string]uint64) error {
	return n.client.read(ctx, "status", func(cn *conn) error {
		for _, i := range folders {
			told, err := cn.folderStatus(n.names[i], cn.standing()...)
			if err != nil {
				return noFolder(err)
			}
			before, known := last[i]
			last[i] = told
			switch {
			case !known:
				n.post(session.Listening, i)
			case told["HIGHESTMODSEQ"] == 0 || !equalCounts(before, told):
				n.post(session.Activity, i)
			}
		}
		return nil
	}, slog.Int("folders", len(folders)))
}

// standing are the items of STATUS that tell whether something happened.
func (c *conn) standing() []string {
	items := []string{"MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"}
	if c.caps.versions() {
		items = append(items, "HIGHESTMODSEQ")
	}
	return items
}

func equalCounts(a, b map[string]uint64) bool {
	for name, n := range b {
		if a[name] != n {
			return false
		}
	}
	return len(a) == len(b)
}
