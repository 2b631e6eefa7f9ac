package profile_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/profile/sealed"
)

// TestASetMadeOnOneComputerOpensOnAnother: its secrets travel sealed, everything
// else in plain text, and no reference is left behind.
func TestASetMadeOnOneComputerOpensOnAnother(t *testing.T) {
	b := newBed(t, nil)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, b.pin(t, ann))
	t.Setenv("ACCOUNT", ann)
	f := b.load(t, `"provider": "contoso", "account": "env:ACCOUNT", "clientId": "test-client", "refreshToken": "file:`+path+`"`)
	data, err := f.Export(t.Context(), &profile.ExportOptions{Seal: sealed.To(id.Recipient())})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Contains(text, b.pin(t, ann)) || strings.Contains(text, path) || !strings.Contains(text, ann) || !strings.Contains(text, `"sealed:`) {
		t.Errorf("the export is\n%s\nwant the account in plain text, the token sealed, and no path", text)
	}

	// The other computer has neither the file nor the variable.
	write(t, path, "")
	t.Setenv("ACCOUNT", "nobody@contoso.example")
	there := *b.opts
	there.Resolvers = map[string]profile.Resolver{profile.SchemeSealed: sealed.By(id)}
	g := profile.New(&there)
	names, err := g.Import(data, &profile.ImportOptions{Rename: map[string]string{"ann": "Ann at work"}})
	if err != nil || strings.Join(names, ",") != "Ann at work" {
		t.Fatalf("Import = %q, %v", names, err)
	}
	saved := filepath.Join(t.TempDir(), "mail.json")
	if err := g.Save(saved); err != nil {
		t.Fatal(err)
	}
	g, err = profile.Load(saved, &there)
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.Open(t.Context(), "Ann at work")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantInbox(t, s, ann)

	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	there.Resolvers[profile.SchemeSealed] = sealed.By(stranger)
	if _, err := g.Open(t.Context(), "Ann at work"); !errors.Is(err, sealed.ErrWrongKey) || strings.Contains(err.Error(), "age-encryption") || len(err.Error()) > 500 {
		t.Errorf("Open with another key: %v, want ErrWrongKey in few words", err)
	}
}

// TestExportAndImport: references travel as they are, a literal secret does not,
// and nothing is overwritten unless that is asked for.
func TestExportAndImport(t *testing.T) {
	const set = `{"password": "env:P", "account": "a@b.c", "incoming": {"host": "h", "port": 993, "mechanisms": ["PLAIN"]}}`
	f := parse(t, []byte(`{"$schema": "`+profile.SchemaURL+`", "version": 1, "sets": {"ann": `+set+`, "bob": `+set+`}}`), nil)
	data, err := f.Export(t.Context(), &profile.ExportOptions{Names: []string{"ann"}})
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := json.Unmarshal(data, &written); err != nil || written["$schema"] != profile.SchemaURL || strings.Contains(string(data), "bob") {
		t.Errorf("the export is %s, %v", data, err)
	}
	if _, err := f.Export(t.Context(), &profile.ExportOptions{Names: []string{"an"}}); err == nil || !strings.Contains(err.Error(), `"ann"`) {
		t.Errorf("Export of a name that is not there: %v", err)
	}

	_, err = f.Import(data, nil)
	if e, ok := errors.AsType[*profile.ExistsError](err); !ok || strings.Join(e.Names, " ") != "ann" {
		t.Errorf("Import of a name that is there: %v, want an ExistsError", err)
	}
	if _, err = f.Import(data, &profile.ImportOptions{Rename: map[string]string{"ann": "ANN"}}); err == nil || len(f.Sets) != 2 {
		t.Errorf("Import of a name that differs in case: %v with %d sets, want an error and 2", err, len(f.Sets))
	}
	if _, err = f.Import([]byte(`{"version": 1, "sets": {"x": {"mode": "y"}}}`), nil); err == nil || len(f.Sets) != 2 {
		t.Errorf("Import with mistakes: %v with %d sets, want an error and 2", err, len(f.Sets))
	}
	f.Sets["ann"].Description = "the old one"
	if _, err = f.Import(data, &profile.ImportOptions{Overwrite: true}); err != nil || f.Sets["ann"].Description != "" {
		t.Errorf("Import that overwrites: %v, description %q", err, f.Sets["ann"].Description)
	}
	if names, err := f.Import(data, &profile.ImportOptions{Rename: map[string]string{"ann": "carol"}}); err != nil || strings.Join(names, " ") != "carol" || len(f.Sets) != 3 {
		t.Errorf("Import under another name: %q, %v with %d sets", names, err, len(f.Sets))
	}

	literal := parse(t, one(`"password": "literal:shy horse", "account": "a@b.c", "incoming": {"host": "h"}`), &profile.Options{AllowLiteralSecrets: true})
	if _, err := literal.Export(t.Context(), nil); !errors.Is(err, profile.ErrLiteralSecret) {
		t.Errorf("Export of a literal secret: %v, want ErrLiteralSecret", err)
	}
}

