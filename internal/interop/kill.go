package interop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// KillIMAP kills the processes that serve IMAP sessions at this moment, so that
// each of these ends in the middle of whatever it does. Dovecot itself goes on,
// and serves new sessions. It returns how many there were.
func (s *Servers) KillIMAP() (killed int, err error) {
	master, err := os.ReadFile(s.file("dovecot/run/master.pid"))
	if err != nil {
		return 0, fmt.Errorf("interop: find Dovecot: %w", err)
	}
	parent := strings.TrimSpace(string(master))
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name) //nolint:gosec // G304: it is a file of the system.
		if err != nil {
			continue // the process has ended
		}
		// "1234 (imap) S 1200 ...": the number, the name, the state, the parent.
		number, rest, _ := bytes.Cut(stat, []byte(" (imap) "))
		fields := strings.Fields(string(rest))
		if len(fields) < 2 || fields[1] != parent {
			continue
		}
		pid, err := strconv.Atoi(string(number))
		if err != nil {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return killed, fmt.Errorf("interop: kill an IMAP session: %w", err)
		}
		killed++
	}
	return killed, nil
}
