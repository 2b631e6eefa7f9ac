package message_test

import (
	"bytes"
	"errors"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/idna"

	"github.com/mailsession/mailsession/message"
)

func addr(name, address string) mail.Address { return mail.Address{Name: name, Address: address} }

// draft returns a Draft with every field set.
func draft() *message.Draft {
	return &message.Draft{
		From:       addr("Ann Example", "ann@example.com"),
		Sender:     addr("", "secretary@example.com"),
		ReplyTo:    []mail.Address{addr("", "reply@example.com")},
		To:         []mail.Address{addr("Bob, the builder", "bob@example.org"), addr("Jürgen Müller", "juergen@example.de")},
		Cc:         []mail.Address{addr("", "carol@example.net")},
		Bcc:        []mail.Address{addr("Dave", "dave@example.net")},
		Subject:    "Grüße aus Köln",
		Text:       "Hello Bob,\nthis is short.\n",
		MessageID:  "id@example.com",
		Date:       time.Date(2026, 11, 3, 10, 11, 12, 0, time.FixedZone("", 3600)),
		InReplyTo:  []string{"<parent@example.com>"},
		References: []string{"first@example.com", "parent@example.com"},

		AutoSubmitted: "auto-replied",
		Extra:         []message.Field{{Name: "X-Mailer", Value: "example"}},

		HTML: `<p>Hello Bob,<br><img src="cid:logo@example.com">this is short.`, TextFromHTML: true, Flowed: true, EightBit: true,
		Calendar: "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n",
		Files: []message.DraftFile{
			{Name: "logo.png", ContentType: "image/png", ContentID: "logo@example.com", Content: message.Bytes([]byte("pixels"))},
			{Name: "Übersicht.csv", ContentType: "text/csv; charset=utf-8", Description: "Zahlen für März", Inline: true, Content: message.Bytes([]byte("a,b\n"))},
		},
		Importance: message.ImportanceHigh, ReceiptTo: []mail.Address{addr("Ann", "ann@example.com")},
		Unsubscribe: []string{"https://example.com/leave?id=1", "mailto:leave@example.com"}, OneClick: true,
	}
}

// letter returns a Draft with every field of a plain text message set.
func letter() *message.Draft {
	d := draft()
	d.HTML, d.Calendar, d.Files = "", "", nil
	d.TextFromHTML, d.Flowed, d.EightBit = false, false, false
	d.Importance, d.ReceiptTo, d.Unsubscribe, d.OneClick = "", nil, nil, false
	return d
}

// write returns the bytes of d and checks what holds of all that is written.
func write(t *testing.T, d *message.Draft) string {
	t.Helper()
	s, err := d.Source()
	if err != nil {
		t.Fatalf("Source() = %v", err)
	}
	out := readSource(t, s)
	checkWritten(t, out)
	return out
}

func checkWritten(t *testing.T, out string) {
	t.Helper()
	if strings.Contains(strings.ReplaceAll(out, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(out, "\r\n", ""), "\r") {
		t.Errorf("a line does not end in CR LF: %q", out)
	}
	header, _, ok := strings.Cut(out, "\r\n\r\n")
	if !ok {
		t.Errorf("no empty line behind the header: %q", out)
	}
	for line := range strings.SplitSeq(out, "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line has %d bytes, want at most 998: %q", len(line), line)
		}
	}
	for line := range strings.SplitSeq(header, "\r\n") {
		if strings.Trim(line, " \t") == "" {
			t.Errorf("a line of the header is blank: %q", header)
		}
		if len(line) > 78 && strings.Contains(line, "=?utf-8?") && strings.Contains(strings.TrimSpace(line), " ") && len(line) > 76+1 {
			t.Errorf("a line with encoded words has %d bytes: %q", len(line), line)
		}
	}
}

func TestDraft(t *testing.T) {
	want := strings.ReplaceAll(`Date: Tue, 03 Nov 2026 10:11:12 +0100
From: Ann Example <ann@example.com>
Sender: secretary@example.com
Reply-To: reply@example.com
To: "Bob, the builder" <bob@example.org>,
 =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.de>
Cc: carol@example.net
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=
Message-ID: <id@example.com>
In-Reply-To: <parent@example.com>
References: <first@example.com> <parent@example.com>
Auto-Submitted: auto-replied
X-Mailer: example
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Hello Bob,
this is short.
`, "\n", "\r\n")
	d := letter()
	for range 2 {
		if got := write(t, d); got != want {
			t.Errorf("message is\n%s\nwant\n%s", got, want)
		}
	}
}

