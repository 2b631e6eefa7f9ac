package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// waitForFile waits until a process has made a file.
func waitForFile(t *testing.T, p *process, name string) {
	t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if _, err := os.Stat(name); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.ended:
			t.Fatalf("the process ended before it made %s: %v; it printed %q", name, p.err, p.output.String())
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// TestSupervisorEndsAServer starts a server that waits for its end, closes the
// pipe as the end of this program would, and sees the server end in order.
func TestSupervisorEndsAServer(t *testing.T) {
	t.Parallel()
	ready := filepath.Join(t.TempDir(), "ready")
	p, err := startProcess("server", []string{
		"/bin/sh", "-c",
		`trap 'echo asked to stop; exit 7' TERM; : >"$0"; while :; do sleep 0.05; done`, ready,
	})
	if err != nil {
		t.Fatal(err)
	}
	waitForFile(t, p, ready)
	if err := p.failure(); err != nil {
		t.Errorf("failure() of a running server = %v, want none", err)
	}
	if err := p.end(); err != nil {
		t.Errorf("end() = %v, want none", err)
	}
	if got := p.output.String(); got != "asked to stop\n" {
		t.Errorf("the server printed %q, want that it was asked to stop", got)
	}
	if got := p.failure(); got == nil || !strings.Contains(got.Error(), "exit status 7") {
		t.Errorf("failure() of an ended server = %v, want the server's exit status 7", got)
	}
}

// TestSupervisorReportsAServerThatEnds starts a server that ends at once.
func TestSupervisorReportsAServerThatEnds(t *testing.T) {
	t.Parallel()
	p, err := startProcess("server", []string{"/bin/sh", "-c", "echo no configuration >&2; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if got := p.failure(); got == nil || !strings.Contains(got.Error(), "exit status 3") {
		t.Errorf("failure() = %v, want exit status 3", got)
	}
	if got := p.output.String(); got != "no configuration\n" {
		t.Errorf("the server printed %q, want its complaint", got)
	}
	if err := p.end(); err != nil {
		t.Errorf("end() after the end = %v, want none", err)
	}
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		n    int
		want string
	}{
		{"", 2, ""},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb", 2, "a\nb"},
		{"a\n", 0, ""},
	} {
		if got := lastLines(tc.text, tc.n); got != tc.want {
			t.Errorf("lastLines(%q, %d) = %q, want %q", tc.text, tc.n, got, tc.want)
		}
	}
}
