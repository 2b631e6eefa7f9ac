//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // G505: what programs compare certificates by.
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// The people of the story that exchangelib tells.
const (
	ewsAnn = "ann@example.com"
	ewsBob = "bob@example.com"
)

// TestExchangelibTellsItsStory has exchangelib, which nobody here wrote, go
// through a whole mailbox on the fake Exchange, signed in each way and on each
// release that it knows. What both sides say is checked against the schema.
func TestExchangelibTellsItsStory(t *testing.T) {
	t.Parallel()
	for _, in := range []struct {
		auth    string
		version ewstest.Version
	}{
		{"basic", ewstest.Exchange2016},
		{"ntlm", ewstest.Exchange2013SP1},
		{"bearer", ewstest.Exchange2016},
		{"basic", ewstest.Exchange2010SP2},
		{"ntlm", ewstest.Exchange2007SP1},
	} {
		t.Run(fmt.Sprintf("%s %s", in.auth, in.version), func(t *testing.T) {
			t.Parallel()
			w := startExchange(t, ewstest.Options{Security: mailtest.TLS, Version: in.version, ExtendedProtection: ewstest.ProtectionRequire})
			steps := exchangelibStory(t, w, in.auth, in.version)
			want := []string{"folders", "read", "change", "write", "bulk", "query", "sync", "notify", "people", "others"}
			if !slices.Equal(steps, want) {
				t.Errorf("steps = %q, want %q", steps, want)
			}
			checkEWSSchema(t, w.server.Requests())
		})
	}
}

// exchange is a fake Exchange for foreign clients: with ann, who has five messages
// and may act for bob, and with a mailbox of which she shares the inbox.
type exchange struct {
	box      *mailtest.Box
	server   *ewstest.Server
	password secret.Text // ann's, and her access token
	ca       string      // the file of the server's authority
	sha1     string      // the fingerprint of the server's certificate
}

func startExchange(t *testing.T, o ewstest.Options) *exchange {
	t.Helper()
	authority, err := testtls.New()
	must(t, err)
	w := &exchange{box: mailtest.New(), password: secret.New("horse-of-ann"), ca: filepath.Join(t.TempDir(), "ca.pem")}
	must(t, os.WriteFile(w.ca, authority.CertPEM(), 0o600))
	certificate, _ := pem.Decode(authority.ServerCertPEM())
	w.sha1 = fingerprint(certificate.Bytes)
	w.box.Add(ewsBob, secret.New("horse-of-bob"))
	account := w.box.Add(ewsAnn, w.password)
	account.AcceptTokens(mailtest.Tokens(w.password))
	info := w.box.Add("info@example.com", secret.Text{})
	must(t, errors.Join(info.Share("INBOX", ewsAnn), w.box.Deliver(mailtest.CRLF("Subject: For all\n\nx\n"), info.Address())))
	for n := range 5 {
		received := time.Date(2024, time.January, 1, 9, n, 0, 0, time.UTC)
		_, err := account.Append("INBOX", mailtest.Sample(n+1), &mailtest.AppendOptions{Received: received})
		must(t, err)
	}
	o.TLS = authority.Server()
	o.Impersonate = func(user, target string) bool { return user == ewsAnn && target == ewsBob }
	w.server = ewstest.New(w.box, &o)
	t.Cleanup(func() { _ = w.server.Close() })
	return w
}

// fingerprint returns the SHA-1 of a certificate as programs show it.
func fingerprint(certificate []byte) string {
	var pairs []string
	for _, b := range sha1.Sum(certificate) { //nolint:gosec // G401: what programs compare certificates by.
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return strings.Join(pairs, ":")
}

// exchangelibStory runs the story with Debian's Python, which has exchangelib,
// and returns the steps that went well.
func exchangelibStory(t *testing.T, w *exchange, auth string, version ewstest.Version) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	_, port, err := net.SplitHostPort(w.server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", filepath.Join("testdata", "ews_story.py"), //nolint:gosec // G204: one of testdata.
		"--port", port, "--security", "tls", "--ca", w.ca, "--user", ewsAnn, "--auth", auth, "--version", string(version))
	cmd.Env = append(os.Environ(), "MAILSESSION_STORY_SECRET="+w.password.Reveal())
	var stdout, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &said
	if err := cmd.Run(); err != nil {
		t.Errorf("exchangelib: %v\n%s\n%s", err, said.String(), w.last())
	}
	if strings.Contains(stdout.String()+said.String(), w.password.Reveal()) {
		t.Error("exchangelib printed the secret")
	}
	return stepNames(t, &stdout)
}

// last returns the last exchange, for a story that failed.
func (w *exchange) last() string {
	all := w.server.Requests()
	if len(all) == 0 {
		return "Nothing was asked."
	}
	r := all[len(all)-1]
	return fmt.Sprintf("The last exchange was:\n%.8000s\n%.8000s", r.Body, r.Reply)
}

// stepNames returns the names of the steps that a story printed.
func stepNames(t *testing.T, printed io.Reader) []string {
	t.Helper()
	var steps []string
	for dec := json.NewDecoder(printed); ; {
		var next step
		if err := dec.Decode(&next); errors.Is(err, io.EOF) {
			return steps
		} else if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, next.Step)
	}
}

// checkEWSSchema checks what was said against the schema of the protocol, where
// MAILSESSION_EWS_SCHEMA names its folder.
func checkEWSSchema(t *testing.T, requests []ewstest.Request) {
	t.Helper()
	schema := os.Getenv("MAILSESSION_EWS_SCHEMA")
	if schema == "" {
		t.Log("MAILSESSION_EWS_SCHEMA is not set: nothing was checked against the schema")
		return
	}
	dir := t.TempDir()
	args := []string{"--noout", "--schema", filepath.Join(schema, "soap-ews.xsd")}
	for i, r := range requests {
		if r.Operation == ewstest.Autodiscover {
			continue // is of another schema
		}
		for side, text := range map[string]string{"request": r.Body, "reply": r.Reply} {
			for n, document := range ewsDocuments(r, text) {
				name := filepath.Join(dir, fmt.Sprintf("%d-%s-%s-%d.xml", i, r.Operation, side, n))
				if err := os.WriteFile(name, []byte(document), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, name)
			}
		}
	}
	count := len(args) - 3
	if count < 50 {
		t.Errorf("%d documents were said, want the whole story", count)
	}
	out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput() //nolint:gosec // G204, G702: files of this test.
	if err != nil {
		var wrong []string
		for line := range strings.Lines(string(out)) {
			if !strings.HasSuffix(line, " validates\n") {
				wrong = append(wrong, line)
			}
		}
		t.Errorf("not valid against the schema: %v\n%s", err, strings.Join(wrong, ""))
	}
	t.Logf("%d documents were checked against the schema", count)
}

// ewsDocuments returns the SOAP envelopes in a body, of which a stream has
// several.
func ewsDocuments(r ewstest.Request, body string) []string {
	var all []string
	end := ":Envelope>"
	if strings.HasPrefix(body, "<Envelope") {
		end = "</Envelope>" // as in streams
	}
	for document := range strings.SplitAfterSeq(body, end) {
		if !strings.Contains(document, "Envelope") {
			continue
		}
		if r.Operation == "GetStreamingEvents" {
			// Servers put this one element into another namespace than the schema does.
			document = strings.NewReplacer("<m:Notification>", "<t:Notification>", "</m:Notification>", "</t:Notification>").Replace(document)
		}
		all = append(all, document)
	}
	return all
}
