package session

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// FilterError says where the text of a filter, or of a query, is wrong.
type FilterError struct {
	// Offset counts the bytes before the place.
	Offset int
	// Want is what was expected there.
	Want string
	// Found is what is there, cut where it is long; empty at the end.
	Found string

	what string // is parsed, where it is not a filter
}

// Error returns the place, what was expected and what is there.
func (e *FilterError) Error() string {
	found := "the end"
	if e.Found != "" {
		found = strconv.Quote(e.Found)
	}
	return fmt.Sprintf("session: %s: at byte %d: %s expected, found %s", cmp.Or(e.what, "filter"), e.Offset, e.Want, found)
}

// ParseFilter reads a filter in words that people know from Gmail and from mail
// programs:
//
//	from:ann subject:"quarterly report" is:unread -is:flagged (has:attachment OR larger:5M)
//
// Terms side by side all have to hold. OR, in capitals, binds its two
// neighbours more closely than that, and {a b} is another way to write
// (a OR b). A "-" before a term or a parenthesis negates it. The terms are:
//
//	lunch, "on Friday", text:lunch     Text
//	from: to: cc: bcc: subject: body:  the fields of these names
//	header:List-Id, header:X-Foo=bar   Header
//	is:unread is:read is:flagged is:answered is:draft is:deleted
//	has:attachment                     HasAttachment
//	keyword:$Important, label:work     Keyword, Label
//	keyword:"Red category"             a category of Exchange
//	since:2026-01-02T15:04:05+01:00    Since, or after:; a date alone is its midnight in UTC
//	before:2026-01-02                  Before
//	larger:5M, smaller:100K            in bytes; K, M and G are 1024, 1024² and 1024³ of them
//	id:one,two                         IDs
//	native:"older_than:1y"             Native
//
// A value with spaces, quotes or parentheses goes between quotes, where \ stands
// before " and \. The empty text matches everything. What is wrong is a
// [*FilterError]; nothing that is not understood is taken for text to look for.
func ParseFilter(text string) (Filter, error) {
	p := filterParser{text: text}
	return p.filter()
}

// maxParens is how deep parentheses may be nested: a filter in another may be
// written with two of them.
const maxParens = 2 * MaxFilterDepth

// filter reads all of the text.
func (p *filterParser) filter() (Filter, error) {
	terms, err := p.sequence(0, maxParens)
	if err != nil {
		return Filter{}, err
	}
	f := joined(terms)
	if f.Check() != nil { // each of its terms is good
		return Filter{}, p.nested(0)
	}
	return f, nil
}

// nested says that what begins at a place is nested too deep.
func (p *filterParser) nested(at int) error {
	return p.fail(at, fmt.Sprintf("a filter nested at most %d deep", MaxFilterDepth))
}

// filterParser reads the text of a filter.
type filterParser struct {
	text  string
	pos   int
	query *Query // what is parsed, where it is not a filter alone
	set   map[string]bool
}

// term is one term of a sequence. What becomes of it depends on its neighbours.
type term struct {
	filter Filter
	kind   termKind
}

type termKind int

const (
	fieldTerm termKind = iota // sets one field
	groupTerm                 // a filter between parentheses
	orTerm                    // sets AnyOf, not between parentheses yet
	anyTerm                   // sets AnyOf
)

// joined makes one filter of terms that all have to hold. A field that is set
// already goes into All.
func joined(terms []term) Filter {
	var f Filter
	for _, t := range terms {
		if t.kind == groupTerm || !f.adopt(t.filter) {
			f.All = append(f.All, t.filter)
		}
	}
	return f
}

// adopt takes over the one field that g has set. It returns false where f has
// set it too.
func (f *Filter) adopt(g Filter) bool {
	mine, its := reflect.ValueOf(f).Elem(), reflect.ValueOf(g)
	for i := range its.NumField() {
		if its.Field(i).IsZero() {
			continue
		}
		if !mine.Field(i).IsZero() {
			return false
		}
		mine.Field(i).Set(its.Field(i))
	}
	return true
}

func (p *filterParser) fail(at int, want string) error {
	found := p.text[min(at, len(p.text)):]
	if i := strings.IndexFunc(found, unicode.IsSpace); i > 0 {
		found = found[:i]
	}
	const longest = 40
	if len(found) > longest {
		found = found[:longest] + "..."
	}
	e := &FilterError{Offset: at, Want: want, Found: found}
	if p.query != nil {
		e.what = "query"
	}
	return e
}

