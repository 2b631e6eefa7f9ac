// The command unread lists the unread mail of a mailbox that still opens by
// password, newest first:
//
//	PASSWORD=… go run ./examples/unread imap.example.com you@example.com
//
// It uses the packages session and imapx and no others but secret, and shows
// how little such a program is; see `make size`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: PASSWORD=… unread HOST USER")
		os.Exit(2)
	}
	creds := session.Credentials{User: os.Args[2], Password: secret.New(os.Getenv("PASSWORD"))}
	if err := list(ctx, os.Stdout, session.Server{Host: os.Args[1]}, creds); err != nil {
		fmt.Fprintln(os.Stderr, "unread:", err)
		stop()
		os.Exit(1)
	}
}

// list prints a line for each unread message. One that cannot be read is told
// and passed over.
func list(ctx context.Context, out io.Writer, server session.Server, creds session.Credentials) error {
	s, err := session.New(creds, imapx.Backend(server, nil), nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return err
	}
	defer s.Close()
	for m, err := range s.Messages(ctx, session.Query{Where: session.Filter{Unread: session.Yes}}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Fprintln(out, bad)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  %s\n", m.Received.Format("2006-01-02 15:04"), m.Header.Subject())
	}
	return nil
}
