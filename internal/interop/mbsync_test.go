//go:build interop

package interop_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// mbsyncWorld is an account of the fake and the Maildir that mbsync keeps in
// step with it.
type mbsyncWorld struct {
	account *mailtest.Account
	server  *imaptest.Server
	config  string
	mail    string // the folder of Maildirs
}

// startMbsync makes an account of 1,000 messages and the settings of mbsync.
func startMbsync(t *testing.T, o imaptest.Options) *mbsyncWorld {
	t.Helper()
	authority, err := testtls.New()
	if err != nil {
		t.Fatal(err)
	}
	o.TLS = authority.Server()
	box := mailtest.New()
	w := &mbsyncWorld{account: box.Add(ann, secret.New("pw")), mail: filepath.Join(t.TempDir(), "mail")}
	w.server = imaptest.New(box, &o)
	t.Cleanup(func() { w.server.Close() })
	for n := range 1000 {
		folder, flags := "INBOX", []string(nil)
		if n%10 == 0 {
			folder = "Archive"
		}
		if n%3 == 0 {
			flags = []string{mailtest.Seen}
		}
		if _, err := w.account.Append(folder, mailtest.Sample(n), &mailtest.AppendOptions{Flags: flags}); err != nil {
			t.Fatal(err)
		}
	}
	w.configure(t, authority, o.Security)
	return w
}

