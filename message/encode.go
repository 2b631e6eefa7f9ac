package message

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// hasBreak reports whether s holds what could end a header line.
func hasBreak(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }

// isPlain reports whether s can stand in a header as it is and comes out the
// same: printable ASCII with single spaces between words that fit on a line,
// and without what looks like an encoded word.
func isPlain(s string) bool {
	if strings.Contains(s, "=?") {
		return false
	}
	word := 0
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
		if word++; s[i] == ' ' {
			if word == 1 {
				return false // a second space, or one at the beginning
			}
			word = 0
		}
		if word > maxWord {
			return false
		}
	}
	return word > 0
}

// isPhrase reports whether s is words of atoms (RFC 5322 section 3.2.3), which
// need no quotes.
func isPhrase(s string) bool {
	return isPlain(s) && strings.IndexFunc(s, func(r rune) bool { return !isAtom(r) && r != ' ' }) < 0
}

// isAtom reports whether r may stand in an atom.
func isAtom(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r < utf8.RuneSelf && strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isShortASCII reports whether text is lines of at most 78 bytes of printable
// ASCII and tabs.
func isShortASCII(text []byte) bool {
	line := 0
	for _, c := range text {
		switch {
		case c == '\n':
			line = 0
		case c != '\r' && c != '\t' && (c < ' ' || c >= 0x7f):
			return false
		default:
			line++
		}
		if line > 79 { // with the CR
			return false
		}
	}
	return true
}

// maxTextLine is how long a line may be, without its end (RFC 5322 section
// 2.1.1).
const maxTextLine = 998

// isEightBitClean reports whether text, with CR LF at the ends of lines, can
// travel as it is where bytes outside of ASCII can.
func isEightBitClean(text []byte) bool {
	line := 0
	for _, c := range text {
		switch {
		case c == '\n':
			line = 0
		case c != '\r' && c != '\t' && c < ' ' || c == 0x7f:
			return false
		default:
			line++
		}
		if line > maxTextLine+1 { // with the CR
			return false
		}
	}
	return true
}

// canonical returns text as lines of valid UTF-8 that end in CR LF, the last one
// too (RFC 2046 section 4.1.1), without the byte order mark of a file.
func canonical(text string) []byte {
	text = strings.TrimPrefix(text, byteOrderMark)
	if text == "" {
		return nil
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	b := make([]byte, 0, len(text)+strings.Count(text, "\n")+strings.Count(text, "\r")+len("\r\n"))
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		line = strings.TrimSuffix(line, "\r")
		for {
			before, behind, found := strings.Cut(line, "\r") // an end by itself
			b = append(append(b, before...), '\r', '\n')
			if line = behind; !found {
				break
			}
		}
	}
	return b
}

// encodeText returns canonical text as it travels (RFC 2045 section 6): as it is
// if that is short lines of ASCII, or if eightBit, whatever else is; else in
// quoted-printable, which people can read, unless base64 is clearly shorter.
func encodeText(text []byte, eightBit bool) (encoding string, body []byte) {
	changed := hasFromLine(text)
	switch {
	case isShortASCII(text) && !changed:
		return "7bit", text
	case eightBit && isEightBitClean(text) && !changed:
		return "8bit", text
	}
	cost := len(text)
	for _, c := range text {
		if c >= 0x7f || c == '=' {
			cost += 2
		}
	}
	if size := base64Size(int64(len(text))); int64(cost) > size+size/8 {
		return "base64", appendLines64(make([]byte, 0, size), text)
	}
	b := appendPrintable(make([]byte, 0, cost+cost/16+64), text)
	return "quoted-printable", guardFrom(b)
}

// hasFromLine reports whether a line begins with "From ". Servers that keep mail
// in mbox files put a ">" before it, which readers see and signatures do not
// survive.
func hasFromLine(text []byte) bool {
	return bytes.HasPrefix(text, []byte("From ")) || bytes.Contains(text, []byte("\nFrom "))
}

// guardFrom returns quoted-printable of which no line begins with "From ".
func guardFrom(b []byte) []byte {
	if !hasFromLine(b) {
		return b
	}
	const longest = 76 // RFC 2045 section 6.7
	out := make([]byte, 0, len(b)+len(b)/16+64)
	for line := range bytes.SplitAfterSeq(b, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("From ")) {
			out = append(out, "=46rom"...)
			line = line[len("From"):]
			if len("=46rom")+len(bytes.TrimRight(line, "\r\n")) > longest {
				out = append(out, "=\r\n"...)
			}
		}
		out = append(out, line...)
	}
	return out
}

// bareID returns id without angle brackets.
func bareID(id string) string {
	if strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") && len(id) > 1 {
		return id[1 : len(id)-1]
	}
	return id
}

// isID reports whether id can be written between angle brackets and comes out
// the same.
func isID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f || id[i] == '<' || id[i] == '>' {
			return false
		}
	}
	return id != "" && len(id) <= maxWord
}

// encodedWordFrame is the length of an encoded word without its text.
const encodedWordFrame = len("=?utf-8?q?") + len("?=")

// encodeWords returns s as encoded words of UTF-8 (RFC 2047), the first not
// longer than first and the others not longer than rest. They are cut
// between characters, and are in Q encoding, which people can read, unless
// base64 is much shorter.
func encodeWords(s string, first, rest int) []string {
	s = strings.ToValidUTF8(s, "\ufffd")
	q := 0
	for i := range len(s) {
		q += qCost(s[i])
	}
	useQ := q <= 2*len(s) // base64 takes four thirds
	var words []string
	for limit := first; s != ""; limit = rest {
		n := fitting(s, limit-encodedWordFrame, useQ)
		if useQ {
			words = append(words, "=?utf-8?q?"+qEncode(s[:n])+"?=")
		} else {
			words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		}
		s = s[n:]
	}
	return words
}

// fitting returns how many bytes of s, at least one character, take up to room
// bytes when they are encoded.
func fitting(s string, room int, useQ bool) int {
	n, cost := 0, 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		if useQ {
			for i := n; i < n+size; i++ {
				cost += qCost(s[i])
			}
		} else {
			cost = (n + size + 2) / 3 * 4
		}
		if cost > room && n > 0 {
			return n
		}
		n += size
	}
	return n
}

// fittingBy returns how many bytes of s, at least one character, cost at most
// room.
func fittingBy(s string, room int, cost func(string) int) int {
	n := 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		if room -= cost(s[n : n+size]); room < 0 && n > 0 {
			return n
		}
		n += size
	}
	return n
}

// qCost returns the length of c in Q encoding. What need not be encoded is what
// may stand everywhere, also in a display name (RFC 2047 section 5).
func qCost(c byte) int {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == ' ',
		c == '!', c == '*', c == '+', c == '-', c == '/':
		return 1
	}
	return 3
}

// qEncode returns s in Q encoding.
func qEncode(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b = append(b, '_')
		case qCost(c) == 1:
			b = append(b, c)
		default:
			b = append(b, '=', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
