package ews_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// numbered puts a message into the inbox that came n seconds later than number 0.
func (b *bed) numbered(tb testing.TB, n int) {
	tb.Helper()
	raw := fmt.Sprintf("From: bob@example.org\r\nSubject: report %d\r\n\r\n.\r\n", n)
	at := time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	if _, err := b.account.Append("INBOX", raw, &mailtest.AppendOptions{Received: at}); err != nil {
		tb.Fatal(err)
	}
}

// busyFolder is an inbox in which somebody works while it is listed.
type busyFolder struct {
	*bed

	tb    testing.TB
	next  int
	stays map[string]bool // the subjects of what was there all the time
}

func newBusyFolder(tb testing.TB, b *bed, n int) *busyFolder {
	tb.Helper()
	f := &busyFolder{bed: b, tb: tb, stays: map[string]bool{}}
	for range n {
		f.deliver()
		f.stays[fmt.Sprintf("report %d", f.next-1)] = true
	}
	return f
}

func (f *busyFolder) deliver() {
	f.numbered(f.tb, f.next)
	f.next++
}

// take picks messages, by their places in the folder, of which nobody can say any more
// that they were there all the time.
func (f *busyFolder) take(places ...int) []mailtest.UID {
	all, err := f.account.Messages("INBOX")
	if err != nil {
		f.tb.Fatal(err)
	}
	var uids []mailtest.UID
	for _, i := range places {
		m := all[i*len(all)/100]
		_, subject, _ := strings.Cut(m.Raw, "Subject: ")
		subject, _, _ = strings.Cut(subject, "\r\n")
		delete(f.stays, subject)
		uids = append(uids, m.UID)
	}
	return uids
}

// disturb delivers, deletes and moves, before and behind the place of the listing.
func (f *busyFolder) disturb() {
	f.deliver()
	if _, err := f.account.Expunge("INBOX", f.take(2, 7, 15, 40, 70, 95)...); err != nil {
		f.tb.Fatal(err)
	}
	away := f.take(5, 30, 80)
	if _, err := f.account.Move("INBOX", "Archive", away...); err != nil {
		f.tb.Fatal(err)
	}
	all, err := f.account.Messages("Archive")
	if err != nil {
		f.tb.Fatal(err)
	}
	if _, err := f.account.Move("Archive", "INBOX", all[0].UID); err != nil {
		f.tb.Fatal(err)
	}
}

// TestAListingWhileTheFolderChanges: between its pages messages come, go, and come back.
// What was there all the time is told once, in the order, and nothing is told twice,
// whatever release it is and however the messages are found.
func TestAListingWhileTheFolderChanges(t *testing.T) {
	queries := map[string]session.Filter{
		"all":               {},
		"unread":            {Unread: session.Yes},
		"native":            {Native: "subject:report"},
		"native, compared":  {Native: "subject:report", From: "bob"},
		"one of two native": {AnyOf: []session.Filter{{Native: "subject:report"}, {Native: "subject:other"}}},
	}
	type server struct {
		version    ewstest.Version
		unnumbered bool
	}
	servers := []server{{ewstest.Exchange2016, true}, {ewstest.Exchange2010SP2, true}}
	for _, v := range ewstest.Versions() {
		servers = append(servers, server{v, false})
	}
	for _, s := range servers {
		for name, where := range queries {
			if s.version == ewstest.Exchange2007SP1 && strings.Contains(name, "native") {
				continue
			}
			for _, oldest := range []bool{false, true} {
				t.Run(fmt.Sprint(s.version, " ", s.unnumbered, " ", name, " ", oldest), func(t *testing.T) {
					b := newBed(t, settings{server: ewstest.Options{Version: s.version, Unnumbered: s.unnumbered}, client: ews.Options{PageSize: 5}})
					f := newBusyFolder(t, b, 120)
					var told []string
					for m, err := range b.Messages(t.Context(), session.Query{Where: where, OldestFirst: oldest}) {
						if err != nil {
							t.Fatal(err)
						}
						told = append(told, m.Header.Subject())
						if len(told)%9 == 0 && len(told) < 80 {
							f.disturb()
						}
					}
					f.check(t, told, oldest, s.unnumbered)
				})
			}
		}
	}
}

