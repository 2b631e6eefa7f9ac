package smtpx_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// wantReport checks where a check failed, "" where it did not, what is to be
// done, and that nothing in the report is secret.
func wantReport(t *testing.T, r session.Report, at session.Stage, remedy string) {
	t.Helper()
	failed, _ := r.Failed()
	if failed.Stage != at || (r.Err() == nil) != (at == "") {
		t.Errorf("the check failed at %q, want %q:\n%v", failed.Stage, at, r)
	}
	behind := false
	for _, s := range r.Stages {
		if s.Stage == at {
			behind = true
		} else if behind != (s.Outcome == session.CheckNotReached) {
			t.Errorf("%s %v, which does not fit a failure at %q", s.Stage, s.Outcome, at)
		}
	}
	if at != "" && (failed.Remedy == "" || !strings.Contains(failed.Remedy, remedy)) {
		t.Errorf("the remedy is %q, want one with %q; the error is %v", failed.Remedy, remedy, failed.Err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.String()+string(b), "horse") {
		t.Error("the report holds a secret")
	}
}

// TestCheckPasses: what the server offers, and that mail from the sender is
// taken, without a message.
func TestCheckPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &smtptest.Options{Security: mailtest.STARTTLS, MaxMessage: 1 << 20})
		server := inMemory(s)
		server.Host, server.Security, server.TLS = "localhost", session.STARTTLS, s.ClientTLS()
		c := newClient(t, server, withPassword(), nil)
		r := c.Check(t.Context(), &session.CheckOptions{From: ann})
		wantReport(t, r, "", "")
		for _, want := range []struct {
			stage        session.Stage
			name, detail string
		}{
			{session.StageTLS, "version", "TLS 1.3"},
			{session.StageCapabilities, "size limit", "1048576"},
			{session.StageSignIn, "mechanism", "PLAIN"},
			{session.StageSender, "address", ann},
		} {
			if stage, _ := r.Stage(want.stage); stage.Detail(want.name) != want.detail || stage.Outcome != session.CheckPassed {
				t.Errorf("%s: %s is %q, want %q", want.stage, want.name, stage.Detail(want.name), want.detail)
			}
		}
		if said := said(s); !strings.Contains(said, "MAIL FROM:<"+ann+">") || !strings.HasSuffix(said, "RSET") {
			t.Errorf("the server heard\n%s\nwant MAIL and RSET at the end", said)
		}
		mustSend(t, c)
		if made, _ := s.Connections(); made != 1 {
			t.Errorf("%d connections were made, want 1: what the check made is good for the message", made)
		}
	})
}

// TestCheckWithoutASender: nobody is asked about a sender unasked.
func TestCheckWithoutASender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		r := newClient(t, inMemory(s), withPassword(), nil).Check(t.Context(), nil)
		wantReport(t, r, "", "")
		if stage, _ := r.Stage(session.StageSender); stage.Outcome != session.CheckSkipped || stage.Detail("reason") == "" {
			t.Errorf("the sender %v (%s), want skipped with a reason", stage.Outcome, stage.Detail("reason"))
		}
		if strings.Contains(said(s), "MAIL") {
			t.Errorf("the server heard\n%s\nwant no MAIL", said(s))
		}
	})
}

