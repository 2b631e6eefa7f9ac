package imaptest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// maxNesting is how deep search keys may be nested.
const maxNesting = 50

// searchCommands are those that look for messages.
func searchCommands() map[string]command {
	return map[string]command{
		"SEARCH":     {run: search, state: selected, whole: true},
		"UID SEARCH": {run: search, state: selected},
	}
}

// test tells whether a message has what a search key asks for.
type test func(l *loaded) bool

// search is SEARCH and UID SEARCH.
func search(_ context.Context, s *session, p *parser) (reply, error) {
	k := &keys{parser: p, view: s.view, offers: s.server.offers}
	if err := p.space(); err != nil {
		return reply{}, err
	}
	r, err := s.searchReturn(p)
	if err != nil {
		return reply{}, err
	}
	if refusal, err := k.charset(s.server.options.NoCharset); err != nil || refusal.kind != "" {
		return refusal, err
	}
	matches, err := k.all(maxNesting)
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if r.modSeq = k.modSeq; r.modSeq {
		if err := s.enableCondstore(); err != nil {
			return reply{}, err
		}
	}
	for i := range s.view.entries {
		if l := s.load(i); l != nil && matches(l) {
			r.found = append(r.found, found{number: s.numbers([]int{i})[0], modSeq: l.ModSeq})
		}
	}
	return ok(s.name + " completed"), s.untagged(r.String())
}

// keys parses the search keys of RFC 3501, section 6.4.4.
type keys struct {
	*parser
	view   *view
	offers func(capability string) bool
	modSeq bool // whether MODSEQ is among them
}

// charset reads CHARSET and its argument, if they are there. Text of US-ASCII
// and UTF-8 is understood, unless naming a charset is refused.
func (k *keys) charset(refused bool) (reply, error) {
	const key = "CHARSET "
	if rest := k.b[k.i:]; len(rest) < len(key) || !strings.EqualFold(string(rest[:len(key)]), key) {
		return reply{}, nil
	}
	k.i += len(key)
	name, err := k.astring()
	if err != nil {
		return reply{}, err
	}
	if refused {
		return no("BADCHARSET (US-ASCII)", "Charset not supported"), nil
	}
	if !strings.EqualFold(name, "US-ASCII") && !strings.EqualFold(name, "UTF-8") {
		return no("BADCHARSET (US-ASCII UTF-8)", "Charset not supported"), nil
	}
	return reply{}, k.space()
}

// all reads keys up to the end or a closing parenthesis, all of which have to
// match.
func (k *keys) all(depth int) (test, error) {
	if depth == 0 {
		return nil, syntaxError("search keys nested too deep")
	}
	var tests []test
	for {
		t, err := k.key(depth)
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
		if !k.accept(' ') {
			break
		}
	}
	return func(l *loaded) bool {
		return !slices.ContainsFunc(tests, func(t test) bool { return !t(l) })
	}, nil
}

// key reads one key.
func (k *keys) key(depth int) (test, error) {
	switch c := k.peek(); {
	case c == '(':
		k.i++
		t, err := k.all(depth - 1)
		if err != nil {
			return nil, err
		}
		return t, k.expect(')')
	case isDigit(c) || c == '*':
		return k.inSet(false)
	}
	name, err := k.word()
	if err != nil {
		return nil, err
	}
	if t := flagKey(name); t != nil {
		return t, nil
	}
	switch name {
	case "NOT", "OR":
		return k.logic(name, depth)
	case "UID":
		if err := k.space(); err != nil {
			return nil, err
		}
		return k.inSet(true)
	case "LARGER", "SMALLER":
		return k.size(name)
	case "BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE":
		return k.date(name)
	case "MODSEQ":
		if k.offers(condstore) {
			return k.changed()
		}
	}
	if t, err := k.objectKey(name); t != nil || err != nil {
		return t, err
	}
	return k.textKey(name)
}

func (k *keys) logic(name string, depth int) (test, error) {
	if depth == 0 {
		return nil, syntaxError("search keys nested too deep")
	}
	if err := k.space(); err != nil {
		return nil, err
	}
	a, err := k.key(depth - 1)
	if err != nil {
		return nil, err
	}
	if name == "NOT" {
		return func(l *loaded) bool { return !a(l) }, nil
	}
	if err := k.space(); err != nil {
		return nil, err
	}
	b, err := k.key(depth - 1)
	if err != nil {
		return nil, err
	}
	return func(l *loaded) bool { return a(l) || b(l) }, nil
}

func (k *keys) inSet(byUID bool) (test, error) {
	set, err := k.set()
	if err != nil {
		return nil, err
	}
	highest := k.view.highest()
	if byUID {
		return func(l *loaded) bool { return set.contains(int64(l.UID), highest) }, nil
	}
	count := int64(len(k.view.entries))
	if !set.within(count) {
		return nil, syntaxError("no message has that number")
	}
	return func(l *loaded) bool { return set.contains(int64(l.index)+1, count) }, nil
}

func (k *keys) size(name string) (test, error) {
	if err := k.space(); err != nil {
		return nil, err
	}
	n, err := k.number()
	if err != nil {
		return nil, err
	}
	if name == "LARGER" {
		return func(l *loaded) bool { return int64(len(l.Raw)) > int64(n) }, nil
	}
	return func(l *loaded) bool { return int64(len(l.Raw)) < int64(n) }, nil
}

// date compares days and disregards time and zone, as IMAP wants it: of
// INTERNALDATE, or of the Date field for the SENT keys.
func (k *keys) date(name string) (test, error) {
	if err := k.space(); err != nil {
		return nil, err
	}
	text, err := k.astring()
	if err != nil {
		return nil, err
	}
	want, err := time.Parse("2-Jan-2006", text)
	if err != nil {
		return nil, syntaxError("a date looks like 1-Feb-2024")
	}
	kind, sent := strings.CutPrefix(name, "SENT")
	return func(l *loaded) bool {
		have := l.Received
		if sent {
			var known bool
			if have, known = l.top().date(); !known {
				return false
			}
		}
		year, month, day := have.Date()
		order := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Compare(want)
		switch kind {
		case "BEFORE":
			return order < 0
		case "ON":
			return order == 0
		default: // SINCE
			return order >= 0
		}
	}, nil
}

// flagKey returns the test of a key that has no argument and looks at flags,
// nil where the name is none of those.
func flagKey(name string) test {
	recent := func(l *loaded) bool { return l.session.view.entries[l.index].recent }
	switch name {
	case "ALL":
		return func(*loaded) bool { return true }
	case "RECENT":
		return recent
	case "OLD":
		return func(l *loaded) bool { return !recent(l) }
	case "NEW":
		return func(l *loaded) bool { return recent(l) && !l.Has(mailtest.Seen) }
	}
	for _, flag := range systemFlags() {
		plain := strings.ToUpper(flag[1:])
		switch name {
		case plain:
			return func(l *loaded) bool { return l.Has(flag) }
		case "UN" + plain:
			return func(l *loaded) bool { return !l.Has(flag) }
		}
	}
	return nil
}
