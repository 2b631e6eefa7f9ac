package message

import (
	"bytes"
	"cmp"
	"net/mail"
	"strings"
)

// maxReserved is for how many addresses room is made at once.
const maxReserved = 50

// appendAddresses reads the address list s, an unfolded value (RFC 5322 section
// 3.4), and appends what it finds to list.
func appendAddresses(list []mail.Address, s string) []mail.Address {
	if list == nil && s != "" {
		list = make([]mail.Address, 0, 1+min(strings.Count(s, ","), maxReserved))
	}
	p := addressParser{s: s, list: list, angle: -1}
	p.parse()
	return p.list
}

// An addressParser goes once over a list and cuts it into mailboxes. Where the
// text is not what the standard says, it goes by what programs write: commas in
// names that are not quoted, semicolons between addresses, brackets, quotes and
// comments that do not close.
type addressParser struct {
	s     string
	list  []mail.Address
	inner bool // s was an encoded word

	start    int   // of the current mailbox
	held     []int // ends of the pieces since start that have no address
	angle    int   // of its opening bracket, or -1
	angleEnd int   // behind its closing one
	at       bool  // there is an @ outside of quotes and comments
	q        quotes
}

func (p *addressParser) parse() {
	i := 0
	for i < len(p.s) {
		n, kind := p.q.next(p.s[i:])
		if kind == aByte {
			switch p.s[i] {
			case '<':
				if p.complete() {
					p.end(p.angleEnd) // the comma is missing
				}
				n = p.skipAngle(i) - i
			case '@':
				p.at = true
			case ':':
				if p.angle < 0 && !p.at {
					p.begin(i + 1) // behind the name of a group
				}
			case ',':
				p.comma(i)
			case ';':
				p.end(i)
			}
		}
		i += n
	}
	p.end(len(p.s))
}

// begin starts a mailbox at i.
func (p *addressParser) begin(i int) {
	p.start, p.held, p.angle, p.at = i, p.held[:0], -1, false
}

// comma ends a piece at i. If there is no address in it, it may be the first
// part of a name with a comma, as in: Doe, John <john@example.com>.
func (p *addressParser) comma(i int) {
	if p.angle >= 0 || p.at {
		p.end(i)
		return
	}
	p.held = append(p.held, i)
}

// end ends the current mailbox at i.
func (p *addressParser) end(i int) {
	if p.angle >= 0 {
		p.bracketed(p.s[p.start:p.angle], p.s[p.angle+1:p.angleEnd], p.s[p.angleEnd:i])
	} else {
		from := p.start
		for _, to := range p.held {
			p.bare(p.s[from:to])
			from = to + 1
		}
		p.bare(p.s[from:i])
	}
	p.begin(i + 1)
}

// complete reports whether the current mailbox has an address in brackets that
// close.
func (p *addressParser) complete() bool {
	return p.angle >= 0 && p.angleEnd < len(p.s) && p.s[p.angleEnd] == '>' &&
		strings.Contains(p.s[p.angle:p.angleEnd], "@")
}

// skipAngle takes the bracketed address at i and returns the position behind
// it. If there was one before that is none, such as a nickname, it counts as
// part of the name.
func (p *addressParser) skipAngle(i int) int {
	p.angle = i
	route := i+1 < len(p.s) && p.s[i+1] == '@'
	for j := i + 1; j < len(p.s); {
		n, kind := p.q.next(p.s[j:])
		switch c := p.s[j]; {
		case kind != aByte:
		case c == '>':
			p.angleEnd = j
			return j + 1
		case c == '<' && j > i+1, (c == ',' || c == ';') && !route:
			p.angleEnd = j
			return j
		}
		j += n
	}
	p.angleEnd = len(p.s)
	return len(p.s)
}

// bracketed adds a mailbox of the form: name <address> (comment).
func (p *addressParser) bracketed(name, address, after string) {
	text, comment := phrase(strings.TrimLeft(name, ", \t"))
	if text = cmp.Or(text, comment); text == "" {
		_, text = phrase(after)
	}
	p.add(text, cleanAddress(address))
}

// bare adds what a mailbox without brackets holds: an address, a name and an
// address, or several addresses with spaces between them.
func (p *addressParser) bare(s string) {
	s = strings.Trim(s, " \t")
	if simple(s) {
		p.add("", cleanAddress(s))
		return
	}
	words, comment := addressWords(s)
	found := false
	for i, w := range words {
		a := ""
		if strings.Contains(w, "@") {
			a = cleanAddress(w)
		}
		if a == "" {
			continue
		}
		name := ""
		if !found {
			name, _ = phrase(strings.Join(words[:i], " "))
		}
		p.add(cmp.Or(name, comment), a)
		found = true
	}
	if !found {
		p.nameless(s, words, comment)
	}
}

// nameless adds what a mailbox without an address holds all the same: one that
// is encoded as a whole, or the name of a mailbox of the server itself, such as
// MAILER-DAEMON.
func (p *addressParser) nameless(s string, words []string, comment string) {
	switch {
	case strings.Contains(s, "=?"):
		// Only where nothing else is an address: an encoded word must not be able
		// to pass for the address of somebody else.
		in := addressParser{s: oneLine(decodeWords(s)), list: p.list, inner: true, angle: -1}
		if !p.inner && strings.Contains(in.s, "@") {
			in.parse()
			p.list = in.list
		}
	case len(words) == 1 && words[0][0] != '"':
		p.add(comment, cleanAddress(words[0]))
	}
}

