//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
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
			authority, err := testtls.New()
			if err != nil {
				t.Fatal(err)
			}
			ca := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(ca, authority.CertPEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			box := mailtest.New()
			box.Add(ewsBob, secret.New("horse-of-bob"))
			password := secret.New("horse-of-ann")
			account := box.Add(ewsAnn, password)
			account.AcceptTokens(mailtest.Tokens(password))
			info := box.Add("info@example.com", secret.Text{})
			if err := errors.Join(info.Share("INBOX", ewsAnn), box.Deliver(mailtest.CRLF("Subject: For all\n\nx\n"), info.Address())); err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				received := time.Date(2024, time.January, 1, 9, n, 0, 0, time.UTC)
				if _, err := account.Append("INBOX", mailtest.Sample(n+1), &mailtest.AppendOptions{Received: received}); err != nil {
					t.Fatal(err)
				}
			}
			server := ewstest.New(box, &ewstest.Options{
				Security: mailtest.TLS, TLS: authority.Server(), Version: in.version,
				Impersonate: func(user, target string) bool { return user == ewsAnn && target == ewsBob },
			})
			t.Cleanup(func() { _ = server.Close() })
			steps := exchangelibStory(t, server, in.auth, in.version, ca, password)
			want := []string{"folders", "read", "change", "write", "sync", "notify", "people", "others"}
			if !slices.Equal(steps, want) {
				t.Errorf("steps = %q, want %q", steps, want)
			}
			checkEWSSchema(t, server.Requests())
		})
	}
}

// exchangelibStory runs the story with Debian's Python, which has exchangelib,
// and returns the steps that went well.
func exchangelibStory(t *testing.T, server *ewstest.Server, auth string, version ewstest.Version, ca string, password secret.Text) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", filepath.Join("testdata", "ews_story.py"), //nolint:gosec // G204: one of testdata.
		"--port", port, "--security", "tls", "--ca", ca, "--user", ewsAnn, "--auth", auth, "--version", string(version))
	cmd.Env = append(os.Environ(), "MAILSESSION_STORY_SECRET="+password.Reveal())
	var stdout, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &said
	if err := cmd.Run(); err != nil {
		last := ""
		if all := server.Requests(); len(all) > 0 {
			last = all[len(all)-1].Body + "\n" + all[len(all)-1].Reply
		}
		t.Errorf("exchangelib: %v\n%s\nThe last exchange was:\n%.8000s", err, said.String(), last)
	}
	if strings.Contains(stdout.String()+said.String(), password.Reveal()) {
		t.Error("exchangelib printed the secret")
	}
	var steps []string
	for dec := json.NewDecoder(&stdout); ; {
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
	for document := range strings.SplitAfterSeq(body, ":Envelope>") {
		if !strings.Contains(document, ":Envelope") {
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
