package ews_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// A program sends a message, of which Exchange files a copy.
func ExampleOutgoing() {
	box := mailtest.New()
	box.Add("ann@example.com", password())
	bob := box.Add("bob@example.com", password())
	fake := ewstest.New(box, nil)
	defer fake.Close()

	server := session.Server{Host: "mail.example.com", Security: session.None, AllowPlainAuth: true, Dial: fake.Dial}
	creds := session.Credentials{User: "ann@example.com", Password: password()}
	s, err := session.New(creds, nil, ews.Outgoing(server, nil), nil)
	if err != nil {
		log.Println(err)
		return
	}
	defer s.Close()
	m := message.Bytes([]byte("From: ann@example.com\r\nTo: bob@example.com\r\nSubject: Invoice\r\n\r\nAs agreed.\r\n"))
	receipt, err := s.Send(context.Background(), session.Envelope{From: "ann@example.com", To: []string{"bob@example.com"}}, m)
	if err != nil {
		log.Println(err)
		return
	}
	got, err := bob.Messages("INBOX")
	if err != nil {
		log.Println(err)
		return
	}
	fmt.Println(receipt.Outcome, len(got))
	// Output: accepted 1
}
