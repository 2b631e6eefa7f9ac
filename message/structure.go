package message

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/jhillyerd/enmime/v2/mediatype"
)

// A node is a MIME part: where it is in the bytes of the message and what its
// header says of it. Nodes are found before anything is decoded, in one pass
// over the bytes and within bounds, so that what decodes never sees a message
// that would take it too long.
type node struct {
	id     string // as in IMAP, "" for a multipart at the top
	header Header
	body   []byte
	offset int // of the body in the message

	mediaType string
	params    map[string]string
	boundary  string
	parent    int // index, or -1
	multipart bool
}

// A splitter takes a message apart into nodes.
type splitter struct {
	raw      []byte
	maxDepth int
	maxParts int

	nodes   []node
	open    []container // multiparts that are not closed, the outermost first
	defects []Defect
	err     *LimitError
}

// A container is an open multipart.
type container struct {
	node     int
	boundary []byte
	parts    int
	closed   bool // its final boundary has passed: what follows is no part
}

// split returns the parts of the message raw, each multipart before its parts.
func split(raw []byte, maxDepth, maxParts int) ([]node, []Defect, *LimitError) {
	s := splitter{raw: raw, maxDepth: maxDepth, maxParts: maxParts}
	s.run()
	return s.nodes, s.defects, s.err
}

func (s *splitter) run() {
	current := s.begin(0, -1)
	pos := s.nodes[0].offset
	for s.err == nil {
		level, start, next, final := s.nextDelimiter(pos)
		if level < 0 {
			break
		}
		s.finish(current, start)
		s.closeInner(level)
		c := &s.open[level]
		current, pos = -1, next
		if final {
			c.closed = true
			continue
		}
		current = s.begin(next, level)
		if s.err == nil {
			pos = s.nodes[current].offset
		}
	}
	s.finish(current, len(s.raw))
	s.closeInner(-1)
}

// begin adds the part whose header is at start. level is that of the container
// that it is in, or -1.
func (s *splitter) begin(start, level int) int {
	n := node{parent: -1, id: "1"}
	if level >= 0 {
		c := &s.open[level]
		c.parts++
		n.parent = c.node
		n.id = strconv.Itoa(c.parts)
		if outer := s.nodes[c.node].id; outer != "" {
			n.id = outer + "." + n.id
		}
	}
	if len(s.nodes) >= s.maxParts {
		s.err = &LimitError{Limit: "parts", Max: int64(s.maxParts)}
		return -1
	}
	n.header = ParseHeader(s.raw[start:s.headerEnd(start)])
	n.offset = start + len(n.header.Raw())
	s.describe(&n, level)
	index := len(s.nodes)
	if n.multipart {
		if len(s.open) >= s.maxDepth {
			s.err = &LimitError{Limit: "depth", Max: int64(s.maxDepth)}
			return -1
		}
		s.open = append(s.open, container{node: index, boundary: []byte("--" + n.boundary)})
		if n.parent < 0 {
			n.id = ""
		}
	}
	for _, d := range n.header.Defects() {
		d.Offset += int64(start)
		if n.parent >= 0 {
			d.Part = n.id
		}
		s.defects = addDefect(s.defects, d)
	}
	s.nodes = append(s.nodes, n)
	return index
}

// headerEnd returns where the header at start ends at the latest: behind the
// first empty line, or before the next delimiter.
func (s *splitter) headerEnd(start int) int {
	for pos := start; pos < len(s.raw); {
		end := s.lineEnd(pos)
		line := trimLineEnd(s.raw[pos:end])
		if len(line) == 0 {
			return end
		}
		if bytes.HasPrefix(line, []byte("--")) {
			if level, _ := s.match(line); level >= 0 {
				return max(start, s.beforeBreak(pos))
			}
		}
		pos = end
	}
	return len(s.raw)
}

