// The command mailing writes to everybody in a table, each in their own words, and
// sends each message once:
//
//	PASSWORD=… go run ./examples/mailing -smtp smtp.example.com -from shop@example.com -name may-2026 -dir mailing customers.csv
//
// The table has the columns key, address and name. The messages lie in an outbox in
// the folder until they are sent. The same command given again, after a crash as
// well, sends what is left: what was refused for the time being is tried again for
// two days. At the end it prints what became of the messages, and a line for each
// recipient of whom it is not certain that they have got one.
package main

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"os"
	"os/signal"

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
	host := flag.String("smtp", "", "the server to send by, with TLS on port 465")
	from := flag.String("from", "", "your address, with the password in the variable PASSWORD")
	name := flag.String("name", "", "the name of the mailing: a key of the table gets one message of that name")
	dir := flag.String("dir", "", "the folder that the outbox is kept in")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: PASSWORD=… mailing -smtp HOST -from ADDRESS -name NAME -dir FOLDER TABLE")
		os.Exit(2)
	}
	creds := session.Credentials{User: *from, Password: secret.New(os.Getenv("PASSWORD"))}
	table, err := os.Open(flag.Arg(0))
	if err == nil {
		err = send(ctx, os.Stdout, session.Server{Host: *host}, creds, *dir, *name, table)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mailing:", err)
		stop()
		os.Exit(1)
	}
}

// send enqueues a message for each row of the table, sends what is due, and reports.
func send(ctx context.Context, out io.Writer, server session.Server, creds session.Credentials, dir, name string, table io.Reader) error {
	store, err := state.OpenDir(dir)
	if err != nil {
		return err
	}
	s, err := session.New(creds, nil, smtpx.Backend(server, nil), &session.Options{Mode: session.SendOnly})
	if err != nil {
		return err
	}
	defer s.Close()
	box, err := outbox.New(store, s, nil)
	if err != nil {
		return err
	}
	customers := csv.NewReader(table)
	customers.FieldsPerRecord = 3 // key, address and name
	rows, err := customers.ReadAll()
	if err != nil {
		return err
	}
	for _, row := range rows[min(1, len(rows)):] {
		if _, err := box.EnqueueDraft(ctx, name+"/"+row[0], draft(creds.User, row[1], row[2])); err != nil {
			return err // a message that is there already is none
		}
	}
	if err := box.Drain(ctx); err != nil {
		return err
	}
	return report(ctx, out, box)
}

// draft is the message for one customer.
func draft(from, address, name string) *message.Draft {
	return &message.Draft{
		From: mail.Address{Address: from}, To: []mail.Address{{Name: name, Address: address}},
		Subject: "Your bill, " + name, Text: "Dear " + name + ",\n\nyour bill is ready.\n",
	}
}

// report tells what became of all messages.
func report(ctx context.Context, out io.Writer, box *outbox.Outbox) error {
	counts := map[outbox.State]int{}
	for e, err := range box.Entries(ctx) {
		if err != nil {
			return err
		}
		counts[e.State]++
		for _, r := range e.Recipients {
			if r.State != outbox.Accepted {
				fmt.Fprintf(out, "%s: %s: %s %s\n", e.Key, r.Address, r.State, r.Err)
			}
		}
	}
	for _, s := range []outbox.State{outbox.StateSent, outbox.StatePartial, outbox.StateFailed, outbox.StateUnknown, outbox.StateNew} {
		fmt.Fprintf(out, "%s %d\n", s, counts[s])
	}
	return nil
}