// same finds that what Parse makes of d is what went in.
func same(t *testing.T, d *message.Draft) {
	t.Helper()
	out := write(t, d)
	m, err := message.Parse(strings.NewReader(out), nil)
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	checkMessage(t, m)
	if len(m.Defects) > 0 {
		t.Errorf("defects %v in\n%s", m.Defects, out)
	}
	h := m.Header
	for _, c := range []struct {
		what      string
		got, want []mail.Address
	}{
		{"From", h.From(), []mail.Address{d.From}},
		{"Reply-To", h.ReplyTo(), d.ReplyTo},
		{"To", h.To(), d.To},
		{"Cc", h.Cc(), d.Cc},
	} {
		if got, want := names(c.got), names(tidy(c.want)); got != want {
			t.Errorf("%s is %q, want %q in\n%s", c.what, got, want, out)
		}
	}
	if got, want := h.Subject(), strings.ToValidUTF8(d.Subject, "\ufffd"); got != oneLine(want) {
		t.Errorf("Subject is %q, want %q in\n%s", got, want, out)
	}
	if got, want := m.Text, textOf(d.Text); got != want {
		t.Errorf("Text is %q, want %q in\n%s", got, want, out)
	}
	if got := h.MessageID(); got != strings.Trim(d.MessageID, "<>") {
		t.Errorf("MessageID() = %q, want %q", got, d.MessageID)
	}
	if got, _ := h.Date(); !got.Equal(d.Date.Truncate(time.Second)) {
		t.Errorf("Date() = %v, want %v", got, d.Date)
	}
	if got := h.References(); !slices.Equal(got, d.References) {
		t.Errorf("References() = %q, want %q", got, d.References)
	}
	if h.Has("Bcc") {
		t.Errorf("Bcc is in\n%s", out)
	}
}

// tidy returns list as a reader shows it.
func tidy(list []mail.Address) []mail.Address {
	out := slices.Clone(list)
	for i := range out {
		name := oneLine(strings.ToValidUTF8(out[i].Name, "\ufffd"))
		out[i].Name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' }), " ")
		at := strings.LastIndexByte(out[i].Address, '@') + 1
		if local := out[i].Address[:at]; !strings.ContainsFunc(local, func(r rune) bool { return r >= 0x80 }) {
			if domain, err := idna.Lookup.ToASCII(out[i].Address[at:]); err == nil && strings.ContainsFunc(out[i].Address, func(r rune) bool { return r >= 0x80 }) {
				out[i].Address = local + domain
			}
		}
	}
	return out
}

