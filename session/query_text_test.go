package session_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/session"
)

func TestQueryText(t *testing.T) {
	id := session.NewID(session.IDParts{Backend: "imap", Mailbox: "m", Folder: "a (b)", Validity: "1", Key: "7"})
	for _, tt := range []struct {
		text    string
		want    session.Query
		written string // where it is another than text
	}{
		{"", session.Query{}, ""},
		{"in:sent from:ann limit:50", session.Query{Folder: session.Sent, Where: session.Filter{From: "ann"}, Limit: 50}, ""},
		{"limit:2 lunch IN:Archive order:OLDEST", session.Query{Folder: session.Archive, Where: session.Filter{Text: "lunch"}, Limit: 2, OldestFirst: true}, "in:archive text:lunch order:oldest limit:2"},
		{`in:"Projects/2026 (old)" order:newest`, session.Query{Folder: session.FolderAt("Projects/2026 (old)")}, `in:"Projects/2026 (old)"`},
		{"in:path:Sent", session.Query{Folder: session.FolderAt("Sent")}, ""},
		{"in:path:role:x", session.Query{Folder: session.FolderAt("role:x")}, ""},
		{"in:role:other", session.Query{Folder: session.FolderFor("other")}, ""},
		{"after:" + id.String() + " limit:9", session.Query{After: id, Limit: 9}, "limit:9 after:" + id.String()},
		{"after:2026-01-02", session.Query{Where: session.Filter{Since: instant("2026-01-02T00:00:00Z")}}, "since:2026-01-02T00:00:00Z"},
		{"after:2026-01-02T15:04:05+01:00 after:" + id.String(), session.Query{After: id, Where: session.Filter{Since: instant("2026-01-02T14:04:05Z")}}, "since:2026-01-02T14:04:05Z after:" + id.String()},
		{"fields:size,Flags,structure server:only scan:all", session.Query{Fields: session.FieldFlags | session.FieldSize | session.FieldStructure, ServerOnly: true, ScanLimit: -1}, "fields:flags,size,structure server:only scan:all"},
		{`(from:a OR from:b) scan:5 "in:"`, session.Query{Where: session.Filter{AnyOf: []session.Filter{{From: "a"}, {From: "b"}}, Text: "in:"}, ScanLimit: 5}, `text:in: (from:a OR from:b) scan:5`},
	} {
		got, err := session.ParseQuery(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseQuery(%s) = %+v, %v, want %+v", tt.text, got, err, tt.want)
			continue
		}
		written := tt.written
		if written == "" {
			written = tt.text
		}
		if got := got.String(); got != written {
			t.Errorf("ParseQuery(%s) is written %s, want %s", tt.text, got, written)
		}
		checkQueryRoundTrips(t, got)
	}
}

// checkQueryRoundTrips holds a query against its two written forms.
func checkQueryRoundTrips(t *testing.T, q session.Query) {
	t.Helper()
	if back, err := session.ParseQuery(q.String()); err != nil || !reflect.DeepEqual(back, q) {
		t.Errorf("%s reads back as %+v, %v, want %+v", q, back, err, q)
	}
	encoded, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var back session.Query
	if err := json.Unmarshal(encoded, &back); err != nil || !reflect.DeepEqual(back, q) {
		t.Errorf("%s reads back as %+v, %v, want %+v", encoded, back, err, q)
	}
}

func TestQueryErrorsNameThePlace(t *testing.T) {
	for _, tt := range []struct {
		text   string
		offset int
		want   string
	}{
		{"limt:5", 0, "limit:, or another of from:"},
		{"is:read form:ann", 8, "from:, or another of"},
		{"colour:red", 0, "from:, to:"},
		{"limit:0", 6, "above zero"},
		{"limit:-3", 6, "above zero"},
		{"limit:99999999999999999999", 6, "above zero"},
		{"limit:5 limit:6", 8, "limit: once"},
		{"in:role:", 3, "role or path"},
		{`in:""`, 3, "a value"},
		{"order:up", 6, "oldest or newest"},
		{"after:yesterday", 6, "the id of a message, or a time"},
		{"fields:flags,colour", 7, "flags,received,size,header"},
		{"server:maybe", 7, "only"},
		{"scan:0", 5, "or all"},
		{"(limit:5 from:a)", 1, "outside of parentheses"},
		{"-limit:5", 1, "outside of parentheses"},
		{"from:a OR limit:5", 10, "outside of parentheses"},
	} {
		_, err := session.ParseQuery(tt.text)
		e, ok := errors.AsType[*session.FilterError](err)
		if !ok || e.Offset != tt.offset || !strings.Contains(e.Error(), tt.want) || !strings.HasPrefix(e.Error(), "session: query: at byte") {
			t.Errorf("ParseQuery(%s) error %v, want one at byte %d about %q", tt.text, err, tt.offset, tt.want)
		}
	}
}

// FuzzParseQuery: what is read is written as text that reads back as an equal
// query.
func FuzzParseQuery(f *testing.F) {
	f.Add(`in:"a b" from:ann order:oldest limit:3 fields:flags,preview scan:all server:only after:a:b:c:d:e`)
	f.Add(`in:path:sent after:2026-01-02 -(in:x) (a OR b)`)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := session.ParseQuery(text)
		if err == nil {
			checkQueryRoundTrips(t, q)
		}
	})
}

// FuzzQueryJSON: queries of any shape read back from text and from JSON.
func FuzzQueryJSON(f *testing.F) {
	f.Add([]byte(`{"folder":"path:a \"b\"","where":{"from":"ann","not":{"text":"in:x"}},"oldestFirst":true,"limit":3,"after":"a:b:c:d:e","fields":["labels"],"scanLimit":-1}`))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var q session.Query
		if err := json.Unmarshal(encoded, &q); err != nil {
			return
		}
		if role, _ := q.Folder.Role(); role == "" {
			if path, _ := q.Folder.Path(); path == "" {
				q.Folder = "" // it names none
			}
		}
		inUTC(&q.Where)
		q.ScanLimit = max(q.ScanLimit, -1) // every negative number means the same
		checkQueryRoundTrips(t, q)
	})
}
