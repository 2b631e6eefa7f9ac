package session

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/spelling"
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
	if near := spelling.Nearest(key, keys, 2); near != "" {
		want = near + ":, or another of " + want
	}
	return p.fail(start, want)
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
