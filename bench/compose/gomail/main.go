// Command gomail does with go-mail what ours does.
package main

import (
	"bytes"
	"io"
	"log"
	"os"
	"strconv"

	"github.com/wneessen/go-mail"

	"github.com/mailsession/mailsession/bench/compose/letter"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(work, what string) error {
	if work == "large" {
		m, err := draft(0)
		if err != nil {
			return err
		}
		m.AttachFile(what)
		n, err := m.WriteTo(io.Discard)
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
		m, err := draft(i)
		if err != nil {
			return err
		}
		m.AttachReadSeeker(letter.FileName, bytes.NewReader(content))
		n, err := m.WriteTo(io.Discard)
		if err != nil {
			return err
		}
		total += n
	}
	return letter.Tell(total)
}

func draft(i int) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := m.FromFormat(letter.FromName, letter.From); err != nil {
		return nil, err
	}
	if err := m.To(letter.To(i)); err != nil {
		return nil, err
	}
	m.Subject(letter.Subject(i))
	m.SetDate()
	m.SetMessageID()
	m.SetBodyString(mail.TypeTextPlain, letter.Text)
	m.AddAlternativeString(mail.TypeTextHTML, letter.HTML)
	return m, nil
}
