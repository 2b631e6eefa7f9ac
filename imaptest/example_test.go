package imaptest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func Example() {
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New("correct horse"))
	if _, err := ann.Append("INBOX", mailtest.Sample(1), nil); err != nil {
		fmt.Println(err)
		return
	}
	server := imaptest.New(box, nil)
	defer func() { _ = server.Close() }()

	// The first SELECT is throttled, as a busy provider does.
	server.Inject(mailtest.Reply("SELECT", "NO [THROTTLED] slow down"))

	// A real test hands server.Dial to the client under test.
	conn, err := server.Dial(context.Background(), "tcp", "imap.example.com:143")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "a1 LOGIN ann@example.com \"correct horse\"\r\na2 SELECT INBOX\r\na3 STATUS INBOX (MESSAGES)\r\na4 LOGOUT\r\n"); err != nil {
		fmt.Println(err)
		return
	}
	answers := bufio.NewScanner(conn)
	for answers.Scan() {
		if line := answers.Text(); line[0] != '*' && line[:2] != "a1" {
			fmt.Println(line)
		}
	}

	for _, c := range server.Commands() {
		fmt.Println("client:", c.Line)
	}
	// Output:
	// a2 NO [THROTTLED] slow down
	// a3 OK STATUS completed
	// a4 OK LOGOUT completed
	// client: a1 LOGIN "ann@example.com" [redacted]
	// client: a2 SELECT INBOX
	// client: a3 STATUS INBOX (MESSAGES)
	// client: a4 LOGOUT
}
