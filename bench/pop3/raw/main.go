// Command raw asks for all messages of a maildrop without waiting for an answer
// and drops the bytes: the least that reading from a server can take.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() { task.Run(read) }

// read counts the bytes of all messages. How many messages they are it does not
// know beyond what STAT says.
func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	nc, err := t.Dial(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer nc.Close()
	lines := bufio.NewReader(nc)
	for _, command := range []string{"", "USER " + t.User, "PASS " + t.Password, "STAT"} {
		if command != "" {
			if _, err := io.WriteString(nc, command+"\r\n"); err != nil {
				return 0, 0, err
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return 0, 0, err
		}
		if !strings.HasPrefix(line, "+OK") {
			return 0, 0, fmt.Errorf("the server says %q", line)
		}
		_, _ = fmt.Sscanf(line, "+OK %d", &messages) // of the answer to STAT
	}
	var commands strings.Builder
	for n := range messages {
		fmt.Fprintf(&commands, "RETR %d\r\n", n+1)
	}
	commands.WriteString("QUIT\r\n")
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(nc, commands.String())
		sent <- err
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := nc.Read(buf)
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return messages, size, <-sent
		}
		if err != nil {
			return 0, 0, err
		}
	}
}
