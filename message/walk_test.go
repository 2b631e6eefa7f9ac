package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailsession/mailsession/message"
)

// walked writes down what a walk yields: a line for each part, with what is
// read of it, and one for the error.
func walked(r io.Reader, opts *message.WalkOptions) []string {
	var lines []string
	for p, err := range message.Walk(r, opts) {
		if err != nil {
			lines = append(lines, "error "+err.Error())
			continue
		}
		content, err := io.ReadAll(p)
		words := []string{p.Number, p.ContentType, strconv.Quote(string(content))}
		if p.Multipart {
			words = append(words, "multipart")
		}
		if p.Name+p.Disposition+p.ContentID != "" {
			words = append(words, fmt.Sprintf("name=%q %s <%s>", p.Name, p.Disposition, p.ContentID))
		}
		for _, d := range p.Defects() {
			words = append(words, string(d.Kind))
		}
		if err != nil {
			words = append(words, err.Error())
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func TestWalk(t *testing.T) {
	const (
		missing = "error message: the final boundary is missing: unexpected EOF"
		mixed   = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	)
	tests := []struct {
		name string
		in   string
		want []string
	}{
		{"nothing", "", []string{`1 text/plain ""`}},
		{"header alone", "Subject: x\r\n", []string{`1 text/plain ""`}},
		{"no MIME", "Subject: x\r\n\r\nbody\r\n", []string{`1 text/plain "body\r\n"`}},
		{"encoded", "Content-Transfer-Encoding: base64\r\n\r\naGV\r\nsbG8=\r\n", []string{`1 text/plain "hello"`}},
		{"encoded badly", "Content-Transfer-Encoding: base64\r\n\r\naGV!sbG8", []string{`1 text/plain "hello" malformed-base64`}},
		{"unknown encoding", "Content-Transfer-Encoding: x-own\r\n\r\naGV", []string{`1 text/plain "aGV" unknown-transfer-encoding`}},
		{
			"parts", mixed + "preamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: image/png; name=a.png\r\nContent-Disposition: inline\r\nContent-ID: <c@d>\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue",
			[]string{` multipart/mixed "preamble" multipart`, `1 text/plain "one"`, `2 image/png "two\r\n" name="a.png" inline <c@d>`},
		},
		{
			"nested", mixed + "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c--\r\n--b\n\ntwo\n--b--",
			[]string{` multipart/mixed "" multipart`, `1 multipart/alternative "" multipart`, `1.1 text/plain "one"`, `2 text/plain "two"`},
		},
		{
			"nested, not closed", mixed + "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--",
			[]string{` multipart/mixed "" multipart`, `1 multipart/mixed "" multipart`, `1.1 text/plain "one"`, `2 text/plain "two"`},
		},
		{
			"cut in a part", mixed + "--b\r\n\r\none\r\n--b\r\n\r\ntw",
			[]string{` multipart/mixed "" multipart`, `1 text/plain "one"`, `2 text/plain "tw" unexpected EOF`, missing},
		},
		{
			"cut in a delimiter", mixed + "--b\r\n\r\none\r\n-",
			[]string{` multipart/mixed "" multipart`, `1 text/plain "one\r\n-" unexpected EOF`, missing},
		},
		{"cut before the parts", mixed + "pre", []string{` multipart/mixed "pre" multipart multipart-without-parts unexpected EOF`, missing}},
		{
			"without parts inside", mixed + "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\nx\r\n--b--",
			[]string{` multipart/mixed "" multipart`, `1 multipart/mixed "x" multipart multipart-without-parts`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{
				strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in)),
				iotest.HalfReader(strings.NewReader(tt.in)), iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				if got := walked(r, nil); !slices.Equal(got, tt.want) {
					t.Errorf("Walk() gives\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
				}
			}
		})
	}
}

// TestWalkWithoutReading finds the same parts where none is read, and the
// defects that only show at the end.
func TestWalkWithoutReading(t *testing.T) {
	const in = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nbad line\r\nX: y\r\n\r\none\r\n" +
		"--b\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\ntwo\r\n--b--\r\n"
	var parts []*message.Part
	for p, err := range message.Walk(strings.NewReader(in), nil) {
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	var got []string
	for _, p := range parts {
		got = append(got, fmt.Sprint(p.Number, p.Defects()))
		if _, err := p.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Read() of part %q behind the walk = %v, want an error", p.Number, err)
		}
	}
	want := []string{
		"[]", "1[unclosed-multipart in part 1 at byte 95]", "1.1[junk-line in part 1.1 at byte 100]",
		"2[multipart-without-parts in part 2 at byte 173]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("parts and defects are %q, want %q", got, want)
	}
}

// TestWalkEntersMessages walks over a message in a message, also where that is
// encoded, which RFC 2046 section 5.2.1 forbids and programs do.
func TestWalkEntersMessages(t *testing.T) {
	const inner = "Subject: inner\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
	const outer = "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\ntext\r\n--o\r\nContent-Type: message/rfc822\r\n%s\r\n%s\r\n--o\r\n\r\nlast\r\n--o--\r\n"
	encoded := strings.ReplaceAll(inner, "=", "=3D")
	for _, in := range []string{
		fmt.Sprintf(outer, "", inner),
		fmt.Sprintf(outer, "Content-Transfer-Encoding: quoted-printable\r\n", encoded),
	} {
		var got []string
		for p, err := range message.Walk(strings.NewReader(in), nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Number)
			if p.ContentType != "message/rfc822" {
				continue
			}
			for q, err := range p.Walk(nil) {
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(q)
				got = append(got, fmt.Sprint(q.Number, q.Header.Subject(), " ", string(content), err))
			}
		}
		want := []string{"", "1", "2", "2inner <nil>", "2.1 one<nil>", "2.2 two<nil>", "3"}
		if !slices.Equal(got, want) {
			t.Errorf("parts are %q, want %q", got, want)
		}
	}
	for p, err := range message.Walk(strings.NewReader("Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ntext"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		for q, err := range p.Walk(nil) {
			if err != nil || q.Number != "1.1" || q.Header.Subject() != "x" {
				t.Errorf("the message in part 1 has part %q, error %v, want 1.1", q.Number, err)
			}
		}
	}
}

func TestWalkReadError(t *testing.T) {
	broken := errors.New("line is dead")
	for _, in := range []string{"", "Subject: x", "Subject: x\r\n\r\nbody", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbody"} {
		var last, read error
		for p, err := range message.Walk(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), nil) {
			if last = err; err == nil {
				_, read = io.Copy(io.Discard, p)
			}
		}
		if !errors.Is(last, broken) || in != "" && !errors.Is(read, broken) {
			t.Errorf("a walk over %q ends with %v, reading its last part with %v, want %v", in, last, read, broken)
		}
	}
	for p, err := range message.Walk(new(stuckReader), nil) {
		if !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("a reader that gives nothing yields %v, %v, want %v", p, err, io.ErrNoProgress)
		}
	}
}

