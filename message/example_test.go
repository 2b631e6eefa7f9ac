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
	defer f.Close()
	msg, err := message.Parse(f, &message.ParseOptions{MaxBytes: 1 << 20})
	if err != nil {
		log.Fatal(err) // bytes are missing
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

// A message beyond a limit is read all the same, and says which limit that was.
func ExampleParse_defects() {
	const raw = "Subject: many parts\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n" +
		"\r\n" +
		"--b\r\n\r\none\r\n" +
		"--b\r\n\r\ntwo\r\n" +
		"--b\r\n\r\nthree\r\n"
	msg, err := message.Parse(strings.NewReader(raw), &message.ParseOptions{MaxParts: 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", msg.Text)
	for _, d := range msg.Defects {
		fmt.Println(d)
	}
	// Output:
	// "one\ntwo\nthree\n"
	// more-parts than 3 in part 3 at byte 95
	// unclosed-multipart at byte 66
}

func ExampleWalk() {
	f, err := os.Open("testdata/nested.eml")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for part, err := range message.Walk(f, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if part.Multipart {
			fmt.Printf("%q %s\n", part.Number, part.ContentType)
			continue
		}
		// However long it is, no more than some kilobytes are in memory.
		n, err := io.Copy(io.Discard, part)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q %s %q: %d bytes\n", part.Number, part.ContentType, part.Name, n)
	}
	// Output:
	// "" multipart/mixed
	// "1" multipart/related
	// "1.1" multipart/alternative
	// "1.1.1" text/plain "": 24 bytes
	// "1.1.2" text/html "": 59 bytes
	// "1.2" image/png "pixel.png": 8 bytes
	// "2" application/pdf "Bericht für März.pdf": 9 bytes
	// "3" text/plain "notes.txt": 11 bytes
	// "4" text/plain "": 25 bytes
}

// A message that is an attachment is walked over as any other.
func ExamplePart_Walk() {
	const raw = "Content-Type: message/rfc822\r\n" +
		"\r\n" +
		"Subject: forwarded\r\n" +
		"Content-Type: text/plain; charset=iso-8859-1\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n" +
		"\r\n" +
		"Gr=FC=DFe\r\n"
	for outer, err := range message.Walk(strings.NewReader(raw), nil) {
		if err != nil {
			log.Fatal(err)
		}
		for inner, err := range outer.Walk(nil) {
			if err != nil {
				log.Fatal(err)
			}
			text, err := io.ReadAll(inner.Text())
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s in %s: %s", inner.Header.Subject(), inner.Number, text)
		}
	}
	// Output:
	// forwarded in 1.1: Grüße
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
