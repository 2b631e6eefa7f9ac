package imapx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// dialogue is the part of a connection before the user is signed in: lines and
// nothing else.
type dialogue struct {
	wire      *wire.Conn
	address   string
	user      string
	greeting  string
	mechanism string
	caps      capabilities
	tags      int
	tag       string // of the command under way
	bye       string
	secrets   backend.Secrets
}

// open goes from the greeting to the signed-in state.
func (d *dialogue) open(ctx context.Context, server session.Server, creds sasl.Credentials) error {
	stages := backend.StagesOf(ctx)
	stages.Enter(session.StageGreeting)
	preauth, err := d.greet()
	if err != nil {
		return err
	}
	stages.Detail(session.StageGreeting, "greeting", d.greeting)
	d.wire.SetStage(wire.StageCommand)
	if server.Security == session.STARTTLS {
		stages.Enter(session.StageTLS)
		if preauth {
			return errPreauth
		}
		if err := d.startTLS(ctx); err != nil {
			return err
		}
	}
	stages.Enter(session.StageCapabilities)
	if d.caps == nil {
		if err := d.capability(); err != nil {
			return err
		}
	}
	stages.Detail(session.StageCapabilities, "capabilities", d.caps.String())
	if preauth {
		return nil
	}
	return d.signIn(server, creds, stages)
}

// signIn goes from there to the signed-in state. A server that took the
// credentials may refuse the mailbox with the next command.
func (d *dialogue) signIn(server session.Server, creds sasl.Credentials, stages *backend.Stages) error {
	stages.Enter(session.StageSignIn)
	d.wire.SetStage(wire.StageAuth)
	if err := d.authenticate(server, creds); err != nil {
		return err
	}
	stages.Detail(session.StageSignIn, "mechanism", d.mechanism)
	stages.Enter(session.StageMailbox)
	d.wire.SetStage(wire.StageCommand)
	if d.caps == nil {
		return d.capability()
	}
	return nil
}

// greet reads the greeting.
func (d *dialogue) greet() (preauth bool, err error) {
	line, err := d.wire.ReadLine()
	if err != nil {
		return false, err
	}
	rest, ok := bytes.CutPrefix(line, []byte("* "))
	s, known := parseStatus(rest)
	if !ok || !known {
		return false, fmt.Errorf("the greeting %q is not that of an IMAP server; check host and port", printable(string(line)))
	}
	if s.typ != "OK" && s.typ != "PREAUTH" {
		return false, d.refusal("greeting", s)
	}
	d.greeting = s.text
	d.learn(s)
	return s.typ == "PREAUTH", nil
}

func (d *dialogue) startTLS(ctx context.Context) error {
	if d.caps == nil {
		if err := d.capability(); err != nil {
			return err
		}
	}
	if !d.caps.has("STARTTLS") {
		return errors.New("the server does not offer STARTTLS; use the port for TLS, or find out who on the way removes the offer; nothing was sent in plain text")
	}
	if err := d.command("STARTTLS"); err != nil {
		return err
	}
	if err := d.wire.StartTLS(ctx); err != nil {
		return err
	}
	d.wire.SetStage(wire.StageCommand)
	d.caps = nil // what was said in plain text does not count (RFC 9051 section 6.2.1)
	return nil
}

func (d *dialogue) capability() error {
	if err := d.command("CAPABILITY"); err != nil {
		return err
	}
	if d.caps == nil {
		return errors.New("the server does not tell its capabilities")
	}
	return nil
}

// learn takes the capabilities that a status response may carry.
func (d *dialogue) learn(s status) {
	if s.code == "CAPABILITY" {
		d.caps = parseCapabilities(s.args)
	}
}

// send begins a command.
func (d *dialogue) send(words string) error {
	d.tags++
	d.tag = fmt.Sprintf("A%d", d.tags)
	return d.line(d.tag + " " + words)
}

// secret sends what must not be shown.
func (d *dialogue) secret(s string) error {
	d.secrets = append(d.secrets, s)
	return d.line(s)
}

func (d *dialogue) line(s string) error {
	if _, err := d.wire.WriteString(s + "\r\n"); err != nil {
		return err
	}
	return d.wire.Flush()
}

// command sends a command without arguments that matter and waits for its end.
func (d *dialogue) command(words string) error {
	if err := d.send(words); err != nil {
		return err
	}
	_, continued, err := d.answer(strings.ToLower(words))
	if err == nil && continued {
		return fmt.Errorf("the server wants more after %s", words)
	}
	return err
}

