package imapx_test

import (
	"testing"

	"github.com/mailsession/mailsession/session"
)

// names returns the names of the commands that the server got since it had got
// a number of them.
func (w *world) names(since int) []string {
	var names []string
	for _, c := range w.server.Commands()[since:] {
		names = append(names, c.Name)
	}
	return names
}

// TestALongListingTakesFewRoundTrips: a loop that goes on gets larger pages, and
// the largest at once where the summaries are short. One that ends early has
// cost a small page.
func TestALongListingTakesFewRoundTrips(t *testing.T) {
	w := newWorld(t, 60, nil) // of which a first page has 10
	for _, tt := range []struct {
		name    string
		fields  session.Fields
		leaveAt int
		fetches int
	}{
		{"all", session.FieldsAll, 0, 3},    // 10, 40, 10
		{"flags", session.FieldFlags, 0, 1}, // 60
		{"the first of all", session.FieldsAll, 1, 1},
	} {
		before, n := len(w.server.Commands()), 0
		for _, err := range w.client.Messages(t.Context(), session.Query{Fields: tt.fields}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == tt.leaveAt {
				break
			}
		}
		fetches := 0
		for _, name := range w.names(before) {
			if name == "UID FETCH" {
				fetches++
			}
		}
		if fetches != tt.fetches {
			t.Errorf("%s: %d messages in %d commands, want %d", tt.name, n, fetches, tt.fetches)
		}
	}
}
