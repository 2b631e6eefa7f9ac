package message_test

import (
	"bytes"
	"testing"

	"github.com/mailsession/mailsession/message"
)

func TestAttachmentsAreOfAKind(t *testing.T) {
	const invitation = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETH\r\n OD:request\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for _, test := range []struct {
		name, contentType, content string
		want                       message.AttachmentKind
		method                     string
	}{
		{"a.pdf", "application/pdf", "%PDF", message.KindFile, ""},
		{"", "text/calendar", invitation, message.KindCalendar, "REQUEST"},
		{"invite.ics", "application/octet-stream", invitation, message.KindCalendar, "REQUEST"},
		{"invite.ics", "application/ics", "\xef\xbb\xbfBEGIN:VCALENDAR\nMETHOD;X=1:CANCEL\n", message.KindCalendar, "CANCEL"},
		{"a.ics", "text/calendar", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nMETHOD:REQUEST\n", message.KindCalendar, ""},
		{"a.ics", "text/calendar", "BEGIN:VCALENDAR\nMETHOD:two words\n", message.KindCalendar, ""},
		{"a.ics", "application/octet-stream", "MZ", message.KindFile, ""},
		{"winmail.dat", "application/ms-tnef", "", message.KindTNEF, ""},
		{"winmail.dat", "application/octet-stream", "\x78\x9f\x3e\x22\x01", message.KindTNEF, ""},
		{"winmail.dat", "application/octet-stream", "none", message.KindFile, ""},
		{"", "message/rfc822", "From: a@b\n\n", message.KindMessage, ""},
		{"a.eml", "application/octet-stream", "From: a@b\n\n", message.KindMessage, ""},
		{"a.eml", "application/octet-stream", "\n\n", message.KindFile, ""},
		{"", "", "", message.KindFile, ""},
	} {
		a := message.Attachment{Name: test.name, ContentType: test.contentType, Content: []byte(test.content)}
		if got := a.Kind(); got != test.want {
			t.Errorf("Kind() of %q of type %q = %q, want %q", test.name, test.contentType, got, test.want)
		}
		if got := a.CalendarMethod(); got != test.method {
			t.Errorf("CalendarMethod() of %q = %q, want %q", test.content, got, test.method)
		}
	}
}

// TestKindsOfCorpus counts the kinds of the corpus' attachments.
func TestKindsOfCorpus(t *testing.T) {
	count := make(map[message.AttachmentKind]int)
	methods := make(map[string]int)
	check := func(name string, data []byte) {
		m, err := message.Parse(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		for _, a := range m.Attachments {
			count[a.Kind()]++
			if a.ContentType == "application/ms-tnef" && a.Kind() != message.KindTNEF {
				t.Errorf("%s: Kind() of %s = %q", name, a.Name, a.Kind())
			}
			if a.Kind() == message.KindCalendar {
				methods[a.CalendarMethod()]++
			}
		}
	}
	eachFile(t, "testdata", check)
	eachFile(t, corpus(t), check)
	t.Logf("kinds: %v, methods: %v", count, methods)
}

// FuzzCalendarMethod finds that a method is one word in upper case.
func FuzzCalendarMethod(f *testing.F) {
	f.Add([]byte("BEGIN:VCALENDAR\r\nMET\r\n HOD:REQUEST\r\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		a := message.Attachment{ContentType: "text/calendar", Content: content}
		for _, c := range a.CalendarMethod() {
			if (c < 'A' || c > 'Z') && c != '-' {
				t.Errorf("CalendarMethod() of %q = %q", content, a.CalendarMethod())
			}
		}
	})
}
