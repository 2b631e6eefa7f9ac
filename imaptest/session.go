package imaptest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
)

// maxCommand is how long a command other than APPEND may be in bytes.
const maxCommand = 64 << 10

// session is one connection.
type session struct {
	server  *Server
	c       *fakenet.Conn
	account *mailtest.Account // nil before authentication
	view    *view             // nil where nothing is selected

	condstore, qresync bool // enabled by the client (RFC 7162)
	compressed         bool
	identified         bool          // the client said its name by ID
	notification       *notification // nil where the client has not said what it wants to be told

	tag, name string // of the command that is carried out
	refuse    bool   // whether its fault wants it refused
	next      step   // what follows the answer
}

// step is what a session does after the answer to a command.
type step int

const (
	goOn step = iota
	hangUp
	startTLS
	leaveIdle
	startDeflate
)

// input is one command as it was read.
type input struct {
	tag, name string
	line      string // for the record
	args      []byte // what follows the name, its space included
}

// serve is the life of a connection.
func (s *Server) serve(ctx context.Context, c *fakenet.Conn) {
	one := &session{server: s, c: c}
	if err := one.greet(); err != nil {
		return
	}
	for one.next != hangUp {
		in, err := one.read()
		if err == nil {
			err = one.execute(ctx, in)
		}
		if err == nil {
			err = one.after(ctx)
		}
		if errors.Is(err, errAbandoned) {
			err = nil
		}
		if err != nil {
			one.complain(err)
			return
		}
	}
}

func (s *session) greet() error {
	verdict, err := s.c.Begin(mailtest.Greeting, "")
	if err != nil {
		return err
	}
	line := "* " + okCode(s.capabilityCode(), "imaptest ready").String() + "\r\n"
	if verdict.Refuse {
		line = "* BYE refused\r\n"
		s.next = hangUp
	}
	if verdict.Reply != "" {
		line = verdict.Reply + "\r\n"
	}
	if !verdict.Ignore {
		if _, err := s.c.WriteString(line); err != nil {
			return err
		}
	}
	return s.c.End()
}

// after does what a command left to be done once it was answered.
func (s *session) after(ctx context.Context) error {
	next := s.next
	switch next {
	case startTLS:
		s.next = goOn
		return s.c.StartTLS(ctx)
	case leaveIdle:
		s.next = goOn
		return s.answer("DONE", "DONE", func(refuse bool) (reply, error) {
			if refuse {
				return no("", "IDLE refused"), nil
			}
			return ok("IDLE completed"), nil
		})
	case startDeflate:
		s.next = goOn
		return s.c.Deflate()
	case goOn, hangUp:
	}
	return nil
}

// complain tells the client about an error that ends the connection.
func (s *session) complain(err error) {
	var text string
	switch {
	case errors.Is(err, fakenet.ErrLineTooLong):
		text = "Line too long"
	case errors.Is(err, fakenet.ErrEarlyBytes):
		text = "Plain text before the TLS handshake"
	default:
		return
	}
	_ = s.bye(text)
	_ = s.c.End()
}

// errAbandoned says that a command was answered before it was complete.
var errAbandoned = errors.New("imaptest: command abandoned")

// read reads one command with its literals, and invites the client to send each
// of them.
func (s *session) read() (input, error) {
	var in input
	var whole []byte
	var shown strings.Builder // the command without its literals
	for {
		line, err := s.c.ReadLine()
		if errors.Is(err, fakenet.ErrBareLF) {
			return in, s.protest(in.tag, "Line ends in LF without CR")
		}
		if err != nil {
			return in, err
		}
		whole = append(whole, line...)
		shown.Write(line)
		if in.tag == "" {
			if in = split(line); in.name == "" {
				return in, s.protest(in.tag, "Command expected")
			}
		}
		n, eager, found := literalAt(line)
		if !found || eager && !s.takesEager(n) {
			break
		}
		in.line = record(in, shown.String(), whole)
		if err := s.invite(in, n, len(whole), eager); err != nil {
			return in, err
		}
		data, err := s.c.ReadFull(n)
		if err != nil {
			return in, err
		}
		whole = append(append(whole, "\r\n"...), data...)
	}
	in.line = record(in, shown.String(), whole)
	in.args = whole[len(in.tag)+len(" ")+len(in.name):]
	return in, nil
}

