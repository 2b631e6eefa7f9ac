package smtpx

import (
	"errors"
	"fmt"
	"strings"
	"time"
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
	if e.Priority < -9 || e.Priority > 9 {
		return fmt.Errorf("the envelope's priority %d is not from -9 to 9", e.Priority)
	}
	if d := e.DeliverBy; d != nil && (d.Within > maxDeliverBy || d.Within < -maxDeliverBy || d.Return && d.Within < time.Second) {
		return fmt.Errorf("the message cannot be delivered or returned within %v", d.Within)
	}
	if r := e.Reports; r != nil && (len(r.ID) > maxEnvelopeID || strings.ContainsFunc(r.ID, notGraphic)) {
		return fmt.Errorf("the ID of the reports asked for is longer than %d characters, or not printable ASCII without spaces", maxEnvelopeID)
	}
	return nil
}

// maxEnvelopeID is how long an ENVID may be (RFC 3461 section 4.4).
const maxEnvelopeID = 100

// maxDeliverBy is the longest by-time (RFC 2852 section 4).
const maxDeliverBy = 999_999_999 * time.Second

func notGraphic(r rune) bool { return r <= ' ' || r >= 0x7f }

// mailReports returns the parameters of MAIL that ask for reports (RFC 3461
// sections 4.3 and 4.4).
func mailReports(r *session.DeliveryReports) string {
	if r == nil {
		return ""
	}
	params := " RET=HDRS"
	if r.WholeMessage {
		params = " RET=FULL"
	}
	if r.ID != "" {
		params += " ENVID=" + xtext(r.ID)
	}
	return params
}

// rcptReports returns those of RCPT (sections 4.1 and 4.2).
func rcptReports(r *session.DeliveryReports, to string) string {
	if r == nil {
		return ""
	}
	var when []string
	for _, w := range []struct {
		wanted bool
		name   string
	}{{r.Success, "SUCCESS"}, {r.Failure, "FAILURE"}, {r.Delay, "DELAY"}} {
		if w.wanted {
			when = append(when, w.name)
		}
	}
	if len(when) == 0 {
		when = []string{"NEVER"}
	}
	params := " NOTIFY=" + strings.Join(when, ",")
	if !hasEightBit([]byte(to)) {
		params += " ORCPT=rfc822;" + xtext(to)
	}
	return params
}

// xtext encodes a value (RFC 3461 section 4).
func xtext(s string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '+' || c == '=' {
			b = append(b, '+', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// checkAddress refuses what could end the path, the line or the string, and what
// can only be a mistake: several addresses in one, and one without a mailbox or
// without a domain behind its @. The server judges the rest.
func checkAddress(a string) error {
	bad := func(reason string) error { return &AddressError{Address: clean(a), Reason: reason} }
	switch {
	case a == "":
		return bad("is empty")
	case len(a) > maxAddress:
		return bad("is too long")
	case !utf8.ValidString(a):
		return bad("is not UTF-8")
	case a[0] == '@' || a[len(a)-1] == '@':
		return bad("has nothing before or behind its @; give one as user@example.com")
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
		case !quoted && (b == ',' || b == ';'):
			return bad("contains a comma or a semicolon; give each address by itself")
		}
	}
	if quoted {
		return bad("has an open quote")
	}
	return nil
}