func (f *busyFolder) check(t *testing.T, told []string, oldest, byTime bool) {
	t.Helper()
	if len(f.stays) < 20 {
		t.Fatalf("only %d messages were there all the time", len(f.stays))
	}
	count := map[string]int{}
	last := -1
	if !oldest {
		last = f.next
	}
	for _, subject := range told {
		if count[subject]++; count[subject] == 2 && f.stays[subject] {
			t.Errorf("%q is told twice", subject)
		}
		var n int
		if _, err := fmt.Sscanf(subject, "report %d", &n); err != nil {
			t.Fatal(err)
		}
		if f.stays[subject] || byTime {
			if n > last != oldest || n == last {
				t.Errorf("%d is told behind %d", n, last)
			}
			last = n
		}
	}
	for subject := range f.stays {
		if count[subject] == 0 {
			t.Errorf("%q is not told", subject)
		}
	}
}

// TestAServerThatDoesNotSeek: it refuses to, or tells of the folder from its beginning
// all the same. Then the place is asked for by a restriction, from then on.
func TestAServerThatDoesNotSeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := written("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items><t:Message><t:ItemId Id="x"/><t:ExtendedProperty>`+
			`<t:ExtendedFieldURI PropertyTag="0x0e23" PropertyType="Integer"/><t:Value>60</t:Value></t:ExtendedProperty></t:Message></t:Items></m:RootFolder>`)
		for name, fault := range map[string]mailtest.Fault{
			"refused":     ewstest.Failing("FindItem", "ErrorInvalidRequest"),
			"schema":      ewstest.FailingWhole("FindItem", "ErrorSchemaValidation"),
			"passed over": again,
		} {
			b := newBed(t, settings{client: ews.Options{PageSize: 10}})
			for n := range 60 {
				b.numbered(t, n)
			}
			b.server.Inject(fault.Skipping(1))
			for try := range 2 {
				if subjects, _, err := b.list(t.Context(), session.Query{}); err != nil || len(subjects) != 60 || subjects[59] != "report 0" {
					t.Errorf("%s: try %d lists %d messages, %v; want 60", name, try, len(subjects), err)
				}
			}
			sought := slices.DeleteFunc(b.made("FindItem"), func(r ewstest.Request) bool { return !strings.Contains(r.Body, "SeekToCondition") })
			if len(sought) != 1 {
				t.Errorf("%s: the server was asked to seek %d times, want once", name, len(sought))
			}
		}
	})
}

// huge is how many messages the folder of TestFewRequestsOfAHugeFolder has.
const huge = 100_000

// TestFewRequestsOfAHugeFolder: the first messages that a query finds cost a few requests
// and little memory, whoever finds them, and what the caller does not want is not asked for.
func TestFewRequestsOfAHugeFolder(t *testing.T) {
	b := newBed(t, settings{})
	for n := range huge {
		b.numbered(t, n)
	}
	_, ids, err := b.list(t.Context(), session.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		query session.Query
		stop  int
		most  int
	}{
		{"all", session.Query{Limit: 50}, 0, 2},
		{"native", session.Query{Limit: 50, Where: session.Filter{Native: "subject:report"}}, 0, 2},
		{"native, left early", session.Query{Where: session.Filter{Native: "subject:report"}}, 50, 2},
		{"native beside others", session.Query{Limit: 50, Where: session.Filter{Native: "subject:report", From: "bob"}}, 0, 2},
		{"native or not", session.Query{Limit: 50, Where: session.Filter{AnyOf: []session.Filter{{Native: "subject:report"}, {Keyword: "x"}}}}, 0, 3},
		{"the next page", session.Query{Limit: 50, After: ids[0]}, 0, 3},
	} {
		before := len(b.server.Requests())
		told := 0
		for _, err := range b.Messages(t.Context(), tt.query) {
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if told++; told == tt.stop {
				break
			}
		}
		made, bytes := b.server.Requests()[before:], 0
		for _, r := range made {
			bytes += len(r.Body) + len(r.Reply)
		}
		if told != 50 || len(made) > tt.most || bytes > 200<<10 {
			t.Errorf("%s: %d messages by %d requests of %d bytes, want 50 by %d of at most 200 kB", tt.name, told, len(made), bytes, tt.most)
		}
	}
}

