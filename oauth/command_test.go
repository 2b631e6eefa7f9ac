package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
)

// childCommand says what a child process does that is run for a token.
const childCommand = "OAUTH_TEST_COMMAND"

// hushed is what must not get out.
const hushed = "s3cr3t-horse-of-the-helper"

// tokenHelper is such a program. It returns its exit code.
func tokenHelper(role string) int {
	out, complain := os.Stdout, os.Stderr
	switch role {
	case "json":
		fmt.Fprintf(out, `{"access_token":"at-%s","expires_in":"3600"}`, strings.Join(os.Args[1:], "|"))
	case "plain":
		fmt.Fprintln(out, "at-plain")
	case "input":
		in, _ := io.ReadAll(os.Stdin)
		fmt.Fprintf(out, "at-%d", len(in))
	case "az":
		fmt.Fprintf(out, `{"accessToken":"at-az","expiresOn":"2026-11-21 12:00:00.000000","expires_on":%d,"tokenType":"Bearer"}`, time.Now().Add(2*time.Hour).Unix())
	case "fails":
		fmt.Fprintf(complain, "starting\nthe vault is sealed, password=%s\n\n", hushed)
		return 3
	case "echoes":
		fmt.Fprintf(out, `{"access_token":"%s"}`, hushed)
		fmt.Fprintf(complain, "got %s and then crashed\n", hushed)
		return 1
	case "denies":
		fmt.Fprint(out, `{"error":"access_denied","error_description":"not at night"}`)
		return 1
	case "busy":
		fmt.Fprintln(complain, "the vault is busy")
		return 75
	case "endless":
		_, _ = io.Copy(out, endless{}) // Until it is killed.
	case "words":
		fmt.Fprintln(out, hushed, "is the token")
	}
	return 0
}

// endless is text without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// run returns the token that this program prints in a role.
func run(ctx context.Context, t *testing.T, role string, args ...string) (*oauth.Token, error) {
	t.Helper()
	t.Setenv(childCommand, role)
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	app, err := oauth.External(nil, oauth.FromCommand(self, args...))
	if err != nil {
		t.Fatalf("External: %v", err)
	}
	return app.For(mailResource).Token(ctx)
}

// TestTokensOfACommand: JSON or a token alone, of a program that no shell is
// between.
func TestTokensOfACommand(t *testing.T) {
	for _, tt := range []struct {
		role, want string
		args       []string
		lifetime   time.Duration
	}{
		{role: "json", want: "at-$HOME;|" + mailResource, args: []string{"$HOME;", "{resource}"}, lifetime: time.Hour},
		{role: "plain", want: "at-plain", lifetime: time.Minute},
		{role: "input", want: "at-0", lifetime: time.Minute},
		{role: "az", want: "at-az", lifetime: 2 * time.Hour},
	} {
		tok, err := run(t.Context(), t, tt.role, tt.args...)
		if err != nil {
			t.Errorf("%s: %v", tt.role, err)
			continue
		}
		if got := tok.AccessToken.Reveal(); got != tt.want {
			t.Errorf("%s: token %q, want %q", tt.role, got, tt.want)
		}
		if off := tok.Expiry.Sub(tok.Issued) - tt.lifetime; off.Abs() > 2*time.Second {
			t.Errorf("%s: the token lives for %v, want %v", tt.role, tok.Expiry.Sub(tok.Issued), tt.lifetime)
		}
	}
}

// TestACommandThatFails: its last words are told, and no secret of them.
func TestACommandThatFails(t *testing.T) {
	for _, tt := range []struct {
		role string
		kind oauth.Kind
		want string
	}{
		{"fails", oauth.KindUnknown, "failed with status 3: the vault is sealed, password [redacted]"},
		{"echoes", oauth.KindUnknown, "got [redacted] and then crashed"},
		{"denies", oauth.KindPolicy, "access_denied: not at night"},
		{"busy", oauth.KindTemporary, "the vault is busy"},
		{"endless", oauth.KindProtocol, "longer than 1048576 bytes"},
		{"words", oauth.KindProtocol, "neither JSON nor a token alone"},
		{"", oauth.KindProtocol, "neither JSON nor a token alone"},
	} {
		_, err := run(t.Context(), t, tt.role, "--password", hushed+"-argument")
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %v and %q", tt.role, err, tt.kind, tt.want)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, hushed) {
			t.Errorf("%q: a secret is in the error: %s", tt.role, text)
		}
	}
}

// TestACommandThatIsNotThere is a matter of the configuration.
func TestACommandThatIsNotThere(t *testing.T) {
	app, err := oauth.External(nil, oauth.FromCommand("/nonexistent/"+hushed+"/helper"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.For("").Token(t.Context())
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Kind != oauth.KindClientConfig || !strings.Contains(err.Error(), "the command helper: it cannot be run") {
		t.Errorf("Token = %v, want that helper cannot be run", err)
	}
}

// TestASupplierHoldsNobodyUp: who waits leaves with their own context.
func TestASupplierHoldsNobodyUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := make(chan struct{})
	app, err := oauth.External(nil, oauth.FromFunc(func(ctx context.Context, _ string) (*oauth.Token, error) {
		close(started)
		<-t.Context().Done()
		return nil, ctx.Err()
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.For("").Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Token = %v, want context.Canceled", err)
	}
	<-started
}

// ExampleFromCommand is a program whose tokens a helper prints, as those of
// command line tools do.
func ExampleFromCommand() {
	app, err := oauth.External(nil, oauth.FromCommand("echo", "token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := app.For("").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tok.AccessToken.Reveal())
	// Output: token
}
