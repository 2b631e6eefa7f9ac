package interop

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// supervisor is a shell script that runs a server until its standard input
// ends. The pipe is held by this process, so the server ends with it, even
// where it is killed or ends by a panic.
//
//go:embed supervise.sh
var supervisor string

// A process is a server with its supervisor.
type process struct {
	name   string
	stdin  io.Closer
	output lockedBuffer
	ended  chan struct{} // closed when it has ended
	err    error         // how it ended; to be read when ended is closed
	kill   func() error
}

// lockedBuffer is a buffer that may be read while a process writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds what a process prints.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns all that was printed so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startProcess starts a server that stays in the foreground. It outlives the
// context of its start, so it has none.
func startProcess(name string, command []string) (*process, error) {
	args := append([]string{"-c", supervisor, "supervise " + name}, command...)
	cmd := exec.Command("/bin/sh", args...) //nolint:gosec,noctx // G204: the command is ours; it ends by its input.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("interop: start %s: %w", name, err)
	}
	p := &process{name: name, stdin: stdin, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.WaitDelay = 10 * time.Second // its children hold its output too, so Wait waits for them
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("interop: start %s: %w", name, err)
	}
	p.kill = cmd.Process.Kill
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// end asks the server to stop and waits until it has.
func (p *process) end() error {
	_ = p.stdin.Close()
	giveUp := time.NewTimer(stageTimeout)
	defer giveUp.Stop()
	select {
	case <-p.ended:
		return nil
	case <-giveUp.C:
		return errors.Join(fmt.Errorf("interop: %s did not end within %v", p.name, stageTimeout), p.kill())
	}
}

// failure returns how a server ended that should be running, and nil while it
// is running.
func (p *process) failure() error {
	select {
	case <-p.ended:
		return errors.Join(errEnded, p.err)
	default:
		return nil
	}
}

// runToEnd runs a command that prepares a server.
func runToEnd(ctx context.Context, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // G204: the command is ours.
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("interop: %s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return nil
}

// Logs returns what the servers logged, for a test that failed.
func (s *Servers) Logs() string {
	var logs strings.Builder
	for _, p := range s.running {
		printed := p.output.String()
		if printed != "" {
			fmt.Fprintf(&logs, "%s printed:\n%s\n", p.name, printed)
		}
	}
	for _, name := range []string{"dovecot.log", "postfix.log"} {
		if text, err := os.ReadFile(s.file(name)); err == nil {
			fmt.Fprintf(&logs, "%s:\n%s\n", name, lastLines(string(text), 60))
		}
	}
	return logs.String()
}

// lastLines returns the end of a text.
func lastLines(text string, n int) string {
	lines := slices.Collect(strings.Lines(text))
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// ending ends what was started, once, however often it is asked for.
type ending struct {
	once sync.Once
	err  error
}

// end ends processes, the last one first, waits until they have ended, and removes their
// folder. A process may be nil, which was not started. Further calls return what the
// first did.
func (e *ending) end(dir string, running ...*process) error {
	e.once.Do(func() {
		var errs []error
		for _, p := range slices.Backward(running) {
			if p != nil {
				errs = append(errs, p.end())
			}
		}
		e.err = errors.Join(append(errs, os.RemoveAll(dir))...)
	})
	return e.err
}
