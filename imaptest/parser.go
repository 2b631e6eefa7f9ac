package imaptest

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// syntaxError says what is wrong with a command. It becomes the text of a
// tagged BAD.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// nameError says why a name cannot be that of a mailbox, though it is a string
// like any other. It becomes the text of a tagged NO.
type nameError string

func (e nameError) Error() string { return string(e) }

// parser reads the arguments of one command. The bytes are the whole command
// without its last CRLF; literals stand in it as on the wire, "{5}" CRLF and
// the data. Its methods fail with a [syntaxError], or with a [nameError] about names
// of mailboxes, and consume what they return.
type parser struct {
	b []byte
	i int
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// accept consumes the byte if it is next.
func (p *parser) accept(c byte) bool {
	if p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(c byte) error {
	if !p.accept(c) {
		return p.wants(strconv.Quote(string(rune(c))))
	}
	return nil
}

func (p *parser) wants(what string) error {
	return syntaxError(fmt.Sprintf("expected %s at byte %d of the arguments", what, p.i))
}

func (p *parser) space() error {
	if !p.accept(' ') {
		return p.wants("a space")
	}
	return nil
}

func (p *parser) end() error {
	if p.i < len(p.b) {
		return p.wants("the end of the command")
	}
	return nil
}

// span consumes the longest run of bytes that fit and must not be empty.
func (p *parser) span(what string, fits func(byte) bool) (string, error) {
	start := p.i
	for p.i < len(p.b) && fits(p.b[p.i]) {
		p.i++
	}
	if p.i == start {
		return "", p.wants(what)
	}
	return string(p.b[start:p.i]), nil
}

// isAtom tells whether c is an ATOM-CHAR of RFC 3501, section 9.
func isAtom(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c))
}

func isAstring(c byte) bool { return isAtom(c) || c == ']' }

func isListChar(c byte) bool { return isAstring(c) || c == '%' || c == '*' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (p *parser) atom() (string, error) { return p.span("an atom", isAtom) }

// word returns an atom in upper case.
func (p *parser) word() (string, error) {
	s, err := p.atom()
	return strings.ToUpper(s), err
}

func (p *parser) astring() (string, error) {
	if c := p.peek(); c == '"' || c == '{' {
		return p.str()
	}
	return p.span("a string", isAstring)
}

// str reads a quoted string or a literal.
func (p *parser) str() (string, error) {
	switch p.peek() {
	case '"':
		return p.quoted()
	case '{':
		return p.literal()
	}
	return "", p.wants("a quoted string or a literal")
}

func (p *parser) quoted() (string, error) {
	p.i++
	var s strings.Builder
	for p.i < len(p.b) {
		c := p.b[p.i]
		p.i++
		switch {
		case c == '"':
			return s.String(), nil
		case c == '\\' && (p.peek() == '"' || p.peek() == '\\'):
			c = p.b[p.i]
			p.i++
		case c == '\\', c == '\r', c == '\n', c == 0, c >= 0x80:
			return "", syntaxError(fmt.Sprintf("byte %#02x not allowed in a quoted string", c))
		}
		s.WriteByte(c)
	}
	return "", syntaxError("quoted string without end")
}

func (p *parser) literal() (string, error) {
	head, data, found := bytes.Cut(p.b[p.i:], []byte("\r\n"))
	n, _, announced := literalAt(head)
	if !found || !announced || bytes.LastIndexByte(head, '{') != 0 || n > len(data) {
		return "", p.wants("a literal")
	}
	p.i += len(head) + len("\r\n") + n
	if bytes.IndexByte(data[:n], 0) >= 0 {
		return "", syntaxError("NUL not allowed in a literal")
	}
	return string(data[:n]), nil
}

// literalAt returns the size of the literal that is announced at the end of a
// line, and whether the client sends it without waiting (RFC 7888).
func literalAt(line []byte) (n int, eager, found bool) {
	rest, ok := bytes.CutSuffix(line, []byte("}"))
	if !ok {
		return 0, false, false
	}
	rest, eager = bytes.CutSuffix(rest, []byte("+"))
	open := bytes.LastIndexByte(rest, '{')
	if open < 0 || open+1 == len(rest) {
		return 0, false, false
	}
	for _, c := range rest[open+1:] {
		if !isDigit(c) {
			return 0, false, false
		}
	}
	size, err := strconv.ParseUint(string(rest[open+1:]), 10, 63)
	if err != nil || size > math.MaxInt32 {
		size = math.MaxInt32 // over every limit
	}
	return int(size), eager, true
}

// number reads a number of 32 bits.
func (p *parser) number() (uint32, error) {
	digits, err := p.span("a number", isDigit)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, syntaxError("number " + digits + " too large")
	}
	return uint32(n), nil
}

// mailbox reads the name of a folder, which is in modified UTF-7.
func (p *parser) mailbox() (string, error) {
	name, err := p.astring()
	if err != nil {
		return "", err
	}
	return folderName(name)
}

// pattern reads a name with the wildcards of LIST.
func (p *parser) pattern() (string, error) {
	var name string
	var err error
	if c := p.peek(); c == '"' || c == '{' {
		name, err = p.str()
	} else {
		name, err = p.span("a mailbox pattern", isListChar)
	}
	if decoded, ok := decodeUTF7(name); ok {
		name = decoded
	}
	return name, err // what is no name fits none
}

func folderName(name string) (string, error) {
	decoded, ok := decodeUTF7(name)
	if !ok {
		return "", nameError("Mailbox name is not modified UTF-7")
	}
	return decoded, nil
}

// list reads "(" what separated by spaces ")", which may be empty.
func (p *parser) list(item func() error) error {
	if err := p.expect('('); err != nil {
		return err
	}
	for first := true; !p.accept(')'); first = false {
		if !first {
			if err := p.space(); err != nil {
				return err
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
	return nil
}

// words reads a list of atoms and returns them in upper case.
func (p *parser) words() ([]string, error) {
	var all []string
	err := p.list(func() error {
		w, err := p.word()
		all = append(all, w)
		return err
	})
	return all, err
}

// flag reads a keyword, or a system flag that clients may set.
func (p *parser) flag() (string, error) {
	if !p.accept('\\') {
		return p.atom()
	}
	name, err := p.atom()
	if err != nil {
		return "", err
	}
	for _, known := range systemFlags() {
		if strings.EqualFold(known, `\`+name) {
			return known, nil
		}
	}
	return "", syntaxError(`flag \` + name + " cannot be set")
}

func systemFlags() []string {
	return []string{mailtest.Answered, mailtest.Flagged, mailtest.Deleted, mailtest.Seen, mailtest.Draft}
}

// flags reads a list of flags in parentheses.
func (p *parser) flags() ([]string, error) {
	flags := []string{}
	err := p.list(func() error {
		f, err := p.flag()
		flags = append(flags, f)
		return err
	})
	return flags, err
}
