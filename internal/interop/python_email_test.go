//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// A pythonEmail is a message as Python's email package reads it.
type pythonEmail struct {
	File      string
	Defects   int
	Failed    string
	Subject   string
	MessageID string `json:"message_id"`
	Date      *float64
	From      [][2]string
	To        [][2]string
	Cc        [][2]string
	ReplyTo   [][2]string `json:"reply-to"`
	Parts     []pythonPart
	Wrong     []string // with --defects
	Extra     string
}

// A pythonPart is a part that is no multipart.
type pythonPart struct {
	Number, Type, Name, Disposition, CID string
	Content                              []byte
	Text                                 *string
}

// TestPythonEmail reads all messages of the corpus with this library and with
// Python's email package. On those in which neither finds anything wrong they
// agree on header fields, texts and contents, but for what the table explains.
func TestPythonEmail(t *testing.T) {
	dir := os.Getenv("MAILSESSION_CORPUS")
	if dir == "" {
		t.Log("MAILSESSION_CORPUS is not set: no message is compared")
		return
	}
	files := messageFiles(t, dir)
	compared, failed, parts := 0, 0, 0
	seen := make(map[string]bool)
	for _, want := range readWithPython(t, files) {
		raw, err := os.ReadFile(want.File)
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Parse(bytes.NewReader(raw), nil)
		if err != nil {
			t.Fatalf("%s: %v", want.File, err)
		}
		if want.Failed != "" {
			failed++
		}
		if want.Defects > 0 || len(m.Defects) > 0 {
			continue
		}
		compared++
		parts += len(want.Parts)
		name, err := filepath.Rel(dir, want.File)
		if err != nil {
			t.Fatal(err)
		}
		for what, values := range disagreements(m, want) {
			key := name + " " + what
			seen[key] = true
			if pythonDisagrees()[key] == "" {
				t.Errorf("%s is %s, Python has %s", key, values[0], values[1])
			}
		}
	}
	for key := range pythonDisagrees() {
		if !seen[key] {
			t.Errorf("%s: the difference that is explained is not there", key)
		}
	}
	t.Logf("%d messages, Python fails on %d; %d have no defect for either and were compared, with %d parts; %d values differ, all explained",
		len(files), failed, compared, parts, len(seen))
}

// pythonDisagrees returns the differences by message and value, with reasons.
func pythonDisagrees() map[string]string {
	const (
		bytes  = "the text claims to be ASCII, and is not; the bytes that are not are read as UTF-8 instead of as U+FFFD"
		japan  = "Python does not know the zone JST"
		spaces = "white space at the end of a quoted-printable line is to be deleted (RFC 2045 section 6.7 rule 3)"
		common = "mailkit-sessions/Imap/Resources/common/"
	)
	return map[string]string{
		"enmime/mail/non-mime-missing-charset.raw html":        bytes,
		"imap_tools/messages/plain_emails/raw_email5.eml text": bytes,
		"imap_tools/messages/plain_emails/raw_email6.eml text": bytes,
		"mimekit/messages/issue1130.txt text":                  "Python leaves the lines of format=flowed as they were broken, and the space that DelSp takes away",
		common + "message.14.msg content 1":                    spaces,
		common + "message.14.msg text":                         spaces,
		common + "message.27.msg date":                         japan,
		common + "message.6.msg date":                          japan,
		"python-email/msg_20.txt cc":                           "there are three such fields, and all count",
		"python-email/msg_27.txt subject":                      "a tab that the line was folded at becomes a space: a subject has no control characters",
	}
}