// answer reads to the end of the command under way, or to a continuation
// request, whose text it returns.
func (d *dialogue) answer(op string) (text []byte, continued bool, err error) {
	for {
		line, err := d.wire.ReadLine()
		if err != nil {
			return nil, false, err
		}
		if rest, ok := bytes.CutPrefix(line, []byte(d.tag+" ")); ok {
			return nil, false, d.end(op, rest)
		}
		if rest, ok := bytes.CutPrefix(line, []byte("+")); ok {
			return bytes.TrimPrefix(rest, []byte(" ")), true, nil
		}
		d.untagged(line)
	}
}

func (d *dialogue) end(op string, line []byte) error {
	s, ok := parseStatus([]byte(d.secrets.Mask(string(line))))
	if !ok || s.typ != "OK" {
		return d.refusal(op, s)
	}
	d.learn(s)
	return nil
}

func (d *dialogue) untagged(line []byte) {
	rest, ok := bytes.CutPrefix(line, []byte("* "))
	if !ok {
		return
	}
	if word, args, _ := bytes.Cut(rest, []byte{' '}); bytes.EqualFold(word, []byte("CAPABILITY")) {
		d.caps = parseCapabilities(string(args))
		return
	}
	if s, ok := parseStatus([]byte(d.secrets.Mask(string(rest)))); ok && s.typ == "BYE" {
		d.bye = s.text
	}
}

func (d *dialogue) refusal(op string, s status) error {
	return &Error{Server: d.address, Op: op, Type: s.typ, Code: s.code, Text: s.text}
}

// explain tells the server's goodbye, where there was one, instead of the
// closed connection that followed.
func (d *dialogue) explain(err error) error {
	if _, answered := errors.AsType[*Error](err); answered || isSASL(err) && d.wire.Err() == nil {
		return err
	}
	cause := d.wire.Err()
	switch {
	case cause == nil:
		return fmt.Errorf("%s: %w", d.address, err)
	case d.bye != "" && !backend.Deliberate(cause):
		return &Error{Server: d.address, Op: "sign in", Type: "BYE", Text: d.bye}
	case errors.Is(cause, io.EOF):
		cause = io.ErrUnexpectedEOF
	}
	return &backend.LostError{Server: d.address, Op: "sign in", Err: cause}
}

// leave ends a connection that is of no use, politely where it still works.
func (d *dialogue) leave() {
	if d.wire.Err() == nil {
		d.wire.SetStage(wire.StageClose)
		_ = d.send("LOGOUT") // a courtesy; the answer is not awaited
	}
	_ = d.wire.Close()
}

// authenticate signs in with the best mechanism that both sides have.
func (d *dialogue) authenticate(server session.Server, creds sasl.Credentials) error {
	d.secrets = backend.Secrets{creds.Password.Reveal(), quote(creds.Password.Reveal()), creds.Token.Reveal()}
	offered := d.caps.mechanisms()
	if !d.caps.has("LOGINDISABLED") && !slices.Contains(offered, sasl.PLAIN) && !slices.Contains(offered, sasl.LOGIN) &&
		creds.Token.IsZero() && creds.AuthUser == "" && len(server.Mechanisms) == 0 {
		return d.login(server, creds)
	}
	m, err := backend.Mechanism(d.wire, server, offered, creds)
	if err != nil {
		return err
	}
	d.mechanism = m.Name()
	saved := d.caps
	d.caps = nil // signing in changes them
	if err := sasl.Exchange(m, &exchange{d: d, initial: saved.has("SASL-IR")}); err != nil {
		d.caps = saved
		return err
	}
	return nil
}

// exchange is the framing of AUTHENTICATE (RFC 9051 section 6.2.2).
type exchange struct {
	d       *dialogue
	initial bool // the server takes an initial response (RFC 4959)
}

// Begin implements [sasl.Dialogue].
func (x *exchange) Begin(mechanism string, initial []byte) (sent bool, err error) {
	words := "AUTHENTICATE " + mechanism
	if sent = x.initial && initial != nil; sent {
		response := string(sasl.EncodeInitial(initial))
		x.d.secrets = append(x.d.secrets, response)
		words += " " + response
	}
	return sent, x.d.send(words)
}

// Challenge implements [sasl.Dialogue].
func (x *exchange) Challenge() (challenge []byte, done bool, err error) {
	text, continued, err := x.d.answer("authenticate")
	if err != nil {
		return nil, false, err
	}
	return sasl.Decode(text), !continued, nil
}

// Answer implements [sasl.Dialogue].
func (x *exchange) Answer(response []byte) error { return x.d.secret(string(sasl.Encode(response))) }

// Cancel implements [sasl.Dialogue].
func (x *exchange) Cancel() error { return x.d.line("*") }
