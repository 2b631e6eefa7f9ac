// The command outbox sends mail by an outbox in a folder, so that each message goes
// out once, whatever becomes of the program:
//
//	export PASSWORD=…
//	go run ./examples/outbox -dir ~/.outbox -imap imap.example.com -smtp smtp.example.com -user you@example.com \
//		send invoice-4711 bob@example.org "Invoice 4711" < invoice.txt
//	go run ./examples/outbox … list
//
// The command send enqueues a message under a key and sends what is due. It may be
// given again, after a crash as well: then it watches for a minute whether nobody is
// sending the message any more, and tells what is known of it. The other commands are run, which sends until it
// is interrupted, list, and for a message of which it is not known whether it was
// sent, or that was not: sent, again and drop, each with the key.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"os"
	"os/signal"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
	"github.com/mailsession/mailsession/state"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var p program
	p.in, p.out = os.Stdin, os.Stdout
	flag.StringVar(&p.dir, "dir", "", "the folder that the outbox is kept in")
	flag.StringVar(&p.imap.Host, "imap", "", "the server of the mailbox, for copies of what is sent")
	flag.StringVar(&p.smtp.Host, "smtp", "", "the server to send by")
	flag.BoolVar(&p.smtp.FilesSent, "files-sent", false, "the server files what is sent by itself")
	flag.StringVar(&p.creds.User, "user", "", "your address, with the password in the variable PASSWORD")
	flag.Parse()
	p.creds.Password = secret.New(os.Getenv("PASSWORD"))
	if err := p.run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "outbox:", err)
		stop()
		os.Exit(1)
	}
}

// program is what the command works with.
type program struct {
	in         io.Reader
	out        io.Writer
	dir        string
	imap, smtp session.Server
	creds      session.Credentials
}

// run carries out one command.
func (p *program) run(ctx context.Context, args []string) error {
	store, err := state.OpenDir(p.dir)
	if err != nil {
		return err
	}
	s, err := session.New(p.creds, imapx.Backend(p.imap, nil), smtpx.Backend(p.smtp, nil), &session.Options{SaveSent: session.SentAuto})
	if err != nil {
		return err
	}
	defer s.Close()
	box, err := outbox.New(store, s, &outbox.Options{Changed: p.tell})
	if err != nil {
		return err
	}
	byKey := map[string]func(context.Context, string) error{"sent": box.MarkSent, "again": box.Resend, "drop": box.Drop}
	switch {
	case len(args) == 4 && args[0] == "send":
		return p.send(ctx, box, [3]string(args[1:]))
	case len(args) == 1 && args[0] == "run":
		if err := box.Run(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	case len(args) == 1 && args[0] == "list":
		return p.list(ctx, box)
	case len(args) == 2 && byKey[args[0]] != nil:
		if err := byKey[args[0]](ctx, args[1]); err != nil {
			return err
		}
		return box.Drain(ctx)
	}
	return errors.New("the commands are send KEY TO SUBJECT, run, list, sent KEY, again KEY and drop KEY")
}

// send enqueues a message with the text from the input, and sends what is due. It is
// given a key, an address and a subject.
func (p *program) send(ctx context.Context, box *outbox.Outbox, args [3]string) error {
	key, to, subject := args[0], args[1], args[2]
	text, err := io.ReadAll(p.in)
	if err != nil {
		return err
	}
	_, err = box.EnqueueDraft(ctx, key, &message.Draft{
		From: mail.Address{Address: p.creds.User}, To: []mail.Address{{Address: to}}, Subject: subject, Text: string(text),
	})
	if err != nil {
		return err
	}
	return box.Drain(ctx)
}

// list tells of all messages.
func (p *program) list(ctx context.Context, box *outbox.Outbox) error {
	for e, err := range box.Entries(ctx) {
		if err != nil {
			return err
		}
		p.tell(e)
	}
	return nil
}

// tell prints a line about a message.
func (p *program) tell(e outbox.Entry) {
	line := fmt.Sprintf("%-8s %s to %s", e.State, e.Key, e.Recipients[0].Address)
	if n := len(e.Recipients) - 1; n > 0 {
		line += fmt.Sprintf(" and %d more", n)
	}
	if e.Copy != session.CopyNone {
		line += fmt.Sprintf(", copy %v", e.Copy)
	}
	if e.Err != "" {
		line += ": " + e.Err
	}
	fmt.Fprintln(p.out, line)
}
