// Command gopop3 does a task with go-pop3 alone.
package main

import (
	"context"
	"net"

	"github.com/knadh/go-pop3"

	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() { task.Run(read) }

// dialer gives go-pop3 a connection that speaks TLS already.
type dialer struct{ net.Conn }

func (d dialer) Dial(string, string) (net.Conn, error) { return d.Conn, nil }

func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	nc, err := t.Dial(ctx)
	if err != nil {
		return 0, 0, err
	}
	c, err := pop3.New(pop3.Opt{Dialer: dialer{nc}}).NewConn()
	if err != nil {
		return 0, 0, err
	}
	if err := c.Auth(t.User, t.Password); err != nil {
		return 0, 0, err
	}
	all, err := c.Uidl(0)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range all {
		raw, err := c.RetrRaw(m.ID)
		if err != nil {
			return 0, 0, err
		}
		messages++
		size += int64(raw.Len())
	}
	return messages, size, c.Quit()
}
