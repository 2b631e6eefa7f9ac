package smtpx

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/mailsession/mailsession/session"
)

// maxAddress is longer than any address may be (RFC 5321 section 4.5.3.1.3
// allows 256 bytes), and short enough for every command line.
const maxAddress = 320

// checkEnvelope reports what must not stand in MAIL or RCPT.
func checkEnvelope(e session.Envelope) error {
	if len(e.To) == 0 {
		return errors.New("the envelope has no recipient")
	}
	if e.From != "" {
		if err := checkAddress(e.From); err != nil {
			return err
		}
	}
	for _, a := range e.To {
		if err := checkAddress(a); err != nil {
			return err
		}
	}
	return nil
}

// checkAddress refuses what could end the path, the line or the string: the
// server judges the rest.
func checkAddress(a string) error {
	bad := func(reason string) error { return &AddressError{Address: clean(a), Reason: reason} }
	switch {
	case a == "":
		return bad("is empty")
	case len(a) > maxAddress:
		return bad("is too long")
	case !utf8.ValidString(a):
		return bad("is not UTF-8")
	}
	quoted := false
	for i := 0; i < len(a); i++ {
		switch b := a[i]; {
		case b < ' ' || b == 0x7f:
			return bad("contains a control character")
		case b == '"':
			quoted = !quoted
		case b == '\\' && quoted:
			// What is escaped stands for itself, but must not be skipped
			// unseen; it is looked at in the next turn unless it is a quote.
			if i+1 < len(a) && (a[i+1] == '"' || a[i+1] == '\\') {
				i++
			}
		case !quoted && strings.IndexByte("<> ", b) >= 0:
			return bad("contains a space or an angle bracket; give the bare address, without a display name")
		}
	}
	if quoted {
		return bad("has an open quote")
	}
	return nil
}

// utf8Envelope reports whether an address is not ASCII (RFC 6531).
func utf8Envelope(e session.Envelope) bool {
	for _, a := range e.To {
		if hasEightBit([]byte(a)) {
			return true
		}
	}
	return hasEightBit([]byte(e.From))
}
