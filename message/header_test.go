package message_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

func TestParseHeader(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		raw     int // length of Raw, -1 for all of in
		fields  string
		defects string
	}{
		{"plain", "A: 1\r\nB: 2\r\n\r\nbody", 14, "A=1 B=2", ""},
		{"line feeds", "A: 1\nB: 2\n\nbody", 11, "A=1 B=2", ""},
		{"no empty line", "A: 1\r\nB: 2\r\n", -1, "A=1 B=2", ""},
		{"no line end", "A: 1\r\nB: 2", -1, "A=1 B=2", ""},
		{"empty", "", -1, "", ""},
		{"no fields", "\r\nbody: x", 2, "", ""},
		{"no header", "Dear all,\r\n\r\nA: 1\r\n", 0, "", "no-header at byte 0"},
		{"continued", "A: 1\r\n 2\r\n\t3\r\nB:\r\n 4\r\n\r\n", -1, "A=1 2\t3 B=4", ""},
		{"white space only", "A: 1\r\n \r\nB: 2\r\n\r\n", -1, "A=1 B=2", ""},
		{"obsolete space before the colon", "A : 1\r\nB\t:2\r\n\r\n", -1, "A=1 B=2", ""},
		{"byte order mark", "\xef\xbb\xbfA: 1\r\n\r\n", -1, "A=1", ""},
		{"mailbox line", "From a@b Tue Nov  3\r\nA: 1\r\n\r\n", -1, "A=1", "mbox-from-line at byte 0"},
		{"mailbox line below", "A: 1\r\nFrom a@b Tue Nov  3 10:11:12\r\nB: 2\r\n\r\n", -1, "A=1 B=2", "junk-line at byte 6"},
		{"junk", "A: 1\r\njunk\r\n more junk\r\nB: 2\r\n\r\n", -1, "A=1 B=2", "junk-line at byte 6,junk-line at byte 12"},
		{"names", ": 1\r\nA B: 2\r\nÄ: 3\r\nX-!#: 4\r\n\r\n", -1, "X-!#=4", "junk-line at byte 0,junk-line at byte 5,junk-line at byte 13"},
		{"unindented", "A: 1;\r\nb=2\r\nC: 3\r\n\r\n", -1, "A=1; b=2 C=3", "unindented-continuation at byte 7"},
		{"continuation first", " x\r\nA: 1\r\n\r\n", -1, "A=1", "junk-line at byte 0"},
		{"boundary", "A: 1\r\n--b\r\nB: 2\r\n\r\n", 6, "A=1", "no-blank-line at byte 6"},
		{"latin", "A: caf\xe9\r\nB: caf\xc3\xa9\r\n\r\n", -1, "A=café B=café", ""},
		{"iso-2022-jp", "A: \x1b$B;3ED\x1b(B\r\n\r\n", -1, "A=山田", ""},
		{"empty value", "A:\r\nB: \r\n\r\n", -1, "A= B=", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := message.ParseHeader([]byte(tt.in))
			checkHeader(t, h)
			want := tt.in
			if tt.raw >= 0 {
				want = tt.in[:tt.raw]
			}
			if got := string(h.Raw()); got != want {
				t.Errorf("Raw() = %q, want %q", got, want)
			}
			var fields, defects []string
			for name, value := range h.Fields() {
				fields = append(fields, name+"="+value)
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("fields are %q, want %q", got, tt.fields)
			}
			for _, d := range h.Defects() {
				defects = append(defects, d.String())
			}
			if got := strings.Join(defects, ","); got != tt.defects {
				t.Errorf("defects are %q, want %q", got, tt.defects)
			}
		})
	}
}

func TestHeaderLookup(t *testing.T) {
	h := message.ParseHeader([]byte("Received: one\r\nSUBJECT: first\r\nreceived: two\r\nSubject: second\r\n\r\n"))
	if got, want := h.Get("subject"), "first"; got != want {
		t.Errorf("Get(subject) = %q, want %q", got, want)
	}
	if got, want := slices.Collect(h.Values("Received")), []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("Values(Received) = %q, want %q", got, want)
	}
	for range h.Values("Received") {
		break // a loop may end early
	}
	for range h.Fields() {
		break
	}
	if h.Has("Date") || h.Get("Date") != "" || h.Text("Date") != "" || h.Addresses("Date") != nil {
		t.Error("a field that is not there has a value")
	}
	if _, ok := h.Date(); ok {
		t.Error("Date() = true without a Date field")
	}
	if got, want := len(maps.Collect(h.Fields())), 4; got != want {
		t.Errorf("Fields() gives %d names, want %d", got, want)
	}
	var zero message.Header
	if zero.Len() != 0 || zero.Raw() != nil || zero.Subject() != "" || zero.MessageID() != "" {
		t.Error("the zero Header is not empty")
	}
}

func TestManyDefects(t *testing.T) {
	h := message.ParseHeader([]byte("A: 1\n" + strings.Repeat("junk\n", 10000)))
	if got := len(h.Defects()); got != 100 {
		t.Errorf("%d defects are kept, want 100", got)
	}
}

func TestManyFields(t *testing.T) {
	h := message.ParseHeader([]byte(strings.Repeat("a:\n", 10002) + " x\njunk\nb: 1\n\n"))
	checkHeader(t, h)
	if h.Len() != 10000 || h.Has("b") || len(h.Defects()) != 3 || h.Defects()[0].Kind != message.DefectManyFields {
		t.Errorf("%d fields, defects %v, want 10000 and one of them to say so", h.Len(), h.Defects())
	}
}

