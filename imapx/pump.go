package imapx

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/internal/wire"
)

// pump is what go-imap reads from. It reads the connection response by
// response, in go-imap's own goroutine; when a command of ours is under way,
// it hands the reading itself to the goroutine that waits for the answer, so
// that nothing large is copied, and takes it back when that goroutine is done.
type pump struct {
	wire *wire.Conn

	// Used by whoever does the reading.
	pending bytes.Buffer // what go-imap reads next
	literal *wire.Literal
	drop    bool // the response under way is not for go-imap

	mu  sync.Mutex // never held during I/O
	ask *turn      // the command of ours that waits
	bye string
}

// turn is the time during which a command of ours does the reading.
type turn struct {
	begun chan struct{} // closed when line or err is set
	line  []byte        // the first line of an answer
	err   error
	done  chan struct{} // closed when the pump may go on
}

func newPump(w *wire.Conn, greeting string) *pump {
	p := &pump{wire: w}
	p.pending.WriteString(greeting)
	return p
}

// take asks for the reading; the turn begins with the next response.
func (p *pump) take() *turn {
	t := &turn{begun: make(chan struct{}), done: make(chan struct{})}
	p.mu.Lock()
	p.ask = t
	p.mu.Unlock()
	return t
}

// asked returns the turn that waits, once.
func (p *pump) asked() *turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.ask
	p.ask = nil
	return t
}

// Read implements [io.Reader] for go-imap.
func (p *pump) Read(b []byte) (int, error) {
	for {
		if p.pending.Len() > 0 {
			return p.pending.Read(b)
		}
		if p.literal != nil {
			if n, ok, err := p.readLiteral(b); ok {
				return n, err
			}
			continue
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
}

// readLiteral reads what is left of a literal in the response under way; ok is
// false where go-imap gets nothing of it.
func (p *pump) readLiteral(b []byte) (n int, ok bool, err error) {
	if p.literal.Left() == 0 {
		p.literal = nil
		return 0, false, p.rest()
	}
	if p.drop {
		return 0, false, p.literal.Discard()
	}
	n, err = p.literal.Read(b)
	return n, true, err
}

// rest reads the line that follows a literal.
func (p *pump) rest() error {
	line, err := p.wire.ReadLine()
	if err != nil {
		return err
	}
	p.queue(line)
	return nil
}

// next reads the first line of a response.
func (p *pump) next() error {
	line, err := p.wire.ReadLine()
	if t := p.asked(); t != nil {
		t.line, t.err = line, err
		close(t.begun)
		<-t.done
		return err
	}
	if err != nil {
		return err
	}
	p.forward(line)
	return nil
}

// forward gives go-imap the response that begins with line, as far as it can
// read it.
func (p *pump) forward(line []byte) {
	p.note(line)
	line, p.drop = digest(line)
	p.queue(line)
}

// note keeps a goodbye.
func (p *pump) note(line []byte) {
	if text, ok := parseBye(line); ok {
		p.mu.Lock()
		p.bye = text
		p.mu.Unlock()
	}
}

// queue puts one line of the response before go-imap and sees to the literal
// behind it.
func (p *pump) queue(line []byte) {
	if !p.drop {
		p.pending.Write(line)
		p.pending.WriteString("\r\n")
	}
	if _, n, ok := cutLiteral(line); ok && !isStatus(line) {
		p.literal = p.wire.Literal(n)
	}
}

// goodbye returns what the server said with BYE, "" where it did not.
func (p *pump) goodbye() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bye
}

// digest returns the response that begins with line as go-imap can read it;
// drop says that go-imap gets nothing of it. Of all that servers say go-imap
// needs the ends of its commands, the list of folders and a folder's
// UIDVALIDITY: everything else could only end its connection.
func digest(line []byte) (digested []byte, drop bool) {
	tag, rest, _ := bytes.Cut(line, []byte{' '})
	if s, ok := parseStatus(rest); ok && string(tag) != "+" {
		return digestStatus(tag, s), false
	}
	if string(tag) != "*" {
		return line, true
	}
	word, _, _ := bytes.Cut(rest, []byte{' '})
	if bytes.EqualFold(word, []byte("LIST")) {
		return digestList(line), false
	}
	return line, true
}

// digestList makes a folder's name readable that is not in modified UTF-7: the
// name is taken as it stands then, and the other folders of the list survive.
func digestList(line []byte) []byte {
	before, name := cutName(line)
	if !bytes.ContainsRune(name, '&') || encodeUTF7(decodeUTF7(string(name))) == string(name) {
		return line
	}
	return slices.Concat(before, bytes.ReplaceAll(name, []byte{'&'}, []byte("&-")), line[len(before)+len(name):])
}

// cutName finds the last word or quoted string of a line.
func cutName(line []byte) (before, name []byte) {
	end := len(bytes.TrimRight(line, `" `))
	start := bytes.LastIndexAny(line[:end], `" `) + 1
	return line[:start], line[start:end]
}

// digestStatus writes a status response anew: untagged with no other code than
// UIDVALIDITY, at the end of a command with one that has no arguments.
func digestStatus(tag []byte, s status) []byte {
	code := ""
	switch {
	case s.code == "UIDVALIDITY" && isNumber(s.args):
		code = "[UIDVALIDITY " + s.args + "] "
	case string(tag) != "*" && s.args == "" && isWord(s.code):
		code = "[" + s.code + "] "
	}
	return []byte(string(tag) + " " + s.typ + " " + code + ascii(s.text))
}

func isNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 32)
	return err == nil && n > 0
}

// isWord reports whether s is a code of letters, digits and hyphens, of which
// go-imap does not expect arguments.
func isWord(s string) bool {
	switch s {
	case "", "CAPABILITY", "APPENDUID", "COPYUID":
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// ascii replaces what go-imap does not take in a text, and keeps it from taking
// the text for a code.
func ascii(s string) string {
	if s == "" || s[0] == '[' {
		s = "- " + s
	}
	s = strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, s)
	return s
}

// isStatus reports whether line is a status response, which ends in words and
// never in a literal.
func isStatus(line []byte) bool {
	_, rest, _ := bytes.Cut(line, []byte{' '})
	_, ok := parseStatus(rest)
	return ok
}

func parseBye(line []byte) (text string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("* "))
	if !ok {
		return "", false
	}
	s, ok := parseStatus(rest)
	if !ok || s.typ != "BYE" {
		return "", false
	}
	return s.text, true
}

// cutLiteral cuts the announcement of a literal, {n}, {n+} or ~{n}, off the end
// of a line.
func cutLiteral(line []byte) (before []byte, n int64, ok bool) {
	inner, ok := bytes.CutSuffix(line, []byte{'}'})
	if !ok {
		return line, 0, false
	}
	open := bytes.LastIndexByte(inner, '{')
	if open < 0 {
		return line, 0, false
	}
	digits := bytes.TrimSuffix(inner[open+1:], []byte{'+'})
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n < 0 || digits[0] == '+' {
		return line, 0, false
	}
	return bytes.TrimSuffix(line[:open], []byte{'~'}), n, true
}