// takesEager reports whether a literal of n bytes may be sent without waiting.
// Where it may not, the command is taken as ending with its announcement.
func (s *session) takesEager(n int) bool {
	return s.server.offers("LITERAL+") || s.server.offers("LITERAL-") && n <= 4096
}

// invite makes the client send a literal, or refuses it where it is too long.
func (s *session) invite(in input, n, sofar int, eager bool) error {
	s.tag = in.tag
	limit, refusal := maxCommand-sofar, bad("Command too long")
	if in.name == "APPEND" {
		limit, refusal = s.server.options.MaxMessage, no("TOOBIG", "Message too large")
	}
	if n > limit {
		err := s.answer(in.name, in.line, func(bool) (reply, error) { return refusal, nil })
		if err == nil && eager {
			err = s.skip(n)
		}
		if err == nil {
			err = errAbandoned
		}
		return err
	}
	if eager {
		return nil
	}
	answered := true
	err := s.answer(mailtest.Continue, in.line, func(refuse bool) (reply, error) {
		if refuse {
			return no("", "Literal refused"), nil
		}
		answered = false
		if _, err := s.c.WriteString("+ Go ahead\r\n"); err != nil {
			return reply{}, err
		}
		return reply{}, s.c.End()
	})
	if err == nil && answered {
		err = errAbandoned
	}
	return err
}

// skip reads a command to its end that has been answered already, from a
// literal of n bytes on that the client sends without waiting.
func (s *session) skip(n int) error {
	for {
		if _, err := io.CopyN(io.Discard, s.c, int64(n)); err != nil {
			return err
		}
		line, err := s.c.ReadLine()
		if err != nil {
			return err
		}
		var eager, found bool
		if n, eager, found = literalAt(line); !found || !eager {
			return nil
		}
	}
}

// protest answers what is no command.
func (s *session) protest(tag, text string) error {
	if tag == "" {
		tag = "*"
	}
	s.tag = tag
	err := s.answer("", "", func(bool) (reply, error) { return bad(text), nil })
	if err == nil {
		err = errAbandoned
	}
	return err
}

// split takes the tag and the name from a command's first line. Either is empty
// where there is none.
func split(line []byte) input {
	p := &parser{b: line}
	tag, err := p.span("a tag", func(c byte) bool { return isAstring(c) && c != '+' })
	if err != nil {
		return input{}
	}
	in := input{tag: tag}
	if p.space() != nil {
		return in
	}
	name, err := p.word()
	if err == nil && name == "UID" && p.accept(' ') {
		var of string
		of, err = p.word()
		name += " " + of
	}
	if err == nil {
		in.name = name
	}
	return in
}

// record returns a command as [mailtest.Command] shows it: shown is the command
// without its literals, whole has them.
func record(in input, shown string, whole []byte) string {
	const redacted = "[redacted]"
	head := len(in.tag) + len(" ") + len(in.name)
	p := &parser{b: whole, i: min(head, len(whole))}
	switch in.name {
	case "LOGIN":
		_ = p.space()
		if user, err := p.astring(); err == nil {
			return shown[:head] + " " + strconv.Quote(user) + " " + redacted
		}
		return shown[:head] + " " + redacted
	case "AUTHENTICATE":
		_ = p.space()
		if mechanism, err := p.word(); err == nil && bytes.HasPrefix(p.b[p.i:], []byte(" ")) {
			return shown[:head] + " " + mechanism + " " + redacted
		}
	}
	return shown
}
