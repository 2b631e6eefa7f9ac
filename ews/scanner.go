package ews

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The limits of an answer. What is within MimeContent and the Content of an
// attachment has none.
const (
	maxMarkup = 256 << 10 // one tag with its attributes
	maxText   = 4 << 20   // the text of one element
	maxDepth  = 100
	maxAnswer = 256 << 20 // all of an answer
	scanAhead = 32 << 10
)

// token is what a scanner has read.
type token int

const (
	endOfInput token = iota
	startTag
	endTag
	textRun
)

// syntaxError says that an answer cannot be read as XML.
type syntaxError struct{ what string }

// Error returns what is wrong with the answer.
func (e *syntaxError) Error() string { return "the answer cannot be read: " + e.what }

// scanner reads XML as Exchange writes it, and worse: characters that XML forbids,
// as such or as references, and bytes that are not UTF-8, become U+FFFD. Names are
// told without their prefixes, and several documents may follow each other.
//
// It knows no entities but the five of XML, and refuses a document type.
type scanner struct {
	src    io.Reader
	srcErr error
	buf    []byte
	r, w   int
	left   int64 // bytes that may still come
	free   bool  // what comes is not counted
	digits *digits
	fields bytes.Buffer // of a header that is being read

	open    []string // the elements around the present place
	names   map[string]string
	name    string // of the last tag
	tag     []byte // of the last start tag, behind its name
	text    []byte // of the last run, undecoded
	plain   bool   // the last run is a CDATA section
	closing bool   // the last start tag was an end tag as well
	err     error
}

func newScanner(src io.Reader) *scanner {
	return &scanner{src: src, buf: make([]byte, scanAhead), left: maxAnswer, names: map[string]string{}}
}

// anew returns a scanner of something else, with the memory of this one as far as that
// is not large. What this one holds is valid no longer.
func (x *scanner) anew(src io.Reader) *scanner {
	next := &scanner{src: src, buf: x.buf, left: maxAnswer, names: x.names, digits: x.digits, open: x.open[:0], tag: x.tag[:0]}
	if len(x.buf) > scanAhead {
		next.buf = make([]byte, scanAhead)
	}
	if cap(x.text) <= scanAhead {
		next.text = x.text[:0]
	}
	if x.fields.Cap() <= scanAhead {
		next.fields = x.fields
	}
	return next
}

// depth returns how many elements the present place is within.
func (x *scanner) depth() int { return len(x.open) }

// fail remembers the first error. What comes behind it cannot be told apart.
func (x *scanner) fail(err error) error {
	if x.err == nil {
		x.err = err
	}
	return x.err
}

func (x *scanner) malformed(what string) error { return x.fail(&syntaxError{what}) }

