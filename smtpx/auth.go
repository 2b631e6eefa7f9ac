package smtpx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// maxCommand is the longest command line with its end (RFC 5321 section
// 4.5.3.1.4). A longer initial response waits until the server asks for it.
const maxCommand = 512

// signIn does nothing where there are no credentials: a server that knows the
// client by its address needs none.
func (c *conn) signIn(s session.Server, creds sasl.Credentials, stages *backend.Stages) error {
	if creds.Token.IsZero() && creds.Password.IsZero() {
		return nil
	}
	stages.Enter(session.StageSignIn)
	if !c.ext.has("AUTH") {
		return &ExtensionError{
			Server: c.server, Extension: "AUTH",
			Remedy: "leave the credentials out if it takes mail without, else use TLS or STARTTLS and the port for submission",
		}
	}
	m, err := backend.Mechanism(c.w, s, strings.Fields(c.ext["AUTH"]), creds)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.server, opAuth, err)
	}
	stages.Detail(session.StageSignIn, "mechanism", m.Name())
	c.w.SetStage(wire.StageAuth)
	defer c.w.SetStage(wire.StageCommand)
	return sasl.Exchange(m, &dialogue{c})
}

// hide has the credentials kept out of errors, as they are and encoded. What is
// made of them in signing in comes to it there.
func (c *conn) hide(creds sasl.Credentials) {
	for _, s := range []secret.Text{creds.Password, creds.Token} {
		c.secrets = append(c.secrets, s.Reveal())
		c.hideEncoded(string(sasl.Encode([]byte(s.Reveal()))))
	}
}

// hideEncoded does that for something in base64, which may be repeated without
// its padding.
func (c *conn) hideEncoded(encoded string) {
	c.secrets = append(c.secrets, strings.TrimRight(encoded, "="))
}

// dialogue is AUTH (RFC 4954).
type dialogue struct{ c *conn }

func (d *dialogue) Begin(mechanism string, initial []byte) (bool, error) {
	line := "AUTH " + mechanism
	sent := false
	if initial != nil {
		encoded := string(sasl.EncodeInitial(initial))
		d.c.hideEncoded(encoded)
		with := line + " " + encoded
		if sent = len(with)+len("\r\n") <= maxCommand; sent {
			line = with
		}
	}
	if err := d.c.send(opAuth, line); err != nil {
		return false, err
	}
	return sent, d.c.flush(opAuth)
}

func (d *dialogue) Challenge() ([]byte, bool, error) {
	r, err := d.c.read(opAuth)
	switch {
	case err != nil:
		return nil, false, err
	case r.code == 334:
		return sasl.Decode([]byte(r.lines[len(r.lines)-1])), false, nil
	case r.positive():
		return nil, true, nil
	}
	return nil, false, d.c.refusal(opAuth, r)
}

func (d *dialogue) Answer(response []byte) error {
	encoded := string(sasl.Encode(response))
	d.c.hideEncoded(encoded)
	if err := d.c.send(opAuth, encoded); err != nil {
		return err
	}
	return d.c.flush(opAuth)
}

func (d *dialogue) Cancel() error {
	if err := d.c.send(opAuth, "*"); err != nil {
		return err
	}
	return d.c.flush(opAuth)
}

// refused reports whether the server does not accept the credentials: a
// permanent answer to AUTH that is not about the command itself (500 to 504).
func refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Op == opAuth && e.Code/100 == 5 && e.Code > 504
}

// signInRemedy is what the AuthError of a refused sign-in tells.
func signInRemedy(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return remedy(e)
	}
	return ""
}
