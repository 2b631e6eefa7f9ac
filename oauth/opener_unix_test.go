//go:build unix

package oauth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpenBrowser(t *testing.T) {
	dir := t.TempDir()
	fifo, script := filepath.Join(dir, "fifo"), filepath.Join(dir, "browser")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatalf("Mkfifo: %v", err)
	}
	text := "#!/bin/sh\nprintf %s \"$1\" > " + fifo + "\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil { //nolint:gosec // The test runs it.
		t.Fatalf("WriteFile: %v", err)
	}
	t.Setenv("BROWSER", filepath.Join(dir, "missing")+":"+script)
	const address = "https://login.example/?a=b&c=$(d)"
	if err := openBrowser(t.Context(), address, false); err != nil {
		t.Fatalf("openBrowser: %v", err)
	}
	got, err := os.ReadFile(fifo) //nolint:gosec // It waits for the script; the path is the test's own.
	if err != nil || string(got) != address {
		t.Errorf("the browser was given %q, %v, want %q", got, err, address)
	}
}

func TestNoBrowser(t *testing.T) {
	if err := startFirst(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no display") {
		t.Errorf("startFirst of nothing = %v, want no display", err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if err := startFirst(t.Context(), [][]string{{missing}, {missing}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("startFirst of a missing browser = %v, want ErrNotExist", err)
	}
}
