package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailsession/mailsession/message"
)

// nested returns a message of multiparts inside of each other, none of which
// is closed.
func nested(depth int) string {
	var b strings.Builder
	b.WriteString("Subject: deep\r\n")
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\ntext\r\n")
	return b.String()
}

// manyParts returns a message of n parts beside its multipart.
func manyParts(n int) string {
	return "Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", n) + "--b--\r\n"
}

func TestLimits(t *testing.T) {
	long := "Subject: long\r\n\r\n" + strings.Repeat("x", 100)
	tests := []struct {
		name string
		in   string
		opts *message.ParseOptions
		want *message.LimitError
	}{
		{"depth as allowed", nested(16), nil, nil},
		{"too deep", nested(17), nil, &message.LimitError{Limit: "depth", Max: 16}},
		{"deeper than asked for", nested(3), &message.ParseOptions{MaxDepth: 2}, &message.LimitError{Limit: "depth", Max: 2}},
		{"very deep, allowed", nested(1000), &message.ParseOptions{MaxDepth: 1000, MaxParts: 2000}, nil},
		{"parts as allowed", manyParts(999), nil, nil},
		{"too many parts", manyParts(1000), nil, &message.LimitError{Limit: "parts", Max: 1000}},
		{"very many parts", manyParts(200000), nil, &message.LimitError{Limit: "parts", Max: 1000}},
		{"length as allowed", long, &message.ParseOptions{MaxBytes: int64(len(long))}, nil},
		{"too long", long, &message.ParseOptions{MaxBytes: int64(len(long)) - 1}, &message.LimitError{Limit: "bytes", Max: int64(len(long)) - 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := message.Parse(strings.NewReader(tt.in), tt.opts)
			if m == nil || m.Header.Subject() != strings.Fields(tt.in)[1] {
				t.Fatalf("Parse() = %v, want a message with its header", m)
			}
			if tt.want == nil {
				if err != nil {
					t.Fatalf("Parse() = %v, want nil", err)
				}
				return
			}
			var limit *message.LimitError
			if !errors.As(err, &limit) || *limit != *tt.want {
				t.Fatalf("Parse() = %v, want %v", err, tt.want)
			}
			if tt.want.Limit == "bytes" && m.Raw() != nil {
				t.Error("bytes beyond the limit are kept")
			}
			if tt.want.Limit != "bytes" && string(m.Raw()) != tt.in {
				t.Error("the raw bytes are missing")
			}
		})
	}
}

func TestLimitErrorTexts(t *testing.T) {
	for _, limit := range []string{"bytes", "depth", "parts", "other"} {
		got := (&message.LimitError{Limit: limit, Max: 7}).Error()
		if !strings.HasPrefix(got, "message: ") || !strings.Contains(got, "7") || !strings.Contains(got, "ParseOptions") {
			t.Errorf("Error() = %q for %q, want the limit and what to do", got, limit)
		}
	}
}

func TestParseReadError(t *testing.T) {
	broken := errors.New("line is dead")
	for _, r := range []io.Reader{
		iotest.ErrReader(broken),
		io.MultiReader(strings.NewReader("Subject: x\r\n\r\nbody"), iotest.ErrReader(broken)),
		io.MultiReader(strings.NewReader("0123456789"), iotest.ErrReader(broken)),
	} {
		m, err := message.Parse(r, &message.ParseOptions{MaxBytes: 10})
		if _, ok := errors.AsType[*message.LimitError](err); ok {
			continue // the limit came first
		}
		if m != nil || !errors.Is(err, broken) {
			t.Errorf("Parse() = %v, %v, want %v", m, err, broken)
		}
	}
}

