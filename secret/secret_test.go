package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/secret"
)

const content = "hunter2-Zr8"

func TestNothingPrintsTheContent(t *testing.T) {
	type nested struct {
		Exported   secret.Text
		unexported secret.Text
		Pointer    *secret.Text
		Map        map[string]secret.Text
	}
	s := secret.New(content)
	value := nested{Exported: s, unexported: s, Pointer: &s, Map: map[string]secret.Text{"k": s}}
	_ = value.unexported

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", value)
		fmt.Fprintf(&out, verb+"\n", &value)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "secret", s, "nested", value)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "secret", s, "nested", value)
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	out.Write(encoded)

	for _, leak := range []string{content, fmt.Sprintf("%x", content), fmt.Sprintf("%X", content)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("output contains %q:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), secret.Redacted) {
		t.Errorf("output lacks %q:\n%s", secret.Redacted, out.String())
	}
}

func TestReveal(t *testing.T) {
	if got := secret.New(content).Reveal(); got != content {
		t.Errorf("Reveal() = %q, want %q", got, content)
	}
	var zero secret.Text
	if got := zero.Reveal(); got != "" || !zero.IsZero() || !secret.New("").IsZero() {
		t.Errorf("zero value: Reveal() = %q, IsZero() = %t", got, zero.IsZero())
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{{"x", "x", true}, {"x", "y", false}, {"x", "xx", false}, {"", "", true}, {"", "x", false}} {
		if got := secret.New(tt.a).Equal(secret.New(tt.b)); got != tt.want {
			t.Errorf("New(%q).Equal(New(%q)) = %t, want %t", tt.a, tt.b, got, tt.want)
		}
	}
}

func ExampleText() {
	password := secret.New("correct horse battery staple")
	fmt.Printf("signing in with %v, %d characters\n", password, len(password.Reveal()))
	// Output: signing in with [redacted], 28 characters
}
