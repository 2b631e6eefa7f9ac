package smtptest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// maxErrors is how many commands may be refused before the server hangs up.
const maxErrors = 100

// conn is one connection and the state of its dialogue.
type conn struct {
	*fakenet.Conn

	server *Server

	hello   string // what the client calls itself, "" before EHLO and HELO
	esmtp   bool   // it said EHLO
	account *mailtest.Account
	errors  int
	mails   int          // begun so far
	tx      *transaction // after MAIL, else nil
}

// transaction is what is known of a message before it is accepted.
type transaction struct {
	from, params string
	utf8, binary bool
	to, toParams []string
	text         strings.Builder // by BDAT
	chunks       []int           // their lengths
	chunked      bool            // BDAT was used
	failed       bool            // a chunk was refused; the rest of them is, too
}

// serve is the life of a connection.
func (s *Server) serve(ctx context.Context, nc *fakenet.Conn) {
	c := &conn{Conn: nc, server: s}
	s.opened("")
	defer func() { s.left(c.user()) }()
	err := c.answer(mailtest.Greeting, "", func(v fakenet.Verdict) error {
		if v.Refuse {
			return c.hangUp("554 5.3.2 No SMTP service here")
		}
		if refused, err := c.judge(Event{Command: mailtest.Greeting}); refused || err != nil {
			return err
		}
		return c.sayAs(s.options.Words.Greeting, 220, "", s.options.Hostname+" ESMTP ready")
	})
	for err == nil {
		err = c.next(ctx)
	}
}

// errDone ends a connection after the last answer was given.
var errDone = errors.New("smtptest: done")

// next reads one command and carries it out.
func (c *conn) next(ctx context.Context) error {
	line, err := c.readCommand()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return c.answer("", "", func(fakenet.Verdict) error { return c.hangUp("421 4.4.2 Timeout, good bye") })
	case errors.Is(err, fakenet.ErrBareLF):
		return c.answer("", "", func(fakenet.Verdict) error {
			return c.hangUp("521 5.5.2 A line ends in LF without CR")
		})
	case errors.Is(err, fakenet.ErrLineTooLong):
		return c.answer("", "", func(fakenet.Verdict) error { return c.hangUp("521 5.5.2 Line too long") })
	case err != nil:
		return err
	}
	verb, args, ok := parseCommand(string(line))
	if !ok || len(line) > maxAuth || len(line) > maxCommand && verb != "AUTH" {
		return c.answer("", "", func(fakenet.Verdict) error {
			return c.refuse(500, "5.5.2", "Syntax error or line too long")
		})
	}
	if c.Buffered() > 0 && c.endsGroup(verb) {
		return c.sentAhead("")
	}
	return c.command(ctx, verb, args)
}

// readCommand returns the next line, unless the client takes too long.
func (c *conn) readCommand() ([]byte, error) {
	idle := c.server.options.Idle
	if idle == 0 {
		return c.ReadLine()
	}
	if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return nil, err
	}
	line, err := c.ReadLine()
	if err != nil {
		return nil, err
	}
	return line, c.SetReadDeadline(time.Time{})
}

// pipelining reports whether the client may send commands ahead: it was told so.
func (c *conn) pipelining() bool { return c.esmtp && c.has("PIPELINING") }

// endsGroup reports whether nothing may have been sent behind the command before
// it is answered (RFC 2920 section 3.1, RFC 4954 section 4). What follows
// STARTTLS ends the handshake, and what BDAT is followed by is looked at later.
func (c *conn) endsGroup(verb string) bool {
	switch verb {
	case "BDAT", "STARTTLS":
		return false
	case "EHLO", "HELO", "DATA", "VRFY", "EXPN", "NOOP", "QUIT", "AUTH":
		return true
	}
	return !c.pipelining()
}

// sentAhead sends a client away that did not wait for an answer.
func (c *conn) sentAhead(name string) error {
	return c.answer(name, name, func(fakenet.Verdict) error {
		return c.hangUp("521 5.5.1 Protocol error: sent ahead without waiting for the answer")
	})
}

// user returns the account's address, "" before signing in.
func (c *conn) user() string {
	if c.account == nil {
		return ""
	}
	return c.account.Address()
}

// answer brackets what does the answering, and applies what a fault wants in
// its place.
func (c *conn) answer(name, line string, do func(fakenet.Verdict) error) error {
	v, err := c.Begin(name, line)
	if err != nil {
		return err
	}
	switch {
	case v.Reply != "":
		_, err = c.WriteString(v.Reply + "\r\n")
	case v.Expire:
		err = c.hangUp("421 4.7.0 The access token has expired, sign in again")
	case !v.Ignore:
		err = do(v)
	}
	if errors.Is(err, errDone) {
		if end := c.End(); end != nil {
			return end
		}
		return err
	}
	if err != nil {
		return err
	}
	return c.End()
}

