package imapx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/mailsession/mailsession/internal/wire"
)

// scanner reads the values of one response, its literals included. It forgives
// what it can: what it cannot is a [syntaxError], after which end still finds
// the next response.
type scanner struct {
	wire *wire.Conn
	line []byte // what is left of the line, without an announced literal

	announced bool // a literal of size bytes follows the line
	size      int64
	behind    bool // the line follows a literal
	depth     int  // of the lists around the items under way
}

// syntaxError says what a response has in an unexpected place.
type syntaxError struct {
	want   string
	near   string
	behind bool // it stood behind a literal; near is empty then
}

func (e *syntaxError) Error() string {
	if e.behind {
		return fmt.Sprintf("malformed answer: %s expected behind a literal; it may be longer or shorter than the server said", e.want)
	}
	return fmt.Sprintf("malformed answer: %s expected at %q", e.want, e.near)
}

func (s *scanner) malformed(want string) error {
	if s.behind {
		// Where a literal is longer than was announced, this is a message's text.
		return &syntaxError{want: want, behind: true}
	}
	near := s.line
	if len(near) > 40 {
		near = near[:40]
	}
	return &syntaxError{want: want, near: printable(string(near))}
}

// start begins with the first line of a response.
func (s *scanner) start(line []byte) {
	s.line, s.size, s.announced = cutLiteral(line)
	s.behind = false
}

// What peek returns where no byte of the line is next.
const (
	atEnd     = -1
	atLiteral = -2
)

// peek returns the next byte of the line after spaces, atLiteral before a
// literal and atEnd at the end of the response.
func (s *scanner) peek() int {
	s.line = bytes.TrimLeft(s.line, " ")
	switch {
	case len(s.line) > 0:
		return int(s.line[0])
	case s.announced:
		return atLiteral
	}
	return atEnd
}

// accept takes the byte c if it is next.
func (s *scanner) accept(c byte) bool {
	if s.peek() != int(c) {
		return false
	}
	s.line = s.line[1:]
	return true
}

// name takes a word, with its brackets where it has some: BODY[HEADER.FIELDS
// (FROM)]<0>. It is valid until the next read from the connection.
func (s *scanner) name() []byte {
	s.peek()
	depth, n := 0, 0
scan:
	for ; n < len(s.line); n++ {
		switch c := s.line[n]; {
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case depth == 0 && (c == ' ' || c == '(' || c == ')' || c == '"'):
			break scan
		}
	}
	word := s.line[:n]
	s.line = s.line[n:]
	return word
}

// open takes the parenthesis before a list of items, each a name and a value.
func (s *scanner) open() bool {
	s.depth = 0
	if !s.accept('(') {
		return false
	}
	s.depth = 1
	return true
}

// more reports whether another item of the list follows, or what cannot be one.
// Lists that a server puts around single items do not count.
func (s *scanner) more() bool {
	for s.depth > 0 {
		switch {
		case s.accept('('):
			s.depth++
		case s.accept(')'):
			s.depth--
		default:
			return true
		}
	}
	return false
}

// null takes NIL if it is next.
func (s *scanner) null() bool {
	s.peek()
	rest := s.line
	if word := s.name(); bytes.EqualFold(word, []byte("NIL")) {
		return true
	}
	s.line = rest
	return false
}

// number takes a number. What begins like one and goes on in another way is
// none: the digits of 9.4e+06 mean something else.
func (s *scanner) number() (uint64, error) {
	s.peek()
	rest := s.line
	v, err := strconv.ParseUint(string(s.name()), 10, 64)
	if err != nil {
		s.line = rest
		return 0, s.malformed("a number")
	}
	return v, nil
}

// octets takes a size. One server writes large ones with an exponent, which is
// near enough.
func (s *scanner) octets() (int64, error) {
	s.peek()
	rest := s.line
	word := string(s.name())
	if n, err := strconv.ParseUint(word, 10, 64); err == nil {
		return int64(min(n, 1<<62)), nil
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil && f >= 0 && f < 1<<62 {
		return int64(f), nil
	}
	s.line = rest
	return 0, s.malformed("a size")
}

// quoted takes a quoted string, of which the opening quote is next.
func (s *scanner) quoted() ([]byte, error) {
	rest := s.line[1:]
	if end := bytes.IndexAny(rest, `"\`); end >= 0 && rest[end] == '"' {
		s.line = rest[end+1:]
		return rest[:end], nil
	}
	var value []byte
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\'):
			i++ // before anything else a backslash is one that was not escaped
		case rest[i] == '"':
			s.line = rest[i+1:]
			return value, nil
		}
		value = append(value, rest[i])
	}
	return nil, s.malformed("a closing quote")
}

// errTooLarge says that a value was announced larger than the place for it.
var errTooLarge = errors.New("the server sends more than fits here")

// text takes a string of any kind, NIL as nil. What is longer than limit is
// errTooLarge. The bytes belong to the caller.
func (s *scanner) text(limit int64) ([]byte, error) {
	switch s.peek() {
	case '"':
		v, err := s.quoted()
		return append([]byte{}, v...), err
	case atLiteral:
		if s.size > limit {
			return nil, fmt.Errorf("%w: %d bytes, at most %d", errTooLarge, s.size, limit)
		}
		buf := make([]byte, s.size)
		if _, err := io.ReadFull(s.stream(), buf); err != nil {
			return nil, err
		}
		return buf, s.resume()
	case atEnd, '(', ')':
		return nil, s.malformed("a string")
	}
	word := s.name()
	if bytes.EqualFold(word, []byte("NIL")) {
		return nil, nil
	}
	return bytes.Clone(word), nil
}

// stream returns the announced literal, to be read to its end before resume.
func (s *scanner) stream() *wire.Literal {
	s.announced = false
	return s.wire.Literal(s.size)
}

// resume reads the line that follows a literal.
func (s *scanner) resume() error {
	line, err := s.wire.ReadLine()
	if err != nil {
		return err
	}
	s.start(line)
	s.behind = true
	return nil
}

// skip passes over one value of any kind: a word, a string, a list.
func (s *scanner) skip() error { return s.skipFrom(0) }

// skipFrom is skip within so many lists.
func (s *scanner) skipFrom(depth int) error {
	for {
		switch s.peek() {
		case atEnd:
			return s.malformed("a value")
		case '(':
			s.accept('(')
			depth++
		case ')':
			if depth == 0 {
				return s.malformed("a value")
			}
			s.accept(')')
			depth--
		case '"':
			if _, err := s.quoted(); err != nil {
				return err
			}
		case atLiteral:
			if err := s.pass(); err != nil {
				return err
			}
		default:
			if len(s.name()) == 0 {
				return s.malformed("a value")
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// pass reads a literal and drops it.
func (s *scanner) pass() error {
	if err := s.stream().Discard(); err != nil {
		return err
	}
	return s.resume()
}

// end passes over whatever is left of the response.
func (s *scanner) end() error {
	s.line = nil
	for s.announced {
		if err := s.pass(); err != nil {
			return err
		}
		s.line = nil
	}
	return nil
}
