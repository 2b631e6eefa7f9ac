package ews_test

import (
	"context"
	"fmt"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func Example() {
	box := mailtest.New()
	account := box.Add("ann@example.com", secret.New("correct horse"))
	if _, err := account.Append("INBOX", mailtest.Sample(1), nil); err != nil {
		fmt.Println(err)
		return
	}
	fake := ewstest.New(box, nil)
	defer func() { _ = fake.Close() }()

	// A real server needs its Host alone.
	server := session.Server{Host: "mail.example.com", Security: session.None, AllowPlainAuth: true, Dial: fake.Dial}
	creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
	s, err := session.New(creds, ews.Backend(server, nil), nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Close() }()
	for m, err := range s.Messages(context.Background(), session.Query{Where: session.Filter{Unread: session.Yes}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Header.Subject(), m.Flags)
	}
	// Output: Sample 1 []
}

func ExampleParseURL() {
	server, path, err := ews.ParseURL("https://mail.contoso.com/EWS/Exchange.asmx")
	if err != nil {
		fmt.Println(err)
		return
	}
	creds := session.Credentials{User: `CONTOSO\ann`, Password: secret.New("correct horse")}
	s, err := session.New(creds, ews.Backend(server, &ews.Options{Path: path, Mailbox: "support@contoso.com"}), nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Close() }() // nothing was opened
	fmt.Println(server.Host, path)
	// Output: mail.contoso.com /EWS/Exchange.asmx
}
