package imapx_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// specimen is a message to look for.
type specimen struct {
	raw      string
	flags    []string
	received time.Time
}

// noon is a day at noon in a zone so many hours east of UTC.
func noon(day, zone int) time.Time {
	return time.Date(2026, time.January, day, 12, 0, 0, 0, time.FixedZone("", zone*60*60))
}

// specimens are messages in all that filters ask for.
func specimens() []specimen {
	return []specimen{
		{"From: Ann <ann@example.com>\nTo: bob@example.org\nSubject: Lunch on Friday\n\nShall we?\n", []string{mailtest.Seen}, noon(1, 0)},
		{"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\nCc: Ann <ann@example.com>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nSch=C3=B6ne Gr=C3=BC=C3=9Fe\n", []string{mailtest.Flagged, "$Work"}, noon(2, -11)},
		{"From: bob@example.org\nTo: ann@example.com\nSubject: report\nList-Id: <reports.example.org>\nX-Foo: one\nX-Foo: bar\nContent-Type: multipart/mixed; boundary=zz\n\n--zz\nContent-Type: text/plain\n\nthe figures\n--zz\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=q1.pdf\n\n%PDF\n--zz--\n", []string{mailtest.Answered, mailtest.Seen}, noon(2, 14)},
		{"From: carol@example.net\nBcc: dave@example.net\nSubject: RE: lunch\nContent-Type: multipart/alternative; boundary=yy\n\n--yy\nContent-Type: text/plain\n\nwith pleasure\n--yy\nContent-Type: text/html\n\n<b>with pleasure</b>\n--yy--\n", []string{mailtest.Draft}, noon(3, 0)},
		{"From: ann@example.com\nSubject: FW: figures\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\nFrom: eve@example.net\nSubject: inner\n\nhidden figures\n--xx--\n", []string{mailtest.Deleted, mailtest.Seen}, noon(3, 1)},
		{"From: bob@example.org\nSubject: long\n\n" + strings.Repeat("a long line of text\n", 500), nil, noon(4, 0)},
	}
}

// newSearch makes a world with specimens, so many times over.
func newSearch(t *testing.T, times int, o *imaptest.Options) *world {
	t.Helper()
	w := newWorld(t, 0, o)
	for range times {
		for _, s := range specimens() {
			if _, err := w.account.Append("INBOX", mailtest.CRLF(s.raw), &mailtest.AppendOptions{Flags: s.flags, Received: s.received}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// keysOf returns the numbers of messages, the oldest first.
func keysOf(t *testing.T, messages iter.Seq2[*session.Message, error]) string {
	t.Helper()
	var found []string
	for _, m := range list(t, messages) {
		parts, err := m.ID.Parts()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, parts.Key)
	}
	slices.Reverse(found)
	return strings.Join(found, " ")
}

func parse(t *testing.T, text string) session.Filter {
	t.Helper()
	f, err := session.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSearchFinds looks for each property alone and for some together, on a
// server with and without what makes it easy.
func TestSearchFinds(t *testing.T) {
	for name, o := range map[string]*imaptest.Options{
		"in full":            nil,
		"waits for literals": {Capabilities: imaptest.Without("LITERAL+")},
		"without a charset":  {NoCharset: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSearch(t, 1, o)
			for text, want := range map[string]string{
				"":                            "1 2 3 4 5 6",
				"from:ANN":                    "1 5",
				"from:jörg":                   "2",
				"to:bob cc:ann":               "",
				"cc:ann":                      "2",
				"bcc:dave":                    "4",
				"subject:lunch":               "1 4",
				"subject:GRÜSSE":              "",
				"subject:grüße -subject:müll": "2",
				"body:schöne":                 "2",
				"body:figures":                "3 5",
				"figures":                     "3 5",
				"body:inner":                  "",
				"text:inner":                  "5",
				"header:X-Foo":                "3",
				"header:x-foo=BAR":            "3",
				"header:List-Id=reports":      "3",
				"is:unread":                   "2 4 6",
				"is:read -is:answered":        "1 5",
				"is:flagged OR is:draft":      "2 4",
				"is:deleted":                  "5",
				"keyword:$work":               "2",
				"-keyword:$work is:unread":    "4 6",
				`keyword:\Seen`:               "1 3 5",
				// The second came at 23:00 on January 2 in UTC, the third at 22:00
				// on the 1st.
				"since:2026-01-02T00:00:00Z":                             "2 4 5 6",
				"since:2026-01-02T23:00:00Z":                             "2 4 5 6",
				"since:2026-01-02T23:00:01Z":                             "4 5 6",
				"before:2026-01-01T22:00:01Z":                            "1 3",
				"before:2026-01-01T22:00:00Z":                            "1",
				"-since:2026-01-02":                                      "1 3",
				"since:2026-01-02T00:00:00Z before:2026-01-03T11:30:00Z": "2 5",
				"(since:2026-01-03T12:00:00Z is:unread) OR from:carol":   "4 6",
				"larger:5K":                      "6",
				"-larger:5K smaller:200":         "1",
				"has:attachment":                 "3 5",
				"-has:attachment is:unread":      "2 4 6",
				"has:attachment OR subject:long": "3 5 6",
				"-(has:attachment OR body:text) -(from:carol to:nobody)":   "1 2 4",
				"from:müller OR body:schöne OR subject:lunch from:example": "1 2 4",
			} {
				f := parse(t, text)
				if got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: f})); got != want {
					t.Errorf("%s finds %q, want %q", text, got, want)
				}
			}
		})
	}
}

