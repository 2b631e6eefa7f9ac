package pop3test

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// retr sends a message.
func retr(_ context.Context, c *conn, args string) error {
	e, number, problem := c.drop.entry(args)
	if problem == "" {
		problem = c.there(e)
	}
	switch {
	case problem != "":
		return c.fail("", problem)
	case c.hidden(e.message.Raw):
		return c.fail("UTF8", "The message needs UTF8")
	}
	e.retrieved = true
	c.drop.highest = max(c.drop.highest, number)
	size := c.AnnouncedSize(wireSize(e.message.Raw))
	if err := c.ok(fmt.Sprintf("%d octets", size)); err != nil {
		return err
	}
	return writeBody(c, e.message.Raw)
}

// top sends the header of a message and some lines of its body.
func top(_ context.Context, c *conn, args string) error {
	which, count, _ := strings.Cut(args, " ")
	lines, ok := parseNumber(count)
	if !ok {
		return c.fail("", "TOP needs a message number and a number of lines")
	}
	e, number, problem := c.drop.entry(which)
	if problem == "" {
		problem = c.there(e)
	}
	switch {
	case problem != "":
		return c.fail("", problem)
	case c.hidden(e.message.Raw):
		return c.fail("UTF8", "The message needs UTF8")
	}
	c.drop.highest = max(c.drop.highest, number)
	if err := c.ok("Top of the message follows"); err != nil {
		return err
	}
	return writeBody(c, head(e.message.Raw, lines))
}

// there returns what the client is told of a message that somebody else removed.
func (c *conn) there(e *entry) (problem string) {
	if _, there := c.drop.now(e); !there {
		return "Message is no longer there"
	}
	return ""
}

// hidden reports whether a message is only for clients that said UTF8.
func (c *conn) hidden(raw string) bool {
	return c.server.options.StrictUTF8 && c.has("UTF8") && !c.utf8 && !isASCII(head(raw, 0))
}

// writeBody writes the text of a message and the dot that ends it. All that is
// added are a dot ahead of each line that starts with one, where a line is what
// stands behind CRLF, and a CRLF behind a message that does not end in one, since
// the dot has to stand on a line of its own.
func writeBody(w io.StringWriter, raw string) error {
	const dot, lineOfDot = ".", "\r\n."
	var pieces []string
	if strings.HasPrefix(raw, dot) {
		pieces = append(pieces, dot)
	}
	rest := raw
	for i := strings.Index(rest, lineOfDot); i >= 0; i = strings.Index(rest, lineOfDot) {
		i += len(lineOfDot)
		pieces = append(pieces, rest[:i], dot)
		rest = rest[i:]
	}
	pieces = append(pieces, rest)
	if wireSize(raw) != len(raw) {
		pieces = append(pieces, "\r\n")
	}
	for _, piece := range append(pieces, ".\r\n") {
		if _, err := w.WriteString(piece); err != nil {
			return err
		}
	}
	return nil
}

// wireSize returns how many bytes a client gets of a message, without the dots
// of the protocol.
func wireSize(raw string) int {
	if raw == "" || strings.HasSuffix(raw, "\r\n") {
		return len(raw)
	}
	return len(raw) + len("\r\n")
}

// head returns the header of a message, the empty line behind it, and the first
// lines of the body. LF alone ends a line here as CRLF does, because messages
// can have both.
func head(raw string, lines int) string {
	end, inBody := 0, false
	for line := range strings.Lines(raw) {
		if inBody {
			if lines == 0 {
				break
			}
			lines--
		}
		end += len(line)
		inBody = inBody || line == "\r\n" || line == "\n"
	}
	return raw[:end]
}
