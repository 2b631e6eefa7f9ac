//go:build interop

package interop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/message"
)

// composed is how many messages are composed, and composedSeed what they are
// drawn from: the same each time.
const (
	composed     = 2000
	composedSeed = 20261121
)

// A mailparserEmail is a message as npm's mailparser reads it.
type mailparserEmail struct {
	File, Failed, Subject, Extra, Text, HTML string

	MessageID   string `json:"message_id"`
	Date        *float64
	From        [][2]string
	To          [][2]string
	Cc          [][2]string
	ReplyTo     [][2]string `json:"reply-to"`
	Attachments []struct{ Name, Type, Disposition, CID, SHA256 string }
}

// TestComposed composes messages in all scripts, lengths and structures, and has
// Python's email package and npm's mailparser read them: both find what went in.
func TestComposed(t *testing.T) {
	node, err := interop.Node()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := newWriter(composedSeed)
	drafts := make([]*message.Draft, composed)
	files := make([]string, composed)
	parts := 0
	for i := range drafts {
		drafts[i] = w.draft(i)
		files[i] = filepath.Join(dir, fmt.Sprintf("%d.eml", i))
		saveSource(t, files[i], drafts[i])
		parts += len(drafts[i].Files)
	}
	for some := range slices.Chunk(files, composed/4) { // Python needs its time
		for _, got := range readWithPython(t, some, "--defects") {
			i := slices.Index(files, got.File)
			samePython(t, files[i], drafts[i], got)
		}
	}
	for i, got := range readForeign[mailparserEmail](t, files, node, "mailparser/read.mjs") {
		sameMailparser(t, files[i], drafts[i], got)
	}
	t.Logf("%d messages with %d files were composed, from the seed %d, and read by Python and by mailparser", composed, parts, composedSeed)
}

