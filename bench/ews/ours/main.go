// Command ours does a task with a Session over ews, as a program would.
package main

import (
	"context"

	"github.com/mailsession/mailsession/bench/internal/reading"
	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/session"
)

func main() { task.Run(read) }

func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	server, err := reading.Server(t)
	if err != nil {
		return 0, 0, err
	}
	creds := session.Credentials{User: t.User, Password: t.Secret()}
	backend := ews.Backend(server, nil) //nolint:contextcheck // it does no I/O
	s, err := session.New(creds, backend, nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return 0, 0, err
	}
	return reading.Do(ctx, s, t)
}
