package pop3test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// maxErrors is how many lines may be no command before the server hangs up.
const maxErrors = 100

// conn is one connection and the state of its session.
type conn struct {
	*fakenet.Conn

	server *Server
	stamp  string // the timestamp of the greeting, "" without APOP
	errors int

	named  bool   // USER has been said
	user   string // what it said
	utf8   bool   // UTF8 has been said
	german bool   // LANG de has been said

	drop *maildrop // open in the TRANSACTION state, else nil

	refuse bool // whether the fault of the command wants it refused
	secure bool // whether TLS follows the answer
}

// command is how a command is carried out, and where.
type command struct {
	run func(ctx context.Context, c *conn, args string) error
	// early and late tell whether the command belongs to the AUTHORIZATION and
	// to the TRANSACTION state.
	early, late bool
	// needs is the capability that it comes with, if any.
	needs string
}

// known returns all commands.
func known() map[string]command {
	return map[string]command{
		"APOP": {run: apop, early: true},
		"AUTH": {run: auth, early: true, needs: "SASL"},
		"CAPA": {run: capa, early: true, late: true},
		"DELE": {run: dele, late: true},
		"LANG": {run: lang, early: true, late: true, needs: "LANG"},
		"LAST": {run: last, late: true},
		"LIST": {run: list, late: true},
		"NOOP": {run: noop, late: true},
		"PASS": {run: pass, early: true, needs: "USER"},
		"QUIT": {run: quit, early: true, late: true},
		"RETR": {run: retr, late: true},
		"RSET": {run: rset, late: true},
		"STAT": {run: stat, late: true},
		"STLS": {run: stls, early: true},
		"TOP":  {run: top, late: true, needs: "TOP"},
		"UIDL": {run: uidl, late: true, needs: "UIDL"},
		"USER": {run: user, early: true, needs: "USER"},
		"UTF8": {run: utf8Mode, early: true, needs: "UTF8"},
	}
}

// serve is the life of a connection.
func (s *Server) serve(ctx context.Context, nc *fakenet.Conn) {
	c := &conn{Conn: nc, server: s}
	defer func() { c.drop.close() }()
	err := c.greet()
	for err == nil {
		err = c.next(ctx)
	}
}

// errDone ends a connection after the last answer was given.
var errDone = errors.New("pop3test: done")

func (c *conn) greet() error {
	return c.answer(mailtest.Greeting, "", func() error {
		if c.refuse {
			return c.hangUp("-ERR No POP3 service here")
		}
		text := c.server.options.Words.Greeting
		if c.server.options.APOP {
			c.stamp = c.server.stamp()
			text += " " + c.stamp
		}
		return c.ok(text)
	})
}

// next reads one command and carries it out.
func (c *conn) next(ctx context.Context) error {
	line, err := c.read()
	switch {
	case errors.Is(err, fakenet.ErrBareLF):
		return c.answer("", "", func() error { return c.hangUp("-ERR A line ends in LF without CR") })
	case errors.Is(err, fakenet.ErrLineTooLong):
		return c.answer("", "", func() error { return c.hangUp("-ERR Line too long") })
	case err != nil:
		return err
	}
	keyword, args, ok := parseCommand(line)
	switch {
	case c.Buffered() > 0 && !c.has("PIPELINING"):
		return c.answer(keyword, record(keyword, args), func() error {
			return c.hangUp("-ERR A command was sent ahead of this answer, and PIPELINING is not offered")
		})
	case len(line) > maxCommand && keyword == "AUTH" && c.server.options.TwoStepAuth, ok && len(line) <= maxCommand:
		return c.command(ctx, keyword, args)
	}
	return c.answer(keyword, record(keyword, args), func() error {
		if c.errors++; c.errors > maxErrors {
			return c.hangUp("-ERR Too many errors")
		}
		if len(line) > maxCommand {
			return c.fail("", "Line too long")
		}
		return c.fail("", "No command")
	})
}

// read reads a line, and gives up where none comes.
func (c *conn) read() (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.server.options.Idle)); err != nil {
		return "", err
	}
	line, err := c.ReadLine()
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	return string(line), err
}

// record returns a command as [mailtest.Command] shows it.
func record(keyword, args string) string {
	first, _, more := strings.Cut(args, " ")
	switch {
	case args == "":
	case keyword == "PASS":
		args = secret.Redacted
	case keyword == "APOP" && more:
		args = first + " " + secret.Redacted
	case keyword == "APOP", keyword == "AUTH" && !validMechanism(first):
		args = secret.Redacted
	case keyword == "AUTH" && more:
		args = first + " " + secret.Redacted
	}
	return strings.TrimSuffix(keyword+" "+args, " ")
}

