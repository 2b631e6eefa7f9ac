package message

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// A node is a MIME part: where it is in the message and what its header says
// of it.
type node struct {
	parent *node  // the multipart it is in
	prefix string // of the numbers in a message that is a part itself
	index  int    // among the parts of parent, from 1
	level  int    // how many multiparts it is in

	header Header
	offset int64 // of the body in the message
	body   []byte

	container // with the media type of n

	params map[string]string

	// Of a multipart, while it is open.
	multipart bool
	boundary  string // with the dashes before it
	parts     int
	closed    bool // its final boundary has passed: what follows is no part

	defects []Defect // of a part that is walked over
}

// number returns the number of n as in IMAP, "" for a multipart at the top.
func (n *node) number() string {
	switch {
	case n.parent != nil:
		return joinNumber(n.parent.number(), n.index)
	case n.multipart:
		return n.prefix
	}
	return joinNumber(n.prefix, 1)
}

// placed returns d with the number of n, unless it is a defect of the header of
// the message.
func (n *node) placed(d Defect, header bool) Defect {
	if n.parent != nil || !header {
		d.Part = n.number()
	}
	return d
}

func joinNumber(outer string, index int) string {
	if outer == "" {
		return strconv.Itoa(index)
	}
	return outer + "." + strconv.Itoa(index)
}

// limits are what a splitter stays within. Zero means no limit, but for
// headerBytes and nesting.
type limits struct {
	headerBytes int // of which the fields are found
	depth       int // of multiparts, reported where it is passed
	parts       int // reported where it is passed
	nesting     int // of multiparts; one that is deeper is not taken apart
}

// A splitter takes a message apart into nodes, in one pass over its bytes. It
// is the one place where it is decided what is a delimiter, for messages in
// memory and for streams. The time is in proportion to the bytes, and the
// memory to limits.headerBytes and limits.nesting, whatever the bytes are.
type splitter struct {
	in     *window
	limits limits
	// report takes a defect of a part, whose number it fills in, unless it is one
	// of the header of the message.
	report func(n *node, d Defect, header bool)
	prefix string

	current *node   // whose body is next, or nil behind a final delimiter
	open    []*node // multiparts that are not closed, the outermost first
	longest int     // boundary of those
	parts   int
	level   int // of the delimiter that ended the body, or -1
	final   bool
	ended   bool // the body has
	passed  map[DefectKind]bool
	work    int64 // bytes looked at to find delimiters
}

// next goes on to the next part, over what is left of the current one. A
// multipart comes before its parts, and its body is what stands before the
// first of them. next returns io.EOF behind the last part, and the error of the
// stream if that did not end well.
func (s *splitter) next() (*node, error) {
	if s.parts == 0 {
		return s.begin(nil)
	}
	for {
		for !s.ended {
			s.body()
		}
		s.settle()
		s.closeInner(s.level)
		if s.level < 0 {
			return nil, s.in.err
		}
		c := s.open[s.level]
		s.current, s.ended = nil, false
		if !s.final {
			return s.begin(c)
		}
		c.closed = true
	}
}

// cut reports whether the outermost multipart did not close.
func (s *splitter) cut() bool { return len(s.open) > 0 && !s.open[0].closed }

// begin reads the header of the part that is next.
func (s *splitter) begin(parent *node) (*node, error) {
	n := &node{parent: parent, prefix: s.prefix}
	if parent != nil {
		parent.parts++
		n.index, n.level = parent.parts, parent.level+1
	}
	if s.parts++; s.limits.parts > 0 && s.parts > s.limits.parts {
		s.pass(n, DefectParts, s.limits.parts)
	}
	offset := s.in.off
	s.readHeader(n)
	if n.header.Len() == 0 && len(s.in.buf) == 0 && s.in.err != nil && !errors.Is(s.in.err, io.EOF) {
		return nil, s.in.err
	}
	n.offset = s.in.off
	n.describe(s.defect)
	if n.multipart {
		s.enter(n)
	}
	for _, d := range n.header.Defects() {
		d.Offset += offset
		s.report(n, d, true)
	}
	s.current = n
	return n, nil
}