func (p *filterParser) space() {
	rest := strings.TrimLeftFunc(p.text[p.pos:], unicode.IsSpace)
	p.pos = len(p.text) - len(rest)
}

// sequence reads terms up to the end, or to the byte closing.
func (p *filterParser) sequence(closing byte, depth int) ([]term, error) {
	if depth == 0 {
		return nil, p.nested(p.pos)
	}
	var terms []term
	for {
		p.space()
		if p.pos == len(p.text) || closing != 0 && p.text[p.pos] == closing {
			break
		}
		if p.query != nil && closing == 0 {
			taken, err := p.setting()
			if err != nil {
				return nil, err
			}
			if taken {
				continue
			}
		}
		t, err := p.alternatives(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	if closing != 0 {
		if p.pos == len(p.text) {
			return nil, p.fail(p.pos, fmt.Sprintf("%q", closing))
		}
		p.pos++
	}
	return terms, nil
}

// alternatives reads a term, or several with OR between them.
func (p *filterParser) alternatives(depth int) (term, error) {
	first, err := p.term(depth)
	if err != nil {
		return term{}, err
	}
	either := []Filter{first.filter}
	for p.takeOR() {
		next, err := p.term(depth)
		if err != nil {
			return term{}, err
		}
		either = append(either, next.filter)
	}
	if len(either) == 1 {
		return first, nil
	}
	return term{kind: orTerm, filter: Filter{AnyOf: either}}, nil
}

func (p *filterParser) takeOR() bool {
	p.space()
	rest, ok := strings.CutPrefix(p.text[p.pos:], "OR")
	if !ok || rest != "" && !strings.ContainsRune(" \t\r\n(){}", rune(rest[0])) {
		return false
	}
	p.pos += len("OR")
	p.space()
	return true
}

// term reads one term.
func (p *filterParser) term(depth int) (term, error) {
	if p.pos == len(p.text) {
		return term{}, p.fail(p.pos, "a condition")
	}
	switch p.text[p.pos] {
	case '(':
		p.pos++
		terms, err := p.sequence(')', depth-1)
		if err != nil {
			return term{}, err
		}
		if len(terms) == 1 && terms[0].kind == orTerm {
			return term{kind: anyTerm, filter: terms[0].filter}, nil
		}
		return term{kind: groupTerm, filter: joined(terms)}, nil
	case '{':
		return p.braces(depth)
	case '-':
		return p.negated(depth)
	case ')', '}':
		return term{}, p.fail(p.pos, "a condition")
	}
	return p.field(false)
}

func (p *filterParser) braces(depth int) (term, error) {
	start := p.pos
	p.pos++
	terms, err := p.sequence('}', depth-1)
	if err != nil {
		return term{}, err
	}
	if len(terms) == 0 {
		return term{}, p.fail(start, "at least one condition between { and }")
	}
	f := Filter{}
	for _, t := range terms {
		f.AnyOf = append(f.AnyOf, t.filter)
	}
	return term{kind: anyTerm, filter: f}, nil
}

func (p *filterParser) negated(depth int) (term, error) {
	p.pos++
	if p.pos == len(p.text) || unicode.IsSpace(rune(p.text[p.pos])) || p.text[p.pos] == '-' {
		return term{}, p.fail(p.pos, "a condition right behind the -")
	}
	if c := p.text[p.pos]; c != '(' && c != '{' {
		return p.field(true)
	}
	t, err := p.term(depth - 1)
	if err != nil {
		return term{}, err
	}
	return term{filter: Filter{Not: &t.filter}}, nil
}

// field reads a term that sets one field.
func (p *filterParser) field(negated bool) (term, error) {
	start := p.pos
	key := p.key()
	var f Filter
	var err error
	switch key {
	case "":
		f.Text, err = p.value("")
		if f.Text == "AND" || f.Text == "NOT" || f.Text == "OR" {
			if p.text[start] != '"' {
				err = p.fail(start, `a condition (AND goes without saying, NOT is written -, and words to look for go between quotes)`)
			}
		}
	case "is", "has":
		return p.condition(key, negated)
	case "header":
		err = p.header(&f)
	case "id":
		err = p.ids(&f)
	case "since", "after", "before", "larger", "smaller":
		err = p.measure(key, &f)
	default:
		err = p.named(start, key, &f)
	}
	if err == nil && f.Check() != nil {
		err = p.fail(start, "one line of UTF-8")
	}
	if err != nil {
		return term{}, err
	}
	if negated {
		return term{filter: Filter{Not: &f}}, nil
	}
	return term{filter: f}, nil
}

// key takes a word with a colon behind it, or nothing.
func (p *filterParser) key() string {
	n := 0
	for _, r := range p.text[p.pos:] {
		if r == ':' && n > 0 {
			key := p.text[p.pos : p.pos+n]
			p.pos += n + 1
			return strings.ToLower(key)
		}
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return ""
		}
		n++
	}
	return ""
}

// named reads the value of a field that holds text.
func (p *filterParser) named(start int, key string, f *Filter) error {
	field := map[string]*string{
		"from": &f.From, "to": &f.To, "cc": &f.Cc, "bcc": &f.Bcc, "subject": &f.Subject, "body": &f.Body, "text": &f.Text,
		"keyword": (*string)(&f.Keyword), "label": &f.Label, "native": &f.Native,
	}[key]
	if field == nil {
		return p.unknown(start, key)
	}
	var err error
	*field, err = p.value("")
	return err
}

// endsWord reports whether r ends a value without quotes.
func endsWord(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("(){}", r) }

// value reads a value, with or without quotes. It is not empty. One without
// quotes ends before the bytes of stop, too.
func (p *filterParser) value(stop string) (string, error) {
	rest := p.text[p.pos:]
	if strings.HasPrefix(rest, `"`) {
		return p.quoted()
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return endsWord(r) || r == '"' || strings.ContainsRune(stop, r) })
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return "", p.fail(p.pos, "a value")
	}
	if end < len(rest) && rest[end] == '"' {
		return "", p.fail(p.pos+end, "a space, or quotes around the whole value,")
	}
	p.pos += end
	return rest[:end], nil
}

