// Command raw sends a message many times with the least that it can take: with BDAT
// and a window of transactions that are not answered yet, or with DATA, where the
// commands of the next message travel behind the end of the one before.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/mailsession/mailsession/bench/internal/task"
)

// window is how many transactions are on their way at a time.
const window = 16

func main() {
	data := flag.Bool("data", false, "use DATA in the place of BDAT")
	flag.Parse()
	task.Run(func(ctx context.Context, t task.Task) (int, int64, error) {
		info, err := os.Stat(t.File)
		if err != nil {
			return 0, 0, err
		}
		err = t.Share(func(messages int) error {
			c, err := dial(ctx, t)
			if err != nil {
				return err
			}
			defer c.nc.Close()
			if *data {
				return c.pipelined(messages)
			}
			return c.windowed(messages, info.Size())
		})
		return t.Messages, info.Size() * int64(t.Messages), err
	})
}

// conn is a connection that mail can be sent over.
type conn struct {
	nc net.Conn
	r  *bufio.Reader
	t  task.Task
}

func dial(ctx context.Context, t task.Task) (*conn, error) {
	nc, err := t.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc, r: bufio.NewReader(nc), t: t}
	if err := c.open(); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

// open does everything before the first message.
func (c *conn) open() error {
	if err := c.answers(1, '2'); err != nil {
		return err
	}
	if err := c.ask("EHLO raw"); err != nil {
		return err
	}
	if c.t.StartTLS {
		if err := c.ask("STARTTLS"); err != nil {
			return err
		}
		config, err := c.t.ClientTLS()
		if err != nil {
			return err
		}
		c.nc = tls.Client(c.nc, config)
		c.r.Reset(c.nc)
		if err := c.ask("EHLO raw"); err != nil {
			return err
		}
	}
	if c.t.User == "" {
		return nil
	}
	return c.ask("AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+c.t.User+"\x00"+c.t.Password)))
}

// ask sends a command that the server has to agree to.
func (c *conn) ask(command string) error {
	if _, err := io.WriteString(c.nc, command+"\r\n"); err != nil {
		return err
	}
	return c.answers(1, '2')
}

// answers reads n answers with that first digit.
func (c *conn) answers(n int, want byte) error {
	for n > 0 {
		line, err := c.r.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case len(line) < 4 || line[0] != want:
			return fmt.Errorf("the server says %q", line)
		case line[3] != '-':
			n--
		}
	}
	return nil
}

func (c *conn) envelope() string {
	return "MAIL FROM:<" + c.t.From + ">\r\nRCPT TO:<" + c.t.To + ">\r\n"
}

// windowed keeps a window of transactions by BDAT on their way.
func (c *conn) windowed(messages int, size int64) error {
	command := fmt.Sprintf("%sBDAT %d LAST\r\n", c.envelope(), size)
	send, err := c.sender(command, size)
	if err != nil {
		return err
	}
	room := make(chan struct{}, window)
	sent := make(chan error, 1)
	go func() {
		for range messages {
			room <- struct{}{}
			if err := send(); err != nil {
				sent <- err
				_ = c.nc.Close()
				return
			}
		}
		sent <- nil
	}()
	for range messages {
		if err := c.answers(3, '2'); err != nil {
			return err
		}
		<-room
	}
	return <-sent
}

// largest is up to what size a message is kept in memory.
const largest = 1 << 20

// sender returns what sends a transaction: in one write where it is not large.
func (c *conn) sender(command string, size int64) (func() error, error) {
	if size > largest {
		return func() error {
			if _, err := io.WriteString(c.nc, command); err != nil {
				return err
			}
			file, err := os.Open(c.t.File)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = io.Copy(c.nc, file)
			return err
		}, nil
	}
	raw, err := os.ReadFile(c.t.File)
	whole := append([]byte(command), raw...)
	return func() error {
		_, err := c.nc.Write(whole)
		return err
	}, err
}

// pipelined sends by DATA, one round trip a message.
func (c *conn) pipelined(messages int) error {
	raw, err := os.ReadFile(c.t.File)
	if err != nil {
		return err
	}
	commands := c.envelope() + "DATA\r\n"
	body := strings.ReplaceAll("\r\n"+string(raw), "\r\n.", "\r\n..")[len("\r\n"):] + ".\r\n"
	next := []byte(body + commands)
	if _, err := io.WriteString(c.nc, commands); err != nil {
		return err
	}
	for n := range messages {
		if err := c.answers(2, '2'); err != nil {
			return err
		}
		if err := c.answers(1, '3'); err != nil {
			return err
		}
		if n == messages-1 {
			next = []byte(body)
		}
		if _, err := c.nc.Write(next); err != nil {
			return err
		}
		if err := c.answers(1, '2'); err != nil {
			return err
		}
	}
	return nil
}
