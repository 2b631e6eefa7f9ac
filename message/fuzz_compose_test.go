package message_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// FuzzCompose finds that a message of several parts is read as it was written,
// within the length that it told.
func FuzzCompose(f *testing.F) {
	f.Add("Grüße\n", "<p>x", "Übersicht.pdf", "Zahlen", []byte("\x00\xff"), false)
	f.Add("", "", "a\"b\\c.txt", "", []byte("--=_x\r\n"), true)
	f.Add(strings.Repeat("x", 2000), strings.Repeat("語", 900), strings.Repeat("é", 200), "=?utf-8?q?x?=", bytes.Repeat([]byte("y"), 9000), true)
	f.Fuzz(func(t *testing.T, text, page, name, description string, content []byte, eightBit bool) {
		d := letter()
		d.Text, d.HTML, d.EightBit = text, page, eightBit
		d.Files = []message.DraftFile{
			{Name: name, ContentType: "application/x-test", Description: description, Content: message.Bytes(content)},
			{Name: "x.eml", Content: message.Bytes(content)},
		}
		s, err := d.Source()
		if err != nil {
			if _, ok := errors.AsType[*message.FieldError](err); !ok {
				t.Errorf("Source() = %v, want a FieldError", err)
			}
			return
		}
		out := write(t, d)
		if s.Size() != int64(len(out)) {
			t.Errorf("Size() = %d for %d bytes", s.Size(), len(out))
		}
		m := parse(t, out)
		if len(m.Attachments) != 2 {
			t.Fatalf("%d attachments in\n%s", len(m.Attachments), out)
		}
		if m.Text != textOf(text) || m.HTML != textOf(page) || !bytes.Equal(m.Attachments[0].Content, content) {
			t.Errorf("text %q, page %q, content %q are read as %q, %q, %q", text, page, content, m.Text, m.HTML, m.Attachments[0].Content)
		}
		// Names with encoded words in them, and spaces around them, are read otherwise.
		if got := m.Attachments[0].Name; got != strings.ToValidUTF8(name, "\ufffd") && !strings.Contains(name, "=?") && name == strings.TrimSpace(name) {
			t.Errorf("name %q is read as %q in\n%s", name, got, out)
		}
	})
}

// FuzzDraftInjection puts a text into any string of a Draft. If it is taken, the
// header has the same fields, and the message the same parts.
func FuzzDraftInjection(f *testing.F) {
	f.Add(uint8(0), "x\r\nBcc: a@b")
	f.Add(uint8(9), "\r\n\r\nbody")
	f.Add(uint8(30), "--=_x\n")
	f.Fuzz(func(t *testing.T, n uint8, s string) {
		count := 0
		every(reflect.ValueOf(draft()).Elem(), "Draft", func(string, reflect.Value) { count++ })
		d, i, set := draft(), 0, ""
		every(reflect.ValueOf(d).Elem(), "Draft", func(name string, v reflect.Value) {
			if i++; i-1 == int(n)%count {
				v.SetString(s)
				set = name
			}
		})
		if _, err := d.Source(); err != nil {
			if _, ok := errors.AsType[*message.FieldError](err); !ok {
				t.Errorf("Source() = %v, want a FieldError", err)
			}
			return
		}
		if strings.ContainsAny(s, "\r\n\x00") && !isBody(set) {
			t.Fatalf("%s takes %q", set, s)
		}
		h := message.ParseHeader([]byte(write(t, d)))
		for name := range h.Fields() {
			if !slices.Contains(draftFields(d), name) {
				t.Errorf("%s = %q brings the field %s", set, s, name)
			}
		}
		if want := strings.Count(write(t, draft()), "\r\n--=_"); isBody(set) && s != "" && strings.Count(write(t, d), "\r\n--=_") < want-3 {
			t.Errorf("%s = %q takes parts away", set, s)
		}
	})
}

// draftFields are the names of the fields that a Draft may write.
func draftFields(d *message.Draft) []string {
	return []string{
		"Date", "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Message-ID", "In-Reply-To", "References", "Importance", "X-Priority",
		"Priority", "Disposition-Notification-To", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted", d.Extra[0].Name,
		"MIME-Version", "Content-Type",
	}
}
