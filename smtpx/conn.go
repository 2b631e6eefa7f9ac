package smtpx

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/transcript"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// What a connection was doing, as errors name it.
const (
	opGreeting = "greeting"
	opHello    = "EHLO"
	opStartTLS = "STARTTLS"
	opAuth     = "AUTH"
	opMail     = "MAIL"
	opRcpt     = "RCPT"
	opData     = "DATA"
	opMessage  = "message"
	opReset    = "RSET"
)

// codeClosing is the code by which a server says, in answer to anything, that
// it ends the connection (RFC 5321 section 3.8).
const codeClosing = 421

// codeSignInFirst is the code by which it says that it takes mail of those who signed
// in, or over encrypted lines, alone (RFC 4954 section 6, RFC 3207 section 4).
const codeSignInFirst = 530

// extensions are the keywords in the answer to EHLO, in upper case, with their
// parameters.
type extensions map[string]string

func parseExtensions(r reply) extensions {
	ext := extensions{}
	for _, line := range r.lines[1:] {
		keyword, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		keyword = strings.ToUpper(keyword)
		// Old servers write "AUTH=LOGIN", some of them beside the right form.
		if mechanism, ok := strings.CutPrefix(keyword, "AUTH="); ok {
			keyword, params = "AUTH", mechanism+" "+params
		}
		if before, ok := ext[keyword]; ok {
			params = before + " " + params
		}
		ext[keyword] = params
	}
	return ext
}

func (e extensions) has(keyword string) bool {
	_, ok := e[keyword]
	return ok
}

// sizeLimit returns the largest message the server takes, 0 where it sets no
// limit or does not say.
func (e extensions) sizeLimit() int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(e["SIZE"]), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// conn is a connection that was greeted, secured and signed in on. It belongs
// to one goroutine at a time.
type conn struct {
	w      *wire.Conn
	server string
	ext    extensions

	// secrets are what the client signs in with, in the forms in which a server can
	// repeat it.
	secrets backend.Secrets

	unverified bool        // whoever answers may be anybody, also behind TLS
	closing    bool        // the server said that it ends the connection
	messages   int         // begun so far
	most       int         // of them, 0 where there is no bound
	full       atomic.Bool // the server lets it carry no more
	takes      manner
	chunks     bool // the server took one

	out *bufio.Writer // for messages, nil before the first
}

// connect makes a connection to the client's server and signs in.
func (c *Client) connect(ctx context.Context, creds sasl.Credentials) (*conn, error) {
	cfg := backend.Wire(c.server, ports(), transcript.SMTP(), creds)
	cfg.MaxLine = maxLine
	w, err := wire.Dial(ctx, cfg)
	if err != nil {
		return nil, backend.Connecting(c.address, err)
	}
	release := w.Bind(ctx)
	defer release()
	cn := &conn{w: w, server: c.address, unverified: unverified(c.server.TLS)}
	cn.hide(creds)
	if err := cn.open(ctx, c, creds); err != nil {
		cn.Abandon()
		return nil, err
	}
	return cn, nil
}

// unverified reports whether nobody looks at the server's certificate.
func unverified(cfg *tls.Config) bool {
	return cfg != nil && cfg.InsecureSkipVerify && cfg.VerifyConnection == nil && cfg.VerifyPeerCertificate == nil
}

