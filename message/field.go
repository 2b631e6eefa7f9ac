package message

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// trimLineEnd returns line without the LF or CR LF at its end.
func trimLineEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// unfold returns the value of a field on one line: line breaks are removed,
// and white space at both ends. The result is valid UTF-8.
func unfold(b []byte) string {
	b = bytes.Trim(b, " \t\r\n")
	if bytes.IndexByte(b, '\n') < 0 {
		return toUTF8(b)
	}
	var out strings.Builder
	out.Grow(len(b))
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if out.Len() > 0 && (len(line) == 0 || line[0] != ' ' && line[0] != '\t') {
			out.WriteByte(' ') // continued without white space
		}
		out.Write(line)
	}
	if s := out.String(); plainUTF8(s) {
		return s
	}
	return toUTF8([]byte(out.String()))
}

// plainUTF8 reports whether toUTF8 leaves s as it is.
func plainUTF8(s string) bool { return !strings.Contains(s, iso2022) && utf8.ValidString(s) }

// iso2022 is how a text in ISO-2022-JP switches to other characters than ASCII.
const iso2022 = "\x1b$"

// toUTF8 returns b as a string if it is UTF-8. Else it is read as ISO-2022-JP,
// if it switches to that, or as windows-1252.
func toUTF8(b []byte) string {
	if bytes.Contains(b, []byte(iso2022)) {
		if s, ok := decodeCharset("iso-2022-jp", b); ok {
			return s
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return fromWindows1252(b)
}

// fromWindows1252 reads b as windows-1252.
func fromWindows1252(b []byte) string {
	var s strings.Builder
	s.Grow(len(b) + len(b)/4)
	for _, c := range b {
		s.WriteRune(charmap.Windows1252.DecodeByte(c))
	}
	return s.String()
}

// equalFold reports whether b is s but for the case of ASCII letters.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isControl reports whether r is a control character, or one of the two other
// characters that end a line.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
}

// oneLine returns s with spaces in place of control characters and line ends.
func oneLine(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s)
}
