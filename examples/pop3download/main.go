// The command pop3download stores the mail of a POP3 maildrop in a folder, one file a
// message, and leaves the maildrop as it is; a later run reads what is new:
//
//	PASSWORD=… go run ./examples/pop3download pop.example.com you@example.com mail
package main

import (
	"context"
	"crypto/sha256"
	"errors"
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
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: PASSWORD=… pop3download HOST USER FOLDER")
		os.Exit(2)
	}
	creds := session.Credentials{User: os.Args[2], Password: secret.New(os.Getenv("PASSWORD"))}
	if err := download(ctx, os.Stdout, session.Server{Host: os.Args[1]}, creds, os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "pop3download:", err)
		stop()
		os.Exit(1)
	}
}

// download stores what is new in the folder and says how much that is.
func download(ctx context.Context, out io.Writer, server session.Server, creds session.Credentials, folder string) error {
	s, err := session.New(creds, pop3x.Backend(server, nil), nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return err
	}
	defer s.Close()
	files, fresh := map[session.ID]string{}, []session.ID{}
	for m, err := range s.Messages(ctx, session.Query{Fields: session.FieldSize, OldestFirst: true}) {
		if err != nil {
			return err
		}
		files[m.ID] = filepath.Join(folder, fmt.Sprintf("%x.eml", sha256.Sum256([]byte(m.ID.String()))))
		if _, err := os.Stat(files[m.ID]); err != nil {
			fresh = append(fresh, m.ID)
		}
	}
	var failed error // of messages, which the next run reads
	for body, err := range s.Bodies(ctx, fresh...) {
		if err == nil {
			err = store(files[body.ID], body)
		}
		failed = errors.Join(failed, err)
	}
	fmt.Fprintf(out, "%d messages, %d of them stored before\n", len(files), len(files)-len(fresh))
	return failed
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
