//go:build interop

package interop_test

import (
	"bytes"
	"encoding/json"
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
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/smtptest"
)

// smtpSecret is ann's password and access token.
const smtpSecret = "horse-of-ann"

// green is an address that needs SMTPUTF8.
const green = "grün@example.test"

// mailing is what a program is to send, and how it gets to the server.
type mailing struct {
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Security string   `json:"security"` // none, tls or starttls
	CA       string   `json:"ca"`
	Auth     string   `json:"auth"` // a mechanism
	User     string   `json:"user"`
	Secret   string   `json:"secret"`
	From     string   `json:"from"`
	To       []string `json:"to"`
	DSN      bool     `json:"dsn"`
	Files    []string `json:"files"`

	pipeline bool
}

// smtpWorld is a fake SMTP server over TCP.
type smtpWorld struct {
	box    *mailtest.Box
	server *smtptest.Server
	mailing
}

// startSMTP starts a fake for a mailing, which it completes.
func startSMTP(t *testing.T, o smtptest.Options, m mailing, messages []string) *smtpWorld {
	t.Helper()
	authority, err := testtls.New()
	must(t, err)
	o.TLS = authority.Server()
	o.Security = map[string]mailtest.Security{"none": mailtest.None, "tls": mailtest.TLS, "starttls": mailtest.STARTTLS}[m.Security]
	w := &smtpWorld{box: mailtest.New(), mailing: m}
	for _, address := range []string{ann, bob, green} {
		w.box.Add(address, secret.New(smtpSecret)).AcceptTokens(mailtest.Tokens(secret.New(smtpSecret)))
	}
	dir := t.TempDir()
	w.CA = filepath.Join(dir, "ca.pem")
	must(t, os.WriteFile(w.CA, authority.CertPEM(), 0o600))
	for i, raw := range messages {
		w.Files = append(w.Files, filepath.Join(dir, strconv.Itoa(i)+".eml"))
		must(t, os.WriteFile(w.Files[i], []byte(raw), 0o600))
	}
	w.server = smtptest.New(w.box, &o)
	t.Cleanup(func() { w.server.Close() })
	_, port, err := net.SplitHostPort(w.server.Addr())
	must(t, err)
	w.Host, w.User, w.Secret = "localhost", ann, smtpSecret
	w.Port, err = strconv.Atoi(port)
	must(t, err)
	return w
}

// run runs a program of the mailing.
func (w *smtpWorld) run(t *testing.T, args ...string) {
	t.Helper()
	task, err := json.Marshal(w.mailing) //nolint:gosec // G117: the secret is a fixture, and programs in other languages have to read it.
	must(t, err)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // G204: the commands are ours.
	cmd.Env = append(os.Environ(), "MAILSESSION_STORY="+string(task), "HOME="+t.TempDir())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\nthe server was told %q", args[0], err, strings.ReplaceAll(said.String(), smtpSecret, secret.Redacted), w.said())
	}
}

// said returns the commands that clients sent.
func (w *smtpWorld) said() []string {
	var lines []string
	for _, c := range w.server.Commands() {
		lines = append(lines, c.Line)
	}
	return lines
}

// A sender sends all files of a mailing.
type sender func(t *testing.T, w *smtpWorld)

// byCurl sends with a curl for each file.
func byCurl(t *testing.T, w *smtpWorld) {
	t.Helper()
	scheme := "smtp"
	if w.Security == "tls" {
		scheme = "smtps"
	}
	args := []string{"curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", w.CA, "--mail-from", w.From, "--login-options", "AUTH=" + w.Auth}
	if w.Security == "starttls" {
		args = append(args, "--ssl-reqd")
	}
	if w.Auth == "XOAUTH2" {
		args = append(args, "--user", w.User, "--oauth2-bearer", w.Secret)
	} else {
		args = append(args, "--user", w.User+":"+w.Secret)
	}
	for _, to := range w.To {
		args = append(args, "--mail-rcpt", to)
	}
	for _, file := range w.Files {
		w.run(t, append(slices.Clone(args), "--upload-file", file, scheme+"://localhost:"+strconv.Itoa(w.Port)+"/me")...)
	}
}

// bySwaks sends with a swaks for each file.
func bySwaks(t *testing.T, w *smtpWorld) {
	t.Helper()
	args := []string{
		"swaks", "--server", w.Host, "--port", strconv.Itoa(w.Port), "--helo", "me", "--from", w.From, "--to", strings.Join(w.To, ","),
		"--auth", w.Auth, "--auth-user", w.User, "--auth-password", w.Secret, "--suppress-data", "--tls-ca-path", w.CA,
	}
	switch w.Security {
	case "tls":
		args = append(args, "--tls-on-connect", "--tls-verify")
	case "starttls":
		args = append(args, "--tls", "--tls-verify")
	}
	if w.pipeline {
		args = append(args, "--pipeline")
	}
	for _, file := range w.Files {
		raw, err := os.ReadFile(file) //nolint:gosec // G304: the file is the test's own.
		must(t, err)
		// It puts a line end behind whatever it is given.
		must(t, os.WriteFile(file, bytes.TrimSuffix(raw, []byte("\r\n")), 0o600)) //nolint:gosec // G703: the file is the test's own.
		w.run(t, append(slices.Clone(args), "--data", "@"+file)...)
	}
}

func byNodemailer(t *testing.T, w *smtpWorld) {
	t.Helper()
	w.run(t, "node", "nodemailer/send.mjs")
}

