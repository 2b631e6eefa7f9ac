package ews_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// A program knows an address and a password, finds the server, and reads there.
func ExampleDiscover() {
	box := mailtest.New()
	box.Add("ann@example.com", password())
	if err := box.Deliver(mailtest.Sample(1), "ann@example.com"); err != nil {
		log.Fatal(err)
	}
	server := ewstest.New(box, &ewstest.Options{Security: mailtest.TLS, Hosts: []string{"example.com"}})
	defer server.Close()

	ctx := context.Background()
	creds := session.Credentials{User: "ann@example.com", Password: password()}
	found, err := ews.Discover(ctx, "ann@example.com", &ews.DiscoverOptions{
		Credentials: creds,
		Dial:        server.Dial, TLS: server.ClientTLS(),
	})
	if err != nil {
		log.Println(err)
		return
	}
	fmt.Println(found.By, found.URL)

	at := found.Server
	at.Dial, at.TLS = server.Dial, server.ClientTLS()
	s, err := session.New(creds, ews.Backend(at, &ews.Options{Path: found.Path}), nil, nil)
	if err != nil {
		log.Println(err)
		return
	}
	defer s.Close()
	for m, err := range s.Messages(ctx, session.Query{}) {
		if err != nil {
			log.Println(err)
			return
		}
		fmt.Println(m.Header.Subject())
	}
	// Output:
	// Autodiscover v2 https://example.com/EWS/Exchange.asmx
	// Sample 1
}
