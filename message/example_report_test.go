package message_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/mailsession/mailsession/message"
)

// A program that sends to many takes those off its list whose mailbox does not
// exist, and leaves those alone where another try may help.
func ExampleReadReport() {
	bounce, err := os.Open("testdata/report/failed.eml")
	if err != nil {
		log.Fatal(err)
	}
	defer bounce.Close()
	report, err := message.ReadReport(bounce, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("about %s, %s\n", report.MessageID, report.Certainty)
	for _, r := range report.Recipients {
		fmt.Printf("%s %s: %s (%s)\n", r.Address(), r.Action, r.Status.Meaning(), r.Status)
	}
	// Output:
	// about lunch@example.com, stated
	// robert@example.org failed: the mailbox does not exist (5.1.1)
	// carol@example.org failed: the mailbox is full (5.2.2)
}

func ExampleErrNotReport() {
	_, err := message.ReadReport(strings.NewReader("From: bob@example.org\r\n\r\nYour mail came back to me!\r\n"), nil)
	fmt.Println(errors.Is(err, message.ErrNotReport))
	// Output: true
}

func ExampleStatusCode() {
	code, ok := message.ParseStatusCode("4.2.2 (try later)")
	fmt.Println(ok, code, code.Temporary(), code.Meaning())
	// Output: true 4.2.2 true the mailbox is full
}
