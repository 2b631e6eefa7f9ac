package imapx

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// command is one of our own under way on a shared connection.
type command struct {
	c    *conn
	tag  string
	op   string
	turn *turn
	line []byte // read and not used yet
	scan scanner

	codes codes
}

// codes are the arguments of response codes that tell what a command did.
type codes struct {
	copied   string // COPYUID
	appended string // APPENDUID
	modified string // MODIFIED
}

// begin sends a command of our own and waits for the first response. The
// command has to be ended by finish. More are the pieces behind literals that the
// server has to ask for.
func (c *conn) begin(op, words string, more ...string) (*command, error) {
	m, err := c.start(op, func() error { return c.line(words) })
	if err != nil {
		return nil, err
	}
	for _, piece := range more {
		if err := m.goOn(func() error { return c.line(piece) }); err != nil {
			return nil, m.finish(err)
		}
	}
	return m, nil
}

func (c *conn) line(words string) error {
	_, err := c.wire.WriteString(words + "\r\n")
	return err
}

// start sends a command, of which write writes what follows the tag, and waits
// for the first response.
func (c *conn) start(op string, write func() error) (*command, error) {
	c.tags++
	m := &command{c: c, op: op, tag: "M" + strconv.Itoa(c.tags), turn: c.pump.take()}
	_, err := c.wire.WriteString(m.tag + " ")
	if err == nil {
		err = write()
	}
	if err == nil {
		err = c.wire.Flush()
	}
	if err != nil {
		// The pump's read ends too and finds the turn given up.
		close(m.turn.done)
		return nil, c.explain(op, err)
	}
	select {
	case <-m.turn.begun:
	case <-c.imap.Closed():
		// go-imap gave up the connection: nobody reads any more.
		close(m.turn.done)
		return nil, c.explain(op, io.ErrUnexpectedEOF)
	}
	if m.turn.err != nil {
		close(m.turn.done)
		return nil, c.explain(op, m.turn.err)
	}
	m.line = m.turn.line
	m.scan.wire = c.wire
	return m, nil
}

// goOn sends the rest of a command, or the next piece of it, when the server
// asks for it.
func (m *command) goOn(write func() error) error {
	for {
		line, err := m.read()
		if err != nil {
			return m.c.explain(m.op, err)
		}
		if bytes.HasPrefix(line, []byte{'+'}) {
			break
		}
		if rest, ok := bytes.CutPrefix(line, []byte(m.tag+" ")); ok {
			err := m.end(rest)
			if errors.Is(err, errDone) {
				// It agreed to half a command.
				m.c.wire.Kill(&syntaxError{want: "+", near: printable(string(rest))})
				err = m.c.wire.Err()
			}
			return err
		}
		if err := m.aside(line); err != nil {
			return m.c.explain(m.op, err)
		}
	}
	if err := write(); err != nil {
		return err
	}
	return m.c.wire.Flush()
}

// errDone is the end of a command's answers.
var errDone = errors.New("the command is done")

// next returns a scanner at the arguments of the next untagged response that
// is for us. At the end of the command the error is errDone, or the server's
// refusal.
func (m *command) next() (name string, sc *scanner, err error) {
	for {
		line, err := m.read()
		if err != nil {
			return "", nil, m.c.explain(m.op, err)
		}
		if rest, ok := bytes.CutPrefix(line, []byte(m.tag+" ")); ok {
			return "", nil, m.end(rest)
		}
		if name, args := ours(line); name != "" {
			m.scan.start(args)
			return name, &m.scan, nil
		}
		if m.remark(line) {
			continue
		}
		if err := m.aside(line); err != nil {
			return "", nil, m.c.explain(m.op, err)
		}
	}
}

func (m *command) read() ([]byte, error) {
	if line := m.line; line != nil {
		m.line = nil
		return line, nil
	}
	return m.c.wire.ReadLine()
}

