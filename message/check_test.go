package message_test

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"

	"github.com/mailsession/mailsession/message"
)

// checkHeader finds what holds of every header.
func checkHeader(t *testing.T, h message.Header) {
	t.Helper()
	names := 0
	for name, value := range h.Fields() {
		names++
		if name == "" || strings.ContainsAny(name, ": \r\n") {
			t.Errorf("field name %q", name)
		}
		if !h.Has(name) {
			t.Errorf("Has(%q) = false", name)
		}
		if !utf8.ValidString(value) || strings.Contains(value, "\n") {
			t.Errorf("Get(%q) = %q, want one line of UTF-8", name, value)
		}
		checkLine(t, "Text("+name+")", h.Text(name))
	}
	if names != h.Len() {
		t.Errorf("%d fields, Len() = %d", names, h.Len())
	}
	for _, field := range []string{"From", "To", "Cc", "Reply-To", "Sender"} {
		checkAddresses(t, h.Addresses(field))
	}
	for _, id := range append(append(h.References(), h.InReplyTo()...), h.MessageID()) {
		checkLine(t, "identifier", id)
		if strings.ContainsAny(id, "<> ") {
			t.Errorf("identifier %q has brackets or spaces", id)
		}
	}
	if d, ok := h.Date(); ok {
		again := message.ParseHeader([]byte("Date: " + d.Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\r\n"))
		if got, ok := again.Date(); !ok || !got.Equal(d) {
			t.Errorf("Date() = %v, read again %v, %v", d, got, ok)
		}
	}
	for _, d := range h.Defects() {
		if d.Offset < 0 || d.Offset > int64(len(h.Raw())) {
			t.Errorf("defect %v is not in the %d bytes of the header", d, len(h.Raw()))
		}
	}
}

// checkLine finds that s is one line of valid UTF-8 without control characters.
func checkLine(t *testing.T, what, s string) {
	t.Helper()
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		t.Errorf("%s = %q, want one line of UTF-8 without control characters", what, s)
	}
}

func checkAddresses(t *testing.T, list []mail.Address) {
	t.Helper()
	for _, a := range list {
		checkLine(t, "name", a.Name)
		checkLine(t, "address", a.Address)
		if a.Address == "" {
			t.Errorf("address %v is empty", a)
		}
	}
}

// checkMessage finds what holds of every message.
func checkMessage(t *testing.T, m *message.Message) {
	t.Helper()
	checkHeader(t, m.Header)
	if !bytes.HasPrefix(m.Raw(), m.Header.Raw()) {
		t.Error("the bytes do not begin with the header")
	}
	for what, text := range map[string]string{"Text": m.Text, "HTML": m.HTML} {
		if !utf8.ValidString(text) || strings.Contains(text, "\r\n") {
			t.Errorf("%s is %q, want UTF-8 with line feeds", what, text)
		}
	}
	seen := make(map[string]bool)
	for _, a := range m.Attachments {
		checkLine(t, "attachment name", a.Name)
		if a.Part == "" || seen[a.Part] {
			t.Errorf("attachment %q has the number %q, want one of its own", a.Name, a.Part)
		}
		seen[a.Part] = true
	}
	for _, d := range m.Defects {
		if d.Offset < 0 || d.Offset > int64(len(m.Raw())) {
			t.Errorf("defect %v is not in the %d bytes of the message", d, len(m.Raw()))
		}
	}
	checkParts(t, m)
	checkWalk(t, m)
	checkWork(t, m.Raw())
}

// checkParts finds that attachments are no more than what the message has.
func checkParts(t *testing.T, m *message.Message) {
	t.Helper()
	total := 0
	for _, a := range m.Attachments {
		total += len(a.Content)
	}
	if total > len(m.Raw()) {
		t.Errorf("the attachments have %d bytes, the message %d", total, len(m.Raw()))
	}
}

// maxWork is how often each byte is looked at to find the parts, at most: a few
// times in itself, and in a line that two dashes begin once for each multipart
// that is open, which are a hundred to three bytes of the shortest such line.
const maxWork = 60

// checkWork finds that the work is in proportion to the length.
func checkWork(t *testing.T, raw []byte) {
	t.Helper()
	if got := message.SplitWork(raw); got > int64(maxWork*len(raw)) {
		t.Errorf("%d bytes are looked at to find the parts of %d", got, len(raw))
	}
}

// names writes a list of addresses as name|address.
func names(list []mail.Address) string {
	all := make([]string, 0, len(list))
	for _, a := range list {
		all = append(all, a.Name+"|"+a.Address)
	}
	return strings.Join(all, " ")
}

// encodeEUC returns s in EUC-JP.
func encodeEUC(t *testing.T, s string) []byte {
	t.Helper()
	b, err := japanese.EUCJP.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
