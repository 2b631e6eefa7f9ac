package message

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTMLText returns what a person reads who opens the HTML of a message, as
// plain text: valid UTF-8 with line feeds, without control characters, never
// wrapped, at most one empty line in a row outside of pre elements.
//
// Blocks and the cells of tables are laid out as innerText in the HTML standard
// does it: a row is a line with tabs between its cells, as long as the cells are
// of one line each. Lists have "- " or numbers, block quotes ">" before each
// line as RFC 3676 section 4.5 writes them, links their address in angle brackets
// behind the text unless the text is the address, and pictures their alternative
// text in square brackets. What is not shown is left out: styles, scripts,
// comments, and elements that are hidden, such as the previews that newsletters
// begin with.
//
// HTML need not be well-formed. The work grows with the length of page alone:
// elements that nest deeper than 256 levels give their text without their form.
func HTMLText(page string) string {
	r := htmlReader{links: true}
	r.read(page)
	return r.out.String()
}

// maxOpen is how many open elements are kept in mind.
const maxOpen = 256

// An htmlReader reads HTML as a sequence of tags. It builds no tree: [html.Parse]
// refuses what nests deeper than 512 elements, and takes ten seconds for a
// megabyte of end tags that belong to nothing.
type htmlReader struct {
	lineWriter

	links bool // show the addresses of links
	state htmlState
	open  []openElement
	last  map[atom.Atom]int // how many are open down to the innermost of a name
	over  int               // elements open beyond maxOpen
	lists []htmlList
	rest  bool // all that follows is history
}

// An htmlState is what an element hands down to what is inside of it.
type htmlState struct {
	lineStyle

	pre, hidden bool
}

// An openElement is an element whose end tag has not come.
type openElement struct {
	name   atom.Atom
	outer  htmlState // the state around it
	gap    int       // the line breaks that it ends with
	href   string    // of a link
	before int       // what last was for its name
	text   int       // length of the output where a link or a cell began, or -1
	starts int       // of a cell, from [lineWriter.beginCell]
}

// An htmlList is a list whose end has not come.
type htmlList struct {
	ordered bool
	number  int
}

// htmlAttributes are the attributes that matter here.
type htmlAttributes struct {
	href, alt, style, class, id, start, value, kind, smartmail string
	hidden                                                     bool
}

func (r *htmlReader) read(page string) {
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			r.popTo(0)
			r.finish()
			return
		case html.TextToken:
			r.characters(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			r.startTag(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.endTag(atom.Lookup(name))
		case html.CommentToken, html.DoctypeToken:
		}
	}
}

// characters takes text between tags.
func (r *htmlReader) characters(text []byte) {
	if r.state.hidden {
		return
	}
	style := r.state.lineStyle
	if r.rest {
		style.kind = PassageQuoted
	}
	if r.state.pre {
		r.writePre(text, style)
	} else {
		r.write(text, style)
	}
}

func (r *htmlReader) startTag(z *html.Tokenizer) {
	raw := z.Raw()
	tag, more := z.TagName()
	name := atom.Lookup(tag)
	if name == 0 {
		// An address in angle brackets that was not escaped is meant to be read.
		if strings.ContainsRune(string(tag), '@') {
			r.characters([]byte(strings.ToValidUTF8(string(raw), "")))
		}
		return
	}
	a := readAttributes(z, more)
	if name == atom.Noscript {
		z.NextIsNotRawText() // mail is read without scripts
	}
	r.closeImplied(name)
	if !r.state.hidden {
		r.appear(name, &a)
	}
	if !isVoid(name) {
		r.push(name, &a)
	}
}

// readAttributes reads the attributes of a tag. The first of a name counts.
func readAttributes(z *html.Tokenizer, more bool) htmlAttributes {
	var a htmlAttributes
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		var field *string
		switch string(key) {
		case "href":
			field = &a.href
		case "alt":
			field = &a.alt
		case "style":
			field = &a.style
		case "class":
			field = &a.class
		case "id":
			field = &a.id
		case "start":
			field = &a.start
		case "value":
			field = &a.value
		case "type":
			field = &a.kind
		case "data-smartmail":
			field = &a.smartmail
		case "hidden":
			a.hidden = true
		}
		if field != nil && *field == "" {
			*field = string(value)
		}
	}
	return a
}

// appear does what a start tag does to the text by itself.
func (r *htmlReader) appear(name atom.Atom, a *htmlAttributes) {
	switch name {
	case atom.Br:
		r.lineBreak()
	case atom.Hr:
		r.ask(1)
		r.characters([]byte("---"))
		r.ask(1)
	case atom.Img:
		if alt := strings.TrimSpace(a.alt); alt != "" && !a.invisible() {
			r.characters([]byte("[" + strings.ToValidUTF8(alt, "\uFFFD") + "]"))
		}
	default:
		if gap := r.gapAround(name, a); gap > 0 {
			r.ask(gap)
		}
	}
}

