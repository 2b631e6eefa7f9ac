//go:build interop

package interop_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestARealKeyring: a program keeps the key of its records in the Secret Service
// of GNOME, finds it again in the next session, and says what to do in a session
// that has none.
func TestARealKeyring(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "keyringuser")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../state/keyring", "-o", program, "./internal/keyringuser") //nolint:gosec // G204: the command is ours.
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	home, folder := t.TempDir(), filepath.Join(t.TempDir(), "grants")
	// The daemon reads the keyring's password to the end of its input and ends with the session's bus.
	const unlocked = `printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null && "$@"`
	// What the bus and the daemon have to say goes beside what the program prints.
	session := func(script string, args ...string) (printed, said string, err error) {
		command := append([]string{"-i", "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "PATH=/usr/local/bin:/usr/bin:/bin"},
			append([]string{"dbus-run-session", "--", "sh", "-c", script, "session", program}, args...)...)
		cmd := exec.CommandContext(t.Context(), "env", command...) //nolint:gosec // G204: the command is ours.
		var out, beside strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &beside
		err = cmd.Run()
		return out.String(), beside.String(), err
	}
	if _, said, err := session(unlocked, folder, "a refresh token"); err != nil {
		t.Fatalf("the first session: %v\n%s", err, said)
	}
	if printed, said, err := session(unlocked, folder); err != nil || printed != "a refresh token" {
		t.Errorf("the next session prints %q, %v; want what was kept\n%s", printed, err, said)
	}
	bare := exec.CommandContext(t.Context(), "env", "-i", "HOME="+home, "PATH=/bin", program, folder) //nolint:gosec // G204: the command is ours.
	if out, err := bare.CombinedOutput(); err == nil || !strings.Contains(string(out), "passphrase or a key file") {
		t.Errorf("without a session's bus the program prints %q, %v; want what to do", out, err)
	}
}
