// Command raw asks for what a task names and drops the bytes of the answers: the
// least that reading from a server can take.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"

	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() { task.Run(read) }

// read sends one command for each step and counts the bytes of the last answer.
// How many messages they are it does not know.
func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	items, ok := map[string]string{
		task.Full: "(UID BODY.PEEK[])",
		task.Summaries: "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM SENDER REPLY-TO TO CC BCC SUBJECT DATE " +
			"MESSAGE-ID IN-REPLY-TO REFERENCES CONTENT-TYPE AUTO-SUBMITTED PRECEDENCE LIST-ID)])",
	}[t.Kind]
	if !ok {
		return 0, 0, fmt.Errorf("there is no such task as %s", t.Kind)
	}
	nc, err := t.Dial(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer nc.Close()
	c := conn{Conn: nc, buf: make([]byte, 64<<10)}
	if _, err := nc.Read(c.buf); err != nil { // the greeting, which a client has to wait for
		return 0, 0, err
	}
	for _, words := range []string{
		"LOGIN " + t.User + " " + t.Password,
		"EXAMINE " + t.Folder,
		"UID SEARCH ALL",
		"UID FETCH 1:* " + items,
	} {
		if size, err = c.command(words); err != nil {
			return 0, 0, err
		}
	}
	return 0, size, nil
}

// conn is a connection that is read from in large pieces.
type conn struct {
	net.Conn

	buf []byte
}

// command sends a command and reads to its end: a piece of the stream whose last
// line begins with the command's tag, which nobody can have foreseen.
func (c *conn) command(words string) (size int64, err error) {
	tag := rand.Text()
	if _, err := c.Write([]byte(tag + " " + words + "\r\n")); err != nil {
		return 0, err
	}
	kept := 0 // of a line that has not come to its end
	for {
		n, err := c.Read(c.buf[kept:])
		if err != nil {
			return size, err
		}
		size += int64(n)
		piece := c.buf[:kept+n]
		kept = 0
		if ended, done := bytes.CutSuffix(piece, []byte("\r\n")); done {
			last := ended[bytes.LastIndexByte(ended, '\n')+1:]
			if rest, ours := bytes.CutPrefix(last, []byte(tag+" ")); ours {
				return size, succeeded(rest)
			}
			continue
		}
		// The end of the answer may have come in part.
		if last := piece[bytes.LastIndexByte(piece, '\n')+1:]; len(last) < len(c.buf)/2 {
			kept = copy(c.buf, last)
		}
	}
}

func succeeded(answer []byte) error {
	if bytes.HasPrefix(answer, []byte("OK")) {
		return nil
	}
	return fmt.Errorf("the server says %q", answer)
}
