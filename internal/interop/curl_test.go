//go:build interop

package interop_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// curlAt returns a function that runs curl on a folder of the fake, with one
// message in INBOX, and returns what it prints.
func curlAt(t *testing.T, security mailtest.Security, more ...string) (*mailtest.Account, func(folder string, args ...string) string) {
	t.Helper()
	authority, err := testtls.New()
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	box := mailtest.New()
	account := box.Add(ann, secret.New("pw"))
	account.AcceptTokens(mailtest.Tokens(secret.New("good")))
	if _, err := account.Append("INBOX", mailtest.Sample(1), nil); err != nil {
		t.Fatal(err)
	}
	server := imaptest.New(box, &imaptest.Options{Security: security, TLS: authority.Server()})
	t.Cleanup(func() { server.Close() })
	scheme := map[mailtest.Security]string{mailtest.TLS: "imaps"}[security]
	if scheme == "" {
		scheme = "imap"
	}
	_, port, _ := strings.Cut(server.Addr(), ":")
	return account, func(folder string, args ...string) string {
		t.Helper()
		all := append([]string{"--silent", "--show-error", "--noproxy", "*", "--cacert", ca}, more...)
		all = append(append(all, args...), scheme+"://localhost:"+port+"/"+folder)
		cmd := exec.CommandContext(t.Context(), "curl", all...) //nolint:gosec // G204: the command is ours.
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("curl %s: %v\n%s", folder, err, said.String())
		}
		return string(out)
	}
}

// TestCurl has curl, which nobody here wrote, list, fetch, append, mark and
// search, on each kind of connection and with each way of signing in.
func TestCurl(t *testing.T) {
	t.Parallel()
	password := []string{"--user", ann + ":pw"}
	for name, way := range map[string]struct {
		security mailtest.Security
		args     []string
	}{
		"plain":       {mailtest.None, password},
		"tls":         {mailtest.TLS, password},
		"starttls":    {mailtest.STARTTLS, append([]string{"--ssl-reqd"}, password...)},
		"login":       {mailtest.TLS, append([]string{"--login-options", "AUTH=LOGIN"}, password...)},
		"oauthbearer": {mailtest.TLS, []string{"--user", ann, "--oauth2-bearer", "good", "--login-options", "AUTH=OAUTHBEARER"}},
		"xoauth2":     {mailtest.TLS, []string{"--user", ann, "--oauth2-bearer", "good", "--login-options", "AUTH=XOAUTH2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account, curl := curlAt(t, way.security, way.args...)
			tellCurlStory(t, account, curl)
		})
	}
}

func tellCurlStory(t *testing.T, account *mailtest.Account, curl func(folder string, args ...string) string) {
	t.Helper()
	if listed := curl(""); !strings.Contains(listed, `* LIST (\HasNoChildren \Sent) "/" Sent`) {
		t.Errorf("curl lists %q, want Sent among it", listed)
	}
	if got := curl("INBOX;UID=1"); got != mailtest.Sample(1) {
		t.Errorf("curl fetches %q, want %q", got, mailtest.Sample(1))
	}
	if got := curl("INBOX;UID=1;SECTION=" + url.PathEscape("HEADER.FIELDS (SUBJECT)")); got != "Subject: Sample 1\r\n\r\n" {
		t.Errorf("curl fetches the subject as %q", got)
	}
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, []byte(mailtest.Sample(2)), 0o600); err != nil {
		t.Fatal(err)
	}
	curl("Drafts", "--upload-file", file)
	if m, err := account.Message("Drafts", 1); err != nil || m.Raw != mailtest.Sample(2) || !m.Has(mailtest.Seen) {
		t.Errorf("curl appended %q with %v, %v, want the file's bytes, seen", m.Raw, m.Flags, err)
	}
	curl("INBOX", "--request", `UID STORE 1 +FLAGS.SILENT (\Flagged \Deleted)`)
	if m, err := account.Message("INBOX", 1); err != nil || !m.Has(mailtest.Flagged) {
		t.Errorf("curl flagged the message to %v, %v", m.Flags, err)
	}
	if got := curl("INBOX?FLAGGED"); got != "* SEARCH 1\r\n" {
		t.Errorf("curl searches and gets %q, want message 1", got)
	}
	if got := curl("INBOX", "--request", "GETQUOTAROOT INBOX"); !strings.Contains(got, "* QUOTAROOT INBOX") {
		t.Errorf("curl asks for the quota and gets %q", got)
	}
	curl("INBOX", "--request", "EXPUNGE")
	if _, err := account.Message("INBOX", 1); err == nil {
		t.Error("the message is there after curl expunged it")
	}
}
