// Command netsmtp sends a message many times with the standard library's client.
package main

import (
	"context"
	"io"
	"net/smtp"
	"os"

	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() {
	task.Run(func(ctx context.Context, t task.Task) (int, int64, error) {
		raw, err := os.ReadFile(t.File)
		if err != nil {
			return 0, 0, err
		}
		err = t.Share(func(messages int) error {
			c, err := dial(ctx, t)
			if err != nil {
				return err
			}
			defer c.Close()
			for range messages {
				if err := send(c, t, raw); err != nil {
					return err
				}
			}
			return c.Quit()
		})
		return t.Messages, int64(len(raw) * t.Messages), err
	})
}

func dial(ctx context.Context, t task.Task) (*smtp.Client, error) {
	nc, err := t.Dial(ctx)
	if err != nil {
		return nil, err
	}
	const host = "127.0.0.1" // passwords are given to this host
	c, err := smtp.NewClient(nc, host)
	if err != nil {
		return nil, err
	}
	if t.StartTLS {
		config, err := t.ClientTLS()
		if err != nil {
			return nil, err
		}
		if err := c.StartTLS(config); err != nil {
			return nil, err
		}
	}
	if t.User != "" {
		err = c.Auth(smtp.PlainAuth("", t.User, t.Password, host))
	}
	return c, err
}

func send(c *smtp.Client, t task.Task, raw []byte) error {
	if err := c.Mail(t.From); err != nil {
		return err
	}
	if err := c.Rcpt(t.To); err != nil {
		return err
	}
	var w io.WriteCloser
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	return w.Close()
}
