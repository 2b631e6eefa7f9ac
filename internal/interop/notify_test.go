//go:build interop

package interop_test

import (
	"testing"
)

// TestPythonIsNotified: Python's imaplib is told of another folder in the same way
// by our fake and by Dovecot.
func TestPythonIsNotified(t *testing.T) {
	t.Parallel()
	for name, login := range map[string]func(t *testing.T) pythonLogin{
		"fake": func(t *testing.T) pythonLogin {
			t.Helper()
			return startFakes(t, "tls", "password").ways.imap
		},
		"Dovecot": func(t *testing.T) pythonLogin {
			t.Helper()
			servers := startServers(t, nil)
			return pythonLogin{
				address: servers.IMAPS, security: "tls", ca: servers.CAFile, auth: "password",
				user: ann, secret: userOf(t, servers, ann).Password,
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := pythonStory(t, "imap_notify.py", login(t))
			last := steps[len(steps)-1]
			if last.Step != "notify" || !last.OK || last.Count != 1 || last.UID != 2 {
				t.Errorf("imaplib was told %+v, want one message, the next UID 2, and then a higher change counter", last)
			}
		})
	}
}
