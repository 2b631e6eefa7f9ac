package imapx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// Read the unread mail of a mailbox that opens by password, and move what was
// read to the archive.
func Example() {
	box := mailtest.New()
	account := box.Add("ann@example.com", secret.New("correct horse"))
	fake := imaptest.New(box, &imaptest.Options{Security: mailtest.TLS, Hosts: []string{"imap.example.com"}})
	defer fake.Close()
	for i := range 2 {
		if _, err := account.Append("INBOX", mailtest.Sample(i+1), nil); err != nil {
			fmt.Println(err)
			return
		}
	}

	server := session.Server{Host: "imap.example.com"}
	server.Dial, server.TLS = fake.Dial, fake.ClientTLS() // not with a real server
	client, err := imapx.New(server, session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	ctx := context.Background()
	for m, err := range client.Messages(ctx, session.Query{Where: session.Filter{Unread: session.Yes}}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Println(bad)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		change := session.Change{Set: session.Flags{session.Seen}, MoveTo: session.Archive}
		results, err := client.Apply(ctx, change, m.ID)
		fmt.Println(m.Header.Subject(), results[0].Outcome, err)
	}
	// Output:
	// Sample 2 done <nil>
	// Sample 1 done <nil>
}
