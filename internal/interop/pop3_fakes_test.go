//go:build interop

package interop_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
)

// pop3World is an account of a fake POP3 server over TCP.
type pop3World struct {
	box     *mailtest.Box
	account *mailtest.Account
	server  *pop3test.Server
	ca      string // PEM file
	port    string
}

// pop3Secret is ann's password and access token.
const pop3Secret = "horse-of-ann"

// startPOP3 starts a fake with messages in INBOX. The options may be nil.
func startPOP3(t *testing.T, o *pop3test.Options, messages ...string) *pop3World {
	t.Helper()
	authority, err := testtls.New()
	must(t, err)
	var options pop3test.Options
	if o != nil {
		options = *o
	}
	options.TLS = authority.Server()
	w := &pop3World{box: mailtest.New(), ca: filepath.Join(t.TempDir(), "ca.pem")}
	must(t, os.WriteFile(w.ca, authority.CertPEM(), 0o600))
	w.account = w.box.Add(ann, secret.New(pop3Secret))
	w.account.AcceptTokens(mailtest.Tokens(secret.New(pop3Secret)))
	for _, raw := range messages {
		_, err := w.account.Append("INBOX", raw, nil)
		must(t, err)
	}
	w.server = pop3test.New(w.box, &options)
	t.Cleanup(func() { w.server.Close() })
	_, w.port, err = net.SplitHostPort(w.server.Addr())
	must(t, err)
	return w
}

// await waits until INBOX has that many messages.
func (w *pop3World) await(t *testing.T, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	must(t, w.box.Wait(ctx, func() bool {
		all, err := w.account.Messages("INBOX")
		return err == nil && len(all) == count
	}))
}

// said returns the commands that clients sent.
func (w *pop3World) said() []string {
	var lines []string
	for _, c := range w.server.Commands() {
		lines = append(lines, c.Line)
	}
	return lines
}

// lineMessages are messages that a client can read line by line.
func lineMessages() []string {
	return []string{
		mailtest.Sample(1),
		"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\n",
		"Subject: 8-bit \xe4\r\n\r\n\xff\xfe and gr\u00fcn\r\n",
		"\ufeffSubject: a byte order mark\r\n\r\nbody\r\n",
		"Subject: no body\r\n\r\n",
		mailtest.Sample(2),
	}
}

// byteMessages are messages that only a client gets right that knows what ends
// a line.
func byteMessages() []string {
	return append(lineMessages(),
		"Subject: bare LFs\r\n\r\none\n.\n..\ntwo\n.\n\r\n",
		"Subject: bare CRs\r\n\r\none\r.\r\rtwo\r\r\n",
		"Subject: NUL\r\n\r\na\x00b\r\n",
		"Subject: long\r\n\r\n"+strings.Repeat("0123456789", 10_000)+"\r\n",
	)
}

// TestPoplibOnTheFake has Python's poplib read and empty a maildrop.
func TestPoplibOnTheFake(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		o    pop3test.Options
		auth string
		args []string
	}{
		"password":    {pop3test.Options{}, "password", nil},
		"tls":         {pop3test.Options{Security: mailtest.TLS}, "password", nil},
		"stls":        {pop3test.Options{Security: mailtest.STARTTLS}, "password", nil},
		"apop":        {pop3test.Options{APOP: true}, "apop", nil},
		"utf8":        {pop3test.Options{StrictUTF8: true}, "password", []string{"--utf8"}},
		"exchange":    {*pop3test.ExchangeOptions(), "password", nil},
		"no pipeline": {pop3test.Options{Capabilities: pop3test.Without("PIPELINING")}, "password", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := lineMessages()
			if name == "exchange" {
				way.o.Size = nil // poplib is to find the sizes true
			}
			w := startPOP3(t, &way.o, messages...)
			security := map[mailtest.Security]string{mailtest.None: "none", mailtest.TLS: "tls", mailtest.STARTTLS: "starttls"}[way.o.Security]
			login := pythonLogin{
				address: w.server.Addr(), security: security, ca: w.ca, user: ann, auth: way.auth, secret: secret.New(pop3Secret),
			}
			steps := pythonStory(t, "pop3_story.py", login, way.args...)
			wantPoplibSaw(t, steps, messages)
			w.await(t, 1)
		})
	}
}

