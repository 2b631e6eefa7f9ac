package ews

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// DefaultPollInterval is the time between two questions where the server tells
// nothing by itself.
const DefaultPollInterval = time.Minute

// Notify implements [session.Notifier]. The server streams what happens in all the
// folders over one connection, from Exchange 2010 SP1 on. It is asked every so often
// before that, and where no connection can be left to a stream: since it lets no more
// of them in for the mailbox, since all of [Options.MaxConnections] but one are
// held by other loops, or since a machine on the way keeps streams back, or cuts them
// again and again: then a stream is tried anew after a while. Where the server has no
// subscriptions at all, or tells of events without end, each interval brings an Activity.
//
// A stream lasts for half an hour and is then begun anew, which is an Activity, since
// what happened in between is told by nobody else.
func (c *Client) Notify(ctx context.Context, folders []session.FolderRef, opts session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		n := &notifier{client: c, board: backend.NewBoard(folders), interval: cmp.Or(max(opts.Interval, 0), DefaultPollInterval), lost: true}
		n.board.Notices(ctx, n.run, c.pool.Fail)(yield)
	}
}

// wayToHear is how to learn that something happened, the best first.
type wayToHear int

const (
	streaming wayToHear = iota
	pulling
	looking
)

// String returns the way in a word.
func (w wayToHear) String() string { return [...]string{"stream", "pull", "poll"}[w] }

// notifier is one iteration over notices.
type notifier struct {
	client   *Client
	board    *backend.Board
	interval time.Duration
	way      wayToHear
	place    bool      // among those that hold a connection for long
	folders  []*folder // of the board's, in the same order
	sub      *subscription

	reached bool      // the server was there once: if it is not, it may come back
	lost    bool      // what happened lately may not have been told
	anew    bool      // the folders were asked for anew since the line was up last
	since   time.Time // since when the line is up, zero where it is not
	better  time.Time // when the best way is to be tried again, zero for never
	cut     int       // streams in a row that did not last
	failed  int       // how often the best way was left in a row since it came to nothing
}

// steady is for how long a line has to last for the next one to be tried as if it
// were the first.
const steady = time.Minute

// crowdPause is how long a notifier is content with less than the best way, where the
// server has no room for another subscription or stream of the user.
const crowdPause = 10 * time.Minute

// maxCut is how many streams in a row may be cut soon before the server is asked instead.
const maxCut = 4

// errBetter ends a line for a better way to be tried.
var errBetter = errors.New("a better way may be free again")

// run keeps a line until ctx ends or an error comes that does not pass. There are
// growing pauses after the others.
func (n *notifier) run(ctx context.Context) {
	ctx, end := n.client.whileOpen(ctx)
	defer end()
	n.client.subscriptions.join()
	defer func() {
		n.leavePlace()
		n.client.subscriptions.leave(n.sub)
	}()
	n.bestWay()
	policy := retry.Policy{Initial: time.Second, Max: 2 * time.Minute}
	for try := 1; ; try++ {
		n.since = time.Time{}
		err := n.listen(ctx)
		lasted := !n.since.IsZero() && time.Since(n.since) >= steady
		again := n.adapt(ctx, err, lasted)
		if n.ends(ctx, err, again) {
			return
		}
		if lasted {
			try = 1
		}
		n.lost = n.lost || !expected(err) && !crowded(err)
		if again {
			continue
		}
		if err := n.rest(ctx, policy.Wait(try, err)); err != nil {
			n.board.Fail(err)
			return
		}
	}
}

// ends reports whether no other line is to follow, and leaves word of why.
func (n *notifier) ends(ctx context.Context, err error, again bool) bool {
	switch {
	case errors.Is(context.Cause(ctx), session.ErrClosed):
		n.board.Fail(n.client.pool.Fail(session.ErrClosed))
	case ctx.Err() != nil:
	case !again && !n.passes(err):
		n.board.Fail(err)
	default:
		return false
	}
	return true
}

// expected reports whether a line ended in order.
func expected(err error) bool { return errors.Is(err, errOver) || errors.Is(err, errBetter) }

// bestWay goes for a stream where a connection can be left to it.
func (n *notifier) bestWay() {
	n.way, n.better = pulling, time.Time{}
	if n.place {
		n.way = streaming
		return
	}
	select {
	case n.client.streams <- struct{}{}:
		n.place, n.way = true, streaming
	default:
	}
}

func (n *notifier) leavePlace() {
	if n.place {
		<-n.client.streams
		n.place = false
	}
}