// oneLine returns s with spaces for what would end a line or is no character.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// textOf returns text as a reader shows it.
func textOf(s string) string {
	s = strings.TrimPrefix(s, "\ufeff")
	s = strings.ReplaceAll(strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\r\n", "\n"), "\r", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

func TestDraftRoundTrip(t *testing.T) {
	same(t, &message.Draft{From: addr("", "a@b"), Date: time.Unix(1e9, 0), MessageID: "x@y"})
	d := letter()
	d.InReplyTo = nil
	same(t, d)
	long := strings.Repeat("word ", 300)
	for _, s := range []string{
		"", " ", "  two  spaces  ", "tab\there", "=?utf-8?q?not_encoded?=", "a =? b", "日本語の件名", "🙂🙃", "Привет, мир",
		"quote\" back\\slash (comment) <angle>", "comma, semicolon; colon: at@sign", strings.TrimSpace(long), long, "é " + long,
		strings.Repeat("x", 997), strings.Repeat("x", 3000), strings.Repeat("é", 2000), strings.Repeat("語", 2000),
		"bad \xff utf-8", "bell \x07 and \u2028 and \u0085", ".", "'single'", "a.b.c", "e\u0301", "Mr. X",
	} {
		d := letter()
		d.Subject, d.Text = s, s
		d.To = []mail.Address{addr(s, "to@example.com"), addr(s, "to2@example.com")}
		same(t, d)
	}
	for _, a := range []string{
		"two words@example.com", `a"b@example.com`, `a\b@example.com`, "a@b@example.com", "a,b@example.com", "(c)@example.com",
		"ünï@example.com", "a@exämple.com", "a@[192.0.2.1]", "a.b+c@example.com", "<a>@example.com", "a..b@example.com", " @x",
	} {
		for _, name := range []string{"", "Name", "Ä"} {
			d := letter()
			d.From = addr(name, a)
			d.To = []mail.Address{addr(name, a), addr("", "b@example.com")}
			same(t, d)
		}
	}
}

func TestDraftText(t *testing.T) {
	tests := []struct{ text, encoding, want string }{
		{"", "7bit", ""},
		{"short\n", "7bit", "short\r\n"},
		{"a\r\nb\rc\nd", "7bit", "a\r\nb\r\nc\r\nd\r\n"},
		{strings.Repeat("x", 78), "7bit", strings.Repeat("x", 78) + "\r\n"},
		{strings.Repeat("x", 79), "quoted-printable", strings.Repeat("x", 75) + "=\r\nxxxx\r\n"},
		{"é", "quoted-printable", "=C3=A9\r\n"},
		{"a\x00b", "quoted-printable", "a=00b\r\n"},
		{".\n", "7bit", ".\r\n"},
		{"\xff", "quoted-printable", "=EF=BF=BD\r\n"},
	}
	for _, tt := range tests {
		d := letter()
		d.Text = tt.text
		header, body, _ := strings.Cut(write(t, d), "\r\n\r\n")
		if body != tt.want || !strings.Contains(header, "Content-Transfer-Encoding: "+tt.encoding) {
			t.Errorf("text %q is written as %q, want %q in %s", tt.text, body, tt.want, tt.encoding)
		}
	}
}

// TestDraftSettles finds that a message stays the same once it was written.
func TestDraftSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &message.Draft{From: addr("", "ann@example.com"), To: []mail.Address{addr("", "b@x")}}
		first := write(t, d)
		if d.Date.IsZero() || d.MessageID == "" {
			t.Fatalf("Date, MessageID = %v, %q, want both settled", d.Date, d.MessageID)
		}
		if got := len(d.MessageID); got != 32+len("@example.com") || !strings.HasSuffix(d.MessageID, "@example.com") {
			t.Errorf("MessageID = %q, want 32 digits in the author's domain", d.MessageID)
		}
		<-time.After(time.Hour)
		if second := write(t, d); second != first {
			t.Errorf("written again the message is\n%s\nwant\n%s", second, first)
		}
		other := &message.Draft{From: d.From}
		write(t, other)
		if other.MessageID == d.MessageID {
			t.Errorf("two drafts have the identifier %q", d.MessageID)
		}
	})
	for from, domain := range map[string]string{"a@exämple.com": "xn--exmple-cua.com", "ä@exämple.com": "xn--exmple-cua.com", "a@[192.0.2.1]": "localhost"} {
		d := &message.Draft{From: addr("", from)}
		write(t, d)
		if !strings.HasSuffix(d.MessageID, "@"+domain) {
			t.Errorf("MessageID = %q for %s, want one in %s", d.MessageID, from, domain)
		}
	}
}

// every calls f with each string of v that is exported, and what it is called.
func every(v reflect.Value, name string, f func(name string, s reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		f(name, v)
	case reflect.Slice:
		for i := range v.Len() {
			every(v.Index(i), name, f)
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				every(value, name+"."+field.Name, f)
			}
		}
	default:
	}
}

// isBody reports whether a string of a Draft may have several lines.
func isBody(name string) bool {
	return name == "Draft.Text" || name == "Draft.HTML" || name == "Draft.Calendar"
}

// TestDraftRefuses puts a line break into every string that a Draft has, found
// by reflection, so that one that is new is not forgotten. Nothing but the bodies
// takes it.
func TestDraftRefuses(t *testing.T) {
	for field, value := range reflect.ValueOf(*draft()).Fields() {
		if value.IsZero() {
			t.Errorf("draft() does not set %s, so that nothing is known of it", field.Name)
		}
	}
	fields := 0
	for _, bad := range []string{"x\r\nBcc: hidden@example.com", "x\ny", "x\ry", "x\x00y", "a@b\r\n\r\nbody", "text/plain\r\nX: y", "text/plain;\r\n charset=utf-8", "https://x/\n", "x@y\r\n"} {
		fields = 0
		every(reflect.ValueOf(draft()).Elem(), "Draft", func(string, reflect.Value) { fields++ })
		for n := range fields {
			d, i := draft(), 0
			every(reflect.ValueOf(d).Elem(), "Draft", func(name string, s reflect.Value) {
				if i++; i-1 != n || isBody(name) {
					return
				}
				s.SetString(bad)
				refused(t, d, "", bad)
			})
		}
	}
	if want := 35; fields < want {
		t.Errorf("%d strings were found in a Draft, want at least %d", fields, want)
	}
}

