package session

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// filterKeys are the words of all terms.
func filterKeys() []string {
	return []string{
		"from", "to", "cc", "bcc", "subject", "body", "text", "header", "is", "has", "keyword", "label", "since", "before",
		"larger", "smaller", "id", "native",
	}
}

// unknown says which words there are, the one first that is most like key.
func (p *filterParser) unknown(start int, key string) error {
	keys := filterKeys()
	if p.query != nil {
		if slices.Contains(queryKeys(), key) {
			return p.fail(start, key+": outside of parentheses, without - and OR,")
		}
		keys = append(keys, queryKeys()...)
	}
	want := strings.Join(keys, ":, ") + ": or text between quotes"
	if near := nearest(key, keys); near != "" {
		want = near + ":, or another of " + want
	}
	return p.fail(start, want)
}

// nearest returns the word that takes the fewest changes to make of key, if
// those are few.
func nearest(key string, words []string) (near string) {
	const longest = 20 // no word is like a longer one
	if len(key) > longest {
		return ""
	}
	best := min(2, len(key)/2) + 1
	for _, w := range words {
		if d := changes(key, w); d < best {
			near, best = w, d
		}
	}
	return near
}

// changes counts the letters to add, to take away, to replace or to exchange with
// their neighbour that make b of a.
func changes(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
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

func parseInstant(word string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, word); err == nil {
			t = t.UTC()
			return t, !t.IsZero() && t.Year() >= 1 && t.Year() <= 9999
		}
	}
	return time.Time{}, false
}

func parseSize(word string) (int64, bool) {
	unit := int64(1)
	for _, u := range sizeUnits() {
		if n := len(word) - 1; n > 0 && strings.EqualFold(word[n:], u.letter) {
			word, unit = word[:n], u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}