// messageFiles returns the files below dir that have a From field.
func messageFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	corpus := os.DirFS(dir)
	err := fs.WalkDir(corpus, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(corpus, path)
		if err == nil && message.ParseHeader(data).Has("From") {
			files = append(files, filepath.Join(dir, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readWithPython(t *testing.T, files []string, args ...string) []pythonEmail {
	t.Helper()
	return readForeign[pythonEmail](t, files, "python3", append([]string{"-B", "testdata/read_messages.py"}, args...)...)
}

// readForeign has a program read files, of which it prints what it makes, one line
// of JSON for each.
func readForeign[T any](t *testing.T, files []string, program string, args ...string) []T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // G204: the scripts are of this folder.
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v: %s", program, args, err, stderr.String())
	}
	var all []T
	for dec := json.NewDecoder(&stdout); ; {
		var next T
		if err := dec.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read what %s %q printed: %v", program, args, err)
		}
		all = append(all, next)
	}
	if len(all) != len(files) {
		t.Fatalf("%s %q printed %d messages of %d", program, args, len(all), len(files))
	}
	return all
}

// disagreements returns what differs, by its name: what it is here and there.
func disagreements(m *message.Message, want pythonEmail) map[string][2]string {
	all := make(map[string][2]string)
	add := func(what, got, want string) {
		if got != want {
			all[what] = [2]string{shorten(got), shorten(want)}
		}
	}
	h := m.Header
	add("subject", h.Subject(), strings.TrimSpace(want.Subject))
	add("message-id", h.MessageID(), strings.Trim(want.MessageID, "<> "))
	add("from", listed(h.From()), pythonListed(want.From))
	add("to", listed(h.To()), pythonListed(want.To))
	add("cc", listed(h.Cc()), pythonListed(want.Cc))
	add("reply-to", listed(h.ReplyTo()), pythonListed(want.ReplyTo))
	if d, ok := h.Date(); ok && want.Date != nil {
		add("date", strconv.FormatInt(d.Unix(), 10), strconv.FormatInt(int64(*want.Date), 10))
	} else {
		add("date", strconv.FormatBool(ok), strconv.FormatBool(want.Date != nil))
	}
	compareParts(m, want.Parts, add)
	return all
}

// compareParts compares the parts of a walk and what Parse makes of them.
func compareParts(m *message.Message, want []pythonPart, add func(what, got, want string)) {
	files := make(map[string]message.Attachment)
	for _, a := range m.Attachments {
		files[a.Part] = a
	}
	next := 0
	var plain, page strings.Builder
	for p, err := range message.Walk(bytes.NewReader(m.Raw()), nil) {
		if err != nil {
			add("walk", err.Error(), "")
			break
		}
		if p.Multipart {
			continue
		}
		if next == len(want) {
			add("parts", "more", "fewer")
			break
		}
		w := want[next]
		next++
		add("part "+p.Number, p.Number+" "+p.ContentType+" "+p.Name, w.Number+" "+w.Type+" "+w.Name)
		content, err := io.ReadAll(p)
		if w.Content != nil || err != nil {
			add("content "+p.Number, fmt.Sprintf("%q %v", content, err), fmt.Sprintf("%q %v", w.Content, nil))
		}
		a, file := files[p.Number]
		switch {
		case file:
			add("attachment "+p.Number, string(a.Content), string(content))
		case w.Text == nil:
			add("attachment "+p.Number, "missing", "attachment")
		case p.ContentType == "text/html":
			appendText(&page, *w.Text)
		default:
			appendText(&plain, *w.Text)
		}
	}
	if next < len(want) {
		add("parts", "fewer", "more")
	}
	add("text", m.Text, plain.String())
	add("html", m.HTML, page.String())
}

// appendText appends the text of one more part, with line feeds.
func appendText(b *strings.Builder, text string) {
	if s := b.String(); s != "" && text != "" && !strings.HasSuffix(s, "\n") {
		b.WriteString("\n")
	}
	b.WriteString(strings.ReplaceAll(text, "\r\n", "\n"))
}

func listed(list []mail.Address) string {
	var b strings.Builder
	for _, a := range list {
		fmt.Fprintf(&b, "%s <%s>, ", a.Name, a.Address)
	}
	return b.String()
}

func pythonListed(list [][2]string) string {
	all := make([]mail.Address, 0, len(list))
	for _, a := range list {
		all = append(all, mail.Address{Name: a[0], Address: a[1]})
	}
	return listed(all)
}

// shorten quotes the beginning of s.
func shorten(s string) string {
	const longest = 300
	return fmt.Sprintf("%q", s[:min(len(s), longest)])
}
