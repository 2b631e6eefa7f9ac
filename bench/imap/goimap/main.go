// Command goimap does a task with github.com/emersion/go-imap/v2 alone.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() { task.Run(read) }

func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	options, ok := map[string]*imap.FetchOptions{
		task.Full:      {UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}},
		task.Summaries: {UID: true, Flags: true, InternalDate: true, RFC822Size: true, Envelope: true},
		task.Collect:   {UID: true, Flags: true, InternalDate: true, RFC822Size: true, Envelope: true},
	}[t.Kind]
	if !ok {
		return 0, 0, fmt.Errorf("there is no such task as %s", t.Kind)
	}
	nc, err := t.Dial(ctx)
	if err != nil {
		return 0, 0, err
	}
	c := imapclient.New(nc, nil)
	defer c.Close()
	if err := c.Login(t.User, t.Password).Wait(); err != nil {
		return 0, 0, err
	}
	if _, err := c.Select(t.Folder, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		return 0, 0, err
	}
	all := imap.UIDSet{{Start: 1}}
	if t.Kind == task.Collect {
		return collect(c.Fetch(all, options))
	}
	return stream(c.Fetch(all, options))
}

// stream reads what comes and keeps nothing.
func stream(fetch *imapclient.FetchCommand) (messages int, size int64, err error) {
	for m := fetch.Next(); m != nil; m = fetch.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataBodySection:
				n, err := io.Copy(io.Discard, item.Literal)
				if err != nil {
					return 0, 0, err
				}
				size += n
			case imapclient.FetchItemDataEnvelope:
				size += textOf(item.Envelope)
			}
		}
		messages++
	}
	return messages, size, fetch.Close()
}

// collect keeps all summaries.
func collect(fetch *imapclient.FetchCommand) (messages int, size int64, err error) {
	all, err := fetch.Collect()
	for _, m := range all {
		size += textOf(m.Envelope)
	}
	return len(all), size, err
}

// textOf looks at what a listing shows.
func textOf(e *imap.Envelope) int64 {
	n := len(e.Subject)
	for _, list := range [][]imap.Address{e.From, e.ReplyTo, e.To, e.Cc} {
		for _, a := range list {
			n += len(a.Name) + len(a.Addr())
		}
	}
	if !e.Date.IsZero() {
		n++
	}
	return int64(n)
}
