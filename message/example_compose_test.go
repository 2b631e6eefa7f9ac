package message_test

import (
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/mail"
	"os"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
)

// A text, the same as a page, and a file that is read while the message is sent.
func ExampleDraft_files() {
	d := &message.Draft{
		From:    mail.Address{Name: "Ann", Address: "ann@example.com"},
		To:      []mail.Address{{Address: "bob@example.org"}},
		Subject: "The report",
		HTML:    "<p>See the <b>report</b>.</p>",
		// A plain text is made of the page.
		TextFromHTML: true,
		Files:        []message.DraftFile{{Content: message.File("testdata/plain.eml")}},
		MessageID:    "1@example.com",
		Date:         time.Date(2026, 11, 3, 10, 11, 12, 0, time.UTC),
	}
	src, err := d.Source()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(src.Size() > 0) // known before anything is read
	fmt.Print(parts(src))
	// Output:
	// true
	// multipart/mixed
	//   multipart/alternative
	//     text/plain: See the report.
	//     text/html: <p>See the <b>report</b>.</p>
	//   message/rfc822 plain.eml
}

// A picture that the page shows is referred to by its ContentID.
func ExampleDraftFile_picture() {
	site := os.DirFS("testdata")
	d := &message.Draft{
		From: mail.Address{Address: "ann@example.com"},
		To:   []mail.Address{{Address: "bob@example.org"}},
		HTML: `<p>Look: <img src="cid:logo@example.com" alt="our logo"></p>`,
		Files: []message.DraftFile{
			{Name: "logo.png", ContentID: "logo@example.com", Content: message.FileFS(site, "plain.eml")},
		},
	}
	src, err := d.Source()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(parts(src))
	d.HTML = strings.ReplaceAll(d.HTML, "logo@", "log@")
	_, err = d.Source()
	fmt.Println(err)
	// Output:
	// multipart/related
	//   text/html: <p>Look: <img src="cid:logo@example.com" alt="our logo"></p>
	//   image/png logo.png
	// message: draft: HTML: refers to a cid: that is the ContentID of no file
}

// An answer to everybody, in German, with the page of the message below it.
func ExampleReply() {
	msg := parseFile("testdata/nested.eml")
	d, err := message.Reply(msg, message.ReplyOptions{
		From: mail.Address{Name: "Jürgen", Address: "juergen@example.de"},
		All:  true,
		HTML: "<p>Danke!</p>", Quote: true,
		Language: "de",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Subject)
	fmt.Print(d.HTML)
	for _, f := range d.Files { // the picture that the page shows
		fmt.Println(f.Name, f.ContentID)
	}
	// Output:
	// AW: Report 📋
	// <p>Danke!</p><br>
	// <div class="moz-cite-prefix">Am 03.11.2026 um 10:11 +0000 schrieb Ann Example &lt;ann@example.com&gt;:</div>
	// <blockquote type="cite"><p>Grüße, see the <img src="cid:pic.1@example.com"></p>
	// </blockquote>
	// pixel.png pic.1@example.com
}

// What came goes on to somebody else, once as text and once as it is.
func ExampleForward() {
	const raw = "From: Ann <ann@example.com>\r\nDate: Tue, 03 Nov 2026 10:11:12 +0000\r\nSubject: Re: Lunch\r\n\r\nAt noon?\r\n"
	msg, err := message.Parse(strings.NewReader(raw), nil)
	if err != nil {
		log.Fatal(err)
	}
	opts := message.ForwardOptions{
		From: mail.Address{Address: "bob@example.org"},
		To:   []mail.Address{{Address: "carol@example.net"}},
		Text: "Are you coming too?",
	}
	d, err := message.Forward(msg, opts)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Subject)
	fmt.Println(d.Text)
	opts.AsAttachment = true
	if d, err = message.Forward(msg, opts); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Files[0].Name)
	// Output:
	// Fwd: Lunch
	// Are you coming too?
	//
	// ---------- Forwarded message ----------
	// From: Ann <ann@example.com>
	// Date: Tue, 3 Nov 2026 at 10:11 +0000
	// Subject: Re: Lunch
	//
	// At noon?
	//
	// Lunch.eml
}

// parts lists the parts of a message.
func parts(src message.Source) string {
	var b strings.Builder
	r, err := src.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for p, err := range message.Walk(r, nil) {
		if err != nil {
			log.Fatal(err)
		}
		depth := 0
		if p.Number != "" {
			depth = 1 + strings.Count(p.Number, ".")
		}
		b.WriteString(strings.Repeat("  ", depth) + p.ContentType)
		if strings.HasPrefix(p.ContentType, "text/") {
			text, err := io.ReadAll(p.Text())
			if err != nil {
				log.Fatal(err)
			}
			b.WriteString(": " + strings.TrimSpace(string(text)))
		} else if p.Name != "" {
			b.WriteString(" " + p.Name)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// parseFile reads the message in a file of testdata.
func parseFile(name string) *message.Message {
	raw, err := fs.ReadFile(os.DirFS("."), name)
	if err != nil {
		log.Fatal(err)
	}
	msg, err := message.Parse(strings.NewReader(string(raw)), nil)
	if err != nil {
		log.Fatal(err)
	}
	return msg
}
