package spelling_test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/spelling"
)

func TestNearest(t *testing.T) {
	words := []string{"clientId", "clientSecret", "read-only", "from", "env"}
	for _, tt := range []struct {
		what, word string
		most       int
		want       string
	}{
		{"the word itself", "from", 2, "from"},
		{"other case", "CLIENTID", 2, "clientId"},
		{"other gaps", "read_only", 2, "read-only"},
		{"no gap", "readonly", 2, "read-only"},
		{"a letter too few", "clintId", 2, "clientId"},
		{"a letter too many", "froom", 2, "from"},
		{"another letter", "frim", 2, "from"},
		{"two that changed places", "evn", 2, "env"},
		{"more than half of a short word", "fa", 2, ""},
		{"as many changes as there may be", "klienTseckred", 3, "clientSecret"},
		{"one more than that", "klienTseckred", 2, ""},
		{"nothing like it", "subject", 3, ""},
		{"nothing at all", "", 3, ""},
		{"a very long word", strings.Repeat("clientId", 1<<16), 3, ""},
	} {
		if got := spelling.Nearest(tt.word, words, tt.most); got != tt.want {
			t.Errorf("%s: Nearest(%.20q, %d) = %q, want %q", tt.what, tt.word, tt.most, got, tt.want)
		}
	}
}
