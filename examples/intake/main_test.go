package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/session"
)

// bill is a message with a file whose name wants to be somewhere else.
const bill = `From: bob@fabrikam.example
Subject: Bill
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

As agreed.
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="../bill.pdf"

%PDF
--b--
`

// TestEachMailIsTakenOnce: the server loses the line as a mail is moved, and the
// next run moves it without taking it a second time.
func TestEachMailIsTakenOnce(t *testing.T) {
	p := presettest.NewProvider(nil)
	defer p.Close()
	box := p.AddShared("invoices@contoso.example")
	app, err := p.App(preset.IMAP)
	if err != nil {
		t.Fatal(err)
	}
	server, dir := p.Preset().IMAP, t.TempDir()
	server.Transcript = testlog.New(t)
	creds := session.Credentials{User: "invoices@contoso.example", Tokens: app}
	var out strings.Builder
	run := func() {
		t.Helper()
		if _, err := box.Append("INBOX", mailtest.CRLF(bill), nil); err != nil {
			t.Fatal(err)
		}
		if err := intake(t.Context(), &out, server, creds, dir, false); err != nil {
			testlog.Error(t, err)
		}
	}
	run()
	p.IMAP.Inject(mailtest.Drop("MOVE", 0))
	run()
	run()
	if want := "done: Bill\ndone: Bill\ndone: Bill\n"; out.String() != want {
		t.Errorf("three runs print\n%s, want\n%s", out.String(), want)
	}
	if done, err := box.Messages("Done"); len(done) != 3 || err != nil {
		t.Errorf("%d messages are done, %v, want 3", len(done), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "files", "*", "bill.pdf"))
	if len(files) != 3 || err != nil {
		t.Fatalf("the files are %q, %v, want one a mail", files, err)
	}
	if text, err := os.ReadFile(files[0]); string(text) != "%PDF" || err != nil {
		t.Errorf("a file holds %q, %v", text, err)
	}
}
