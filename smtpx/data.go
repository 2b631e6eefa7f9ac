package smtpx

import (
	"bytes"
	"errors"
	"io"
)

// stuffer writes a message as DATA wants it (RFC 5321 section 4.5.2): every
// line ends in CR LF, lone CRs and LFs being taken for line ends, and a line
// that begins with a dot gets a second one. Nothing else is altered. For BDAT
// the dots stay as they are, and the line ends are the same: it takes any bytes,
// but only BINARYMIME gives lone CRs and LFs a meaning.
//
// A lone CR or LF that passed could end the message early at a server that
// takes it for a line end, and have the rest read as commands.
type stuffer struct {
	w       io.Writer
	noDots  bool
	inLine  bool  // something of the present line was written
	afterCR bool  // the last byte given was a CR, its line end is written
	n       int64 // written so far, without the protocol's dots
	limit   int64 // of n; 0 is none
	err     error
}

// errBeyond ends a message that is larger than the server takes.
var errBeyond = errors.New("the message is larger than the server takes")

// Write takes the next bytes of the message.
func (s *stuffer) Write(p []byte) (int, error) {
	n := len(p)
	slow := n // what is left from where on lines are looked at in a row
	for len(p) > 0 && s.err == nil {
		if s.afterCR {
			s.afterCR = false
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		if !s.inLine && len(p) <= slow {
			run, clean := s.run(p)
			if clean && run > 0 {
				s.put(p[:run])
				p = p[run:]
				continue
			}
			slow = len(p) - max(run, 1)
		}
		p = s.line(p)
	}
	return n, s.err
}

// run returns how many bytes the lines take that p begins with and that end in
// CR LF and have no dot at their beginning. Clean says that they can stay as
// they are.
func (s *stuffer) run(p []byte) (n int, clean bool) {
	lines := 0
	for n < len(p) && (s.noDots || p[n] != '.') {
		i := bytes.IndexByte(p[n:], '\n')
		if i < 1 || p[n+i-1] != '\r' {
			break
		}
		n += i + 1
		lines++
	}
	return n, bytes.Count(p[:n], []byte{'\r'}) == lines
}

// line writes up to the next line end and returns the rest.
func (s *stuffer) line(p []byte) []byte {
	if !s.inLine && p[0] == '.' && !s.noDots {
		s.putDots(".")
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

// Close ends the last line, if it is open, and writes the final dot of DATA.
func (s *stuffer) Close() error {
	if s.inLine {
		s.put([]byte("\r\n"))
	}
	if !s.noDots {
		s.putDots(".\r\n")
	}
	return s.err
}

// put writes something of the message.
func (s *stuffer) put(p []byte) {
	s.n += int64(len(p))
	switch {
	case s.err != nil || len(p) == 0:
	case s.limit > 0 && s.n > s.limit:
		s.err = errBeyond
	default:
		_, s.err = s.w.Write(p)
	}
}

// putDots writes something of the protocol.
func (s *stuffer) putDots(dots string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, dots)
	}
}
