package imapx

import (
	"bytes"
	"errors"
	"strconv"
)

// What is kept of the value of a BODYSTRUCTURE. Mail programs make messages of a
// dozen parts, and servers refuse to look into more than a few thousand.
const (
	maxNodes    = 100_000
	maxNesting  = 100
	maxNodeText = 64 << 10 // of a literal
	maxTreeText = 1 << 20  // of all strings together
)

// errTooDeep says that a value has more in it than is kept.
var errTooDeep = errors.New("the answer has lists nested deeper, or longer, than any message's")

// node is a value of any kind: a list, a string, or NIL, which is neither.
type node struct {
	list []node
	text string
	kind nodeKind
}

type nodeKind int

const (
	nilNode nodeKind = iota
	atomNode
	stringNode
	listNode
)

// number returns the value of a node that is a number, without quotes.
func (n node) number() (v int64, ok bool) {
	if n.kind != atomNode || n.text == "" || n.text[0] != '-' && (n.text[0] < '0' || n.text[0] > '9') {
		return 0, false
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	if err == nil {
		return v, true
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f < 0 || f >= 1<<62 {
		return -1, err == nil || errors.Is(err, strconv.ErrRange)
	}
	return int64(f), true
}

// isText reports whether n is a word or a string, and not empty.
func (n node) isText() bool { return (n.kind == stringNode || n.kind == atomNode) && n.text != "" }

// treeReader reads one value with all that is in it.
type treeReader struct {
	sc      *scanner
	loose   bool // a quote ends a string only where the next value follows
	literal bool // one was read: there is no way back
	nodes   int
	kept    int64 // bytes of strings
}

// tree reads one value of any kind. What has too much in it is passed over, and
// is errTooDeep. Strings with quotes in them that are not escaped are read as they
// seem to be meant, unless they are behind a literal.
func (s *scanner) tree() (node, error) {
	s.peek()
	before := s.line
	r := treeReader{sc: s}
	n, err := r.read()
	if _, malformed := errors.AsType[*syntaxError](err); malformed && !r.literal {
		s.line = before
		loose := treeReader{sc: s, loose: true}
		if n, again := loose.read(); again == nil || !itemError(again) {
			return n, again
		}
	}
	return n, err
}

func (r *treeReader) read() (node, error) {
	open := []node{{}} // lists, the outermost around the value itself
	for {
		last := len(open) - 1
		if len(open[0].list) == 1 && last == 0 {
			return open[0].list[0], nil
		}
		if r.nodes++; r.nodes > maxNodes || last > maxNesting || r.kept > maxTreeText {
			if err := r.sc.skipFrom(last); err != nil {
				return node{}, err
			}
			return node{}, errTooDeep
		}
		switch {
		case r.sc.accept('('):
			open = append(open, node{kind: listNode})
			continue
		case last > 0 && r.sc.accept(')'):
			n := open[last]
			open = open[:last]
			open[last-1].list = append(open[last-1].list, n)
			continue
		}
		n, err := r.text()
		if err != nil {
			return node{}, err
		}
		r.kept += int64(len(n.text))
		open[last].list = append(open[last].list, n)
	}
}

// text reads what is no list.
func (r *treeReader) text() (node, error) {
	switch r.sc.peek() {
	case '"':
		quoted := r.sc.quoted
		if r.loose {
			quoted = r.sc.looselyQuoted
		}
		v, err := quoted()
		if err == nil && len(r.sc.line) > 0 && bytes.IndexByte([]byte(` ()"0123456789`), r.sc.line[0]) < 0 {
			err = r.sc.malformed("a space") // the quote was one within the string
		}
		return node{kind: stringNode, text: string(v)}, err
	case atLiteral:
		r.literal = true
		if r.sc.size > maxNodeText {
			return node{kind: stringNode}, r.sc.pass()
		}
		v, err := r.sc.text(maxNodeText)
		return node{kind: stringNode, text: string(v)}, err
	case atEnd, ')':
		return node{}, r.sc.malformed("a value")
	}
	word := r.sc.word()
	if bytes.EqualFold(word, []byte("NIL")) {
		return node{}, nil
	}
	return node{kind: atomNode, text: string(word)}, nil
}

// word takes what stands without quotes, up to a space, a parenthesis or a quote.
func (s *scanner) word() []byte {
	n := bytes.IndexAny(s.line, ` ()"`)
	if n < 0 {
		n = len(s.line)
	}
	word := s.line[:n]
	s.line = s.line[n:]
	return word
}

// looselyQuoted takes a quoted string whose end is the first quote before what
// may follow a string: a parenthesis, or a space and another value.
func (s *scanner) looselyQuoted() ([]byte, error) {
	rest := s.line[1:]
	for i, c := range rest {
		if c == '"' && endsString(rest[i+1:]) {
			s.line = rest[i+1:]
			return rest[:i], nil
		}
	}
	return nil, s.malformed("a closing quote")
}

func endsString(rest []byte) bool {
	if len(rest) == 0 || rest[0] == '(' || rest[0] == ')' {
		return true
	}
	next := bytes.TrimLeft(rest, " ")
	if len(next) == len(rest) {
		return false
	}
	return len(next) == 0 || bytes.IndexByte([]byte(`"()-0123456789`), next[0]) >= 0 || len(next) >= 3 && bytes.EqualFold(next[:3], []byte("NIL"))
}
