//go:build !unix

package oauth

import "os/exec"

// detach does nothing: the commands of these systems hand over to a browser
// that runs already.
func detach(*exec.Cmd) {}
