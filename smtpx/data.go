package smtpx

import (
	"bytes"
	"io"
)

// stuffer writes a message as DATA wants it (RFC 5321 section 4.5.2): every
// line ends in CR LF, lone CRs and LFs being taken for line ends, and a line
// that begins with a dot gets a second one. Nothing else is altered.
//
// A lone CR or LF that passed could end the message early at a server that
// takes it for a line end, and have the rest read as commands.
type stuffer struct {
	w       io.Writer
	inLine  bool // something of the present line was written
	afterCR bool // the last byte given was a CR, its line end is written
	err     error
}

// Write takes the next bytes of the message.
func (s *stuffer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && s.err == nil {
		if s.afterCR {
			s.afterCR = false
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		p = s.line(p)
	}
	return n, s.err
}

// line writes up to the next line end and returns the rest.
func (s *stuffer) line(p []byte) []byte {
	if !s.inLine && p[0] == '.' {
		s.put([]byte{'.'})
	}
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		end = len(p)
	}
	if cr := bytes.IndexByte(p[:end], '\r'); cr >= 0 {
		if cr+1 == end && end < len(p) { // CR LF, as it should be
			s.put(p[:end+1])
			s.inLine = false
			return p[end+1:]
		}
		s.put(p[:cr])
		s.put([]byte("\r\n"))
		s.inLine, s.afterCR = false, true
		return p[cr+1:]
	}
	s.put(p[:end])
	s.inLine = s.inLine || end > 0
	if end == len(p) {
		return nil
	}
	s.put([]byte("\r\n"))
	s.inLine = false
	return p[end+1:]
}

// Close ends the last line, if it is open, and writes the final dot.
func (s *stuffer) Close() error {
	if s.inLine {
		s.put([]byte("\r\n"))
	}
	s.put([]byte(".\r\n"))
	return s.err
}

func (s *stuffer) put(p []byte) {
	if s.err == nil && len(p) > 0 {
		_, s.err = s.w.Write(p)
	}
}
