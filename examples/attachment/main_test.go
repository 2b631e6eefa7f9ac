package main

import (
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// TestSend: Bob gets the text and the file byte for byte; of an address that the
// server refuses, the program says so.
func TestSend(t *testing.T) {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	bob := box.Add("bob@example.com", secret.Text{})
	server := smtptest.New(box, &smtptest.Options{Security: mailtest.TLS})
	defer server.Close()
	at := session.Server{Host: "localhost", TLS: server.ClientTLS(), Dial: server.Dial, Transcript: testlog.New(t)}
	creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}

	name, content := filepath.Join(t.TempDir(), "Größe.bin"), strings.Repeat("\x00\r\n.\r\n\xff", 5_000)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &message.Draft{From: mail.Address{Address: "ann@example.com"}, Subject: "Invoice 7", Files: []message.DraftFile{{Content: message.File(name)}}}
	var out strings.Builder
	err := send(t.Context(), &out, at, creds, d, "Bob <bob@example.com>, nobody@example.com", strings.NewReader("As agreed.\n"))
	testlog.Error(t, err)
	if said := out.String(); err == nil || !strings.Contains(said, "bob@example.com: accepted\n") || !strings.Contains(said, "nobody@example.com: ") {
		t.Errorf("send prints\n%s%v, want one accepted and one refused", said, err)
	}
	got, err := bob.Messages("INBOX")
	if err != nil || len(got) != 1 {
		t.Fatalf("Bob has %d messages, %v, want 1", len(got), err)
	}
	m, err := message.Parse(strings.NewReader(got[0].Raw), nil)
	if err != nil || len(m.Attachments) != 1 || strings.TrimSpace(m.Text) != "As agreed." {
		t.Fatalf("Bob got %+v, %v, want a text and a file", m, err)
	}
	file := m.Attachments[0]
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if string(data) != content || file.FileName() != "Größe.bin" || err != nil {
		t.Errorf("Bob got %q of %d bytes, %v, want the file as it is", file.FileName(), len(data), err)
	}
}

// TestAFileThatIsMissingShowsFirst: nothing is sent without it.
func TestAFileThatIsMissingShowsFirst(t *testing.T) {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	server := smtptest.New(box, &smtptest.Options{Security: mailtest.TLS})
	defer server.Close()
	at := session.Server{Host: "localhost", TLS: server.ClientTLS(), Dial: server.Dial, Transcript: testlog.New(t)}
	creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
	d := &message.Draft{From: mail.Address{Address: "ann@example.com"}, Files: []message.DraftFile{{Content: message.File("none.pdf")}}}
	err := send(t.Context(), io.Discard, at, creds, d, "ann@example.com", strings.NewReader(""))
	if err == nil || !strings.Contains(err.Error(), "none.pdf") || len(server.Messages()) != 0 {
		t.Errorf("a missing file: %v, %d messages sent", err, len(server.Messages()))
	}
}
