// The command exchange tells of each message that comes to the inbox of a mailbox on
// an Exchange server of a company's own, by EWS and with NTLM, until it is
// interrupted:
//
//	PASSWORD=… go run ./examples/exchange -url https://mail.contoso.com/EWS/Exchange.asmx -user 'CONTOSO\ann' -dir watched
//
// What comes while it does not run is told by the next run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	url := flag.String("url", "", "the address of the service, as Exchange's own tools print it")
	user := flag.String("user", "", `who signs in, as DOMAIN\user or by mail address, with the password in the variable PASSWORD`)
	dir := flag.String("dir", "", "the folder to keep in how far it came")
	flag.Parse()
	creds := session.Credentials{User: *user, Password: secret.New(os.Getenv("PASSWORD"))}
	server, path, err := ews.ParseURL(*url)
	if err == nil {
		server.Mechanisms = []string{ews.NTLM} // without this, Basic where the server takes it
		err = watch(ctx, os.Stdout, ews.Backend(server, &ews.Options{Path: path}), creds, *dir)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "exchange:", err)
		stop()
		os.Exit(1)
	}
}

// watch prints a line for each new message, until ctx ends.
func watch(ctx context.Context, out io.Writer, way session.IncomingBackend, creds session.Credentials, dir string) error {
	store, err := state.OpenDir(dir)
	if err != nil {
		return err
	}
	s, err := session.New(creds, way, nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return err
	}
	defer s.Close()
	opts := &session.WatchOptions{}
	kept, err := store.Load(ctx, "cursor")
	if err != nil {
		return err
	}
	if kept.Version != "" { // it ran before
		var since session.Cursor
		if err := since.UnmarshalText(kept.Value); err != nil {
			return err
		}
		opts.Since = map[session.FolderRef]session.Cursor{session.Inbox: since}
	}
	for e, err := range s.Watch(ctx, nil, opts) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Fprintln(out, bad)
		} else if err != nil {
			return err
		} else if e.Kind == session.EventNew {
			fmt.Fprintf(out, "%s  %s\n", e.Message.Received.Format("2006-01-02 15:04"), e.Message.Header.Subject())
		}
		if e.Cursor.IsZero() {
			continue
		}
		// All before it has been told, and that is kept even if ctx ended meanwhile.
		if kept.Version, err = store.CompareAndSwap(context.WithoutCancel(ctx), "cursor", kept.Version, []byte(e.Cursor.String())); err != nil {
			return err
		}
	}
	return nil
}