// push opens an element, if that makes a difference.
func (r *htmlReader) push(name atom.Atom, a *htmlAttributes) {
	hides := isUnread(name) || a.hidden || a.invisible()
	gap := r.gapAround(name, a)
	if gap == 0 && !hides && !r.state.hidden && !isCell(name) && name != atom.A {
		return
	}
	if len(r.open) >= maxOpen {
		r.over++
		return
	}
	e := openElement{name: name, outer: r.state, gap: gap, before: r.last[name], text: r.out.Len()}
	switch {
	case hides || r.state.hidden:
		r.state.hidden, e.gap, e.text = true, 0, -1
	case isCell(name):
		e.starts = r.beginCell()
	case name == atom.A && r.links:
		e.href = linkAddress(a.href)
	}
	r.open = append(r.open, e)
	if r.last == nil {
		r.last = make(map[atom.Atom]int)
	}
	r.last[name] = len(r.open)
	r.enter(name, a)
}

// enter changes the state for what is inside of an element.
func (r *htmlReader) enter(name atom.Atom, a *htmlAttributes) {
	switch name {
	case atom.Pre, atom.Listing, atom.Xmp, atom.Plaintext, atom.Textarea:
		r.state.pre, r.preBegins = true, true
	case atom.Blockquote:
		if !isIndentation(a) {
			r.state.quote++
		}
	case atom.Ul, atom.Ol:
		n := listNumber(a.start, 1)
		r.lists = append(r.lists, htmlList{ordered: name == atom.Ol, number: n})
	case atom.Li:
		r.beginItem(a)
	case atom.Dd:
		r.state.indent += 2
	default:
	}
	kind, rest := quoteContainer(name, a)
	r.rest = r.rest || rest && !r.state.hidden
	if kind != PassageWritten {
		r.state.kind = kind
	}
}

// endTag closes the innermost element of that name, and what was left open
// inside of it.
func (r *htmlReader) endTag(name atom.Atom) {
	if name == atom.Br && !r.state.hidden {
		r.lineBreak()
	}
	if name == 0 || isVoid(name) || name == atom.Body || name == atom.Html {
		return
	}
	if r.over > 0 {
		r.over--
		return
	}
	n := r.last[name]
	switch {
	case n == 0:
	case name != atom.Table && r.last[atom.Table] > n:
	case !isTablePart(name) && max(r.last[atom.Td], r.last[atom.Th]) > n:
		// A stray one in a table, of what is around it.
	default:
		r.popTo(n - 1)
	}
}

// popTo closes elements until only n are open.
func (r *htmlReader) popTo(n int) {
	for len(r.open) > n {
		e := r.open[len(r.open)-1]
		r.open = r.open[:len(r.open)-1]
		r.last[e.name] = e.before
		r.state = e.outer
		if (e.name == atom.Ul || e.name == atom.Ol) && len(r.lists) > 0 {
			r.lists = r.lists[:len(r.lists)-1]
		}
		if r.state.hidden {
			continue
		}
		switch {
		case e.href != "" && r.out.Len() > e.text:
			r.endLink(e)
		case isCell(e.name) && e.text >= 0:
			r.endCell(e.text, e.starts)
		case e.name == atom.Tr || e.name == atom.Table:
			r.endRow()
		}
		if e.gap > 0 {
			r.ask(e.gap)
		}
	}
}

// endLink writes where a link goes, unless that has just been said.
func (r *htmlReader) endLink(e openElement) {
	address := e.href
	for _, scheme := range []string{"https://", "http://", "mailto:", "tel:"} {
		address = strings.TrimPrefix(address, scheme)
	}
	address = strings.TrimSuffix(address, "/")
	shown := strings.TrimSuffix(r.out.String()[e.text:], "/")
	if n := len(shown) - len(address); n >= 0 && strings.EqualFold(shown[n:], address) {
		return
	}
	r.out.WriteString(" <" + e.href + ">")
}

// closeImplied closes what the start of an element ends without an end tag.
func (r *htmlReader) closeImplied(name atom.Atom) {
	switch name {
	case atom.Li:
		r.closeWithin(atom.Li, atom.Li, atom.Ul, atom.Ol)
	case atom.Dt, atom.Dd:
		r.closeWithin(atom.Dt, atom.Dd, atom.Dl)
	case atom.Td, atom.Th:
		r.closeWithin(atom.Td, atom.Th, atom.Table, atom.Tr)
	case atom.Tr:
		r.closeWithin(atom.Tr, atom.Tr, atom.Table)
	case atom.A:
		r.closeWithin(atom.A, atom.A, atom.Table, atom.Td)
	case atom.Option:
		r.closeWithin(atom.Option, atom.Option, atom.Select)
	case atom.Meta, atom.Link, atom.Title, atom.Style, atom.Script, atom.Base, atom.Noscript, atom.Template, atom.Object:
	default:
		if isBlock(name) || name == atom.Table || name == atom.Body || name == atom.P {
			r.closeWithin(atom.P, atom.Head, atom.Div, atom.Td, atom.Th, atom.Table, atom.Li, atom.Blockquote)
		}
	}
}

// closeWithin closes the innermost element named one or other, if none of the
// outer ones is further in.
func (r *htmlReader) closeWithin(one, other atom.Atom, outer ...atom.Atom) {
	n := max(r.last[one], r.last[other])
	further := func(name atom.Atom) bool { return r.last[name] > n }
	if n > 0 && !slices.ContainsFunc(outer, further) {
		r.popTo(n - 1)
	}
}