// enter opens the multipart n.
func (s *splitter) enter(n *node) {
	if s.limits.depth > 0 && len(s.open) >= s.limits.depth {
		s.pass(n, DefectDepth, s.limits.depth)
	}
	if len(s.open) >= s.limits.nesting {
		s.pass(n, DefectDepth, s.limits.nesting)
		n.multipart = false
		return
	}
	s.open = append(s.open, n)
	s.longest = max(s.longest, len(n.boundary))
}

// readHeader reads the header of n up to the first empty line, or to the next
// delimiter.
func (s *splitter) readHeader(n *node) {
	raw, long := s.findHeader()
	s.work += int64(len(raw))
	if s.in.store != nil {
		raw = bytes.Clone(raw)
	}
	n.header = ParseHeader(raw)
	s.in.take(len(n.header.Raw()))
	if !long || len(n.header.Raw()) < len(raw) {
		return
	}
	s.pass(n, DefectHeaderBytes, s.limits.headerBytes)
	if s.in.prev != '\n' {
		s.in.skipLine()
	}
	for s.skipField() {
	}
}

// findHeader returns the bytes of the header that is next, and whether they
// are only those lines of it that are within the limit.
func (s *splitter) findHeader() (raw []byte, long bool) {
	for pos := 0; ; {
		end := s.in.lineEnd(pos, s.limits.headerBytes)
		if end < 0 || end > s.limits.headerBytes {
			if pos == 0 {
				pos = s.limits.headerBytes
			}
			return s.in.buf[:pos], true
		}
		line := trimLineEnd(s.in.buf[pos:end])
		if end == pos || len(line) == 0 {
			return s.in.buf[:end], false
		}
		if level, _ := s.match(line); level >= 0 {
			return s.in.buf[:len(trimLineEnd(s.in.buf[:pos]))], false
		}
		pos = end
	}
}

// skipField takes one more line of a header, and reports whether the header
// goes on.
func (s *splitter) skipField() bool {
	line, ok := s.in.line(0, s.maxLine())
	for !ok {
		s.in.fill()
		line, ok = s.in.line(0, s.maxLine())
	}
	if level, _ := s.match(line); level >= 0 || len(s.in.buf) == 0 {
		return false
	}
	before := s.in.off
	s.in.skipLine()
	s.work += s.in.off - before
	return len(line) > 0
}

// body returns more of the body of the current part, or nil at its end. What it
// returns is valid until the next call.
func (s *splitter) body() []byte {
	for !s.ended {
		n, found := s.scan()
		switch {
		case n > 0:
			return s.in.take(n)
		case found:
			s.ended = true
		case !s.in.fill() && len(s.in.buf) == 0:
			s.ended, s.level = true, -1
		}
	}
	return nil
}

// scan returns how many of the bytes in the window belong to the body for
// certain. If there are none because a delimiter is next, it takes that. The
// line break before a delimiter belongs to it (RFC 2046 section 5.1.1).
func (s *splitter) scan() (n int, found bool) {
	data := s.in.buf
	if len(s.open) == 0 {
		s.work += int64(len(data))
		return len(data), false
	}
	pos := 0
	if s.in.prev != '\n' || !bytes.HasPrefix(data, []byte("--")) {
		pos = nextDashes(data, 0)
	}
	for ; pos >= 0; pos = nextDashes(data, pos) {
		before := len(trimLineEnd(data[:pos]))
		line, ok := s.in.line(pos, s.maxLine())
		if !ok {
			return before, false
		}
		if level, final := s.match(line); level >= 0 {
			if before > 0 {
				return before, false
			}
			s.level, s.final = level, final
			s.in.take(pos)
			s.in.skipLine()
			s.work += int64(pos + len(line))
			return 0, true
		}
	}
	if s.in.err == nil {
		data = data[:len(data)-s.undecided(data)]
	}
	s.work += int64(len(data))
	return len(data), false
}

