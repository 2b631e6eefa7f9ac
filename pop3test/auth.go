package pop3test

import (
	"context"
	"crypto/md5" //nolint:gosec // G501: APOP is made of MD5 (RFC 1939, section 7).
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// stamp makes the timestamp of a greeting, each of which is another.
func (s *Server) stamp() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stamps++
	return fmt.Sprintf("<%d.%d@%s>", s.stamps, time.Now().Unix(), s.options.Hostname)
}

func user(_ context.Context, c *conn, args string) error {
	switch {
	case c.exposed():
		return c.fail("", "Start TLS first")
	case args == "" || !c.readable(args):
		return c.fail("", "USER needs a name in ASCII")
	}
	c.named, c.user = true, args
	return c.ok("Say the password")
}

// readable reports whether a name or a password may have these characters.
func (c *conn) readable(text string) bool {
	params, _ := c.capability("UTF8")
	return isASCII(text) || c.utf8 && strings.EqualFold(params, "USER")
}

func pass(_ context.Context, c *conn, args string) error {
	switch {
	case !c.named:
		return c.fail("", "PASS comes after USER")
	case args == "" || !c.readable(args):
		c.named = false
		return c.fail("", "PASS needs a password in ASCII")
	}
	c.named = false
	account, err := c.server.box.CheckPassword(c.mailbox(c.user), secret.New(args))
	return c.byPassword(account, err, "PASS")
}

// byPassword is the end of a sign-in without SASL.
func (c *conn) byPassword(account *mailtest.Account, err error, mechanism string) error {
	if c.refuse {
		account, err = nil, mailtest.ErrSignIn
	}
	if err == nil {
		c.SignedIn(secret.Text{})
	}
	return c.signedIn(account, err, mechanism)
}

func apop(_ context.Context, c *conn, args string) error {
	name, digest, parted := strings.Cut(args, " ")
	switch {
	case c.exposed():
		return c.fail("", "Start TLS first")
	case !parted || strings.Contains(digest, " ") || !c.readable(name):
		return c.fail("", "APOP needs a name and a digest")
	}
	c.user = name
	account, err := c.server.box.CheckProof(c.mailbox(name), func(password secret.Text) bool {
		sum := md5.Sum([]byte(c.stamp + password.Reveal())) //nolint:gosec // G401: APOP is made of MD5.
		return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(digest)) == 1
	})
	return c.byPassword(account, err, "APOP")
}

// recentMode is what stands ahead of a user name to see recent mail.
const recentMode = "recent:"

// mailbox returns the name of the account that a user name means.
func (c *conn) mailbox(name string) string {
	if c.server.options.Recent {
		return strings.TrimPrefix(name, recentMode)
	}
	return name
}

// auth does AUTH (RFC 5034). Without an argument it lists the mechanisms, as
// servers did before CAPA.
func auth(ctx context.Context, c *conn, args string) error {
	offered, _ := c.capability("SASL")
	mechanisms := strings.Fields(offered)
	if c.exposed() {
		return c.fail("", "Start TLS first")
	}
	if args == "" {
		return c.rows("Mechanisms follow", mechanisms)
	}
	mechanism, initial, hasInitial := strings.Cut(args, " ")
	mechanism = strings.ToUpper(mechanism)
	switch {
	case !slices.ContainsFunc(mechanisms, func(m string) bool { return strings.EqualFold(m, mechanism) }):
		return c.fail("", "Unrecognized authentication type")
	case hasInitial && c.server.options.TwoStepAuth:
		return c.hangUp("-ERR Protocol error. Connection is closed. 10")
	}
	in := &fakenet.SignIn{
		Conn: c.Conn, Box: c.server.box, Mechanism: mechanism, Ask: c.ask, Name: c.meant,
		Refuse: c.refuse, NoChallenge: c.server.options.NoTokenChallenge, Check: c.server.options.CheckToken,
	}
	var err error
	if hasInitial {
		in.Initial, err = fakenet.DecodeInitial([]byte(initial))
	}
	var account *mailtest.Account
	if err == nil {
		account, err = in.Run(ctx)
	}
	return c.signedIn(account, err, mechanism)
}

// meant is mailbox for the mechanisms of SASL, whose user name is within the
// exchange.
func (c *conn) meant(name string) string {
	c.user = name
	return c.mailbox(name)
}

// validMechanism reports whether the text may be the name of a mechanism (RFC
// 4422, section 3.1), and nothing secret.
func validMechanism(s string) bool {
	return s != "" && len(s) <= 20 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// ask sends a challenge and reads the answer.
func (c *conn) ask(challenge []byte) ([]byte, error) {
	if err := c.line("+ " + base64.StdEncoding.EncodeToString(challenge)); err != nil {
		return nil, err
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	line, err := c.read()
	if err != nil {
		return nil, err
	}
	shown := line
	if shown != "" && shown != "*" {
		shown = secret.Redacted
	}
	c.Record("AUTH", shown)
	if len(line) > maxAnswer {
		return nil, fakenet.ErrEncoding
	}
	return fakenet.DecodeAnswer([]byte(line))
}

// signedIn answers a sign-in, and opens the maildrop where it is good. The text
// never tells what exactly was wrong.
func (c *conn) signedIn(account *mailtest.Account, err error, mechanism string) error {
	switch {
	case err == nil:
		return c.enter(account)
	case errors.Is(err, mailtest.ErrUnavailable):
		return c.fail("SYS/TEMP", "Temporary authentication failure")
	case errors.Is(err, fakenet.ErrCancelled):
		return c.fail("", "Authentication aborted by client")
	case errors.Is(err, fakenet.ErrEncoding):
		return c.fail("", "Invalid base64 data")
	case errors.Is(err, fakenet.ErrDummy):
		return c.fail("", "Invalid answer to the error challenge")
	case errors.Is(err, fakenet.ErrMechanism):
		return c.fail("", "Unrecognized authentication type")
	case errors.Is(err, mailtest.ErrSignIn), errors.Is(err, fakenet.ErrMalformed):
		return c.refused(mechanism)
	}
	return fmt.Errorf("pop3test: sign in: %w", err)
}

// refused refuses a secret, in the server's own words if it has some.
func (c *conn) refused(mechanism string) error {
	words := c.server.options.Words.WrongPassword
	if mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER" {
		words = c.server.options.Words.WrongToken
	}
	if words != "" {
		return c.line("-ERR " + words)
	}
	return c.fail("AUTH", "Authentication failed")
}

// enter opens the maildrop.
func (c *conn) enter(account *mailtest.Account) error {
	if admit := c.server.options.Admit; admit != nil {
		if refusal := admit(account.Address()); refusal != "" {
			return c.line("-ERR " + refusal)
		}
	}
	recent := c.server.options.Recent && strings.HasPrefix(c.user, recentMode)
	drop, err := c.server.open(account, recent)
	switch {
	case errors.Is(err, errLocked):
		return c.fail("IN-USE", "Another session has the mailbox open")
	case errors.Is(err, errEarly):
		return c.fail("LOGIN-DELAY", "Too soon after the last sign-in")
	case err != nil:
		return c.fail("SYS/PERM", "The mailbox cannot be opened")
	}
	c.drop = drop
	return c.ok(c.server.options.Words.SignedIn)
}
