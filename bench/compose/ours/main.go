// Command ours composes messages with this library, and prints how many bytes
// they have.
package main

import (
	"io"
	"log"
	"net/mail"
	"os"
	"strconv"

	"github.com/mailsession/mailsession/bench/compose/letter"
	"github.com/mailsession/mailsession/message"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(work, what string) error {
	if work == "large" {
		d := draft(0)
		d.Files = []message.DraftFile{{Content: message.File(what)}}
		n, err := compose(d)
		if err != nil {
			return err
		}
		return letter.Tell(n)
	}
	count, err := strconv.Atoi(what)
	if err != nil {
		return err
	}
	content := letter.Attachment()
	var total int64
	for i := range count {
		d := draft(i)
		d.Files = []message.DraftFile{{Name: letter.FileName, Content: message.Bytes(content)}}
		n, err := compose(d)
		if err != nil {
			return err
		}
		total += n
	}
	return letter.Tell(total)
}

func draft(i int) *message.Draft {
	return &message.Draft{
		From: mail.Address{Name: letter.FromName, Address: letter.From}, To: []mail.Address{{Address: letter.To(i)}},
		Subject: letter.Subject(i), Text: letter.Text, HTML: letter.HTML,
	}
}

func compose(d *message.Draft) (int64, error) {
	s, err := d.Source()
	if err != nil {
		return 0, err
	}
	r, err := s.Open()
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return n, err
	}
	return n, r.Close()
}
