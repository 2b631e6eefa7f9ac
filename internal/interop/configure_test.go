package interop

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/secret"
)

// TestRenderFillsInEverything fills in every template with everything set and
// with no tokens, and finds no setting that is left open.
func TestRenderFillsInEverything(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(configs, "config/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Errorf("templates = %q, want 4", files)
	}
	set := settings{
		Dir: "/folder", Ports: ports{1, 2, 3, 4, 5, 6, 7}, Domain: "example.test", Domains: "example.test, other.test",
		MailUID: 8, MailGID: 9, ClientSecret: "client secret", UsernameAttribute: "email",
		Tokens: &Introspection{URL: "https://localhost/introspect", ClientID: "client", Scope: "mail", CAFile: "/ca.pem"},
	}
	for _, file := range files {
		text, err := render(strings.TrimPrefix(file, "config/"), set)
		if err != nil {
			t.Errorf("render(%s): %v", file, err)
		}
		for _, open := range []string{"{{", "<no value>", "<nil>", "= \n"} {
			if strings.Contains(text, open) {
				t.Errorf("%s holds %q:\n%s", file, open, text)
			}
		}
		if holds, may := strings.Contains(text, set.ClientSecret), file == "config/oauth2.conf"; holds != may {
			t.Errorf("%s holds the client secret: %v, want %v", file, holds, may)
		}
	}
}

// TestRenderWithoutTokens offers no mechanism that Dovecot could not answer for.
func TestRenderWithoutTokens(t *testing.T) {
	t.Parallel()
	text, err := render("dovecot.conf", settings{})
	if err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{"oauth", "xoauth2", "bearer"} {
		if strings.Contains(text, unwanted) {
			t.Errorf("dovecot.conf without tokens holds %q:\n%s", unwanted, text)
		}
	}
}

// TestCompleteChecksAddresses takes only what is safe in a line of Dovecot's
// file of users and in a path.
func TestCompleteChecksAddresses(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"ann@example.test":     true,
		"a.b+c@x.test":         true,
		"":                     false,
		"ann":                  false,
		"@example.test":        false,
		"ann@":                 false,
		"Ann@example.test":     false,
		"a:b@example.test":     false,
		"../ann@example.test":  false,
		"ann@example.test\nx":  false,
		"ann lee@example.test": false,
	} {
		users, err := complete([]User{{Address: address}})
		if (err == nil) != good {
			t.Errorf("complete(%q) = %v, want good = %v", address, err, good)
		}
		if good && (len(users) != 1 || users[0].Password.IsZero()) {
			t.Errorf("complete(%q) = %d users, want one with a password", address, len(users))
		}
	}
}

// TestCompleteKeepsPasswords makes up only the passwords that are not given.
func TestCompleteKeepsPasswords(t *testing.T) {
	t.Parallel()
	users, err := complete([]User{{Address: "ann@example.test", Password: secret.New("given")}, {Address: "bob@example.test"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := users[0].Password.Reveal(); got != "given" {
		t.Errorf("password = %q, want the given one", got)
	}
	if users[1].Password.IsZero() || users[1].Password.Equal(users[0].Password) {
		t.Error("the second user has no password of their own")
	}
}

// TestDomainsAreListedOnce keeps the order of the users.
func TestDomainsAreListedOnce(t *testing.T) {
	t.Parallel()
	got := domains([]User{{Address: "a@x.test"}, {Address: "b@y.test"}, {Address: "c@x.test"}})
	if want := "x.test y.test"; strings.Join(got, " ") != want {
		t.Errorf("domains = %q, want %s", got, want)
	}
}