// fill reads more behind what there is.
func (x *scanner) fill() error {
	if x.srcErr != nil {
		return x.srcErr
	}
	if x.r > 0 {
		x.w = copy(x.buf, x.buf[x.r:x.w])
		x.r = 0
	}
	if x.w == len(x.buf) {
		x.buf = append(x.buf, make([]byte, len(x.buf))...)
	}
	for range 100 {
		n, err := x.src.Read(x.buf[x.w:])
		x.w += n
		if !x.free {
			if x.left -= int64(n); x.left < 0 {
				x.srcErr = &syntaxError{fmt.Sprintf("it has more than %d bytes besides messages", int64(maxAnswer))}
				return x.srcErr
			}
		}
		x.srcErr = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// more makes sure that n bytes are there, or returns how the input ends.
func (x *scanner) more(n int) error {
	for x.w-x.r < n {
		if err := x.fill(); err != nil {
			return err
		}
	}
	return nil
}

// cut is the error of input that ends within an element.
func (x *scanner) cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return x.fail(err)
}

// next reads the next token. With keep, the text of a run is kept for [scanner.value].
func (x *scanner) next(keep bool) (token, error) {
	if x.err != nil {
		return endOfInput, x.err
	}
	if x.closing {
		x.closing = false
		x.leave()
		return endTag, nil
	}
	for {
		if err := x.more(1); err != nil {
			if errors.Is(err, io.EOF) && x.depth() == 0 {
				return endOfInput, nil
			}
			return endOfInput, x.cut(err)
		}
		if x.buf[x.r] != '<' {
			if err := x.run(keep); err != nil {
				return endOfInput, err
			}
			if x.depth() > 0 {
				return textRun, nil
			}
			continue
		}
		t, again, err := x.markup(keep)
		if err != nil || !again {
			return t, err
		}
	}
}

// run reads text up to the next tag.
func (x *scanner) run(keep bool) error {
	x.text, x.plain = x.text[:0], false
	for {
		window := x.buf[x.r:x.w]
		i := bytes.IndexByte(window, '<')
		n := i
		if i < 0 {
			n = len(window)
		}
		if keep && x.depth() > 0 {
			if len(x.text)+n > maxText {
				return x.malformed(fmt.Sprintf("the text of %s has more than %d bytes", x.name, maxText))
			}
			x.text = append(x.text, window[:n]...)
		}
		x.r += n
		if i >= 0 {
			return nil
		}
		if err := x.fill(); err != nil {
			if errors.Is(err, io.EOF) && x.depth() == 0 {
				return nil
			}
			return x.cut(err)
		}
	}
}

// markup reads what begins with "<". Again says that it was nothing to be told.
func (x *scanner) markup(keep bool) (t token, again bool, err error) {
	if err := x.more(2); err != nil {
		return endOfInput, false, x.cut(err)
	}
	switch x.buf[x.r+1] {
	case '?':
		return endOfInput, true, x.skipTo("?>")
	case '!':
		return x.declaration(keep)
	case '/':
		tag, err := x.until()
		if err != nil {
			return endOfInput, false, err
		}
		name := localName(bytes.TrimSpace(tag[2 : len(tag)-1]))
		if x.depth() == 0 || x.open[x.depth()-1] != string(name) {
			return endOfInput, false, x.malformed("the end of " + string(name) + " stands in the wrong place")
		}
		x.leave()
		return endTag, false, nil
	}
	return startTag, false, x.start()
}

// start reads a start tag.
func (x *scanner) start() error {
	tag, err := x.until()
	if err != nil {
		return err
	}
	tag = tag[1 : len(tag)-1]
	if x.closing = bytes.HasSuffix(tag, []byte("/")); x.closing {
		tag = tag[:len(tag)-1]
	}
	end := bytes.IndexAny(tag, " \t\r\n")
	if end < 0 {
		end = len(tag)
	}
	if end == 0 {
		return x.malformed("a tag has no name")
	}
	if x.depth() == maxDepth {
		return x.malformed(fmt.Sprintf("elements are nested deeper than %d", maxDepth))
	}
	x.name = x.intern(localName(tag[:end]))
	x.tag = append(x.tag[:0], tag[end:]...)
	x.open = append(x.open, x.name)
	return nil
}

// leave takes note of the end of the innermost element.
func (x *scanner) leave() {
	last := x.depth() - 1
	x.name = x.open[last]
	x.open = x.open[:last]
}

// declaration reads what begins with "<!".
func (x *scanner) declaration(keep bool) (t token, again bool, err error) {
	const section = "<![CDATA["
	switch err := x.more(len(section)); {
	case err == nil && string(x.buf[x.r:x.r+len(section)]) == section && x.depth() > 0:
		x.r += len(section)
		x.text, x.plain = x.text[:0], true
		return textRun, false, x.pass("]]>", keep)
	case x.w-x.r >= 4 && string(x.buf[x.r:x.r+4]) == "<!--":
		x.r += 4
		return endOfInput, true, x.skipTo("-->")
	}
	return endOfInput, false, x.malformed("it has a document type, or half a tag")
}

func (x *scanner) skipTo(mark string) error { return x.pass(mark, false) }

// pass reads up to a mark and behind it, and keeps what stands before.
func (x *scanner) pass(mark string, keep bool) error {
	for {
		window := x.buf[x.r:x.w]
		i := bytes.Index(window, []byte(mark))
		n := i
		if i < 0 {
			n = max(len(window)-len(mark)+1, 0)
		}
		if keep {
			if len(x.text)+n > maxText {
				return x.malformed("a text is too long")
			}
			x.text = append(x.text, window[:n]...)
		}
		x.r += n
		if i >= 0 {
			x.r += len(mark)
			return nil
		}
		if err := x.fill(); err != nil {
			return x.cut(err)
		}
	}
}

// until takes a tag up to its ">", which may stand in a quoted value as well. It is
// valid until the next read.
func (x *scanner) until() ([]byte, error) {
	quote, i := byte(0), 1
	for {
		for ; x.r+i < x.w; i++ {
			if quote != 0 {
				closed := bytes.IndexByte(x.buf[x.r+i:x.w], quote)
				if closed < 0 {
					i = x.w - x.r
					break
				}
				quote, i = 0, i+closed
				continue
			}
			switch b := x.buf[x.r+i]; {
			case b == '"' || b == '\'':
				quote = b
			case b == '>' && i <= maxMarkup:
				tag := x.buf[x.r : x.r+i+1]
				x.r += i + 1
				return tag, nil
			}
		}
		if i > maxMarkup {
			return nil, x.malformed(fmt.Sprintf("a tag has more than %d bytes", maxMarkup))
		}
		if err := x.fill(); err != nil {
			return nil, x.cut(err)
		}
	}
}

func localName(name []byte) []byte {
	if i := bytes.LastIndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// maxNames bounds how many names are kept. The schema has some thousand.
const maxNames = 4096

func (x *scanner) intern(name []byte) string {
	if s, ok := x.names[string(name)]; ok {
		return s
	}
	s := string(name)
	if len(x.names) < maxNames {
		x.names[s] = s
	}
	return s
}

// short is decoded for what comes again and again.
func (x *scanner) short(text []byte) string {
	const longest = 32
	if len(text) > longest {
		return decoded(text)
	}
	for _, c := range text {
		if c < ' ' || c > '~' || c == '&' {
			return decoded(text)
		}
	}
	return x.intern(text)
}

// value returns the last run of text.
func (x *scanner) value() string {
	if x.plain {
		return repaired(x.text)
	}
	return decoded(x.text)
}

// attr returns an attribute of the last start tag, "" where it has none. It is to be
// asked for before anything else is read.
func (x *scanner) attr(name string) string {
	rest := x.tag
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return ""
		}
		key := localName(bytes.TrimSpace(rest[:eq]))
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return ""
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return ""
		}
		if string(key) == name {
			return x.short(rest[1 : 1+end])
		}
		rest = rest[2+end:]
	}
}

