package pop3x

import (
	"crypto/md5" //nolint:gosec // G501: APOP is defined by it (RFC 1939 section 7)
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// signIn opens the maildrop.
func (c *conn) signIn(server session.Server, creds sasl.Credentials, stages *backend.Stages) error {
	stages.Enter(session.StageSignIn)
	way, err := c.way(server, creds)
	if err != nil {
		return err
	}
	c.w.SetStage(wire.StageAuth)
	c.secrets = backend.Secrets{creds.Password.Reveal(), creds.Token.Reveal()}
	defer func() { c.secrets = nil }()
	c.mechanism = way
	stages.Detail(session.StageSignIn, "mechanism", way)
	switch way {
	case opUser:
		return c.userPass(creds)
	case opAPOP:
		return c.apop(creds)
	}
	m, err := backend.Mechanism(c.w, server, c.offered(), creds)
	if err != nil {
		return fmt.Errorf("%s: sign in: %w", c.server, err)
	}
	c.mechanism = m.Name()
	stages.Detail(session.StageSignIn, "mechanism", c.mechanism)
	err = sasl.Exchange(m, &dialogue{c})
	if _, told := errors.AsType[interface {
		error
		Temporary() bool
	}](err); err != nil && !told {
		err = fmt.Errorf("%s: sign in: %w", c.server, err) // the other errors name the server
	}
	return err
}

func (c *conn) offered() []string { return c.caps["SASL"] }

func (c *conn) offers(mechanism string) bool {
	return slices.ContainsFunc(c.offered(), func(o string) bool { return strings.EqualFold(o, mechanism) })
}

// way decides between the protocol's own ways to sign in, USER with PASS and
// APOP, and SASL, for which it returns nothing, and which alone has room for who
// signs in for somebody else. On an open line APOP is the
// only one that does not show the password.
func (c *conn) way(server session.Server, creds sasl.Credentials) (string, error) {
	if !creds.Token.IsZero() || creds.Password.IsZero() || creds.AuthUser != "" {
		return "", nil
	}
	_, encrypted := c.w.TLS()
	secure := encrypted || server.AllowPlainAuth
	way := ""
	switch {
	case len(server.Mechanisms) > 0:
		way = c.forced(server.Mechanisms)
	case !encrypted && c.stamp != "":
		way = opAPOP
	case c.offers(sasl.PLAIN) || c.offers(sasl.LOGIN):
	case c.caps.may(opUser):
		way = opUser
	case c.stamp != "":
		way = opAPOP
	}
	if way == opUser && !secure {
		return "", fmt.Errorf("%s: sign in: %w", c.server, sasl.ErrInsecure)
	}
	return way, c.checkWay(way, creds)
}

// forced takes the first of the names that can be had here.
func (c *conn) forced(names []string) string {
	for _, name := range names {
		switch name = strings.ToUpper(name); {
		case name == opUser && c.caps.may(opUser), name == opAPOP && c.stamp != "":
			return name
		case c.offers(name):
			return ""
		}
	}
	return ""
}

// checkWay looks at what would be sent outside of SASL.
func (c *conn) checkWay(way string, creds sasl.Credentials) error {
	if way == "" {
		return nil
	}
	// The mechanism knows what a name and a password may hold.
	_, _, err := sasl.NewLOGIN(creds.User, creds.Password).Start()
	if err == nil && strings.ContainsAny(creds.Password.Reveal(), "\r\n") {
		err = &sasl.CredentialsError{Part: "password", Reason: "contains a line break"}
	}
	if err == nil && way == opAPOP && strings.Contains(creds.User, " ") {
		err = &sasl.CredentialsError{Part: "user name", Reason: "contains a space, which APOP cannot carry"}
	}
	if err != nil {
		return fmt.Errorf("%s: sign in: %w", c.server, err)
	}
	return nil
}

// userPass signs in by USER and PASS (RFC 1939 section 7).
func (c *conn) userPass(creds sasl.Credentials) error {
	if err := c.command(opUser, creds.User); err != nil {
		return signInError(opUser, err)
	}
	if err := c.command(opPass, creds.Password.Reveal()); err != nil {
		return signInError(opUser, err)
	}
	return nil
}

// apop signs in by a digest of the greeting's timestamp and the password (RFC
// 1939 section 7).
func (c *conn) apop(creds sasl.Credentials) error {
	digest := md5.Sum([]byte(c.stamp + creds.Password.Reveal())) //nolint:gosec // G401: as above
	encoded := hex.EncodeToString(digest[:])
	c.secrets = append(c.secrets, encoded)
	if err := c.command(opAPOP, creds.User, encoded); err != nil {
		return signInError(opAPOP, err)
	}
	return nil
}

// timestamp returns what a greeting offers APOP with: something between angle
// brackets that is like a message's id. One with other bytes than RFC 822 allows
// there may have been made to find out the password (RFC 6151 section 2).
func timestamp(greeting string) string {
	_, rest, found := strings.Cut(greeting, "<")
	inner, _, closed := strings.Cut(rest, ">")
	if !found || !closed || !strings.Contains(inner, "@") ||
		strings.ContainsFunc(inner, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return "<" + inner + ">"
}

// dialogue is AUTH (RFC 5034). The first response never stands in the command's
// own line: that is too short for a token, and Microsoft's servers refuse it.
type dialogue struct{ c *conn }

func (d *dialogue) Begin(mechanism string, _ []byte) (bool, error) {
	if err := d.c.send(opAuth, mechanism); err != nil {
		return false, err
	}
	return false, d.c.flush(opAuth)
}

func (d *dialogue) Challenge() ([]byte, bool, error) {
	r, err := d.c.read(opAuth)
	switch {
	case err != nil:
		return nil, false, err
	case r.status == continued:
		return sasl.Decode([]byte(r.text)), false, nil
	case r.status == failed:
		return nil, false, d.c.refusal(opAuth, r)
	}
	return nil, true, nil
}

func (d *dialogue) Answer(response []byte) error {
	encoded := string(sasl.Encode(response))
	d.c.secrets = append(d.c.secrets, encoded)
	return d.line(encoded)
}

func (d *dialogue) Cancel() error { return d.line("*") }

func (d *dialogue) line(text string) error {
	if _, err := d.c.w.WriteString(text + "\r\n"); err != nil {
		return d.c.explain(opAuth, err)
	}
	return d.c.flush(opAuth)
}
