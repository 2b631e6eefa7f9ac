package message

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// flowFrom is how many characters a line of format=flowed may have before it
	// is broken, and flowAt where that is (RFC 3676 section 4.2).
	flowFrom = 76
	flowAt   = 72
	// flowNone is how long a word of ASCII may be before there is no use in
	// keeping it whole.
	flowNone = 900
)

// flow returns canonical text as format=flowed (RFC 3676), and whether lines are
// to be joined without the space that they end in (DelSp). That is how text is
// broken that has no spaces, such as Chinese.
func flow(text string) (flowed string, delSp bool) {
	lines := strings.SplitAfter(text, "\r\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r\n")
		delSp = delSp || isUnspaced(lines[i])
	}
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1] // behind the last end
	}
	var b strings.Builder
	for _, line := range lines {
		flowLine(&b, line, delSp)
	}
	return b.String(), delSp
}

// isUnspaced reports whether a line has to be broken where there is no space.
func isUnspaced(line string) bool {
	for word := range strings.FieldsSeq(line) {
		if utf8.RuneCountInString(word) > flowNone || len(word) > flowFrom && !isPlain(word) && utf8.RuneCountInString(word) > flowAt/2 {
			return true
		}
	}
	return false
}

// flowLine writes a line as a paragraph.
func flowLine(b *strings.Builder, line string, delSp bool) {
	content := strings.TrimLeft(line, ">")
	quote := line[:len(line)-len(content)]
	if quote != "" {
		content = strings.TrimPrefix(content, " ")
	}
	if content != signatureLine {
		content = strings.TrimRight(content, " ")
	}
	space := max(flowAt-len(quote), flowAt/2)
	for long := utf8.RuneCountInString(content)+len(quote) > flowFrom; long; {
		n := breakAt(content, space, delSp)
		if n == len(content) {
			break
		}
		stuff(b, quote, content[:n])
		if delSp {
			b.WriteByte(' ')
		}
		b.WriteString("\r\n")
		content = content[n:]
	}
	stuff(b, quote, content)
	b.WriteString("\r\n")
}

// signatureLine is what a signature begins with (RFC 3676 section 4.3).
const signatureLine = "-- "

// stuff writes the beginning of a line: its depth, and a space where content
// would be taken for something else (RFC 3676 sections 4.4 and 4.5).
func stuff(b *strings.Builder, quote, content string) {
	b.WriteString(quote)
	if quote != "" && content != "" ||
		strings.HasPrefix(content, " ") || strings.HasPrefix(content, ">") || strings.HasPrefix(content, "From ") {
		b.WriteByte(' ')
	}
	b.WriteString(content)
}

// breakAt returns how much of a paragraph goes on the next line: up to the last
// space before so many characters, which stays at the end of the line. A longer
// word stays whole, unless it is not of ASCII or beyond measure, and delSp.
func breakAt(s string, characters int, delSp bool) int {
	count, space, hard := 0, 0, 0
	flags := 0 // letters of flags in a row, of which two are one
	var last rune
	for i, r := range s {
		if count > 0 && count <= characters && flags%2 == 0 && r != '>' && breakable(last, r) {
			hard = i
		}
		if flags++; r < '\U0001f1e6' || r > '\U0001f1ff' {
			flags = 0
		}
		if count >= characters {
			if space > 0 {
				return space
			}
			if delSp && (!isASCII(s[:i]) || count > flowNone) && hard > 0 {
				return hard
			}
		}
		// A signature begins with "-- ". A line may begin with ">" behind a space,
		// which not every reader takes away.
		if r == ' ' && s[:i] != "--" && !strings.HasPrefix(s[i+1:], ">") {
			space = i + 1
		}
		if count >= characters && space > 0 {
			return space
		}
		count, last = count+1, r
	}
	return len(s)
}

// breakable reports whether a line may end between two characters that no space
// is between: not within one that a person sees as one.
func breakable(a, b rune) bool {
	const joiner = '\u200d'
	switch {
	case a == joiner, b == joiner, a == ' ', b == ' ',
		unicode.In(b, unicode.Mn, unicode.Mc, unicode.Me, unicode.Variation_Selector):
		return false
	case b >= '\U0001f3fb' && b <= '\U0001f3ff': // tones of skin
		return false
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
