package imaptest

import (
	"slices"
	"strconv"
	"strings"
)

// fetchItems reads what FETCH is to return: a macro, one item, or a list.
func (s *session) fetchItems(p *parser) ([]item, error) {
	var items []item
	add := func() error {
		it, err := p.fetchItem()
		if err == nil && it.needs != "" && !s.server.offers(it.needs) {
			err = syntaxError("unknown fetch item " + it.name)
		}
		items = append(items, it)
		return err
	}
	if p.peek() == '(' {
		err := p.list(add)
		if err == nil && len(items) == 0 {
			err = p.wants("fetch items")
		}
		return items, err
	}
	start := p.i
	if word, err := p.word(); err == nil {
		macro := map[string]string{
			"FAST": "FLAGS INTERNALDATE RFC822.SIZE",
			"ALL":  "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE",
			"FULL": "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY",
		}[word]
		for name := range strings.FieldsSeq(macro) {
			items = append(items, simpleItem(name))
		}
	}
	if len(items) > 0 {
		return items, nil
	}
	p.i = start
	return items, add()
}

func (p *parser) fetchItem() (item, error) {
	name, err := p.span("a fetch item", func(c byte) bool {
		return isDigit(c) || c == '.' || c == '-' || 'A' <= c&^0x20 && c&^0x20 <= 'Z'
	})
	if err != nil {
		return item{}, err
	}
	name = strings.ToUpper(name)
	if p.peek() == '[' && (name == "BODY" || name == "BODY.PEEK") {
		return p.sectionItem(name == "BODY")
	}
	if name == preview {
		return p.previewItem()
	}
	it := simpleItem(name)
	if it.put == nil {
		return it, syntaxError("unknown fetch item " + name)
	}
	return it, nil
}

// section is the part of a message that BODY[...] names (RFC 3501, section
// 6.4.5).
type section struct {
	path    []uint32
	text    string   // HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME or ""
	fields  []string // of HEADER.FIELDS
	partial bool
	from, n uint32
}

// sectionItem reads from the bracket on.
func (p *parser) sectionItem(seen bool) (item, error) {
	s := section{}
	start := p.i
	if err := p.expect('['); err != nil {
		return item{}, err
	}
	if err := s.parse(p); err != nil {
		return item{}, err
	}
	if err := p.expect(']'); err != nil {
		return item{}, err
	}
	name := "BODY" + strings.ToUpper(string(p.b[start:p.i]))
	if strings.Contains(name, "\r\n") { // a field name came as a literal
		name = s.name()
	}
	if p.accept('<') {
		s.partial = true
		var err error
		if s.from, err = p.number(); err != nil {
			return item{}, err
		}
		if err := p.expect('.'); err != nil {
			return item{}, err
		}
		if s.n, err = p.number(); err != nil {
			return item{}, err
		}
		if s.n == 0 {
			return item{}, syntaxError("a partial fetch of 0 bytes")
		}
		if err := p.expect('>'); err != nil {
			return item{}, err
		}
		name += "<" + strconv.FormatUint(uint64(s.from), 10) + ">"
	}
	return item{name: name, seen: seen, put: s.put}, nil
}

// name writes the section with quoted field names.
func (s *section) name() string {
	quoted := make([]string, 0, len(s.fields))
	for _, f := range s.fields {
		quoted = append(quoted, strconv.Quote(strings.ToUpper(f)))
	}
	var path strings.Builder
	for _, n := range s.path {
		path.WriteString(strconv.FormatUint(uint64(n), 10) + ".")
	}
	return "BODY[" + path.String() + s.text + " (" + strings.Join(quoted, " ") + ")]"
}

func (s *section) parse(p *parser) error {
	for isDigit(p.peek()) {
		n, err := p.number()
		if err != nil {
			return err
		}
		if n == 0 {
			return syntaxError("0 is no part number")
		}
		s.path = append(s.path, n)
		if !p.accept('.') {
			return nil
		}
	}
	if p.peek() == ']' && len(s.path) == 0 {
		return nil
	}
	text, err := p.span("a section", func(c byte) bool { return isAtom(c) && c != '[' })
	if err != nil {
		return err
	}
	s.text = strings.ToUpper(text)
	switch s.text {
	case "HEADER", "TEXT":
		return nil
	case "MIME":
		if len(s.path) == 0 {
			return syntaxError("MIME needs a part number")
		}
		return nil
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		return s.parseNames(p)
	default:
		return syntaxError("unknown section " + s.text)
	}
}

// parseNames reads the names of HEADER.FIELDS.
func (s *section) parseNames(p *parser) error {
	if err := p.space(); err != nil {
		return err
	}
	if err := p.list(func() error {
		name, err := p.astring()
		s.fields = append(s.fields, name)
		return err
	}); err != nil {
		return err
	}
	if len(s.fields) == 0 {
		return p.wants("field names")
	}
	return nil
}

// put writes the section of a message, NIL where there is no such part.
func (s *section) put(w *encoder, l *loaded) {
	data, there := s.of(l)
	if !there {
		w.raw("NIL")
		return
	}
	if s.partial {
		from := min(int64(s.from), int64(len(data)))
		data = data[from:min(from+int64(s.n), int64(len(data)))]
	}
	w.literal(data)
}

// of returns the bytes of the section.
func (s *section) of(l *loaded) (data string, there bool) {
	if len(s.path) == 0 && s.text == "" {
		return l.Raw, true
	}
	var e *entity
	if len(s.path) == 0 {
		e = l.top()
	} else {
		if e = l.entity().find(s.path); e == nil {
			return "", false
		}
		switch s.text {
		case "":
			return e.body, true
		case "MIME":
			return e.header, true
		}
		// HEADER and TEXT of a part are those of the message within it.
		if e = e.enclosed; e == nil {
			return "", false
		}
	}
	switch s.text {
	case "HEADER":
		return e.header, true
	case "TEXT":
		return e.body, true
	default:
		return s.pick(e), true
	}
}

// pick returns the fields that HEADER.FIELDS or HEADER.FIELDS.NOT names, and an
// empty line.
func (s *section) pick(e *entity) string {
	wanted := s.text == "HEADER.FIELDS"
	var b strings.Builder
	for _, f := range e.fields {
		named := slices.ContainsFunc(s.fields, func(n string) bool { return strings.EqualFold(n, f.name) })
		if named == wanted {
			b.WriteString(f.raw)
		}
	}
	b.WriteString("\r\n")
	return b.String()
}
