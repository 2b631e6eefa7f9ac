package message

import "unicode"

// isFormat reports whether r is one of the characters that are not seen but
// change how others are: controls of direction, joiners, soft hyphens, byte order
// marks.
func isFormat(r rune) bool { return unicode.Is(unicode.Cf, r) }