// children calls f at each child of the element whose start tag was read last, and
// reads to the element's end. What f leaves unread of a child is passed over.
func (x *scanner) children(f func(name string) error) error {
	depth := x.depth()
	for {
		t, err := x.next(false)
		if err != nil {
			return err
		}
		switch t {
		case endOfInput:
			return x.fail(io.ErrUnexpectedEOF)
		case endTag:
			return nil // of this element: those of the children are read below
		case startTag:
			if err := f(x.name); err != nil {
				return err
			}
			if err := x.surface(depth); err != nil {
				return err
			}
		case textRun:
		}
	}
}

// surface reads until no more than depth elements are open.
func (x *scanner) surface(depth int) error {
	for x.depth() > depth || x.closing {
		if _, err := x.next(false); err != nil {
			return err
		}
	}
	return nil
}

// string reads the element whose start tag was read last to its end, and returns
// its text without that of its children.
func (x *scanner) string() (string, error) {
	depth := x.depth()
	first := "" // mostly there is one run
	var all strings.Builder
	for {
		t, err := x.next(true)
		switch {
		case err != nil:
			return "", err
		case t == textRun && x.depth() == depth:
			run := x.value()
			if first == "" && all.Len() == 0 {
				first = run
				continue
			}
			if all.Len() == 0 {
				all.WriteString(first)
			}
			if all.WriteString(run); all.Len() > maxText {
				return "", x.malformed("a text is too long")
			}
		case t == endTag && x.depth() < depth:
			if all.Len() == 0 {
				return first, nil
			}
			return all.String(), nil
		case t == endOfInput:
			return "", x.fail(io.ErrUnexpectedEOF)
		}
	}
}

// word is string without the space around it.
func (x *scanner) word() (string, error) {
	s, err := x.string()
	return strings.TrimSpace(s), err
}