// A stuckReader gives nothing and no error.
type stuckReader struct{}

func (*stuckReader) Read([]byte) (int, error) { return 0, nil }

// TestWalkBreak leaves a walk: the part can still be read, and nothing behind
// it is.
func TestWalkBreak(t *testing.T) {
	r := &countingReader{r: io.MultiReader(strings.NewReader("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\n"), endless{})}
	var found *message.Part
	for p, err := range message.Walk(r, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Number == "1" {
			found = p
			break
		}
	}
	if content, err := io.ReadAll(found); string(content) != "one" || err != nil {
		t.Errorf("the part reads %q, %v, want %q", content, err, "one")
	}
	if r.n > 1<<20 {
		t.Errorf("%d bytes were read", r.n)
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}

// endless gives lines of base64 for ever.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'A'
		if i%77 == 76 {
			b[i] = '\n'
		}
	}
	return len(b), nil
}

// TestWalkMemory walks over an attachment of 100 MB, and over hostile messages
// of 20 MB, and finds that what is allocated in all, thrown away or not, is less
// than what may be in use at once.
func TestWalkMemory(t *testing.T) {
	const mega = 1 << 20
	tests := map[string]struct {
		head string
		line string
		size int64
	}{
		"base64":           {"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n", strings.Repeat("QUJD", 19) + "\r\n", 100 * mega},
		"in a multipart":   {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n", strings.Repeat("QUJD", 19) + "\r\n", 100 * mega},
		"quoted-printable": {"Content-Transfer-Encoding: quoted-printable\r\n\r\n", "a=3Db c=\r\n", 20 * mega},
		"white space":      {"Content-Transfer-Encoding: quoted-printable\r\n\r\n", " ", 20 * mega},
		"soft break":       {"Content-Transfer-Encoding: quoted-printable\r\n\r\n=", " ", 20 * mega},
		"one line":         {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--", "-", 20 * mega},
		"header":           {"", "X-Field: y\r\n", 20 * mega},
		"one field":        {"X-Field:", "y", 20 * mega},
		"not delimiters":   {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--c\r\n", 20 * mega},
		"line breaks":      {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "\r\n", 20 * mega},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := io.MultiReader(strings.NewReader(tt.head), io.LimitReader(&repeated{text: tt.line}, tt.size))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var size int64
			for p, err := range message.Walk(r, nil) {
				if err != nil {
					break // most have no end
				}
				n, _ := io.Copy(io.Discard, p)
				size += n
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 10*mega {
				t.Errorf("a walk over %d bytes allocates %d, want less than 10 MB", tt.size, got)
			}
			if strings.HasPrefix(name, "base64") && size < tt.size*18/26 {
				t.Errorf("%d bytes are decoded of %d", size, tt.size)
			}
		})
	}
}

// A repeated reader gives a text for ever.
type repeated struct {
	text string
	rest string
}

func (r *repeated) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if r.rest == "" {
			r.rest = r.text
		}
		m := copy(b[n:], r.rest)
		n, r.rest = n+m, r.rest[m:]
	}
	return n, nil
}