// lineEnd returns the position behind the line at pos.
func (s *splitter) lineEnd(pos int) int {
	if i := bytes.IndexByte(s.raw[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(s.raw)
}

// maxContentType is how much of a Content-Type is looked at: reading one takes
// time that grows with the square of its length.
const maxContentType = 2048

// describe reads the Content-Type of n.
func (s *splitter) describe(n *node, level int) {
	n.mediaType = "text/plain"
	if level >= 0 && s.nodes[s.open[level].node].mediaType == "multipart/digest" {
		n.mediaType = "message/rfc822" // RFC 2046 section 5.1.5
	}
	value := n.header.Get("Content-Type")
	if value == "" {
		return
	}
	long := len(value) > maxContentType
	mediaType, params, _, err := mediatype.Parse(value[:min(len(value), maxContentType)])
	if err != nil || long || mediaType == "" {
		s.defect(n, DefectContentType)
	}
	if err != nil || mediaType == "" {
		return
	}
	n.mediaType, n.params = strings.ToLower(mediaType), params
	if strings.HasPrefix(n.mediaType, "multipart/") {
		// A boundary does not end in white space (RFC 2046 section 5.1.1).
		n.boundary = strings.TrimRight(params["boundary"], " \t")
		n.multipart = n.boundary != ""
		if !n.multipart {
			n.mediaType = "text/plain"
			s.defect(n, DefectNoParts)
		}
	}
}

func (s *splitter) defect(n *node, kind DefectKind) {
	s.defects = addDefect(s.defects, Defect{Kind: kind, Part: n.id, Offset: int64(n.offset)})
}

// nextDelimiter finds the next line at or behind pos that is a delimiter of an
// open container. It returns the level of the container, or -1, the end of what
// is before the line (the line break belongs to the delimiter, RFC 2046 section
// 5.1.1), the beginning of the next line, and whether it is the final one.
func (s *splitter) nextDelimiter(pos int) (level, start, next int, final bool) {
	for len(s.open) > 0 {
		if pos > 0 && s.raw[pos-1] != '\n' || !bytes.HasPrefix(s.raw[pos:], []byte("--")) {
			i := bytes.Index(s.raw[pos:], []byte("\n--"))
			if i < 0 {
				break
			}
			pos += i + 1
		}
		end := s.lineEnd(pos)
		if level, final = s.match(trimLineEnd(s.raw[pos:end])); level >= 0 {
			return level, s.beforeBreak(pos), end, final
		}
		pos = end
	}
	return -1, 0, 0, false
}

// match returns the innermost open container of which line is a delimiter.
func (s *splitter) match(line []byte) (level int, final bool) {
	for level = len(s.open) - 1; level >= 0; level-- {
		c := s.open[level]
		rest, ok := bytes.CutPrefix(line, c.boundary)
		switch {
		case !ok || c.closed:
		case len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t':
			return level, false
		case bytes.HasPrefix(rest, []byte("--")), string(rest) == "-":
			return level, true // also cut off at the end of the message
		}
	}
	return -1, false
}

// beforeBreak returns the position before the line break that ends at pos.
func (s *splitter) beforeBreak(pos int) int {
	return len(trimLineEnd(s.raw[:pos]))
}

// finish ends the body of a part at end.
func (s *splitter) finish(index, end int) {
	if index < 0 || index >= len(s.nodes) {
		return
	}
	n := &s.nodes[index]
	n.body = s.raw[n.offset:max(n.offset, end)]
}

// closeInner closes the containers inside of level.
func (s *splitter) closeInner(level int) {
	for i := len(s.open) - 1; i > level; i-- {
		c := s.open[i]
		n := &s.nodes[c.node]
		switch {
		case c.parts == 0:
			// Without parts it is a part itself.
			n.multipart, n.mediaType = false, "text/plain"
			if n.id == "" {
				n.id = "1"
			}
			s.defect(n, DefectNoParts)
		case !c.closed:
			s.defect(n, DefectUnclosed)
		}
	}
	s.open = s.open[:level+1]
}
