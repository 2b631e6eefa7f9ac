package state

import (
	"errors"
	"fmt"
	"strings"
)

// MaxKey is the greatest length of a key, in bytes.
const MaxKey = 200

// ErrInvalidKey says that a key breaks the rules of [CheckKey].
var ErrInvalidKey = errors.New("invalid key")

// CheckKey returns nil if key may name a record: 1 to [MaxKey] bytes, in
// segments joined by "/", none of which is empty, "." or "..", of the letters a
// to z and A to Z, the digits, and "._@+-=". Upper and lower case differ. The
// error wraps [ErrInvalidKey] and says what is wrong. Text of any other kind,
// such as the name of a folder, has to be encoded before it becomes a segment.
func CheckKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("%w: it has %d bytes, %d are allowed", ErrInvalidKey, len(key), MaxKey)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("%w %q: a segment is %q", ErrInvalidKey, key, segment)
		}
	}
	for i := range len(key) {
		if !inKey(key[i]) {
			return fmt.Errorf("%w %q: byte %d is neither a letter, nor a digit, nor one of ._@+-=/", ErrInvalidKey, key, i)
		}
	}
	return nil
}

// inKey reports whether c may be in a key.
func inKey(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || strings.IndexByte("._@+-=/", c) >= 0
}

// isLetter reports whether c is a letter of ASCII.
func isLetter(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z'
}
