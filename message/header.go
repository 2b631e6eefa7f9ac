package message

import (
	"bytes"
	"iter"
	"math"
	"net/mail"
	"time"
)

// A Header is the header of a message or of a MIME part: its bytes, and where
// the fields are in them. Nothing is decoded before it is asked for, and what
// is decoded is not kept, so a Header is cheap to make and to copy. The zero
// value is an empty header. A Header may be used by several goroutines.
//
// Reading never fails: each method returns what can be made of the bytes. What
// is wrong with the lines is told by [Header.Defects].
type Header struct {
	raw     []byte
	fields  []field
	defects *[]Defect // nil where there are none: listings keep many a Header
}

// A field is one header field, as offsets into the raw bytes: from its name, with
// the line breaks inside, without the last one. Where the value begins is found
// again when it is asked for.
type field struct{ start, end uint32 }

// offset returns n as it is kept in a field.
func offset(n int) uint32 {
	return uint32(n) //nolint:gosec // G115: ParseHeader looks at no more than 2 GiB
}

// ParseHeader finds the fields of the header that b begins with. The header
// ends with the first empty line or with b; what follows is not looked at. The
// caller must not change b any more.
//
// Lines may end in CR LF or LF. A byte order mark and a "From " line of a
// mailbox file before the first field are passed over. If there is no field at
// all before the first empty line, the header is empty and everything is body.
func ParseHeader(b []byte) Header {
	b = b[:min(len(b), math.MaxInt32)]
	p := headerParser{b: b}
	p.parse()
	if len(p.fields) == 0 && len(p.defects) > 0 {
		return Header{raw: b[:0], defects: &[]Defect{{Kind: DefectNoHeader}}}
	}
	h := Header{raw: b[:p.pos], fields: p.fields}
	if p.defects != nil {
		defects := p.defects
		h.defects = &defects
	}
	return h
}

// Raw returns the bytes of the header, with the empty line that ends it where
// there is one: the body of a message begins behind as many bytes. The caller
// must not change them.
func (h Header) Raw() []byte { return h.raw }

// Defects returns what is wrong with the lines of the header, up to a hundred
// of them.
func (h Header) Defects() []Defect {
	if h.defects == nil {
		return nil
	}
	return *h.defects
}

// Len returns the number of fields.
func (h Header) Len() int { return len(h.fields) }

// Has reports whether there is a field of that name, in whatever case.
func (h Header) Has(name string) bool { return h.find(name) >= 0 }

// Get returns the value of the first field of that name, in whatever case, or
// "". The value is unfolded (RFC 5322 section 2.2.3) and not decoded: encoded
// words are as they came. Bytes that are not UTF-8 are read as windows-1252.
func (h Header) Get(name string) string {
	i := h.find(name)
	if i < 0 {
		return ""
	}
	return h.value(h.fields[i])
}

// Values returns the values of all fields of that name from the top, each like
// that of [Header.Get].
func (h Header) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range h.fields {
			if h.named(f, name) && !yield(h.value(f)) {
				return
			}
		}
	}
}

// Fields returns the names of all fields from the top, in the case that they
// came in, and their values like that of [Header.Get].
func (h Header) Fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range h.fields {
			if !yield(string(h.name(f)), h.value(f)) {
				return
			}
		}
	}
}

// Text returns the first field of that name as text for people: encoded words
// (RFC 2047) are decoded, also those that mail in the wild gets wrong, such as
// with spaces inside or cut in the middle of a character. A character set that
// is not known is read as UTF-8 or windows-1252. The text is one line of valid
// UTF-8; control characters in it become spaces.
func (h Header) Text(name string) string { return decodeText(h.Get(name)) }

// Addresses returns the addresses of all fields of that name in their order,
// with decoded names. It makes the best of what is there: groups give their
// members, missing brackets and quotes are thought in, a name in a comment
// counts, and what has no address, such as "undisclosed-recipients:;", gives
// nothing. Every Address is not empty, but need not be one that mail can be
// sent to.
func (h Header) Addresses(name string) []mail.Address {
	var list []mail.Address
	for _, f := range h.fields {
		if h.named(f, name) {
			list = appendAddresses(list, h.value(f))
		}
	}
	return list
}

// Date returns the time in the Date field, in the zone that it names, and
// whether there is one. Forms that RFC 5322 does not allow are read if they can
// mean only one instant; a date without a zone is taken as UTC.
func (h Header) Date() (time.Time, bool) {
	i := h.find("Date")
	if i < 0 {
		return time.Time{}, false
	}
	value := bytes.Trim(valueOf(h.raw, h.fields[i]), " \t\r\n")
	if bytes.IndexFunc(value, notInDate) >= 0 {
		return parseDate(unfold(value))
	}
	return parseDate(string(value)) // no part of it is kept, and what is usual needs no memory
}

// notInDate reports whether r is none of the characters of a date on one line.
func notInDate(r rune) bool { return r < ' ' || r > '~' }

// Subject returns the decoded Subject.
func (h Header) Subject() string { return h.Text("Subject") }

// From returns the addresses of the From fields.
func (h Header) From() []mail.Address { return h.Addresses("From") }

// To returns the addresses of the To fields.
func (h Header) To() []mail.Address { return h.Addresses("To") }

// Cc returns the addresses of the Cc fields.
func (h Header) Cc() []mail.Address { return h.Addresses("Cc") }

// ReplyTo returns the addresses of the Reply-To fields.
func (h Header) ReplyTo() []mail.Address { return h.Addresses("Reply-To") }