// alone compares every message with a filter, without asking the server.
func alone(t *testing.T, in *imapx.Client, all []*session.Message, f session.Filter) string {
	t.Helper()
	m := match.New(f)
	var found []string
	for _, summary := range all {
		r, err := in.Open(t.Context(), summary.ID)
		if err != nil {
			t.Fatal(err)
		}
		body, err := message.Parse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		whole := *summary
		whole.Header = body.Header
		if m.Match(&whole, body) == match.Yes {
			parts, _ := summary.ID.Parts()
			found = append(found, parts.Key)
		}
	}
	return strings.Join(found, " ")
}

// anyFilter makes a filter by chance.
func anyFilter(r *rand.Rand, all []*session.Message, depth int) session.Filter {
	word := func(words ...string) string { return words[r.IntN(len(words))] }
	condition := func() session.Condition { return []session.Condition{session.Any, session.Yes, session.No}[r.IntN(3)] }
	at := func() time.Time {
		return noon(1+r.IntN(4), r.IntN(26)-12).Add(time.Duration(r.IntN(3)-1) * time.Hour).UTC()
	}
	var f session.Filter
	for range 1 + r.IntN(2) {
		switch r.IntN(18) {
		case 0:
			f.From = word("ann", "EXAMPLE", "jörg", "zebra")
		case 1:
			f.To = word("bob", "ann")
		case 2:
			f.Cc = word("Ann", "x")
		case 3:
			f.Subject = word("lunch", "GRÜ", "report", "fig", "r")
		case 4:
			f.Body = word("figures", "schöne", "pleasure", "hidden", "inner")
		case 5:
			f.Text = word("figures", "lunch", "grü", "inner")
		case 6:
			f.Header = session.HeaderMatch{Name: word("X-Foo", "List-Id", "subject"), Value: word("", "bar", "re")}
		case 7:
			f.Since = at()
		case 8:
			f.Before = at()
		case 9:
			f.Unread = condition()
		case 10:
			f.Flagged = condition()
		case 11:
			f.Answered, f.Draft, f.Deleted = condition(), condition(), condition()
		case 12:
			f.Keyword = session.Flag(word("$work", "$None", `\seen`))
		case 13:
			f.Larger, f.Smaller = int64(r.IntN(400)), int64(r.IntN(20_000))
		case 14:
			f.HasAttachment = condition()
		case 15:
			for range r.IntN(len(all)) {
				f.IDs = append(f.IDs, all[r.IntN(len(all))].ID)
			}
		default:
		}
	}
	if depth == 0 {
		return f
	}
	for range r.IntN(3) {
		f.AnyOf = append(f.AnyOf, anyFilter(r, all, depth-1))
	}
	for range r.IntN(2) {
		f.All = append(f.All, anyFilter(r, all, depth-1))
	}
	if r.IntN(3) == 0 {
		not := anyFilter(r, all, depth-1)
		f.Not = &not
	}
	return f
}

