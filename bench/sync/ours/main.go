// Command ours looks at what happened in a folder with a Session over imapx, and
// keeps the place in a file.
package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"

	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/session"
)

func main() { task.Run(look) }

func look(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	s, err := open(t)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	var since session.Cursor
	if t.Kind == task.Again {
		text, err := os.ReadFile(t.File)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, 0, err
		}
		if err := since.UnmarshalText(text); err != nil {
			return 0, 0, err
		}
	}
	for page, err := range s.Changes(ctx, session.Inbox, since, nil) {
		if err != nil {
			return 0, 0, err
		}
		messages += len(page.Added) + len(page.Changed) + len(page.Removed)
		for _, m := range page.Added {
			size += int64(len(m.Header.Subject()))
		}
		since = page.Cursor
	}
	return messages, size, os.WriteFile(t.File, []byte(since.String()), 0o600)
}

func open(t task.Task) (*session.Session, error) {
	config, err := t.ClientTLS()
	if err != nil {
		return nil, err
	}
	host, text, err := net.SplitHostPort(t.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	return session.New(session.Credentials{User: t.User, Password: t.Secret()},
		imapx.Backend(session.Server{Host: host, Port: port, TLS: config}, nil), nil, &session.Options{Mode: session.ReadOnly})
}
