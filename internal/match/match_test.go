package match_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

func parse(t *testing.T, text string) session.Filter {
	t.Helper()
	f, err := session.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// clumsy is a server that knows subjects, compares sizes by thousands and knows
// nothing else.
func clumsy(f session.Filter) (session.Filter, match.Ability, string) {
	g := f
	if f.Not != nil {
		g = *f.Not
	}
	switch {
	case g.Subject != "":
		return f, match.Decides, ""
	case g.Larger > 0 && f.Not == nil:
		return session.Filter{Larger: max(1, g.Larger/1000*1000)}, match.Narrows, "thousands"
	}
	return f, match.Nothing, "unknown"
}

func TestDivide(t *testing.T) {
	for _, tt := range []struct{ filter, server, local, why string }{
		{"", "", "", ""},
		{"subject:a", "subject:a", "", ""},
		{"-subject:a", "-(subject:a)", "", ""},
		{"subject:a from:b", "subject:a", "from:b", "unknown"},
		{"subject:a larger:1500", "subject:a larger:1000", "larger:1500", "thousands"},
		{"subject:a OR from:b", "", "(subject:a OR from:b)", "unknown"},
		{"subject:a OR larger:1500", "(subject:a OR larger:1000)", "(subject:a OR larger:1500)", "thousands"},
		{"(subject:a OR subject:b) to:c", "(subject:a OR subject:b)", "to:c", "unknown"},
		{"-(from:a OR subject:b)", "-(subject:b)", "-(from:a)", "unknown"},
		{"-(is:unread since:2026-01-02)", "", "(before:2026-01-02T00:00:00Z OR is:read)", "unknown"},
		{"-(-(subject:a))", "subject:a", "", ""},
		{"subject:a OR ()", "", "", ""},
		{"-()", "-()", "", ""},
		{"-() OR subject:a", "(-() OR subject:a)", "", ""},
		{"subject:a (subject:b) (cc:c) (cc:d)", "subject:a (subject:b)", "cc:c (cc:d)", "unknown"},
	} {
		d := match.Divide(parse(t, tt.filter), clumsy)
		if d.Server.String() != tt.server || d.Local.String() != tt.local || strings.Join(d.Why, " ") != tt.why {
			t.Errorf("Divide(%s) = %q and %q because %q, want %q and %q because %q", tt.filter, d.Server, d.Local, d.Why, tt.server, tt.local, tt.why)
		}
	}
}

// TestTheTwoPartsAreTheWhole: for any filter and any message, the whole matches
// if and only if both parts do.
func TestTheTwoPartsAreTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // G404: the same filters every time
	for range 500 {
		f := chance(r, 3)
		d := match.Divide(f, clumsy)
		for range 8 {
			m := &session.Message{
				Size:   int64(r.IntN(4000)),
				Header: message.ParseHeader([]byte("Subject: " + strconv.Itoa(r.IntN(3)) + "\r\nFrom: " + strconv.Itoa(r.IntN(3)) + "\r\n\r\n")),
			}
			whole, server, local := match.New(f).Match(m, nil), match.New(d.Server).Match(m, nil), match.New(d.Local).Match(m, nil)
			if whole != min(server, local) {
				t.Fatalf("%v: %v, but the server's %v: %v, and the rest %v: %v", f, whole, d.Server, server, d.Local, local)
			}
		}
	}
}

func chance(r *rand.Rand, depth int) session.Filter {
	var f session.Filter
	switch r.IntN(4) {
	case 0:
		f.Subject = strconv.Itoa(r.IntN(3))
	case 1:
		f.From = strconv.Itoa(r.IntN(3))
	case 2:
		f.Larger = int64(1 + r.IntN(3000))
	default:
	}
	if depth == 0 {
		return f
	}
	for range r.IntN(3) {
		f.AnyOf = append(f.AnyOf, chance(r, depth-1))
	}
	for range r.IntN(2) {
		f.All = append(f.All, chance(r, depth-1))
	}
	if r.IntN(3) == 0 {
		not := chance(r, depth-1)
		f.Not = &not
	}
	return f
}

const letter = "From: \"M\xc3\xbcller, J.\" <mueller@example.org>\r\nSubject: =?utf-8?q?Stra=C3=9Fe?=\r\n =?utf-8?q?n_und_Wege?=\r\n" +
	"X-Empty:\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nCaf\xe9\r\n" +
	"--b\r\nContent-Type: image/png\r\nContent-Disposition: inline\r\n\r\npicture\r\n" +
	"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment\r\n\r\nrow;\xe9tag\r\n" +
	"--b\r\nContent-Type: text/csv; charset=koi8-r\r\nContent-Disposition: attachment\r\n\r\n\xd0\xd2\xc9\xd7\xc5\xd4\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?=C3=84rger?=\r\n\r\nmore\r\n--b--\r\n"