// MessageID returns the identifier in the Message-ID field without its angle
// brackets, or "".
func (h Header) MessageID() string {
	if ids := parseIDs(h.Get("Message-Id"), 1); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// InReplyTo returns the identifiers in the In-Reply-To field without their
// angle brackets.
func (h Header) InReplyTo() []string { return parseIDs(h.Get("In-Reply-To"), math.MaxInt) }

// References returns the identifiers in the References field without their
// angle brackets, the oldest message first.
func (h Header) References() []string { return parseIDs(h.Get("References"), math.MaxInt) }

// find returns the index of the first field of that name, or -1.
func (h Header) find(name string) int {
	for i, f := range h.fields {
		if h.named(f, name) {
			return i
		}
	}
	return -1
}

// named reports whether f has that name. Names are ASCII.
func (h Header) named(f field, name string) bool {
	text := h.raw[f.start:f.end]
	return len(text) > len(name) && equalFold(text[:len(name)], name) && len(h.name(f)) == len(name)
}

// name returns the name of f.
func (h Header) name(f field) []byte {
	text := h.raw[f.start:f.end]
	end, _ := fieldName(text)
	return text[:end]
}

// value returns the unfolded value of f.
func (h Header) value(f field) string { return unfold(valueOf(h.raw, f)) }

// valueOf returns what is behind the colon of f, a field of b.
func valueOf(b []byte, f field) []byte {
	text := b[f.start:f.end]
	_, colon := fieldName(text)
	return text[colon+1:]
}

// A headerParser finds fields.
type headerParser struct {
	b       []byte
	pos     int
	fields  []field
	defects []Defect
	open    bool // the last line belongs to the last field
}

// byteOrderMark is what some programs begin a text in UTF-8 with.
const byteOrderMark = "\xef\xbb\xbf"

func (p *headerParser) parse() {
	if bytes.HasPrefix(p.b, []byte(byteOrderMark)) {
		p.pos = len(byteOrderMark)
	}
	first := true
	for p.pos < len(p.b) {
		next := len(p.b)
		if i := bytes.IndexByte(p.b[p.pos:], '\n'); i >= 0 {
			next = p.pos + i + 1
		}
		line := trimLineEnd(p.b[p.pos:next])
		if len(line) == 0 {
			p.pos = next
			return
		}
		if !p.line(line, first) {
			return
		}
		p.pos = next
		first = false
	}
}

// line takes a line that is not empty. It returns false if the body begins
// with it.
func (p *headerParser) line(line []byte, first bool) bool {
	start := p.pos
	if line[0] == ' ' || line[0] == '\t' {
		if p.open {
			p.fields[len(p.fields)-1].end = offset(start + len(line))
		} else {
			p.defect(DefectJunkLine)
		}
		return true
	}
	name, _ := fieldName(line)
	switch {
	case name > 0:
		p.field(start, len(line))
	case first && bytes.HasPrefix(line, []byte("From ")):
		p.defect(DefectMboxLine)
	case bytes.HasPrefix(line, []byte("--")) && len(p.fields) > 0:
		p.defect(DefectNoBlankLine)
		return false
	case p.open && p.unfinished():
		p.defect(DefectUnindented)
		p.fields[len(p.fields)-1].end = offset(start + len(line))
	default:
		p.defect(DefectJunkLine)
		p.open = false
	}
	return true
}

// maxFields is how many fields of a header are found. Memory is to stay in
// proportion to what a message is, also if it is made of empty fields.
const maxFields = 10000

// field adds the field at start, whose first line has that length.
func (p *headerParser) field(start, length int) {
	if len(p.fields) == maxFields {
		if p.open {
			p.defect(DefectManyFields)
		}
		p.open = false
		return
	}
	p.open = true
	if p.fields == nil {
		p.fields = make([]field, 0, 1+countFields(p.b[start:]))
	}
	p.fields = append(p.fields, field{start: offset(start), end: offset(start + length)})
}

// unfinished reports whether the last field ends where more has to come.
func (p *headerParser) unfinished() bool {
	f := p.fields[len(p.fields)-1]
	v := bytes.TrimRight(valueOf(p.b, f), " \t")
	return len(v) > 0 && (v[len(v)-1] == ';' || v[len(v)-1] == ',')
}

func (p *headerParser) defect(kind DefectKind) {
	p.defects = addDefect(p.defects, Defect{Kind: kind, Offset: int64(p.pos)})
}

// maxCounted bounds how far countFields looks ahead.
const maxCounted = 8 << 10

// countFields returns about how many fields follow in b.
func countFields(b []byte) int {
	b = b[:min(len(b), maxCounted)]
	n := 0
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 || i+1 >= len(b) || b[i+1] == '\r' || b[i+1] == '\n' {
			return n
		}
		if b = b[i+1:]; b[0] != ' ' && b[0] != '\t' {
			n++
		}
	}
}

// fieldName returns the length of the field name that line begins with and the
// position of the colon behind it, or 0, 0. A name is printable ASCII (RFC 5322
// section 2.2); white space before the colon is obsolete, but allowed (section
// 4.5).
func fieldName(line []byte) (name, colon int) {
	i := 0
	for i < len(line) && line[i] > ' ' && line[i] < 0x7f && line[i] != ':' {
		i++
	}
	j := i
	for j < len(line) && (line[j] == ' ' || line[j] == '\t') {
		j++
	}
	if i == 0 || j == len(line) || line[j] != ':' {
		return 0, 0
	}
	return i, j
}