// TestMessagesNamedByTheThousand are told in the order of the folder, without duplicates,
// by as few requests as the folder has pages or the ids have, and a few of them by fewer.
func TestMessagesNamedByTheThousand(t *testing.T) {
	b := newBed(t, settings{client: ews.Options{PageSize: 20}})
	for n := range 2500 {
		b.numbered(t, n)
	}
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil {
		t.Fatal(err)
	}
	shuffled := slices.Concat(ids[1200:], ids[:1200], ids[:3])
	few := slices.Concat(ids[2000:2010], ids[100:140])
	for _, tt := range []struct {
		name  string
		query session.Query
		want  []session.ID
		most  int
	}{
		{"all", session.Query{Where: session.Filter{IDs: shuffled}}, ids, 300},
		{"the first", session.Query{Where: session.Filter{IDs: shuffled}, Limit: 30}, ids[:30], 6},
		{"some", session.Query{Where: session.Filter{IDs: few}}, slices.Concat(ids[100:140], ids[2000:2010]), 8},
		{"a page", session.Query{Where: session.Filter{IDs: few[5:15]}, OldestFirst: true}, reversed(slices.Concat(ids[100:105], ids[2005:2010])), 3},
		{"behind a place", session.Query{Where: session.Filter{IDs: shuffled}, After: ids[9], Limit: 10}, ids[10:20], 6},
		{"some, behind a place", session.Query{Where: session.Filter{IDs: few}, After: ids[120]}, slices.Concat(ids[121:140], ids[2000:2010]), 9},
		{"and native", session.Query{Where: session.Filter{IDs: few, Native: "subject:report"}, Limit: 5}, ids[100:105], 3},
	} {
		before := len(b.server.Requests())
		_, got, err := b.list(t.Context(), tt.query)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d messages, %v; want %d in their order", tt.name, len(got), err, len(tt.want))
		}
		if made := len(b.server.Requests()) - before; made > tt.most {
			t.Errorf("%s: %d requests, want at most %d", tt.name, made, tt.most)
		}
	}
}

// TestNamedMessageThatCannotBeHad: what the server says about one message is told of it,
// whether its summary comes with its number or later.
func TestNamedMessageThatCannotBeHad(t *testing.T) {
	b := newBed(t, settings{})
	b.fill(t, 3)
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil {
		t.Fatal(err)
	}
	b.server.Inject(ewstest.Failing("GetItem", "ErrorCorruptData").Repeating(-1))
	for _, fields := range []session.Fields{session.FieldFlags, session.FieldsAll} {
		told := 0
		for _, err := range b.Messages(t.Context(), session.Query{Where: session.Filter{IDs: ids[1:2]}, Fields: fields}) {
			bad, ok := errors.AsType[*session.ItemError](err)
			if told++; !ok || bad.ID != ids[1] || !strings.Contains(err.Error(), "ErrorCorruptData") {
				t.Errorf("fields %v: %v; want an ItemError of the message that was named", fields, err)
			}
		}
		if told != 1 {
			t.Errorf("fields %v: told of %d messages, want one", fields, told)
		}
	}
}

func reversed(ids []session.ID) []session.ID {
	slices.Reverse(ids)
	return ids
}

// TestAServerThatRefusesTheOrder of what it finds in its own language: the order is made
// here. A query that it cannot read is an error all the same.
func TestAServerThatRefusesTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{client: ews.Options{PageSize: 4}})
		for n := range 10 {
			b.numbered(t, n)
		}
		b.server.Inject(ewstest.Failing("FindItem", "ErrorUnsupportedPathForSortGroup"))
		subjects, _, err := b.list(t.Context(), session.Query{Where: session.Filter{Native: "subject:report"}, OldestFirst: true})
		if err != nil || len(subjects) != 10 || subjects[0] != "report 0" || subjects[9] != "report 9" {
			t.Errorf("Messages = %q, %v; want ten in order", subjects, err)
		}
		if subjects, _, err = b.list(t.Context(), session.Query{Where: session.Filter{Native: "(subject:report"}}); err == nil {
			t.Errorf("what cannot be read finds %q, want an error", subjects)
		}
	})
}

// TestAServerThatKeepsNoOrder: what it finds in its own language it tells in an order of
// its own; then all of it is put in order here.
func TestAServerThatKeepsNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var items strings.Builder
		for _, n := range []int{3, 1, 4, 2} {
			fmt.Fprintf(&items, `<t:Message><t:ItemId Id="x%d"/><t:DateTimeReceived>2026-01-0%[1]dT00:00:00Z</t:DateTimeReceived><t:ExtendedProperty>`+
				`<t:ExtendedFieldURI PropertyTag="0x0e23" PropertyType="Integer"/><t:Value>%[1]d</t:Value></t:ExtendedProperty></t:Message>`, n)
		}
		for _, oldest := range []bool{false, true} {
			b := newBed(t, settings{client: ews.Options{PageSize: 3}})
			b.server.Inject(written("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items>`+items.String()+`</t:Items></m:RootFolder>`).Repeating(2))
			var days []int
			q := session.Query{Where: session.Filter{Native: "subject:x"}, Fields: session.FieldReceived, OldestFirst: oldest}
			for m, err := range b.Messages(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				days = append(days, m.Received.Day())
			}
			want := []int{4, 3, 2, 1}
			if oldest {
				slices.Reverse(want)
			}
			if !slices.Equal(days, want) {
				t.Errorf("told %v, want %v", days, want)
			}
		}
	})
}
