package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// A program that enters each bill once, and puts aside what is none.
func ExampleSession_Process() {
	s, box := watched()
	defer s.Close()
	for n := range 3 {
		if err := box.Deliver(mailtest.Sample(n+1), "ann@example.com"); err != nil {
			log.Println(err)
			return
		}
	}
	progress := session.Progress{Store: state.NewMemory(), Name: "bills/inbox"}
	entered := map[string]bool{} // by the key, so that nothing is entered twice
	enter := func(_ context.Context, t session.Task) error {
		if t.Message.Header.Subject() == "Sample 2" {
			return session.GiveUp(errors.New("no bill"))
		}
		entered[t.Key] = true
		fmt.Println("entered", t.Message.Header.Subject())
		return nil
	}
	opts := &session.ProcessOptions{Done: session.Archive, Problem: session.Junk}
	for range 2 { // a second call finds nothing left to do
		done, err := s.Process(context.Background(), progress, session.Query{}, enter, opts)
		fmt.Printf("%d done, %d problems, %v\n", done.Done, done.Problems, err)
	}
	// Output:
	// entered Sample 1
	// entered Sample 3
	// 2 done, 1 problems, <nil>
	// 0 done, 0 problems, <nil>
}
