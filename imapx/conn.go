package imapx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/transcript"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// conn is one connection that is signed in. One goroutine uses it at a time.
type conn struct {
	wire      *wire.Conn
	address   string
	user      string
	mechanism string
	greeting  string
	caps      capabilities
	tags      int
	bye       string // what the server said with BYE

	serverID   map[string]string // the server's answer to ID
	introduced bool              // the server was told what the program is

	spaces spaces // the namespaces, once asked for
	spaced bool   // they were

	edits    *atomic.Int64 // counts what may have put another folder in the place of one
	selected *selected
	exists   uint32 // how many messages the open folder has, as told last
	opened   bool   // a folder was opened on it
	enabling bool   // it was asked to resynchronize
	resyncs  bool   // and does: QRESYNC is enabled
}

// selected is the folder that a connection has open.
type selected struct {
	name     string // the server's
	validity uint32
	readOnly bool
	edits    int64 // as they were then

	noVersions bool // it counts no changes, and takes a question about them for an error (RFC 7162 section 3.1.2.2)

	// What the server told when it opened the folder; 0 where it did not.
	next    uint32 // UIDNEXT
	exists  uint32
	highest uint64 // HIGHESTMODSEQ
}

// errPreauth: a greeting of PREAUTH leaves no room for STARTTLS, and whoever
// sits on the line could have made it (RFC 9051 section 7.1.4).
var errPreauth = errors.New("the server greets with PREAUTH before STARTTLS; refused, since the connection would stay in plain text")

// dial makes a connection and signs in. Any error leaves nothing behind.
func dial(ctx context.Context, server session.Server, creds sasl.Credentials, id map[string]string) (*conn, error) {
	w, err := wire.Dial(ctx, backend.Wire(server, backend.Ports{}, transcript.IMAP(), creds))
	if err != nil {
		return nil, backend.Connecting(server.Address(server.Port), err)
	}
	release := w.Bind(ctx)
	d := &dialogue{wire: w, address: w.Address(), user: creds.User}
	err = d.open(ctx, server, creds)
	cn := d.signedIn()
	if err == nil {
		err = cn.introduce(id, backend.StagesOf(ctx))
	}
	release()
	if err == nil {
		err = w.Err()
	}
	if err != nil {
		err = d.explain(err)
		d.leave()
		return nil, err
	}
	w.SetStage(wire.StageIdle)
	return cn, nil
}

// signedIn returns the connection as it goes on from here.
func (d *dialogue) signedIn() *conn {
	return &conn{
		wire: d.wire, address: d.address, user: d.user, mechanism: d.mechanism,
		greeting: d.greeting, caps: d.caps,
	}
}

// Bind implements [pool.Conn]. From here on answers are waited for.
func (c *conn) Bind(ctx context.Context) (release func()) {
	c.wire.SetStage(wire.StageCommand)
	return c.wire.Bind(ctx)
}

// Usable implements [pool.Conn].
func (c *conn) Usable() bool { return c.wire.Err() == nil && c.bye == "" }

// Rest implements [pool.Conn].
func (c *conn) Rest() { c.wire.SetStage(wire.StageIdle) }

// answers asks the server for a sign of life, which has to come soon.
func (c *conn) answers() bool {
	c.wire.SetStageFor(wire.StageCommand, probeTimeout)
	_, err := c.exec("noop", "NOOP")
	c.wire.SetStage(wire.StageCommand)
	return err == nil
}

// Abandon implements [pool.Conn].
func (c *conn) Abandon() { c.wire.Kill(session.ErrClosed) }

// Goodbye implements [pool.Conn].
func (c *conn) Goodbye() {
	c.wire.SetStage(wire.StageClose)
	if c.Usable() {
		_, _ = c.exec("logout", "LOGOUT") // nothing depends on the answer
	}
	_ = c.wire.Close()
}

// enter opens a folder, unless the connection has it open already.
func (c *conn) enter(name string, readOnly bool) (*selected, error) {
	if c.in(name, readOnly) {
		return c.selected, nil
	}
	return c.reopen(name, readOnly, "")
}

// reopen opens a folder, also where it is open, so that the server tells where
// it stands. Params follow the name in the command.
func (c *conn) reopen(name string, readOnly bool, params string) (*selected, error) {
	c.selected, c.exists, c.opened = nil, 0, true
	verb := "SELECT "
	if readOnly {
		verb = "EXAMINE "
	}
	edits := c.edits.Load()
	op := "select " + shownName(name)
	var m *command
	err := c.named(func() (err error) {
		m, err = c.collect(op, verb+c.mailboxName(name)+params, func(string, *scanner) error { return nil })
		return err
	})
	if err != nil {
		return nil, err
	}
	validity, err := strconv.ParseUint(m.codes.validity, 10, 32) // zero, which must not be, is one like others
	if err != nil {
		return nil, fmt.Errorf("%s: %s: the server gives no UIDVALIDITY, so that messages cannot be told apart for good", c.address, op)
	}
	c.selected = &selected{
		name: name, validity: uint32(validity), readOnly: readOnly, edits: edits,
		noVersions: m.codes.noVersions, exists: c.exists,
	}
	if next, err := strconv.ParseUint(m.codes.next, 10, 32); err == nil {
		c.selected.next = uint32(next)
	}
	if highest, err := strconv.ParseUint(m.codes.highest, 10, 64); err == nil && !m.codes.noVersions {
		c.selected.highest = highest
	}
	return c.selected, nil
}

func (c *conn) in(name string, readOnly bool) bool {
	s := c.selected
	return s != nil && s.name == name && s.readOnly == readOnly && s.edits == c.edits.Load()
}

// refresh has the server tell what came into the open folder: only then does a
// connection see what others have seen already.
func (c *conn) refresh() error {
	_, err := c.exec("noop", "NOOP")
	return err
}

// compress has the server compress what it sends, where it can. A refusal is as
// if it could not.
func (c *conn) compress() error {
	if !c.caps.has("COMPRESS=DEFLATE") {
		return nil
	}
	_, err := c.exec("compress", "COMPRESS DEFLATE")
	if e, refused := errors.AsType[*Error](err); refused && e.Type != "BYE" && !e.Temporary() {
		return nil
	}
	if err == nil {
		c.wire.Compress()
	}
	return err
}
