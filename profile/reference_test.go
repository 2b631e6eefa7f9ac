package profile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
)

// TestAnyFieldMayBeAReference: texts, numbers, words, flags, lists, parameters and
// contents are all taken from elsewhere.
func TestAnyFieldMayBeAReference(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "scopes"), "openid,email~mail\n")
	write(t, filepath.Join(dir, "a#b"), "imap.test\n")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write(t, filepath.Join(dir, "tenant"), "contoso.com")
	for name, value := range map[string]string{
		"FLOW": "pkce", "MODE": "read-only", "PORT": "1143", "SECURITY": "STARTTLS", "ID": "client\n", "PROMPT": "login",
		"ACCOUNT": "ann@contoso.com", "WAIT": "3s", "PROTOCOL": "IMAP", "SHARE": "true", "BOX": "env:ACCOUNT",
	} {
		t.Setenv(name, value)
	}
	resolvers := profile.DefaultResolvers()
	resolvers[profile.SchemeCmd] = profile.Commands
	resolvers["table"] = func(_ context.Context, what string) (secret.Text, error) {
		return secret.New(`{"` + what + `": "42"}`), nil
	}
	f := parse(t, one(`"provider": "microsoft", "tenant": "systemd:tenant", "flow": "env:FLOW", "mode": "env:MODE", "clientId": "env:ID",
		"account": "env:ACCOUNT", "mailbox": "env:BOX", "scopes": "file:`+dir+`/scopes", "authParams": {"prompt": "env:PROMPT"},
		"redirectUri": "cmd:printf '%s' http://localhost/back", "retry": {"wait": "env:WAIT"},
		"incoming": {"protocol": "env:PROTOCOL", "security": "env:SECURITY", "port": "env:PORT", "host": "file:`+dir+`/a#b#"},
		"limits": {"pageSize": "table:size#size"}, "store": {"noAccessTokens": "env:SHARE"}`), &profile.Options{Resolvers: resolvers})
	p, err := f.Plan(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(p.Flow, p.Mode, p.User, p.OAuth.ClientID, strings.Join(p.OAuth.Scopes, " "), p.OAuth.AuthParams.Get("prompt"),
		p.OAuth.RedirectURL, p.OAuth.Retry.Initial, p.Incoming.Server.Security, p.Incoming.Server.Address(0), p.Incoming.PageSize)
	want := "pkce read-only env:ACCOUNT client openid email mail login http://localhost/back 3s STARTTLS imap.test:1143 42\n"
	if got != want {
		t.Errorf("the plan is\n%swant\n%s", got, want)
	}

	t.Setenv("PORT", "993")
	t.Setenv("MODE", "a galloping horse")
	_, err = f.Plan(t.Context(), "ann")
	e, ok := errors.AsType[*profile.InvalidError](err)
	if !ok || len(e.Mistakes) != 2 || e.Mistakes[0].Path != "/sets/ann/incoming/port" || e.Mistakes[1].Path != "/sets/ann/mode" {
		t.Errorf("with wrong values: %v, want the mistakes of port and mode", err)
	}
	if strings.Contains(err.Error(), "horse") {
		t.Errorf("the mistake shows what a reference gave: %v", err)
	}
}

// TestReferencesThatLeadToNothing: all of them are told, each with its path, and
// nothing of a value.
func TestReferencesThatLeadToNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "json"), `{"a": "pale horse"`)
	write(t, filepath.Join(dir, "lines"), "a = pale horse\n")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", 1<<20+1))
	resolvers := profile.DefaultResolvers()
	resolvers[profile.SchemeCmd] = profile.Commands
	for reference, want := range map[string]string{
		"env:NOT_SET_ANYWHERE":                    "the variable is not set",
		"file:" + dir + "/none":                   "no such file",
		"file:" + dir:                             "not a regular file",
		"file:" + dir + "/large":                  "larger than 1024 KiB",
		"file:" + dir + "/json#a":                 "not an object",
		"file:" + dir + "/lines#b":                `no property "b"`,
		"systemd:x":                               "CREDENTIALS_DIRECTORY",
		"cmd:":                                    "no program is named",
		"cmd:echo 'pale horse":                    "a quote is not closed",
		"cmd:no-such-program-anywhere":            "cannot be run",
		"cmd:sh -c 'echo pale horse >&2; exit 3'": "status 3",
		"keyring:mail":                            "no resolver for \"keyring\"",
	} {
		f := parse(t, one(`"password": "`+reference+`", "account": "a@b.c", "incoming": {"host": "env:ALSO_NOT_SET"}`), &profile.Options{Resolvers: resolvers})
		_, err := f.Open(t.Context(), "ann")
		if err == nil || !strings.Contains(err.Error(), "/sets/ann/password: ") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "/sets/ann/incoming/host: ") {
			t.Errorf("%s: %v, want %q, and the other reference too", reference, err, want)
		}
		if e, ok := errors.AsType[*profile.ReferenceError](err); !ok || e.Path == "" {
			t.Errorf("%s: %v, want a ReferenceError", reference, err)
		}
		if err != nil && strings.Contains(strings.ReplaceAll(err.Error(), reference, ""), "pale horse") {
			t.Errorf("%s: the error shows a value: %v", reference, err)
		}
	}
}

