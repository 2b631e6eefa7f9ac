package fakenet_test

import (
	"testing"

	"github.com/mailsession/mailsession/internal/fakenet"
)

// TestExtension: keywords are found in any letters, and as a whole.
func TestExtension(t *testing.T) {
	lines := []string{"PIPELINING", "size 1000", "AUTH PLAIN LOGIN"}
	for keyword, want := range map[string]string{"pipelining": "", "SIZE": "1000", "Auth": "PLAIN LOGIN"} {
		if params, ok := fakenet.Extension(lines, keyword); !ok || params != want {
			t.Errorf("Extension(%q) = %q, %t; want %q", keyword, params, ok, want)
		}
	}
	for _, keyword := range []string{"PIPE", "PLAIN", ""} {
		if params, ok := fakenet.Extension(lines, keyword); ok {
			t.Errorf("Extension(%q) = %q, want none", keyword, params)
		}
	}
}
