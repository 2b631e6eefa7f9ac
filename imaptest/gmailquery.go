package imaptest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// gmailQuery returns the test of what a user types into Gmail's search field, as
// X-GM-RAW takes it. Words stand for text of the message and have to match all;
// OR, "-", quotes, parentheses, braces and these operators are known: from, to,
// cc, bcc, subject, label, in, is, has:attachment, filename, rfc822msgid, larger,
// smaller, after, before, newer_than and older_than. An operator that is not
// known matches nothing.
func gmailQuery(query string) test {
	q := &gmailParser{tokens: gmailTokens(query)}
	return q.all("", maxNesting)
}

// gmailTokens takes a query apart into words, and brackets of their own.
func gmailTokens(query string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	quoted := false
	for _, c := range query {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
			word.WriteRune(c)
		case strings.ContainsRune(" \t", c):
			flush()
		case strings.ContainsRune("(){}", c):
			flush()
			words = append(words, string(c))
		default:
			word.WriteRune(c)
		}
	}
	flush()
	return words
}

type gmailParser struct {
	tokens []string
	i      int
}

func (q *gmailParser) next() string {
	if q.i >= len(q.tokens) {
		return ""
	}
	q.i++
	return q.tokens[q.i-1]
}

// all reads terms up to the closing bracket or the end. Within braces one of them
// has to match, else all of them, where OR joins its neighbours.
func (q *gmailParser) all(closing string, depth int) test {
	var groups [][]test
	or := false
	for q.i < len(q.tokens) {
		switch word := q.next(); word {
		case closing:
			return anyInEach(groups)
		case "OR", "|":
			or = true
		case "AND":
		default:
			t := q.term(word, depth)
			if (or || closing == "}") && len(groups) > 0 {
				groups[len(groups)-1] = append(groups[len(groups)-1], t)
			} else {
				groups = append(groups, []test{t})
			}
			or = false
		}
	}
	return anyInEach(groups)
}

func anyInEach(groups [][]test) test {
	return func(l *loaded) bool {
		for _, group := range groups {
			if !slices.ContainsFunc(group, func(t test) bool { return t(l) }) {
				return false
			}
		}
		return true
	}
}

// term reads one term, of which the word has been read.
func (q *gmailParser) term(word string, depth int) test {
	if depth == 0 {
		return func(*loaded) bool { return false }
	}
	rest, negated := strings.CutPrefix(word, "-")
	if negated {
		if rest == "" {
			if !q.opens() {
				return func(*loaded) bool { return true } // a hyphen excludes nothing
			}
			rest = q.next()
		}
		t := q.term(rest, depth-1)
		return func(l *loaded) bool { return !t(l) }
	}
	if closing := map[string]string{"(": ")", "{": "}"}[word]; closing != "" {
		return q.all(closing, depth-1)
	}
	name, value, found := strings.Cut(word, ":")
	if !found {
		text := strings.ToLower(word)
		return func(l *loaded) bool { return l.entity().hasText(text, true) }
	}
	if value == "" {
		return q.values(strings.ToLower(name))
	}
	return gmailOperator(strings.ToLower(name), value)
}

// opens reports whether a bracket is next.
func (q *gmailParser) opens() bool {
	return q.i < len(q.tokens) && (q.tokens[q.i] == "(" || q.tokens[q.i] == "{")
}

// values reads the values of an operator in brackets, such as subject:(a b), all
// of which have to match. An operator without a value matches nothing.
func (q *gmailParser) values(name string) test {
	if !q.opens() {
		return func(*loaded) bool { return false }
	}
	closing := map[string]string{"(": ")", "{": "}"}[q.next()]
	var groups [][]test
	for word := q.next(); word != "" && word != closing; word = q.next() {
		groups = append(groups, []test{gmailOperator(name, word)})
	}
	return anyInEach(groups)
}

