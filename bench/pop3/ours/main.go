// Command ours does a task with pop3x.
package main

import (
	"context"
	"io"

	"github.com/mailsession/mailsession/bench/internal/reading"
	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
)

func main() { task.Run(read) }

// read lists the maildrop and reads its messages.
func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	server, err := reading.Server(t)
	if err != nil {
		return 0, 0, err
	}
	c, err := pop3x.New(server, session.Credentials{User: t.User, Password: t.Secret()}, nil)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	var ids []session.ID
	for m, err := range c.Messages(ctx, session.Query{OldestFirst: true, Fields: session.FieldSize}) {
		if err != nil {
			return 0, 0, err
		}
		ids = append(ids, m.ID)
	}
	for body, err := range c.Bodies(ctx, ids...) {
		if err != nil {
			return 0, 0, err
		}
		n, err := io.Copy(io.Discard, body)
		if err != nil {
			return 0, 0, err
		}
		messages++
		size += n
	}
	return messages, size, nil
}
