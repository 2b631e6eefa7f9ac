package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
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

// limitsOf returns the limits that a message passes.
func limitsOf(m *message.Message) []string {
	var all []string
	for _, d := range m.Defects {
		if d.Limit > 0 {
			all = append(all, fmt.Sprintf("%s %d", d.Kind, d.Limit))
		}
	}
	return all
}

// TestLimits finds that a message beyond a limit is read, with all that can be
// given of it and a defect that names the limit, and that enmime sees nothing
// of it.
func TestLimits(t *testing.T) {
	long := "Subject: long\r\nX-Long: " + strings.Repeat("x", 100) + "\r\n y\r\nX-Last: z\r\n\r\ntext\r\n"
	open := "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	guess := "--b\r\n\r\n" + strings.Repeat("\xe9t\xe9 ", 100) + "\r\n"
	tests := []struct {
		name        string
		in          string
		opts        *message.ParseOptions
		limits      []string
		text        string
		attachments int
		calls       int // of enmime
	}{
		{"depth as allowed", nested(16), nil, nil, "text\n", 0, 0},
		{"one too deep", nested(17), nil, []string{"deeper-nesting 16"}, "text\n", 0, 0},
		{"28 that do not close", nested(28), nil, []string{"deeper-nesting 16"}, "text\n", 0, 0},
		{"deeper than asked for", nested(3), &message.ParseOptions{MaxDepth: 2}, []string{"deeper-nesting 2"}, "text\n", 0, 0},
		{"deeper than anything", nested(1000), nil, []string{"deeper-nesting 16"}, "", 1, 0},
		{"very deep, allowed", nested(1000), &message.ParseOptions{MaxDepth: 1000, MaxParts: 2000}, nil, "text\n", 0, 0},
		{"parts as allowed", manyParts(999), nil, nil, strings.Repeat("x\n", 998) + "x", 0, 0},
		{"too many parts", manyParts(1000), nil, []string{"more-parts 1000"}, strings.Repeat("x\n", 999) + "x", 0, 0},
		{"too many attachments", manyFiles(2000), nil, []string{"more-parts 1000"}, "", 999, 0},
		{"too many empty parts", open + strings.Repeat("--b\r\n\r\n", 200000), nil, []string{"more-parts 1000"}, "", 0, 0},
		{"header as allowed", long, &message.ParseOptions{MaxHeaderBytes: len(long) - 6}, nil, "text\n", 0, 0},
		{"header too long", long, &message.ParseOptions{MaxHeaderBytes: 60}, []string{"longer-header 60"}, "text\n", 0, 0},
		{"line too long", long[len("Subject: long\r\n"):], &message.ParseOptions{MaxHeaderBytes: 60}, []string{"longer-header 60"}, "text\n", 0, 0},
		{"header of a part too long", open + "--b\r\n" + long, &message.ParseOptions{MaxHeaderBytes: 66}, []string{"longer-header 66"}, "text\n", 0, 0},
		{"text to guess", open + guess, nil, nil, strings.Repeat("été ", 100) + "\n", 0, 1},
		{"many texts to guess", open + strings.Repeat(guess, 20), nil, nil, strings.Repeat(strings.Repeat("été ", 100)+"\n", 20), 0, 2},
		{"text to guess, parts too many", open + strings.Repeat("--b\r\n\r\nx\r\n", 1000) + guess, nil, []string{"more-parts 1000"}, strings.Repeat("x\n", 1000) + strings.Repeat("été ", 100) + "\n", 0, 0},
		{"text to guess, nested too deep", strings.TrimSuffix(nested(17), "text\r\n") + strings.Repeat("\xe9t\xe9 ", 100), nil, []string{"deeper-nesting 16"}, strings.Repeat("été ", 100), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, calls, err := message.ParseCounting(strings.NewReader(tt.in), tt.opts)
			if err != nil {
				t.Fatalf("Parse() = %v", err)
			}
			checkMessage(t, m)
			if string(m.Raw()) != tt.in {
				t.Error("the raw bytes are missing")
			}
			if first := strings.Fields(tt.in)[1]; m.Header.Text("Subject") != first && m.Header.Text("X-Long") == "" {
				t.Errorf("the header is missing: Subject is %q, want %q", m.Header.Subject(), first)
			}
			if m.Text != tt.text || len(m.Attachments) != tt.attachments {
				t.Errorf("%d bytes of text and %d attachments, want %d and %d", len(m.Text), len(m.Attachments), len(tt.text), tt.attachments)
			}
			if got := limitsOf(m); !slices.Equal(got, tt.limits) {
				t.Errorf("limits passed are %q, want %q", got, tt.limits)
			}
			if calls != tt.calls {
				t.Errorf("enmime was called %d times, want %d", calls, tt.calls)
			}
		})
	}
}

// manyFiles returns a message of n attachments.
func manyFiles(n int) string {
	return "Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n", n) + "--b--\r\n"
}

