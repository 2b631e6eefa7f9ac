package imapx

import (
	"bytes"
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

// forward gives go-imap the response that begins with line, if it can read it.
func (p *pump) forward(line []byte) {
	p.drop = !digestible(line)
	if text, ok := parseBye(line); ok {
		p.mu.Lock()
		p.bye = text
		p.mu.Unlock()
	}
	p.queue(line)
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

// digestible reports whether go-imap reads the response that begins with line
// and has a use for it. Answers to FETCH, SEARCH and STORE are never for it,
// and what it does not know would end its connection.
func digestible(line []byte) bool {
	rest, untagged := bytes.CutPrefix(line, []byte("* "))
	if !untagged {
		return len(line) > 0
	}
	word, args, _ := bytes.Cut(rest, []byte{' '})
	if _, err := strconv.ParseUint(string(word), 10, 32); err == nil {
		word, _, _ = bytes.Cut(args, []byte{' '})
		switch strings.ToUpper(string(word)) {
		case "EXISTS", "EXPUNGE", "RECENT":
			return true
		}
		return false
	}
	switch strings.ToUpper(string(word)) {
	case "OK", "NO", "BAD", "BYE", "CAPABILITY", "ENABLED", "FLAGS", "LIST", "STATUS":
		return true
	}
	return false
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
