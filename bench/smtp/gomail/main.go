// Command gomail makes and sends messages with go-mail, which sends nothing that it
// has not made.
package main

import (
	"bytes"
	"context"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"

	"github.com/mailsession/mailsession/bench/compose/letter"
	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() {
	task.Run(func(ctx context.Context, t task.Task) (int, int64, error) {
		content := letter.Attachment()[:letter.SmallSize]
		err := t.Share(func(messages int) error {
			c, err := dial(ctx, t)
			if err != nil {
				return err
			}
			for n := range messages {
				m, err := draft(t, n, content)
				if err != nil {
					return err
				}
				if err := c.Send(m); err != nil {
					return err
				}
			}
			return c.Close()
		})
		return t.Messages, 0, err
	})
}

func dial(ctx context.Context, t task.Task) (*mail.Client, error) {
	host, text, err := net.SplitHostPort(t.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTLSPolicy(mail.NoTLS)}
	if t.StartTLS {
		config, err := t.ClientTLS()
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(config))
	}
	if t.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername(t.User), mail.WithPassword(t.Password))
	}
	c, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, err
	}
	return c, c.DialWithContext(ctx)
}

func draft(t task.Task, n int, content []byte) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := m.FromFormat(letter.FromName, t.From); err != nil {
		return nil, err
	}
	if err := m.To(t.To); err != nil {
		return nil, err
	}
	m.Subject(letter.Subject(n))
	m.SetDate()
	m.SetMessageID()
	m.SetBodyString(mail.TypeTextPlain, letter.Text)
	m.AddAlternativeString(mail.TypeTextHTML, letter.HTML)
	m.AttachReadSeeker(letter.FileName, bytes.NewReader(content))
	return m, nil
}
