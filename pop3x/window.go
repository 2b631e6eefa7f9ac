package pop3x

import (
	"cmp"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// What is asked for ahead of the answers that are read, where the server takes
// that. It bounds what a loop that ends early has asked for in vain. The
// commands are far shorter than what a socket keeps for a server that does not
// read, so that neither side waits for the other for ever.
const (
	windowCommands = 512
	windowBytes    = 8 << 20 // of messages, by the sizes of LIST
)

// window sends commands about messages ahead of the answers.
type window struct {
	conn    *conn
	op      string
	lines   string                 // of the body that TOP is to give, none where it is empty
	numbers []int                  // left to be sent
	size    func(number int) int64 // what the answer has, about
	flying  []int64                // the sizes of the answers that are to come
	bytes   int64                  // their sum
}

// fill sends as many commands as may be under way. It waits until half of the
// window is free, so that commands go together.
func (w *window) fill() error {
	most := 1
	if w.conn.pipelines() {
		most = windowCommands
	}
	if len(w.flying) > most/2 {
		return nil
	}
	sent := false
	for len(w.numbers) > 0 && len(w.flying) < most && (len(w.flying) == 0 || w.bytes < windowBytes) {
		n := w.numbers[0]
		if err := w.send(n); err != nil {
			return err
		}
		w.numbers = w.numbers[1:]
		size := w.size(n)
		w.flying = append(w.flying, size)
		w.bytes += size
		sent = true
	}
	if !sent {
		return nil
	}
	return w.conn.flush(w.op)
}

func (w *window) send(number int) error {
	if w.op == opTop {
		return w.conn.send(opTop, strconv.Itoa(number), cmp.Or(w.lines, "0"))
	}
	return w.conn.send(w.op, strconv.Itoa(number))
}

// sizeOf returns the size of a message by the listing.
func (c *conn) sizeOf(number int) int64 { return c.drop.entries[number-1].size }

// begin reads the first line of the next answer and returns a reader of the
// message.
func (w *window) begin() (*dots, error) {
	if err := w.fill(); err != nil {
		return nil, err
	}
	size := w.flying[0]
	w.bytes -= size
	w.flying = w.flying[1:]
	if _, err := w.conn.answer(w.op); err != nil {
		return nil, err
	}
	w.conn.owed++ // until the final dot
	d := &dots{src: w.conn.w, bare: w.conn.w.BareLF()}
	if len(w.flying) > 0 {
		d.behind = &behind{}
		if w.op == opRetr {
			d.behind.size = size
		}
	}
	return d, w.inStep()
}

// inStep looks at the beginning of a message. No header begins as an answer
// does: the server gave one answer more than there were commands, and with
// commands sent ahead the messages would be taken for each other. They are asked
// for one by one from then on, over a new connection.
func (w *window) inStep() error {
	if !w.conn.pipelines() {
		return nil
	}
	start, err := w.conn.w.Ahead(3)
	if err != nil {
		return w.conn.explain(w.op, err)
	}
	if start[0] != '+' || !strings.EqualFold(string(start[:3]), "+OK") {
		return nil
	}
	return w.conn.outOfStep(w.op, "an answer begins where a message should")
}

// end reads what is left of an answer.
func (w *window) end(d *dots) error {
	if d == nil {
		return nil
	}
	if err := d.discard(); err != nil {
		return w.conn.explain(w.op, err)
	}
	w.conn.owed--
	return nil
}

// drainLimit is how much of what nobody wants is read to save the connection.
const drainLimit = 256 << 10

// drain is end for an answer that nobody wants: where much is left of it, the
// connection is given up, and a new one is cheaper. What LIST says may be wrong.
func (w *window) drain(d *dots) {
	_, err := io.CopyN(io.Discard, d, drainLimit)
	if !errors.Is(err, io.EOF) {
		w.conn.w.Kill(session.ErrClosed)
		return
	}
	w.conn.owed--
}

// maxHeader is how much of a header is read.
const maxHeader = 1 << 20

// headerSize is what a header is taken to have where a window is filled.
const headerSize = 4 << 10

// tops reads the headers of messages, in their order. What is wrong with one of
// them is told by bad, and the others go on. A server without TOP is asked for
// the messages, of which the rest is passed over. What each returns ends it all.
func (c *conn) tops(numbers []int, each func(i int, head io.Reader) error, bad func(i int, err error)) error {
	w := &window{conn: c, op: opTop, numbers: numbers, size: func(int) int64 { return headerSize }}
	if !c.caps.may(opTop) {
		w.op = opRetr
	}
	var again []int // of which the server did not give the header alone
	for i := range numbers {
		d, err := w.begin()
		switch {
		case answered(err) && w.op == opTop:
			again = append(again, i)
			continue
		case answered(err):
			bad(i, err)
			continue
		case err != nil:
			return err
		}
		if err := c.head(w, d, func(head io.Reader) error { return each(i, head) }); err != nil {
			return err
		}
	}
	for _, i := range again {
		if err := c.headOf(numbers[i], func(head io.Reader) error { return each(i, head) }, func(err error) { bad(i, err) }); err != nil {
			return err
		}
	}
	return nil
}

// headOf reads a header from the whole message.
func (c *conn) headOf(number int, each func(head io.Reader) error, bad func(error)) error {
	w := &window{conn: c, op: opRetr, numbers: []int{number}, size: func(int) int64 { return 0 }}
	d, err := w.begin()
	if answered(err) {
		bad(err)
		return nil
	}
	if err != nil {
		return err
	}
	return c.head(w, d, each)
}

// head gives the header that an answer begins with.
func (c *conn) head(w *window, d *dots, each func(head io.Reader) error) error {
	if err := each(&header{dots: d, left: maxHeader}); err != nil {
		return c.explain(w.op, err)
	}
	return w.end(d)
}

// header reads a message up to the empty line behind its header, with that
// line, and no further than its bound.
type header struct {
	dots  *dots
	left  int
	blank int // bytes of the last line, without its end
	done  bool
}

// Read implements [io.Reader]. It gives no byte behind the header, for which it
// looks byte by byte: a server may answer TOP with more than was asked for.
func (h *header) Read(p []byte) (int, error) {
	if h.done || h.left == 0 {
		return 0, io.EOF
	}
	n, err := h.dots.Read(p[:min(len(p), h.left)])
	for i, b := range p[:n] {
		switch {
		case b != '\n':
			if b != '\r' {
				h.blank++
			}
		case h.blank == 0:
			h.done = true
			h.left = 0
			return i + 1, nil
		default:
			h.blank = 0
		}
	}
	h.left -= n
	return n, err
}

// next reads the answer to the next command, where that is one line.
func (w *window) next() error {
	if err := w.fill(); err != nil {
		return err
	}
	w.flying = w.flying[1:]
	_, err := w.conn.answer(w.op)
	return err
}
