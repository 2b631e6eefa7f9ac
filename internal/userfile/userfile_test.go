package userfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/userfile"
)

// TestRead reads what there may be at a path. No error says where that is.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"empty": "", "small": "horse", "full": strings.Repeat("x", 2048), "large": strings.Repeat("x", 2049)} {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("small"), at("link")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want, wrong string
	}{
		{"empty", "", ""},
		{"small", "horse", ""},
		{"link", "horse", ""},
		{"full", strings.Repeat("x", 2048), ""},
		{"large", "", "larger than 2 KiB"},
		{".", "", "not a regular file"},
		{"none", "", "file"}, // that there is none, in the words of the system
	} {
		got, err := userfile.Read(at(tt.name), 2048)
		if string(got) != tt.want || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("Read of %s = %q, %v; want %q, %q", tt.name, got, err, tt.want, tt.wrong)
		}
		if err != nil && strings.Contains(err.Error(), dir) {
			t.Errorf("Read of %s names its place: %v", tt.name, err)
		}
	}
	if _, err := userfile.Read(at("none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of what is not there = %v, want fs.ErrNotExist", err)
	}
}

func TestCredential(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if path, err := userfile.Credential("mail"); err == nil || !strings.Contains(err.Error(), "CREDENTIALS_DIRECTORY") {
		t.Errorf("Credential in no service = %q, %v; want an error about the variable", path, err)
	}
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if path, err := userfile.Credential("mail"); path != filepath.Join(dir, "mail") || err != nil {
		t.Errorf("Credential = %q, %v; want the file in %s", path, err, dir)
	}
	for _, name := range []string{"", ".", "..", "../mail", "a/b", "/mail"} {
		if path, err := userfile.Credential(name); err == nil {
			t.Errorf("Credential(%q) = %q, want an error", name, path)
		}
	}
}