// rest waits, or returns why there is nothing to wait for.
func (n *notifier) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-n.client.closed:
		return n.client.pool.Fail(session.ErrClosed)
	case <-ctx.Done():
		return retry.Ended(ctx)
	}
}

// adapt draws conclusions from what ended a line, and reports whether the next one is
// worth a try at once.
func (n *notifier) adapt(ctx context.Context, err error, lasted bool) bool {
	if lasted && n.better.IsZero() {
		n.cut, n.failed = 0, 0
	}
	switch {
	case ctx.Err() == nil && n.cutShort(err, lasted):
		return n.fail(ctx, err, pulling)
	case errors.Is(err, errOver):
		return lasted
	case errors.Is(err, errBetter):
		n.client.subscriptions.put(n.sub)
		n.sub = nil
		n.bestWay()
		return true
	}
	if _, endless := errors.AsType[*endlessError](err); endless && n.way < looking {
		_ = n.client.unsubscribe(ctx, n.sub) // the server forgets it by itself
		n.sub = nil
		return n.giveWay(ctx, err, looking, crowdPause)
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code == "" || session.NeedsSignIn(err) {
		return false
	}
	switch {
	case e.class() == resubscribe:
		old := n.sub
		n.sub = nil
		return old != nil && !old.fresh && (lasted || n.since.IsZero())
	case errors.Is(err, session.ErrNoFolder):
		first := !n.anew
		n.anew, n.sub = true, nil
		return n.client.forget() && first
	case e.Code == "ErrorExceededConnectionCount" && n.way == streaming:
		return n.giveWay(ctx, err, pulling, crowdPause)
	case crowded(err) && n.way < looking:
		return n.giveWay(ctx, err, looking, crowdPause)
	case e.Temporary() || n.way == looking:
		return false
	case e.class() == mistaken || e.class() == forbidden:
		return n.fallBack(n.way + 1) // it will never do
	}
	return n.fail(ctx, err, n.way+1)
}

// cutShort takes note of how a stream ended, and reports whether streams do not get
// through: some machines wait for the end of an answer before they pass it on, and
// others cut what is silent for less than a server is between two signs of life.
func (n *notifier) cutShort(err error, lasted bool) bool {
	if n.way != streaming || lasted {
		return false
	}
	silence, silent := errors.AsType[*wire.TimeoutError](err)
	_, refused := errors.AsType[*Error](err)
	switch {
	case n.since.IsZero() && silent && silence.Stage == wire.StageCommand:
		n.cut = max(n.cut+1, maxCut) // which has taken long enough
	case !refused && (!n.since.IsZero() || backend.IsLost(err)), broken(err):
		n.cut++
	default:
		return false
	}
	return n.cut >= maxCut
}

// broken reports whether a web server, or a machine before it, has a trouble that is not
// the server's own word about a request, as while it starts.
func broken(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == "" && e.Status/100 == 5 && e.class() != throttled
}

// fail goes on in another way since the present one came to nothing. The best way is tried
// again the later the more often it has.
func (n *notifier) fail(ctx context.Context, why error, to wayToHear) bool {
	pause := crowdPause << min(n.failed, 4)
	n.failed++
	return n.giveWay(ctx, why, to, pause)
}

// giveWay goes on in another way, and tells: where the server has no room by a stream less
// where streams are too many, and else without a subscription. The best way is tried
// again after a pause.
func (n *notifier) giveWay(ctx context.Context, why error, to wayToHear, pause time.Duration) bool {
	c := n.client
	attrs := []slog.Attr{slog.String("server", c.address), slog.String("way", to.String()), slog.Duration("again", pause)}
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews.fallback", attrs...)
	end(why)
	c.log.LogAttrs(ctx, slog.LevelWarn, "ews cannot be told of changes for now, and asks", append(attrs, slog.Any("error", why))...)
	n.better = time.Now().Add(pause)
	return n.fallBack(to)
}

// fallBack goes on in another way.
func (n *notifier) fallBack(to wayToHear) bool {
	n.client.subscriptions.put(n.sub)
	n.way, n.sub = to, nil
	n.leavePlace()
	return true
}

// passes reports whether another line may fare better.
func (n *notifier) passes(err error) bool {
	e, refused := errors.AsType[*Error](err)
	switch {
	case errors.Is(err, session.ErrClosed), session.NeedsSignIn(err):
		return false
	case session.Temporary(err), expected(err), refused && e.class() == resubscribe:
		return true
	case n.reached && (backend.Unreachable(err) || broken(err)):
		return true
	}
	return !refused && !n.since.IsZero() // what broke a line does not break the next one
}

// listen sees to it that the server tells, and takes down what it tells, until the
// line is lost. The error is never nil.
func (n *notifier) listen(ctx context.Context) (err error) {
	c := n.client
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews.listen", slog.String("server", c.address))
	defer func() {
		told := err
		if expected(err) {
			told = nil
		}
		end(told)
		c.report(ctx, "listen", nil, told)
	}()
	v, err := c.serverVersion(ctx)
	if err != nil {
		return err
	}
	n.reached = true
	if n.way == streaming && !v.atLeast(exchange2010SP1()) {
		n.fallBack(pulling)
	}
	if err := n.resolve(ctx); err != nil {
		return err
	}
	if err := n.subscribe(ctx); err != nil {
		return err
	}
	switch n.way {
	case streaming:
		return c.getStreamingEvents(ctx, n.sub, n.up, n.post)
	case pulling:
		return n.pull(ctx)
	default:
		return n.look(ctx)
	}
}

// resolve finds the folders.
func (n *notifier) resolve(ctx context.Context) error {
	n.folders = n.folders[:0]
	for _, ref := range n.board.Folders() {
		f, err := n.client.resolve(ctx, ref)
		if errors.Is(err, session.ErrNoFolder) && n.client.forget() {
			f, err = n.client.resolve(ctx, ref)
		}
		if err != nil {
			return err
		}
		n.folders = append(n.folders, f)
	}
	return nil
}

// subscribe finds a subscription to the folders, or makes one.
func (n *notifier) subscribe(ctx context.Context) (err error) {
	c := n.client
	wanted := foldersIn(n.folders)
	if n.sub != nil && n.sub.folders != wanted {
		c.subscriptions.put(n.sub)
		n.sub = nil
	}
	if n.sub != nil || n.way == looking {
		return nil
	}
	if n.sub = c.subscriptions.take(wanted, n.way == streaming); n.sub != nil {
		return nil
	}
	old := c.subscriptions.surplus()
	for {
		if old != nil {
			_ = c.unsubscribe(ctx, old) // the server forgets it by itself
		}
		n.sub, err = c.subscribe(ctx, n.folders, n.way == streaming, n.interval)
		if !crowded(err) {
			return err
		}
		if old = c.subscriptions.oldest(); old == nil {
			return err
		}
	}
}

// up takes note that the server tells from now on.
func (n *notifier) up() {
	kind := session.Activity
	if n.lost {
		kind = session.Listening
	}
	n.since, n.lost, n.anew = time.Now(), false, false
	if n.sub != nil {
		n.sub.fresh = false
	}
	n.board.Post(kind, n.board.Folders()...)
}

// post takes down events. One that names none of the folders is about any of them.
func (n *notifier) post(all []happening) {
	for _, h := range all {
		known := false
		for i, f := range n.folders {
			if slices.Contains(h, f.id) {
				known = true
				n.board.Post(session.Activity, n.board.Folders()[i])
			}
		}
		if !known {
			n.board.Post(session.Activity, n.board.Folders()...)
		}
	}
}

// turn waits for the time of the next question, or returns why there is none.
func (n *notifier) turn(ctx context.Context) error {
	err := n.rest(ctx, n.interval)
	if err == nil && !n.better.IsZero() && !time.Now().Before(n.better) {
		err = errBetter
	}
	return err
}

// maxEventPages is how many answers in a row may have events, and others to follow. Some
// have 50 events.
const maxEventPages = 1000

// pull asks now and then what happened.
func (n *notifier) pull(ctx context.Context) error {
	for {
		for more, pages := true, 0; more; pages++ {
			if pages == maxEventPages {
				return n.client.endless("GetEvents", "after %d answers the server has still more events to tell", pages)
			}
			var all []happening
			var err error
			if all, more, err = n.client.getEvents(ctx, n.sub); err != nil {
				return err
			}
			if n.since.IsZero() {
				n.up()
			}
			n.post(all)
		}
		if err := n.turn(ctx); err != nil {
			return err
		}
	}
}

// look sees to it now and then that the server and the folders are there. What
// happened in them, it cannot tell.
func (n *notifier) look(ctx context.Context) error {
	var ids []element
	for _, f := range n.folders {
		ids = append(ids, folderID(f.id))
	}
	for {
		err := n.client.call(ctx, &request{op: "GetFolder", body: getFolder(ids...)}, func(a *answer) error {
			return a.folderReplies(func(int, folderInfo) {}, func(err error) error { return err })
		})
		if err != nil {
			return err
		}
		if n.since.IsZero() {
			n.up()
		}
		n.board.Post(session.Activity, n.board.Folders()...)
		if err := n.turn(ctx); err != nil {
			return err
		}
	}
}
