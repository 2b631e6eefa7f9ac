package imapx

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/transcript"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// conn is one connection that is signed in. One goroutine uses it at a time.
type conn struct {
	wire      *wire.Conn
	pump      *pump
	imap      *imapclient.Client // reads from pump
	address   string
	user      string
	mechanism string
	greeting  string
	caps      capabilities
	tags      int

	edits    *atomic.Int64 // counts what may have put another folder in the place of one
	selected *selected
}

// selected is the folder that a connection has open.
type selected struct {
	name     string // the server's
	validity uint32
	readOnly bool
	edits    int64 // as they were then
}

// errPreauth: a greeting of PREAUTH leaves no room for STARTTLS, and whoever
// sits on the line could have made it (RFC 9051 section 7.1.4).
var errPreauth = errors.New("the server greets with PREAUTH before STARTTLS; refused, since the connection would stay in plain text")

// dial makes a connection and signs in. Any error leaves nothing behind.
func dial(ctx context.Context, server session.Server, creds sasl.Credentials) (*conn, error) {
	w, err := wire.Dial(ctx, backend.Wire(server, backend.Ports{}, transcript.IMAP()))
	if err != nil {
		return nil, backend.Connecting(server.Address(server.Port), err)
	}
	release := w.Bind(ctx)
	d := &dialogue{wire: w, address: w.Address(), user: creds.User}
	err = d.open(ctx, server, creds)
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
	return d.handOver(), nil
}

// handOver gives the connection to go-imap, as if it had been signed in from
// the start.
func (d *dialogue) handOver() *conn {
	c := &conn{
		wire: d.wire, address: d.address, user: d.user, mechanism: d.mechanism,
		greeting: d.greeting, caps: d.caps,
	}
	// go-imap is told no more than it has to know: with IMAP4rev2 it would
	// write the names of folders in another way than we do.
	words := "IMAP4rev1"
	if c.statesRoles() {
		words += " LIST-EXTENDED SPECIAL-USE"
	}
	c.pump = newPump(d.wire, "* PREAUTH [CAPABILITY "+words+"] ready\r\n")
	c.imap = imapclient.New(d.wire.HandOver(c.pump), nil)
	return c
}

// statesRoles reports whether the server tells what folders are for.
func (c *conn) statesRoles() bool { return c.caps.has("SPECIAL-USE") && c.caps.has("LIST-EXTENDED") }

// Bind implements [pool.Conn]. From here on answers are waited for.
func (c *conn) Bind(ctx context.Context) (release func()) {
	c.wire.SetStage(wire.StageCommand)
	return c.wire.Bind(ctx)
}

// Usable implements [pool.Conn].
func (c *conn) Usable() bool {
	select {
	case <-c.imap.Closed():
		return false
	default:
		return c.wire.Err() == nil
	}
}

// Rest implements [pool.Conn].
func (c *conn) Rest() { c.wire.SetStage(wire.StageIdle) }

// answers asks the server for a sign of life, which has to come soon.
func (c *conn) answers() bool {
	c.wire.SetStageFor(wire.StageCommand, probeTimeout)
	_, err := c.exec("noop", "NOOP")
	c.wire.SetStage(wire.StageCommand)
	return err == nil
}

// Abandon implements [pool.Conn]. It waits for go-imap's goroutine to end.
func (c *conn) Abandon() {
	c.wire.Kill(session.ErrClosed)
	_ = c.imap.Close() // tells what is known: the connection is dead
}

// Goodbye implements [pool.Conn].
func (c *conn) Goodbye() {
	c.wire.SetStage(wire.StageClose)
	if c.Usable() {
		_ = c.imap.Logout().Wait() // nothing depends on the answer
	}
	_ = c.wire.Close()
	_ = c.imap.Close()
}

// enter opens a folder, unless the connection has it open already.
func (c *conn) enter(name string, readOnly bool) (*selected, error) {
	if c.in(name, readOnly) {
		return c.selected, nil
	}
	c.selected = nil
	edits := c.edits.Load()
	data, err := c.imap.Select(name, selectOptions(readOnly)).Wait()
	if err != nil {
		return nil, c.explain("select "+name, err)
	}
	if data.UIDValidity == 0 {
		return nil, fmt.Errorf("%s: select %s: the server gives no UIDVALIDITY, so that messages cannot be told apart for good", c.address, name)
	}
	c.selected = &selected{name: name, validity: data.UIDValidity, readOnly: readOnly, edits: edits}
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
