package message_test

import (
	"fmt"
	"io"
	"log"
	"net/mail"
	"os"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
)

func Example() {
	const raw = "From: Ann <ann@example.com>\r\n" +
		"To: bob@example.org\r\n" +
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
		"Message-ID: <1@example.com>\r\n" +
		"\r\n" +
		"Are you coming?\r\n"
	msg, err := message.Parse(strings.NewReader(raw), nil)
	if err != nil {
		log.Fatal(err)
	}
	draft, err := message.Reply(msg, message.ReplyOptions{
		From:  mail.Address{Name: "Bob", Address: "bob@example.org"},
		Text:  "Yes.",
		Quote: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(draft.Recipients())
	fmt.Println(draft.Subject)
	fmt.Println(draft.Text)
	// Output:
	// [ann@example.com]
	// Re: Grüße
	// Yes.
	//
	// Ann <ann@example.com> wrote:
	// > Are you coming?
}

func ExampleParseHeader() {
	h := message.ParseHeader([]byte("From: Doe, John <john@example.com>\n" +
		"Subject: =?utf-8?q?Caf=C3=A9?= tomorrow?\n" +
		"Date: Tue, 3 Nov 2026 10:11 CET\n" +
		"this line is no field\n\n"))
	fmt.Println(h.From()[0].Name)
	fmt.Println(h.Subject())
	if date, ok := h.Date(); ok {
		fmt.Println(date.Format(time.RFC3339))
	}
	fmt.Println(h.Defects())
	// Output:
	// Doe, John
	// Café tomorrow?
	// 2026-11-03T10:11:00+01:00
	// [junk-line at byte 108]
}

func ExampleParse() {
	f, err := os.Open("testdata/nested.eml")
	if err != nil {
		log.Fatal(err)
	}
	msg, err := message.Parse(f, &message.ParseOptions{MaxBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", msg.Text)
	for _, a := range msg.Attachments {
		fmt.Println(a.Part, a.ContentType, a.Name, a.Size())
	}
	// Output:
	// "Grüße, see the report.\n-- \nThe list of examples"
	// 1.2 image/png pixel.png 8
	// 2 application/pdf Bericht für März.pdf 9
	// 3 text/plain notes.txt 11
}

func ExampleDraft() {
	d := &message.Draft{
		From:    mail.Address{Name: "Ann", Address: "ann@example.com"},
		To:      []mail.Address{{Name: "Jürgen", Address: "juergen@example.de"}},
		Bcc:     []mail.Address{{Address: "archive@example.com"}},
		Subject: "Hello",
		Text:    "How are you?\n",
		// Both are filled in where they are missing.
		MessageID: "1@example.com",
		Date:      time.Date(2026, 11, 3, 10, 11, 12, 0, time.UTC),
	}
	src, err := d.Source()
	if err != nil {
		log.Fatal(err)
	}
	r, err := src.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Recipients())
	fmt.Print(strings.ReplaceAll(string(raw), "\r\n", "\n"))
	// Output:
	// [juergen@example.de archive@example.com]
	// Date: Tue, 03 Nov 2026 10:11:12 +0000
	// From: Ann <ann@example.com>
	// To: =?utf-8?q?J=C3=BCrgen?= <juergen@example.de>
	// Subject: Hello
	// Message-ID: <1@example.com>
	// MIME-Version: 1.0
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 7bit
	//
	// How are you?
}