// TestNoProgramRunsUnlessItIsAllowed: the default resolvers read.
func TestNoProgramRunsUnlessItIsAllowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ran")
	f := parse(t, one(`"password": "cmd:touch `+path+`", "account": "a@b.c", "incoming": {"host": "h"}`), nil)
	if _, err := f.Open(t.Context(), "ann"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Open = %v, want ErrUnsupported", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the program ran")
	}
}

// TestNothingShowsASecret looks for secrets in what is printed, logged and
// marshalled.
func TestNothingShowsASecret(t *testing.T) {
	t.Setenv("P", "dark horse")
	f := parse(t, one(`"provider": "google", "clientId": "c", "clientSecret": "literal:dark horse", "account": "a@gmail.com",
		"proxy": {"url": "http://p:1", "user": "u", "password": "env:P"}, "tls": {"certificate": "x", "key": "env:P"}`), &profile.Options{AllowLiteralSecrets: true})
	_, fails := f.Open(t.Context(), "ann")
	f.Sets["ann"].TLS = nil
	plan, err := f.Plan(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	_, unwritten := f.MarshalJSON()
	if !errors.Is(unwritten, profile.ErrLiteralSecret) || !errors.Is(f.Save(filepath.Join(t.TempDir(), "f")), profile.ErrLiteralSecret) {
		t.Errorf("MarshalJSON = %v, want ErrLiteralSecret", unwritten)
	}
	shown := fmt.Sprintf("%v %+v %#v %v %+v %#v %+v %+v %v %v", f, f, f, f.Sets["ann"], *f.Sets["ann"], *f.Sets["ann"], plan, *plan.OAuth, fails, unwritten)
	if strings.Contains(shown, "dark horse") {
		t.Errorf("a secret shows in %s", shown)
	}
	if s := f.Sets["ann"].Proxy.Password; fmt.Sprint(s) != "env:P" || s.Reference() != "env:P" {
		t.Errorf("a reference prints as %v, want itself", s)
	}
}

// TestWhatAReferenceGaveIsNotRepeated: where it does not fit its field, it may be
// what belongs into another one.
func TestWhatAReferenceGaveIsNotRepeated(t *testing.T) {
	t.Setenv("P", "correct horse")
	for value, sets := range map[string][]string{
		"my horse": {
			`"provider": "google", "account": "a@b.c", "password": "env:P", "store": {"dir": "/nowhere", "key": "env:VALUE"}`,
			`"account": "env:VALUE", "password": "env:P", "incoming": {}`,
			`"provider": "google", "account": "a@b.c", "password": "env:P", "mode": "env:VALUE"`,
			`"provider": "env:VALUE", "account": "a@b.c", "password": "env:P"`,
		},
		"horse://back": {`"provider": "contoso", "account": "a@b.c", "clientId": "c", "redirectUri": "env:VALUE"`},
	} {
		t.Setenv("VALUE", value)
		for _, set := range sets {
			contoso := preset.Google()
			contoso.Redirects = preset.RedirectRules{Loopback: []string{"127.0.0.1"}}
			contoso.Flows = nil
			_, err := parse(t, one(set), &profile.Options{Providers: map[string]preset.Provider{"contoso": contoso}}).Plan(t.Context(), "ann")
			if err == nil || strings.Contains(err.Error(), "horse") {
				t.Errorf("%s: %v, want an error without %q", set, err, value)
			}
		}
	}
}

// TestAnEmptyPasswordIsNone: a reference that gives nothing is told as such, and
// the set is not taken for one of another flow.
func TestAnEmptyPasswordIsNone(t *testing.T) {
	t.Setenv("EMPTY", "")
	for _, field := range []string{"password", "tokenFile"} {
		_, err := parse(t, one(`"provider": "google", "account": "a@b.c", "`+field+`": "env:EMPTY"`), nil).Plan(t.Context(), "ann")
		if e, ok := errors.AsType[*profile.ReferenceError](err); !ok || e.Path != "/sets/ann/"+field || strings.Contains(err.Error(), "clientId") {
			t.Errorf("Plan with an empty %s: %v, want a ReferenceError there", field, err)
		}
	}
	const public = `"provider": "microsoft", "account": "a@b.c", "clientId": "c", "clientSecret": "env:EMPTY"`
	if _, err := parse(t, one(public), nil).Plan(t.Context(), "ann"); err != nil {
		t.Errorf("Plan with an empty client secret: %v, want that of a public client", err)
	}
}
