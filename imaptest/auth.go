package imaptest

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// authCommands are those that lead to an account.
func authCommands() map[string]command {
	return map[string]command{
		"STARTTLS":     {run: starttls, early: true},
		"LOGIN":        {run: login, early: true},
		"AUTHENTICATE": {run: authenticate, early: true},
	}
}

func starttls(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	switch {
	case s.server.options.Security != mailtest.STARTTLS || s.c.Encrypted():
		return bad("STARTTLS not available"), nil
	case s.refuse:
		return no("", "STARTTLS refused"), nil
	}
	s.next = startTLS
	return ok("Begin TLS negotiation now"), nil
}

// private reports whether signing in is allowed on the connection as it is.
func (s *session) private() bool {
	return s.server.options.Security != mailtest.STARTTLS || s.c.Encrypted()
}

func login(_ context.Context, s *session, p *parser) (reply, error) {
	var words [2]string
	for i := range words {
		if err := p.space(); err != nil {
			return reply{}, err
		}
		var err error
		if words[i], err = p.astring(); err != nil {
			return reply{}, err
		}
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if !s.private() || s.server.offers("LOGINDISABLED") {
		return no("PRIVACYREQUIRED", "LOGIN is disabled"), nil
	}
	account, err := s.server.box.CheckPassword(words[0], secret.New(words[1]))
	if s.refuse {
		account, err = nil, mailtest.ErrSignIn
	}
	if err == nil {
		s.c.SignedIn(secret.Text{})
	}
	return s.signedIn(account, err)
}

// authenticate is AUTHENTICATE (RFC 3501, section 6.2.2, and RFC 4959).
func authenticate(ctx context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	mechanism, err := p.word()
	if err != nil {
		return reply{}, err
	}
	var initial []byte
	if s.server.offers("SASL-IR") && p.accept(' ') {
		initial, err = fakenet.DecodeInitial(p.b[p.i:])
		p.i = len(p.b)
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	switch {
	case !s.private():
		return no("PRIVACYREQUIRED", "Start TLS first"), nil
	case !s.server.offers("AUTH=" + mechanism):
		return no("", "Unsupported authentication mechanism"), nil
	case err != nil:
		return s.signedIn(nil, err)
	}
	exchange := fakenet.SignIn{
		Conn: s.c, Box: s.server.box, Mechanism: mechanism, Initial: initial, Ask: s.ask,
		Refuse: s.refuse, NoChallenge: s.server.options.NoTokenChallenge,
		Check: s.server.options.CheckToken,
	}
	return s.signedIn(exchange.Run(ctx))
}

// ask sends a challenge and returns the client's answer to it.
func (s *session) ask(challenge []byte) ([]byte, error) {
	_, err := s.c.WriteString("+ " + base64.StdEncoding.EncodeToString(challenge) + "\r\n")
	if err == nil {
		err = s.c.Flush()
	}
	if err != nil {
		return nil, err
	}
	line, err := s.c.ReadLine()
	if err != nil {
		return nil, err
	}
	shown := string(line)
	if shown != "" && shown != "*" {
		shown = secret.Redacted
	}
	s.c.Record(s.name, shown)
	return fakenet.DecodeAnswer(line)
}

// signedIn answers a sign-in. The text never tells what exactly was wrong.
func (s *session) signedIn(account *mailtest.Account, err error) (reply, error) {
	switch {
	case err == nil:
		s.account = account
		return okCode(s.capabilityCode(), "Signed in"), nil
	case errors.Is(err, mailtest.ErrUnavailable):
		return no("UNAVAILABLE", "Temporary authentication failure"), nil
	case errors.Is(err, fakenet.ErrCancelled):
		return bad("Authentication aborted by client"), nil
	case errors.Is(err, fakenet.ErrEncoding):
		return bad("Invalid base64 data"), nil
	case errors.Is(err, fakenet.ErrDummy):
		return bad("Invalid answer to the error challenge"), nil
	case errors.Is(err, fakenet.ErrMechanism):
		return no("", "Unsupported authentication mechanism"), nil
	case errors.Is(err, mailtest.ErrSignIn), errors.Is(err, fakenet.ErrMalformed):
		return no("AUTHENTICATIONFAILED", "Authentication failed"), nil
	default:
		return reply{}, err
	}
}
