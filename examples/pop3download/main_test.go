package main

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const ann = "ann@contoso.example"

// bed is a provider with two messages for Ann, and her grant for POP3.
func bed(t *testing.T) (*presettest.Provider, *mailtest.Account, session.Credentials) {
	t.Helper()
	p := presettest.NewProvider(&presettest.Options{InMemory: true})
	t.Cleanup(p.Close)
	inbox := p.Add(ann, secret.Text{})
	for n := range 2 {
		if _, err := inbox.Append("INBOX", mailtest.Sample(n+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	grant, err := oauth.SignIn(t.Context(), p.Config(preset.POP3), p.Browser(ann))
	if err != nil {
		t.Fatal(err)
	}
	return p, inbox, session.Credentials{User: ann, Tokens: grant}
}

// stored returns what the files of a folder hold, sorted.
func stored(t *testing.T, folder string) []string {
	t.Helper()
	files := os.DirFS(folder)
	names, err := fs.Glob(files, "*")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	slices.Sort(texts)
	return texts
}

// TestDownload: Ann signs in by her browser. A first run stores two messages, the
// second one the third; the maildrop stays as it is.
func TestDownload(t *testing.T) {
	p, inbox, creds := bed(t)
	server, folder := p.Preset().POP3, t.TempDir()
	server.Transcript = testlog.New(t)
	var out strings.Builder
	if err := download(t.Context(), &out, server, creds, folder); err != nil {
		t.Fatal(err)
	}
	if _, err := inbox.Append("INBOX", mailtest.Sample(3), nil); err != nil {
		t.Fatal(err)
	}
	if err := download(t.Context(), &out, server, creds, folder); err != nil {
		t.Fatal(err)
	}
	if want := "2 messages, 0 of them stored before\n3 messages, 2 of them stored before\n"; out.String() != want {
		t.Errorf("download prints\n%s, want\n%s", out.String(), want)
	}
	if got := stored(t, folder); !slices.Equal(got, []string{mailtest.Sample(1), mailtest.Sample(2), mailtest.Sample(3)}) {
		t.Errorf("the folder has %d files: %q", len(got), got)
	}
	if left, err := inbox.Messages("INBOX"); len(left) != 3 || err != nil {
		t.Errorf("%d messages are left, %v, want all", len(left), err)
	}
}

// TestACutMessageIsNotStored: it comes in the next run.
func TestACutMessageIsNotStored(t *testing.T) {
	p, _, creds := bed(t)
	server, folder := p.Preset().POP3, t.TempDir()
	server.Transcript = testlog.New(t)
	p.POP3.Inject(pop3test.NoFinalDot("RETR"))
	var out strings.Builder
	err := download(t.Context(), &out, server, creds, folder)
	if testlog.Error(t, err); err == nil {
		t.Error("a message is cut: no error")
	}
	if got := stored(t, folder); !slices.Equal(got, []string{mailtest.Sample(2)}) {
		t.Errorf("the folder has %q, want the message that came whole", got)
	}
	if err := download(t.Context(), &out, server, creds, folder); err != nil || len(stored(t, folder)) != 2 {
		t.Errorf("the next run: %d files, %v", len(stored(t, folder)), err)
	}
}