// command carries out one command.
func (c *conn) command(ctx context.Context, keyword, args string) error {
	err := c.answer(keyword, record(keyword, args), func() error {
		cmd, found := c.server.commands[keyword]
		switch {
		case !found || !c.offers(keyword, cmd):
			c.errors++
			return c.fail("", "Unknown command")
		case c.drop == nil && !cmd.early:
			return c.fail("", "Sign in first")
		case c.drop != nil && !cmd.late:
			return c.fail("", "Signed in already")
		case c.refuse && !signsIn(keyword) && keyword != "QUIT":
			return c.fail("", keyword+" refused")
		}
		return cmd.run(ctx, c, args)
	})
	if err == nil && c.secure {
		c.secure = false
		return c.startTLS(ctx)
	}
	return err
}

// signsIn reports whether a command refuses in words of its own.
func signsIn(keyword string) bool {
	return keyword == "PASS" || keyword == "APOP" || keyword == "AUTH"
}

// offers reports whether the server knows a command.
func (c *conn) offers(keyword string, cmd command) bool {
	o := &c.server.options
	switch keyword {
	case "CAPA":
		return !o.NoCAPA
	case "APOP":
		return o.APOP
	case "LAST":
		return o.Last
	case "STLS":
		return o.Security == mailtest.STARTTLS
	}
	return cmd.needs == "" || c.has(cmd.needs)
}

// answer brackets what does the answering, and applies what a fault wants in
// its place.
func (c *conn) answer(name, line string, do func() error) error {
	v, err := c.Begin(name, line)
	if err != nil {
		return err
	}
	c.refuse = v.Refuse
	switch {
	case v.Reply != "":
		_, err = c.WriteString(v.Reply + "\r\n")
	case v.Expire:
		err = c.hangUp("-ERR " + c.coded("AUTH", "The access token has expired, sign in again"))
	case !v.Ignore:
		err = do()
	}
	if err != nil && !errors.Is(err, errDone) {
		return err
	}
	if end := c.End(); end != nil {
		return end
	}
	return err
}

// ok gives an answer of one line, or the first of several.
func (c *conn) ok(text string) error {
	return c.line(strings.TrimSuffix("+OK "+c.translate(text), " "))
}

// fail refuses a command, with a response code unless that is empty.
func (c *conn) fail(code, text string) error { return c.line("-ERR " + c.coded(code, text)) }

// coded returns a text with a code ahead, where the server has such codes.
func (c *conn) coded(code, text string) string {
	text = c.translate(text)
	if code == "" || !c.has("RESP-CODES") || code == "AUTH" && !c.has("AUTH-RESP-CODE") {
		return text
	}
	return "[" + code + "] " + text
}

// line writes a line.
func (c *conn) line(text string) error {
	_, err := c.WriteString(text + "\r\n")
	return err
}

// rows gives an answer of several lines.
func (c *conn) rows(text string, rows []string) error {
	if err := c.ok(text); err != nil {
		return err
	}
	for _, row := range rows {
		if err := c.line(row); err != nil {
			return err
		}
	}
	return c.line(".")
}

// hangUp gives a last answer.
func (c *conn) hangUp(line string) error {
	if err := c.line(line); err != nil {
		return err
	}
	return errDone
}

// has reports whether the server has the capability.
func (c *conn) has(keyword string) bool {
	_, ok := c.capability(keyword)
	return ok
}

// capability returns the parameters of a capability that the server has.
func (c *conn) capability(keyword string) (params string, ok bool) {
	return fakenet.Extension(c.server.options.Capabilities, keyword)
}

// exposed reports whether the client still has to ask for TLS.
func (c *conn) exposed() bool {
	return c.server.options.Security == mailtest.STARTTLS && !c.Encrypted()
}

func capa(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "CAPA has no argument")
	}
	var rows []string
	for _, line := range c.server.options.Capabilities {
		keyword, _, _ := strings.Cut(line, " ")
		switch strings.ToUpper(keyword) {
		case "SASL", "USER":
			if c.exposed() {
				continue
			}
		case "LOGIN-DELAY":
			if delay := c.server.options.LoginDelay; line == keyword {
				line += fmt.Sprintf(" %d", int(delay.Seconds()))
			}
		}
		rows = append(rows, line)
	}
	if c.exposed() {
		rows = append(rows, "STLS")
	}
	return c.rows("Capabilities follow", rows)
}

func stls(_ context.Context, c *conn, args string) error {
	switch {
	case args != "":
		return c.fail("", "STLS has no argument")
	case c.Encrypted():
		return c.fail("", "TLS is active already")
	case c.utf8:
		return c.fail("", "STLS comes before UTF8")
	}
	c.secure = true
	return c.ok("Begin TLS negotiation")
}

// startTLS does the handshake and forgets what was said in plain text: the
// language, since nothing else is taken there.
func (c *conn) startTLS(ctx context.Context) error {
	err := c.StartTLS(ctx)
	if errors.Is(err, fakenet.ErrEarlyBytes) {
		return c.answer("", "", func() error { return c.hangUp("-ERR Plain text before the TLS handshake") })
	}
	c.german = false
	return err
}
