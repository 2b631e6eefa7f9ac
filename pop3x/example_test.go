package pop3x_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// Download all messages of a maildrop, and delete those that are older than two
// weeks.
func Example() {
	box := mailtest.New()
	account := box.Add("ann@example.com", secret.New("correct horse"))
	fake := pop3test.New(box, &pop3test.Options{Security: mailtest.TLS, Hosts: []string{"pop.example.com"}})
	defer fake.Close()
	for _, days := range []int{30, 15, 2} {
		date := time.Now().AddDate(0, 0, -days).Format(time.RFC1123Z)
		raw := fmt.Sprintf("Date: %s\r\nSubject: %d days old\r\n\r\nHello\r\n", date, days)
		if _, err := account.Append("INBOX", raw, nil); err != nil {
			fmt.Println(err)
			return
		}
	}

	server := session.Server{Host: "pop.example.com"}
	server.Dial, server.TLS = fake.Dial, fake.ClientTLS() // not with a real server
	client, err := pop3x.New(server, session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	ctx := context.Background()
	var ids []session.ID
	for m, err := range client.Messages(ctx, session.Query{OldestFirst: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Header.Subject())
		ids = append(ids, m.ID)
	}
	for body, err := range client.Bodies(ctx, ids...) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Println(bad)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		n, err := io.Copy(io.Discard, body) // into a file, as a rule
		fmt.Println(n > 0, err)
	}
	results, err := client.DeleteBefore(ctx, time.Now().AddDate(0, 0, -14))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		fmt.Println(r.Outcome)
	}
	// Output:
	// 30 days old
	// 15 days old
	// 2 days old
	// true <nil>
	// true <nil>
	// true <nil>
	// done
	// done
}