func TestCheckFailsWhereItFails(t *testing.T) {
	overTLS := func(s *smtptest.Server, server *session.Server, _ *session.Credentials) {
		server.Host, server.Security, server.TLS = "localhost", session.TLS, s.ClientTLS()
	}
	for _, tt := range []struct {
		name   string
		server smtptest.Options
		adjust func(*smtptest.Server, *session.Server, *session.Credentials)
		fault  mailtest.Fault
		from   string
		at     session.Stage
		remedy string
	}{
		{name: "untrusted", server: smtptest.Options{Security: mailtest.TLS}, adjust: func(_ *smtptest.Server, s *session.Server, _ *session.Credentials) {
			s.Host, s.Security, s.TLS = "localhost", session.TLS, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		}, at: session.StageTLS, remedy: "does not trust the authority"},
		{name: "another name", server: smtptest.Options{Security: mailtest.TLS}, adjust: func(f *smtptest.Server, s *session.Server, _ *session.Credentials) {
			s.Security, s.TLS = session.TLS, f.ClientTLS()
		}, at: session.StageTLS, remedy: "not for mail.example.com but for localhost"},
		{name: "expired", server: smtptest.Options{Security: mailtest.TLS}, adjust: func(f *smtptest.Server, s *session.Server, c *session.Credentials) {
			overTLS(f, s, c)
			s.TLS.Time = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }
		}, at: session.StageTLS, remedy: "has expired"},
		{name: "plain where TLS is expected", adjust: overTLS, at: session.StageTLS, remedy: "does not speak TLS"},
		{name: "STARTTLS not offered", adjust: func(_ *smtptest.Server, s *session.Server, _ *session.Credentials) { s.Security = session.STARTTLS }, at: session.StageTLS, remedy: "port for TLS"},

		{name: "refused at the door", fault: mailtest.Reply(mailtest.Greeting, "554 no mail from your address"), at: session.StageGreeting, remedy: "block list"},
		{name: "busy", fault: mailtest.Reply(mailtest.Greeting, "421 too many connections"), at: session.StageGreeting, remedy: "later"},
		{name: "another protocol", fault: mailtest.Reply(mailtest.Greeting, "* OK IMAP4rev1 ready"), at: session.StageGreeting, remedy: "host and port"},
		{name: "silence", fault: mailtest.Silence(mailtest.Greeting), at: session.StageGreeting, remedy: "set Security to TLS"},
		{name: "hangs up", fault: mailtest.Drop(mailtest.Greeting, 0), at: session.StageGreeting, remedy: "hangs up without a word"},

		{name: "EHLO refused", fault: mailtest.Reply("EHLO", "421 go away"), at: session.StageCapabilities, remedy: "later"},
		{name: "no AUTH", server: smtptest.Options{Extensions: smtptest.Without("AUTH")}, at: session.StageSignIn, remedy: "Leave the credentials out"},
		{name: "wrong password", adjust: func(_ *smtptest.Server, _ *session.Server, c *session.Credentials) {
			c.Password = secret.New("the wrong horse")
		}, at: session.StageSignIn, remedy: "Check user name and password"},
		{name: "wrong token", adjust: func(_ *smtptest.Server, _ *session.Server, c *session.Credentials) {
			c.Tokens = oauth.AnyResource(oauth.StaticToken(secret.New("a-token-of-a-horse")))
		}, at: session.StageSignIn, remedy: "Give a fresh access token"},
		{name: "switched off", fault: mailtest.Reply("AUTH", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox"), at: session.StageSignIn, remedy: `"Authenticated SMTP"`},
		{name: "a server that repeats the password", fault: mailtest.Reply("AUTH", "535 5.7.8 correct horse, AGFubkBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNl"), at: session.StageSignIn, remedy: "Check user name"},
		{name: "plain text", adjust: func(_ *smtptest.Server, s *session.Server, _ *session.Credentials) { s.AllowPlainAuth = false }, at: session.StageSignIn, remedy: "TLS"},

		{name: "another sender", fault: mailtest.Reply("MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"), from: bob, at: session.StageSender, remedy: `"Send As"`},
		{name: "no address", from: "Ann <ann@example.com>\r\nRSET", at: session.StageSender, remedy: "without a name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newServer(t, &tt.server)
				server, creds := inMemory(fake), withPassword()
				if tt.adjust != nil {
					tt.adjust(fake, &server, &creds)
				}
				if tt.fault.Command != "" {
					fake.Inject(tt.fault)
				}
				r := newClient(t, server, creds, nil).Check(t.Context(), &session.CheckOptions{From: tt.from})
				wantReport(t, r, tt.at, tt.remedy)
			})
		})
	}
}