// TestServerAndClientAgree: whatever is asked, the server's part and the rest
// together find what comparing every message here finds.
func TestServerAndClientAgree(t *testing.T) {
	for name, o := range map[string]*imaptest.Options{"in full": nil, "without a charset": {NoCharset: true}} {
		t.Run(name, func(t *testing.T) {
			w := newSearch(t, 2, o)
			all := list(t, w.client.Messages(t.Context(), session.Query{OldestFirst: true}))
			r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: the same filters every time
			found := 0
			for range 600 {
				f := anyFilter(r, all, 2)
				got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: f, Fields: session.FieldSize}))
				if want := alone(t, w.client, all, f); got != want {
					plan, err := w.client.Explain(t.Context(), session.Query{Where: f})
					t.Fatalf("%v finds %q, want %q; the plan (%v) is\n%v", f, got, want, err, plan)
				}
				if got != "" {
					found++
				}
			}
			if found < 100 {
				t.Errorf("%d of 600 filters find something: too few to mean much", found)
			}
		})
	}
}

// TestRefusedCharsetIsNotAskedAgain: servers hang up on clients that insist.
func TestRefusedCharsetIsNotAskedAgain(t *testing.T) {
	w := newSearch(t, 1, &imaptest.Options{NoCharset: true})
	for range 3 {
		if got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: session.Filter{Subject: "grüße"}})); got != "2" {
			t.Errorf("found %q, want 2", got)
		}
	}
	refused := 0
	for _, c := range w.server.Commands() {
		if strings.Contains(fmt.Sprint(c), "CHARSET") {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the charset was named %d times, want once", refused)
	}
	plan, err := w.client.Explain(t.Context(), session.Query{Where: session.Filter{Subject: "grüße", From: "jo"}})
	if err != nil || plan.Server.String() != "from:jo" || plan.Local.String() != "subject:grüße" {
		t.Errorf("the plan is %v, %v", plan, err)
	}
}

func TestExplain(t *testing.T) {
	w := newSearch(t, 1, nil)
	var ids []session.ID
	for _, m := range list(t, w.client.Messages(t.Context(), session.Query{})) {
		ids = append(ids, m.ID)
	}
	for _, tt := range []struct {
		query session.Query
		want  string
	}{
		{session.Query{}, "imap server: every message\n  command: UID SEARCH ALL\nhere: nothing\n"},
		{
			session.Query{Where: parse(t, "subject:grüße is:unread")},
			"imap server: subject:grüße is:unread\n  command: UID SEARCH CHARSET UTF-8 SUBJECT \"grüße\" UNSEEN\nhere: nothing\n",
		},
		{
			session.Query{Where: parse(t, "from:ann since:2026-01-02T15:04:05Z has:attachment")},
			"imap server: from:ann since:2026-01-01T00:00:00Z\n  command: UID SEARCH FROM \"ann\" SINCE 1-Jan-2026\n" +
				"here: has:attachment since:2026-01-02T15:04:05Z\n  reads: received, structure\n" +
				"  because since: and before: IMAP servers compare days in a zone of their own\n" +
				"  because has:attachment: IMAP cannot search for it\n  at most 10000 messages in vain\n",
		},
		{
			session.Query{Where: parse(t, "(from:ann OR from:bob OR from:eve) -(to:x cc:y)"), ScanLimit: -1},
			"UID SEARCH OR NOT TO \"x\" NOT CC \"y\" OR FROM \"ann\" OR FROM \"bob\" FROM \"eve\"\nhere: nothing\n",
		},
		{
			session.Query{Where: session.Filter{IDs: ids, AnyOf: []session.Filter{{HasAttachment: session.Yes}, {Draft: session.Yes}}}},
			"UID SEARCH UID <6 ids>\nhere: (has:attachment OR is:draft)",
		},
	} {
		plan, err := w.client.Explain(t.Context(), tt.query)
		if last := len(plan.Commands) - 1; err == nil && strings.HasPrefix(plan.Commands[last], "UID FETCH <page> (UID FLAGS ") {
			plan.Commands = plan.Commands[:last] // the same each time
		}
		if err != nil || !strings.Contains(plan.String(), tt.want) {
			t.Errorf("Explain(%v) = %v\n%v, want\n%s", tt.query.Where, err, plan, tt.want)
		}
	}
}