// TestWhatGoesOutOfUseLoadsWithADatedWarning: a password at Microsoft and EWS for
// Exchange Online are no mistakes, and say when they end.
func TestWhatGoesOutOfUseLoadsWithADatedWarning(t *testing.T) {
	now := time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ set, path, date, words string }{
		{`"provider": "microsoft", "account": "a@contoso.com", "password": "env:P"`, "/sets/ann/flow", "2022-10-01", "no longer takes passwords"},
		{`"provider": "microsoft", "account": "a@contoso.com", "password": "env:P", "mode": "send-only"`, "/sets/ann/flow", "2026-12-31", "SMTP AUTH"},
		{`"provider": "outlook.com", "account": "a@outlook.com", "password": "env:P"`, "/sets/ann/flow", "2024-09-16", "no longer takes passwords"},
		{`"provider": "microsoft", "account": "a@contoso.com", "clientId": "c", "incoming": {"protocol": "EWS"}`, "/sets/ann/incoming/protocol", "2026-10-01", "blocks EWS"},
		{`"provider": "microsoft", "account": "a@contoso.com", "clientId": "c", "outgoing": {"protocol": "EWS"}`, "/sets/ann/outgoing/protocol", "2027-04-01", "ends for good"},
	} {
		found := ""
		for _, w := range parse(t, one(tt.set), nil).Warnings(now) {
			found += w.String() + "\n"
			if w.Path == tt.path && w.Date.Format(time.DateOnly) == tt.date && strings.Contains(w.Reason, tt.words) && w.Fix != "" && w.Due == now.After(w.Date) {
				found = ""
				break
			}
		}
		if found != "" {
			t.Errorf("%s warns\n%swant %s on %s: …%s…", tt.set, found, tt.path, tt.date, tt.words)
		}
	}
	if got := parse(t, one(`"provider": "microsoft", "account": "a@contoso.com", "clientId": "c"`), nil).Warnings(now); len(got) != 0 {
		t.Errorf("a set of today warns %v", got)
	}
}

