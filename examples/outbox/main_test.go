package main

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

func TestCommands(t *testing.T) {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	provider.Add("ann@contoso.example", secret.New("correct horse"))
	known := provider.Preset()
	var out strings.Builder
	p := program{
		out: &out, dir: t.TempDir() + "/outbox", imap: known.IMAP, smtp: known.SMTP,
		creds: session.Credentials{User: "ann@contoso.example", Password: secret.New("correct horse")},
	}
	p.imap.Transcript, p.smtp.Transcript = testlog.New(t), testlog.New(t)
	say := func(want string, args ...string) {
		t.Helper()
		out.Reset()
		p.in = strings.NewReader("As agreed.\n")
		if err := p.run(t.Context(), args); err != nil {
			testlog.Error(t, err)
			t.Errorf("%q: %v", args, err)
		}
		if out.String() != want {
			t.Errorf("%q prints\n%s, want\n%s", args, out.String(), want)
		}
	}
	say("new      7 to bob@fabrikam.example\nsending  7 to bob@fabrikam.example\nsent     7 to bob@fabrikam.example\n", "send", "7", "bob@fabrikam.example", "Invoice 7")
	say("", "send", "7", "bob@fabrikam.example", "Invoice 7")
	provider.SMTP.Inject(mailtest.Reply(smtptest.EndOfData, "554 5.6.0 no"))
	provider.SMTP.Inject(mailtest.Drop(smtptest.EndOfData, 0))
	out.Reset()
	p.in = strings.NewReader("As agreed.\n")
	if err := p.run(t.Context(), []string{"send", "8", "bob@fabrikam.example", "Invoice 8"}); err != nil || !strings.Contains(out.String(), "failed   8 ") {
		t.Errorf("a refused message prints\n%s%v", out.String(), err)
	}
	if err := p.run(t.Context(), []string{"again", "8"}); err != nil || !strings.Contains(out.String(), "unknown  8 ") {
		t.Errorf("a lost answer prints\n%s%v", out.String(), err)
	}
	say("sent     8 to bob@fabrikam.example\n", "sent", "8")
	say("sent     7 to bob@fabrikam.example, copy filed\nsent     8 to bob@fabrikam.example, copy filed\n", "list")
	if err := p.run(t.Context(), []string{"sell"}); err == nil || !strings.Contains(err.Error(), "the commands are") {
		t.Errorf("another command: %v", err)
	}
	if got := len(provider.SMTP.Messages()); got != 2 {
		t.Errorf("%d messages were sent, want 2", got)
	}
}
