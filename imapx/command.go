package imapx

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// command is under way on a connection.
type command struct {
	c    *conn
	tag  string
	op   string
	scan scanner

	codes codes
}

// codes are the arguments of response codes that tell what a command did.
type codes struct {
	copied   string // COPYUID
	appended string // APPENDUID
	modified string // MODIFIED
	validity string // UIDVALIDITY
	next     string // UIDNEXT
	highest  string // HIGHESTMODSEQ

	noVersions bool // NOMODSEQ
}

// begin sends a command, which has to be ended by finish. More are the pieces
// behind literals that the server has to ask for.
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

// start sends a command, of which write writes what follows the tag.
func (c *conn) start(op string, write func() error) (*command, error) {
	c.tags++
	m := &command{c: c, op: op, tag: "M" + strconv.Itoa(c.tags), scan: scanner{wire: c.wire}}
	_, err := c.wire.WriteString(m.tag + " ")
	if err == nil {
		err = write()
	}
	if err == nil {
		err = c.wire.Flush()
	}
	if err != nil {
		return nil, c.explain(op, err)
	}
	return m, nil
}

// goOn sends the rest of a command, or the next piece of it, when the server
// asks for it.
func (m *command) goOn(write func() error) error {
	for {
		line, err := m.c.wire.ReadLine()
		if err != nil {
			return m.c.explain(m.op, err)
		}
		if bytes.HasPrefix(line, []byte{'+'}) {
			if err := write(); err != nil {
				return err
			}
			return m.c.wire.Flush()
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
}

// errDone is the end of a command's answers.
var errDone = errors.New("the command is done")

// next returns a scanner at the arguments of the next untagged response that
// is for us. At the end of the command the error is errDone, or the server's
// refusal.
func (m *command) next() (name string, sc *scanner, err error) {
	for {
		line, err := m.c.wire.ReadLine()
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
	case s.typ == "BAD":
		m.c.selected = nil // it may not think that the folder is open
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
	case "UIDVALIDITY":
		c.validity = s.args
	case "UIDNEXT":
		c.next = s.args
	case "HIGHESTMODSEQ":
		c.highest = s.args
	case "NOMODSEQ":
		c.noVersions = true
	}
}

// remark takes an untagged OK: UID MOVE tells in one where the messages went
// (RFC 6851 section 4.3), SELECT what the folder is like.
func (m *command) remark(line []byte) bool {
	s, ok := parseRemark(line)
	if ok {
		m.codes.learn(s)
	}
	return ok
}

// aside passes over a response that is not for us; a goodbye is kept.
func (m *command) aside(line []byte) error {
	if text, ok := parseBye(line); ok {
		m.c.bye = text
	}
	if n, ok := parseExists(line); ok {
		m.c.exists = n
	}
	if isStatus(line) {
		return nil // it ends in words
	}
	m.scan.start(line)
	return m.scan.end()
}

// finish reads what is left of the answers and drops it.
func (m *command) finish(err error) error {
	for err == nil {
		var sc *scanner
		if _, sc, err = m.next(); err == nil {
			err = sc.end()
		}
	}
	if errors.Is(err, errDone) {
		err = nil
	}
	return m.c.explain(m.op, err)
}

// exec sends a command that has no answer but its end, and returns the codes that
// came with it, also with a refusal.
func (c *conn) exec(op, words string) (codes, error) {
	pieces := c.pieces(words)
	m, err := c.begin(op, pieces[0], pieces[1:]...)
	if err != nil {
		return codes{}, err
	}
	err = m.finish(nil)
	return m.codes, err
}

// run sends a command and calls each for every response to it. After an error of
// each the rest of the answer is read and dropped.
func (c *conn) run(op, words string, each func(name string, sc *scanner) error) error {
	_, err := c.collect(op, words, each)
	return err
}

// collect is run for whom the codes of the answer matter too.
func (c *conn) collect(op, words string, each func(name string, sc *scanner) error) (*command, error) {
	pieces := c.pieces(words)
	m, err := c.begin(op, pieces[0], pieces[1:]...)
	if err != nil {
		return nil, err
	}
	for {
		name, sc, err := m.next()
		if err != nil {
			return m, m.finish(err)
		}
		failed := each(name, sc)
		if err := sc.end(); err != nil {
			return m, m.finish(err)
		}
		if failed != nil {
			return m, errors.Join(failed, m.finish(nil))
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