// TestPoplibOnDovecot tells the same story where it is known to be right. Dovecot
// puts fields ahead of what it delivers.
func TestPoplibOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	var messages []string
	for _, way := range []struct{ security, address string }{
		{"none", servers.POP3}, {"starttls", servers.POP3}, {"tls", servers.POP3S},
	} {
		messages = append(messages, lineMessages()...)
		for _, raw := range lineMessages() {
			must(t, servers.Deliver(t.Context(), []byte(raw), ann))
		}
		login := pythonLogin{address: way.address, security: way.security, ca: servers.CAFile, user: ann, auth: "password", secret: user.Password}
		steps := pythonStory(t, "pop3_story.py", login)
		if len(steps) != len(messages)+2 {
			t.Fatalf("%s: the story has %d steps, want %d messages", way.security, len(steps), len(messages))
		}
		for i, want := range messages {
			if raw := decoded(t, steps[i+1].Raw); !strings.HasSuffix(raw, "\r\n"+want) || len(raw) != steps[i+1].Size {
				t.Errorf("%s: message %d is %q with a size of %d, want %q at its end", way.security, i+1, raw, steps[i+1].Size, want)
			}
		}
		messages = messages[len(messages)-1:] // what the story leaves
	}
}

// wantPoplibSaw compares what the story printed with what is in the mailbox.
func wantPoplibSaw(t *testing.T, steps []step, messages []string) {
	t.Helper()
	if len(steps) != len(messages)+2 || !slices.Contains(steps[0].Capabilities, "UIDL") || steps[len(steps)-1].Count != 1 {
		t.Fatalf("the story has %d steps, the first with %q, want login, %d messages, and one left", len(steps), steps[0].Capabilities, len(messages))
	}
	names := map[string]bool{}
	for i, want := range messages {
		got := steps[i+1]
		header, _, _ := strings.Cut(want, "\r\n\r\n")
		if raw := decoded(t, got.Raw); raw != want || got.Size != len(want) {
			t.Errorf("message %d is %q with a size of %d, want %q with %d", i+1, raw, got.Size, want, len(want))
		}
		if top := decoded(t, got.Top); top != header+"\r\n\r\n" {
			t.Errorf("the header of message %d is %q, want %q", i+1, top, header)
		}
		names[got.Name] = true
	}
	if len(names) != len(messages) {
		t.Errorf("the unique-ids are %v, want %d of them", names, len(messages))
	}
}

func decoded(t *testing.T, text string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return string(raw)
}

// TestPoplibIsRefusedByTheFake with a wrong password, and with a locked maildrop.
func TestPoplibIsRefusedByTheFake(t *testing.T) {
	t.Parallel()
	w := startPOP3(t, &pop3test.Options{APOP: true}, mailtest.Sample(1))
	login := pythonLogin{address: w.server.Addr(), security: "none", user: ann, auth: "apop", secret: secret.New("wrong-horse")}
	pythonRefused(t, "pop3_story.py", login)
	defer w.server.Occupy(w.account)()
	login.secret = secret.New(pop3Secret)
	pythonRefused(t, "pop3_story.py", login)
	w.await(t, 1)
}

// curl runs curl on the maildrop and returns what it prints.
func (w *pop3World) curl(t *testing.T, security mailtest.Security, path string, args ...string) string {
	t.Helper()
	scheme := "pop3"
	if security == mailtest.TLS {
		scheme = "pop3s"
	}
	all := []string{"--silent", "--show-error", "--noproxy", "*", "--cacert", w.ca}
	if security == mailtest.STARTTLS {
		all = append(all, "--ssl-reqd")
	}
	all = append(append(all, args...), scheme+"://localhost:"+w.port+"/"+path)
	cmd := exec.CommandContext(t.Context(), "curl", all...) //nolint:gosec // G204: the command is ours.
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %s: %v\n%s", path, err, failed.String())
	}
	return string(out)
}

