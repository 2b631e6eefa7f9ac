// Command fakes serves mailboxes, "u0@example.org" and so on, by IMAP until its
// standard input ends. It prints its address.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("fakes: ")
	mailboxes := flag.Int("mailboxes", 1000, "how many mailboxes there are")
	ca := flag.String("ca", "", "the file to write the authority into")
	encrypted := flag.Bool("tls", true, "whether connections begin with TLS")
	flag.Parse()
	if err := serve(*mailboxes, *ca, *encrypted); err != nil {
		log.Fatal(err)
	}
}

func serve(mailboxes int, ca string, encrypted bool) error {
	authority, err := testtls.New()
	if err != nil {
		return err
	}
	if err := os.WriteFile(ca, authority.CertPEM(), 0o600); err != nil {
		return err
	}
	box := mailtest.New()
	for n := range mailboxes {
		a := box.Add(fmt.Sprintf("u%d@example.org", n), secret.New("horse"))
		if _, err := a.Append("INBOX", mailtest.Sample(n), nil); err != nil {
			return err
		}
	}
	o := imaptest.Options{TLS: authority.Server()}
	if encrypted {
		o.Security = mailtest.TLS
	}
	server := imaptest.New(box, &o)
	defer server.Close()
	if err := server.Listen(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, server.Addr()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
