// Command launch runs a program and writes what it took, as JSON, into the file
// that is its first argument; the others are the program and its arguments.
//
// A process begins with the memory of the one that starts it, as far as the
// kernel's account of its largest memory goes. So programs are started by this
// one, which is smaller than all of them.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: launch RESULT PROGRAM [ARGUMENT...]")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}

func run(result, program string, args []string) error {
	cmd := exec.Command(program, args...) //nolint:gosec,noctx // G204: the command is ours, and ends by itself.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return err
	}
	wall := time.Since(start)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return fmt.Errorf("the system does not tell what %s took", program)
	}
	data, err := json.Marshal(map[string]any{
		"wall":  wall,
		"cpu":   time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		"bytes": usage.Maxrss * 1024,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(result, data, 0o600) //nolint:gosec // G703: the benchmark names it.
}
