package pop3test_test

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
)

func Example() {
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New("correct horse"))
	if _, err := ann.Append("INBOX", mailtest.Sample(1), nil); err != nil {
		fmt.Println(err)
		return
	}
	server := pop3test.New(box, nil)
	defer func() { _ = server.Close() }()

	// The first listing lacks the line of the only message.
	server.Inject(mailtest.WithoutLine("UIDL", 2))

	// A real test hands server.Dial to the client under test.
	conn, err := server.Dial(context.Background(), "tcp", "pop.example.com:110")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "USER ann@example.com\r\nPASS correct horse\r\nUIDL\r\nUIDL\r\nDELE 1\r\nQUIT\r\n"); err != nil {
		fmt.Println(err)
		return
	}
	answers := bufio.NewScanner(conn)
	for answers.Scan() {
		fmt.Println(answers.Text())
	}

	inbox, err := ann.Messages("INBOX")
	fmt.Println(len(inbox), "messages are left,", err)
	fmt.Println("The client said", server.Commands()[1].Line)
	// Output:
	// +OK pop3test ready
	// +OK Say the password
	// +OK Signed in
	// +OK Unique-ids follow
	// .
	// +OK Unique-ids follow
	// 1 0000000100001b59
	// .
	// +OK Marked to be deleted
	// +OK Bye
	// 0 messages are left, <nil>
	// The client said PASS [redacted]
}
