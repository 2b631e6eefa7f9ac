// The command check says why a mailbox does not open, or that it does, for a set of a
// profile:
//
//	PASSWORD=… go run ./examples/check mail.json ann
//
// The file mail.json says how the mailbox is opened; package profile tells what may
// be in it. Where no host is named, the server is found by the address:
//
//	{"version": 1, "sets": {"ann": {
//		"account": "ann@example.com", "password": "env:PASSWORD",
//		"incoming": {"host": "imap.example.com"}, "outgoing": {}
//	}}}
//
// Each stage, from the name server to a search, has a line with its time, and the one
// that fails says what to do. Nothing is changed and nothing is sent.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/profile"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: check FILE SET")
		os.Exit(2)
	}
	if err := check(ctx, os.Stdout, os.Args[1], os.Args[2], nil); err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		stop()
		os.Exit(1)
	}
}

// check prints what is known of a set beforehand, and then what real use comes to.
func check(ctx context.Context, out io.Writer, path, set string, o *profile.Options) error {
	file, err := profile.Load(path, o)
	if err != nil {
		return err
	}
	for _, w := range file.Warnings(time.Now()) {
		fmt.Fprintln(out, w)
	}
	s, err := file.Open(ctx, set)
	if oauth.NeedsSignIn(err) {
		if _, err = file.SignIn(ctx, set); err == nil { // opens the browser
			s, err = file.Open(ctx, set)
		}
	}
	if err != nil {
		return err
	}
	defer s.Close()
	checkup := s.Check(ctx, nil)
	fmt.Fprintln(out, checkup)
	return checkup.Err()
}
