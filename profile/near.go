package profile

import (
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/spelling"
)

// cut shortens a word that is quoted.
func cut(word string) string {
	const longest = 40
	if r := []rune(word); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return word
}

// nearOf says which word was probably meant, or which ones there are.
func nearOf(word string, words []string) string {
	if near := nearest(word, words); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return "known are " + strings.Join(words, ", ")
}

// nearest returns the word that was probably meant, "" where none is like it.
func nearest(word string, words []string) string { return spelling.Nearest(word, words, 3) }
