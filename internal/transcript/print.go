package transcript

import (
	"unicode"
	"unicode/utf8"
)

// appendPrintable appends b with everything that is not printable UTF-8 as
// \xNN, so that a server can neither begin a line of the transcript nor speak
// to the terminal that shows it.
func appendPrintable(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError && unicode.IsPrint(r) {
			dst = append(dst, b[:n]...)
		} else {
			for _, c := range b[:n] {
				dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
			}
		}
		b = b[n:]
	}
	return dst
}
