package imapx

import (
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
)

// login signs in by the LOGIN command, for servers that offer no mechanism a
// password fits (RFC 9051 section 6.2.3).
func (d *dialogue) login(server session.Server, creds sasl.Credentials) error {
	if _, encrypted := d.wire.TLS(); !encrypted && !server.AllowPlainAuth {
		return sasl.ErrInsecure
	}
	// The mechanism of that name knows what a name and a password may hold.
	if _, _, err := sasl.NewLOGIN(creds.User, creds.Password).Start(); err != nil {
		return err
	}
	d.mechanism = "the LOGIN command"
	d.caps = nil
	if err := d.arguments("LOGIN", creds.User, creds.Password.Reveal()); err != nil {
		return &sasl.Error{Mechanism: d.mechanism, Err: err}
	}
	return nil
}

// arguments sends a command with strings, between quotes or, where that cannot
// be, as literals that the server asks for one by one. It waits for the end.
func (d *dialogue) arguments(command string, args ...string) error {
	op, words := strings.ToLower(command), command
	begin := d.send
	for _, a := range args {
		if quotable(a) {
			words += " " + quote(a)
			continue
		}
		if err := begin(fmt.Sprintf("%s {%d}", words, len(a))); err != nil {
			return err
		}
		if _, continued, err := d.answer(op); err != nil || !continued {
			return err
		}
		words, begin = a, d.line
	}
	if err := begin(words); err != nil {
		return err
	}
	_, continued, err := d.answer(op)
	if err == nil && continued {
		return fmt.Errorf("the server wants more after %s", command)
	}
	return err
}

// quotable reports whether s can stand between quotes (RFC 9051 section 4.3).
func quotable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
