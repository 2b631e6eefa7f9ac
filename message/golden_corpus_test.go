package message_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/message"
)

// An expected is what imap_tools makes of a message.
type expected struct {
	Subject string
	From    namedAddress   `json:"from_values"`
	To      []namedAddress `json:"to_values"`
	Cc      []namedAddress `json:"cc_values"`
	Bcc     []namedAddress `json:"bcc_values"`
	ReplyTo []namedAddress `json:"reply_to_values"`
	Date    string
	Text    string
	HTML    string

	Attachments []struct {
		Filename    string
		ContentID   string `json:"content_id"`
		Disposition string `json:"content_disposition"`
		ContentType string `json:"content_type"`
		Payload     struct{ Base64 []byte }
	}
}

type namedAddress struct{ Name, Email string }

// TestImapTools compares what is read of each message with what imap_tools
// says, for all of its messages. What differs is in the table of explained
// differences, and nothing else is.
func TestImapTools(t *testing.T) {
	dir := corpus(t)
	if dir == "" {
		return
	}
	compared := 0
	seen := make(map[string]bool)
	eachFile(t, filepath.Join(dir, "imap_tools"), func(name string, data []byte) {
		if path.Ext(name) != ".json" {
			return
		}
		var want expected
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		source := strings.TrimSuffix(strings.Replace(name, "messages_data/", "messages/", 1), ".json") + ".eml"
		raw, err := fs.ReadFile(os.DirFS(filepath.Join(dir, "imap_tools")), source)
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Parse(bytes.NewReader(raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		compared++
		short := path.Base(path.Dir(source)) + "/" + strings.TrimSuffix(path.Base(source), ".eml")
		for what, d := range differences(m, want) {
			seen[short+" "+what] = true
			if explained()[short+" "+what] == "" {
				t.Errorf("%s: %s is %s, imap_tools has %s", short, what, d[0], d[1])
			}
		}
	})
	for place := range explained() {
		if !seen[place] {
			t.Errorf("%s: the difference that is explained is not there", place)
		}
	}
	if compared != 58 {
		t.Errorf("%d messages compared, want 58", compared)
	}
	t.Logf("%d messages compared, %d differences in values, all explained", compared, len(seen))
}

// explained returns the differences with imap_tools by message and value, each
// with its reason.
func explained() map[string]string {
	const (
		whole    = "a message that is a part is an attachment as a whole, not its texts and its attachments"
		asItCame = "HTML is given as it came; imap_tools changes the character set that the page declares"
		kept     = "imap_tools drops the bytes that are not of the character set; they are read as windows-1252"
		group    = "the specimen has two addresses in each field, and imap_tools runs the first into the second"
	)
	return map[string]string{
		"_disabled/raw_email_multiple_from from":     group,
		"_disabled/raw_email_multiple_from to":       group,
		"_disabled/raw_email_multiple_from reply-to": group,

		"attachment_emails/attachment_message_rfc822 text":                     whole,
		"attachment_emails/attachment_message_rfc822 attachments":              "the message in the part begins with the From line of a mailbox file, which is kept",
		"multipart_report_emails/multi_address_bounce2 text":                   whole,
		"multipart_report_emails/multi_address_bounce2 attachments":            "the delivery status is an attachment, so that it can be read",
		"multipart_report_emails/multipart_report_multiple_status text":        whole,
		"multipart_report_emails/multipart_report_multiple_status html":        whole,
		"multipart_report_emails/multipart_report_multiple_status attachments": "both delivery statuses are attachments, so that they can be read",
		"multipart_report_emails/report_530 attachments":                       "the delivery status and the returned header are attachments, so that they can be read",

		"messages/attachment_inline2 html":                            asItCame,
		"messages/base html":                                          asItCame,
		"plain_emails/raw_email_bad_time html":                        asItCame,
		"error_emails/content_transfer_encoding_with_semi_colon html": asItCame,
		"error_emails/content_transfer_encoding_plain text":           kept,
		"plain_emails/raw_email6 text":                                kept,

		"error_emails/encoding_madness reply-to":    "a name without an address is nobody to answer",
		"mime_emails/raw_email11 to":                "the mailbox in the brackets is a local one, without an @",
		"mime_emails/raw_email11 attachments":       "the alternative in text/enriched is given, so that nothing is lost",
		"mime_emails/raw_email4 text":               "a final delimiter with one dash at the end of the message is one that was cut off, not text",
		"plain_emails/mix_caps_content_type from":   "the brackets around the address are thought in",
		"messages/text_with_content_id attachments": "a text with an identifier is the text of the message; imap_tools gives it as both",
	}
}

// differences returns what is not as wanted, by its name: what it is and what
// it should be.
func differences(m *message.Message, want expected) map[string][2]string {
	all := make(map[string][2]string)
	add := func(what, got, want string) {
		if got != want {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			all[what] = [2]string{excerpt(got, at), excerpt(want, at)}
		}
	}
	h := m.Header
	add("subject", h.Subject(), strings.TrimSpace(lineBreaksOut(want.Subject)))
	add("from", names(h.From()), named([]namedAddress{want.From}))
	add("to", names(h.To()), named(want.To))
	add("cc", names(h.Cc()), named(want.Cc))
	add("bcc", names(h.Addresses("Bcc")), named(want.Bcc))
	add("reply-to", names(h.ReplyTo()), named(want.ReplyTo))
	add("date", dateOf(h, want.Date), want.Date)
	add("text", m.Text, strings.ReplaceAll(want.Text, "\r\n", "\n"))
	add("html", m.HTML, strings.ReplaceAll(want.HTML, "\r\n", "\n"))
	got := make([]string, 0, len(m.Attachments))
	for _, a := range m.Attachments {
		got = append(got, fmt.Sprintf("%q %s <%s> %q", a.Name, a.ContentType, a.ContentID, a.Content))
	}
	wanted := make([]string, 0, len(want.Attachments))
	for _, a := range want.Attachments {
		wanted = append(wanted, fmt.Sprintf("%q %s <%s> %q", a.Filename, a.ContentType, a.ContentID, a.Payload.Base64))
	}
	add("attachments", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	return all
}

// excerpt quotes what is around a place in s.
func excerpt(s string, at int) string {
	return fmt.Sprintf("%q", s[max(0, at-30):min(len(s), at+60)])
}

func lineBreaksOut(s string) string { return strings.NewReplacer("\r\n", "", "\n", "").Replace(s) }

func named(list []namedAddress) string {
	all := make([]mail.Address, 0, len(list))
	for _, a := range list {
		if a.Email != "" || a.Name != "" {
			all = append(all, mail.Address{Name: a.Name, Address: a.Email})
		}
	}
	return names(all)
}

// dateOf writes the date of h in the form of want: with a zone or without, and
// as 1900 if there is none.
func dateOf(h message.Header, want string) string {
	d, ok := h.Date()
	switch {
	case !ok:
		return "1900-01-01T00:00:00"
	case len(want) == len("2006-01-02T15:04:05"):
		return d.Format("2006-01-02T15:04:05")
	}
	return strings.Replace(d.Format(time.RFC3339), "Z", "+00:00", 1)
}

// TestEnmimeGoldens reads what enmime writes of parts, for all of its golden
// files: what went in comes out.
func TestEnmimeGoldens(t *testing.T) {
	dir := corpus(t)
	if dir == "" {
		return
	}
	const (
		page    = "<!DOCTYPE html><html><body><h1>My First Heading</h1><p>My first paragraph éà.</p></body></html>\n"
		files   = "\n\n添付ファイル名テスト\n"
		archive = `1 "stuff.zip" application/zip <mycontentid> "ZIPZIPZIP"`
	)
	counted := make([]byte, 2000)
	for i := range counted {
		counted[i] = byte(i)
	}
	want := map[string]parsed{
		"nocontent-with-children.golden":                  {text: "Plain text part", html: "<div>HTML part</div>"},
		"parser-raw-content-html-option-false.raw.golden": {subject: "Test subject", html: page},
		"parser-raw-content-html-option-true.raw.golden":  {subject: "Test subject", html: page},
		"parser-raw-content-text-option-false.raw.golden": {subject: "Test subject", text: files},
		"parser-raw-content-text-option-true.raw.golden":  {subject: "Test subject", text: files},
		"part-bin-content.golden":                         {files: fmt.Sprintf(`1 "" image/jpeg <> %q`, counted)},
		"part-content-only.golden":                        {text: "No header, only content."},
		"part-default-headers.golden":                     {files: archive},
		"part-empty.golden":                               {},
		"part-header-only-default-encoding.golden":        {},
		"part-header-only.golden":                         {},
		"part-quoted-headers.golden":                      {files: `1 "árvíztűrő \"x\" tükörfúrógép.zip" application/zip <mycontentid> "ZIPZIPZIP"`},
		"part-with-children.golden":                       {text: "Plain text part", html: "<div>HTML part</div>"},
	}
	read := 0
	eachFile(t, filepath.Join(dir, "enmime"), func(name string, data []byte) {
		if path.Ext(name) != ".golden" {
			return
		}
		read++
		m, err := message.Parse(bytes.NewReader(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := parsed{subject: m.Header.Subject(), text: m.Text, html: m.HTML}
		for _, a := range m.Attachments {
			got.files += fmt.Sprintf("%s %q %s <%s> %q", a.Part, a.Name, a.ContentType, a.ContentID, a.Content)
		}
		if got != want[path.Base(name)] {
			t.Errorf("%s is read as %+v, want %+v", name, got, want[path.Base(name)])
		}
		if len(m.Defects) > 0 && path.Base(name) != "part-content-only.golden" {
			t.Errorf("%s has the defects %v, want none", name, m.Defects)
		}
	})
	if read != len(want) {
		t.Errorf("%d golden files read, want %d", read, len(want))
	}
	t.Logf("%d golden files read, none differs", read)
}

// parsed is what is compared of a message.
type parsed struct{ subject, text, html, files string }
