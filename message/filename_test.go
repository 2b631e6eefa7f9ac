package message_test

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mailsession/mailsession/message"
)

func TestFileNamesAreSafe(t *testing.T) {
	long := strings.Repeat("é", 150)
	for _, test := range []struct{ name, contentType, want string }{
		{"report.pdf", "", "report.pdf"},
		{"Bericht für März.pdf", "", "Bericht für März.pdf"},
		{"../../etc/passwd", "", "passwd"},
		{"/etc/cron.d/x", "", "x"},
		{`C:\Users\Ann\doc.txt`, "", "doc.txt"},
		{`\\server\share\x.exe`, "", "x.exe"},
		{"C:x.txt", "", "C_x.txt"},
		{"a.txt:hidden.exe", "", "a.txt_hidden.exe"},
		{"folder/", "", "folder"},
		{"..", "application/pdf", "attachment.pdf"},
		{"", "message/rfc822", "attachment.eml"},
		{"", "IMAGE/JPEG; name=x", "attachment.jpg"},
		{" . ", "", "attachment.bin"},
		{"/", "image/png", "attachment.png"},
		{"\x00\x01", "text/calendar", "attachment.ics"},
		{"CON", "", "_CON"},
		{"nul.txt", "", "_nul.txt"},
		{"com1 .tar.gz", "", "_com1 .tar.gz"},
		{"COM¹", "", "_COM¹"},
		{"CON" + strings.Repeat(" ", 250) + "x.txt", "", "_CON.txt"},
		{"LPT10", "", "LPT10"},
		{"console.txt", "", "console.txt"},
		{"a.txt. . ", "", "a.txt"},
		{".htaccess", "", "_htaccess"},
		{"-rf", "", "_rf"},
		{"a\r\nb\tc.txt", "", "a  b c.txt"},
		{"invoice\u202efdp.exe", "", "invoicefdp.exe"},
		{"a\u200bb\ufeff.txt", "", "ab.txt"},
		{`what? <a|b> "c"*.txt`, "", "what_ _a_b_ _c__.txt"},
		{"e\u0301.txt", "", "é.txt"},
		{"a\xff.txt", "", "a_.txt"},
		{long + ".pdf", "", strings.Repeat("é", 98) + ".pdf"},
		{"x" + long + ".tar.gz", "", "x" + strings.Repeat("é", 96) + ".tar.gz"},
		{"a." + long, "", "a." + strings.Repeat("é", 99)},
		{"日本語.docx", "", "日本語.docx"},
	} {
		a := message.Attachment{Name: test.name, ContentType: test.contentType}
		if got := a.FileName(); got != test.want {
			t.Errorf("FileName() of %q of type %q = %q, want %q", test.name, test.contentType, got, test.want)
		}
	}
}

func TestFileNamesDoNotClash(t *testing.T) {
	var names message.FileNames
	long := strings.Repeat("x", 300) + ".txt"
	for _, test := range []struct{ name, want string }{
		{"a.pdf", "a.pdf"},
		{"A.PDF", "A (2).PDF"},
		{"a.pdf", "a (3).pdf"},
		{"a (4).pdf", "a (4).pdf"},
		{"a.pdf", "a (5).pdf"},
		{"x/../a.pdf", "a (6).pdf"},
		{"straße", "straße"},
		{"STRASSE", "STRASSE (2)"},
		{"é", "é"},
		{"E\u0301", "É (2)"},
		{"b.tar.gz", "b.tar.gz"},
		{"b.tar.gz", "b (2).tar.gz"},
		{long, strings.Repeat("x", 196) + ".txt"},
		{long, strings.Repeat("x", 192) + " (2).txt"},
		{"", "attachment.bin"},
		{"", "attachment (2).bin"},
	} {
		if got := names.Unique(test.name); got != test.want {
			t.Errorf("Unique(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

// checkFileName finds what holds of every safe file name.
func checkFileName(t *testing.T, name string) {
	t.Helper()
	switch {
	case name == "", len(name) > 200, !utf8.ValidString(name), !norm.NFC.IsNormalString(name):
		t.Errorf("file name %q is empty, too long or not normal", name)
	case strings.ContainsAny(name, `/\:*?"<>|`), strings.ContainsFunc(name, unicode.IsControl), strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Cf, r) }):
		t.Errorf("file name %q has characters that no file name has", name)
	case !filepath.IsLocal(name), filepath.Base(name) != name, strings.Trim(name, ". ") == "", strings.TrimRight(name, ". ") != name:
		t.Errorf("file name %q does not stay in its folder", name)
	}
	if again := message.SafeFileName(name, ""); again != name {
		t.Errorf("file name %q becomes %q when it is made safe again", name, again)
	}
}

func TestAttachmentsOfCorpusHaveSafeNames(t *testing.T) {
	attachments := 0
	check := func(_ string, data []byte) {
		m, err := message.Parse(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		var names message.FileNames
		seen := make(map[string]bool)
		for _, a := range m.Attachments {
			attachments++
			checkFileName(t, a.FileName())
			unique := strings.ToLower(names.Unique(a.FileName()))
			if seen[unique] {
				t.Errorf("file name %q is given twice", unique)
			}
			seen[unique] = true
		}
	}
	eachFile(t, "testdata", check)
	eachFile(t, corpus(t), check)
	t.Logf("%d attachments named", attachments)
}

// TestManyClashesAreNumberedOneByOne numbers so many names that a search from
// the first would not end.
func TestManyClashesAreNumberedOneByOne(t *testing.T) {
	var names message.FileNames
	const n = 50_000
	var last string
	for range n {
		last = names.Unique("image.png")
	}
	if want := "image (" + strconv.Itoa(n) + ").png"; last != want {
		t.Errorf("the last of %d names is %q, want %q", n, last, want)
	}
}

// FuzzSafeFileName finds that every name becomes one that stays in its folder,
// and that three of a kind differ.
func FuzzSafeFileName(f *testing.F) {
	for _, name := range []string{"../a", `C:\a:b`, "CON.txt", "a\u202eb. .", strings.Repeat("é.", 120), "\u037e\u212a", "K\u0338.\u0301", "a (2).tar.gz", "-.-", ". /x/ ."} {
		f.Add(name, "text/plain")
	}
	f.Fuzz(func(t *testing.T, name, contentType string) {
		safe := message.SafeFileName(name, contentType)
		checkFileName(t, safe)
		var names message.FileNames
		seen := make(map[string]bool)
		for range 3 {
			unique := names.Unique(safe)
			checkFileName(t, unique)
			if seen[unique] {
				t.Errorf("Unique(%q) = %q twice", safe, unique)
			}
			seen[unique] = true
		}
	})
}
