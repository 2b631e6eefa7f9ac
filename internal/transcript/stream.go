package transcript

import "bytes"

// A stream is what is known of one direction of the connection.
type stream struct {
	prefix string
	ask    func(line) verdict

	head   []byte // the first maxShown bytes of the current line
	tail   []byte // its last maxTail bytes
	size   int64  // all bytes of the line so far
	note   string // stands before the rest of the line: what became of a literal
	body   body   // the body being passed
	skip   int64  // bytes of it that are still to come
	kept   []byte // the beginning of a secret literal, to know it again
	hidden int64  // bytes of a body that ends in a line of its own
}

// add takes the bytes of p up to the end of the current line. It returns how
// many it took and whether the line is complete.
func (s *stream) add(p []byte) (n int, whole bool) {
	n = len(p)
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		n, whole = i+1, true
	}
	p = p[:n]
	s.size += int64(n)
	// Two bytes more than are shown, for the line end.
	if room := maxShown + 2 - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, n)]...)
	}
	p = p[max(0, n-maxTail):]
	if over := len(s.tail) + len(p) - maxTail; over > 0 {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
	s.tail = append(s.tail, p...)
	return n, whole
}

// line returns the current line without its end.
func (s *stream) line() line {
	tail, crlf := trimEnd(s.tail)
	size := s.size - int64(len(s.tail)-len(tail))
	head := s.head[:min(int64(len(s.head)), maxShown, size)]
	return line{head: head, tail: tail, size: size, crlf: crlf}
}

// trimEnd removes the line end, and reports whether it is CR LF.
func trimEnd(b []byte) ([]byte, bool) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	t := bytes.TrimSuffix(b, []byte("\r"))
	return t, len(t) < len(b)
}

// reset forgets the current line.
func (s *stream) reset() {
	s.head, s.tail, s.size, s.note = s.head[:0], s.tail[:0], 0, ""
}

// expect makes the bytes that follow a body.
func (s *stream) expect(b body) {
	s.body, s.skip = b, b.size
	s.kept = s.kept[:0]
}

// pass takes the bytes of p that belong to the announced body.
func (s *stream) pass(p []byte) int {
	n := int(min(int64(len(p)), s.skip))
	s.skip -= int64(n)
	if s.body.learn {
		room := min(maxSecret-len(s.kept), n)
		s.kept = append(s.kept, p[:room]...)
	}
	return n
}

// cancel forgets an announced body of which nothing has come yet.
func (s *stream) cancel() {
	if s.skip == s.body.size && s.body.kind == literal {
		s.skip, s.body = 0, body{}
	}
}
