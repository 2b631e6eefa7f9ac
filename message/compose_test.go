package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/mailsession/mailsession/message"
)

// compositions are drafts, by the names of their golden files.
func compositions() map[string]*message.Draft {
	base := func() *message.Draft {
		return &message.Draft{
			From: addr("Ann Example", "ann@example.com"), To: []mail.Address{addr("", "bob@example.org")},
			Subject: "Composed", MessageID: "1@example.com", Date: time.Date(2026, 11, 3, 10, 11, 12, 0, time.UTC),
		}
	}
	pixel := message.DraftFile{Name: "pixel.gif", ContentID: "pixel@example.com", Content: message.Bytes([]byte("GIF89a"))}
	alternative := base()
	alternative.Text, alternative.HTML = "Hello\n", "<p>Hello</p>\n"
	picture := base()
	picture.HTML, picture.TextFromHTML = `<p>Look: <img src="cid:pixel@example.com" alt="a pixel"></p>`, true
	picture.Files = []message.DraftFile{pixel}
	everything := base()
	everything.Text, everything.HTML = "Grüße\n", `<p>Grüße <img src="cid:pixel@example.com"></p>`
	everything.Calendar = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"
	everything.Files = []message.DraftFile{
		{Name: "报告.pdf", Content: message.Bytes([]byte("%PDF-1.7"))},
		pixel,
		{Name: strings.Repeat("длинное имя ", 8) + ".txt", Content: message.Bytes(bytes.Repeat([]byte("x"), 100))},
	}
	everything.Importance = message.ImportanceLow
	forwarded := base()
	forwarded.Text = "For you.\n"
	forwarded.Files = []message.DraftFile{
		{Name: "seven.eml", Content: message.Bytes([]byte("From: a@x\nSubject: seven\n\nbits\n"))},
		{Name: "eight.eml", Content: message.Bytes([]byte("From: a@x\r\nSubject: eight\r\n\r\nGrüße\r\n"))},
		{Name: "long.eml", Content: message.Bytes([]byte("From: a@x\r\n\r\n" + strings.Repeat("x", 999) + "\r\n"))},
	}
	newsletter := base()
	newsletter.Text, newsletter.AutoSubmitted = "News.\n", "auto-generated"
	newsletter.Unsubscribe, newsletter.OneClick = []string{"https://example.com/u?t=" + strings.Repeat("0123456789", 9), "mailto:u@example.com"}, true
	newsletter.ReceiptTo = []mail.Address{addr("", "ann@example.com")}
	flowed := base()
	flowed.Flowed = true
	flowed.Text = strings.Repeat("A paragraph that is longer than a line. ", 4) + "\n From here.\nFrom there.\n> " +
		strings.Repeat("Quoted words go on. ", 6) + "\n>> twice\n\n-- \nAnn\n"
	unspaced := base()
	unspaced.Flowed = true
	unspaced.Text = strings.Repeat("这是一个没有空格的段落。", 9) + "\n"
	eight := base()
	eight.EightBit, eight.Text = true, "Grüße\n"
	base64 := base()
	base64.Text = strings.Repeat("Привет, мир! ", 10) + "\n"
	invitation := base()
	invitation.Calendar = "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nEND:VCALENDAR\r\n"
	return map[string]*message.Draft{
		"alternative": alternative, "picture": picture, "everything": everything, "forwarded": forwarded, "newsletter": newsletter,
		"flowed": flowed, "unspaced": unspaced, "eight-bit": eight, "base64": base64, "invitation": invitation,
	}
}

