package ews

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// legal reports whether XML allows a character (XML 1.0 section 2.2).
func legal(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// repaired returns text in which every character is one that XML allows, and every
// byte part of one.
func repaired(text []byte) string {
	for i := 0; i < len(text); {
		if c := text[i]; c >= 0x20 && c < utf8.RuneSelf || c == '\t' || c == '\n' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 || !legal(r) || r == '\r' {
			return mended(text)
		}
		i += n
	}
	return string(text)
}

// mended replaces what repaired found.
func mended(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == '\r':
			if i+1 >= len(text) || text[i+1] != '\n' {
				b.WriteByte('\n')
			}
		case !legal(r):
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// longestReference is that of a reference with its "&" and ";".
const longestReference = 12

// decoded is repaired, with references to characters undone. What looks like a
// reference and is none stays as it is.
func decoded(text []byte) string {
	i := bytes.IndexByte(text, '&')
	if i < 0 {
		return repaired(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	for i >= 0 {
		b.WriteString(repaired(text[:i]))
		text = text[i:]
		end := bytes.IndexByte(text[:min(len(text), longestReference)], ';')
		r, ok := rune(0), false
		if end > 0 {
			r, ok = reference(string(text[1:end]))
		}
		if ok {
			b.WriteRune(r)
			text = text[end+1:]
		} else {
			b.WriteByte('&')
			text = text[1:]
		}
		i = bytes.IndexByte(text, '&')
	}
	b.WriteString(repaired(text))
	return b.String()
}

// reference returns the character that a reference stands for.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, numeric := strings.CutPrefix(name, "#")
	if !numeric {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, false
	}
	if n > utf8.MaxRune || !legal(rune(n)) {
		return utf8.RuneError, true
	}
	return rune(n), true
}