// TestHostileContent finds that decoding takes memory in proportion to what
// there is to decode, whatever it is.
func TestHostileContent(t *testing.T) {
	const size = 1 << 20
	tests := map[string]string{
		"no base64":        "Content-Transfer-Encoding: base64\r\nContent-Type: image/png\r\n\r\n" + strings.Repeat("!", size),
		"no printable":     "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=\xff", size/2),
		"junk lines":       strings.Repeat("x\n", size/2) + "\r\n",
		"fields":           strings.Repeat("a:\n", size/3) + "\r\n",
		"one long field":   "Content-Type: text/plain" + strings.Repeat("; a=\"b", size/6) + "\r\n\r\n",
		"words":            "Subject: " + strings.Repeat("=?a?q?x", size/7) + "\r\n\r\n",
		"commas":           "From: " + strings.Repeat("a,", size/2) + " x <a@x>\r\n\r\n",
		"quotes":           "From: " + strings.Repeat("\"(<", size/3) + "\r\n\r\n",
		"comments":         "Date: " + strings.Repeat("(", size) + "\r\n\r\n",
		"delimiters":       "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b \r\n--bb\r\n", 900),
		"other delimiters": "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + strings.Repeat("--x\r\n", size/5),
		"identifiers":      "References: " + strings.Repeat("<", size) + "\r\n\r\n",
		"parameters":       "Content-Disposition: attachment" + strings.Repeat("; filename*1*=a", size/15) + "\r\n\r\n",
	}
	for name, in := range tests {
		m, err := message.Parse(strings.NewReader(in), nil)
		if err != nil {
			t.Errorf("%s: Parse() = %v", name, err)
			continue
		}
		checkMessage(t, m)
	}
	in := []byte(tests["no base64"])
	got := testing.AllocsPerRun(1, func() {
		if _, err := message.Parse(bytes.NewReader(in), nil); err != nil {
			t.Error(err)
		}
	})
	if got > 100 {
		t.Errorf("a megabyte that is no base64 takes %v allocations, want less than 100", got)
	}
}

