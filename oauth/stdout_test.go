package oauth_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// childSignIn says what a child process does that signs somebody in: "browser",
// "device", or to be the "noisy browser" of the former.
const childSignIn = "OAUTH_TEST_SIGN_IN"

// signInHelper is such a program. It leaves to the package what is written, and
// returns its exit code.
func signInHelper(role string) int {
	srv := oauthtest.New(&oauthtest.Options{DeviceInterval: time.Second, DeviceLifetime: time.Second})
	defer srv.Close()
	cfg := &oauth.Config{
		ClientID: oauthtest.DefaultClientID,
		Endpoint: oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL(), DeviceURL: srv.DeviceURL()},
		Scopes:   []string{"openid", mailScope},
	}
	var err error
	switch role {
	case "noisy browser":
		err = noisyBrowser(os.Args[len(os.Args)-1])
	case "browser":
		if err = os.Setenv(childSignIn, "noisy browser"); err == nil {
			_, err = oauth.SignIn(context.Background(), cfg, &oauth.SignInOptions{LoginHint: oauthtest.DefaultEmail})
		}
	case "device":
		if _, err = oauth.SignInDevice(context.Background(), cfg, nil); oauth.NeedsSignIn(err) {
			err = nil // nobody has entered the code
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// noisyBrowser asks for a page, follows redirects and says so.
func noisyBrowser(address string) error {
	fmt.Fprintln(os.Stdout, "noise of the browser")
	fmt.Fprintln(os.Stderr, "noise of the browser")
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody) //nolint:gosec // G704: the address is the sign-in's.
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // G704: as above.
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// TestNothingIsWrittenToStandardOutput: a program whose output is a token or a
// mail can sign in: neither the prompts nor the browser it starts write there.
func TestNothingIsWrittenToStandardOutput(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	for role, want := range map[string]string{"browser": "Open this address", "device": "enter the code"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), self)
			child.Env = append(os.Environ(), childSignIn+"="+role, "BROWSER="+self)
			var out, complaint bytes.Buffer
			child.Stdout, child.Stderr = &out, &complaint
			if err := child.Run(); err != nil {
				t.Fatalf("the program: %v\n%s", err, complaint.String())
			}
			if out.Len() > 0 {
				t.Errorf("standard output got %q", out.String())
			}
			if said := complaint.String(); !strings.Contains(said, want) || strings.Contains(said, "noise") {
				t.Errorf("standard error got %q, want %q in it and no noise", said, want)
			}
		})
	}
}