func (w *mbsyncWorld) configure(t *testing.T, authority *testtls.Authority, security mailtest.Security) {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	_, port, err := net.SplitHostPort(w.server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	protection := map[mailtest.Security]string{
		mailtest.None: "SSLType None", mailtest.TLS: "SSLType IMAPS\nCertificateFile " + ca,
		mailtest.STARTTLS: "SSLType STARTTLS\nCertificateFile " + ca,
	}[security]
	w.config = filepath.Join(dir, "mbsyncrc")
	text := fmt.Sprintf(`IMAPAccount fake
Host localhost
Port %s
User %s
Pass pw
AuthMechs LOGIN
%s

IMAPStore far
Account fake

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Archive
Create Near
Expunge Both
SyncState *
`, port, ann, protection, w.mail, w.mail)
	if err := os.MkdirAll(w.mail, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{w.config: []byte(text), ca: authority.CertPEM()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// sync runs mbsync and returns what the server was asked.
func (w *mbsyncWorld) sync(t *testing.T) []mailtest.Command {
	t.Helper()
	before := len(w.server.Commands())
	cmd := exec.CommandContext(t.Context(), "mbsync", "-c", w.config, "all") //nolint:gosec // G204: the command is ours.
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
	return w.server.Commands()[before:]
}

// subject finds the number of a [mailtest.Sample].
var subject = regexp.MustCompile(`(?m)^Subject: (.*?)\r?$`)

// near returns the subjects of a Maildir with the letters of their flags.
func (w *mbsyncWorld) near(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, sub := range []string{"cur", "new"} {
		files, err := filepath.Glob(filepath.Join(w.mail, folder, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name) //nolint:gosec // G304: the folder is the test's own.
			if err != nil {
				t.Fatal(err)
			}
			_, flags, _ := strings.Cut(filepath.Base(name), ":2,")
			all[subjectOf(t, string(data))] = flags
		}
	}
	return all
}

func subjectOf(t *testing.T, raw string) string {
	t.Helper()
	found := subject.FindStringSubmatch(raw)
	if found == nil {
		t.Fatalf("message without a subject: %q", raw)
	}
	return found[1]
}

// far returns the subjects of a folder of the account with the same letters.
func (w *mbsyncWorld) far(t *testing.T, folder string) map[string]string {
	t.Helper()
	messages, err := w.account.Messages(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for i := range messages {
		var letters []byte
		for _, f := range []struct {
			name   string
			letter byte
		}{
			{mailtest.Draft, 'D'},
			{mailtest.Flagged, 'F'},
			{mailtest.Answered, 'R'},
			{mailtest.Seen, 'S'},
			{mailtest.Deleted, 'T'},
		} {
			if messages[i].Has(f.name) {
				letters = append(letters, f.letter)
			}
		}
		all[subjectOf(t, messages[i].Raw)] = string(letters)
	}
	return all
}

// wantSame compares both sides.
func (w *mbsyncWorld) wantSame(t *testing.T, sizes map[string]int) {
	t.Helper()
	for folder, size := range sizes {
		near, far := w.near(t, folder), w.far(t, folder)
		if len(near) != size || len(far) != size {
			t.Errorf("%s holds %d messages here and %d on the server, want %d", folder, len(near), len(far), size)
		}
		for name, flags := range far {
			if have, there := near[name]; !there || have != flags {
				t.Errorf("%s: %q is %q here (there: %v) and %q on the server", folder, name, have, there, flags)
			}
		}
	}
}

// file returns the file of a message in a Maildir.
func (w *mbsyncWorld) file(t *testing.T, folder, want string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.mail, folder, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name) //nolint:gosec // G304: the folder is the test's own.
		if err == nil && strings.Contains(string(data), "\nSubject: "+want+"\n") {
			return name
		}
	}
	t.Fatalf("no message %q in %s", want, folder)
	return ""
}

// changeNear marks a message, expunges one and adds two in the Maildir.
func (w *mbsyncWorld) changeNear(t *testing.T) {
	t.Helper()
	flag := func(folder, subject, flags string) {
		old := w.file(t, folder, subject)
		base, _, _ := strings.Cut(filepath.Base(old), ":2,")
		if err := os.Rename(old, filepath.Join(w.mail, folder, "cur", base+":2,"+flags)); err != nil {
			t.Fatal(err)
		}
	}
	flag("INBOX", "Sample 1", "FS")
	flag("INBOX", "Sample 2", "T")
	for _, n := range []int{3001, 3002} {
		name := filepath.Join(w.mail, "Archive", "new", fmt.Sprintf("%d.1_1.here", n))
		text := strings.ReplaceAll(mailtest.Sample(n), "\r\n", "\n")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// changeFar marks a message, expunges three and adds five at the server.
func (w *mbsyncWorld) changeFar(t *testing.T) {
	t.Helper()
	messages, err := w.account.Messages("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	last := messages[len(messages)-3:]
	if _, err := w.account.Expunge("INBOX", last[0].UID, last[1].UID, last[2].UID); err != nil {
		t.Fatal(err)
	}
	if err := w.account.AddFlags("INBOX", []string{mailtest.Answered, mailtest.Seen}, messages[10].UID); err != nil {
		t.Fatal(err)
	}
	for n := 2001; n <= 2005; n++ {
		if _, err := w.account.Append("INBOX", mailtest.Sample(n), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// counted returns how many commands have the name.
func counted(commands []mailtest.Command, name string) int {
	n := 0
	for _, c := range commands {
		if c.Name == name {
			n++
		}
	}
	return n
}

// TestMbsync has mbsync, which nobody here wrote, copy 1,000 messages, carry
// changes both ways, and find nothing to do the third time. UIDPLUS is always
// there: Debian's 1.4.4 is lost without it at any server, since it forgets what
// it fetches for when it looks for the messages that it appended.
func TestMbsync(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]imaptest.Options{
		"plain":    {},
		"tls":      {Security: mailtest.TLS},
		"starttls": {Security: mailtest.STARTTLS},
		"few capabilities": {Capabilities: imaptest.Without(
			"LITERAL+", "COMPRESS=DEFLATE", "NAMESPACE", "MOVE", "CONDSTORE", "QRESYNC", "ESEARCH",
		)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startMbsync(t, o)
			first := w.sync(t)
			w.wantSame(t, map[string]int{"INBOX": 900, "Archive": 100})
			if got := counted(first, "APPEND"); got != 0 {
				t.Errorf("the first sync appended %d messages", got)
			}
			w.changeNear(t)
			w.changeFar(t)
			second := w.sync(t)
			w.wantSame(t, map[string]int{"INBOX": 901, "Archive": 102})
			w.wantChanged(t)
			if got := counted(second, "APPEND"); got != 2 {
				t.Errorf("the second sync appended %d messages, want 2", got)
			}
			if got := bodies(second); got != 5 {
				t.Errorf("the second sync fetched %d bodies, want 5", got)
			}
			third := w.sync(t)
			if a, s, b := counted(third, "APPEND"), counted(third, "UID STORE"), bodies(third); a+s+b != 0 {
				t.Errorf("the third sync made %d APPEND, %d STORE, %d bodies; want none", a, s, b)
			}
			t.Logf("%d, %d and %d commands; compressed: %v", len(first), len(second), len(third), counted(first, "COMPRESS") > 0)
			if want := name != "few capabilities"; counted(first, "COMPRESS") > 0 != want {
				t.Errorf("compressed: %v, want %v", !want, want)
			}
		})
	}
}

// bodies returns how many bodies were fetched.
func bodies(commands []mailtest.Command) int {
	n := 0
	for _, c := range commands {
		if c.Name == "UID FETCH" && (strings.Contains(c.Line, "BODY.PEEK[]") || strings.Contains(c.Line, "BODY[]")) {
			n++
		}
	}
	return n
}

// wantChanged looks for each change at the other side.
func (w *mbsyncWorld) wantChanged(t *testing.T) {
	t.Helper()
	far, near := w.far(t, "INBOX"), w.near(t, "INBOX")
	if got := far["Sample 1"]; got != "FS" {
		t.Errorf("Sample 1 is %q on the server, want FS", got)
	}
	if _, there := far["Sample 2"]; there {
		t.Error("Sample 2 is on the server still")
	}
	if _, there := w.far(t, "Archive")["Sample 3002"]; !there {
		t.Error("Sample 3002 did not get to the server")
	}
	if _, there := near["Sample 2005"]; !there {
		t.Error("Sample 2005 did not get here")
	}
	for _, gone := range []string{"Sample 997", "Sample 998", "Sample 999"} {
		if _, there := near[gone]; there {
			t.Errorf("%s is here still", gone)
		}
	}
	answered := slices.ContainsFunc(slices.Collect(maps.Values(near)), func(f string) bool { return f == "RS" })
	if !answered {
		t.Error("no message is answered here")
	}
}