func TestTextParts(t *testing.T) {
	part := func(fields, body string) string { return "--b\r\n" + fields + "\r\n\r\n" + body + "\r\n" }
	multi := func(kind string, parts ...string) string {
		return "Content-Type: multipart/" + kind + "; boundary=b\r\n\r\n" + strings.Join(parts, "") + "--b--\r\n"
	}
	tests := []struct {
		name        string
		in          string
		text, html  string
		attachments []string
	}{
		{"root with a name", "Content-Type: text/plain; name=a.txt\r\n\r\nx", "x", "", nil},
		{"root as attachment", "Content-Disposition: attachment; filename=a.txt\r\n\r\nx", "", "", []string{"1 a.txt text/plain false"}},
		{"root of another type", "Content-Type: image/png\r\n\r\nx", "", "", []string{"1  image/png false"}},
		{
			"a name makes a file of the second", multi("mixed",
				part("Content-Type: text/plain; name=a.txt", "1"), part("Content-Type: text/plain; name=b.txt", "2")),
			"1", "",
			[]string{"2 b.txt text/plain false"},
		},
		{
			"two alternatives of one type", multi("alternative",
				part("Content-Type: text/plain", "1"), part("Content-Type: text/plain", "2"), part("Content-Type: text/html", "3")),
			"1", "3",
			[]string{"2  text/plain true"},
		},
		{
			"a page beside the root", multi("related",
				part("Content-Type: text/html", "1"), part("Content-Type: text/html\r\nContent-Id: <x@y>", "2")),
			"", "1",
			[]string{"2  text/html true"},
		},
		{
			"inline by the way it is referred to", multi("mixed",
				part("Content-Type: image/png\r\nContent-Id: <x@y>", "1"), part("Content-Type: image/png", "2")),
			"", "",
			[]string{"1  image/png true", "2  image/png false"},
		},
		{"empty parts", multi("mixed", "--b\r\n", "--b\r\n\r\n", "--b\r\nContent-Type: image/png\r\n"), "", "", []string{"3  image/png false"}},
		{"upper case", "CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8\r\nCONTENT-TRANSFER-ENCODING: BASE64\r\n\r\nw6k=", "", "é", nil},
		{"body at once", "Subject: x\r\n\r\n", "", "", nil},
		{"text of lines", "\r\na\r\nb\nc\rd", "a\nb\nc\rd", "", nil},
		{"text of strange lines", "\r\na\r\r\nb\r\r\r\n\r\nc\r", "a\nb\n\nc", "", nil},
		{"line break that was cut in two", multi("mixed", part("X: y", "a\r"), part("X: y", "b")), "a\nb", "", nil},
		{"boundary as prefix", multi("mixed", part("X: y", "a\r\n--bb\r\n-- b\r\n --b"), part("X: y", "c")), "a\n--bb\n-- b\n --b\nc", "", nil},
		{"no parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--c\r\n", "x\n--c\n", "", nil},
		{"closed without parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--b--\r\ny", "x", "", nil},
		{"no parts inside", multi("mixed", part("Content-Type: multipart/mixed; boundary=c", "x"), part("X: y", "z")), "x\nz", "", nil},
		{"closed inside", multi("mixed", part("Content-Type: multipart/mixed; boundary=c", "--c\r\n\r\nx\r\n--c--\r\n--c\r\n\r\ny"), part("X: y", "z")), "x\nz", "", nil},
		{"space at the end of the boundary", "Content-Type: multipart/mixed; boundary=\"b \"\r\n\r\n--b\r\n\r\nx\r\n--b --\r\n\r\ny\r\n--b--", "x\ny", "", nil},
		{"no semicolon", "Content-Disposition: attachment filename=a.txt\r\n\r\nx", "", "", []string{"1  text/plain false"}},
		{"encoded name", "Content-Type: image/png; name=\"=?utf-8?q?=C3=A9.png?=\"\r\n\r\n", "", "", []string{"1 é.png image/png false"}},
		{"extended name", "Content-Disposition: attachment; filename*=iso-8859-1'de'%E9.png\r\n\r\n", "", "", []string{"1 é.png text/plain false"}},
		{"extended name in pieces", "Content-Disposition: attachment;\r\n filename*0*=koi8-r''%C1%C2;\r\n filename*1=c.png\r\n\r\n", "", "", []string{"1 абc.png text/plain false"}},
		{"extended name of the type", "Content-Type: image/png; name*=iso-8859-1''%E9.png\r\n\r\n", "", "", []string{"1 é.png image/png false"}},
		{"utf-16 in the page only", "Content-Type: text/html\r\n\r\n<meta charset=utf-16>\xc3\xa9", "", "<meta charset=utf-16>é", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := message.Parse(iotest.OneByteReader(strings.NewReader(tt.in)), nil)
			if err != nil {
				t.Fatalf("Parse() = %v", err)
			}
			checkMessage(t, m)
			if m.Text != tt.text || m.HTML != tt.html {
				t.Errorf("Text, HTML = %q, %q, want %q, %q", m.Text, m.HTML, tt.text, tt.html)
			}
			var got []string
			for _, a := range m.Attachments {
				got = append(got, fmt.Sprintf("%s %s %s %v", a.Part, a.Name, a.ContentType, a.Inline))
			}
			if !slices.Equal(got, tt.attachments) {
				t.Errorf("attachments are %q, want %q", got, tt.attachments)
			}
		})
	}
}

func TestGuessedCharset(t *testing.T) {
	// Long enough to be recognised.
	japanese := strings.Repeat("いろはにほへと ちりぬるを わかよたれそ つねならむ。日本語の文章を書く。", 4)
	in := append([]byte("Content-Type: text/plain\r\n\r\n"), encodeEUC(t, japanese)...)
	m, err := message.Parse(bytes.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Text != japanese {
		t.Errorf("Text = %q, want %q", m.Text, japanese)
	}
	if len(m.Defects) != 1 || m.Defects[0].Kind != message.DefectCharset {
		t.Errorf("Defects = %v, want %s", m.Defects, message.DefectCharset)
	}
}

func TestMessageSource(t *testing.T) {
	const in = "Subject: x\r\n\r\nbody"
	if got := readSource(t, parse(t, in).Source()); got != in {
		t.Errorf("Source() gives %q, want %q", got, in)
	}
}

func TestAttachmentIsSource(t *testing.T) {
	var s message.Source = message.Attachment{Content: []byte("content")}
	for range 2 {
		if got := readSource(t, s); got != "content" || s.Size() != 7 {
			t.Errorf("content is %q, Size() = %d", got, s.Size())
		}
	}
}