// TestDraftRefusesWhere finds that the error names the header field.
func TestDraftRefusesWhere(t *testing.T) {
	const s = "x\r\nBcc: hidden@example.com"
	tests := []struct {
		field  string
		change func(d *message.Draft)
	}{
		{"From", func(d *message.Draft) { d.From.Name = s }},
		{"Sender", func(d *message.Draft) { d.Sender.Address = s }},
		{"Reply-To", func(d *message.Draft) { d.ReplyTo[0].Address = s }},
		{"To", func(d *message.Draft) { d.To[1].Name = s }},
		{"Bcc", func(d *message.Draft) { d.Bcc[0].Address = s }},
		{"Subject", func(d *message.Draft) { d.Subject = s }},
		{"Message-ID", func(d *message.Draft) { d.MessageID = s }},
		{"In-Reply-To", func(d *message.Draft) { d.InReplyTo[0] = s }},
		{"References", func(d *message.Draft) { d.References[1] = s }},
		{"Auto-Submitted", func(d *message.Draft) { d.AutoSubmitted = s }},
		{"Importance", func(d *message.Draft) { d.Importance = s }},
		{"Disposition-Notification-To", func(d *message.Draft) { d.ReceiptTo[0].Name = s }},
		{"List-Unsubscribe", func(d *message.Draft) { d.Unsubscribe[0] = s }},
		{"Content-Type", func(d *message.Draft) { d.Files[0].ContentType = s }},
		{"Content-Disposition", func(d *message.Draft) { d.Files[0].Name = s }},
		{"Content-Description", func(d *message.Draft) { d.Files[0].Description = s }},
		{"Content-ID", func(d *message.Draft) { d.HTML, d.Files[0].ContentID = "", s }},
		{"X-Mailer", func(d *message.Draft) { d.Extra[0].Value = s }},
		{"Extra", func(d *message.Draft) { d.Extra[0].Name = s }},
	}
	for _, tt := range tests {
		d := draft()
		tt.change(d)
		refused(t, d, tt.field, s)
	}
}

func TestDraftRefusesMore(t *testing.T) {
	tests := []struct {
		field  string
		change func(d *message.Draft)
	}{
		{"From", func(d *message.Draft) { d.From = mail.Address{} }},
		{"Sender", func(d *message.Draft) { d.Sender = addr("Name only", "") }},
		{"To", func(d *message.Draft) { d.To[0] = mail.Address{} }},
		{"To", func(d *message.Draft) { d.To[0].Address = "nowhere" }},
		{"To", func(d *message.Draft) { d.To[0].Address = "@x" }},
		{"To", func(d *message.Draft) { d.To[0].Address = "a@x y" }},
		{"To", func(d *message.Draft) { d.To[0].Address = `"two words"@x` }},
		{"To", func(d *message.Draft) { d.To[0].Address = strings.Repeat("x", 1000) + "@x" }},
		{"Bcc", func(d *message.Draft) { d.Bcc[0].Address = "nowhere" }},
		{"Date", func(d *message.Draft) { d.Date = time.Date(1, 1, 1, 1, 0, 0, 0, time.UTC) }},
		{"Message-ID", func(d *message.Draft) { d.MessageID = "a b" }},
		{"Message-ID", func(d *message.Draft) { d.MessageID = "<>" }},
		{"References", func(d *message.Draft) { d.References = []string{"é@x"} }},
		{"Auto-Submitted", func(d *message.Draft) { d.AutoSubmitted = "é" }},
		{"Extra", func(d *message.Draft) { d.Extra[0].Name = "" }},
		{"Extra", func(d *message.Draft) { d.Extra[0].Name = "X:" }},
		{"Extra", func(d *message.Draft) { d.Extra[0].Name = "X Y" }},
		{"Extra", func(d *message.Draft) { d.Extra[0].Name = strings.Repeat("X", 71) }},
		{"bcc", func(d *message.Draft) { d.Extra[0].Name = "bcc" }},
		{"Resent-Bcc", func(d *message.Draft) { d.Extra[0].Name = "Resent-Bcc" }},
		{"Content-Type", func(d *message.Draft) { d.Extra[0].Name = "Content-Type" }},
		{"X-Priority", func(d *message.Draft) { d.Extra[0].Name = "X-Priority" }},
		{"list-unsubscribe", func(d *message.Draft) { d.Extra[0].Name = "list-unsubscribe" }},
		{"List-Unsubscribe", func(d *message.Draft) { d.Unsubscribe[0] = "leave@example.com" }},
		{"List-Unsubscribe", func(d *message.Draft) { d.Unsubscribe[0] = "javascript:x" }},
		{"List-Unsubscribe-Post", func(d *message.Draft) { d.Unsubscribe = []string{"mailto:leave@example.com"} }},
		{"Importance", func(d *message.Draft) { d.Importance = "urgent" }},
		{"HTML", func(d *message.Draft) { d.HTML += `<img src="CID:other@example.com">` }},
		{"HTML", func(d *message.Draft) { d.HTML += `<div style="background:url('cid:other@example.com')">` }},
		{"HTML", func(d *message.Draft) { d.HTML += "<style>p { background: url(cid:other@example.com) }</style>" }},
		{"Content-ID", func(d *message.Draft) { d.Files[1].ContentID = "<logo@example.com>" }},
		{"Content-Disposition", func(d *message.Draft) { d.Files[1].Name = "bell\x07.txt" }},
		{"Content-Disposition", func(d *message.Draft) { d.Files[1].Name = strings.Repeat("x", 1001) }},
		{"Calendar", func(d *message.Draft) { d.Calendar = "Monday at ten" }},
		{"Files", func(d *message.Draft) { d.Files[1].Content = nil }},
		{"Files", func(d *message.Draft) {
			d.Files[1] = message.DraftFile{Name: "x.eml", Content: message.Reader(strings.NewReader("From: a@x\n\n"), -1)}
		}},
		{"Content-Type", func(d *message.Draft) { d.Files[1].ContentType = "text" }},
		{"Content-Type", func(d *message.Draft) { d.Files[1].ContentType = "multipart/mixed; boundary=x" }},
	}
	for _, tt := range tests {
		d := draft()
		tt.change(d)
		refused(t, d, tt.field, "")
	}
}

