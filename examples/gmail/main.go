// The command gmail lists the unread mail of the last week in the inbox that has a
// label, and marks it as read:
//
//	CLIENT_SECRET=… go run ./examples/gmail -client-id … -label work
//
// The first run opens the browser. What the sign-in gave is kept in the user's
// configuration folder, in clear text and readable by the user alone; package
// state/seal encrypts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	clientID := flag.String("client-id", "", "the id of your client for desktop programs, with its secret in the variable CLIENT_SECRET")
	label := flag.String("label", "", "the label")
	flag.Parse()
	if err := run(ctx, *clientID, *label); err != nil {
		fmt.Fprintln(os.Stderr, "gmail:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, clientID, label string) error {
	home, err := os.UserConfigDir()
	if err != nil {
		return err
	}
	store, err := state.OpenDir(filepath.Join(home, "mailsession-gmail"))
	if err != nil {
		return err
	}
	p := preset.Google()
	cfg := p.Config(clientID, preset.IMAP)
	cfg.ClientSecret = secret.New(os.Getenv("CLIENT_SECRET"))
	how := &oauth.SignInOptions{Keep: &oauth.Keep{Store: store, Key: "grant"}}
	return markRead(ctx, os.Stdout, p.IMAP, cfg, how, label)
}

// markRead signs in where nobody has, lists the mail, and marks what it has listed.
func markRead(ctx context.Context, out io.Writer, server session.Server, cfg *oauth.Config, how *oauth.SignInOptions, label string) error {
	grant, err := oauth.OpenOrSignIn(ctx, cfg, how)
	if err != nil {
		return err
	}
	s, err := session.New(session.Credentials{User: grant.Address(), Tokens: grant}, imapx.Backend(server, nil), nil, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	var listed []session.ID
	where := session.Filter{Unread: session.Yes, Label: label, Since: time.Now().AddDate(0, 0, -7)}
	for m, err := range s.Messages(ctx, session.Query{Where: where}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Fprintln(out, bad)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  %s\n", m.Received.Format(time.DateOnly), m.Header.Subject())
		listed = append(listed, m.ID)
	}
	results, err := s.Apply(ctx, session.Change{Set: session.Flags{session.Seen}}, listed...)
	for _, r := range results {
		err = errors.Join(err, r.Err) // of each message that could not be marked
	}
	return err
}