// TestMatch states what is found in a message, and when it has to be read.
func TestMatch(t *testing.T) {
	body, err := message.Parse(strings.NewReader(letter), nil)
	if err != nil {
		t.Fatal(err)
	}
	received := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	summary := &session.Message{Header: body.Header, Received: received, Size: 1000, Flags: session.Flags{`\seen`, "$A"}}
	for text, want := range map[string]match.Verdict{
		"from:MÜLLER":                      match.Yes,
		"from:mu\u0308ller":                match.Yes, // the dots by themselves
		"from:mueller@":                    match.Yes,
		`subject:"straßen und"`:            match.Yes,
		"header:x-empty":                   match.Yes,
		"header:x-none":                    match.No,
		"since:2026-01-02T03:04:05Z":       match.Yes,
		"since:2026-01-02T03:04:05.1Z":     match.No,
		"before:2026-01-02T04:04:05+01:00": match.No,
		"larger:1000 OR smaller:1000":      match.No,
		"larger:999 smaller:1001":          match.Yes,
		"is:read keyword:$a -is:draft":     match.Yes,
		"body:CAFÉ":                        match.Open,
		"body:étag":                        match.Open,
		"body:Привет":                      match.Open,
		"body:more text:ärger":             match.Open,
		"has:attachment -body:picture":     match.Open,
		"body:café is:unread":              match.No, // does not have to be read
		"body:zebra OR is:read":            match.Yes,
		"-body:zebra":                      match.Open,
	} {
		m := match.New(parse(t, text))
		if got := m.Match(summary, nil); got != want {
			t.Errorf("%s without the body: %v, want %v", text, got, want)
		}
		if got := m.Match(summary, body); want == match.Open && got != match.Yes || want != match.Open && got != want {
			t.Errorf("%s with the body: %v", text, got)
		}
	}
	for _, text := range []string{"body:ärger", "body:zebra", "-has:attachment", "text:zebra"} {
		if got := match.New(parse(t, text)).Match(summary, body); got != match.No {
			t.Errorf("%s: %v, want no match", text, got)
		}
	}
}

func TestReads(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "nothing",
		"is:unread -keyword:$a":   "flags",
		"since:2026-01-02":        "received",
		"larger:1":                "size",
		"from:a header:list-id=b": "header",
		"-header:x-spam":          "header, whole header",
		"is:read OR -body:a":      "flags, body",
		"has:attachment":          "structure",
		"id:a:b:c:d:e":            "nothing",
	} {
		if got := match.New(parse(t, text)).Reads().String(); got != want {
			t.Errorf("%s reads %s, want %s", text, got, want)
		}
	}
}

// TestWhatIsLeftToCompare: what nobody here can decide is refused, and so is
// anything where the server is to decide alone.
func TestWhatIsLeftToCompare(t *testing.T) {
	const server, here, nowhere = "subject:a", "subject:a from:b", "from:a -(label:b OR native:c label:d)"
	for _, tt := range []struct{ filter, impossible, forbidden string }{
		{server, "", ""},
		{here, "", "which cannot decide from:b (unknown)"},
		{nowhere, "label: and native: has to be decided by the server, which cannot (unknown)", "which cannot decide"},
	} {
		d := match.Divide(parse(t, tt.filter), clumsy)
		m, err := d.Matcher()
		if !says(err, tt.impossible) || (m == nil) != (tt.filter != here) {
			t.Errorf("what is left of %q: %v, %v; want %q", tt.filter, m, err, tt.impossible)
		}
		if err := d.Permits(session.Query{ServerOnly: true}); !says(err, tt.forbidden) {
			t.Errorf("%q for the server alone: %v, want %q", tt.filter, err, tt.forbidden)
		}
		if err := d.Permits(session.Query{}); err != nil {
			t.Errorf("%q for both: %v", tt.filter, err)
		}
	}
	var none *match.Matcher
	if got := none.Reads(); got != (session.Reads{}) {
		t.Errorf("nothing to compare reads %v", got)
	}
}

// says reports whether an error is about what a server cannot do, in these words;
// none for no words.
func says(err error, words string) bool {
	if words == "" {
		return err == nil
	}
	return errors.Is(err, errors.ErrUnsupported) && strings.Contains(err.Error(), words)
}

// nobody is a server that knows nothing.
func nobody(f session.Filter) (session.Filter, match.Ability, string) {
	return f, match.Nothing, "unknown"
}

// FuzzMatch: a filter and its contrary never agree once the message is read.
func FuzzMatch(f *testing.F) {
	f.Add("from:müller body:x -(subject:y OR has:attachment)", letter)
	f.Add("text:ß header:x-empty=", "Subject: \xff\n\n\xff")
	f.Fuzz(func(t *testing.T, text, raw string) {
		filter, err := session.ParseFilter(text)
		if err != nil {
			return
		}
		if _, err := match.Divide(filter, nobody).Matcher(); err != nil {
			return // only a server can decide it
		}
		contrary := session.Filter{Not: &filter}
		if contrary.Check() != nil {
			return
		}
		body, err := message.Parse(strings.NewReader(raw), nil)
		if _, ok := errors.AsType[*message.LimitError](err); ok {
			return
		}
		summary := &session.Message{Header: body.Header, Size: int64(len(raw))}
		if got, other := match.New(filter).Match(summary, body), match.New(contrary).Match(summary, body); got != match.Yes-other || got == match.Open {
			t.Fatalf("%v gives %v and its contrary %v", filter, got, other)
		}
	})
}
