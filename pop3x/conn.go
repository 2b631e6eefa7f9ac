package pop3x

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/knadh/go-pop3"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/transcript"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// maxLine is the longest line of a listing, in bytes. RFC 1939 section 3 allows
// 512.
const maxLine = 8 << 10

// conn is a connection that is signed in. It is a session of the protocol too:
// the server shows the maildrop as it was at the sign-in, with the same numbers
// to the end. One goroutine uses it at a time.
type conn struct {
	w         *wire.Conn
	server    string
	greeting  string
	stamp     string // of the greeting, for APOP
	mechanism string
	secrets   backend.Secrets // until the user is signed in
	caps      capabilities
	since     time.Time // of the sign-in

	serial  *atomic.Bool // this server's answers got out of step before
	op      string       // what go-pop3 is doing
	said    string       // what it was answered
	marked  bool         // messages are marked as deleted
	owed    int          // commands that were sent and are not answered in full
	drop    *maildrop    // what the maildrop holds, once it is known
	control *pop3.Conn
}

// ports are the defaults where a server's settings have none.
func ports() backend.Ports { return backend.Ports{TLS: 995, STARTTLS: 110, None: 110} }

// dial makes a connection and signs in. Any error leaves nothing behind.
func dial(ctx context.Context, server session.Server, creds sasl.Credentials, serial *atomic.Bool) (*conn, error) {
	cfg := backend.Wire(server, ports(), transcript.POP3(), creds)
	cfg.MaxLine = maxLine
	w, err := wire.Dial(ctx, cfg)
	if err != nil {
		return nil, backend.Connecting(cfg.Address, err)
	}
	release := w.Bind(ctx)
	c := &conn{w: w, server: cfg.Address, serial: serial}
	err = c.open(ctx, server, creds)
	release()
	if err == nil && w.Err() != nil {
		err = c.explain(opAuth, w.Err())
	}
	if err != nil {
		c.leave()
		return nil, err
	}
	w.SetStage(wire.StageIdle)
	return c, nil
}

// open brings the connection to where there is a maildrop.
func (c *conn) open(ctx context.Context, server session.Server, creds sasl.Credentials) error {
	stages := backend.StagesOf(ctx)
	stages.Enter(session.StageGreeting)
	if err := c.greet(); err != nil {
		return err
	}
	stages.Detail(session.StageGreeting, "greeting", c.greeting)
	c.w.SetStage(wire.StageCommand)
	if server.Security == session.STARTTLS {
		stages.Enter(session.StageTLS)
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	stages.Enter(session.StageCapabilities)
	if err := c.capa(); err != nil {
		return err
	}
	if err := c.utf8(); err != nil {
		return err
	}
	if err := c.signIn(server, creds, stages); err != nil {
		return err
	}
	stages.Enter(session.StageMailbox)
	c.since = time.Now()
	c.w.SetStage(wire.StageCommand)
	if c.caps.perUser() {
		return c.capa()
	}
	return nil
}

// greet reads the server's first line.
func (c *conn) greet() error {
	r, err := c.answer(opGreeting)
	if err != nil {
		return err
	}
	c.greeting = clean(r.text)
	c.stamp = timestamp(r.text)
	return nil
}

// capa asks what the server can. One that does not know the question can what
// RFC 1939 has, as far as it does.
func (c *conn) capa() error {
	caps := capabilities{}
	err := c.listing(opCapa, func(line []byte) error {
		if len(caps) < maxCapabilities {
			caps.add(line)
		}
		return nil
	})
	switch e, is := errors.AsType[*Error](err); {
	case err == nil:
		c.caps = caps
	case is && answered(e):
		c.caps = nil
	default:
		return err
	}
	return nil
}

// maxCapabilities bounds what is kept of an answer to CAPA.
const maxCapabilities = 256

func (c *conn) startTLS(ctx context.Context) error {
	if err := c.capa(); err != nil {
		return err
	}
	if !c.caps.has(opSTLS) {
		return fmt.Errorf("%s does not offer STLS; use the port for TLS, or find out who on the way removes the offer; nothing was sent in plain text: %w",
			c.server, errors.ErrUnsupported)
	}
	if err := c.command(opSTLS); err != nil {
		return err
	}
	if err := c.w.StartTLS(ctx); err != nil {
		return backend.Connecting(c.server, err)
	}
	c.w.SetStage(wire.StageCommand)
	c.caps = nil // what was offered in plain text may be forged; it is asked for again
	return nil
}

// utf8 asks the server to give messages as they are, with UTF-8 in their
// headers, where it can (RFC 6856).
func (c *conn) utf8() error {
	if !c.caps.has(opUTF8) {
		return nil
	}
	err := c.command(opUTF8)
	if answered(err) {
		return nil // messages come in ASCII then, as ever
	}
	return err
}

// command sends one line, the word op with arguments. The answer is one line
// too, and has to be positive.
func (c *conn) command(op string, args ...string) error {
	if err := c.send(op, args...); err != nil {
		return err
	}
	if err := c.flush(op); err != nil {
		return err
	}
	_, err := c.answer(op)
	return err
}

// errArgument says that an argument would have ended its command early.
var errArgument = errors.New("an argument holds a line break or a NUL; nothing was sent")

// send puts a command into the buffer in front of the socket.
func (c *conn) send(op string, args ...string) error {
	line := strings.Join(append([]string{op}, args...), " ")
	if strings.ContainsAny(line, "\r\n\x00") {
		return fmt.Errorf("%s: %s: %w", c.server, op, errArgument)
	}
	if err := c.inStep(op); err != nil {
		return err
	}
	c.owed++
	if _, err := c.w.WriteString(line + "\r\n"); err != nil {
		return c.explain(op, err)
	}
	return nil
}

func (c *conn) flush(op string) error {
	if err := c.w.Flush(); err != nil {
		return c.explain(op, err)
	}
	return nil
}

// answer reads the first line of an answer, which has to be positive. An answer
// that is not POP3 ends the connection, since nobody knows what would come
// after it.
func (c *conn) answer(op string) (reply, error) {
	r, err := c.read(op)
	switch {
	case err != nil:
		return reply{}, err
	case r.status == failed:
		return reply{}, c.over(c.refusal(op, r))
	case r.status == continued:
		return reply{}, c.senseless(op, "the server asks for more where there is none")
	}
	return r, nil
}

// over ends the connection over an answer with which the session has ended, so
// that a new one is tried.
func (c *conn) over(e *Error) error {
	if !e.ended {
		return e
	}
	c.w.Kill(e) // unless it is dead already
	return &backend.LostError{Server: c.server, Op: e.Op, Err: e}
}

// inStep fails where the server said more than it was asked. What it says from
// then on would be taken for the answers to other commands. A session that had
// got as far as the maildrop is worth another.
func (c *conn) inStep(op string) error {
	if c.owed > 0 || c.w.Buffered() == 0 {
		return nil
	}
	e := &Error{Server: c.server, Op: op, Text: "the server answers what it was not asked", ended: c.drop != nil}
	c.w.Kill(e)
	return c.over(e)
}

// read reads the first line of an answer, whatever it says.
func (c *conn) read(op string) (reply, error) {
	line, err := c.w.ReadLine()
	if err != nil {
		return reply{}, c.explain(op, err)
	}
	if len(c.secrets) > 0 {
		line = []byte(c.secrets.Mask(string(line)))
	}
	r, err := parseReply(line)
	if err != nil {
		return reply{}, c.senseless(op, err.Error())
	}
	if op != opGreeting && r.status != continued {
		c.owed--
	}
	return r, nil
}

// outOfStep ends the connection over messages that may be taken for each other.
// They are asked for one by one from then on.
func (c *conn) outOfStep(op, what string) error {
	c.serial.Store(true)
	e := &Error{Server: c.server, Op: op, Text: what, ended: true}
	c.w.Kill(e)
	return c.over(e)
}

// senseless ends the connection over an answer that cannot be understood.
func (c *conn) senseless(op, what string) error {
	err := &Error{Server: c.server, Op: op, Text: what}
	if op == opGreeting {
		err.Remedy = "this is not the answer of a POP3 server: check host and port"
	}
	c.w.Kill(err)
	return err
}

// explain turns what ended an operation into what a caller sees.
func (c *conn) explain(op string, err error) error {
	if _, is := errors.AsType[*Error](err); err == nil || is {
		return err
	}
	if errors.Is(err, errSwallowed) {
		return c.outOfStep(op, errSwallowed.Error()+"; read it once more")
	}
	cause := c.w.Err()
	if cause == nil {
		if line, long := errors.AsType[*wire.LineError](err); long {
			return c.senseless(op, fmt.Sprintf("the server sent a line of more than %d bytes", line.Limit))
		}
		return err
	}
	if e, is := errors.AsType[*Error](cause); is {
		return c.over(e)
	}
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF // no connection ends by itself during an operation
	}
	return &backend.LostError{Server: c.server, Op: op, Err: cause}
}

