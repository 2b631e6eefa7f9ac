//go:build interop

package interop_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// TestChecksOnRealServers: the stages on Dovecot and Postfix, what they find
// where everything is right, and where a certificate or a password is not.
func TestChecksOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{})
	creds := session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}
	check := func(creds session.Credentials, in, out session.Server) session.Checkup {
		s, err := session.New(creds,
			imapx.Backend(in, &imapx.Options{ID: map[string]string{"name": "interop"}}), smtpx.Backend(out, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c := s.Check(t.Context(), &session.CheckOptions{From: ann})
		t.Log("\n" + c.String())
		if strings.Contains(c.String(), creds.Password.Reveal()) {
			t.Error("the reports show the password")
		}
		return c
	}
	for _, security := range []session.Security{session.TLS, session.STARTTLS, session.None} {
		in, out := pair(t, servers, security)
		c := check(creds, in, out)
		if err := c.Err(); err != nil {
			t.Errorf("%v: %v", security, err)
		}
		greeting, _ := c.Incoming.Stage(session.StageGreeting)
		if got := greeting.Detail("server"); !strings.Contains(got, "name=Dovecot") {
			t.Errorf("%v: the server says of itself %q, want Dovecot", security, got)
		}
		encryption, _ := c.Outgoing.Stage(session.StageTLS)
		if names := encryption.Detail("certificate for"); (security != session.None) != strings.Contains(names, "localhost") {
			t.Errorf("%v: the certificate is for %q", security, names)
		}

		wrong := creds
		wrong.Password = secret.New("not the right horse")
		wantFailures(t, check(wrong, in, out), session.StageSignIn, "Check user name and password")
		if security == session.None {
			continue
		}
		// Nobody trusts the authority that was made for this test.
		in.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		out.TLS = in.TLS
		wantFailures(t, check(creds, in, out), session.StageTLS, "does not trust the authority")
	}
}

// wantFailures checks where both sides failed, and what is to be done.
func wantFailures(t *testing.T, c session.Checkup, at session.Stage, remedy string) {
	t.Helper()
	for _, r := range []session.Report{c.Incoming, c.Outgoing} {
		if failed, _ := r.Failed(); failed.Stage != at || !strings.Contains(failed.Remedy, remedy) {
			t.Errorf("%s failed at %q with the remedy %q, want %q and %q", r.Backend, failed.Stage, failed.Remedy, at, remedy)
		}
	}
}
