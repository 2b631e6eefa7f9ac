//go:build unix

package oauth

import (
	"os/exec"
	"syscall"
)

// detach puts a command into a session of its own, so that an interrupt at this
// program's terminal does not end it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
