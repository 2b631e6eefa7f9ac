package ews

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// legal reports whether XML allows a character (XML 1.0 section 2.2).
func legal(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// appendRepaired appends text, in which every character becomes one that XML allows,
// every byte part of one, and every line ends in "\n" (XML 1.0 section 2.11).
func appendRepaired(to, text []byte) []byte {
	for {
		n := sound(text)
		to, text = append(to, text[:n]...), text[n:]
		if len(text) == 0 {
			return to
		}
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case r != '\r':
			to = utf8.AppendRune(to, utf8.RuneError)
		case !bytes.HasPrefix(text, []byte("\n")):
			to = append(to, '\n')
		}
	}
}

// sound returns how many bytes at the beginning of text stay as they are.
func sound(text []byte) int {
	for i := 0; i < len(text); {
		if rest := text[i:]; len(rest) >= 8 && printable(binary.LittleEndian.Uint64(rest)) {
			i += 8
			continue
		}
		if c := text[i]; c >= ' ' && c < utf8.RuneSelf || c == '\t' || c == '\n' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 || !legal(r) || r == '\r' {
			return i
		}
		i += n
	}
	return len(text)
}

// printable reports whether eight bytes are ASCII without control characters.
func printable(word uint64) bool {
	const each = 0x0101010101010101
	return (word|(word-' '*each))&(utf8.RuneSelf*each) == 0
}

// repaired returns what appendRepaired makes of text.
func repaired(text []byte) string { return string(appendRepaired(nil, text)) }

// appendDecoded is appendRepaired, with references to characters undone. What looks
// like a reference and is none stays as it is.
func appendDecoded(to, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			return appendRepaired(to, text)
		}
		to = appendRepaired(to, text[:i])
		r, n := reference(text[i:])
		if n == 0 {
			r, n = '&', 1
		}
		to, text = utf8.AppendRune(to, r), text[i+n:]
	}
}

// longestReference is that of a reference with its "&" and ";".
const longestReference = 12

// reference returns the character that the reference at the beginning of text stands
// for, and how long it is, zero where it is none.
func reference(text []byte) (r rune, length int) {
	end := bytes.IndexByte(text[:min(len(text), longestReference)], ';')
	if end < 0 {
		return 0, 0
	}
	length = end + 1
	switch name := text[1:end]; string(name) {
	case "lt":
		return '<', length
	case "gt":
		return '>', length
	case "amp":
		return '&', length
	case "quot":
		return '"', length
	case "apos":
		return '\'', length
	default:
		if r, ok := numbered(string(name)); ok {
			return r, length
		}
	}
	return 0, 0
}

// numbered returns the character that a reference names by its number.
func numbered(name string) (rune, bool) {
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
