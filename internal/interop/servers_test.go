//go:build interop

package interop_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
)

// startServers starts servers for one test and writes their logs down.
func startServers(t *testing.T, opts *interop.Options) *interop.Servers {
	t.Helper()
	servers, err := interop.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Log(servers.Logs())
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	})
	return servers
}

// userOf returns one of the users that Start makes up.
func userOf(t *testing.T, servers *interop.Servers, address string) interop.User {
	t.Helper()
	user, err := servers.User(address)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// TestStopLeavesNothing starts servers, stops them, and finds neither an open
// port nor a process nor a file of theirs.
func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	folder := filepath.Dir(servers.CAFile)
	if got := processesIn(t, folder); len(got) < 2 {
		t.Fatalf("processes while the servers run: %q, want those of two servers", got)
	}
	if err := servers.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := processesIn(t, folder); len(got) != 0 {
		t.Errorf("processes after Stop: %q, want none", got)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("Stat(%s) after Stop = %v, want that it does not exist", folder, err)
	}
	for _, address := range []string{servers.IMAP, servers.POP3, servers.Submission, servers.SMTP} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s accepts connections after Stop", address)
		}
	}
}

// processesIn returns the command lines of all processes that work in a
// folder; Dovecot's and Postfix's do.
func processesIn(t *testing.T, folder string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		// A process that ends meanwhile has no link any more.
		if dir, err := os.Readlink(link); err == nil && strings.HasPrefix(dir, folder) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
			found = append(found, string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
		}
	}
	return found
}
