//go:build interop

package interop

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOIDCStopLeavesNothing starts a server, stops it, and finds neither an
// open port nor a process nor a file of it.
func TestOIDCStopLeavesNothing(t *testing.T) {
	t.Parallel()
	server, err := StartOIDC(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pids := server.processes(t)
	if len(pids) < 2 {
		t.Errorf("processes while the server runs: %v, want Node and its supervisor", pids)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := server.processes(t); len(left) != 0 {
		t.Errorf("processes %v after Stop, of %v", left, pids)
	}
	if _, err := os.Stat(server.dir); !os.IsNotExist(err) {
		t.Errorf("Stat(%s) after Stop = %v, want that it does not exist", server.dir, err)
	}
	for _, base := range []string{server.Issuer, server.control} {
		address := strings.TrimPrefix(base, "http://")
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address); err == nil {
			_ = conn.Close()
			t.Errorf("%s accepts connections after Stop", address)
		}
	}
}

// processes returns the ids of the processes that have the server's settings in
// their command line: Node and its supervisor.
func (o *OIDC) processes(t *testing.T) []string {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range commands {
		// A process that ends meanwhile has no command line any more.
		if command, err := os.ReadFile(filepath.Clean(name)); err == nil && strings.Contains(string(command), o.settings()) {
			found = append(found, filepath.Base(filepath.Dir(name)))
		}
	}
	return found
}