func bySmtplib(t *testing.T, w *smtpWorld) {
	t.Helper()
	w.run(t, "python3", "testdata/smtp_send.py")
}

// mailings are messages of which every byte has to arrive: dots, 8-bit bytes and
// a large one among them.
func mailings() []string {
	return append(lineMessages(), "Subject: large\r\n\r\n"+strings.Repeat(strings.Repeat(".0123456789", 6)+"\r\n", 80_000))
}

// swaksMailings are those of which swaks leaves every byte alone: it has an opinion
// on lone dots at the end and on messages without a body.
func swaksMailings() []string {
	all := slices.DeleteFunc(mailings(), func(raw string) bool {
		return strings.HasSuffix(raw, "\r\n.\r\n") || strings.HasSuffix(raw, "\r\n\r\n")
	})
	return append(all, "Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\nend\r\n")
}

// TestSMTPProgramsOnTheFake has programs that nobody here wrote send mail in every
// way they know: what arrives is, byte for byte, what they were given.
func TestSMTPProgramsOnTheFake(t *testing.T) {
	t.Parallel()
	programs := map[string]struct {
		send       sender
		mechanisms []string
		from       string // in UTF-8 where the program knows how
		dsn        bool
		messages   []string
	}{
		"curl":       {byCurl, []string{"PLAIN", "LOGIN", "XOAUTH2"}, green, false, mailings()},
		"swaks":      {bySwaks, []string{"PLAIN", "LOGIN"}, ann, false, swaksMailings()},
		"nodemailer": {byNodemailer, []string{"PLAIN", "LOGIN", "XOAUTH2"}, green, true, mailings()},
		"smtplib":    {bySmtplib, []string{"PLAIN", "LOGIN", "XOAUTH2"}, green, true, mailings()},
	}
	for name, p := range programs {
		for i, security := range []string{"none", "tls", "starttls"} {
			auth := p.mechanisms[i%len(p.mechanisms)]
			t.Run(name+" "+security+" "+auth, func(t *testing.T) {
				t.Parallel()
				o := smtptest.Options{Extensions: smtptest.With("AUTH " + auth)}
				w := startSMTP(t, o, mailing{Security: security, Auth: auth, From: ann, To: []string{bob, ann}}, p.messages)
				p.send(t, w)
				w.wantArrived(t, p.messages)
				if want := "AUTH " + auth; !slices.ContainsFunc(w.said(), func(s string) bool { return strings.HasPrefix(s, want) }) {
					t.Errorf("%s said %q, want %q among it", name, w.said(), want)
				}
			})
		}
		t.Run(name+" bare", func(t *testing.T) {
			t.Parallel()
			o := smtptest.Options{Extensions: []string{"AUTH PLAIN", "8BITMIME"}}
			w := startSMTP(t, o, mailing{Security: "none", Auth: "PLAIN", From: ann, To: []string{bob}}, p.messages)
			p.send(t, w)
			w.wantArrived(t, p.messages)
		})
		t.Run(name+" envelope", func(t *testing.T) {
			t.Parallel()
			w := startSMTP(t, smtptest.Options{}, mailing{Security: "tls", Auth: "PLAIN", From: p.from, To: []string{bob, p.from}, DSN: p.dsn, pipeline: true}, mailings()[:1])
			p.send(t, w)
			w.wantArrived(t, mailings()[:1])
			w.wantEnvelope(t)
		})
	}
}

// wantArrived compares what the server took, and what lies in the mailboxes.
func (w *smtpWorld) wantArrived(t *testing.T, messages []string) {
	t.Helper()
	got := w.server.Messages()
	if len(got) != len(messages) {
		t.Fatalf("%d messages were accepted, want %d; the server was told %q", len(got), len(messages), w.said())
	}
	for i, m := range got {
		if m.Raw != messages[i] {
			t.Errorf("message %d is %.100q, want %.100q", i, m.Raw, messages[i])
		}
		if m.From != w.From || !slices.Equal(m.To, w.To) || m.User != ann || m.Encrypted != (w.Security != "none") {
			t.Errorf("message %d came from %q to %q as %q, encrypted %v", i, m.From, m.To, m.User, m.Encrypted)
		}
	}
	for _, to := range w.To {
		account, _ := w.box.Account(to)
		all, err := account.Messages("INBOX")
		must(t, err)
		if len(all) != len(messages) || all[len(all)-1].Raw != messages[len(messages)-1] {
			t.Errorf("%s has %d messages, want the %d that were sent", to, len(all), len(messages))
		}
	}
}

// wantEnvelope looks at what stood beside the addresses.
func (w *smtpWorld) wantEnvelope(t *testing.T) {
	t.Helper()
	m := w.server.Messages()[0]
	if w.From == green && !strings.Contains(m.Params, "SMTPUTF8") {
		t.Errorf("MAIL came with %q, want SMTPUTF8", m.Params)
	}
	if !w.DSN {
		return
	}
	if !strings.Contains(m.Params, "RET=HDRS") || !strings.Contains(m.Params, "ENVID=a+2Bb") {
		t.Errorf("MAIL came with %q, want RET and ENVID", m.Params)
	}
	for _, params := range m.ToParams {
		if !strings.Contains(params, "NOTIFY=FAILURE,DELAY") || !strings.Contains(params, "ORCPT=rfc822;") {
			t.Errorf("RCPT came with %q, want NOTIFY and ORCPT", params)
		}
	}
}
