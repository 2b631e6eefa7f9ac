package message

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxCharsetName is how long the name of a character set in an encoded word
// may be.
const maxCharsetName = 64

// decodeText decodes the encoded words of s (RFC 2047) and returns one line of
// text.
func decodeText(s string) string {
	if !strings.Contains(s, "=?") {
		return oneLine(s)
	}
	return oneLine(decodeWords(s))
}

// decodeWords replaces the encoded words in s. White space between two of them
// is dropped (RFC 2047 section 6.2), and neighbours of one character set are
// decoded together, because many senders cut between the bytes of a character,
// or between the digits of base64. Words are found anywhere, also inside quotes
// and next to other text, where they should not be.
func decodeWords(s string) string {
	var d wordDecoder
	for {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		w, ok := parseWord(s[i:])
		if !ok {
			d.text(s[:i+2])
			s = s[i+2:]
			continue
		}
		d.text(s[:i])
		d.word(w)
		s = s[i+w.size:]
	}
	d.text(s)
	d.flush()
	return d.out.String()
}

// A word is an encoded word.
type word struct {
	charset string
	base64  bool // B, not Q
	text    string
	size    int // of the whole word
}

// parseWord reads the encoded word that s begins with. Its text goes on to the
// first "?=", also over white space, but not over the beginning of another
// word.
func parseWord(s string) (word, bool) {
	rest := s[2:]
	q := strings.IndexByte(rest[:min(len(rest), maxCharsetName)], '?')
	if q <= 0 || q+2 >= len(rest) || rest[q+2] != '?' || strings.ContainsAny(rest[:q], " \t=") {
		return word{}, false
	}
	w := word{charset: rest[:q]}
	switch rest[q+1] {
	case 'B', 'b':
		w.base64 = true
	case 'Q', 'q':
	default:
		return word{}, false
	}
	// A language may follow the character set (RFC 2231 section 5).
	w.charset, _, _ = strings.Cut(w.charset, "*")
	begin := 2 + q + 3
	for i := begin; i+1 < len(s); i++ {
		switch {
		case s[i] == '?' && s[i+1] == '=':
			w.text, w.size = s[begin:i], i+2
			return w, w.charset != ""
		case s[i] == '=' && s[i+1] == '?' && (i+2 == len(s) || s[i+2] != '='):
			return word{}, false
		}
	}
	return word{}, false
}

// A wordDecoder joins text and words.
type wordDecoder struct {
	out     strings.Builder
	charset string
	data    []byte // decoded bytes of the words since the last text
	digits  []byte // base64 digits at the end of the last word, less than a group
	inWords bool
}

// text takes what stands before, between or behind words. White space between
// two words is dropped.
func (d *wordDecoder) text(s string) {
	if d.inWords && strings.Trim(s, " \t") == "" {
		return
	}
	d.flush()
	d.out.WriteString(s)
}

func (d *wordDecoder) word(w word) {
	if d.inWords && !strings.EqualFold(d.charset, w.charset) {
		d.flush()
	}
	d.inWords, d.charset = true, w.charset
	d.data = slices.Grow(d.data, len(w.text))
	if w.base64 {
		d.data, d.digits = appendBase64(d.data, d.digits, w.text)
		return
	}
	d.endDigits()
	d.data = appendQ(d.data, w.text)
}

// endDigits decodes base64 digits that have waited for more in vain.
func (d *wordDecoder) endDigits() {
	d.data = appendLastDigits(d.data, d.digits)
	d.digits = d.digits[:0]
}

// flush decodes the words that have gathered.
func (d *wordDecoder) flush() {
	if !d.inWords {
		return
	}
	d.endDigits()
	if isUTF8(charsetName(d.charset)) && utf8.Valid(d.data) {
		d.out.Write(d.data)
	} else if s, ok := decodeCharset(d.charset, d.data); ok {
		d.out.WriteString(s)
	} else {
		d.out.WriteString(toUTF8(d.data))
	}
	d.data, d.inWords = d.data[:0], false
}

// appendQ appends what the text of a Q word stands for (RFC 2047 section 4.2).
// An equals sign without two hexadecimal digits stands for itself.
func appendQ(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			dst = append(dst, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) != noDigit && unhex(s[i+2]) != noDigit:
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// noDigit is the value of a character that is no digit.
const noDigit = 0xff

// unhex returns the value of a hexadecimal digit, or noDigit.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= lower(c) && lower(c) <= 'f':
		return lower(c) - 'a' + 10
	}
	return noDigit
}
