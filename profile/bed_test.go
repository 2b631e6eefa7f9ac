package profile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const (
	ann  = "ann@contoso.example"
	bob  = "bob@contoso.example"
	info = "info@contoso.example"
)

// bed is a fake provider, and a program that knows it as "contoso".
type bed struct {
	*presettest.Provider
	opts *profile.Options
}

// newBed starts a provider with Ann, Bob and the mailbox of a department, each
// with a message.
func newBed(t *testing.T, o *presettest.Options) *bed {
	t.Helper()
	p := presettest.NewProvider(o)
	t.Cleanup(p.Close)
	for _, account := range []*mailtest.Account{
		p.Add(ann, secret.New("correct horse")), p.Add(bob, secret.New("battery horse")), p.AddShared(info),
	} {
		if _, err := account.Append("INBOX", mailtest.CRLF("From: x@contoso.example\nSubject: For "+account.Address()+"\n\nHello.\n"), nil); err != nil {
			t.Fatal(err)
		}
	}
	log := testlog.New(t)
	return &bed{Provider: p, opts: &profile.Options{
		Providers:  map[string]preset.Provider{"contoso": p.Preset()},
		HTTPClient: p.OAuth.Client(),
		Browser:    &oauth.SignInOptions{OpenURL: p.OAuth.Browser, Listen: p.OAuth.Listen, Timeout: 10 * time.Second},
		Logger:     testlog.Logger(log), Observer: testlog.NewObserver(log),
		Configure: func(_ string, plan *profile.Plan) {
			for _, s := range []*profile.Side{plan.Incoming, plan.Outgoing} {
				if s != nil {
					s.Server.Transcript = log
				}
			}
		},
	}}
}

// one is a file with the set "ann": the fields of text, which is JSON without the
// braces.
func one(text string) []byte {
	return []byte(`{"version": 1, "sets": {"ann": {` + text + `}}}`)
}

// parse reads a file that has no mistakes.
func parse(t *testing.T, data []byte, o *profile.Options) *profile.File {
	t.Helper()
	f, err := profile.Parse(data, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// load reads a file of the set "ann" from the disk.
func (b *bed) load(t *testing.T, text string) *profile.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mail.json")
	if err := os.WriteFile(path, one(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := profile.Load(path, b.opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// open opens the set "ann".
func open(t *testing.T, f *profile.File, overrides ...profile.Override) *session.Session {
	t.Helper()
	s, err := f.Open(t.Context(), "ann", overrides...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// subjects returns those of the inbox, with commas.
func subjects(t *testing.T, s *session.Session) (string, error) {
	t.Helper()
	var list []string
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			return "", err
		}
		list = append(list, m.Header.Subject())
	}
	return strings.Join(list, ","), nil
}

// wantInbox opens the inbox of somebody, whose message is there.
func wantInbox(t *testing.T, s *session.Session, whose string) {
	t.Helper()
	if got, err := subjects(t, s); err != nil || !strings.Contains(got, "For "+whose) {
		t.Errorf("the inbox of %s holds %q, %v", whose, got, err)
	}
}

// mistakesOf returns what is wrong, one a line.
func mistakesOf(t *testing.T, data []byte, o *profile.Options) string {
	t.Helper()
	_, err := profile.Parse(data, o)
	e, ok := errors.AsType[*profile.InvalidError](err)
	if !ok {
		t.Fatalf("Parse = %v, want an InvalidError", err)
	}
	var list []string
	for _, m := range e.Mistakes {
		if m.Reason == "" || m.Path != "" && m.Path[0] != '/' {
			t.Errorf("the mistake %+v has no reason, or no path", m)
		}
		list = append(list, m.String())
	}
	return strings.Join(list, "\n")
}

// pin returns a refresh token of a sign-in as somebody.
func (b *bed) pin(t *testing.T, address string) string {
	t.Helper()
	issued, err := b.OAuth.Issue(address, append(b.Preset().ScopesFor(preset.Access{}), "offline_access")...)
	if err != nil {
		t.Fatal(err)
	}
	return issued.Refresh.Reveal()
}

// password are the credentials of an account with its password.
func (b *bed) password(address, text string) *session.Credentials {
	return &session.Credentials{User: address, Password: secret.New(text)}
}

// secretText is a secret.
type secretText = secret.Text

func newSecret(s string) secretText { return secret.New(s) }

// profileNumber is a number in a file.
func profileNumber(n int) string { return strconv.Itoa(n) }

type ctx = context.Context
