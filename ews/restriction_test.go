package ews_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// TestSizesBeyondItsNumbers: Exchange keeps sizes as numbers of 32 bits. Nothing is
// larger than the greatest of them, and everything smaller than what is beyond it.
func TestSizesBeyondItsNumbers(t *testing.T) {
	const greatest = 1<<31 - 1
	b := newBed(t, settings{})
	b.fill(t, 2)
	for _, tt := range []struct {
		where session.Filter
		asked string
		want  int
	}{
		{session.Filter{Larger: 1}, `"IsGreaterThan" 1`, 2},
		{session.Filter{Larger: greatest}, `"IsGreaterThan" 2147483647`, 0},
		{session.Filter{Larger: 1 << 40}, `"IsGreaterThan" 2147483647`, 0},
		{session.Filter{Smaller: greatest}, `"IsLessThan" 2147483647`, 2},
		{session.Filter{Smaller: 1 << 40}, `"IsLessThanOrEqualTo" 2147483647`, 2},
		{session.Filter{Not: &session.Filter{Smaller: 1 << 40}}, `"IsLessThanOrEqualTo" 2147483647`, 0},
		{session.Filter{Not: &session.Filter{Larger: 1 << 40}}, `"IsGreaterThan" 2147483647`, 2},
	} {
		_, ids, err := b.list(t.Context(), session.Query{Where: tt.where})
		if err != nil || len(ids) != tt.want {
			t.Errorf("Messages(%v) = %d, %v; want %d", tt.where, len(ids), err, tt.want)
		}
		all := b.made("FindItem")
		how, value, _ := strings.Cut(tt.asked, " ")
		asked := all[len(all)-1].Body
		if !strings.Contains(asked, "<t:"+strings.Trim(how, `"`)+">") || !strings.Contains(asked, fmt.Sprintf(`<t:Constant Value="%s"/>`, value)) {
			t.Errorf("Messages(%v) asks %s, want %s", tt.where, asked, tt.asked)
		}
	}
}