// TestMigrate rewrites what can be rewritten, and leaves the rest as it is.
func TestMigrate(t *testing.T) {
	now := time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC)
	f := parse(t, []byte(`{"version": 1, "sets": {
		"ews": {"provider": "microsoft", "account": "a@contoso.com", "clientId": "c", "scopes": "https://outlook.office365.com/EWS.AccessAsUser.All openid email",
			"incoming": {"protocol": "EWS"}, "outgoing": {"protocol": "EWS", "testRecipient": "b@contoso.com"}},
		"home": {"provider": "exchange", "account": "a@contoso.com", "password": "env:P", "incoming": {"protocol": "EWS", "host": "mail.contoso.com"}},
		"password": {"provider": "microsoft", "account": "a@contoso.com", "authUser": "env:WHO", "password": "env:P"},
		"today": {"provider": "microsoft", "account": "a@contoso.com", "clientId": "c"}
	}}`), nil)
	text := func(o *profile.MigrateOptions) string {
		var b strings.Builder
		for _, c := range f.Migrate(now, o) {
			b.WriteString(c.String() + "\n")
		}
		return b.String()
	}
	want := "/sets/ews/incoming/protocol: EWS becomes IMAP\n/sets/ews/outgoing/protocol: EWS becomes SMTP\n" +
		"/sets/ews/scopes: https://outlook.office365.com/EWS.AccessAsUser.All openid email is removed\n"
	if got := text(nil); got != want {
		t.Errorf("Migrate changed\n%swant\n%s", got, want)
	}
	want = "/sets/password/flow: password becomes pkce\n/sets/password/clientId: set to c\n/sets/password/password: the password is removed\n" +
		"/sets/password/authUser: env:WHO is removed\n"
	if got := text(&profile.MigrateOptions{ClientID: "c"}); got != want {
		t.Errorf("Migrate with a client id changed\n%swant\n%s", got, want)
	}
	if err := f.Check(); err != nil || f.Sets["ews"].Outgoing.TestRecipient != "b@contoso.com" || f.Sets["home"].Incoming.Protocol != profile.EWS {
		t.Errorf("after that: %v, %+v", err, f.Sets)
	}
	if got := f.Warnings(now); len(got) != 0 {
		t.Errorf("after that it still warns %v", got)
	}
}

// TestMigrateTellsWhatItRemoves: what was said of EWS is of no use to the protocol
// that takes its place, and does not go without a word.
func TestMigrateTellsWhatItRemoves(t *testing.T) {
	f := parse(t, one(`"provider": "microsoft", "account": "`+ann+`", "clientId": "c",
		"incoming": {"protocol": "EWS", "url": "https://outlook.office365.com/EWS/Exchange.asmx"},
		"outgoing": {"protocol": "EWS", "host": "outlook.office365.com", "mechanisms": "NTLM Basic"}`), nil)
	var got strings.Builder
	for _, c := range f.Migrate(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), nil) {
		got.WriteString(strings.TrimPrefix(c.String(), "/sets/ann/") + "\n")
	}
	const want = `incoming/protocol: EWS becomes IMAP
incoming/url: https://outlook.office365.com/EWS/Exchange.asmx is removed
outgoing/protocol: EWS becomes SMTP
outgoing/host: outlook.office365.com is removed
outgoing/mechanisms: NTLM Basic is removed
`
	if got.String() != want {
		t.Errorf("Migrate changed\n%swant\n%s", got.String(), want)
	}
	if err := f.Check(); err != nil {
		t.Error(err)
	}
}

// TestANameForThePasswordTravels: it is no secret, and stands in the export as what its
// reference gives.
func TestANameForThePasswordTravels(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("WHO", `CONTOSO\ann`)
	t.Setenv("P", "correct horse")
	f := parse(t, one(`"account": "`+ann+`", "authUser": "env:WHO", "password": "env:P", "tls": {"noChannelBinding": true},
		"incoming": {"protocol": "EWS", "host": "mail.contoso.example"}`), nil)
	data, err := f.Export(t.Context(), &profile.ExportOptions{Seal: sealed.To(id.Recipient())})
	if err != nil {
		t.Fatal(err)
	}
	g := profile.New(nil)
	if _, err := g.Import(data, nil); err != nil {
		t.Fatal(err)
	}
	p := g.Sets["ann"]
	if p == nil || p.AuthUser != `CONTOSO\ann` || p.TLS == nil || p.TLS.NoChannelBinding != profile.Yes || strings.Contains(string(data), "correct horse") {
		t.Errorf("the export is\n%s\nwant the name in it, and no password", data)
	}
}
