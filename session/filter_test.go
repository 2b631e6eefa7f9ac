package session_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/session"
)

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// TestFilterText states what people write, what it means, and how the library
// writes the same.
func TestFilterText(t *testing.T) {
	type f = session.Filter
	id := session.NewID(session.IDParts{Backend: "imap", Mailbox: "m", Folder: "a,b", Validity: "1", Key: "7"})
	for _, tt := range []struct {
		text    string
		want    f
		written string // where it is another than text
	}{
		{"", f{}, ""},
		{`from:ann subject:"quarterly report" is:unread -is:flagged`, f{From: "ann", Subject: "quarterly report", Unread: session.Yes, Flagged: session.No}, ""},
		{"lunch", f{Text: "lunch"}, "text:lunch"},
		{`lunch "on friday"`, f{Text: "lunch", All: []f{{Text: "on friday"}}}, `text:lunch (text:"on friday")`},
		{"since:2026-01-02T16:04:05+01:00 before:2026-02-01", f{Since: instant("2026-01-02T15:04:05Z"), Before: instant("2026-02-01T00:00:00Z")}, "since:2026-01-02T15:04:05Z before:2026-02-01T00:00:00Z"},
		{"larger:5M smaller:6291457", f{Larger: 5 << 20, Smaller: 6<<20 + 1}, ""},
		{"has:attachment -is:draft", f{HasAttachment: session.Yes, Draft: session.No}, "-is:draft has:attachment"},
		{"header:X-Foo=bar", f{Header: session.HeaderMatch{Name: "X-Foo", Value: "bar"}}, ""},
		{`header:List-Id -header:"X=Y"="a \"b\" \\c"`, f{Header: session.HeaderMatch{Name: "List-Id"}, Not: &f{Header: session.HeaderMatch{Name: "X=Y", Value: `a "b" \c`}}}, `header:List-Id -(header:"X=Y"="a \"b\" \\c")`},
		{"keyword:$Important label:work native:older_than:1y", f{Keyword: "$Important", Label: "work", Native: "older_than:1y"}, ""},
		{`keyword:"Red category" -keyword:Größe`, f{Keyword: "Red category", Not: &f{Keyword: "Größe"}}, `keyword:"Red category" -(keyword:Größe)`},
		{"from:a OR from:b", f{AnyOf: []f{{From: "a"}, {From: "b"}}}, "(from:a OR from:b)"},
		{"is:read from:a OR from:b OR (to:c cc:d)", f{Unread: session.No, AnyOf: []f{{From: "a"}, {From: "b"}, {To: "c", Cc: "d"}}}, "is:read (from:a OR from:b OR (to:c cc:d))"},
		{"{from:a from:b}", f{AnyOf: []f{{From: "a"}, {From: "b"}}}, "(from:a OR from:b)"},
		{"{(bcc:x)}", f{AnyOf: []f{{Bcc: "x"}}}, ""},
		{"((from:a OR from:b))", f{All: []f{{AnyOf: []f{{From: "a"}, {From: "b"}}}}}, ""},
		{"-(from:a OR is:unread) -{(body:b)}", f{Not: &f{AnyOf: []f{{From: "a"}, {Unread: session.Yes}}}, All: []f{{Not: &f{AnyOf: []f{{Body: "b"}}}}}}, "-((from:a OR is:unread)) (-({(body:b)}))"},
		{"-(is:flagged)", f{Not: &f{Flagged: session.Yes}}, ""},
		{"(from:a- OR from:b)", f{AnyOf: []f{{From: "a-"}, {From: "b"}}}, ""},
		{"()", f{All: []f{{}}}, ""},
		{`id:"imap:m:a,b:1:7",imap:m:b:1:8`, f{IDs: []session.ID{id, session.NewID(session.IDParts{Backend: "imap", Mailbox: "m", Folder: "b", Validity: "1", Key: "8"})}}, ""},
		{`ORDER "OR"`, f{Text: "ORDER", All: []f{{Text: "OR"}}}, `text:ORDER (text:OR)`},
		{"FROM:Ann after:2026-01-01 is:starred is:seen", f{From: "Ann", Since: instant("2026-01-01T00:00:00Z"), Flagged: session.Yes, Unread: session.No}, "from:Ann is:read is:flagged since:2026-01-01T00:00:00Z"},
	} {
		got, err := session.ParseFilter(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseFilter(%s) = %+v, %v, want %+v", tt.text, got, err, tt.want)
			continue
		}
		written := tt.written
		if written == "" {
			written = tt.text
		}
		if got := got.String(); got != written {
			t.Errorf("ParseFilter(%s) is written %s, want %s", tt.text, got, written)
		}
		checkRoundTrips(t, got)
	}
}

