// Command gosmtp sends a message many times with go-smtp's client.
package main

import (
	"bytes"
	"context"
	"os"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

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
				if err := c.SendMail(t.From, []string{t.To}, bytes.NewReader(raw)); err != nil {
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
	if !t.StartTLS {
		return smtp.NewClient(nc), nil
	}
	config, err := t.ClientTLS()
	if err != nil {
		return nil, err
	}
	c, err := smtp.NewClientStartTLS(nc, config)
	if err == nil && t.User != "" {
		err = c.Auth(sasl.NewPlainClient("", t.User, t.Password))
	}
	return c, err
}
