// Package spelling finds the word that somebody probably meant.
package spelling

import (
	"strings"
	"unicode"
)

// Nearest returns the one of some words that takes the fewest changes to make of
// word: at most so many, and at most as many as half of its letters. It returns ""
// where there is none. The case of letters, and what stands between words, is no
// change; two letters that changed places are one.
func Nearest(word string, words []string, most int) (near string) {
	word = letters(word)
	best := min(most, len(word)/2) + 1
	for _, w := range words {
		other := letters(w)
		if differ := len(word) - len(other); differ >= best || -differ >= best {
			continue // and what is long is compared with nothing
		}
		if d := distance(word, other); d < best {
			near, best = w, d
		}
	}
	return near
}

// letters returns a word in small letters, without what stands between words.
func letters(word string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, word)
}

// distance counts the letters to add, to take away, to replace or to exchange
// with their neighbour that make b of a: the distance of Damerau and Levenshtein,
// in which no letter is changed twice.
func distance(a, b string) int {
	rows, width := make([][]int, len(a)+1), len(b)+1
	cells := make([]int, len(rows)*width)
	for i := range rows {
		rows[i] = cells[i*width : (i+1)*width]
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