// TestComposeGolden writes messages of every kind and compares them byte for byte
// with the files in testdata. UPDATE_GOLDEN=1 writes these.
func TestComposeGolden(t *testing.T) {
	drafts := compositions()
	for name, d := range drafts {
		t.Run(name, func(t *testing.T) {
			got := write(t, d)
			if again := write(t, d); again != got {
				t.Error("the second time the message has other bytes")
			}
			file := name + ".eml"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(filepath.Join("testdata", "compose", file), []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := fs.ReadFile(os.DirFS("testdata/compose"), file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("message is\n%s\nwant\n%s", got, want)
			}
			m := parse(t, got)
			checkMessage(t, m)
			if len(m.Defects) > 0 {
				t.Errorf("defects %v", m.Defects)
			}
		})
	}
	files, err := fs.Glob(os.DirFS("testdata/compose"), "*.eml")
	if err != nil || len(files) != len(drafts) {
		t.Errorf("testdata/compose holds %d messages for %d drafts, error %v", len(files), len(drafts), err)
	}
}

// tree writes the structure of a message.
func tree(t *testing.T, raw string) string {
	t.Helper()
	var b strings.Builder
	for p, err := range message.Walk(strings.NewReader(raw), nil) {
		if err != nil {
			t.Fatal(err)
		}
		depth := strings.Count(p.Number, ".")
		if p.Number != "" {
			depth++
		}
		b.WriteString(strings.Repeat(" ", depth) + strings.TrimPrefix(p.ContentType, "multipart/") + "\n")
	}
	return b.String()
}

// TestComposeTree finds that multiparts are there only where they are needed, and
// in the one order.
func TestComposeTree(t *testing.T) {
	picture := message.DraftFile{Name: "p.png", ContentID: "p@x", Content: message.Bytes(nil)}
	file := message.DraftFile{Name: "f.pdf", Content: message.Bytes(nil)}
	const shows, calendar = `<img src='cid:p%40x'>`, "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
	tests := []struct {
		name string
		d    message.Draft
		want string
	}{
		{"nothing", message.Draft{}, " text/plain\n"},
		{"text", message.Draft{Text: "x"}, " text/plain\n"},
		{"page", message.Draft{HTML: "x"}, " text/html\n"},
		{"page and its text", message.Draft{HTML: "x", TextFromHTML: true}, "alternative\n text/plain\n text/html\n"},
		{"invitation", message.Draft{Calendar: calendar}, " text/calendar\n"},
		{"three", message.Draft{Text: "x", HTML: "x", Calendar: calendar}, "alternative\n text/plain\n text/html\n text/calendar\n"},
		{"file", message.Draft{Files: []message.DraftFile{file}}, "mixed\n text/plain\n application/pdf\n"},
		{"shown picture", message.Draft{HTML: shows, Files: []message.DraftFile{picture}}, "related\n text/html\n image/png\n"},
		{"picture not shown", message.Draft{HTML: "x", Files: []message.DraftFile{picture}}, "mixed\n text/html\n image/png\n"},
		{"picture without a page", message.Draft{Text: "x", Files: []message.DraftFile{picture}}, "mixed\n text/plain\n image/png\n"},
		{
			"all",
			message.Draft{Text: "x", HTML: shows, Files: []message.DraftFile{file, picture, file}},
			"mixed\n related\n  alternative\n   text/plain\n   text/html\n  image/png\n application/pdf\n application/pdf\n",
		},
	}
	for _, tt := range tests {
		tt.d.From = addr("", "a@x")
		if got := tree(t, write(t, &tt.d)); got != tt.want {
			t.Errorf("%s: structure is\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestComposeSources composes the same file from each kind of Source, and finds
// it in the message, whose size was known.
func TestComposeSources(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789\x00\xff\r\n"), 3000)
	dir := t.TempDir()
	path := filepath.Join(dir, "Bericht für März.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"folder/Bericht für März.bin": {Data: content}}
	const name = "Bericht für März.bin"
	tests := []struct {
		what      string
		file      message.DraftFile
		known     bool
		reopening error
	}{
		{"Bytes", message.DraftFile{Name: name, Content: message.Bytes(content)}, true, nil},
		{"File", message.DraftFile{Content: message.File(path)}, true, nil},
		{"FileFS", message.DraftFile{Content: message.FileFS(fsys, "folder/"+name)}, true, nil},
		{"Reader", message.DraftFile{Name: name, Content: message.Reader(iotest.HalfReader(bytes.NewReader(content)), -1)}, false, message.ErrReadOnce},
		{"Reader of a size", message.DraftFile{Name: name, Content: message.Reader(bytes.NewReader(content), int64(len(content)))}, true, message.ErrReadOnce},
	}
	for _, tt := range tests {
		d := letter()
		d.Files = []message.DraftFile{tt.file}
		s, err := d.Source()
		if err != nil {
			t.Fatalf("%s: Source() = %v", tt.what, err)
		}
		raw := readSource(t, s)
		if size := s.Size(); tt.known && size != int64(len(raw)) || !tt.known && size != -1 {
			t.Errorf("%s: Size() = %d for %d bytes, known is %v", tt.what, size, len(raw), tt.known)
		}
		m := parse(t, raw)
		if len(m.Attachments) != 1 || m.Attachments[0].Name != name || !bytes.Equal(m.Attachments[0].Content, content) {
			t.Errorf("%s: the attachment is not what went in", tt.what)
		}
		again, err := s.Open()
		if !errors.Is(err, tt.reopening) {
			t.Errorf("%s: second Open() = %v, want %v", tt.what, err, tt.reopening)
		}
		if err == nil {
			var b bytes.Buffer
			if _, err := io.Copy(&b, iotest.OneByteReader(again)); err != nil || b.String() != raw {
				t.Errorf("%s: the second time the message has other bytes, error %v", tt.what, err)
			}
			if err := again.Close(); err != nil {
				t.Errorf("%s: Close() = %v", tt.what, err)
			}
		}
	}
}

// lying is a Source whose size is not what it says, or that breaks.
type lying struct {
	size int64
	r    io.Reader
}

func (l lying) Open() (io.ReadCloser, error) { return io.NopCloser(l.r), nil }
func (l lying) Size() int64                  { return l.size }

// TestComposeBrokenFiles finds that what is cut short does not pass for whole.
// TestComposeReferences finds the files that HTML shows in whatever way: they are
// not listed as attachments.
func TestComposeReferences(t *testing.T) {
	for _, page := range []string{
		`<img src="cid:p@x">`, `<img srcset="https://x.example/a.png, cid:p@x 2x">`, `<picture><source srcset="cid:q@x 1x,cid:p@x 2x">`,
		`<!--[if mso]><v:fill src="cid:p@x"/><![endif]-->`, `<style>a { background: url(cid:p@x) }</style>`, `<td background=" CID:p%40x ">`,
	} {
		d := letter()
		d.HTML, d.TextFromHTML = page, true
		for _, id := range []string{"p@x", "q@x"} {
			d.Files = append(d.Files, message.DraftFile{Name: "p.png", ContentID: id, Content: message.Bytes([]byte("pixels"))})
		}
		if m := parse(t, write(t, d)); len(m.Attachments) != 2 || !m.Attachments[0].Inline || m.Attachments[0].ContentID == "" {
			t.Errorf("%s: Attachments = %+v, want the picture first, and shown", page, m.Attachments)
		}
	}
	d := letter()
	d.HTML = `<!-- <img src="cid:gone@x"> --><p>x`
	write(t, d)
	d.HTML = `<img srcset="cid:gone@x 2x">`
	if _, err := d.Source(); !refusesField(err, "HTML") {
		t.Errorf("Source() = %v with a picture that is not there, want a FieldError of HTML", err)
	}
}

// TestComposeFromLine finds that no line begins with "From ", before which some
// servers put a ">".
func TestComposeFromLine(t *testing.T) {
	long := strings.Repeat("x", 75)
	for _, text := range []string{
		"From me\n", "Hello,\nFrom here on\n", "From " + long + "\n", long + "From me to you\n", "Grüße\nFrom here\n", long[:70] + "\nFrom " + long[:70] + "\n",
		"From " + long[:66] + "\n", "From " + long[:69] + "\n", "From " + long[:70] + "\n", "From " + long[:71] + "\n",
	} {
		d := letter()
		d.Text, d.EightBit = text, strings.Contains(text, "ü")
		out := write(t, d)
		if _, body, _ := strings.Cut(out, "\r\n\r\n"); strings.HasPrefix(body, "From ") || strings.Contains(body, "\nFrom ") {
			t.Errorf("%q is written with a line that begins with From: %q", text, body)
		}
		for line := range strings.SplitSeq(out, "\r\n") {
			if len(line) > 76 {
				t.Errorf("%q is written with a line of %d characters", text, len(line))
			}
		}
		if got := parse(t, out).Text; got != text {
			t.Errorf("Text = %q, want %q", got, text)
		}
	}
}

// TestComposeByteOrderMark finds that the mark of a file does not get into a
// message.
func TestComposeByteOrderMark(t *testing.T) {
	d := letter()
	d.Text, d.HTML, d.Calendar = "\ufeffHello\n", "\ufeff<p>Hello\n", "\ufeffBEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"
	out := write(t, d)
	if m := parse(t, out); m.Text != "Hello\n" || m.HTML != "<p>Hello\n" || !bytes.HasPrefix(m.Attachments[0].Content, []byte("BEGIN:VCALENDAR\r\n")) {
		t.Errorf("read are %q, %q and %q, want all without a mark", m.Text, m.HTML, m.Attachments[0].Content)
	}
}

func TestComposeBrokenFiles(t *testing.T) {
	broken := errors.New("disk on fire")
	for what, tt := range map[string]struct {
		content message.Source
		want    error
	}{
		"shorter than it was": {lying{10, strings.NewReader("12345")}, io.ErrUnexpectedEOF},
		"longer than it was":  {lying{3, strings.NewReader("12345")}, io.ErrUnexpectedEOF},
		"growing":             {lying{1000, zeros{}}, io.ErrUnexpectedEOF},
		"cut short":           {lying{-1, io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(io.ErrUnexpectedEOF))}, io.ErrUnexpectedEOF},
		"failing":             {lying{-1, iotest.ErrReader(broken)}, broken},
	} {
		d := letter()
		d.Files = []message.DraftFile{{Name: "x.bin", Content: tt.content}}
		s, err := d.Source()
		if err != nil {
			t.Fatalf("%s: Source() = %v", what, err)
		}
		r, err := s.Open()
		if err != nil {
			t.Fatalf("%s: Open() = %v", what, err)
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, tt.want) {
			t.Errorf("%s: reading ends with %v, want %v", what, err, tt.want)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: Close() = %v", what, err)
		}
	}
	d := letter()
	d.Files = []message.DraftFile{{Content: message.Bytes(nil)}, {Content: message.File(filepath.Join(t.TempDir(), "gone.pdf"))}}
	s, err := d.Source()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Open(); r != nil || !errors.Is(err, fs.ErrNotExist) || s.Size() != -1 {
		t.Errorf("Open() = %v, %v with a file that is missing, Size() = %d", r, err, s.Size())
	}
	d.Files = []message.DraftFile{{Content: message.File(filepath.Join(t.TempDir(), "gone.eml"))}}
	if _, err := d.Source(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Source() = %v with a message that is missing", err)
	}
}

// blank is a file of so many bytes.
type blank struct{ size int64 }

func (e blank) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(zeros{}, e.size)), nil
}
func (e blank) Size() int64 { return e.size }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestComposeMemory finds that what is held of a file does not grow with it.
func TestComposeMemory(t *testing.T) {
	allocated := func(size int64) uint64 {
		d := letter()
		d.Files = []message.DraftFile{{Name: "zeros.bin", Content: blank{size}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := d.Source()
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != s.Size() {
			t.Fatalf("read %d bytes of %d, %v", n, s.Size(), err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	small, large := allocated(1<<20), allocated(16<<20)
	if large > small+16<<10 {
		t.Errorf("a file of 1 MiB takes %d bytes of memory, one of 16 MiB %d", small, large)
	}
}

// TestComposeBoundary finds that a boundary that is in a part is not taken.
func TestComposeBoundary(t *testing.T) {
	d := letter()
	d.HTML = "<p>x</p>"
	boundary := boundaryOf(t, write(t, d))
	for what, change := range map[string]func(*message.Draft){
		"text": func(d *message.Draft) { d.Text = "--" + boundary + "\n" },
		"message": func(d *message.Draft) {
			// It lies where two pieces meet of those that are looked through.
			raw := "From: a@x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 510)+"\r\n", 16)
			d.Files = []message.DraftFile{{Name: "x.eml", Content: message.Bytes([]byte(raw[:8<<10-10] + "\r\n--" + boundary + "\r\n"))}}
		},
	} {
		d := letter()
		d.HTML = "<p>x</p>"
		change(d)
		out := write(t, d)
		if boundaryOf(t, out) == boundary || strings.Count(out, boundary) != 1 {
			t.Errorf("%s: the boundary is in a part", what)
		}
		if m := parse(t, out); len(m.Defects) > 0 || m.HTML != "<p>x</p>\n" {
			t.Errorf("%s: HTML = %q, defects %v", what, m.HTML, m.Defects)
		}
	}
}

func boundaryOf(t *testing.T, raw string) string {
	t.Helper()
	_, rest, ok := strings.Cut(raw, `boundary="`)
	boundary, _, found := strings.Cut(rest, `"`)
	if !ok || !found {
		t.Fatalf("no boundary in\n%s", raw)
	}
	return boundary
}

// TestComposeNames finds each file name in the message, for both kinds of
// readers.
func TestComposeNames(t *testing.T) {
	for _, name := range []string{
		"a.pdf", "two words.pdf", "Übersicht.pdf", "日本語の長いファイル名がここにあります.xlsx", strings.Repeat("é", 300) + ".txt", strings.Repeat("x", 500),
		`quote"and\slash.txt`, "a =? b.txt", "semi;colon=equals, comma.txt", "50% 'off' *.txt", "🙂🙃.png", "שלום עולם.doc", "a/b.txt", "x",
	} {
		d := letter()
		d.Files = []message.DraftFile{{Name: name, ContentType: "application/x-test", Content: message.Bytes([]byte("x"))}}
		out := write(t, d)
		if m := parse(t, out); len(m.Attachments) != 1 || m.Attachments[0].Name != name || len(m.Defects) > 0 {
			t.Errorf("the name %q is not in %+v, defects %v", name, m.Attachments, m.Defects)
		}
		// Without the field that old readers pass over, and without RFC 2231.
		lines := strings.SplitAfter(out, "\r\n")
		kept := lines[:0]
		for i, inside := 0, false; i < len(lines); i++ {
			inside = strings.HasPrefix(lines[i], "Content-Disposition:") || inside && strings.HasPrefix(lines[i], " ")
			if !inside {
				kept = append(kept, lines[i])
			}
		}
		if m := parse(t, strings.Join(kept, "")); len(m.Attachments) != 1 || m.Attachments[0].Name != name {
			t.Errorf("the name %q is not in the Content-Type of %+v", name, m.Attachments)
		}
	}
}

// TestComposeUnfitMessage finds that a message that cannot travel unencoded is
// sent all the same, and known as one by its name.
func TestComposeUnfitMessage(t *testing.T) {
	for _, raw := range []string{"From: a@x\r\n\r\n\x00\r\n", "From: a@x\n\n" + strings.Repeat("x", 999)} {
		d := letter()
		d.Files = []message.DraftFile{{Name: "x.eml", Content: message.Bytes([]byte(raw))}}
		a := parse(t, write(t, d)).Attachments[0]
		if a.ContentType != "application/octet-stream" || string(a.Content) != raw || a.Kind() != message.KindMessage {
			t.Errorf("%.20q is sent as %s, %v, %.20q", raw, a.ContentType, a.Kind(), a.Content)
		}
	}
}

// TestComposeTypes finds the media types of names, and that they have parameters.
func TestComposeTypes(t *testing.T) {
	for _, tt := range []struct{ name, contentType, want string }{
		{"a.PDF", "", "application/pdf"},
		{"a.docx", "", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"a.jpeg", "", "image/jpeg"},
		{"a", "", "application/octet-stream"},
		{"", "", "application/octet-stream"},
		{"a.unknown", "", "application/octet-stream"},
		{"a.pdf", "Text/CSV; charset=UTF-8; header=present", "text/csv UTF-8 present"},
	} {
		d := letter()
		d.Files = []message.DraftFile{{Name: tt.name, ContentType: tt.contentType, Content: message.Bytes(nil)}}
		a := parse(t, write(t, d)).Attachments[0]
		if got := strings.TrimSpace(fmt.Sprintln(a.ContentType, a.Params["charset"], a.Params["header"])); strings.TrimSpace(got) != tt.want {
			t.Errorf("the type of %q, %q is %q, want %q", tt.name, tt.contentType, got, tt.want)
		}
	}
}
