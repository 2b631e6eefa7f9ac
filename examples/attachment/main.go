// The command attachment sends a file, with a text from the input:
//
//	echo "As agreed." | PASSWORD=… go run ./examples/attachment -smtp smtp.example.com -from you@example.com \
//		-to bob@example.org -subject "Invoice 7" invoice.pdf
//
// The file is read while it is sent, whatever its size.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"os"
	"os/signal"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	host := flag.String("smtp", "", "the server to send by, with TLS on port 465")
	from := flag.String("from", "", "your address, with the password in the variable PASSWORD")
	to := flag.String("to", "", "addresses, separated by commas")
	subject := flag.String("subject", "", "the subject")
	flag.Parse()
	creds := session.Credentials{User: *from, Password: secret.New(os.Getenv("PASSWORD"))}
	d := &message.Draft{From: mail.Address{Address: *from}, Subject: *subject}
	for _, name := range flag.Args() {
		d.Files = append(d.Files, message.DraftFile{Content: message.File(name)})
	}
	if err := send(ctx, os.Stdout, session.Server{Host: *host}, creds, d, *to, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "attachment:", err)
		stop()
		os.Exit(1)
	}
}

// send sends a draft to addresses as people write them, and says what became of it
// for each: a server may take a message for some and refuse it for others.
func send(ctx context.Context, out io.Writer, server session.Server, creds session.Credentials, d *message.Draft, to string, text io.Reader) error {
	list, err := mail.ParseAddressList(to)
	if err != nil {
		return fmt.Errorf("-to: %w", err)
	}
	for _, a := range list {
		d.To = append(d.To, *a)
	}
	words, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	d.Text = string(words)
	s, err := session.New(creds, nil, smtpx.Backend(server, nil), &session.Options{Mode: session.SendOnly})
	if err != nil {
		return err
	}
	defer s.Close()
	receipt, err := s.SendDraft(ctx, d, nil)
	for _, r := range receipt.Recipients {
		if r.Err == nil {
			fmt.Fprintf(out, "%s: accepted\n", r.Address)
		} else {
			fmt.Fprintf(out, "%s: %v\n", r.Address, r.Err)
		}
	}
	return err
}
