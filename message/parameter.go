package message

import (
	"strconv"
	"strings"
)

// extendedParameter returns the parameter of that name in the form of RFC 2231,
// with a character set, in pieces, or both; or "". Parameters in the plain form
// are not looked at.
func extendedParameter(value, name string) string {
	if !strings.Contains(value, "*") || len(value) > maxContentType {
		return ""
	}
	pieces := make(map[int]string)
	var charset string
	for _, p := range splitParameters(value) {
		key, v, ok := strings.Cut(p, "=")
		key = strings.TrimSpace(key)
		if !ok || len(key) <= len(name) || !strings.EqualFold(key[:len(name)], name) || key[len(name)] != '*' {
			continue
		}
		v = strings.Trim(v, " \t\"")
		number, encoded := strings.CutSuffix(key[len(name)+1:], "*")
		if number == "" {
			encoded, number = true, "0"
		}
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		if n == 0 && encoded {
			if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
				charset, v = parts[0], parts[2]
			}
		}
		if encoded {
			v = unpercent(v)
		}
		pieces[n] = v
	}
	var all strings.Builder
	for n := 0; pieces[n] != ""; n++ {
		all.WriteString(pieces[n])
	}
	if s, ok := decodeCharset(charset, []byte(all.String())); ok {
		return s
	}
	return decodeText(toUTF8([]byte(all.String())))
}

// splitParameters cuts a value at the semicolons outside of quotes.
func splitParameters(s string) []string {
	var list []string
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ';' && !quoted:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return append(list, s[from:])
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