func gmailOperator(name, value string) test {
	lower := strings.ToLower(value)
	switch name {
	case "from", "to", "cc", "bcc", "subject":
		return func(l *loaded) bool { return l.top().hasField(name, lower) }
	case "rfc822msgid":
		want := strings.Trim(value, "<>")
		return func(l *loaded) bool { return strings.Trim(l.top().get("Message-ID"), "<> ") == want }
	case "label", "in":
		return gmailIn(lower)
	case "is":
		return gmailIs(lower)
	case "has", "filename":
		return gmailAttachment(name, lower)
	case "larger", "larger_than", "smaller":
		return gmailSize(name, lower)
	case "after", "newer", "before", "older":
		return gmailDate(name, value)
	case "newer_than", "older_than":
		return gmailAge(name, lower)
	}
	return func(*loaded) bool { return false }
}

func gmailIn(lower string) test {
	return func(l *loaded) bool {
		if lower == "anywhere" || lower == "all" {
			return true
		}
		// A label of two words is written with a hyphen.
		return slices.ContainsFunc(append(l.labels(), labelOf(l.session.view.account, l.session.view.name)), func(have string) bool {
			have = strings.ToLower(strings.TrimPrefix(have, `\`))
			return have == lower || strings.NewReplacer(" ", "-", "/", "-").Replace(have) == lower ||
				have+"s" == lower // drafts
		})
	}
}

func gmailIs(lower string) test {
	return func(l *loaded) bool {
		switch lower {
		case "read":
			return l.Has(mailtest.Seen)
		case "unread":
			return !l.Has(mailtest.Seen)
		case "starred":
			return l.Has(mailtest.Flagged)
		}
		return false
	}
}

// gmailAttachment looks for parts that have a file name.
func gmailAttachment(name, lower string) test {
	var walk func(e *entity) bool
	walk = func(e *entity) bool {
		if e == nil {
			return false
		}
		file := ""
		for _, p := range append(slices.Clone(parseMedia(e.get("Content-Disposition")).params), e.kind.params...) {
			if strings.EqualFold(p.name, "filename") || strings.EqualFold(p.name, "name") {
				file = strings.ToLower(decodeWords(p.value))
			}
		}
		if file != "" && (name == "has" || strings.Contains(file, lower)) {
			return true
		}
		return slices.ContainsFunc(e.parts, walk) || walk(e.enclosed)
	}
	return func(l *loaded) bool { return (name != "has" || lower == "attachment") && walk(l.entity()) }
}

func gmailSize(name, lower string) test {
	digits := strings.TrimRight(lower, "kmb")
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case strings.HasPrefix(lower[len(digits):], "k"):
		n <<= 10
	case strings.HasPrefix(lower[len(digits):], "m"):
		n <<= 20
	}
	return func(l *loaded) bool {
		size := int64(len(l.Raw))
		return err == nil && (name == "smaller" && size < n || name != "smaller" && size > n)
	}
}

// gmailDate compares with a day, or with a moment in seconds since 1970. The day
// begins in UTC.
func gmailDate(name, value string) test {
	day, err := time.Parse("2006/1/2", strings.ReplaceAll(value, "-", "/"))
	if seconds, numeric := strconv.ParseInt(value, 10, 64); numeric == nil {
		day, err = time.Unix(seconds, 0), nil
	}
	return func(l *loaded) bool {
		before := l.Received.Before(day)
		return err == nil && before == (name == "before" || name == "older")
	}
}

// gmailAge compares with an age such as 2d, 3m or 1y.
func gmailAge(name, lower string) test {
	amount, unit := lower[:max(0, len(lower)-1)], lower[max(0, len(lower)-1):]
	n, err := strconv.Atoi(amount)
	return func(l *loaded) bool {
		moment := time.Now()
		switch unit {
		case "h":
			moment = moment.Add(-time.Duration(n) * time.Hour)
		case "d":
			moment = moment.AddDate(0, 0, -n)
		case "m":
			moment = moment.AddDate(0, -n, 0)
		case "y":
			moment = moment.AddDate(-n, 0, 0)
		default:
			return false
		}
		return err == nil && l.Received.Before(moment) == (name == "older_than")
	}
}