func refused(t *testing.T, d *message.Draft, field, value string) {
	t.Helper()
	s, err := d.Source()
	var f *message.FieldError
	if s != nil || !errors.As(err, &f) || field != "" && f.Field != field {
		t.Errorf("Source() = %T, %v for %q in %q, want an error of that field", s, err, value, field)
		return
	}
	if value != "" && strings.Contains(err.Error(), value) {
		t.Errorf("error %q tells the value", err)
	}
}

func TestLongExtra(t *testing.T) {
	d := letter()
	d.Extra = []message.Field{
		{Name: "List-Unsubscribe", Value: "<https://example.com/" + strings.Repeat("x", 800) + ">"},
		{Name: strings.Repeat("X", 70), Value: "é" + strings.Repeat(" word", 50)},
		{Name: "X-Empty"},
	}
	h := message.ParseHeader([]byte(write(t, d)))
	for _, f := range d.Extra {
		if got := h.Text(f.Name); got != f.Value {
			t.Errorf("%s is %q, want %q", f.Name, got, f.Value)
		}
	}
}

// TestMixedExtra finds that of a field with a structure only what cannot stay is
// encoded.
func TestMixedExtra(t *testing.T) {
	for value, want := range map[string]string{
		"Größe der Liste <list.example>":        "=?utf-8?b?R3LDtsOfZQ==?= der Liste <list.example>",
		"The list for Größe <list.example>":     "The list for =?utf-8?b?R3LDtsOfZQ==?= <list.example>",
		"a ö b ü c":                             "a =?utf-8?b?w7YgYiDDvA==?= c",
		"a  b <c@d>":                            "=?utf-8?q?a__b?= <c@d>",
		"x (c) <d>  e":                          "x (c) =?utf-8?q?=3Cd=3E__e?=",
		"a =?utf-8?q?x?= b":                     "a =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= b",
		"plain":                                 "plain",
		"ö":                                     "=?utf-8?b?w7Y=?=",
		strings.TrimSpace("ö " + many("w", 60)): "=?utf-8?b?w7Y=?= " + many("w", 60),
	} {
		d := letter()
		d.Extra = []message.Field{{Name: "List-Id", Value: value}}
		h := message.ParseHeader([]byte(write(t, d)))
		if got := h.Get("List-Id"); got != want {
			t.Errorf("%q is written as %q, want %q", value, got, want)
		}
		if got := h.Text("List-Id"); got != value {
			t.Errorf("%q is read as %q", value, got)
		}
	}
}

