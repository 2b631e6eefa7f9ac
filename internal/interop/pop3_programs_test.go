//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
)

// fetcher is a program that fetches mail by POP3 into the folder in.
type fetcher struct {
	w    *pop3World
	in   string
	args []string // the command
	env  []string
}

// run runs the program, and takes the exit codes beside 0 that are given.
func (f *fetcher) run(t *testing.T, taken ...int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.args[0], f.args[1:]...) //nolint:gosec // G204: the command is ours.
	cmd.Env = append(os.Environ(), f.env...)
	if out, err := cmd.CombinedOutput(); err != nil && (cmd.ProcessState == nil || !slices.Contains(taken, cmd.ProcessState.ExitCode())) {
		t.Fatalf("%s: %v\n%s\nit said %q", f.args[0], err, out, f.w.said())
	}
}

// fetched returns the messages that were fetched so far, with line ends of the
// wire.
func (f *fetcher) fetched(t *testing.T) []string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(f.in, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name) //nolint:gosec // G304: the folder is the test's own.
		all = append(all, mailtest.CRLF(string(data)))
		return err
	}))
	slices.Sort(all)
	return all
}

// newFetchmail returns fetchmail, which hands messages to a shell command.
func newFetchmail(t *testing.T, w *pop3World, protocol, further string) *fetcher {
	t.Helper()
	home := t.TempDir()
	f := &fetcher{w: w, in: filepath.Join(home, "in"), env: []string{"FETCHMAILHOME=" + home, "HOME=" + home}}
	must(t, os.Mkdir(f.in, 0o700))
	config := filepath.Join(home, "fetchmailrc")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `set no syslog
set no bouncemail
set invisible
poll localhost protocol %s service %s uidl
  username "%s" password "%s" is root here
  mda "cat > $(mktemp %s/XXXXXX)"
  no rewrite no mimedecode no dropstatus pass8bits %s
`, protocol, w.port, ann, pop3Secret, f.in, further), 0o600))
	f.args = []string{"fetchmail", "--fetchmailrc", config, "--pidfile", filepath.Join(home, "pid"), "--nodetach", "--silent"}
	return f
}

// newMpop returns mpop, which sends commands ahead where it may.
func newMpop(t *testing.T, w *pop3World, further string) *fetcher {
	t.Helper()
	home := t.TempDir()
	f := &fetcher{w: w, in: filepath.Join(home, "in"), env: []string{"HOME=" + home}}
	for _, sub := range []string{"cur", "new", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(f.in, sub), 0o700))
	}
	config := filepath.Join(home, "mpoprc")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `account fake
host localhost
port %s
user %s
passwordeval "printf %%s %s"
uidls_file %s/uidls
delivery maildir %s
received_header off
%s
`, w.port, ann, pop3Secret, home, f.in, further), 0o600))
	f.args = []string{"mpop", "--file=" + config, "--quiet", "--all-accounts"}
	return f
}

// tellFetcherStory lets a program fetch twice and keep, then fetch what is new
// and remove all. Only what is new comes the second time, by the unique-ids.
func tellFetcherStory(t *testing.T, f *fetcher, keep, remove []string, nothing ...int) {
	t.Helper()
	messages := lineMessages()
	want := slices.Sorted(slices.Values(messages))
	command := f.args
	f.args = append(slices.Clone(command), keep...)
	f.run(t)
	if got := f.fetched(t); !slices.Equal(got, want) {
		t.Fatalf("%s fetched %q, want %q", command[0], got, want)
	}
	f.run(t, nothing...)
	if got := f.fetched(t); !slices.Equal(got, want) {
		t.Errorf("%s has %d messages when it had fetched twice, want %d", command[0], len(got), len(want))
	}
	more := mailtest.Sample(7)
	_, err := f.w.account.Append("INBOX", more, nil)
	must(t, err)
	f.args = append(slices.Clone(command), remove...)
	f.run(t)
	want = slices.Sorted(slices.Values(append(want, more)))
	if got := f.fetched(t); !slices.Equal(got, want) {
		t.Errorf("%s has %d messages, want %d and the new one", command[0], len(got), len(messages))
	}
	f.w.await(t, 0)
}

// TestFetchmailOnTheFake has fetchmail fetch and remove mail.
func TestFetchmailOnTheFake(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		o                 pop3test.Options
		protocol, further string
		want              string // what it has to say
	}{
		"plain":    {pop3test.Options{}, "POP3", "sslproto ''", "PASS [redacted]"},
		"apop":     {pop3test.Options{APOP: true}, "APOP", "sslproto ''", "APOP " + ann + " [redacted]"},
		"tls":      {pop3test.Options{Security: mailtest.TLS}, "POP3", "ssl sslcertck", "CAPA"},
		"stls":     {pop3test.Options{Security: mailtest.STARTTLS}, "POP3", "sslproto TLS1.2+ sslcertck", "STLS"},
		"exchange": {*pop3test.ExchangeOptions(), "POP3", "sslproto ''", "TOP 6 99999999"},
		"no CAPA":  {pop3test.Options{NoCAPA: true}, "POP3", "sslproto ''", "UIDL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startPOP3(t, &way.o, lineMessages()...)
			if way.o.Security != mailtest.None {
				way.further += " sslcertfile " + w.ca
			}
			f := newFetchmail(t, w, way.protocol, way.further)
			const noMail = 1
			tellFetcherStory(t, f, []string{"--keep"}, []string{"--nokeep", "--flush"}, noMail)
			if said := w.said(); !slices.Contains(said, way.want) {
				t.Errorf("fetchmail said %q, want %q among it", said, way.want)
			}
		})
	}
}

// TestMpopOnTheFake has mpop, which sends commands ahead, fetch and remove mail.
func TestMpopOnTheFake(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		o       pop3test.Options
		further string
		want    string // what it has to say
	}{
		"plain":       {pop3test.Options{}, "auth plain\ntls off", "AUTH PLAIN"},
		"user":        {pop3test.Options{}, "auth user\ntls off", "PASS [redacted]"},
		"apop":        {pop3test.Options{APOP: true}, "auth apop\ntls off", "APOP " + ann + " [redacted]"},
		"tls":         {pop3test.Options{Security: mailtest.TLS}, "auth plain\ntls on\ntls_starttls off", "AUTH PLAIN"},
		"stls":        {pop3test.Options{Security: mailtest.STARTTLS}, "auth plain\ntls on\ntls_starttls on", "STLS"},
		"xoauth2":     {pop3test.Options{Security: mailtest.TLS}, "auth xoauth2\ntls on\ntls_starttls off", "AUTH XOAUTH2"},
		"oauthbearer": {pop3test.Options{Security: mailtest.TLS}, "auth oauthbearer\ntls on\ntls_starttls off", "AUTH OAUTHBEARER [redacted]"},
		"no pipeline": {pop3test.Options{Capabilities: pop3test.Without("PIPELINING")}, "auth user\ntls off", "DELE 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startPOP3(t, &way.o, lineMessages()...)
			f := newMpop(t, w, way.further+"\ntls_trust_file "+w.ca)
			tellFetcherStory(t, f, []string{"--keep=on"}, []string{"--keep=off"})
			if said := w.said(); !slices.Contains(said, way.want) || said[len(said)-1] != "QUIT" {
				t.Errorf("mpop said %q, want %q among it", said, way.want)
			}
		})
	}
}
