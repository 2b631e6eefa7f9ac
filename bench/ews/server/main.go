// Command server is a fake Exchange server. Its arguments are mailboxes, each an
// address, how many messages there are, and how long they are: ann@example.test
// 2000 20000. It prints the address where it listens, and ends when its standard
// input does.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("server: ")
	ca := flag.String("tls", "", "protect connections by TLS, and write the authority's certificate into this file")
	password := flag.String("password", "", "the password of all mailboxes")
	flag.Parse()
	if err := run(*ca, secret.New(*password), flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ca string, password secret.Text, mailboxes []string) error {
	box := mailtest.New()
	for ; len(mailboxes) >= 3; mailboxes = mailboxes[3:] {
		if err := fill(box.Add(mailboxes[0], password), mailboxes[1], mailboxes[2]); err != nil {
			return err
		}
	}
	o := &ewstest.Options{Schemes: []string{ewstest.Basic}}
	if ca != "" {
		authority, err := testtls.New()
		if err != nil {
			return err
		}
		o.Security, o.TLS = mailtest.TLS, authority.Server()
		if err := os.WriteFile(ca, authority.CertPEM(), 0o600); err != nil {
			return err
		}
	}
	server := ewstest.New(box, o)
	if err := server.Listen(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, server.Addr()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
	return server.Close()
}

// fill puts messages into the inbox.
func fill(account *mailtest.Account, count, size string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	long, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	for m := range compare.Messages(n, long) {
		if _, err := account.Append("INBOX", string(m), nil); err != nil {
			return err
		}
	}
	return nil
}
