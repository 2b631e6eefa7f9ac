package smtptest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mailsession/mailsession/internal/fakenet"
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
		return c.refuse(530, "5.7.0", "Authentication required")
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
	for _, p := range params {
		switch {
		case p.name == "SIZE" && c.has("SIZE"):
			n, err := strconv.ParseInt(p.value, 10, 64)
			if err != nil || n < 0 {
				return true, c.refuse(501, "5.5.4", "Bad SIZE")
			}
			if n > int64(c.server.options.MaxMessage) {
				return true, c.refuse(552, "5.3.4", "Message size exceeds fixed limit")
			}
		case p.name == "BODY" && c.has("8BITMIME"):
			if !strings.EqualFold(p.value, "7BIT") && !strings.EqualFold(p.value, "8BITMIME") {
				return true, c.refuse(501, "5.5.4", "Bad BODY")
			}
		case p.name == "SMTPUTF8" && c.has("SMTPUTF8") && !p.hasValue:
			tx.utf8 = true
		case p.name == "REQUIRETLS" && c.has("REQUIRETLS") && !p.hasValue:
			if !c.Encrypted() {
				return true, c.refuse(530, "5.7.10", "REQUIRETLS needs TLS")
			}
		case p.name == "BY" && c.has("DELIVERBY"):
			if !validBy(p.value) {
				return true, c.refuse(501, "5.5.4", "Bad BY")
			}
		case p.name == "MT-PRIORITY" && c.has("MT-PRIORITY"):
			if n, err := strconv.Atoi(p.value); err != nil || n < -9 || n > 9 {
				return true, c.refuse(501, "5.5.2", "Bad MT-PRIORITY")
			}
		case p.hasValue && p.name == "AUTH" && c.has("AUTH"),
			p.hasValue && (p.name == "RET" || p.name == "ENVID") && c.has("DSN"):
		default:
			return true, c.refuse(555, "5.5.4", "Unsupported option: "+p.name)
		}
	}
	return false, nil
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
	for _, p := range params {
		if !p.hasValue || p.name != "NOTIFY" && p.name != "ORCPT" || !c.has("DSN") {
			return c.refuse(555, "5.5.4", "Unsupported option: "+p.name)
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
	}
	c.tx.to = append(c.tx.to, address)
	return c.say(250, "2.1.5", "Ok")
}

// data takes a message up to the lone dot.
func (c *conn) data(line, args string) error {
	agreed := false
	err := c.answer("DATA", line, func(v fakenet.Verdict) error {
		switch {
		case args != "":
			return c.refuse(501, "5.5.4", "DATA has no argument")
		case c.tx == nil || c.tx.chunked:
			return c.refuse(503, "5.5.1", "DATA comes after MAIL and RCPT")
		case len(c.tx.to) == 0:
			return c.refuse(554, "5.5.1", "No valid recipients")
		case v.Refuse:
			return c.refuse(554, "5.7.1", "Message refused")
		}
		agreed = true
		return c.say(354, "", "End data with <CR><LF>.<CR><LF>")
	})
	if err != nil || !agreed {
		return err
	}
	raw, problem, err := c.readData()
	if err != nil {
		return err
	}
	tx := c.tx
	c.tx = nil
	return c.answer(EndOfData, EndOfData, func(v fakenet.Verdict) error {
		return c.finish(tx, raw, problem, v.Refuse)
	})
}

// problem is a reason to refuse a message: an answer.
type problem struct {
	code           int
	enhanced, text string
}

// readData reads up to the lone dot, takes the protocol's dots away and
// nothing else. A problem does not end the reading, since the client does not
// stop before it is through.
func (c *conn) readData() (raw string, p *problem, err error) {
	var b bytes.Buffer
	for {
		line, err := c.ReadLine()
		switch {
		case errors.Is(err, fakenet.ErrBareLF):
			p = &problem{550, "5.6.11", "Message contains a line that ends in LF without CR"}
			continue
		case errors.Is(err, io.EOF):
			return "", nil, io.ErrUnexpectedEOF
		case err != nil:
			return "", nil, err
		case string(line) == ".":
			return b.String(), p, nil
		}
		if bytes.IndexByte(line, '\r') >= 0 {
			p = &problem{550, "5.6.11", "Message contains a CR without LF"}
		}
		if b.Len()+len(line) > c.server.options.MaxMessage {
			p = &problem{552, "5.3.4", "Error: message file too big"}
			b.Reset()
		}
		if p == nil {
			b.Write(bytes.TrimPrefix(line, []byte(".")))
			b.WriteString("\r\n")
		}
	}
}

// finish answers a whole message.
func (c *conn) finish(tx *transaction, raw string, p *problem, refuse bool) error {
	eightBit := strings.ContainsFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf })
	switch {
	case p != nil:
		return c.refuse(p.code, p.enhanced, p.text)
	case len(raw) > c.server.options.MaxMessage:
		return c.refuse(552, "5.3.4", "Error: message file too big")
	case eightBit && !c.has("8BITMIME"):
		return c.refuse(554, "5.6.1", "Message is not 7-bit clean")
	case refuse:
		return c.refuse(554, "5.7.1", "Message refused")
	}
	m := Message{
		Conn: c.Number(), Encrypted: c.Encrypted(), Hello: c.hello,
		From: tx.from, Params: tx.params, To: tx.to, Raw: raw, Chunked: tx.chunked,
	}
	if c.account != nil {
		m.User = c.account.Address()
	}
	return c.say(250, "2.0.0", "Ok: queued as "+c.server.accept(m))
}

// bdat takes one chunk (RFC 3030). Its bytes are read whatever the answer: they
// come without being asked for.
func (c *conn) bdat(line, args string) error {
	words := strings.Fields(args)
	last := len(words) == 2 && strings.EqualFold(words[1], "LAST")
	n := int64(-1)
	if len(words) == 1 || last {
		if u, err := strconv.ParseUint(words[0], 10, 31); err == nil {
			n = int64(u)
		}
	}
	if n < 0 || !c.has("CHUNKING") {
		// How much data follows is not known, so that nothing can be read.
		return c.answer("BDAT", line, func(fakenet.Verdict) error {
			return c.hangUp("521 5.5.4 BDAT not understood or not available")
		})
	}
	p, err := c.readChunk(n)
	if err != nil {
		return err
	}
	tx := c.tx
	if last {
		c.tx = nil
	}
	return c.answer("BDAT", line, func(v fakenet.Verdict) error {
		switch {
		case p != nil:
			return c.refuse(p.code, p.enhanced, p.text)
		case last:
			return c.finish(tx, tx.chunks.String(), nil, v.Refuse)
		case v.Refuse:
			tx.failed = true
			return c.refuse(554, "5.7.1", "Message refused")
		}
		return c.say(250, "2.0.0", strconv.FormatInt(n, 10)+" octets received")
	})
}

// readChunk reads n bytes and adds them to the message, or tells why not.
func (c *conn) readChunk(n int64) (*problem, error) {
	tx := c.tx
	var p *problem
	switch {
	case tx == nil || len(tx.to) == 0:
		p = &problem{503, "5.5.1", "BDAT comes after MAIL and RCPT"}
	case tx.failed:
		p = &problem{503, "5.5.1", "A chunk before was refused"}
	case int64(tx.chunks.Len())+n > int64(c.server.options.MaxMessage):
		p = &problem{552, "5.3.4", "Error: message file too big"}
	}
	if tx != nil {
		tx.chunked = true
		tx.failed = tx.failed || p != nil
	}
	w := io.Discard
	if p == nil {
		w = &tx.chunks
	}
	_, err := io.CopyN(w, c.Conn, n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}
