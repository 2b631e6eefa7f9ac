package profile

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// indexOf returns the index of a word, -1 where it is not in the list.
func indexOf(words []string, word string) int { return slices.Index(words, word) }

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

// nearest returns the word that takes the fewest changes to make of word, if
// those are few. The case of letters, and what stands between words, is no
// change.
func nearest(word string, words []string) (near string) {
	const longest = 40 // no word is like a longer one
	if len(word) > longest {
		return ""
	}
	word = letters(word)
	best := min(3, len(word)/2) + 1
	for _, w := range words {
		other := letters(w)
		if differ := len(word) - len(other); differ >= best || -differ >= best {
			continue
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
// with their neighbour that make b of a.
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