// command carries out one command.
func (c *conn) command(ctx context.Context, verb, args string) error {
	line := strings.TrimSuffix(verb+" "+args, " ")
	switch verb {
	case "AUTH":
		return c.auth(ctx, args)
	case "BDAT":
		return c.bdat(line, args)
	case "DATA":
		return c.data(line, args)
	case "STARTTLS":
		return c.startTLS(ctx, line, args)
	}
	handlers := map[string]func(args string) error{
		"EHLO": c.ehlo, "HELO": c.helo, "MAIL": c.mail, "RCPT": c.rcpt, "RSET": c.rset, "NOOP": c.noop,
		"VRFY": c.vrfy, "QUIT": c.quit,
	}
	return c.answer(verb, line, func(v fakenet.Verdict) error {
		handle, known := handlers[verb]
		switch {
		case !known || verb == "EHLO" && (c.server.options.NoEHLO || v.Refuse):
			return c.refuse(502, "5.5.1", "Command not recognized")
		case v.Refuse:
			return c.refuse(550, "5.7.1", "Command refused")
		}
		return handle(args)
	})
}

// say writes one answer. The enhanced code is left out where it is empty or
// the extension is not offered.
func (c *conn) say(code int, enhanced, text string) error {
	if enhanced != "" && c.has("ENHANCEDSTATUSCODES") {
		text = enhanced + " " + text
	}
	_, err := c.WriteString(strconv.Itoa(code) + " " + text + "\r\n")
	return err
}

// refuse is say for what the client should not have done. A client that does
// it too often is sent away.
func (c *conn) refuse(code int, enhanced, text string) error {
	return c.refuseAs("", code, enhanced, text)
}

// refuseAs is refuse, unless the server has words of its own.
func (c *conn) refuseAs(own string, code int, enhanced, text string) error {
	if c.errors++; c.errors > maxErrors {
		return c.hangUp("421 4.7.0 Too many errors")
	}
	return c.sayAs(own, code, enhanced, text)
}

// sayAs is say, unless the server has words of its own.
func (c *conn) sayAs(own string, code int, enhanced, text string) error {
	if own == "" {
		return c.say(code, enhanced, text)
	}
	_, err := c.WriteString(own + "\r\n")
	return err
}

// hangUp gives a last answer.
func (c *conn) hangUp(line string) error {
	if _, err := c.WriteString(line + "\r\n"); err != nil {
		return err
	}
	return errDone
}

// has reports whether the server has the extension.
func (c *conn) has(keyword string) bool {
	_, ok := c.extension(keyword)
	return ok
}

// extension returns the parameters of an extension that the server has.
func (c *conn) extension(keyword string) (params string, ok bool) {
	return fakenet.Extension(c.server.options.Extensions, keyword)
}

// exposed reports whether the client still has to ask for TLS.
func (c *conn) exposed() bool {
	return c.server.options.Security == mailtest.STARTTLS && !c.Encrypted()
}

