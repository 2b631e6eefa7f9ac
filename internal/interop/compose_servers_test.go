//go:build interop

package interop_test

import (
	"net/mail"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// TestComposedOnRealServers sends a message of every kind of part through Postfix
// to Dovecot, with a report of its delivery asked for: all of it arrives, and so
// does the report, with the identifier that was given.
func TestComposedOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	in, out := pair(t, servers, session.TLS)
	s, err := session.New(session.Credentials{User: ann, Password: userOf(t, servers, ann).Password},
		imapx.Backend(in, nil), smtpx.Backend(out, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := newWriter(composedSeed)
	d := &message.Draft{
		From: mail.Address{Name: "Änn", Address: ann}, To: []mail.Address{{Address: ann}}, Subject: w.header(20),
		Text: w.text(false), HTML: "<p>Grüße <img src=\"cid:p@example.test\"></p>\n", EightBit: true, Calendar: w.calendar(),
		Files: []message.DraftFile{
			{Name: "p.png", ContentID: "p@example.test", Content: message.Bytes([]byte("\x89PNG\r\n\x00"))},
			{Name: w.fileName(), ContentType: "application/pdf", Content: message.Bytes([]byte("%PDF\r\n.\r\n\xff"))},
			{Name: "Grüße.eml", Content: message.Bytes([]byte("From: a@example.test\r\nSubject: inner\r\n\r\n.\r\nGrüße\r\n"))},
		},
	}
	source, err := d.Source()
	if err != nil {
		t.Fatal(err)
	}
	envelope := session.Envelope{
		From: d.ReturnPath(), To: d.Recipients(), Reports: &session.DeliveryReports{Success: true, Failure: true, ID: "letter+7"},
	}
	receipt, err := s.Send(t.Context(), envelope, source)
	if err != nil || receipt.Outcome != session.Accepted {
		t.Fatalf("Send = %+v, %v", receipt, err)
	}
	sent := readAll(source)
	m, err := s.Read(t.Context(), awaitMail(t, s, d.MessageID).ID)
	if err != nil {
		t.Fatal(err)
	}
	if raw := string(m.Raw()); !strings.HasSuffix(raw, string(sent[strings.Index(string(sent), "MIME-Version"):])) {
		t.Errorf("what arrived does not end in what was sent")
	}
	if m.Header.Subject() != d.Subject || m.Text != d.Text || m.HTML != d.HTML || len(m.Attachments) != 4 || len(m.Defects) > 0 {
		t.Errorf("arrived: %q, %q, %q, %d files, defects %v", m.Header.Subject(), m.Text, m.HTML, len(m.Attachments), m.Defects)
	}

	arrived := awaitMessage(t, s, "the report of delivery", func(h message.Header) bool {
		return strings.Contains(h.Get("Content-Type"), "report-type=delivery-status")
	})
	report, err := s.Read(t.Context(), arrived.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Original-Envelope-Id: letter+7\r\n", "Original-Recipient: rfc822;" + ann + "\r\n"} {
		if !strings.Contains(string(report.Raw()), line) {
			t.Errorf("the report has no line %q:\n%s", line, report.Raw())
		}
	}
}
