// Command enmime does with enmime's builder what ours does.
package main

import (
	"log"
	"os"
	"strconv"

	"github.com/jhillyerd/enmime/v2"

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
		n, err := compose(draft(0).AddFileAttachment(what))
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
		n, err := compose(draft(i).AddAttachment(content, "application/pdf", letter.FileName))
		if err != nil {
			return err
		}
		total += n
	}
	return letter.Tell(total)
}

func draft(i int) enmime.MailBuilder {
	return enmime.Builder().From(letter.FromName, letter.From).To("", letter.To(i)).Subject(letter.Subject(i)).
		Text([]byte(letter.Text)).HTML([]byte(letter.HTML))
}

// counter counts bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func compose(b enmime.MailBuilder) (int64, error) {
	part, err := b.Build()
	if err != nil {
		return 0, err
	}
	var n counter
	err = part.Encode(&n)
	return int64(n), err
}