func (p *filterParser) quoted() (string, error) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '\\' && p.pos+1 < len(p.text) && strings.ContainsRune(`\"`, rune(p.text[p.pos+1])):
			p.pos++
			b.WriteByte(p.text[p.pos])
		case c == '"':
			p.pos++
			if b.Len() == 0 {
				return "", p.fail(start, "a value")
			}
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(len(p.text), "a closing quote")
}

// condition reads what follows is: and has:.
func (p *filterParser) condition(key string, negated bool) (term, error) {
	var f Filter
	yes, no := Yes, No
	if negated {
		yes, no = No, Yes
	}
	start := p.pos
	word, err := p.value("")
	if err != nil {
		return term{}, err
	}
	switch word = key + ":" + strings.ToLower(word); word {
	case "is:unread", "is:unseen":
		f.Unread = yes
	case "is:read", "is:seen":
		f.Unread = no
	case "is:flagged", "is:starred":
		f.Flagged = yes
	case "is:answered", "is:replied":
		f.Answered = yes
	case "is:draft":
		f.Draft = yes
	case "is:deleted":
		f.Deleted = yes
	case "has:attachment":
		f.HasAttachment = yes
	default:
		if key == "has" {
			return term{}, p.fail(start, "attachment")
		}
		return term{}, p.fail(start, "unread, read, flagged, answered, draft or deleted")
	}
	return term{filter: f}, nil
}

func (p *filterParser) header(f *Filter) (err error) {
	start := p.pos
	if f.Header.Name, err = p.value("="); err != nil {
		return err
	}
	if err := f.Check(); err != nil {
		return p.fail(start, "the name of a header field")
	}
	if p.pos == len(p.text) || p.text[p.pos] != '=' {
		return nil
	}
	p.pos++
	f.Header.Value, err = p.value("")
	return err
}

func (p *filterParser) ids(f *Filter) error {
	for {
		start := p.pos
		text, err := p.value(",")
		if err != nil {
			return err
		}
		var id ID
		if err := id.UnmarshalText([]byte(text)); err != nil {
			return p.fail(start, "the id of a message")
		}
		f.IDs = append(f.IDs, id)
		if p.pos == len(p.text) || p.text[p.pos] != ',' {
			return nil
		}
		p.pos++
	}
}

// measure reads instants and sizes.
func (p *filterParser) measure(key string, f *Filter) error {
	start := p.pos
	word, err := p.value("")
	if err != nil {
		return err
	}
	switch key {
	case "larger", "smaller":
		n, ok := parseSize(word)
		if !ok {
			return p.fail(start, "a number of bytes above zero such as 5M")
		}
		*map[string]*int64{"larger": &f.Larger, "smaller": &f.Smaller}[key] = n
	default:
		t, ok := parseInstant(word)
		if !ok {
			return p.fail(start, "a time such as 2026-01-02T15:04:05Z or 2026-01-02")
		}
		*map[string]*time.Time{"since": &f.Since, "after": &f.Since, "before": &f.Before}[key] = t
	}
	return nil
}
