package message_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/message"
)

// edited returns the draft that a message is.
func edited(t *testing.T, raw string) *message.Draft {
	t.Helper()
	m, err := message.Parse(strings.NewReader(raw), nil)
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	return message.DraftFrom(m)
}

func stored(t *testing.T, d *message.Draft) string {
	t.Helper()
	s, err := d.StoredSource()
	if err != nil {
		t.Fatalf("StoredSource() = %v", err)
	}
	return bytesOf(t, s)
}

// TestDraftComesBack finds that a draft that was stored and read back is stored as
// the same bytes again.
func TestDraftComesBack(t *testing.T) {
	long := strings.Repeat("Ein langer Absatz mit Wörtern. ", 20)
	tests := []struct {
		name   string
		change func(d *message.Draft)
	}{
		{"everything", func(*message.Draft) {}},
		{"a letter", func(d *message.Draft) { *d = *letter() }},
		{"nothing but an author", func(d *message.Draft) { *d = message.Draft{From: d.From, Date: d.Date, MessageID: d.MessageID} }},
		{"text alone", func(d *message.Draft) { d.HTML, d.Calendar, d.Files, d.Text = "", "", nil, long }},
		{"flowed text with quotes", func(d *message.Draft) { d.Text = "> " + long + "\n>> " + long + "\n>\n" + long + "\n-- \nAnn\n" }},
		{"flowed text without spaces", func(d *message.Draft) { d.Text = strings.Repeat("日本語の長い文章", 30) + "\n " + long }},
		{"as it came", func(d *message.Draft) { d.Flowed, d.EightBit, d.Text = false, false, long+"\n> From quoted\n" }},
		{"HTML alone", func(d *message.Draft) {
			d.Text, d.TextFromHTML, d.Calendar, d.Files, d.HTML = "", false, "", nil, "<p>Grüße"
		}},
		{"low importance", func(d *message.Draft) { d.Importance = message.ImportanceLow }},
		{"an importance that is none", func(d *message.Draft) {
			d.Importance, d.Extra = "", []message.Field{{Name: "Importance", Value: "normal"}, {Name: "X-A", Value: "ä"}, {Name: "X-A", Value: "b"}}
		}},
		{"a message", func(d *message.Draft) {
			d.Files = append(d.Files, message.DraftFile{Name: "x.eml", Content: message.Bytes([]byte("From: b@x\r\nSubject: s\r\n\r\nhi\r\n"))})
		}},
		{"many files", func(d *message.Draft) {
			for range 20 {
				d.Files = append(d.Files, message.DraftFile{Name: strings.Repeat("ü", 80) + ".bin", Content: message.Bytes([]byte(long))})
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := draft()
			tt.change(d)
			want := stored(t, d)
			if got := stored(t, edited(t, want)); got != want {
				t.Errorf("the draft came back as\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestDraftOfAnotherProgram finds that what another program wrote can be gone on
// with, and what does not belong in a draft is left behind.
func TestDraftOfAnotherProgram(t *testing.T) {
	d := edited(t, lines("Received: from a by b", "DKIM-Signature: v=1", "X-Mozilla-Draft-Info: internal/draft; vcard=0", "From: Ann",
		"To: bob, carol@example.org", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "List-Unsubscribe: none", "Content-Type: text; name=x", "", "Hello"))
	if d.Subject != "Grüße" || d.Text != "Hello\n" && d.Text != "Hello" || len(d.To) == 0 {
		t.Errorf("the draft is %+v", d)
	}
	var names []string
	for _, f := range d.Extra {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "X-Mozilla-Draft-Info List-Unsubscribe"; got != want {
		t.Errorf("further fields are %q, want %q", got, want)
	}
	d.Date = time.Unix(1e9, 0)
	d.From.Address, d.To = "ann@example.com", nil
	if text := stored(t, d); !strings.Contains(text, "Hello") {
		t.Errorf("the draft is stored as\n%s", text)
	}
}

// FuzzDraftFrom finds that of any message comes a draft, and that one which can be
// written is written as the same again when it was read back.
func FuzzDraftFrom(f *testing.F) {
	addMessages(f)
	for _, name := range []string{"everything", "flowed", "invitation", "picture", "forwarded"} {
		raw, err := fs.ReadFile(os.DirFS("testdata/compose"), name+".eml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := message.Parse(strings.NewReader(string(in)), nil)
		if err != nil {
			return
		}
		d := message.DraftFrom(m)
		s, err := d.StoredSource()
		if err != nil {
			return
		}
		want := bytesOf(t, s)
		again := edited(t, want)
		if got := len(again.Files); got != len(d.Files) {
			t.Errorf("%d files came back of %d in\n%s", got, len(d.Files), want)
		}
		if got := again.Subject; got != d.Subject {
			t.Errorf("the subject came back as %q, want %q", got, d.Subject)
		}
	})
}
