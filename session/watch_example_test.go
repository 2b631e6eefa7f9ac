package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// watched returns a Session over a mailbox in memory, and the box that mail is
// delivered to.
func watched() (*session.Session, *mailtest.Box) {
	server := &sessiontest.Reference{Box: mailtest.New(), Facts: sessiontest.ReferenceFacts()}
	password := secret.New("correct horse")
	server.Box.Add("ann@example.com", password)
	creds := session.Credentials{User: "ann@example.com", Password: password}
	s, err := session.New(creds, server.Incoming(server.Dial), nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	return s, server.Box
}

// A program is told what comes, and keeps the cursor: the next run begins there.
func ExampleSession_Watch() {
	s, box := watched()
	defer s.Close()
	ctx := context.Background()

	var since session.Cursor // kept from the last run
	opts := &session.WatchOptions{Since: map[session.FolderRef]session.Cursor{session.Inbox: since}}
	for e, err := range s.Watch(ctx, nil, opts) {
		if item, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Println("cannot be read:", item.ID)
			continue
		}
		if err != nil {
			log.Println(err)
			return
		}
		if !e.Cursor.IsZero() {
			since = e.Cursor // to be written down, once the event has been dealt with
		}
		if e.Kind == session.EventListening {
			fmt.Println("listening")
			if err := box.Deliver(mailtest.Sample(1), "ann@example.com"); err != nil {
				log.Println(err)
			}
		}
		if e.Kind == session.EventNew {
			fmt.Println("new:", e.Message.Header.Subject())
			break
		}
	}
	fmt.Println("to go on from:", !since.IsZero())
	// Output:
	// listening
	// new: Sample 1
	// to go on from: true
}

// A test or a program that expects one message waits for it, whether it is there
// already or is yet to come.
func ExampleSession_WaitFor() {
	s, box := watched()
	defer s.Close()

	go func() {
		if err := box.Deliver(mailtest.Sample(2), "ann@example.com"); err != nil {
			log.Println(err)
		}
	}()
	m, err := s.WaitFor(context.Background(), session.Query{Where: session.Filter{Subject: "Sample 2"}}, nil)
	if err != nil {
		log.Println(err)
		return
	}
	fmt.Println(m.Header.Subject())
	// Output: Sample 2
}
