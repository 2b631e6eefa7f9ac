package message_test

import (
	"errors"
	"fmt"
	"log"
	"net/mail"
	"strings"

	"github.com/mailsession/mailsession/message"
)

func ExampleHTMLText() {
	fmt.Print(message.HTMLText(`<style>p { color: red }</style><div style="display:none">A preview</div>
		<h1>Tea</h1><p>Read <a href="https://example.com/tea">how we make it</a>:</p>
		<ol><li>heat the water<li>wait</ol>
		<table><tr><td>green</td><td>3 min</td></tr><tr><td>black</td><td>5 min</td></tr></table>`))
	// Output:
	// Tea
	//
	// Read how we make it <https://example.com/tea>:
	//
	// 1. heat the water
	// 2. wait
	//
	// green	3 min
	// black	5 min
}

func ExamplePassages() {
	text := "Yes, at ten.\n-- \nBob\n\nOn Tue, 3 Nov 2026 at 10:11, Ann <ann@example.com> wrote:\n> Are you coming?\n"
	for _, p := range message.Passages(text) {
		fmt.Printf("%s: %q\n", p.Kind, p.Text)
	}
	// Output:
	// written: "Yes, at ten.\n"
	// signature: "-- \nBob\n\n"
	// quoted: "On Tue, 3 Nov 2026 at 10:11, Ann <ann@example.com> wrote:\n> Are you coming?\n"
}

func ExampleMessage_NewText() {
	msg, err := message.Parse(strings.NewReader("From: bob@example.org\r\nContent-Type: text/html\r\n\r\n"+
		`<div>Yes, at ten.</div><div class="gmail_quote"><div class="gmail_attr">Ann:</div><blockquote class="gmail_quote">Are you coming?</blockquote></div>`), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(msg.NewText())
	// Output:
	// Yes, at ten.
}

func ExampleFileNames() {
	var names message.FileNames
	for _, sent := range []string{"../../report.pdf", `C:\Users\Ann\Report.PDF`, "invoice\u202efdp.exe", "CON", ""} {
		a := message.Attachment{Name: sent, ContentType: "application/pdf"}
		fmt.Println(names.Unique(a.FileName()))
	}
	// Output:
	// report.pdf
	// Report (2).PDF
	// invoicefdp.exe
	// _CON
	// attachment.pdf
}

func ExampleThreads() {
	raw := []string{
		"Message-ID: <1@example.com>\nSubject: Tea\nDate: 3 Nov 2026 10:00 +0000\n\n",
		"Message-ID: <2@example.com>\nSubject: Coffee\nDate: 3 Nov 2026 11:00 +0000\n\n",
		"Message-ID: <3@example.com>\nSubject: Re: Tea\nIn-Reply-To: <1@example.com>\nDate: 3 Nov 2026 12:00 +0000\n\n",
	}
	var entries []message.ThreadEntry
	for _, r := range raw {
		entries = append(entries, message.ParseHeader([]byte(r)).ThreadEntry())
	}
	for _, th := range message.Threads(entries, nil) {
		fmt.Println(entries[th.Entry].Subject, len(th.Children))
	}
	// Output:
	// Tea 1
	// Coffee 0
}

func ExampleHeader_MayAnswer() {
	h := message.ParseHeader([]byte("From: Ann <ann@example.com>\nAuto-Submitted: auto-replied\n\n"))
	err := h.MayAnswer(&message.AnswerOptions{Own: []mail.Address{{Address: "bob@example.org"}}})
	if automatic, ok := errors.AsType[*message.AutomaticError](err); ok {
		fmt.Println(automatic.Signal, "in", automatic.Field)
	}
	// Output:
	// auto-submitted in Auto-Submitted
}

func ExampleAttachment_CalendarMethod() {
	a := message.Attachment{
		ContentType: "text/calendar",
		Content:     []byte("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
	}
	fmt.Println(a.Kind(), a.CalendarMethod())
	// Output:
	// calendar REQUEST
}
