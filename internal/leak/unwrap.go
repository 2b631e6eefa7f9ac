package leak

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"iter"
	"strconv"
	"strings"
)

// A wrapped is what a text holds in another form.
type wrapped struct {
	name  string
	text  string
	start int // where the wrapping begins
}

// unwrap goes through everything that text may be, or holds, in another form.
func unwrap(text string) iter.Seq[wrapped] {
	return func(yield func(wrapped) bool) {
		for _, find := range []func(string, func(wrapped) bool) bool{base64Runs, hexRuns, numbers, escapes} {
			if !find(text, yield) {
				return
			}
		}
	}
}

// readable reports whether text may be text, with the control characters that
// sign-in messages and protocols have. What only looks like base64 gives
// anything else.
func readable(text string) bool {
	odd := 0
	for _, c := range []byte(text) {
		if c >= 0x7f || c < ' ' && c != '\t' && c != '\n' && c != '\r' && c > 1 {
			odd++
		}
	}
	return odd*4 <= len(text)
}

// minBase64 and minHex are how long the shortest runs are that could hold the
// marker.
const (
	minBase64 = (4*len(Marker) + 2) / 3
	minHex    = 2 * len(Marker)
)

// base64Runs decodes each run of either alphabet from each of its first four
// bytes on, since what stands directly in front of it may be of the alphabet.
func base64Runs(text string, yield func(wrapped) bool) bool {
	for at, run := range runs(text, isBase64, minBase64) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
		for skip := range 4 {
			rest := run[skip:]
			if len(rest)%4 == 1 {
				rest = rest[:len(rest)-1]
			}
			decoded, err := base64.RawStdEncoding.DecodeString(rest)
			if err == nil && !yield(wrapped{"base64", string(decoded), at}) {
				return false
			}
		}
	}
	return true
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}

// hexRuns decodes each run of hexadecimal digits from each of its first two on.
func hexRuns(text string, yield func(wrapped) bool) bool {
	for at, run := range runs(text, isHex, minHex) {
		for skip := range 2 {
			rest := run[skip:]
			decoded, err := hex.DecodeString(rest[:len(rest)&^1])
			if err == nil && !yield(wrapped{"hexadecimal", string(decoded), at}) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// runs goes through the runs of at least atLeast bytes that belong.
func runs(text string, belongs func(byte) bool, atLeast int) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for at := 0; at < len(text); at++ {
			end := at
			for end < len(text) && belongs(text[end]) {
				end++
			}
			if end-at >= atLeast && !yield(at, text[at:end]) {
				return
			}
			at = end
		}
	}
}

// numbers decodes bytes as fmt prints them: [104 117] or []byte{0x68, 0x75}.
func numbers(text string, yield func(wrapped) bool) bool {
	isList := func(c byte) bool { return isHex(c) || c == 'x' || c == ' ' || c == ',' }
	for at, run := range runs(text, isList, minHex) {
		var decoded []byte
		for _, field := range strings.FieldsFunc(run, func(c rune) bool { return c == ' ' || c == ',' }) {
			if n, err := strconv.ParseUint(field, 0, 8); err == nil {
				decoded = append(decoded, byte(n))
			}
		}
		if len(decoded) >= len(Marker) && !yield(wrapped{"numbers", string(decoded), at}) {
			return false
		}
	}
	return true
}

// escapes resolves the escapes of URLs, of strings and of HTML, as far as
// there are any; what is no escape stays as it is.
func escapes(text string, yield func(wrapped) bool) bool {
	for _, e := range []struct {
		name, mark string
		resolve    func(string) string
	}{
		{"URL encoding", "%", func(s string) string { return resolve(s, '%', fromPercent) }},
		{"string escapes", `\`, func(s string) string { return resolve(s, '\\', fromBackslash) }},
		{"HTML", "&", html.UnescapeString},
	} {
		at := strings.Index(text, e.mark)
		if at < 0 {
			continue
		}
		plain := e.resolve(text)
		word := strings.LastIndexAny(text[:at], " \t\"'<>=") + 1
		if plain != text && !yield(wrapped{e.name, plain, word}) {
			return false
		}
	}
	return true
}

// resolve replaces each escape: decode is given what follows the mark and
// returns the meaning and how much of it belonged to the escape, 0 for none.
func resolve(text string, mark byte, decode func(string) (string, int)) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, string(mark))
		out.WriteString(before)
		if !found {
			return out.String()
		}
		meaning, n := decode(after)
		if n == 0 {
			meaning = string(mark)
		}
		out.WriteString(meaning)
		text = after[n:]
	}
}

func fromPercent(after string) (string, int) {
	return byteOf(after, 0, 2, 16)
}

// fromBackslash knows the escapes of Go, JSON and shells.
func fromBackslash(after string) (string, int) {
	if after == "" {
		return "", 0
	}
	switch c := after[0]; c {
	case 'n', 'r', 't':
		return map[byte]string{'n': "\n", 'r': "\r", 't': "\t"}[c], 1
	case 'x':
		return byteOf(after, 1, 2, 16)
	case 'u':
		return runeOf(after)
	case '"', '\\', '/', '\'':
		return after[:1], 1
	}
	return byteOf(after, 0, 3, 8)
}

// byteOf reads the byte whose digits stand at offset from.
func byteOf(after string, from, digits, base int) (string, int) {
	if len(after) < from+digits {
		return "", 0
	}
	n, err := strconv.ParseUint(after[from:from+digits], base, 8)
	if err != nil {
		return "", 0
	}
	return string([]byte{byte(n)}), from + digits
}

func runeOf(after string) (string, int) {
	const digits = 4
	if len(after) < 1+digits {
		return "", 0
	}
	n, err := strconv.ParseUint(after[1:1+digits], 16, 16)
	if err != nil {
		return "", 0
	}
	return string(rune(n)), 1 + digits
}