// many returns n words.
func many(word string, n int) string { return strings.TrimSpace(strings.Repeat(word+" ", n)) }

// TestUndisclosedRecipients finds that a message to hidden recipients alone has a
// To that names nobody.
func TestUndisclosedRecipients(t *testing.T) {
	d := letter()
	d.To, d.Cc = nil, nil
	out := write(t, d)
	h := message.ParseHeader([]byte(out))
	if !strings.Contains(out, "\r\nTo: undisclosed-recipients:;\r\n") || len(h.To()) > 0 || strings.Contains(out, d.Bcc[0].Address) {
		t.Errorf("To() = %v of\n%s\nwant a group of nobody", h.To(), out)
	}
	d.Bcc = nil
	if out := write(t, d); strings.Contains(out, "\r\nTo:") {
		t.Errorf("a message to nobody has a To:\n%s", out)
	}
}

func TestRecipients(t *testing.T) {
	d := &message.Draft{
		To:  []mail.Address{addr("A", "a@example.com"), addr("B", "b@example.com"), {}},
		Cc:  []mail.Address{addr("", "a@EXAMPLE.com"), addr("", "A@example.com")},
		Bcc: []mail.Address{addr("", "c@example.com"), addr("", "b@example.com"), addr("", "a> b@example.com")},
	}
	want := []string{"a@example.com", "b@example.com", "A@example.com", "c@example.com", `"a> b"@example.com`}
	if got := d.Recipients(); !slices.Equal(got, want) {
		t.Errorf("Recipients() = %q, want %q", got, want)
	}
}

// TestInternationalDomain finds that an address with a local part of ASCII needs no
// server that takes UTF-8, in the header nor in the envelope.
func TestInternationalDomain(t *testing.T) {
	d := &message.Draft{
		From: addr("Jürgen", "j@bücher.example"), To: []mail.Address{addr("", "a b@BÜCHER.example"), addr("", "müller@bücher.example")},
		Bcc: []mail.Address{addr("", "a b@xn--bcher-kva.example")},
	}
	out := write(t, d)
	for _, want := range []string{" <j@xn--bcher-kva.example>\r\n", `<"a b"@xn--bcher-kva.example>,`, " müller@bücher.example\r\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the header does not have %q:\n%s", want, out)
		}
	}
	if got, want := d.Recipients(), []string{`"a b"@xn--bcher-kva.example`, "müller@bücher.example"}; !slices.Equal(got, want) {
		t.Errorf("Recipients() = %q, want %q", got, want)
	}
	if got, want := d.ReturnPath(), "j@xn--bcher-kva.example"; got != want {
		t.Errorf("ReturnPath() = %q, want %q", got, want)
	}
	d.Cc = []mail.Address{addr("", "a@bücher-.example")}
	if _, err := d.Source(); !refusesField(err, "Cc") {
		t.Errorf("Source() = %v with a domain that cannot be, want a FieldError of Cc", err)
	}
}

func refusesField(err error, field string) bool {
	refused, ok := errors.AsType[*message.FieldError](err)
	return ok && refused.Field == field
}

func TestReturnPath(t *testing.T) {
	d := &message.Draft{From: addr("A", "two words@example.com")}
	if got, want := d.ReturnPath(), `"two words"@example.com`; got != want {
		t.Errorf("ReturnPath() = %q, want %q", got, want)
	}
	d.Sender = addr("B", "b@example.com")
	if got, want := d.ReturnPath(), "b@example.com"; got != want {
		t.Errorf("ReturnPath() = %q, want %q", got, want)
	}
	for value, want := range map[string]string{
		"no": "b@example.com", "auto-generated": "b@example.com", "auto-replied": "", "Auto-Replied; owner-email=x": "",
	} {
		d.AutoSubmitted = value
		if got := d.ReturnPath(); got != want {
			t.Errorf("ReturnPath() = %q where Auto-Submitted is %q, want %q", got, value, want)
		}
	}
}

func TestDraftOddZone(t *testing.T) {
	d := letter()
	d.Date = time.Date(2026, 11, 3, 10, 11, 12, 0, time.FixedZone("", 3601))
	if out := write(t, d); !bytes.HasPrefix([]byte(out), []byte("Date: Tue, 03 Nov 2026 09:11:11 +0000\r\n")) {
		t.Errorf("a zone of odd seconds is written as %q", strings.SplitN(out, "\r\n", 2)[0])
	}
}
