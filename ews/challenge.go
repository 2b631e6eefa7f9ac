package ews

import (
	"net/http"
	"slices"
	"strings"
)

// maxChallenges bounds how many ways to sign in are taken note of.
const maxChallenges = 32

// challenge is one way to sign in that a server offers (RFC 9110 section 11.3).
type challenge struct {
	scheme string // as the server writes it; the case does not matter
	token  string // the token68 behind it, empty where there is none
}

// is reports whether the challenge is of a scheme.
func (c challenge) is(scheme string) bool { return strings.EqualFold(c.scheme, scheme) }

// challengesOf returns the ways to sign in that a server offers, in their order. They
// may stand in one field or in several, and servers write both (RFC 9110 section
// 11.6.1).
func challengesOf(h http.Header) []challenge {
	var all []challenge
	for _, v := range h.Values("Www-Authenticate") {
		all = append(all, parseChallenges(v)...)
	}
	return all[:min(len(all), maxChallenges)]
}

// schemesOf returns the names of the ways to sign in that a server offers.
func schemesOf(h http.Header) []string {
	var all []string
	for _, c := range challengesOf(h) {
		if !slices.ContainsFunc(all, c.is) {
			all = append(all, c.scheme)
		}
	}
	return all
}

// parseChallenges reads a list of challenges. The comma stands between challenges and
// between the parameters of one, so that what follows it is told by the equals sign
// behind its name. What makes no sense is passed over up to the next comma.
func parseChallenges(s string) (all []challenge) {
	for len(all) < maxChallenges {
		s = strings.TrimLeft(s, ", \t")
		if s == "" {
			return all
		}
		name, rest := cutToken(s)
		if name == "" {
			s = skipElement(s)
			continue
		}
		if after, ok := cutValue(rest); ok {
			s = after // a parameter, of the challenge before
			continue
		}
		c := challenge{scheme: name}
		if len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' && rest[0] != ',' {
			s = skipElement(rest)
			continue
		}
		c.token, s = cutToken68(rest)
		all = append(all, c)
	}
	return all
}

// cutToken takes a token off (RFC 9110 section 5.6.2).
func cutToken(s string) (name, rest string) {
	n := 0
	for n < len(s) && isTokenByte(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

func isTokenByte(b byte) bool {
	return isAlphanumeric(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

func isAlphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// cutValue takes the rest of a parameter off, whose name stands before s: white space,
// an equals sign, and a token or a text in quotes.
func cutValue(s string) (rest string, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimLeft(s, " \t"), "=")
	if !ok {
		return "", false
	}
	s = strings.TrimLeft(s, " \t")
	if strings.HasPrefix(s, `"`) {
		return skipQuoted(s), true
	}
	value, rest := cutToken(s)
	return rest, value != ""
}

// skipQuoted passes over a text in quotes, or over all where it has no end.
func skipQuoted(s string) string {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[i+1:]
		}
	}
	return ""
}

// skipElement passes over what makes no sense, up to the next comma outside of quotes.
func skipElement(s string) string {
	for s != "" && s[0] != ',' {
		if s[0] == '"' {
			s = skipQuoted(s)
			continue
		}
		s = s[1:]
	}
	return s
}

// cutToken68 takes the token68 off that a scheme may have behind it (RFC 9110 section
// 11.2), which ends where its challenge does: otherwise it is the name of a parameter.
func cutToken68(s string) (text, rest string) {
	from := strings.TrimLeft(s, " \t")
	n := 0
	for n < len(from) && (isAlphanumeric(from[n]) || strings.IndexByte("-._~+/", from[n]) >= 0) {
		n++
	}
	if n == 0 {
		return "", s
	}
	for n < len(from) && from[n] == '=' {
		n++
	}
	after := strings.TrimLeft(from[n:], " \t")
	if after != "" && after[0] != ',' {
		return "", s
	}
	return from[:n], after
}