// TestFilterTextOfManyLevels: a filter that is nested as deep as may be has a text
// that reads back, also where a level takes two parentheses.
func TestFilterTextOfManyLevels(t *testing.T) {
	type f = session.Filter
	for name, within := range map[string]func(f) f{
		"all":  func(g f) f { return f{All: []f{g}} },
		"one":  func(g f) f { return f{AnyOf: []f{g}} },
		"some": func(g f) f { return f{AnyOf: []f{g, {From: "a", To: "b"}}} },
		"not":  func(g f) f { return f{Not: &g} },
	} {
		t.Run(name, func(t *testing.T) {
			deep := f{From: "a", To: "b"}
			for range session.MaxFilterDepth - 1 {
				deep = within(deep)
			}
			checkRoundTrips(t, deep)
			if err := within(deep).Check(); err == nil {
				t.Error("one more level is allowed")
			}
			if g, err := session.ParseFilter(within(deep).String()); err == nil {
				t.Errorf("the text of one more level is read as %v", g)
			}
		})
	}
}

// checkRoundTrips holds a filter against its two written forms.
func checkRoundTrips(t *testing.T, f session.Filter) {
	t.Helper()
	if back, err := session.ParseFilter(f.String()); err != nil || !reflect.DeepEqual(back, f) {
		t.Errorf("%s reads back as %+v, %v, want %+v", f, back, err, f)
	}
	encoded, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var back session.Filter
	if err := json.Unmarshal(encoded, &back); err != nil || !reflect.DeepEqual(back, f) {
		t.Errorf("%s reads back as %+v, %v, want %+v", encoded, back, err, f)
	}
}

func TestFilterErrorsNameThePlace(t *testing.T) {
	for _, tt := range []struct {
		text   string
		offset int
		want   string
	}{
		{"from:", 5, "a value"},
		{`subject:""`, 8, "a value"},
		{`subject:"on`, 11, "closing quote"},
		{`subject:a"b"`, 9, "quotes around the whole value"},
		{"form:ann", 0, "from:, to:"},
		{"is:unread is:new", 13, "unread, read"},
		{"has:stars", 4, "attachment"},
		{"(from:a", 7, `')'`},
		{"from:a)", 6, "a condition"},
		{"from:a OR", 9, "a condition"},
		{"OR from:a", 0, "a condition"},
		{"from:a AND to:b", 7, "goes without saying"},
		{"- is:read", 1, "right behind"},
		{"--is:read", 1, "right behind"},
		{"since:yesterday", 6, "a time such as"},
		{"larger:5X", 7, "a number of bytes"},
		{"smaller:0", 8, "a number of bytes"},
		{"larger:9223372036854775807K", 7, "a number of bytes"},
		{"header:a:b=c", 7, "the name of a header field"},
		{"id:42", 3, "the id of a message"},
		{"{}", 0, "at least one"},
		{strings.Repeat("(", 80), 64, "nested at most 32"},
		{strings.Repeat("(", 40) + "from:a" + strings.Repeat(")", 40), 0, "nested at most 32"},
		{strings.Repeat("(", 31) + "-from:a" + strings.Repeat(")", 31), 0, "nested at most 32"},
		{"is:read from:\"a\nb\"", 8, "one line of UTF-8"},
		{"is:read a\xffb", 8, "one line of UTF-8"},
		{"is:read -keyword:\"a\nb\"", 9, "one line of UTF-8"},
		{strings.Repeat("x", 1000) + ":a", 0, "from:, to:"},
	} {
		_, err := session.ParseFilter(tt.text)
		e, ok := errors.AsType[*session.FilterError](err)
		if !ok || e.Offset != tt.offset || !strings.Contains(e.Error(), tt.want) {
			t.Errorf("ParseFilter(%s) error %v, want one at byte %d about %q", tt.text, err, tt.offset, tt.want)
		}
	}
}

