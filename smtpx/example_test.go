package smtpx_test

import (
	"context"
	"fmt"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

func Example() {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	box.Add("bob@example.com", secret.New("battery horse"))
	fake := smtptest.New(box, &smtptest.Options{Security: mailtest.TLS, Hosts: []string{"mail.example.com"}})
	defer fake.Close()

	creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
	server := session.Server{Host: "mail.example.com", TLS: fake.ClientTLS(), Dial: fake.Dial}
	client, err := smtpx.New(server, creds, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	letter := message.Bytes([]byte("Message-ID: <1@example.com>\r\nSubject: hello\r\n\r\nHi Bob!\r\n"))
	to := session.Envelope{From: "ann@example.com", To: []string{"bob@example.com", "nobody@example.com"}}
	receipt, err := client.Send(context.Background(), to, letter)
	fmt.Println(receipt.Outcome)
	fmt.Println(err)
	for _, r := range receipt.Recipients {
		fmt.Println(r.Address, r.Accepted)
	}
	// Output:
	// partial
	// message 1@example.com accepted for 1 of 2 recipients: mail.example.com:465: RCPT nobody@example.com: 550 5.1.1 User unknown
	// bob@example.com true
	// nobody@example.com false
}
