package message_test

import (
	"bytes"
	"io/fs"
	"net/mail"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// corpus returns the folder of messages that MAILSESSION_CORPUS names, or "",
// and says which.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MAILSESSION_CORPUS")
	if dir == "" {
		t.Log("MAILSESSION_CORPUS is not set: only the messages in testdata are read")
		return ""
	}
	return dir
}

// eachFile calls f for every file below dir.
func eachFile(t *testing.T, dir string, f func(name string, data []byte)) {
	t.Helper()
	if dir == "" {
		return
	}
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		f(path, data)
		return nil
	})
	if err != nil {
		t.Fatalf("walking %s: %v", dir, err)
	}
}

// TestCorpus reads every file there is as a message: none is lost, whatever it
// is.
func TestCorpus(t *testing.T) {
	ran, messages := 0, 0
	check := func(name string, data []byte) {
		ran++
		m, err := message.Parse(bytes.NewReader(data), nil)
		if err != nil {
			t.Errorf("Parse(%s) = %v", name, err)
			return
		}
		if !bytes.Equal(m.Raw(), data) {
			t.Errorf("Parse(%s).Raw() differs from the file", name)
		}
		if m.Header.Has("From") {
			messages++
		}
		checkMessage(t, m)
		checkDate(t, name, m.Header)
		checkFrom(t, name, m.Header)
	}
	eachFile(t, "testdata", check)
	eachFile(t, corpus(t), check)
	t.Logf("%d files read as messages, %d of them with a From field, none lost", ran, messages)
}

// checkDate finds that a date that net/mail reads is the same instant here.
func checkDate(t *testing.T, name string, h message.Header) {
	t.Helper()
	want, err := mail.ParseDate(h.Get("Date"))
	if zone, _ := want.Zone(); err != nil || zone != "" {
		return // net/mail takes the name of a zone, not what it means
	}
	if got, ok := h.Date(); !ok || !got.Equal(want) {
		t.Errorf("%s: Date() = %v, %v for %q, want %v", name, got, ok, h.Get("Date"), want)
	}
}

// checkFrom finds that addresses that net/mail reads are the same here.
func checkFrom(t *testing.T, name string, h message.Header) {
	t.Helper()
	for _, field := range []string{"From", "To", "Cc", "Reply-To"} {
		if len(slices.Collect(h.Values(field))) > 1 || strings.Contains(h.Get(field), `"=?`) {
			continue // encoded words in quotes are decoded only here
		}
		want, err := mail.ParseAddressList(h.Get(field))
		if err != nil {
			continue
		}
		got := h.Addresses(field)
		same := len(got) == len(want)
		for i := range got {
			same = same && got[i].Address == want[i].Address && (got[i].Name == want[i].Name || want[i].Name == "")
		}
		if !same {
			t.Errorf("%s: Addresses(%s) = %v for %q, want %v", name, field, got, h.Get(field), want)
		}
	}
}