func TestFilterJSON(t *testing.T) {
	var q session.Query
	const text = `{"folder":"role:sent","where":{"from":"ann","since":"2026-01-02T15:04:05Z","unread":true,"header":{"name":"X-Foo"},` +
		`"anyOf":[{"flagged":false},{"larger":5}],"not":{"hasAttachment":true}},"oldestFirst":true,"limit":3,"fields":["flags","size","version","ids","labels"]}`
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var back session.Query
	if err := json.Unmarshal(encoded, &back); err != nil || !reflect.DeepEqual(q, back) {
		t.Errorf("%s reads back as %+v, %v, want %+v", encoded, back, err, q)
	}
	if want := `from:ann header:X-Foo is:unread since:2026-01-02T15:04:05Z -(has:attachment) (-is:flagged OR larger:5)`; q.Where.String() != want {
		t.Errorf("the filter is %s, want %s", q.Where, want)
	}
	for _, bad := range []string{
		`{"wher":{}}`,
		`{"where":{"form":"ann"}}`,
		`{"where":{"anyOf":[{"not":{"form":"ann"}}]}}`,
		`{"where":{"header":{"nam":"X"}}}`,
		`{"where":{"unread":1}}`,
		`{"where":{"larger":-1}}`,
		`{"where":{"subject":"a\r\nb"}}`,
		`{"fields":["colour"]}`,
		`{"limit":-1}`,
		`{"where":` + strings.Repeat(`{"not":`, 40) + `{}` + strings.Repeat(`}`, 40) + `}`,
	} {
		if err := json.Unmarshal([]byte(bad), &session.Query{}); err == nil {
			t.Errorf("%s is taken for a query", bad)
		}
	}
}

// FuzzParseFilter: what is read is written as text that reads back as an equal
// filter, in both forms.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		`from:ann subject:"quarterly report" is:unread -is:flagged since:2026-01-02T15:04:05Z larger:5M has:attachment`,
		`header:X-Foo=bar keyword:$Important OR (a OR -b) {c}`, `((a OR b)) -(-(-x))`, `id:a:b:c:d:e,"a:b:c,:d:e"`, `{(()) ()}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := session.ParseFilter(text)
		if err != nil {
			return
		}
		checkRoundTrips(t, filter)
	})
}

// FuzzFilterJSON: filters of any shape read back from text and from JSON.
func FuzzFilterJSON(f *testing.F) {
	f.Add([]byte(`{"from":"ann","since":"2026-01-02T15:04:05.000000001+02:00","unread":true,"all":[{},{"all":[{"body":"x"}]}],"anyOf":[{"anyOf":[{"to":"y"}]}]}`))
	f.Add([]byte(`{"header":{"name":"X=","value":"\\\""},"not":{"not":{"draft":false}},"ids":["a:b:c:d:e"],"label":"{a b}","keyword":"$x"}`))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var filter session.Filter
		if err := json.Unmarshal(encoded, &filter); err != nil {
			return
		}
		inUTC(&filter)
		checkRoundTrips(t, filter)
	})
}

// inUTC puts a filter into the form in which equal ones are deeply equal.
func inUTC(f *session.Filter) {
	f.Since, f.Before = f.Since.UTC(), f.Before.UTC()
	if len(f.IDs) == 0 {
		f.IDs = nil
	}
	for _, list := range []*[]session.Filter{&f.All, &f.AnyOf} {
		if len(*list) == 0 {
			*list = nil
		}
		for i := range *list {
			inUTC(&(*list)[i])
		}
	}
	if f.Not != nil {
		inUTC(f.Not)
	}
}