func (c *conn) ehlo(args string) error {
	if !validHello(args) {
		return c.refuse(501, "5.5.4", "EHLO needs a host name or an address in brackets")
	}
	c.hello, c.esmtp, c.tx = args, true, nil
	lines := []string{c.server.options.Hostname + " greets " + args}
	for _, line := range c.server.options.Extensions {
		keyword, _, _ := strings.Cut(line, " ")
		switch {
		case strings.EqualFold(keyword, "AUTH") && c.exposed():
			continue
		case strings.EqualFold(line, "SIZE"):
			line += " " + strconv.Itoa(c.server.options.MaxMessage)
		}
		lines = append(lines, line)
	}
	if c.exposed() {
		lines = append(lines, "STARTTLS")
	}
	for i, line := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		if _, err := c.WriteString("250" + sep + line + "\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// validHello takes whatever is one word: few servers look closer.
func validHello(s string) bool { return s != "" && !strings.Contains(s, " ") && isASCII(s) }

func (c *conn) helo(args string) error {
	if !validHello(args) {
		return c.refuse(501, "5.5.4", "HELO needs a host name")
	}
	c.hello, c.esmtp, c.tx = args, false, nil
	return c.say(250, "", c.server.options.Hostname)
}

func (c *conn) rset(args string) error {
	if args != "" {
		return c.refuse(501, "5.5.4", "RSET has no argument")
	}
	c.tx = nil
	return c.say(250, "2.0.0", "Flushed")
}

func (c *conn) noop(string) error { return c.say(250, "2.0.0", "OK") }

func (c *conn) vrfy(args string) error {
	if args == "" {
		return c.refuse(501, "5.5.4", "VRFY needs an address")
	}
	return c.say(252, "2.5.0", "Cannot tell; send some mail")
}

func (c *conn) quit(args string) error {
	if args != "" {
		return c.refuse(501, "5.5.4", "QUIT has no argument")
	}
	if err := c.sayAs(c.server.options.Words.Bye, 221, "2.0.0", "Bye"); err != nil {
		return err
	}
	return errDone
}

func (c *conn) startTLS(ctx context.Context, line, args string) error {
	agreed := false
	err := c.answer("STARTTLS", line, func(v fakenet.Verdict) error {
		switch {
		case !c.exposed():
			return c.refuse(502, "5.5.1", "STARTTLS is not available here")
		case args != "":
			return c.refuse(501, "5.5.4", "STARTTLS has no argument")
		case v.Refuse:
			return c.refuse(454, "4.7.0", "TLS not available at the moment")
		}
		agreed = true
		return c.say(220, "2.0.0", "Go ahead")
	})
	if err != nil || !agreed {
		return err
	}
	if err := c.StartTLS(ctx); err != nil {
		return err
	}
	c.hello, c.esmtp, c.tx = "", false, nil
	return nil
}

// auth does AUTH (RFC 4954). What the client says after the mechanism's name
// is not recorded.
func (c *conn) auth(ctx context.Context, args string) error {
	mechanism, initial, hasInitial := strings.Cut(args, " ")
	mechanism = strings.ToUpper(mechanism)
	line := "AUTH " + mechanism
	if !validKeyword(mechanism) || len(mechanism) > 20 {
		line = "AUTH " + secret.Redacted
	} else if hasInitial {
		line += " " + secret.Redacted
	}
	return c.answer("AUTH", line, func(v fakenet.Verdict) error {
		offered, ok := c.extension("AUTH")
		switch {
		case !ok || c.exposed():
			return c.refuse(503, "5.5.1", "AUTH is not available here")
		case !c.esmtp || c.account != nil || c.tx != nil:
			return c.refuse(503, "5.5.1", "AUTH comes once, after EHLO and before MAIL")
		case !slices.ContainsFunc(strings.Fields(offered), func(o string) bool { return strings.EqualFold(o, mechanism) }):
			return c.refuse(504, "5.5.4", "Unrecognized authentication type")
		}
		in := &fakenet.SignIn{
			Conn: c.Conn, Box: c.server.box, Mechanism: mechanism, Refuse: v.Refuse, NoChallenge: c.server.options.NoTokenChallenge,
			Ask: c.ask, Check: c.server.options.CheckToken,
		}
		var err error
		if hasInitial {
			in.Initial, err = fakenet.DecodeInitial([]byte(initial))
		}
		if err != nil {
			return c.notSignedIn(mechanism, err)
		}
		return c.signIn(ctx, in)
	})
}

// signIn does the exchange, and asks the policies about who it is.
func (c *conn) signIn(ctx context.Context, in *fakenet.SignIn) error {
	account, err := in.Run(ctx)
	if err != nil {
		return c.notSignedIn(in.Mechanism, err)
	}
	refused, err := c.judge(Event{Command: "AUTH", Mechanism: in.Mechanism, User: account.Address()})
	if refused || err != nil {
		return err
	}
	c.account = account
	c.server.opened(c.user())
	return c.sayAs(c.server.options.Words.SignedIn, 235, "2.7.0", "Authentication successful")
}

// ask sends a challenge and reads the answer.
func (c *conn) ask(challenge []byte) ([]byte, error) {
	if err := c.say(334, "", base64.StdEncoding.EncodeToString(challenge)); err != nil {
		return nil, err
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	line, err := c.ReadLine()
	if err != nil {
		return nil, err
	}
	shown := string(line)
	if shown != "" && shown != "*" {
		shown = secret.Redacted
	}
	c.Record("AUTH", shown)
	if len(line) > maxAuth {
		return nil, fakenet.ErrEncoding
	}
	return fakenet.DecodeAnswer(line)
}

// notSignedIn gives the answer to an AUTH that failed.
func (c *conn) notSignedIn(mechanism string, err error) error {
	words := c.server.options.Words
	wrong := words.WrongPassword
	if mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER" {
		wrong = words.WrongToken
	}
	switch {
	case wrong != "" && errors.Is(err, mailtest.ErrSignIn):
		return c.refuseAs(wrong, 0, "", "")
	case errors.Is(err, mailtest.ErrUnavailable):
		return c.refuse(454, "4.7.0", "Temporary authentication failure")
	case errors.Is(err, mailtest.ErrSignIn), errors.Is(err, fakenet.ErrMalformed):
		return c.refuse(535, "5.7.8", "Error: authentication failed")
	case errors.Is(err, fakenet.ErrCancelled):
		return c.refuse(501, "5.7.0", "Authentication aborted")
	case errors.Is(err, fakenet.ErrDummy):
		return c.refuse(501, "5.5.2", "Invalid answer to the error challenge")
	case errors.Is(err, fakenet.ErrEncoding):
		return c.refuse(501, "5.5.2", "Invalid base64 data")
	case errors.Is(err, fakenet.ErrMechanism):
		return c.refuse(504, "5.5.4", "Unrecognized authentication type")
	}
	return fmt.Errorf("smtptest: AUTH: %w", err)
}
