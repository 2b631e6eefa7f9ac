package ewstest

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// parseAQS reads a query in Advanced Query Syntax: words, "phrases", and
// properties such as subject:, from:, received:, hasattachment:, joined by AND
// (which may be left out), OR, NOT and parentheses.
func parseAQS(text string) (condition, error) {
	q := &aqs{tokens: aqsTokens(text)}
	if len(q.tokens) == 0 {
		return nil, fail("ErrorInvalidArgument", "The query string is empty.")
	}
	c, err := q.either()
	if err == nil && q.at < len(q.tokens) {
		err = fail("ErrorInvalidArgument", "The query string is malformed.")
	}
	return c, err
}

type aqs struct {
	tokens []string
	at     int
	depth  int
}

// aqsTokens divides a query at spaces and parentheses, outside of quotes.
func aqsTokens(text string) []string {
	var all []string
	var b strings.Builder
	quoted := false
	flush := func() {
		if b.Len() > 0 {
			all = append(all, b.String())
			b.Reset()
		}
	}
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
			b.WriteRune(r)
		case !quoted && (r == '(' || r == ')'):
			flush()
			all = append(all, string(r))
		case !quoted && unicode.IsSpace(r):
			flush()
		default:
			b.WriteRune(r)
		}
	}
	flush()
	return all
}

func (q *aqs) peek() string {
	if q.at == len(q.tokens) {
		return ""
	}
	return q.tokens[q.at]
}

func (q *aqs) either() (condition, error) {
	var parts []condition
	for {
		c, err := q.both()
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
		if q.peek() != "OR" {
			break
		}
		q.at++
	}
	return func(get lookup) bool {
		return slices.ContainsFunc(parts, func(c condition) bool { return c(get) })
	}, nil
}

func (q *aqs) both() (condition, error) {
	var parts []condition
	for {
		c, err := q.one()
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
		if q.peek() == "AND" {
			q.at++
			continue
		}
		if next := q.peek(); next == "" || next == ")" || next == "OR" {
			break
		}
	}
	return func(get lookup) bool {
		return !slices.ContainsFunc(parts, func(c condition) bool { return !c(get) })
	}, nil
}

func (q *aqs) one() (condition, error) {
	token := q.peek()
	q.at++
	if q.depth++; q.depth > maxDepth {
		return nil, fail("ErrorInvalidArgument", "The query string is nested too deep.")
	}
	defer func() { q.depth-- }()
	switch token {
	case "", ")", "AND", "OR":
		q.at = min(q.at, len(q.tokens))
		return nil, fail("ErrorInvalidArgument", "The query string is malformed.")
	case "NOT":
		c, err := q.one()
		return func(get lookup) bool { return !c(get) }, err
	case "(":
		c, err := q.either()
		if err == nil && q.peek() != ")" {
			err = fail("ErrorInvalidArgument", "The query string is malformed.")
		}
		q.at++
		return c, err
	}
	return aqsTerm(token), nil
}

// aqsTerm reads a word or a property with what it has to hold.
func aqsTerm(token string) condition {
	name, want, found := strings.Cut(token, ":")
	if !found || strings.HasPrefix(token, `"`) {
		return anyOf(token, "item:Subject", "item:Body", "message:From", "message:ToRecipients", "message:CcRecipients")
	}
	name = strings.ToLower(name)
	if uris := aqsTexts(name); uris != nil {
		return anyOf(want, uris...)
	}
	switch name {
	case "hasattachment", "hasattachments":
		return isTruth("item:HasAttachments", want)
	case "isread", "read":
		return isTruth("message:IsRead", want)
	case "isflagged":
		return func(get lookup) bool {
			v, _ := get(path{uri: "item:Flag"})
			return (v.text == "Flagged") == truth(strings.ToLower(want))
		}
	case "received":
		return span("item:DateTimeReceived", want)
	case "sent":
		return span("item:DateTimeSent", want)
	case "size":
		return span("item:Size", want)
	case "kind":
		return func(lookup) bool { return strings.EqualFold(want, "email") }
	}
	return anyOf(token, "item:Subject", "item:Body")
}

// aqsTexts returns the properties of text that go by a name in queries, or nil.
func aqsTexts(name string) []string {
	switch name {
	case "subject":
		return []string{"item:Subject"}
	case "body", "content":
		return []string{"item:Body"}
	case "from":
		return []string{"message:From"}
	case "to":
		return []string{"message:ToRecipients"}
	case "cc":
		return []string{"message:CcRecipients"}
	case "bcc":
		return []string{"message:BccRecipients"}
	case "participants":
		return []string{"message:From", "message:ToRecipients", "message:CcRecipients", "message:BccRecipients"}
	case "category", "categories":
		return []string{"item:Categories"}
	case "importance":
		return []string{"item:Importance"}
	}
	return nil
}

// anyOf looks for text at the beginning of words, or for a phrase in quotes.
func anyOf(text string, uris ...string) condition {
	text = strings.ToLower(text)
	phrase := strings.HasPrefix(text, `"`)
	text = strings.Trim(text, `"*`)
	return func(get lookup) bool {
		return slices.ContainsFunc(uris, func(uri string) bool {
			v, _ := get(path{uri: uri})
			low := strings.ToLower(v.text)
			if phrase {
				return holds(low, text, "ExactPhrase")
			}
			return holds(low, text, "PrefixOnWords") || strings.ContainsAny(text, "@.-_") && strings.Contains(low, text)
		})
	}
}

func isTruth(uri, want string) condition {
	wanted := truth(strings.ToLower(want)) || strings.EqualFold(want, "yes")
	return func(get lookup) bool {
		v, _ := get(path{uri: uri})
		return (v.num == 1) == wanted
	}
}

// span compares with a bound such as ">=2024-01-31", a day, or "from..to".
func span(uri, want string) condition {
	from, to, ok := bounds(want)
	return func(get lookup) bool {
		v, there := get(path{uri: uri})
		return ok && there && v.num >= from && v.num <= to
	}
}

func bounds(want string) (from, to int64, ok bool) {
	const least, most = -1 << 62, 1 << 62
	if a, b, found := strings.Cut(want, ".."); found {
		from, _, ok = bound(a)
		_, to, good := bound(b)
		return from, to, ok && good
	}
	sign := want[:len(want)-len(strings.TrimLeft(want, "<>="))]
	first, last, ok := bound(want[len(sign):])
	switch sign {
	case ">":
		return last + 1, most, ok
	case ">=":
		return first, most, ok
	case "<":
		return least, first - 1, ok
	case "<=":
		return least, last, ok
	}
	return first, last, ok
}

// bound reads a number, a day or an instant: the first and the last value that
// it stands for.
func bound(text string) (first, last int64, ok bool) {
	text = strings.Trim(text, `"`)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n, true
	}
	for _, layout := range []string{time.DateOnly, "01/02/2006", "1/2/2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Unix(), t.Unix() + 24*60*60 - 1, true
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Unix(), t.Unix(), true
	}
	return 0, 0, false
}
