package message_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// readSource returns the bytes of s.
func readSource(t *testing.T, s message.Source) string {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	return string(b)
}

func TestSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(path, []byte("Subject: x\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]message.Source{
		"Bytes": message.Bytes([]byte("Subject: x\r\n\r\n")),
		"File":  message.File(path),
	} {
		for range 2 {
			if got, want := readSource(t, s), "Subject: x\r\n\r\n"; got != want {
				t.Errorf("%s gives %q, want %q", name, got, want)
			}
		}
		if got, want := s.Size(), int64(14); got != want {
			t.Errorf("%s: Size() = %d, want %d", name, got, want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	dir := t.TempDir()
	s := message.File(filepath.Join(dir, "missing"))
	if _, err := s.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open() = %v, want %v", err, fs.ErrNotExist)
	}
	if got := s.Size(); got != -1 {
		t.Errorf("Size() = %d, want -1", got)
	}
	if got := message.File(dir).Size(); got != -1 {
		t.Errorf("Size() of a folder = %d, want -1", got)
	}
}