// end reads the answer to the command itself.
func (m *command) end(rest []byte) error {
	s, ok := parseStatus(rest)
	switch {
	case !ok:
		// Nobody knows what would come behind it.
		m.c.wire.Kill(&syntaxError{want: "OK, NO or BAD", near: printable(string(rest))})
		return m.c.explain(m.op, m.c.wire.Err())
	case s.typ == "OK":
		m.codes.learn(s)
		return errDone
	}
	m.codes.learn(s)
	return m.c.explain(m.op, &Error{Server: m.c.address, Op: m.op, Type: s.typ, Code: s.code, Text: s.text})
}

func (c *codes) learn(s status) {
	switch s.code {
	case "COPYUID":
		c.copied = s.args
	case "APPENDUID":
		c.appended = s.args
	case "MODIFIED":
		c.modified = s.args
	}
}

// remark takes an untagged OK that belongs to the command: UID MOVE tells in
// one where the messages went (RFC 6851 section 4.3).
func (m *command) remark(line []byte) bool {
	rest, untagged := bytes.CutPrefix(line, []byte("* "))
	s, ok := parseStatus(rest)
	if !untagged || !ok || s.typ != "OK" || s.code != "COPYUID" {
		return false
	}
	m.codes.learn(s)
	return true
}

// ours tells the responses that answer our commands from all others.
func ours(line []byte) (name string, args []byte) {
	rest, ok := bytes.CutPrefix(line, []byte("* "))
	if !ok {
		return "", nil
	}
	word, args, _ := bytes.Cut(rest, []byte{' '})
	if len(word) > 0 && word[0] >= '0' && word[0] <= '9' {
		word, args, _ = bytes.Cut(args, []byte{' '})
		if bytes.EqualFold(word, []byte("FETCH")) {
			return "FETCH", args
		}
		return "", nil
	}
	for _, name := range []string{"SEARCH", "STATUS"} {
		if bytes.EqualFold(word, []byte(name)) {
			return name, args
		}
	}
	return "", nil
}

// aside passes over a response that is not for us. It is not for go-imap
// either, which has no command under way during our turn; a goodbye is kept.
func (m *command) aside(line []byte) error {
	m.c.pump.note(line)
	if isStatus(line) {
		return nil // it ends in words
	}
	m.scan.start(line)
	return m.scan.end()
}

// finish gives the reading back. Where answers are left, they are read and
// dropped first.
func (m *command) finish(err error) error {
	for err == nil {
		var sc *scanner
		if _, sc, err = m.next(); err == nil {
			err = sc.end()
		}
	}
	close(m.turn.done)
	if errors.Is(err, errDone) {
		err = nil
	}
	return m.c.explain(m.op, err)
}

// exec sends a command of our own that has no answer but its end, and returns
// the codes that came with it, also with a refusal.
func (c *conn) exec(op, words string) (codes, error) {
	m, err := c.begin(op, words)
	if err != nil {
		return codes{}, err
	}
	err = m.finish(nil)
	return m.codes, err
}

// run sends a command of our own and calls each for every response to it. After
// an error of each the rest of the answer is read and dropped.
func (c *conn) run(op, words string, each func(name string, sc *scanner) error) error {
	return c.runPieces(op, []string{words}, each)
}

// runPieces is run for a command in pieces.
func (c *conn) runPieces(op string, pieces []string, each func(name string, sc *scanner) error) error {
	m, err := c.begin(op, pieces[0], pieces[1:]...)
	if err != nil {
		return err
	}
	for {
		name, sc, err := m.next()
		if err != nil {
			return m.finish(err)
		}
		failed := each(name, sc)
		if err := sc.end(); err != nil {
			return m.finish(err)
		}
		if failed != nil {
			return errors.Join(failed, m.finish(nil))
		}
	}
}

// formatSet writes ascending numbers as an IMAP set, runs as ranges.
func formatSet(uids []uint32) string {
	var b strings.Builder
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(uids[i]), 10))
		if j > i {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(uint64(uids[j]), 10))
		}
		i = j + 1
	}
	return b.String()
}
