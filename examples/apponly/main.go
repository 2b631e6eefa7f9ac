// The command apponly counts the unread mail of many mailboxes of a Microsoft 365
// tenant, as a program that no person signs in for:
//
//	CLIENT_SECRET=… go run ./examples/apponly -tenant contoso.com -client-id … info@contoso.com sales@contoso.com
//
// An administrator has to give the client the permission IMAP.AccessAsApp, and
// access to each of the mailboxes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	tenant := flag.String("tenant", "", "the tenant's id or one of its domains")
	clientID := flag.String("client-id", "", "the id of your client, with its secret in the variable CLIENT_SECRET")
	flag.Parse()
	p := preset.Microsoft365(*tenant)
	app, err := oauth.ClientCredentials(p.AppConfig(*clientID, preset.IMAP), oauth.ClientSecret(secret.New(os.Getenv("CLIENT_SECRET"))), nil)
	if err == nil {
		err = countAll(ctx, os.Stdout, p.IMAP, app, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apponly:", err)
		stop()
		os.Exit(1)
	}
}

// countAll prints the number of unread messages of each mailbox. They are asked at
// the same time and share one access token; one that does not open keeps none of
// the others from it.
func countAll(ctx context.Context, out io.Writer, server session.Server, tokens oauth.Sources, mailboxes []string) error {
	counts, errs := make([]session.Counts, len(mailboxes)), make([]error, len(mailboxes))
	var all sync.WaitGroup
	for i, mailbox := range mailboxes {
		all.Go(func() { counts[i], errs[i] = count(ctx, server, session.Credentials{User: mailbox, Tokens: tokens}) })
	}
	all.Wait()
	for i, mailbox := range mailboxes {
		if errs[i] == nil {
			fmt.Fprintf(out, "%s: %d unread of %d\n", mailbox, counts[i].Unread, counts[i].Messages)
		}
	}
	return errors.Join(errs...)
}

// count counts one mailbox.
func count(ctx context.Context, server session.Server, creds session.Credentials) (session.Counts, error) {
	s, err := session.New(creds, imapx.Backend(server, nil), nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return session.Counts{}, err
	}
	defer s.Close()
	return s.Count(ctx, session.Inbox)
}
