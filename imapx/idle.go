package imapx

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// DefaultIdleRenewal is how long a server is left in IDLE where
// [Options.IdleRenewal] is zero: routers forget connections that are quiet for
// ten minutes and more, and servers end them after thirty.
const DefaultIdleRenewal = 9 * time.Minute

// maxIdleRenewal is what RFC 2177 has for clients.
const maxIdleRenewal = 29 * time.Minute

// renewalAnswer is how long the server may take to answer when IDLE is renewed.
const renewalAnswer = 30 * time.Second

// errUnheard says that the server refuses to tell anything by itself. The
// connection is as good as before.
var errUnheard = errors.New("the server refuses to tell what happens")

// endedError says that the server ends IDLE by itself, again and again.
type endedError struct{ server string }

func (e *endedError) Error() string {
	return e.server + ": listen: the server ends IDLE by itself at once"
}
func (*endedError) Temporary() bool { return true }

// idle listens to one folder.
func (l *listener) idle() error {
	n, i := l.notifier, l.folders[0]
	if _, err := n.client.enter(l.conn, n.names[i], n.client.setup.ReadOnly); err != nil {
		return err
	}
	return l.stay(func() { n.post(session.Listening, i) }, func(line []byte) error {
		if eventful(line) {
			n.post(session.Activity, i)
		}
		return nil
	})
}

// eventful reports whether the line tells that something happened in the folder
// that is open. What follows tells what, and is not read.
func eventful(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("*"))
	if !ok {
		return false
	}
	word, rest := cutWord(rest)
	if isNumber(word) {
		word, _ = cutWord(rest)
	}
	return slices.ContainsFunc([]string{"EXISTS", "EXPUNGE", "FETCH", "VANISHED"}, func(name string) bool {
		return strings.EqualFold(name, string(word))
	})
}

// notified listens to several folders, none of which is open. The STATUS of each
// comes ahead of the answer to NOTIFY; a folder of which none comes is not there.
func (l *listener) notified() error {
	c, n := l.conn, l.notifier
	n.client.syncs.Store(true)
	if c.opened {
		return errTooLate // of a folder that is open the server would not tell
	}
	if err := c.enable(); err != nil {
		return err
	}
	index, names := map[string]int{}, make([]string, len(l.folders))
	for k, i := range l.folders {
		index[canonical(n.names[i])] = i
		names[k] = c.mailboxName(n.names[i])
	}
	found := map[int]bool{}
	folderOf := func(sc *scanner) (int, bool) {
		name, err := sc.text(maxName)
		i, known := index[canonical(c.knownName(string(name)))]
		return i, known && err == nil
	}
	words := "NOTIFY SET STATUS (MAILBOXES (" + strings.Join(names, " ") + ") (MessageNew MessageExpunge FlagChange))"
	err := c.run("notify", words, func(name string, sc *scanner) error {
		if i, known := folderOf(sc); name == "STATUS" && known {
			found[i] = true
		}
		return nil
	})
	if e, refused := errors.AsType[*Error](err); refused && e.Type != "BYE" && !e.Temporary() {
		return errUnheard
	}
	for _, i := range l.folders {
		if err == nil && !found[i] {
			_, err = c.folderStatus(n.names[i], "UIDNEXT")
			err = cmp.Or(noFolder(err), errUnheard) // it says OK, and does not tell of it
		}
	}
	if err != nil {
		return err
	}
	return l.stay(func() { n.post(session.Listening, l.folders...) }, func(line []byte) error { return l.heard(line, folderOf) })
}

// heard takes note of a STATUS response. A server that has lost count says so,
// and tells nothing any more (RFC 5465 section 5.8).
func (l *listener) heard(line []byte, folderOf func(*scanner) (int, bool)) error {
	if s, ok := parseRemark(line); ok && s.code == "NOTIFICATIONOVERFLOW" {
		return &overflowError{l.conn.address}
	}
	name, args := ours(line)
	if name != "STATUS" {
		return nil
	}
	if _, _, literal := cutLiteral(line); literal {
		l.notifier.post(session.Activity, l.folders...) // the name comes later
		return nil
	}
	sc := &scanner{wire: l.conn.wire}
	sc.start(args)
	if i, known := folderOf(sc); known {
		l.notifier.post(session.Activity, i)
	}
	return nil
}

// overflowError says that the server gave up telling what happens.
type overflowError struct{ server string }

func (e *overflowError) Error() string {
	return e.server + ": listen: more happens than the server can tell"
}
func (*overflowError) Temporary() bool { return true }

// stay leaves the server in IDLE, which is renewed for as long as the connection
// lives. Each renewal is a question that has to be answered soon, so that a
// connection that died in silence is noticed. It is worth a look as well: there
// are servers that answer, and have stopped to tell. Begun is called once the
// server listens; heard is called for what it says.
func (l *listener) stay(begun func(), heard func(line []byte) error) error {
	renewal := l.notifier.client.opts.IdleRenewal
	begin := func() {
		if l.began {
			l.notifier.post(session.Activity, l.folders...)
			return
		}
		l.began = true
		l.up()
		l.conn.wire.Narrow()
		begun()
	}
	for {
		start := time.Now()
		asked, err := l.conn.idle(renewal, begin, heard)
		e, refused := errors.AsType[*Error](err)
		switch refused = refused && e.Type != "BYE"; {
		case refused && !l.began && !e.Temporary():
			return fmt.Errorf("%w: %w", errUnheard, err)
		case refused && l.began:
			return &endedError{l.conn.address}
		case err != nil:
			return err
		}
		if !asked && time.Since(start) < min(steady, renewal) {
			return &endedError{l.conn.address}
		}
	}
}

// idle sends IDLE and reads what the server says until it is renewed. Asked is
// false where the server ended it by itself.
func (c *conn) idle(renewal time.Duration, begun func(), heard func(line []byte) error) (asked bool, err error) {
	c.wire.SetStageFor(wire.StageCommand, renewalAnswer)
	m, err := c.start("idle", func() error { return c.line("IDLE") })
	if err != nil {
		return false, err
	}
	var renew *time.Timer
	sent := make(chan struct{})
	defer func() {
		if renew != nil && !renew.Stop() {
			<-sent // one goroutine writes at a time
		}
	}()
	for {
		line, err := c.wire.ReadLine()
		if err != nil {
			return false, c.explain("idle", err)
		}
		if rest, ok := bytes.CutPrefix(line, []byte(m.tag+" ")); ok {
			asked = renew != nil && !renew.Stop()
			if asked {
				<-sent
			}
			renew = nil
			return asked, ended(m.end(rest))
		}
		if renew == nil && bytes.HasPrefix(line, []byte{'+'}) {
			begun()
			c.wire.SetStage(wire.StageIdle)
			renew = time.AfterFunc(renewal, func() {
				defer close(sent)
				c.done()
			})
			continue
		}
		if err := errors.Join(heard(line), m.aside(line)); err != nil {
			return false, c.explain("idle", err)
		}
	}
}

// done asks the server to leave IDLE, while somebody reads its answer.
func (c *conn) done() {
	c.wire.SetStageFor(wire.StageCommand, renewalAnswer)
	if err := c.line("DONE"); err == nil {
		_ = c.wire.Flush() // whoever reads sees the error
	}
}

// ended returns nil for the end of a command.
func ended(err error) error {
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

var _ session.Notifier = (*Client)(nil)