func TestServerOnlyNamesWhatTheServerCannot(t *testing.T) {
	w := newSearch(t, 1, nil)
	for text, want := range map[string]string{
		"from:ann has:attachment":      "cannot decide has:attachment",
		"is:unread since:2026-01-02":   "cannot decide since:2026-01-02T00:00:00Z",
		"label:work":                   "no X-GM-EXT-1",
		"native:x OR has:attachment":   "native: has to be decided by the server",
		"from:ann -(is:read label:ab)": "label: has to be decided by the server",
	} {
		var got error
		for _, err := range w.client.Messages(t.Context(), session.Query{Where: parse(t, text), ServerOnly: true}) {
			got = err
		}
		if !errors.Is(got, errors.ErrUnsupported) || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: error %v, want errors.ErrUnsupported with %q", text, got, want)
		}
	}
	if got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: parse(t, "from:ann is:read"), ServerOnly: true})); got != "1 5" {
		t.Errorf("found %q, want 1 5", got)
	}
}

// TestScanLimit: what was found comes first, then the error; nothing is skipped
// in silence.
func TestScanLimit(t *testing.T) {
	w := newSearch(t, 5, nil)
	for _, tt := range []struct {
		limit, scan int
		found, left int
	}{
		{0, 19, 10, 1}, // 10 of 30 have an attachment; the oldest has none
		{0, 20, 10, -1},
		{0, -1, 10, -1},
		{0, 1, 1, 28},
		{2, 5, 2, -1},
		{3, 4, 2, 24},
	} {
		q := session.Query{Where: session.Filter{HasAttachment: session.Yes}, Limit: tt.limit, ScanLimit: tt.scan}
		found, left := 0, -1
		for m, err := range w.client.Messages(t.Context(), q) {
			if e, ok := errors.AsType[*session.ScanLimitError](err); ok && e.Limit == tt.scan {
				left = e.Left
			} else if err != nil || left >= 0 {
				t.Fatalf("%+v: %v, %v after the end", tt, m, err)
			} else {
				found++
			}
		}
		if found != tt.found || left != tt.left {
			t.Errorf("%+v: %d messages found, %d left", tt, found, left)
		}
	}
}

// TestLocalPartSurvivesLostConnections: the line breaks while messages are
// listed and while they are read, and none is lost or doubled.
func TestLocalPartSurvivesLostConnections(t *testing.T) {
	for _, nth := range []int{1, 2, 3, 4, 5} {
		w := newSearch(t, 5, nil)
		w.server.Inject(mailtest.Fault{Command: "UID FETCH", Skip: nth - 1, StopAfter: 700, Stop: mailtest.StopClose})
		want := "3 5 9 11 15 17 21 23 27 29"
		if got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: session.Filter{HasAttachment: session.Yes}})); got != want {
			t.Errorf("the line breaks in FETCH %d: found %q, want %q", nth, got, want)
		}
	}
}

// TestOnlyTheFieldsAskedFor: what was fetched to compare is not handed out.
func TestOnlyTheFieldsAskedFor(t *testing.T) {
	w := newSearch(t, 1, nil)
	q := session.Query{Where: parse(t, "since:2026-01-01 has:attachment OR header:X-Foo"), Fields: session.FieldSize}
	found := list(t, w.client.Messages(t.Context(), q))
	if len(found) != 2 {
		t.Errorf("%d messages found, want 2", len(found))
	}
	for _, m := range found {
		if m.Size == 0 || m.Flags != nil || !m.Received.IsZero() || m.Header.Len() != 0 {
			t.Errorf("the summary has %+v, want a size alone", m)
		}
	}
}