func TestWalkLimits(t *testing.T) {
	in := "X-A: 1\r\nX-B: " + strings.Repeat("b", 100) + "\r\n c\r\nX-C: 3\r\n\r\ntext"
	for p, err := range message.Walk(strings.NewReader(in), &message.WalkOptions{MaxHeaderBytes: 50}) {
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(p)
		if got := fmt.Sprint(p.Header.Len(), p.Defects(), string(content)); got != "1 [longer-header than 50 in part 1 at byte 8]text" {
			t.Errorf("a long header gives %s", got)
		}
	}
	got := walked(strings.NewReader(nested(3)), &message.WalkOptions{MaxNesting: 2})
	want := []string{
		` multipart/mixed "" multipart`, `1 multipart/mixed "" multipart`,
		`1.1 multipart/mixed "--b2\r\n\r\ntext\r\n" deeper-nesting unexpected EOF`,
		"error message: the final boundary is missing: unexpected EOF",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Walk() gives\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPartText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"line feeds", "\r\na\r\nb\r\r\nc\rd\r", "a\nb\nc\rd"},
		{"latin", "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe9\x80", "é€"},
		{"quoted name", "Content-Type: text/plain; charset=\"'utf-8'\"\r\n\r\né", "é"},
		{"japanese", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$\"\x1b(B!", "あ!"},
		{"encoded", "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C1=C2=\r\n!", "аб!"},
		{"mislabelled", "Content-Type: text/plain; charset=utf-8\r\n\r\n\xe9\xc3\xa9\xe2\x82", "ééâ‚"},
		{"utf-7", "Content-Type: text/plain; charset=utf-7\r\n\r\n+AOk-+-+2D3eAA x", "é+😀 x"},
		{"korean", "Content-Type: text/plain; charset=iso-2022-kr\r\n\r\n\x1b$)C\x0e0!\x0f!", "가!"},
		{"unknown", "Content-Type: text/plain; charset=x-own\r\n\r\né\xe9", "éé"},
		{"declared in the page", "Content-Type: text/html\r\n\r\n<meta charset=koi8-r>\xc1", "<meta charset=koi8-r>а"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
				for p, err := range message.Walk(r, nil) {
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(p.Text())
					if string(got) != tt.want || err != nil {
						t.Errorf("Text() reads %q, %v, want %q", got, err, tt.want)
					}
				}
			}
		})
	}
}

// checkWalk finds that a walk gives the parts that Parse gives, with the same
// content.
func checkWalk(t *testing.T, m *message.Message) {
	t.Helper()
	contents := make(map[string][]byte)
	first := true
	for p, err := range message.Walk(iotest.HalfReader(bytes.NewReader(m.Raw())), nil) {
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Walk() = %v, want only that the message is cut", err)
			}
			break
		}
		if first && !bytes.HasPrefix(p.Header.Raw(), m.Header.Raw()) {
			t.Errorf("Walk() has the header %q, want %q", p.Header.Raw(), m.Header.Raw())
		}
		first = false
		content, err := io.ReadAll(p)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("part %s reads %v", p.Number, err)
		}
		contents[p.Number] = content
		encoding := strings.ToLower(p.Header.Get("Content-Transfer-Encoding"))
		encoded := strings.Contains(encoding, "base64") || strings.Contains(encoding, "quoted-printable")
		if !encoded && !bytes.HasPrefix(m.Raw()[p.Offset:], content) {
			t.Errorf("part %s is %q, which is not at byte %d of the message", p.Number, content, p.Offset)
		}
	}
	if whole, ok := contents[""]; ok && len(contents) == 1 {
		contents["1"] = whole // a multipart without parts
	}
	for _, a := range m.Attachments {
		if !bytes.Equal(a.Content, contents[a.Part]) {
			t.Errorf("attachment %s is %q for Parse, %q for Walk", a.Part, a.Content, contents[a.Part])
		}
	}
	checkText(t, m)
}

// checkText finds that the text of a message of one part is the same for Parse
// and Walk, unless Parse had to guess. With a hundred defects that is not known.
func checkText(t *testing.T, m *message.Message) {
	t.Helper()
	guessed := func(d message.Defect) bool { return d.Kind == message.DefectCharset }
	for p, err := range message.Walk(bytes.NewReader(m.Raw()), nil) {
		if err != nil || p.Multipart || p.Number != "1" || len(m.Attachments) > 0 || len(m.Defects) >= 100 || slices.ContainsFunc(m.Defects, guessed) {
			return
		}
		text, err := io.ReadAll(p.Text())
		if string(text) != m.Text+m.HTML || err != nil {
			t.Errorf("the text is %q for Walk, error %v, %q for Parse", text, err, m.Text+m.HTML)
		}
	}
}
