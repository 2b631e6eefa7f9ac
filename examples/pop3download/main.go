// The command pop3download reads all mail of a POP3 maildrop into a folder, one
// file a message, and leaves the maildrop as it is; with -delete it removes
// afterwards what was stored:
//
//	PASSWORD=… go run ./examples/pop3download pop.example.com you@example.com mail
//
// Each file is named for its message, so that a later run reads what is new.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	remove := flag.Bool("delete", false, "delete what is stored")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: PASSWORD=… pop3download [-delete] HOST USER FOLDER")
		os.Exit(2)
	}
	creds := session.Credentials{User: flag.Arg(1), Password: secret.New(os.Getenv("PASSWORD"))}
	err := download(ctx, os.Stdout, session.Server{Host: flag.Arg(0)}, creds, flag.Arg(2), *remove)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pop3download:", err)
		stop()
		os.Exit(1)
	}
}

// download stores what is new in the folder and says how much that is.
func download(ctx context.Context, out io.Writer, server session.Server, creds session.Credentials, folder string, remove bool) error {
	s, err := session.New(creds, pop3x.Backend(server, nil), nil, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	files := map[session.ID]string{}
	var fresh, stored []session.ID
	for m, err := range s.Messages(ctx, session.Query{Fields: session.FieldSize, OldestFirst: true}) {
		if err != nil {
			return err
		}
		files[m.ID] = filepath.Join(folder, fmt.Sprintf("%x.eml", sha256.Sum256([]byte(m.ID.String()))))
		if _, err := os.Stat(files[m.ID]); err == nil {
			stored = append(stored, m.ID)
		} else {
			fresh = append(fresh, m.ID)
		}
	}
	var failed error // of messages, which stay on the server
	for body, err := range s.Bodies(ctx, fresh...) {
		if err == nil {
			err = store(files[body.ID], body)
		}
		if err == nil {
			stored = append(stored, body.ID)
		}
		failed = errors.Join(failed, err)
	}
	fmt.Fprintf(out, "%d messages, %d of them stored before\n", len(files), len(files)-len(fresh))
	if !remove || len(stored) == 0 {
		return failed
	}
	results, err := s.Apply(ctx, session.Change{Delete: true}, stored...)
	for _, r := range results {
		fmt.Fprintf(out, "delete: %v\n", r.Outcome)
	}
	return errors.Join(failed, err)
}

// store writes a message that comes whole to its file, and nothing otherwise.
func store(name string, body io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(name), "*.part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