// saveSource writes the message into a file.
func saveSource(t *testing.T, file string, d *message.Draft) {
	t.Helper()
	s, err := d.Source()
	if err != nil {
		t.Fatalf("%s: Source() = %v", file, err)
	}
	r, err := s.Open()
	if err != nil {
		t.Fatalf("%s: Open() = %v", file, err)
	}
	raw, err := io.ReadAll(r)
	if err != nil || int64(len(raw)) != s.Size() {
		t.Fatalf("%s: %d bytes of %d, %v", file, len(raw), s.Size(), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A comparison collects what differs between a message as it was written and as
// somebody read it.
type comparison struct {
	t    *testing.T
	who  string
	file string
}

func (c comparison) same(what, got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("%s reads %s of %s as %q, want %q", c.who, what, filepath.Base(c.file), got, want)
	}
}

// header compares what both readers tell of the header.
func (c comparison) header(d *message.Draft, subject, id, extra string, date *float64, from, to, cc, replyTo [][2]string) {
	c.t.Helper()
	c.same("the subject", subject, d.Subject)
	c.same("the identifier", strings.Trim(id, "<>"), d.MessageID)
	c.same("X-Test", extra, d.Extra[0].Value)
	c.same("From", pythonListed(from), listed([]mail.Address{d.From}))
	c.same("To", pythonListed(to), listed(d.To))
	c.same("Cc", pythonListed(cc), listed(d.Cc))
	c.same("Reply-To", pythonListed(replyTo), listed(d.ReplyTo))
	if date == nil || int64(*date) != d.Date.Unix() {
		c.t.Errorf("%s reads the date of %s as %v, want %v", c.who, c.file, date, d.Date)
	}
}

// samePython compares what Python reads with the draft.
func samePython(t *testing.T, file string, d *message.Draft, got pythonEmail) {
	t.Helper()
	c := comparison{t, "Python", file}
	c.same("the failure", got.Failed, "")
	c.header(d, got.Subject, got.MessageID, got.Extra, got.Date, got.From, got.To, got.Cc, got.ReplyTo)
	for _, wrong := range got.Wrong {
		// Both are of the file name for those who do not know RFC 2231, which stands
		// in quotes.
		if wrong != "InvalidHeaderDefect: encoded word inside quoted string" &&
			wrong != "InvalidHeaderDefect: missing trailing whitespace after encoded-word" {
			t.Errorf("Python finds in %s: %s", file, wrong)
		}
	}
	want := partsOf(d)
	if len(got.Parts) != len(want) {
		t.Errorf("Python finds %d parts in %s, want %d", len(got.Parts), file, len(want))
		return
	}
	for i, p := range got.Parts {
		c.same("part "+p.Number, strings.Join([]string{p.Type, p.Name, p.Disposition, strings.Trim(p.CID, "<>")}, "|"), want[i].about())
		switch {
		case want[i].isText:
			if p.Text == nil {
				t.Errorf("Python finds no text in part %s of %s", p.Number, file)
				continue
			}
			text := strings.ReplaceAll(*p.Text, "\r\n", "\n")
			if want[i].flowed != "" {
				text = joinFlowed(text, want[i].flowed == "delsp")
			}
			c.same("the text of part "+p.Number, text, want[i].text)
		case p.Type != "message/rfc822": // which Python does not keep as it came
			c.same("the content of part "+p.Number, hash(p.Content), want[i].hash)
		}
	}
}

// sameMailparser compares what mailparser reads with the draft.
func sameMailparser(t *testing.T, file string, d *message.Draft, got mailparserEmail) {
	t.Helper()
	c := comparison{t, "mailparser", file}
	c.same("the failure", got.Failed, "")
	c.header(d, got.Subject, got.MessageID, got.Extra, got.Date, got.From, got.To, got.Cc, got.ReplyTo)
	var text, page string
	var files []wantedPart
	for _, p := range partsOf(d) {
		switch {
		case p.isText && p.mediaType == "text/plain":
			text = p.text
		case p.isText && p.mediaType == "text/html":
			page = p.text
		default:
			files = append(files, p)
		}
	}
	c.same("the text", strings.TrimRight(got.Text, "\n"), strings.TrimRight(text, "\n"))
	c.same("the page", strings.TrimRight(got.HTML, "\n"), strings.TrimRight(page, "\n"))
	if len(got.Attachments) != len(files) {
		t.Errorf("mailparser finds %d files in %s, want %d", len(got.Attachments), file, len(files))
		return
	}
	for i, a := range got.Attachments {
		if files[i].mediaType == "application/octet-stream" {
			a.Type = files[i].mediaType // in place of which it says what the name stands for
		}
		c.same(fmt.Sprintf("file %d", i), strings.Join([]string{a.Type, a.Name, a.Disposition, a.CID, a.SHA256}, "|"), files[i].about()+"|"+files[i].hash)
	}
}

// A wantedPart is what a part has to be read as.
type wantedPart struct {
	mediaType, name, disposition, cid, hash string

	isText bool
	text   string
	flowed string // "flowed", or "delsp"
}

func (p wantedPart) about() string {
	return strings.Join([]string{p.mediaType, p.name, p.disposition, p.cid}, "|")
}

// partsOf returns what is in a message, in its order.
func partsOf(d *message.Draft) []wantedPart {
	var parts, attached []wantedPart
	if d.Text != "" || d.HTML == "" && d.Calendar == "" {
		p := wantedPart{mediaType: "text/plain", isText: true, text: d.Text}
		if d.Flowed {
			p.flowed = "flowed"
			if strings.Contains(sourceOf(d), "delsp=yes") {
				p.flowed = "delsp"
			}
		}
		parts = append(parts, p)
	}
	if d.HTML != "" {
		parts = append(parts, wantedPart{mediaType: "text/html", isText: true, text: d.HTML})
	}
	if d.Calendar != "" {
		parts = append(parts, wantedPart{mediaType: "text/calendar", isText: true, text: strings.ReplaceAll(d.Calendar, "\r\n", "\n"), hash: hash([]byte(d.Calendar))})
	}
	for _, f := range d.Files {
		content := readAll(f.Content)
		mediaType, _, _ := strings.Cut(f.ContentType, ";")
		p := wantedPart{mediaType: mediaType, name: f.Name, disposition: "attachment", cid: f.ContentID, hash: hash(content)}
		if f.Inline {
			p.disposition = "inline"
		}
		if f.ContentID != "" {
			p.disposition = "inline"
			parts = append(parts, p)
			continue
		}
		attached = append(attached, p)
	}
	return slices.Concat(parts, attached)
}

func sourceOf(d *message.Draft) string {
	s, err := d.Source()
	if err != nil {
		return ""
	}
	return string(readAll(s))
}

// readAll returns what is in a Source in memory, which cannot fail.
func readAll(s message.Source) []byte {
	r, err := s.Open()
	if err != nil {
		return nil
	}
	b, _ := io.ReadAll(r)
	_ = r.Close()
	return b
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// joinFlowed reads format=flowed of text without quotes (RFC 3676 section 4.2).
func joinFlowed(text string, delSp bool) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(line, " ")
		if strings.HasSuffix(line, " \n") && line != "-- \n" {
			line = strings.TrimSuffix(line, "\n")
			if delSp {
				line = strings.TrimSuffix(line, " ")
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