// TestMissingBytes finds that what cannot be read whole gives what came, with
// an error and a defect.
func TestMissingBytes(t *testing.T) {
	broken := errors.New("line is dead")
	const in = "Subject: cut\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/png\r\n\r\nhalf"
	read := func(tail ...io.Reader) io.Reader {
		return io.MultiReader(append([]io.Reader{strings.NewReader(in)}, tail...)...)
	}
	tests := []struct {
		name   string
		r      io.Reader
		opts   *message.ParseOptions
		err    error
		defect message.DefectKind
	}{
		{"complete as far as can be known", read(), nil, nil, message.DefectUnclosed},
		{"reader fails", read(iotest.ErrReader(broken)), nil, broken, message.DefectCut},
		{"reader is cut off", read(iotest.ErrReader(io.ErrUnexpectedEOF)), nil, io.ErrUnexpectedEOF, message.DefectCut},
		{"reader fails at the limit", read(iotest.ErrReader(broken)), &message.ParseOptions{MaxBytes: int64(len(in))}, broken, message.DefectCut},
		{"as long as allowed", read(), &message.ParseOptions{MaxBytes: int64(len(in))}, nil, message.DefectUnclosed},
		{"too long", read(strings.NewReader("x")), &message.ParseOptions{MaxBytes: int64(len(in))}, &message.LimitError{}, message.DefectBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := message.Parse(tt.r, tt.opts)
			limit := &message.LimitError{}
			if isLimit := errors.As(err, &limit); isLimit != (tt.defect == message.DefectBytes) || !isLimit && !errors.Is(err, tt.err) {
				t.Errorf("Parse() = %v, want %v", err, tt.err)
			}
			if m == nil {
				t.Fatal("no message")
			}
			checkMessage(t, m)
			if string(m.Raw()) != in || m.Header.Subject() != "cut" || m.Text != "text" || len(m.Attachments) != 1 || string(m.Attachments[0].Content) != "half" {
				t.Errorf("message is %s", describe(m))
			}
			if m.Defects[0].Kind != tt.defect {
				t.Errorf("Defects = %v, want %s first", m.Defects, tt.defect)
			}
		})
	}
}

func TestReaderThatFailsAtOnce(t *testing.T) {
	broken := errors.New("line is dead")
	m, err := message.Parse(iotest.ErrReader(broken), nil)
	if m == nil || m.Header.Len() != 0 || !errors.Is(err, broken) {
		t.Errorf("Parse() = %v, %v, want an empty message and %v", m, err, broken)
	}
}

func TestLimitErrorText(t *testing.T) {
	got := (&message.LimitError{Max: 7}).Error()
	if !strings.HasPrefix(got, "message: ") || !strings.Contains(got, "7") || !strings.Contains(got, "ParseOptions") {
		t.Errorf("Error() = %q, want the limit and what to do", got)
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
		{"no semicolon", "Content-Disposition: attachment filename=a.txt\r\n\r\nx", "", "", []string{"1 a.txt text/plain false"}},
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

// TestTextsOfAttachments come in the character set of their sender.
func TestTextsOfAttachments(t *testing.T) {
	for _, test := range []struct{ contentType, content, want string }{
		{"text/csv; charset=iso-8859-1", "Stra\xdfe;1\r\n", "Straße;1\n"},
		{`text/csv; CHARSET="utf-8"; header=present`, "Stra\xc3\x9fe", "Straße"},
		{"text/csv; charset=utf-8", "Stra\xdfe", "Straße"},
		{"text/csv; charset=unknown", "Stra\xc3\x9fe", "Straße"},
		{"text/csv", "Stra\xdfe", "Straße"},
		{"text/csv; charset=koi8-r", "\xd0\xd2\xc9", "при"},
		{"text/html", "<meta charset=koi8-r>\xd0\xd2\xc9", "<meta charset=koi8-r>при"},
	} {
		m := parse(t, "Content-Type: "+test.contentType+"\r\nContent-Disposition: attachment\r\n\r\n"+test.content)
		if len(m.Attachments) != 1 {
			t.Fatalf("%s: %d attachments, want one", test.contentType, len(m.Attachments))
		}
		if got := m.Attachments[0].Text(); got != test.want {
			t.Errorf("Text() of %q of type %s = %q, want %q", test.content, test.contentType, got, test.want)
		}
	}
}

func TestPartsOfAMessageHaveTheParametersThatTheyHaveInAWalk(t *testing.T) {
	const in = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar; method=REPLY; NAME*=utf-8''%2e%2e%2fa.ics\n\n--b--\n"
	a := parse(t, in).Attachments[0]
	for p, err := range message.Walk(strings.NewReader(in), nil) {
		switch {
		case err != nil:
			t.Fatal(err)
		case p.Number == a.Part && (!maps.Equal(p.Params, a.Params) || a.Params["method"] != "REPLY"):
			t.Errorf("Params = %v in the message and %v in the walk", a.Params, p.Params)
		case p.Number == a.Part && (p.FileName() != "a.ics" || a.FileName() != "a.ics"):
			t.Errorf("FileName() = %q in the message and %q in the walk, want a.ics", a.FileName(), p.FileName())
		}
	}
}
