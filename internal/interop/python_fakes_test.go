//go:build interop

package interop_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/smtptest"
)

// fakes are our own servers over one Box, with the users of the real ones.
type fakes struct {
	box  *mailtest.Box
	imap *imaptest.Server
	smtp *smtptest.Server
	ways pythonWays
}

// startFakes starts the fakes and says how Python signs in to them.
func startFakes(t *testing.T, security, auth string) *fakes {
	t.Helper()
	authority, err := testtls.New()
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]secret.Text{ann: secret.New("horse-of-ann"), bob: secret.New("horse-of-bob")}
	f := &fakes{box: mailtest.New()}
	for _, address := range []string{ann, bob} {
		f.box.Add(address, secrets[address]).AcceptTokens(mailtest.Tokens(secrets[address]))
	}
	protection := map[string]mailtest.Security{"none": mailtest.None, "tls": mailtest.TLS, "starttls": mailtest.STARTTLS}[security]
	f.imap = imaptest.New(f.box, &imaptest.Options{Security: protection, TLS: authority.Server()})
	f.smtp = smtptest.New(f.box, &smtptest.Options{Security: protection, TLS: authority.Server()})
	t.Cleanup(func() {
		f.imap.Close()
		f.smtp.Close()
	})
	f.ways.secrets = secrets
	f.ways.imap = f.ways.as(pythonLogin{address: f.imap.Addr(), security: security, ca: ca, auth: auth}, ann)
	f.ways.smtp = f.ways.as(pythonLogin{address: f.smtp.Addr(), security: security, ca: ca, auth: auth}, ann)
	return f
}

// TestPythonStoryOnFakes has Python's imaplib and smtplib, which nobody here
// wrote, go through the same story on the fakes as on Dovecot and Postfix.
func TestPythonStoryOnFakes(t *testing.T) {
	t.Parallel()
	for _, security := range []string{"none", "tls", "starttls"} {
		for _, auth := range []string{"password", "xoauth2", "oauthbearer"} {
			t.Run(security+" "+auth, func(t *testing.T) {
				t.Parallel()
				f := startFakes(t, security, auth)
				tellPythonStory(t, f.ways, deliverQuestions(t, func(raw []byte) error { return f.box.Deliver(string(raw), ann) }))
			})
		}
	}
}

// TestPythonIsRefusedByFakes with challenges in the form of RFC 7628.
func TestPythonIsRefusedByFakes(t *testing.T) {
	t.Parallel()
	wantPythonRefused(t, `{"status":"invalid_token","scope":"mail"}`, func(auth string) pythonWays { return startFakes(t, "tls", auth).ways })
}
