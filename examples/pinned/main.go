// The command pinned counts unread mail every hour with a refresh token that an administrator
// looks after, in a file such as a mounted secret:
//
//	go run ./examples/pinned -provider microsoft -client-id … -account you@example.com -token /run/secrets/mail -store ~/.mail
//
// Another token that is put into the file takes effect without a restart. What the
// provider hands out in its place meanwhile is kept in the store.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	name := flag.String("provider", "microsoft", "the provider")
	clientID := flag.String("client-id", "", "the client that the token was given to")
	account := flag.String("account", "", "the mail address")
	token := flag.String("token", "", "the file with the refresh token")
	dir := flag.String("store", "", "the folder where its successors are kept")
	flag.Parse()
	p, err := preset.ByName(*name)
	if err == nil {
		err = watch(ctx, os.Stdout, p.IMAP, p.Config(*clientID, preset.IMAP), *account, *token, *dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pinned:", err)
		stop()
		os.Exit(1)
	}
}

// watch counts the unread mail every hour, until ctx ends.
func watch(ctx context.Context, out io.Writer, server session.Server, cfg *oauth.Config, account, token, dir string) error {
	store, err := state.OpenDir(dir)
	if err != nil {
		return err
	}
	keep := &oauth.Keep{Store: store, Key: "pinned/" + account}
	grant, err := oauth.Pinned(ctx, cfg, oauth.PinFile(token), &oauth.PinOptions{Keep: keep})
	if err != nil {
		return err
	}
	creds := session.Credentials{User: account, Tokens: grant}
	s, err := session.New(creds, imapx.Backend(server, nil), nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return err
	}
	defer s.Close()
	for ctx.Err() == nil {
		counts, err := s.Count(ctx, session.Inbox)
		if err != nil {
			fmt.Fprintln(out, err) // a revoked token waits for its successor
		} else {
			fmt.Fprintf(out, "%d unread\n", counts.Unread)
		}
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
		}
	}
	return nil
}