// TestCurlOnFakePOP3 has curl list, name, read and remove messages, on each kind
// of connection and with each way of signing in. What it reads is compared byte
// for byte, line ends that are none included.
func TestCurlOnFakePOP3(t *testing.T) {
	t.Parallel()
	password := []string{"--user", ann + ":" + pop3Secret}
	options := func(mechanism string) []string {
		return append([]string{"--login-options", "AUTH=" + mechanism}, password...)
	}
	bearer := func(mechanism string, more ...string) []string {
		return append([]string{"--user", ann, "--oauth2-bearer", pop3Secret, "--login-options", "AUTH=" + mechanism}, more...)
	}
	// curl prefers OAUTHBEARER, whatever it is told.
	xoauth2 := []string{"UIDL", "TOP", "PIPELINING", "SASL XOAUTH2"}
	for name, way := range map[string]struct {
		o    pop3test.Options
		args []string
		want string // how it has to sign in
	}{
		"user":                   {pop3test.Options{Capabilities: pop3test.Without("SASL")}, password, "PASS [redacted]"},
		"tls":                    {pop3test.Options{Security: mailtest.TLS}, password, "AUTH PLAIN"},
		"stls":                   {pop3test.Options{Security: mailtest.STARTTLS}, password, "AUTH PLAIN"},
		"apop":                   {pop3test.Options{APOP: true}, options("+APOP"), "APOP " + ann + " [redacted]"},
		"plain, first response":  {pop3test.Options{}, append([]string{"--sasl-ir"}, options("PLAIN")...), "AUTH PLAIN [redacted]"},
		"login":                  {pop3test.Options{}, options("LOGIN"), "AUTH LOGIN"},
		"xoauth2":                {pop3test.Options{Security: mailtest.TLS, Capabilities: xoauth2}, bearer("XOAUTH2"), "AUTH XOAUTH2"},
		"xoauth2, first":         {pop3test.Options{Capabilities: xoauth2}, bearer("XOAUTH2", "--sasl-ir"), "AUTH XOAUTH2 [redacted]"},
		"oauthbearer":            {pop3test.Options{Security: mailtest.TLS}, bearer("OAUTHBEARER"), "AUTH OAUTHBEARER"},
		"exchange":               {*pop3test.ExchangeOptions(), bearer("XOAUTH2"), "AUTH XOAUTH2"},
		"gmail, recent messages": {*pop3test.GmailOptions(pop3test.Keep), []string{"--user", "recent:" + ann + ";AUTH=PLAIN:" + pop3Secret}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "gmail, recent messages" {
				// A colon parts name and password on curl's command line.
				config := filepath.Join(t.TempDir(), "netrc")
				must(t, os.WriteFile(config, []byte("machine localhost login recent:"+ann+" password "+pop3Secret+"\n"), 0o600))
				way.args = []string{"--netrc-file", config}
			}
			w := startPOP3(t, &way.o, byteMessages()...)
			tellCurlPOP3Story(t, w, way.o, way.args)
			if said := w.said(); way.want != "" && !slices.Contains(said, way.want) {
				t.Errorf("curl said %q, want %q among it", said, way.want)
			}
		})
	}
}

func tellCurlPOP3Story(t *testing.T, w *pop3World, o pop3test.Options, args []string) {
	t.Helper()
	messages := byteMessages()
	var sizes, names strings.Builder
	stored, err := w.account.Messages("INBOX")
	must(t, err)
	for i, m := range stored {
		size := len(m.Raw)
		if o.Size != nil {
			size = o.Size(m)
		}
		fmt.Fprintf(&sizes, "%d %d\r\n", i+1, size)
		fmt.Fprintf(&names, "%d %08x%08x\r\n", i+1, uint32(m.UID), m.UIDValidity)
	}
	curl := func(path string, more ...string) string { return w.curl(t, o.Security, path, append(args, more...)...) }
	if got := curl(""); got != sizes.String() {
		t.Errorf("curl lists %q, want %q", got, sizes.String())
	}
	if got := curl("", "--request", "UIDL"); got != names.String() {
		t.Errorf("curl gets the names %q, want %q", got, names.String())
	}
	for i, want := range messages {
		if got := curl(strconv.Itoa(i + 1)); got != want {
			t.Errorf("curl reads message %d as %.300q, want %.300q", i+1, got, want)
		}
		if o.Once {
			break // what was read is shown to no other session
		}
	}
	if o.IgnoreDELE {
		return
	}
	curl("", "--head", "--request", "DELE 2")
	w.await(t, len(messages)-1)
}
