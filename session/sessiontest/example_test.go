package sessiontest_test

import (
	"context"
	"fmt"
	"net/mail"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// A Reference stands in for any backend where a program's own code is tested.
func ExampleReference() {
	server := &sessiontest.Reference{Box: mailtest.New(), Facts: sessiontest.ReferenceFacts()}
	server.Box.Add("ann@example.com", secret.New("correct horse"))
	creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
	s, err := session.New(creds, server.Incoming(server.Dial), server.Outgoing(server.Dial), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ann := mail.Address{Address: "ann@example.com"}
	note := &message.Draft{From: ann, To: []mail.Address{ann}, Subject: "Do not forget", Text: "the milk\n"}
	receipt, err := s.SendDraft(context.Background(), note, nil)
	fmt.Println(receipt.Outcome, err)
	for m, err := range s.Messages(context.Background(), session.Query{}) {
		fmt.Println(m.Header.Subject(), err)
	}
	// Output:
	// accepted <nil>
	// Do not forget <nil>
}
