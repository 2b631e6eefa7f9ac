package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailsession/mailsession/message"
)

// enclosing is a message with text in two forms, a picture in it, a file whose
// name is encoded, and a message with a file of its own.
const enclosing = "Subject: all of it\nContent-Type: multipart/mixed; boundary=a\n\npreamble\n" +
	"--a\nContent-Type: multipart/alternative; boundary=b\n\n" +
	"--b\nContent-Type: text/plain; charset=utf-8\n\nHello\n" +
	"--b\nContent-Type: multipart/related; boundary=c\n\n" +
	"--c\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>Hello=20</p>\n" +
	"--c\nContent-Type: image/png\nContent-ID: <pic@x>\nContent-Transfer-Encoding: BASE64\n\niVBORw==\n--c--\n--b--\n" +
	"--a\nContent-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''%E2%82%AC.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0x\nLjQ=\n" +
	"--a\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=d\n\n--d\n\nHi\n--d\nContent-Type: text/csv; name=t.csv\n\n1,2\n--d--\n\n--a--\n"

func shown(s message.Structure) string {
	var b strings.Builder
	for _, p := range s {
		fmt.Fprintf(&b, "%s %s %s %d %s\n", p.Number, p.ContentType, p.Encoding, p.Size, p.Name)
	}
	return b.String()
}

func TestStructure(t *testing.T) {
	s, err := message.ReadStructure(strings.NewReader(strings.ReplaceAll(enclosing, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := ` multipart/mixed 7bit -1 
1 multipart/alternative 7bit -1 
1.1 text/plain 7bit 5 
1.2 multipart/related 7bit -1 
1.2.1 text/html quoted-printable 15 
1.2.2 image/png base64 8 
2 application/pdf base64 14 €.pdf
3 message/rfc822 7bit 127 
3 multipart/mixed 7bit -1 
3.1 text/plain 7bit 2 
3.2 text/csv 7bit 3 t.csv
`
	if got := shown(s); got != want {
		t.Errorf("the structure is\n%swant\n%s", got, want)
	}
	var attached []string
	for _, a := range s.Attachments() {
		attached = append(attached, fmt.Sprintf("%s %s %t", a.Number, a.FileName(), a.Inline))
	}
	if got, want := strings.Join(attached, ", "), "1.2.2 attachment.png true, 2 €.pdf false, 3 attachment.eml false"; got != want {
		t.Errorf("the attachments are %s, want %s", got, want)
	}
	if p, ok := s.TextPart(); !ok || p.Number != "1.1" {
		t.Errorf("the text is part %q, %t, want 1.1", p.Number, ok)
	}
}

func TestStructureOfWhatIsCut(t *testing.T) {
	s, err := message.ReadStructure(strings.NewReader("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nhello"))
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(s) != 2 {
		t.Errorf("%d parts, %v, want 2 and io.ErrUnexpectedEOF", len(s), err)
	}
	inner := "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n--a\nContent-Type: image/png\n\ny\n--a--\n"
	if s, err = message.ReadStructure(strings.NewReader(inner)); err != nil || len(s) != 5 || s[4].Number != "2" {
		t.Errorf("around a message that is cut off: %v, %v, want five parts", s, err)
	}
}

// sameAttachments compares what the structure tells with what the whole message
// has.
func sameAttachments(t *testing.T, raw []byte) bool {
	t.Helper()
	whole, err := message.Parse(bytes.NewReader(raw), nil)
	s, cut := message.ReadStructure(bytes.NewReader(raw))
	if err != nil || cut != nil || len(whole.Defects) > 0 {
		return false // what is told of a broken message may differ
	}
	var want, got []string
	for _, a := range whole.Attachments {
		want = append(want, fmt.Sprintf("%s %s %s %s %t", a.Part, a.Name, a.ContentType, a.ContentID, a.Inline))
	}
	for _, a := range s.Attachments() {
		got = append(got, fmt.Sprintf("%s %s %s %s %t", a.Number, a.Name, a.ContentType, a.ContentID, a.Inline))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the structure tells of the attachments\n%q\nwant\n%q", got, want)
	}
	return true
}

// TestStructureTellsAttachments of real messages as Parse does.
func TestStructureTellsAttachments(t *testing.T) {
	raws := [][]byte{[]byte(enclosing)}
	if dir := os.Getenv("MAILSESSION_CORPUS"); dir != "" {
		for _, pattern := range []string{"enmime/*/*", "enmime/*/*/*", "python-email/*", "imap_tools/messages/*", "aerc/*"} {
			names, err := fs.Glob(os.DirFS(dir), pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if raw, err := fs.ReadFile(os.DirFS(dir), name); err == nil {
					raws = append(raws, raw)
				}
			}
		}
	}
	compared := 0
	for _, raw := range raws {
		if sameAttachments(t, raw) {
			compared++
		}
	}
	if compared == 0 {
		t.Error("no message could be compared")
	}
	t.Logf("%d of %d messages compared", compared, len(raws))
}

func TestPreview(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"  two\r\n\twords\u200b\u00a0here ", "two words here"},
		{"new\n\nOn Monday, Ann wrote:\n> old\n", "new"},
		{"> old\n> older\n", "> old > older"},
		{long, long[:2*message.PreviewLength]},
		{strings.Repeat("word ", 60), strings.TrimSpace(strings.Repeat("word ", 40))},
		{"a \xff b", "a b"},
	} {
		if got := message.Preview(tt.text); got != tt.want {
			t.Errorf("Preview(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestPartPreview of beginnings, whose ends are cut anywhere.
func TestPartPreview(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"Content-Type: text/html; charset=iso-8859-1\n\n<style>p{}</style><p>Gr\xfc\xdfe</p><p>an al", "Grüße an al"},
		{"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZSBhd", "Grüße a"},
		{"Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=utf-8\n\nGr=C3=BC=C3=9Fe=", "Grüße"},
	} {
		for p, err := range message.Walk(strings.NewReader(tt.raw), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Preview(); err != nil || got != tt.want {
				t.Errorf("the preview of %q is %q, %v, want %q", tt.raw, got, err, tt.want)
			}
		}
	}
}

// FuzzPreview: a preview is one short line of what was there.
func FuzzPreview(f *testing.F) {
	f.Add("hello\n> there")
	f.Add(strings.Repeat("x", 500))
	f.Fuzz(func(t *testing.T, text string) {
		got := message.Preview(text)
		if n := utf8.RuneCountInString(got); n > message.PreviewLength || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\t\x00") || strings.Contains(got, "  ") {
			t.Errorf("Preview(%q) = %q, %d characters", text, got, n)
		}
		if again := message.Preview(got); utf8.RuneCountInString(again) > utf8.RuneCountInString(got) {
			t.Errorf("the preview of %q is longer: %q", got, again)
		}
	})
}

// FuzzStructure: a structure is bounded by its message, and the numbers lead to
// the parts.
func FuzzStructure(f *testing.F) {
	f.Add([]byte(enclosing))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, _ := message.ReadStructure(bytes.NewReader(raw))
		if len(s) > len(raw)+1 {
			t.Fatalf("%d parts of %d bytes", len(s), len(raw))
		}
		for _, p := range s {
			if p.Size > int64(len(raw)) || p.Multipart && p.Size >= 0 {
				t.Errorf("part %s has %d bytes of %d", p.Number, p.Size, len(raw))
			}
		}
		if text, ok := s.TextPart(); ok && text.Number == "" {
			t.Errorf("the text has no number in %v", s)
		}
	})
}