// TestManyIDs: sets of ids are divided between commands, ids of other folders
// and mailboxes match nothing, and the loop may go on calling.
func TestManyIDs(t *testing.T) {
	w := newSearch(t, 1, nil)
	q := session.Query{}
	for _, m := range list(t, w.client.Messages(t.Context(), session.Query{Limit: 2})) {
		q.Where.IDs = append(q.Where.IDs, m.ID)
	}
	parts, err := q.Where.IDs[0].Parts()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		parts.Key = strconv.Itoa(1_000_000 + 2*i)
		q.Where.IDs = append(q.Where.IDs, session.NewID(parts))
	}
	parts.Folder, parts.Key = "Sent", "1"
	q.Where.IDs = append(q.Where.IDs, session.NewID(parts))
	if got := keysOf(t, w.client.Messages(t.Context(), q)); got != "5 6" {
		t.Errorf("found %q, want 5 6", got)
	}
	longest, searches := 0, 0
	for _, c := range w.server.Commands() {
		if line := fmt.Sprint(c); strings.Contains(line, "UID SEARCH") {
			longest, searches = max(longest, len(line)), searches+1
		}
	}
	if longest > 8000 || searches < 5 {
		t.Errorf("%d searches, the longest of %d bytes", searches, longest)
	}
	q.Where = session.Filter{Not: &session.Filter{IDs: q.Where.IDs}}
	if got := keysOf(t, w.client.Messages(t.Context(), q)); got != "1 2 3 4" {
		t.Errorf("found %q, want 1 2 3 4", got)
	}
	other := session.NewID(session.IDParts{Backend: "imap", Mailbox: "other", Folder: "INBOX", Validity: "1", Key: "1"})
	if got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: session.Filter{IDs: []session.ID{other}}})); got != "" {
		t.Errorf("an id of another mailbox finds %q", got)
	}
}

// TestOddAnswersToACharset: servers refuse in other words than they should, some
// before they let a literal come. The connection goes on.
func TestOddAnswersToACharset(t *testing.T) {
	for name, tt := range map[string]struct {
		caps  []string
		fault mailtest.Fault
	}{
		"BAD":              {nil, mailtest.Fault{Command: "UID SEARCH", Contains: "CHARSET", Times: -1, Reply: "BAD invalid command"}},
		"NO without words": {nil, mailtest.Fault{Command: "UID SEARCH", Contains: "CHARSET", Times: -1, Reply: "NO"}},
		"instead of going on": {imaptest.Without("LITERAL+"), mailtest.Fault{
			Command: mailtest.Continue, Times: -1, Before: "* OK still here\r\n", Reply: "NO [BADCHARSET] no literals",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSearch(t, 1, &imaptest.Options{Capabilities: tt.caps})
			w.server.Inject(tt.fault)
			for range 2 {
				if got := keysOf(t, w.client.Messages(t.Context(), session.Query{Where: session.Filter{Subject: "grüße"}})); got != "2" {
					t.Errorf("found %q, want 2", got)
				}
			}
			if made, _ := w.server.Connections(); made != 1 {
				t.Errorf("%d connections, want 1", made)
			}
		})
	}
}

// TestRefusedSearchIsAnError: a refusal that has nothing to do with a charset is
// told.
func TestRefusedSearchIsAnError(t *testing.T) {
	w := newSearch(t, 1, nil)
	w.server.Inject(mailtest.Fault{Command: "UID SEARCH", Times: -1, Reply: "NO [SERVERBUG] index is broken"})
	for _, f := range []session.Filter{{}, {Subject: "grüße"}} {
		var got error
		for _, err := range w.client.Messages(t.Context(), session.Query{Where: f}) {
			got = err
		}
		if e, ok := errors.AsType[*imapx.Error](got); !ok || e.Code != "SERVERBUG" {
			t.Errorf("%v: error %v, want the server's", f, got)
		}
	}
}

// TestOneUnreadableMessage hides no other: it is an error of its own.
func TestOneUnreadableMessage(t *testing.T) {
	w := newSearch(t, 1, &imaptest.Options{NoCharset: true})
	for _, set := range []string{"1:6", "1:3", "2:3", "3"} {
		w.server.Inject(mailtest.Fault{Command: "UID FETCH", Contains: "FETCH " + set + " (UID BODY.PEEK[])", Times: -1, Reply: "NO one of them is broken"})
	}
	var found, broken []string
	for m, err := range w.client.Messages(t.Context(), session.Query{Where: parse(t, "-body:schöne")}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			broken = append(broken, bad.ID.String())
		} else if err != nil {
			t.Fatal(err)
		} else {
			found = append(found, m.ID.String())
		}
	}
	if len(found) != 4 || !strings.HasSuffix(found[0], ":6") || len(broken) != 1 || !strings.HasSuffix(broken[0], ":3") {
		t.Errorf("found %q, unreadable %q, want 6, 5, 4, 1 and 3", found, broken)
	}
}