// open brings the connection to where mail can be sent.
func (c *conn) open(ctx context.Context, cl *Client, creds sasl.Credentials) error {
	stages := backend.StagesOf(ctx)
	stages.Enter(session.StageGreeting)
	if err := c.greeting(stages); err != nil {
		return err
	}
	c.w.SetStage(wire.StageCommand)
	if cl.server.Security == session.STARTTLS {
		stages.Enter(session.StageTLS)
		if err := c.hello(cl.localName, nil); err != nil {
			return err
		}
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	// What was offered in plain text may be forged; ask again.
	stages.Enter(session.StageCapabilities)
	if err := c.hello(cl.localName, cl.without); err != nil {
		return err
	}
	stages.Detail(session.StageCapabilities, "capabilities", c.ext.String())
	c.most = fewer(cl.perConnection, c.ext.limit(limitMail))
	return c.signIn(cl.server, creds, stages)
}

// fewer returns the smaller of two bounds, of which 0 is none.
func fewer(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// hello introduces the client, by HELO where the server does not know EHLO,
// and takes note of what the server offers, but for what is to be left out.
func (c *conn) hello(name string, without []string) error {
	r, err := c.command(opHello, "EHLO "+name)
	if err != nil {
		return err
	}
	c.ext = extensions{}
	switch {
	case r.positive():
		c.ext = parseExtensions(r)
		for _, keyword := range without {
			delete(c.ext, strings.ToUpper(keyword))
		}
		return nil
	case r.code/100 == 5:
		return c.commandOK(opHello, "HELO "+name)
	}
	return c.refusal(opHello, r)
}

func (c *conn) startTLS(ctx context.Context) error {
	if !c.ext.has("STARTTLS") {
		return &ExtensionError{
			Server: c.server, Extension: "STARTTLS",
			Remedy: "use the port for TLS, or find out who on the way removes the offer; nothing was sent in plain text",
		}
	}
	if err := c.commandOK(opStartTLS, "STARTTLS"); err != nil {
		return err
	}
	if err := c.w.StartTLS(ctx); err != nil {
		return backend.Connecting(c.server, err)
	}
	c.w.SetStage(wire.StageCommand)
	return nil
}

// command sends one line and returns the answer, whatever it is.
func (c *conn) command(op, line string) (reply, error) {
	if err := c.send(op, line); err != nil {
		return reply{}, err
	}
	if err := c.flush(op); err != nil {
		return reply{}, err
	}
	return c.read(op)
}

// commandOK is command where nothing but a positive answer will do.
func (c *conn) commandOK(op, line string) error {
	r, err := c.command(op, line)
	if err == nil && !r.positive() {
		err = c.refusal(op, r)
	}
	return err
}

// greeting reads the server's first line.
func (c *conn) greeting(stages *backend.Stages) error {
	r, err := c.read(opGreeting)
	if err == nil && !r.positive() {
		err = c.refusal(opGreeting, r)
	}
	if err == nil {
		stages.Detail(session.StageGreeting, "greeting", r.text())
	}
	return err
}

// send puts a line into the buffer. Every argument was checked to have no
// line end.
func (c *conn) send(op, line string) error {
	if _, err := c.w.WriteString(line + "\r\n"); err != nil {
		return c.lost(op, err)
	}
	return nil
}

// flush sends what is in the buffer.
func (c *conn) flush(op string) error {
	if err := c.inStep(op); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return c.lost(op, err)
	}
	return nil
}

// message returns what a message is written to. Where the server leaves in the
// middle of one, what it said before can still be read.
func (c *conn) message() *bufio.Writer {
	if c.out == nil {
		c.out = bufio.NewWriterSize(sender{c.w}, messageBuffer)
	}
	return c.out
}

// messageBuffer is how much of a message is collected before it is sent.
const messageBuffer = 32 << 10

// sender sends at once what is written to it.
type sender struct{ w *wire.Conn }

func (s sender) Write(p []byte) (int, error) { return s.w.Send(p) }

// inStep fails where the server said more than it was asked. What it says from
// then on would be taken for the answers to other commands: for a message's, in
// the worst case.
func (c *conn) inStep(op string) error {
	if c.w.Buffered() == 0 {
		return nil
	}
	r, err := c.read(op)
	switch {
	case err != nil:
		return err
	case r.code == codeClosing: // which may come at any time
		return c.refusal(op, r)
	}
	return c.misfit(op, "the server answers what it was not asked", r)
}

// misfit ends the connection over an answer that cannot be one, and returns the
// error that says so.
func (c *conn) misfit(op, what string, r reply) error {
	err := &Error{Server: c.server, Op: op, Text: fmt.Sprintf("%s: %d %s", what, r.code, c.mask(r).text())}
	c.w.Kill(err)
	return err
}

// refusal turns an answer into an error.
func (c *conn) refusal(op string, r reply) *Error {
	e := &Error{Server: c.server, Op: op, Code: r.code, Enhanced: r.enhanced(), Text: c.mask(r).text()}
	if op != opAuth { // the remedy of a refused sign-in stands in the AuthError
		e.Remedy = remedy(e)
	}
	return e
}

// mask takes the secrets out of an answer that is to be shown: a server may
// repeat what it was sent at any time.
func (c *conn) mask(r reply) reply {
	lines := make([]string, len(r.lines))
	for i, line := range r.lines {
		lines[i] = c.secrets.Mask(line)
	}
	r.lines = lines
	return r
}

// read reads one answer. An answer that is not SMTP ends the connection, since
// nobody knows what would come after it.
func (c *conn) read(op string) (reply, error) {
	r, err := readReply(c.w, c.secrets)
	switch {
	case err == nil:
		c.closing = c.closing || r.code == codeClosing
		return r, nil
	case errors.Is(err, errSyntax):
		e := &Error{Server: c.server, Op: op, Text: err.Error()}
		if op == opGreeting {
			e.Remedy = "this is not the answer of a mail server: check host and port"
		}
		c.w.Kill(e)
		return reply{}, e
	}
	return reply{}, c.lost(op, err)
}

func (c *conn) lost(op string, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &backend.LostError{Server: c.server, Op: op, Err: err}
}

// Bind implements [pool.Conn]. From here on answers are waited for.
func (c *conn) Bind(ctx context.Context) (release func()) {
	c.w.SetStage(wire.StageCommand)
	return c.w.Bind(ctx)
}

// Rest implements [pool.Conn].
func (c *conn) Rest() { c.w.SetStage(wire.StageIdle) }

// Usable implements [pool.Conn].
func (c *conn) Usable() bool { return c.alive() && !c.spent() }

// alive reports whether the server may be talked to.
func (c *conn) alive() bool { return !c.closing && c.w.Err() == nil && c.w.Buffered() == 0 }

// spent reports whether the connection has carried as many messages as it may.
func (c *conn) spent() bool { return c.most > 0 && c.messages >= c.most || c.full.Load() }

// reset ends a transaction that failed, so that the next one can begin. The
// connection is not used further where the server does not agree; that is no
// concern of the transaction.
func (c *conn) reset() {
	if !c.alive() {
		return
	}
	if err := c.commandOK(opReset, "RSET"); err != nil {
		c.w.Kill(err)
	}
}

// Goodbye implements [pool.Conn]. It waits for the answer to QUIT, within the
// time for closing.
func (c *conn) Goodbye() {
	if c.alive() {
		c.w.SetStage(wire.StageClose)
		// The answer to QUIT matters to nobody.
		_, _ = c.command("QUIT", "QUIT")
	}
	_ = c.w.Close()
}

// Abandon implements [pool.Conn]. Where the connection still works it says
// goodbye, without waiting.
func (c *conn) Abandon() {
	if c.alive() {
		c.w.SetStage(wire.StageClose)
		if c.send("QUIT", "QUIT") == nil {
			_ = c.flush("QUIT")
		}
	}
	_ = c.w.Close()
}
