package transcript_test

import (
	"os"

	"github.com/mailsession/mailsession/internal/transcript"
)

func ExampleRecorder() {
	r := transcript.New(os.Stdout, transcript.IMAP())
	r.Received([]byte("* OK ready\r\n"))
	r.Sent([]byte("a1 LOGIN bob {7}\r\n"))
	r.Received([]byte("+ go on\r\n"))
	r.Sent([]byte("hunter2\r\n"))
	r.Received([]byte("a1 OK logged in\r\n* 1 FETCH (BODY[] {5}\r\nhello)\r\n"))
	// Output:
	// S: * OK ready
	// C: a1 LOGIN [redacted]
	// S: + go on
	// C: [redacted]
	// S: a1 OK logged in
	// S: * 1 FETCH (BODY[] {5}
	// S: [literal 5 bytes])
}
