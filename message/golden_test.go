package message_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/message"
)

// TestGolden parses the messages in testdata and compares all that comes out
// with the file beside each. UPDATE_GOLDEN=1 writes these files.
func TestGolden(t *testing.T) {
	dir := os.DirFS("testdata")
	files, err := fs.Glob(dir, "*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata holds %d messages, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".eml"), func(t *testing.T) {
			raw, err := fs.ReadFile(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := message.Parse(bytes.NewReader(raw), nil)
			if err != nil {
				t.Fatalf("Parse() = %v", err)
			}
			checkMessage(t, m)
			got := describe(m)
			golden := strings.TrimSuffix(file, ".eml") + ".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(filepath.Join("testdata", golden), []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := fs.ReadFile(dir, golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("message is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// describe writes down what a message is made of.
func describe(m *message.Message) string {
	var b strings.Builder
	h := m.Header
	for _, name := range []string{"From", "Sender", "Reply-To", "To", "Cc"} {
		for _, a := range h.Addresses(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, show(a))
		}
	}
	fmt.Fprintf(&b, "Subject: %s\n", h.Subject())
	if d, ok := h.Date(); ok {
		fmt.Fprintf(&b, "Date: %s\n", d.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "Message-ID: %s\nIn-Reply-To: %q\nReferences: %q\n", h.MessageID(), h.InReplyTo(), h.References())
	fmt.Fprintf(&b, "Text: %q\nHTML: %q\n", m.Text, m.HTML)
	for _, a := range m.Attachments {
		fmt.Fprintf(&b, "Attachment %s: %q %s inline=%v id=%q %q\n", a.Part, a.Name, a.ContentType, a.Inline, a.ContentID, a.Content)
	}
	for _, d := range m.Defects {
		fmt.Fprintf(&b, "Defect: %v\n", d)
	}
	return b.String()
}

func show(a mail.Address) string { return fmt.Sprintf("%q <%s>", a.Name, a.Address) }
