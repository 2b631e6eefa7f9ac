package mailtest_test

import (
	"fmt"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func Example() {
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New("correct horse"))

	// What a server of the provider accepts is delivered by address.
	hello := mailtest.CRLF("From: bob@example.org\nTo: ann@example.com\nSubject: Hello\n\nHi Ann.\n")
	if err := box.Deliver(hello, "ann@example.com", "nobody@example.com"); err != nil {
		fmt.Println(err)
	}

	// A test looks at what happened.
	messages, err := ann.Messages("INBOX")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range messages {
		fmt.Printf("UID %d, %d bytes, seen: %t\n", m.UID, len(m.Raw), m.Has(mailtest.Seen))
	}
	// Output:
	// mailtest: deliver to "nobody@example.com": no such recipient
	// UID 1, 71 bytes, seen: false
}

func ExampleBox_Watch() {
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New("correct horse"))
	stop := box.Watch(func(c mailtest.Change) { fmt.Println(c.Account, c.Folder, c.Kind) })
	defer stop()

	if _, err := ann.Append("INBOX", mailtest.Sample(1), nil); err != nil {
		fmt.Println(err)
	}
	if _, err := ann.Move("INBOX", "Archive", 1); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ann@example.com INBOX appended
	// ann@example.com Archive appended
	// ann@example.com INBOX expunged
}
