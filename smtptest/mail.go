package smtptest

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// mail begins a transaction.
func (c *conn) mail(args string) error {
	address, params, ok := parsePath(args, "FROM:")
	switch {
	case c.exposed():
		return c.refuse(530, "5.7.0", "Must issue a STARTTLS command first")
	case c.hello == "":
		return c.refuse(503, "5.5.1", "Say EHLO or HELO first")
	case c.account == nil && !c.server.options.Anonymous:
		return c.refuseAs(c.server.options.Words.SignInFirst, 530, "5.7.0", "Authentication required")
	case c.tx != nil:
		return c.refuse(503, "5.5.1", "Nested MAIL command")
	case !ok:
		return c.refuse(501, "5.1.7", "Syntax: MAIL FROM:<address> parameters")
	case c.mails >= c.limit("MAILMAX", math.MaxInt):
		return c.hangUp("421 4.7.0 Too many messages on one connection")
	}
	c.mails++
	tx := &transaction{from: address, params: params}
	if done, err := c.mailParams(tx); done || err != nil {
		return err
	}
	if !isASCII(address) && !tx.utf8 {
		return c.refuse(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
	}
	if refused, err := c.judge(Event{Command: "MAIL", From: tx.from}); refused || err != nil {
		return err
	}
	c.tx = tx
	return c.say(250, "2.1.0", "Ok")
}

// mailParams looks at the parameters of MAIL. Done says that it answered with
// a refusal.
func (c *conn) mailParams(tx *transaction) (done bool, err error) {
	params, ok := parseParams(tx.params)
	if !ok || len(params) > 0 && !c.esmtp {
		return true, c.refuse(501, "5.5.4", "Bad parameters")
	}
	for i, p := range params {
		problem := c.mailParam(tx, p)
		if repeated(params[:i], p.name) {
			problem = &refusal{501, "5.5.4", "Parameter given twice: " + p.name}
		}
		if problem != nil {
			return true, c.refuse(problem.code, problem.enhanced, problem.text)
		}
	}
	return false, nil
}

// mailParam looks at one parameter, and takes note of those that change what
// follows.
func (c *conn) mailParam(tx *transaction, p param) *refusal {
	bad := &refusal{501, "5.5.4", "Bad " + p.name}
	valid := true
	switch {
	case p.name == "SIZE" && c.has("SIZE"):
		return c.sizeParam(p.value)
	case p.name == "BODY" && (c.has("8BITMIME") || c.has("BINARYMIME")):
		body := strings.ToUpper(p.value)
		tx.binary = body == "BINARYMIME"
		valid = body == "7BIT" || body == "8BITMIME" && c.has(body) || tx.binary && c.has(body) && c.has("CHUNKING")
	case p.name == "SMTPUTF8" && c.has("SMTPUTF8") && !p.hasValue:
		tx.utf8 = true
	case p.name == "REQUIRETLS" && c.has("REQUIRETLS") && !p.hasValue:
		valid, bad = c.Encrypted(), &refusal{530, "5.7.10", "REQUIRETLS needs TLS"}
	case p.name == "BY" && c.has("DELIVERBY"):
		valid = validBy(p.value)
	case p.name == "MT-PRIORITY" && c.has("MT-PRIORITY"):
		n, err := strconv.Atoi(p.value)
		valid, bad.enhanced = err == nil && n >= -9 && n <= 9, "5.5.2"
	case p.name == "RET" && c.has("DSN"):
		valid = strings.EqualFold(p.value, "FULL") || strings.EqualFold(p.value, "HDRS")
	case p.name == "ENVID" && c.has("DSN"), p.name == "AUTH" && c.has("AUTH"):
		valid = validXtext(p.value)
	default:
		return &refusal{555, "5.5.4", "Unsupported option: " + p.name}
	}
	if valid {
		return nil
	}
	return bad
}

// sizeParam judges the size that a message is said to have.
func (c *conn) sizeParam(value string) *refusal {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil || n < 0:
		return &refusal{501, "5.5.4", "Bad SIZE"}
	case n > int64(c.server.options.MaxMessage):
		return &refusal{552, "5.3.4", "Message size exceeds fixed limit"}
	}
	return nil
}

// validBy judges the value of BY (RFC 2852 section 4).
func validBy(s string) bool {
	by, mode, ok := strings.Cut(s, ";")
	n, err := strconv.Atoi(by)
	mode = strings.TrimSuffix(strings.ToUpper(mode), "T")
	return ok && err == nil && len(strings.TrimPrefix(by, "-")) <= 9 && (mode == "N" || mode == "R" && n > 0)
}

// limit returns a limit that the server announces by LIMITS (RFC 9422), fallback
// where it announces none.
func (c *conn) limit(name string, fallback int) int {
	params, _ := c.extension("LIMITS")
	for word := range strings.FieldsSeq(params) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			if n, err := strconv.Atoi(value); err == nil {
				return n
			}
		}
	}
	return fallback
}

// rcpt adds a recipient.
func (c *conn) rcpt(args string) error {
	if c.tx == nil || c.tx.chunked {
		return c.refuse(503, "5.5.1", "RCPT comes after MAIL and before the message")
	}
	address, rest, ok := parsePath(args, "TO:")
	if !ok || address == "" {
		return c.refuse(501, "5.1.3", "Syntax: RCPT TO:<address> parameters")
	}
	params, ok := parseParams(rest)
	if !ok || len(params) > 0 && !c.esmtp {
		return c.refuse(501, "5.5.4", "Bad parameters")
	}
	for i, p := range params {
		switch {
		case p.name != "NOTIFY" && p.name != "ORCPT" || !c.has("DSN"):
			return c.refuse(555, "5.5.4", "Unsupported option: "+p.name)
		case repeated(params[:i], p.name), p.name == "NOTIFY" && !validNotify(p.value), p.name == "ORCPT" && !validORCPT(p.value):
			return c.refuse(501, "5.5.4", "Bad "+p.name)
		}
	}
	_, known := c.server.box.Account(address)
	switch {
	case !isASCII(address) && !c.tx.utf8:
		return c.refuse(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
	case len(c.tx.to) >= c.limit("RCPTMAX", c.server.options.MaxRecipients):
		return c.refuse(452, "4.5.3", "Too many recipients")
	case !known && c.server.local(address):
		return c.refuse(550, "5.1.1", "User unknown")
	case !known && c.account == nil:
		return c.refuse(554, "5.7.1", "Relay access denied")
	case c.newDomains(address) > c.limit("RCPTDOMAINMAX", math.MaxInt):
		return c.refuse(452, "4.5.3", "Too many domains")
	}
	if refused, err := c.judge(Event{Command: "RCPT", To: address}); refused || err != nil {
		return err
	}
	c.tx.to, c.tx.toParams = append(c.tx.to, address), append(c.tx.toParams, rest)
	return c.say(250, "2.1.5", "Ok")
}

// newDomains returns how many domains the recipients have together with one more.
func (c *conn) newDomains(address string) int {
	var domains []string
	for _, to := range append(slices.Clone(c.tx.to), address) {
		if d := strings.ToLower(domainOf(to)); !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	return len(domains)
}
