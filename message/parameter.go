package message

import (
	"maps"
	"strconv"
	"strings"
)

// maxContentType is how much is looked at of a field with parameters. The
// longest file name of Windows takes 3000 bytes in the form of RFC 2231.
const maxContentType = 4096

// parseMediaType reads the value of a Content-Type (RFC 2045 section 5.1) into
// the media type in lower case and its parameters. It reports false if
// something had to be left out, and gives no media type if there is none to be
// made out. Without a subtype text is plain text, which is what old mail means.
func parseMediaType(value string) (mediaType string, params map[string]string, ok bool) {
	ok = len(value) <= maxContentType
	value = strings.Trim(value[:min(len(value), maxContentType)], " \t;")
	end := strings.IndexAny(value, "; \t(,")
	if end < 0 {
		end = len(value)
	}
	mediaType = strings.ToLower(value[:end])
	if mediaType == "text" {
		mediaType, ok = "text/plain", false
	}
	kind, subtype, _ := strings.Cut(mediaType, "/")
	if !isToken(kind) || !isToken(subtype) {
		return "", nil, false
	}
	return mediaType, parseParameters(value[end:]), ok
}

// parseDisposition reads the value of a Content-Disposition (RFC 2183): inline,
// attachment or "", and the parameters. A disposition that is not known counts
// as attachment (section 2.8), one that is no word as none.
func parseDisposition(value string) (disposition string, params map[string]string) {
	value = value[:min(len(value), maxContentType)]
	end := strings.IndexAny(value, "; \t")
	if end < 0 {
		end = len(value)
	}
	disposition = strings.ToLower(value[:end])
	switch {
	case disposition == "inline":
	case !isToken(disposition) || strings.Contains(disposition, "="):
		return "", parseParameters(value)
	default:
		disposition = "attachment"
	}
	return disposition, parseParameters(value[end:])
}

// isToken reports whether s is a token (RFC 2045 section 5.1), or could have
// been meant as one.
func isToken(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t()<>@,;:\\\"/[]?")
}

// parseParameters reads parameters, by their names in lower case. The first of
// a name counts. Values in the extended form of RFC 2231, with a character set,
// in pieces or both, come before others. Quotes that are missing or too many
// are read as they seem to be meant.
func parseParameters(s string) map[string]string {
	params := make(map[string]string)
	extended := make(map[string]*extendedValue)
	for _, p := range splitParameters(s) {
		name, value, found := strings.Cut(p, "=")
		name = strings.ToLower(strings.Trim(name, " \t"))
		base, piece, star := strings.Cut(name, "*")
		if !found || !isToken(base) {
			continue
		}
		value = unquote(value, base)
		if star {
			if extended[base] == nil {
				extended[base] = &extendedValue{pieces: make(map[int]string)}
			}
			extended[base].add(piece, value)
			continue
		}
		if _, twice := params[name]; !twice {
			params[name] = value
		}
	}
	for base, value := range maps.All(extended) {
		if s := value.String(); s != "" {
			params[base] = s
		}
	}
	return params
}

// An extendedValue is a value in the form of RFC 2231.
type extendedValue struct {
	charset string
	pieces  map[int]string
}

// add takes a piece. number is what follows the asterisk of the name.
func (e *extendedValue) add(number, value string) {
	number, encoded := strings.CutSuffix(number, "*")
	if number == "" {
		encoded, number = true, "0"
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return
	}
	if n == 0 && encoded {
		if parts := strings.SplitN(value, "'", 3); len(parts) == 3 {
			e.charset, value = parts[0], parts[2]
		}
	}
	if encoded {
		value = unpercent(value)
	}
	e.pieces[n] = value
}

// String joins the pieces up to the first that is missing.
func (e *extendedValue) String() string {
	var all strings.Builder
	for n := 0; ; n++ {
		piece, ok := e.pieces[n]
		if !ok {
			break
		}
		all.WriteString(piece)
	}
	if s, ok := decodeCharset(e.charset, []byte(all.String())); ok {
		return s
	}
	return toUTF8([]byte(all.String()))
}

// splitParameters cuts a value at the semicolons. One in quotes does not count,
// unless the quotes do not close.
func splitParameters(s string) []string {
	var list []string
	for s != "" {
		end := parameterEnd(s)
		list = append(list, s[:end])
		if end == len(s) {
			break
		}
		s = s[end+1:]
	}
	return list
}

// parameterEnd returns the position of the semicolon that ends the parameter
// that s begins with, or the length of s.
func parameterEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ';':
			return i
		case '"':
			if n := quotedLen(s[i:]); n > 0 {
				i += n - 1
				continue
			}
			// What does not close is no quote.
			if n := strings.IndexByte(s[i:], ';'); n >= 0 {
				return i + n
			}
			return len(s)
		}
	}
	return len(s)
}

// unquote returns the value of the parameter of that name without quotes and
// comments. File names have white space and parentheses also without quotes.
func unquote(s, name string) string {
	s = strings.Trim(s, " \t")
	if strings.HasPrefix(s, `"`) {
		if len(s) > 1 && strings.HasSuffix(s, `"`) && !strings.HasSuffix(s, `\"`) {
			return unescapeQuotes(s[1 : len(s)-1])
		}
		if n := quotedLen(s); n > 0 {
			return unescapeQuotes(s[1 : n-1])
		}
		return s[1:]
	}
	if name == "name" || name == "filename" {
		return s
	}
	if i := strings.IndexByte(s, '('); i >= 0 {
		s = s[:i]
	}
	if i := strings.IndexAny(s, " \t"); i >= 0 && name != "boundary" {
		s = s[:i]
	}
	return strings.TrimRight(s, " \t")
}

// unescapeQuotes removes the backslashes before quotes and backslashes. Others
// stay: they are in the paths of Windows, which are often sent as they are.
func unescapeQuotes(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// unpercent replaces %XX by the byte that it stands for.
func unpercent(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) != noDigit && unhex(s[i+2]) != noDigit {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
