package pop3x_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/session"
)

// TestMessagesThatShareANameAreReadAndNotDeleted, because nobody could tell the
// server which of them is meant.
func TestMessagesThatShareANameAreReadAndNotDeleted(t *testing.T) {
	w := newWorld(t, 3, &pop3test.Options{UID: func(m mailtest.Message) string {
		if strings.Contains(m.Raw, "sample-2@") {
			return "own"
		}
		return "shared"
	}}, nil)
	ids := w.ids()
	for i, id := range ids {
		if raw, err := read(t.Context(), w.client, id); err != nil || raw != mailtest.Sample(i+1) {
			t.Errorf("message %d: %d bytes, %v", i+1, len(raw), err)
		}
	}
	results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids...)
	if err != nil || outcomes(results) != "not done, done, not done" || w.left() != "1 3" {
		t.Errorf("Apply = %s, %v; left are %s", outcomes(results), err, w.left())
	}
}

// TestTheLastOfSeveralWithOneNameIsNotTakenForAnother: the message that is left
// may not be the one that was meant. It has an id of its own from then on.
func TestTheLastOfSeveralWithOneNameIsNotTakenForAnother(t *testing.T) {
	for gone := range 2 {
		w := newWorld(t, 2, &pop3test.Options{UID: func(mailtest.Message) string { return "shared" }}, nil)
		ids := w.ids()
		kept, err := w.account.Messages("INBOX")
		if err == nil {
			_, err = w.account.Expunge("INBOX", kept[gone].UID)
		}
		if err != nil {
			t.Fatal(err)
		}
		results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids...)
		if err != nil || outcomes(results) != "not done, not done" || w.left() == "" {
			t.Errorf("Apply after message %d went = %s, %v; left are %q", gone+1, outcomes(results), err, w.left())
		}
		results, err = w.client.Apply(t.Context(), session.Change{Delete: true}, w.ids()...)
		if err != nil || outcomes(results) != "done" || w.left() != "" {
			t.Errorf("Apply to what is left = %s, %v; left are %q", outcomes(results), err, w.left())
		}
	}
}

// TestAListGoesOnBehindMessagesThatShareAName: page by page, each comes once.
func TestAListGoesOnBehindMessagesThatShareAName(t *testing.T) {
	w := newWorld(t, 3, &pop3test.Options{UID: func(mailtest.Message) string { return "shared" }}, nil)
	var got []*session.Message
	q := session.Query{OldestFirst: true, Limit: 1}
	for range 3 {
		page, err := collect(t.Context(), w.client, q)
		if err != nil || len(page) != 1 {
			t.Fatalf("a page has %d messages, %v", len(page), err)
		}
		got, q.After = append(got, page...), page[0].ID
	}
	if subjects(got) != "1 2 3" {
		t.Errorf("the pages have %q", subjects(got))
	}
}

// TestAServerWithoutUIDLIsForReading: messages are known by their headers.
func TestAServerWithoutUIDLIsForReading(t *testing.T) {
	for name, o := range map[string]*pop3test.Options{
		"offered":  {Capabilities: pop3test.Without("UIDL")},
		"TOP less": {Capabilities: pop3test.Without("UIDL", "TOP")},
		"no CAPA":  {Capabilities: pop3test.Without("UIDL", "PIPELINING"), NoCAPA: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, o, nil)
			facts, err := w.client.Facts(t.Context())
			if err != nil || facts.SafeDelete {
				t.Errorf("Facts = %+v, %v; want that deleting is not safe", facts, err)
			}
			ids := w.ids()
			for i, id := range slices.Backward(ids) {
				if raw, err := read(t.Context(), w.client, id); err != nil || raw != mailtest.Sample(i+1) {
					t.Errorf("message %d: %d bytes, %v", i+1, len(raw), err)
				}
			}
			results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids[0])
			if err != nil || outcomes(results) != "not done" || !errors.Is(results[0].Err, errors.ErrUnsupported) || w.left() != "1 2 3" {
				t.Errorf("Apply = %+v, %v; left are %s", results, err, w.left())
			}
		})
	}
}

// TestAServerThatMarksWhatWasReadKeepsTheNames: servers over mailbox files write
// fields of their own into a message that was read.
func TestAServerThatMarksWhatWasReadKeepsTheNames(t *testing.T) {
	w := newWorld(t, 3, &pop3test.Options{Capabilities: pop3test.Without("UIDL")}, nil)
	before := w.ids()
	w.server.Inject(mailtest.Lines("TOP", func(n int, line string) string {
		if n == 2 {
			return "Status: RO\r\nX-UIDL: 1,\r\n 2\r\n" + line
		}
		return line
	}).Repeating(-1))
	if after := w.ids(); len(before) != 3 || !slices.Equal(before, after) {
		t.Errorf("the messages are %v, and then %v", before, after)
	}
}
