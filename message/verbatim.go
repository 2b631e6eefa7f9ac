package message

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// message settles how an attached message travels. It may not be encoded (RFC
// 2046 section 5.2.1), so it is looked through.
func (c *composer) message(e *entity, n int) {
	if _, once := e.content.(*readerSource); once {
		c.w.fail("Files", fmt.Sprintf("has a message from Reader as file %d, which has to be read twice; use Bytes or File", n))
		return
	}
	look, err := lookThrough(e.content)
	switch {
	case err != nil:
		c.fail(fmt.Errorf("message: draft: read the message that is file %d: %w", n, err))
	case look.unfit:
		e.mediaType, e.params = octetStream, nil
	default:
		if e.encoding, e.size = "7bit", look.size; look.eightBit {
			e.encoding = "8bit"
		}
		c.verbatim = append(c.verbatim, verbatim{content: e.content})
	}
}

// fail keeps an error of reading.
func (c *composer) fail(err error) {
	if c.readError == nil {
		c.readError = err
	}
}

// A look is what was seen of a message.
type look struct {
	size     int64 // with CR LF at the ends of lines
	eightBit bool
	unfit    bool // it has lines that are too long, or NULs
}

// lookThrough reads a message once.
func lookThrough(s Source) (l look, err error) {
	file, err := s.Open()
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := lineEncoder{r: bufio.NewReaderSize(file, lineBuffer)}
	line := 0
	for {
		b, err := lines.next()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		l.size += int64(len(b))
		for _, c := range b {
			switch {
			case c == '\n':
				line = 0
				continue
			case c == '\r': // of the end, which the last line need not have
				continue
			case c == 0:
				l.unfit = true
			case c >= 0x80:
				l.eightBit = true
			}
			line++
			l.unfit = l.unfit || line > maxTextLine
		}
	}
}

// contains reports whether a boundary is in the content.
func (v verbatim) contains(boundary string) (found bool, err error) {
	if v.content == nil {
		return bytes.Contains(v.text, []byte(boundary)), nil
	}
	file, err := v.content.Open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buf := make([]byte, 0, lineBuffer)
	for {
		n, err := file.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case bytes.Contains(buf, []byte(boundary)):
			return true, nil
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
		// What could be its beginning stays.
		buf = buf[:copy(buf, buf[max(0, len(buf)-len(boundary)):])]
	}
}
