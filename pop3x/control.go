package pop3x

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/knadh/go-pop3"

	"github.com/mailsession/mailsession/internal/wire"
)

// client returns go-pop3's connection over this one. It is given a greeting and
// from then on the answers to its own commands, one line each, of which this
// side has seen that they are POP3 and positive: by itself it takes an empty
// line for an agreement, and does not tell a refusal from a broken line.
func (c *conn) client() (*pop3.Conn, error) {
	if c.control != nil {
		return c.control, nil
	}
	control, err := pop3.New(pop3.Opt{Dialer: &handed{conn: c, line: "+OK\r\n"}}).NewConn()
	c.control = control
	return control, err
}

// handed is the connection as go-pop3 sees it.
type handed struct {
	conn *conn
	line string // what is left of the line that it reads
}

// Dial implements [pop3.Dialer].
func (h *handed) Dial(string, string) (net.Conn, error) { return h.conn.w.HandOver(h), nil }

// Read gives one line. An error is the caller's own when go-pop3 returns it.
func (h *handed) Read(p []byte) (int, error) {
	if h.line == "" {
		r, err := h.conn.answer(h.conn.op)
		if err != nil {
			return 0, err
		}
		if h.conn.marked && h.conn.op == opQuit {
			if err := h.conn.last(); err != nil {
				return 0, err
			}
		}
		h.conn.said = clean(r.text)
		h.line = "+OK " + h.conn.said + "\r\n"
	}
	n := copy(p, h.line)
	h.line = h.line[n:]
	return n, nil
}

// run has go-pop3 carry out the command op.
func (c *conn) run(op string, command func(*pop3.Conn) error) error {
	control, err := c.client()
	if err != nil {
		return err
	}
	if err := c.inStep(op); err != nil {
		return err
	}
	c.op = op
	c.owed++
	if err = command(control); err != nil {
		return c.explain(op, err)
	}
	return nil
}

// stat returns how many messages there are, and their size.
func (c *conn) stat() (messages int, bytes int64, err error) {
	err = c.run(opStat, func(control *pop3.Conn) error {
		n, size, err := control.Stat()
		messages, bytes = n, int64(size)
		if errors.Is(err, strconv.ErrRange) { // go-pop3 has sizes in an int, which may have 32 bits
			_, err = fmt.Sscan(c.said, &messages, &bytes)
		}
		return err
	})
	if _, known := errors.AsType[*Error](err); err != nil && !known && c.w.Err() == nil {
		err = &Error{Server: c.server, Op: opStat, Text: "the answer cannot be read"}
	}
	if err == nil && (messages < 0 || bytes < 0) {
		err = &Error{Server: c.server, Op: opStat, Text: fmt.Sprintf("the server counts %d messages of %d bytes", messages, bytes)}
	}
	return messages, bytes, err
}

// noop asks for a sign of life.
func (c *conn) noop() error { return c.run(opNoop, (*pop3.Conn).Noop) }

// rset takes back all marks of deletion.
func (c *conn) rset() error { return c.run(opRset, (*pop3.Conn).Rset) }

// quit ends the session, and with it removes what is marked as deleted. The
// connection is closed behind it, whatever the answer.
func (c *conn) quit() error { return c.run(opQuit, (*pop3.Conn).Quit) }

// last sees that nothing comes behind the answer to QUIT but the end of the
// connection, for which it waits as long as for a goodbye. Another answer would
// mean that this one belonged to a command before.
func (c *conn) last() error {
	c.w.SetStage(wire.StageClose)
	if _, err := c.w.Ahead(1); err != nil {
		return nil //nolint:nilerr // the end, however it came: the answer is there
	}
	return c.senseless(opQuit, "the server answers what it was not asked")
}
