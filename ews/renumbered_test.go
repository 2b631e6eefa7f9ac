package ews_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/session"
)

// renumbering are the servers that give a message a new number when it is changed.
func renumbering(t *testing.T, check func(t *testing.T, b *bed, where session.Filter)) {
	t.Helper()
	for _, v := range ewstest.Versions() {
		for name, where := range map[string]session.Filter{"all": {}, "compared": {From: "bob"}, "native": {Native: "subject:report"}} {
			if v == ewstest.Exchange2007SP1 && name == "native" {
				continue
			}
			t.Run(fmt.Sprint(v, " ", name), func(t *testing.T) {
				b := newBed(t, settings{server: ewstest.Options{Version: v, Renumbered: true}, client: ews.Options{PageSize: 3}})
				for n := range 40 {
					b.numbered(t, n)
				}
				check(t, b, where)
			})
		}
	}
}

// mark gives a message a category, by which it gets a new number.
func (b *bed) mark(t *testing.T, id session.ID) {
	t.Helper()
	results, err := b.Apply(t.Context(), session.Change{Set: session.Flags{"handled"}}, id)
	if err != nil || results[0].Outcome != session.Done {
		t.Fatalf("mark %v: %v, %v", id, results, err)
	}
}

// TestAListingWhoseMessagesAreMarked: a program marks each message that it is told of.
// Every message is told once, and the listing ends.
func TestAListingWhoseMessagesAreMarked(t *testing.T) {
	renumbering(t, func(t *testing.T, b *bed, where session.Filter) {
		t.Helper()
		for _, oldest := range []bool{true, false} {
			told := map[session.ID]int{}
			for m, err := range b.Messages(t.Context(), session.Query{Where: where, OldestFirst: oldest}) {
				if err != nil {
					t.Fatal(err)
				}
				if told[m.ID]++; told[m.ID] == 2 {
					t.Fatalf("oldest first %v: a message is told twice, after %d others", oldest, len(told))
				}
				b.mark(t, m.ID)
			}
			if len(told) != 40 {
				t.Errorf("oldest first %v: told of %d messages, want all 40", oldest, len(told))
			}
		}
	})
}

// TestPagesWhoseMessagesAreMarked: the same with pages, each of which goes on behind the
// last message of the one before, whether a limit or the program ended that.
func TestPagesWhoseMessagesAreMarked(t *testing.T) {
	t.Run("by a limit", func(t *testing.T) { pagesMarked(t, 7, 100) })
	t.Run("left", func(t *testing.T) { pagesMarked(t, 0, 7) })
}

func pagesMarked(t *testing.T, limit, most int) {
	t.Helper()
	renumbering(t, func(t *testing.T, b *bed, where session.Filter) {
		t.Helper()
		for _, oldest := range []bool{true, false} {
			told := map[session.ID]bool{}
			q := session.Query{Where: where, OldestFirst: oldest, Limit: limit}
			for pages := 0; ; pages++ {
				before := len(told)
				for m, err := range b.Messages(t.Context(), q) {
					if err != nil {
						t.Fatal(err)
					}
					if told[m.ID] {
						t.Fatalf("oldest first %v: a message is told twice, after %d others", oldest, len(told))
					}
					told[m.ID], q.After = true, m.ID
					b.mark(t, m.ID)
					if len(told)-before == most {
						break
					}
				}
				if len(told) == before {
					break
				}
				if pages == 10 {
					t.Fatalf("oldest first %v: there is a page after %d", oldest, pages)
				}
			}
			if len(told) != 40 {
				t.Errorf("oldest first %v: told of %d messages, want all 40", oldest, len(told))
			}
		}
	})
}

// TestTheOtherWayFromAMarkedMessage: what a page told of is told again by one that goes
// on behind its last message in the other order.
func TestTheOtherWayFromAMarkedMessage(t *testing.T) {
	renumbering(t, func(t *testing.T, b *bed, where session.Filter) {
		t.Helper()
		_, first, err := b.list(t.Context(), session.Query{Where: where, OldestFirst: true, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		b.mark(t, first[9])
		_, back, err := b.list(t.Context(), session.Query{Where: where, After: first[9]})
		slices.Reverse(back)
		if err != nil || !slices.Equal(back, first[:9]) {
			t.Errorf("told of %d messages, %v; want the nine before", len(back), err)
		}
	})
}
