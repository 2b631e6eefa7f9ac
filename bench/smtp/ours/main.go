// Command ours sends mail with SendAll over smtpx.
package main

import (
	"context"
	"iter"
	"net"
	"net/mail"
	"os"
	"strconv"

	"github.com/mailsession/mailsession/bench/compose/letter"
	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

func main() { task.Run(send) }

func send(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	server, creds, err := settings(t)
	if err != nil {
		return 0, 0, err
	}
	c, err := smtpx.New(server, creds, &smtpx.Options{MaxConnections: t.Connections})
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	next, err := source(t)
	if err != nil {
		return 0, 0, err
	}
	var failed error
	mails := func(yield func(session.Mail) bool) {
		for n := range t.Messages {
			m, err := next(n)
			if err != nil {
				failed = err
				return
			}
			if !yield(session.Mail{Envelope: session.Envelope{From: t.From, To: []string{t.To}}, Message: m}) {
				return
			}
			size += max(0, m.Size())
		}
	}
	for _, err := range c.SendAll(ctx, iter.Seq[session.Mail](mails), nil) {
		if err != nil {
			return 0, 0, err
		}
		messages++
	}
	return messages, size, failed
}

func settings(t task.Task) (session.Server, session.Credentials, error) {
	host, port, err := net.SplitHostPort(t.Address)
	if err != nil {
		return session.Server{}, session.Credentials{}, err
	}
	server := session.Server{Host: host, Security: session.None}
	var creds session.Credentials
	if t.User != "" {
		creds = session.Credentials{User: t.User, Password: t.Secret()}
	}
	if server.Port, err = strconv.Atoi(port); err == nil && t.StartTLS {
		server.Security = session.STARTTLS
		server.TLS, err = t.ClientTLS()
	}
	return server, creds, err
}

// largest is up to what size a message is kept in memory.
const largest = 1 << 20

// source returns a function that returns the n-th message.
func source(t task.Task) (func(n int) (message.Source, error), error) {
	if t.Kind == task.Compose {
		content := letter.Attachment()[:letter.SmallSize]
		return func(n int) (message.Source, error) { return draft(n, content).Source() }, nil
	}
	info, err := os.Stat(t.File)
	if err != nil {
		return nil, err
	}
	m := message.File(t.File)
	if info.Size() <= largest {
		raw, err := os.ReadFile(t.File)
		if err != nil {
			return nil, err
		}
		m = message.Bytes(raw)
	}
	return func(int) (message.Source, error) { return m, nil }, nil
}

func draft(n int, content []byte) *message.Draft {
	return &message.Draft{
		From: mail.Address{Name: letter.FromName, Address: letter.From}, To: []mail.Address{{Address: letter.To(n)}},
		Subject: letter.Subject(n), Text: letter.Text, HTML: letter.HTML,
		Files: []message.DraftFile{{Name: letter.FileName, Content: message.Bytes(content)}},
	}
}