func TestText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain text", "plain text"},
		{"a\tb \x07c", "a b  c"},
		{"=?utf-8?q?caf=C3=A9?=", "café"},
		{"=?UTF-8?B?Y2Fmw6k=?=", "café"},
		{"=?ISO-8859-1*en?Q?caf=E9?= au lait", "café au lait"},
		{"=?us-ascii?q?Keith_Moore?= x =?us-ascii?q?y?=", "Keith Moore x y"},
		// White space between words is dropped, next to text it is kept.
		{"=?utf-8?q?a?= =?utf-8?q?b?=  \t=?iso-8859-1?q?c?=", "abc"},
		{"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
		{"=?utf-8?q?a_?= =?utf-8?q?b?=", "a b"},
		// Cut inside of a character, of a group of base64, of both.
		{"=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=", "café"},
		{"=?utf-8?B?Y2Fmw6?= =?utf-8?B?k=?=", "café"},
		{"=?utf-8?B?Y2Fmw6k?=", "café"},
		{"=?utf-8?B?w6k=?= =?utf-8?B?w6k=?=", "éé"},
		{"=?iso-2022-jp?B?GyRCOzM=?= =?iso-2022-jp?B?RUQbKEI=?=", "山田"},
		// White space inside, and none around.
		{"=?utf-8?Q?a b c?=", "a b c"},
		{"=?utf-8?B?Y2Fm w6k=?=", "café"},
		{"x=?utf-8?q?y?=z=?utf-8?q?w?=", "xyzw"},
		{`"=?utf-8?q?a?="`, `"a"`},
		// Character sets that are not known, or are not what they say.
		{"=?x-unknown?q?caf=C3=A9?=", "café"},
		{"=?x-unknown?q?caf=E9?=", "café"},
		{"=?utf-8?q?caf=E9?=", "café"},
		{"=?us-ascii?q?caf=C3=A9?=", "café"},
		{"=?cp1251?Q?=CF=F0?=", "Пр"},
		{"=?cp850?Q?caf=82?=", "café"},
		{"=?ks_c_5601-1987?B?vsiz5w==?=", "안녕"},
		{"=?gb2312?B?xOO6ww==?=", "你好"},
		{"=?shift_jis?B?jlKTYw==?=", "山田"},
		{"=?iso-2022-kr?q?x?=", "x"},
		{"=?ISO-2022-KR?B?GyQpQw4wIQ8h?=", "가!"},
		{"=?utf-7?Q?caf+AOk-_+-_+2D3eAA_x?=", "café + 😀 x"},
		{"=?unicode-1-1-utf-7?Q?+AOk_+2D0-?= =?utf-7?Q?=E9?=", "é \ufffd"},
		{"=?utf-16?B?/v8A6Q==?=", "é"},
		{"=?utf-16?B?//7pAA==?=", "é"},
		{"=?utf-16?B?AOk=?=", "é"},
		{"=?\"utf-8\"?q?caf=C3=A9?=", "café"},
		{"=?hz-gb-2312?Q?~{VPND~}?=", "中文"},
		// Not encoded words, or broken ones.
		{"=?", "=?"},
		{"=?utf-8?q?open", "=?utf-8?q?open"},
		{"=?utf-8?q?open =?utf-8?q?closed?=", "=?utf-8?q?open closed"},
		{"=?utf-8?x?a?=", "=?utf-8?x?a?="},
		{"=??q?a?=", "=??q?a?="},
		{"=?a b?q?c?=", "=?a b?q?c?="},
		{"1 =? 2 ?= 3", "1 =? 2 ?= 3"},
		{"=?utf-8?q??=", ""},
		{"=?utf-8?q?=4?==?utf-8?q?=zz?=", "=4=zz"},
		{"=?" + strings.Repeat("x", 100) + "?q?a?=", "=?" + strings.Repeat("x", 100) + "?q?a?="},
		// What would be a line of its own is not.
		{"=?utf-8?q?a=0D=0ABcc:_b=00c?=", "a  Bcc: b c"},
		{"=?utf-8?q?a=E2=80=A8b?=", "a b"},
	}
	for _, tt := range tests {
		h := message.ParseHeader([]byte("Subject: " + tt.in + "\r\n\r\n"))
		checkHeader(t, h)
		if got := h.Subject(); got != tt.want {
			t.Errorf("Subject() = %q for %q, want %q", got, tt.in, tt.want)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"<a@b>", []string{"a@b"}},
		{"<a@b> <c@d>\r\n <e@f>", []string{"a@b", "c@d", "e@f"}},
		{"<a@b><c@d>", []string{"a@b", "c@d"}},
		{"<a\r\n @b>", []string{"a@b"}},
		{"Your message of Tuesday <a@b> (comment)", []string{"a@b"}},
		{"a@b", []string{"a@b"}},
		{"no-at-sign", []string{"no-at-sign"}},
		{"words and a@b, c@d", []string{"a@b", "c@d"}},
		{"words only", nil},
		{"<a@b", []string{"a@b"}},
		{"<a@b <c@d>", []string{"a@b", "c@d"}},
		{"<>", nil},
		{"", nil},
	}
	for _, tt := range tests {
		h := message.ParseHeader([]byte("References: " + tt.in + "\r\nIn-Reply-To: " + tt.in + "\r\nMessage-ID: " + tt.in + "\r\n\r\n"))
		checkHeader(t, h)
		if got := h.References(); !slices.Equal(got, tt.want) {
			t.Errorf("References() = %q for %q, want %q", got, tt.in, tt.want)
		}
		if got := h.InReplyTo(); !slices.Equal(got, tt.want) {
			t.Errorf("InReplyTo() = %q for %q, want %q", got, tt.in, tt.want)
		}
		first := ""
		if len(tt.want) > 0 {
			first = tt.want[0]
		}
		if got := h.MessageID(); got != first {
			t.Errorf("MessageID() = %q for %q, want %q", got, tt.in, first)
		}
	}
}