// listing asks for an answer of several lines and reads it line by line.
func (c *conn) listing(op string, line func([]byte) error) error {
	if err := c.send(op); err != nil {
		return err
	}
	if err := c.flush(op); err != nil {
		return err
	}
	return c.lines(op, line)
}

// lines reads an answer of several lines. A line is valid until the next one is
// read. What the function returns for a line ends the connection.
func (c *conn) lines(op string, each func([]byte) error) error {
	if _, err := c.answer(op); err != nil {
		return err
	}
	c.owed++ // until the final dot
	for {
		line, err := c.w.ReadLine()
		if err != nil {
			return c.explain(op, err)
		}
		if len(line) > 0 && (line[0] == '+' || line[0] == '-') {
			return c.senseless(op, "an answer begins within another")
		}
		if len(line) > 0 && line[0] == '.' {
			if line = line[1:]; len(line) == 0 {
				c.owed--
				return nil
			}
		}
		if err := each(line); err != nil {
			c.w.Kill(err)
			return err
		}
	}
}

// pipelines reports whether the server takes commands ahead of its answers (RFC
// 2449 section 6.6).
func (c *conn) pipelines() bool { return c.caps.has("PIPELINING") && !c.serial.Load() }

// Bind implements [pool.Conn]. From here on answers are waited for.
func (c *conn) Bind(ctx context.Context) (release func()) {
	c.w.SetStage(wire.StageCommand)
	return c.w.Bind(ctx)
}

// Rest implements [pool.Conn].
func (c *conn) Rest() { c.w.SetStage(wire.StageIdle) }

// Usable implements [pool.Conn]. What the server says at rest is its goodbye.
func (c *conn) Usable() bool { return c.w.Err() == nil && c.owed == 0 && c.w.Buffered() == 0 }

// Goodbye implements [pool.Conn]. It waits for the answer to QUIT, within the
// time for closing: the server holds the maildrop until then.
func (c *conn) Goodbye() {
	if c.Usable() {
		c.w.SetStage(wire.StageClose)
		_ = c.quit() // the answer matters to nobody, as nothing is marked as deleted
	}
	_ = c.w.Close()
}

// leave is Goodbye without waiting.
func (c *conn) leave() {
	if c.Usable() {
		c.w.SetStage(wire.StageClose)
		if c.send(opQuit) == nil {
			_ = c.flush(opQuit) // whoever leaves does not want to know
		}
	}
	_ = c.w.Close()
}

// Abandon implements [pool.Conn].
func (c *conn) Abandon() { c.leave() }
