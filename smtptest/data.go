package smtptest

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mailsession/mailsession/internal/fakenet"
)

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
		case c.tx.binary:
			return c.refuse(503, "5.5.1", "BODY=BINARYMIME comes by BDAT")
		case v.Refuse:
			return c.refuse(554, "5.7.1", "Message refused")
		}
		if refused, err := c.judge(Event{Command: "DATA"}); refused || err != nil {
			return err
		}
		agreed = true
		return c.say(354, "", "End data with <CR><LF>.<CR><LF>")
	})
	if err != nil || !agreed {
		return err
	}
	return c.takeData()
}

// takeData takes what the client was invited to send.
func (c *conn) takeData() error {
	raw, stuffed, problem, err := c.readData()
	switch {
	case err != nil:
		return err
	case c.Buffered() > 0 && !c.pipelining():
		return c.sentAhead(EndOfData)
	}
	defer func() { c.tx = nil }()
	return c.answer(EndOfData, EndOfData, func(v fakenet.Verdict) error {
		return c.finish(c.tx, raw, stuffed, problem, v.Refuse)
	})
}

// refusal is an answer that refuses something.
type refusal struct {
	code           int
	enhanced, text string
}

// readData reads up to the lone dot and returns the message without the
// protocol's dots, and as it came. A problem does not end the reading, since the
// client does not stop before it is through.
func (c *conn) readData() (raw, stuffed string, p *refusal, err error) {
	content, err := c.Content("DATA")
	if err != nil {
		return "", "", nil, err
	}
	var message, wire bytes.Buffer
	for {
		line, err := c.ReadLine()
		switch {
		case errors.Is(err, fakenet.ErrBareLF):
			p = &refusal{550, "5.6.11", "Message contains a line that ends in LF without CR"}
			continue
		case errors.Is(err, io.EOF):
			return "", "", nil, io.ErrUnexpectedEOF
		case err != nil:
			return "", "", nil, err
		}
		if err := content.Took(len(line) + len("\r\n")); err != nil {
			return "", "", nil, err
		}
		if string(line) == "." {
			wire.WriteString(".\r\n")
			return message.String(), wire.String(), p, nil
		}
		if bytes.IndexByte(line, '\r') >= 0 {
			p = &refusal{550, "5.6.11", "Message contains a CR without LF"}
		}
		if message.Len()+len(line) > c.server.options.MaxMessage {
			p = &refusal{552, "5.3.4", "Error: message file too big"}
		}
		if p == nil {
			message.Write(bytes.TrimPrefix(line, []byte(".")))
			message.WriteString("\r\n")
			wire.Write(line)
			wire.WriteString("\r\n")
		}
	}
}

// finish answers a whole message.
func (c *conn) finish(tx *transaction, raw, stuffed string, p *refusal, refuse bool) error {
	if p == nil {
		p = c.inspect(tx, raw)
	}
	switch {
	case p != nil:
		return c.refuse(p.code, p.enhanced, p.text)
	case refuse:
		return c.refuse(554, "5.7.1", "Message refused")
	}
	if refused, err := c.judge(Event{Command: EndOfData, Raw: raw}); refused || err != nil {
		return err
	}
	return c.say(250, "2.0.0", "Ok: queued as "+c.server.accept(Message{
		Conn: c.Number(), Encrypted: c.Encrypted(), Hello: c.hello, User: c.user(),
		From: tx.from, Params: tx.params, To: tx.to, ToParams: tx.toParams,
		Raw: raw, Stuffed: stuffed, Chunked: tx.chunked, Chunks: tx.chunks,
	}))
}

// inspect looks for what the message may not be made of.
func (c *conn) inspect(tx *transaction, raw string) *refusal {
	if len(raw) > c.server.options.MaxMessage {
		return &refusal{552, "5.3.4", "Error: message file too big"}
	}
	if tx.binary {
		return nil
	}
	longest, lone := lineFacts(raw)
	limit := c.server.options.MaxTextLine
	eightBit := strings.ContainsFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf })
	switch {
	case eightBit && !c.has("8BITMIME"):
		return &refusal{554, "5.6.1", "Message is not 7-bit clean"}
	case lone:
		return &refusal{550, "5.6.11", "Message contains a CR or an LF alone"}
	case limit > 0 && longest > limit:
		return &refusal{554, "5.6.0", "Message contains a line that is too long"}
	}
	return nil
}

// lineFacts returns the length of the longest line without its CRLF, and whether
// there is a CR or an LF that is not part of one.
func lineFacts(raw string) (longest int, lone bool) {
	for line := range strings.SplitSeq(raw, "\r\n") {
		longest = max(longest, len(line))
		lone = lone || strings.ContainsAny(line, "\r\n")
	}
	return longest, lone
}

// bdat takes one chunk (RFC 3030). Its bytes are read whatever the answer: they
// come without being asked for.
func (c *conn) bdat(line, args string) error {
	n, last, ok := parseBDAT(args)
	if !ok || !c.has("CHUNKING") {
		// How much data follows is not known, so that nothing can be read.
		return c.answer("BDAT", line, func(fakenet.Verdict) error {
			return c.hangUp("521 5.5.4 BDAT not understood or not available")
		})
	}
	p, err := c.readChunk(line, n)
	switch {
	case err != nil:
		return err
	case c.Buffered() > 0 && !c.pipelining():
		return c.sentAhead("BDAT")
	}
	if last {
		defer func() { c.tx = nil }()
	}
	return c.answer("BDAT", line, func(v fakenet.Verdict) error { return c.took(n, last, p, v.Refuse) })
}

// took answers a chunk.
func (c *conn) took(n int, last bool, p *refusal, refuse bool) error {
	tx := c.tx
	switch {
	case p != nil:
		return c.refuse(p.code, p.enhanced, p.text)
	case last:
		return c.finish(tx, tx.text.String(), "", nil, refuse)
	case refuse:
		tx.failed = true
		return c.refuse(554, "5.7.1", "Message refused")
	}
	refused, err := c.judge(Event{Command: "BDAT"})
	if refused || err != nil {
		tx.failed = true
		return err
	}
	return c.say(250, "2.0.0", strconv.Itoa(n)+" octets received")
}

// readChunk reads n bytes and adds them to the message, or tells why not.
func (c *conn) readChunk(line string, n int) (*refusal, error) {
	tx := c.tx
	var p *refusal
	switch {
	case tx == nil || len(tx.to) == 0:
		p = &refusal{503, "5.5.1", "BDAT comes after MAIL and RCPT"}
	case tx.failed:
		p = &refusal{503, "5.5.1", "A chunk before was refused"}
	case tx.text.Len()+n > c.server.options.MaxMessage:
		p = &refusal{552, "5.3.4", "Error: message file too big"}
	}
	if tx != nil {
		tx.chunked = true
		tx.failed = tx.failed || p != nil
	}
	w := io.Discard
	if p == nil {
		w = &tx.text
		tx.chunks = append(tx.chunks, n)
	}
	return p, c.copyContent(w, line, n)
}

// copyContent reads n bytes.
func (c *conn) copyContent(w io.Writer, line string, n int) error {
	content, err := c.Content(line)
	for err == nil && n > 0 {
		var took int64
		took, err = io.CopyN(w, c.Conn, int64(content.Next(n)))
		n -= int(took)
		if err == nil {
			err = content.Took(int(took))
		}
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