// nextDashes returns the position behind the first line break behind from that
// two dashes follow, or -1.
func nextDashes(data []byte, from int) int {
	i := bytes.Index(data[from:], []byte("\n--"))
	if i < 0 {
		return -1
	}
	return from + i + 1
}

// undecided returns how many bytes at the end of data may belong to a
// delimiter.
func (s *splitter) undecided(data []byte) int {
	rest := bytes.TrimSuffix(data, []byte("-"))
	if len(rest) == 0 && s.in.prev == '\n' || bytes.HasSuffix(rest, []byte("\n")) || len(rest) == len(data) {
		return len(data) - len(trimLineEnd(rest))
	}
	return 0
}

// maxLine is how much of a line tells whether it is a delimiter.
func (s *splitter) maxLine() int { return s.longest + len("--\r\n") }

// match returns the innermost open multipart of which line is a delimiter, or
// -1.
func (s *splitter) match(line []byte) (level int, final bool) {
	if !bytes.HasPrefix(line, []byte("--")) {
		return -1, false
	}
	s.work += int64(len(s.open))
	for level = len(s.open) - 1; level >= 0; level-- {
		n := s.open[level]
		if n.closed || len(line) < len(n.boundary) || string(line[:len(n.boundary)]) != n.boundary {
			continue
		}
		rest := line[len(n.boundary):]
		switch {
		case len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t':
			return level, false
		case bytes.HasPrefix(rest, []byte("--")), string(rest) == "-":
			return level, true // also cut off at the end of the message
		}
	}
	return -1, false
}

// settle looks at the current part when its body has ended. A multipart without
// parts is a part itself.
func (s *splitter) settle() {
	n := s.current
	if n == nil || !n.multipart || s.level == n.level && !s.final {
		return
	}
	n.multipart, n.mediaType = false, "text/plain"
	s.defect(n, DefectNoParts)
}

// closeInner closes the multiparts inside of level.
func (s *splitter) closeInner(level int) {
	for i := len(s.open) - 1; i > level; i-- {
		if n := s.open[i]; n.multipart && !n.closed {
			s.defect(n, DefectUnclosed)
		}
	}
	if level >= 0 {
		s.open = s.open[:level+1]
	}
}

func (s *splitter) defect(n *node, kind DefectKind) {
	s.report(n, Defect{Kind: kind, Offset: n.offset}, false)
}

// pass reports the first time that a limit is passed.
func (s *splitter) pass(n *node, kind DefectKind, limit int) {
	if s.passed[kind] {
		return
	}
	if s.passed == nil {
		s.passed = make(map[DefectKind]bool)
	}
	s.passed[kind] = true
	s.report(n, Defect{Kind: kind, Offset: s.in.off, Limit: int64(limit)}, false)
}

// describe reads the Content-Type of n.
func (n *node) describe(defect func(*node, DefectKind)) {
	n.mediaType = "text/plain"
	if n.parent != nil && n.parent.mediaType == "multipart/digest" {
		n.mediaType = "message/rfc822" // RFC 2046 section 5.1.5
	}
	value := n.header.Get("Content-Type")
	if value == "" {
		return
	}
	mediaType, params, ok := parseMediaType(value)
	if !ok {
		defect(n, DefectContentType)
	}
	if mediaType == "" {
		return
	}
	n.mediaType, n.params = mediaType, params
	if !strings.HasPrefix(mediaType, "multipart/") {
		return
	}
	// A boundary does not end in white space (RFC 2046 section 5.1.1).
	boundary := strings.TrimRight(params["boundary"], " \t")
	if boundary == "" {
		n.mediaType = "text/plain"
		defect(n, DefectNoParts)
		return
	}
	n.multipart, n.boundary = true, "--"+boundary
}