// add adds an address, unless it is empty.
func (p *addressParser) add(name, address string) {
	if address != "" {
		p.list = append(p.list, mail.Address{Name: name, Address: address})
	}
}

// simple reports whether s is one address and nothing else.
func simple(s string) bool {
	return strings.IndexByte(s, '@') > 0 && !strings.ContainsAny(s, " \t\"()") && !strings.Contains(s, "=?")
}

// addressWords cuts a mailbox at white space outside of quotes, takes away the
// comments and the white space around an @ or around a point behind it (RFC
// 5322 section 4.4), and returns the text of the first comment.
func addressWords(s string) (words []string, comment string) {
	var w []byte
	var q quotes
	for i := 0; i < len(s); {
		n, kind := q.next(s[i:])
		switch {
		case kind == aComment:
			if comment == "" {
				comment = commentText(s[i : i+n])
			}
		case s[i] == ' ' || s[i] == '\t':
			n = len(s[i:]) - len(strings.TrimLeft(s[i:], " \t"))
			if len(w) > 0 && !glued(w, s[i+n:]) {
				words, w = append(words, string(w)), w[:0]
			}
		default:
			w = append(w, s[i:i+n]...)
		}
		i += n
	}
	if len(w) > 0 {
		words = append(words, string(w))
	}
	return words, comment
}

// glued reports whether the white space between w and next is inside of an
// address.
func glued(w []byte, next string) bool {
	if next == "" || next[0] == '@' || w[len(w)-1] == '@' {
		return next != ""
	}
	return (next[0] == '.' || w[len(w)-1] == '.') && bytes.IndexByte(w, '@') >= 0
}

// phrase returns the text of a display name (RFC 5322 section 3.2.5), and that
// of the first comment in it. Encoded words are decoded also inside quotes.
func phrase(s string) (text, comment string) {
	s = strings.Trim(s, " \t")
	if !strings.ContainsAny(s, `"(`) {
		return collapse(decodeText(s)), ""
	}
	var b strings.Builder
	var q quotes
	for i := 0; i < len(s); {
		n, kind := q.next(s[i:])
		switch {
		case kind == aQuoted:
			b.WriteString(unescape(s[i+1 : i+n-1]))
		case kind == aComment && comment == "":
			comment = commentText(s[i : i+n])
		case kind == aByte:
			b.WriteByte(s[i])
		}
		i += n
	}
	return collapse(decodeText(b.String())), comment
}

// commentText returns the text of a comment, which s is with its parentheses.
func commentText(s string) string {
	return collapse(decodeText(unescape(s[1 : len(s)-1])))
}

// collapse returns s with single spaces between its words.
func collapse(s string) string {
	if !strings.Contains(s, "  ") {
		return strings.Trim(s, " ")
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}

// cleanAddress returns the address in s, with an unquoted local part as in
// [mail.Address], or "" if there is none.
func cleanAddress(s string) string {
	if strings.Contains(s, "(") {
		words, _ := addressWords(s)
		s = strings.Join(words, " ")
	}
	s = strings.Trim(oneLine(s), " <>")
	if strings.HasPrefix(s, "@") {
		// A route (RFC 5322 section 4.4).
		_, s, _ = strings.Cut(s, ":")
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	n := quotedLen(s)
	if n > 2 && n == len(s) {
		return cleanQuoted(s)
	}
	if n > 2 && strings.HasPrefix(strings.TrimLeft(s[n:], " "), "@") {
		return unescape(s[1:n-1]) + tighten(s[n:])
	}
	if strings.Contains(s, " ") && !strings.Contains(s, "@") {
		return ""
	}
	return tighten(s)
}

// tighten removes the spaces around an @ or a point (RFC 5322 section 4.4).
// Others stay: without them it would be the address of somebody else.
func tighten(s string) string {
	if !strings.Contains(s, " ") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if c == '@' || c == '.' {
			b = bytes.TrimRight(b, " ")
		}
		if c == ' ' && len(b) > 0 && (b[len(b)-1] == '@' || b[len(b)-1] == '.') {
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// cleanQuoted returns the address that stands in quotes as a whole.
func cleanQuoted(s string) string {
	s = strings.Trim(unescape(s[1:len(s)-1]), ` "<>`)
	if strings.Contains(s, " ") || !strings.Contains(s, "@") {
		return ""
	}
	return s
}

// quotes finds quoted strings and comments in one pass over a text. Once one
// has not closed, no other of its kind is looked for: that keeps the time in
// proportion to the text.
type quotes struct{ noQuote, noComment bool }

type tokenKind int

const (
	aByte tokenKind = iota
	aQuoted
	aComment
)

// next returns the length and kind of what s, which is not empty, begins with.
func (q *quotes) next(s string) (int, tokenKind) {
	switch {
	case s[0] == '"' && !q.noQuote:
		if n := quotedLen(s); n > 0 {
			return n, aQuoted
		}
		q.noQuote = true
	case s[0] == '(' && !q.noComment:
		if n := commentLen(s); n > 0 {
			return n, aComment
		}
		q.noComment = true
	}
	return 1, aByte
}

// quotedLen returns the length of the quoted string that s begins with, or 0
// if it begins with none or the string does not end.
func quotedLen(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// commentLen returns the length of the comment that s begins with, or 0 if it
// does not end. Comments nest.
func commentLen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// unescape removes the backslashes of quoted pairs.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
