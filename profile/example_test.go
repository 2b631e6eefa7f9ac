package profile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// Example opens a session by its name. The provider is a fake one; of a real one
// the name is enough.
func Example() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	ann := provider.Add("ann@contoso.example", secret.New("correct horse"))
	if _, err := ann.Append("INBOX", mailtest.CRLF("Subject: Hello\n\nHi.\n"), nil); err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "profile-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	password, path := filepath.Join(dir, "password"), filepath.Join(dir, "mail.json")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, `{
		"version": 1,
		"sets": {
			"ann": {
				"provider": "contoso",
				"account": "ann@contoso.example",
				"password": %q,
				"mode": "read-only"
			}
		}
	}`, "file:"+password), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	file, err := profile.Load(path, &profile.Options{Providers: map[string]preset.Provider{"contoso": provider.Preset()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := file.Open(context.Background(), "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for m, err := range s.Messages(context.Background(), session.Query{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Header.Subject())
	}
	// Output: Hello
}

// ExampleParse shows that all mistakes are told at once.
func ExampleParse() {
	_, err := profile.Parse([]byte(`{
		"version": 1,
		"sets": {
			"support": {
				"provider": "google",
				"flow": "client-credentials",
				"clientID": "c",
				"clientSecret": "env:SECRET",
				"account": "support@example.com",
				"incoming": {"port": 993, "security": "STARTTLS"}
			}
		}
	}`), nil)
	fmt.Println(err)
	// Output:
	// profile: 3 mistakes:
	//   /sets/support/clientID: the name "clientID" is not known; did you mean "clientId"?
	//   /sets/support/flow: Google has no flow client-credentials for IMAP: Google has no client credentials for mail; in Workspace a service-account acts for the users of a domain; use password, pinned, pkce, service-account
	//   /sets/support/incoming/port: 993 is not the port of IMAP with STARTTLS; set security to TLS, or leave the port out
}

// ExampleFile_NewSet is a program whose parts share one session.
func ExampleFile_NewSet() {
	file, err := profile.Parse([]byte(`{"version": 1, "sets": {
		"ann": {"account": "ann@example.com", "password": "literal:correct horse", "incoming": {"host": "imap.example.com"}}
	}}`), &profile.Options{AllowLiteralSecrets: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	set := file.NewSet()
	defer set.Close()
	reader, err := set.Session(context.Background(), "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	watcher, err := set.Session(context.Background(), "ann")
	fmt.Println(reader == watcher, err)
	// Output: true <nil>
}
