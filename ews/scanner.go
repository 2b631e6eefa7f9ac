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

	open    []*tagName // the elements around the present place
	names   map[string]*tagName
	last    *tagName // of the last start tag
	name    string   // of the last tag
	tag     []byte   // of the last start tag, behind its name; until more is read
	text    []byte   // of the last run, undecoded; until more is read
	plain   bool     // the last run is a CDATA section
	closing bool     // the last start tag was an end tag as well
	err     error

	held    []byte // a run that did not come at once
	decoded []byte // the text of an element, or an attribute
	fields  []byte // of a header that is being read
}

func newScanner(src io.Reader) *scanner {
	x := &scanner{names: map[string]*tagName{}}
	return x.anew(src)
}

// anew returns a scanner of something else, with the memory of this one as far as that
// is not large. What this one holds is valid no longer.
func (x *scanner) anew(src io.Reader) *scanner {
	next := &scanner{
		src: src, buf: x.buf, left: maxAnswer, open: x.open[:0], names: x.names, last: &tagName{},
		held: unlessLarge(x.held), decoded: unlessLarge(x.decoded), fields: unlessLarge(x.fields),
	}
	if len(next.buf) != scanAhead {
		next.buf = make([]byte, scanAhead)
	}
	return next
}

func unlessLarge(memory []byte) []byte {
	if cap(memory) > scanAhead {
		return nil
	}
	return memory
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

// fill reads more behind what there is, which moves.
func (x *scanner) fill() error {
	if x.srcErr != nil {
		return x.srcErr
	}
	x.tag, x.text = nil, nil
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

// next reads the next token. With keep, the text of a run is kept for
// [scanner.appendText].
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
	x.plain = false
	err := x.upTo("<", keep && x.depth() > 0)
	if err == nil || errors.Is(err, io.EOF) && x.depth() == 0 {
		return nil
	}
	return x.cut(err)
}

// upTo reads up to a mark, or returns how the input ends before it. With keep, what
// stands before the mark is the text of a run.
func (x *scanner) upTo(mark string, keep bool) error {
	x.held = x.held[:0]
	for {
		window := x.buf[x.r:x.w]
		n := bytes.Index(window, []byte(mark))
		found := n >= 0
		if !found {
			n = max(len(window)-len(mark)+1, 0)
		}
		if keep && len(x.held)+n > maxText {
			return x.malformed(fmt.Sprintf("a text has more than %d bytes", maxText))
		}
		switch {
		case found && len(x.held) == 0:
			x.text = window[:n]
		case keep:
			x.held = append(x.held, window[:n]...)
			x.text = x.held
		}
		x.r += n
		if found {
			return nil
		}
		if err := x.fill(); err != nil {
			return err
		}
	}
}

// pass reads up to a mark and behind it, and keeps what stands before.
func (x *scanner) pass(mark string, keep bool) error {
	if err := x.upTo(mark, keep); err != nil {
		return x.cut(err)
	}
	x.r += len(mark)
	return nil
}

// markup reads what begins with "<". Again says that it was nothing to be told.
func (x *scanner) markup(keep bool) (t token, again bool, err error) {
	if err := x.more(2); err != nil {
		return endOfInput, false, x.cut(err)
	}
	switch x.buf[x.r+1] {
	case '?':
		return endOfInput, true, x.pass("?>", false)
	case '!':
		return x.declaration(keep)
	case '/':
		return endTag, false, x.end()
	}
	return startTag, false, x.start()
}

// start reads a start tag.
func (x *scanner) start() error {
	tag, err := x.until()
	if err != nil {
		return err
	}
	tag, x.closing = bytes.CutSuffix(tag[1:len(tag)-1], []byte("/"))
	end := 0
	for end < len(tag) && !isSpace(tag[end]) {
		end++
	}
	if end == 0 {
		return x.malformed("a tag has no name")
	}
	if x.depth() == maxDepth {
		return x.malformed(fmt.Sprintf("elements are nested deeper than %d", maxDepth))
	}
	name := x.intern(tag[:end])
	x.open = append(x.open, name)
	x.name, x.tag = name.local, tag[end:]
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// end reads an end tag. Mostly it repeats the start tag letter by letter.
func (x *scanner) end() error {
	if x.depth() == 0 {
		return x.malformed("an end tag stands where no element is open")
	}
	open := x.open[x.depth()-1]
	rest, n := x.buf[x.r+2:x.w], len(open.whole)
	if n < len(rest) && rest[n] == '>' && string(rest[:n]) == open.whole {
		x.r += len("</>") + n
		x.leave()
		return nil
	}
	tag, err := x.until()
	if err != nil {
		return err
	}
	name := localName(string(bytes.TrimSpace(tag[2 : len(tag)-1])))
	if name != open.local {
		return x.malformed("the end of " + oneLine(name) + " stands in the wrong place")
	}
	x.leave()
	return nil
}

// leave takes note of the end of the innermost element.
func (x *scanner) leave() {
	last := x.depth() - 1
	x.name = x.open[last].local
	x.open = x.open[:last]
}

// declaration reads what begins with "<!".
func (x *scanner) declaration(keep bool) (t token, again bool, err error) {
	const section = "<![CDATA["
	switch err := x.more(len(section)); {
	case err == nil && string(x.buf[x.r:x.r+len(section)]) == section && x.depth() > 0:
		x.r += len(section)
		x.plain = true
		return textRun, false, x.pass("]]>", keep)
	case x.w-x.r >= 4 && string(x.buf[x.r:x.r+4]) == "<!--":
		x.r += 4
		return endOfInput, true, x.pass("-->", false)
	}
	return endOfInput, false, x.malformed("it has a document type, or half a tag")
}

// until takes a tag up to its ">". It is valid until the next read.
func (x *scanner) until() ([]byte, error) {
	at := 0
	for {
		window := x.buf[x.r:x.w]
		end, found := tagEnd(window, at)
		if end > maxMarkup || !found && len(window) > maxMarkup {
			return nil, x.malformed(fmt.Sprintf("a tag has more than %d bytes", maxMarkup))
		}
		if found {
			x.r += end + 1
			return window[:end+1], nil
		}
		at = end
		if err := x.fill(); err != nil {
			return nil, x.cut(err)
		}
	}
}

// tagEnd looks for the ">" of a tag, which may stand in a quoted value as well, from a
// place on that is in none. Where it did not come yet, the end is the place to go on
// from.
func tagEnd(tag []byte, from int) (end int, found bool) {
	for i := from; i < len(tag); i++ {
		switch c := tag[i]; c {
		case '>':
			return i, true
		case '"', '\'':
			closed := bytes.IndexByte(tag[i+1:], c)
			if closed < 0 {
				return i, false
			}
			i += closed + 1
		}
	}
	return len(tag), false
}

// tagName is the name of an element.
type tagName struct {
	whole string   // as the answer has it
	local string   // without its prefix
	next  *tagName // of the start tag that came behind the last one of this name
}

func localName(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

// What is kept of names. The schema has some thousand.
const (
	maxNames      = 4096
	maxNameLength = 100
)

// intern returns the name of a start tag. Answers go through the same elements again
// and again, so that it mostly is the one that came behind the last one before.
func (x *scanner) intern(name []byte) *tagName {
	known := x.last.next
	if known == nil || known.whole != string(name) {
		known = x.names[string(name)]
	}
	if known == nil {
		whole := string(name)
		known = &tagName{whole: whole, local: localName(whole)}
		if len(x.names) == maxNames || len(whole) > maxNameLength {
			return known
		}
		x.names[whole] = known
	}
	x.last.next, x.last = known, known
	return known
}

// appendText appends the last run of text.
func (x *scanner) appendText(to []byte) []byte {
	if x.plain {
		return appendRepaired(to, x.text)
	}
	return appendDecoded(to, x.text)
}

// attr returns an attribute of the last start tag, "" where it has none. It is to be
// asked for before anything else is read.
func (x *scanner) attr(name string) string { return string(x.attribute(name)) }

// attribute is attr. What it returns is valid until another one is asked for.
func (x *scanner) attribute(name string) []byte {
	rest := x.tag
	for {
		key, value, ok := bytes.Cut(rest, []byte("="))
		value = bytes.TrimSpace(value)
		if !ok || len(value) == 0 || value[0] != '"' && value[0] != '\'' {
			return nil
		}
		end := bytes.IndexByte(value[1:], value[0]) + 1
		if end == 0 {
			return nil
		}
		if key = bytes.TrimSpace(key); string(key) == name || localName(string(key)) == name {
			x.decoded = appendDecoded(x.decoded[:0], value[1:end])
			return x.decoded
		}
		rest = value[end+1:]
	}
}
