// The command intake takes each mail of a shared mailbox once, as a program that no
// person signs in for: it saves the files that came with it, and moves it to the
// folder Done. It goes on where it ended, and takes what comes until it is
// interrupted:
//
//	CLIENT_SECRET=… go run ./examples/intake -tenant contoso.com -client-id … -mailbox invoices@contoso.com -dir intake
//
// An administrator has to give the client the permission IMAP.AccessAsApp, and
// access to the mailbox.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	tenant := flag.String("tenant", "", "the tenant's id or one of its domains")
	clientID := flag.String("client-id", "", "the id of your client, with its secret in the variable CLIENT_SECRET")
	mailbox := flag.String("mailbox", "", "the address of the mailbox")
	dir := flag.String("dir", "", "the folder for files, and for what is known of the mails")
	flag.Parse()
	p := preset.Microsoft365(*tenant)
	app, err := oauth.ClientCredentials(p.AppConfig(*clientID, preset.IMAP), oauth.ClientSecret(secret.New(os.Getenv("CLIENT_SECRET"))), nil)
	if err == nil {
		err = intake(ctx, os.Stdout, p.IMAP, session.Credentials{User: *mailbox, Tokens: app}, *dir, true)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "intake:", err)
		stop()
		os.Exit(1)
	}
}

// intake takes the mails that are there, and those that come if it is to watch.
func intake(ctx context.Context, out io.Writer, server session.Server, creds session.Credentials, dir string, watch bool) error {
	store, err := state.OpenDir(filepath.Join(dir, "state"))
	if err != nil {
		return err
	}
	s, err := session.New(creds, imapx.Backend(server, nil), nil, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	opts := &session.ProcessOptions{Watch: watch}
	if opts.Done, err = s.EnsureFolder(ctx, "Done"); err != nil {
		return err
	}
	if opts.Problem, err = s.EnsureFolder(ctx, "Problem"); err != nil {
		return err
	}
	opts.Told = func(t session.Task, o session.TaskOutcome, err error) {
		fmt.Fprintf(out, "%v: %s", o, t.Message.Header.Subject())
		if err != nil {
			fmt.Fprintf(out, ": %v", err)
		}
		fmt.Fprintln(out)
	}
	_, err = s.Process(ctx, session.Progress{Store: store, Name: "intake"}, session.Query{}, func(ctx context.Context, t session.Task) error {
		m, err := s.Read(ctx, t.Message.ID)
		if err != nil {
			return err
		}
		return save(filepath.Join(dir, "files", t.Key), m) // the same folder at each try
	}, opts)
	return err
}

// save writes the attachments of a message to a folder of their own.
func save(folder string, m *message.Message) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var names message.FileNames
	for _, a := range m.Attachments {
		if err := os.WriteFile(filepath.Join(folder, names.Unique(a.FileName())), a.Content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
