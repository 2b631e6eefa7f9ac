package smtpx

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// What a server limits by LIMITS (RFC 9422 section 4).
const (
	limitMail    = "MAILMAX"
	limitRcpt    = "RCPTMAX"
	limitDomains = "RCPTDOMAINMAX"
)

// limit returns a value of LIMITS, 0 where the server has none or writes it in
// no known way.
func (e extensions) limit(name string) int {
	for word := range strings.FieldsSeq(e["LIMITS"]) {
		key, value, _ := strings.Cut(word, "=")
		if n, err := strconv.ParseUint(value, 10, 20); err == nil && strings.EqualFold(key, name) {
			return int(n)
		}
	}
	return 0
}

// check compares message and envelope with what the server offers, before
// anything is said of them.
func (t *transaction) check() error {
	ext := t.c.ext
	limit := ext.sizeLimit()
	t.l.measure(limit)
	if limit > 0 && t.l.onLine > limit {
		return t.tooLarge(t.l.onLine)
	}
	for _, check := range []func() error{t.checkUTF8, t.checkRecipients, t.checkWishes} {
		if err := check(); err != nil {
			return err
		}
	}
	if ext.has("8BITMIME") {
		return nil
	}
	found, err := t.l.eightBit()
	if err == nil && found {
		err = t.lacks("8BITMIME", "encode the parts as quoted-printable or base64; nothing was sent")
	}
	return err
}

// tooLarge says that the message has more bytes than the server takes; size is -1
// where their number is not known.
func (t *transaction) tooLarge(size int64) error {
	return &SizeError{Server: t.c.server, Size: size, Limit: t.c.ext.sizeLimit()}
}

func (t *transaction) lacks(extension, remedy string) error {
	return &ExtensionError{Server: t.c.server, Extension: extension, Remedy: remedy}
}

// checkUTF8 compares addresses and header with what the server offers.
func (t *transaction) checkUTF8() error {
	if (t.l.utf8 || t.utf8Envelope()) && !t.c.ext.has("SMTPUTF8") {
		return t.lacks("SMTPUTF8", "write addresses and header fields in ASCII (domains as xn--, other text as encoded words); nothing was sent")
	}
	return nil
}

// checkRecipients holds the recipients against the server's limits.
func (t *transaction) checkRecipients() error {
	if most := t.c.ext.limit(limitRcpt); most > 0 && len(t.env.To) > most {
		return &LimitError{Server: t.c.server, Limit: limitRcpt, Most: most, Count: len(t.env.To)}
	}
	most := t.c.ext.limit(limitDomains)
	if most == 0 {
		return nil
	}
	domains := map[string]bool{}
	for _, to := range t.env.To {
		domains[strings.ToLower(to[strings.LastIndexByte(to, '@')+1:])] = true
	}
	if len(domains) > most {
		return &LimitError{Server: t.c.server, Limit: limitDomains, Most: most, Count: len(domains)}
	}
	return nil
}

// checkWishes compares what else the envelope asks for with what the server
// offers. A priority is passed over where it is not known: RFC 6710 section 4.3
// has servers hand such messages on without it.
func (t *transaction) checkWishes() error {
	ext, e := t.c.ext, t.env
	if e.Reports != nil && !ext.has("DSN") {
		return t.lacks("DSN", "leave Envelope.Reports nil; nothing was sent")
	}
	if _, encrypted := t.c.w.TLS(); e.RequireTLS && (!encrypted || t.c.unverified || !ext.has("REQUIRETLS")) {
		return t.lacks("REQUIRETLS", "reach the server by TLS or STARTTLS with a certificate that is verified, or leave Envelope.RequireTLS unset and trust the way; nothing was sent")
	}
	if e.DeliverBy == nil {
		return nil
	}
	if !ext.has("DELIVERBY") {
		return t.lacks("DELIVERBY", "leave Envelope.DeliverBy nil; nothing was sent")
	}
	least, err := strconv.ParseUint(strings.TrimSpace(ext["DELIVERBY"]), 10, 31)
	if err == nil && e.DeliverBy.Return && e.DeliverBy.Within < time.Duration(least)*time.Second {
		return t.lacks("DELIVERBY "+e.DeliverBy.Within.String(), fmt.Sprintf("allow at least %d seconds; nothing was sent", least))
	}
	return nil
}

// mailLine returns the command that begins the transaction.
func (t *transaction) mailLine() string {
	ext, e := t.c.ext, t.env
	line := "MAIL FROM:<" + t.address(e.From) + ">"
	if ext.has("SIZE") && t.l.onLine >= 0 {
		line += " SIZE=" + strconv.FormatInt(t.l.onLine, 10)
	}
	if ext.has("8BITMIME") {
		line += " BODY=8BITMIME"
	}
	if ext.has("SMTPUTF8") && (t.l.utf8 || t.utf8Envelope()) {
		line += " SMTPUTF8"
	}
	if e.RequireTLS {
		line += " REQUIRETLS"
	}
	if d := e.DeliverBy; d != nil {
		line += " BY=" + strconv.FormatInt(int64(d.Within/time.Second), 10) + ";" + deliverByMode(d.Return, d.Trace)
	}
	if e.Priority != 0 && ext.has("MT-PRIORITY") {
		line += " MT-PRIORITY=" + strconv.Itoa(e.Priority)
	}
	return line + mailReports(e.Reports)
}

// deliverByMode returns a by-mode with a by-trace (RFC 2852 section 4).
func deliverByMode(returns, trace bool) string {
	mode := "N"
	if returns {
		mode = "R"
	}
	if trace {
		mode += "T"
	}
	return mode
}

// rcptLine returns the command that names a recipient.
func (t *transaction) rcptLine(to string) string {
	to = t.address(to)
	return "RCPT TO:<" + to + ">" + rcptReports(t.env.Reports, to)
}

// address returns the form of an address that the server is told: with its domain in
// ASCII (RFC 5890 section 2.3.2.1) where the server does not know other ones, and where
// nothing else in it needs SMTPUTF8. A server that is told more than that has to bounce
// the message where the next one lacks the extension.
func (t *transaction) address(a string) string {
	at := strings.LastIndexByte(a, '@')
	if at < 0 || !hasEightBit([]byte(a[at:])) || t.c.ext.has("SMTPUTF8") && hasEightBit([]byte(a[:at])) {
		return a
	}
	domain, err := idna.Lookup.ToASCII(a[at+1:])
	if err != nil {
		return a // and it is refused as it is
	}
	return a[:at+1] + domain
}

// utf8Envelope reports whether an address is not ASCII as the server is told it
// (RFC 6531).
func (t *transaction) utf8Envelope() bool {
	for _, a := range t.env.To {
		if hasEightBit([]byte(t.address(a))) {
			return true
		}
	}
	return hasEightBit([]byte(t.address(t.env.From)))
}
