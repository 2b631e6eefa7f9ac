// Package reading does tasks with a Session, as a program would that reads mail.
package reading

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/mail"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/session"
)

// Do does a task and closes the Session.
func Do(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	defer s.Close()
	switch t.Kind {
	case task.Full:
		return full(ctx, s, t)
	case task.Summaries:
		return summaries(ctx, s, t)
	case task.Both:
		return both(ctx, s, t)
	case task.Collect:
		return collect(ctx, s, t)
	case task.Keep:
		return keep(ctx, s, t)
	case task.Opens:
		return opens(ctx, s, t)
	}
	return 0, 0, fmt.Errorf("there is no such task as %s", t.Kind)
}

// Server returns the server of a task as a Session knows it.
func Server(t task.Task) (session.Server, error) {
	host, text, err := net.SplitHostPort(t.Address)
	if err != nil {
		return session.Server{}, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return session.Server{}, err
	}
	if !t.TLS {
		return session.Server{Host: host, Port: port, Security: session.None, AllowPlainAuth: true}, nil
	}
	config, err := t.ClientTLS()
	return session.Server{Host: host, Port: port, TLS: config}, err
}

// folder returns the folder of a task as programs name it.
func folder(t task.Task) session.FolderRef {
	if t.Folder == "INBOX" {
		return session.Inbox
	}
	return session.FolderAt(t.Folder)
}

// list returns the ids of a folder's messages.
func list(ctx context.Context, s *session.Session, t task.Task) (ids []session.ID, err error) {
	q := session.Query{Folder: folder(t), Fields: session.FieldFlags, OldestFirst: true}
	for m, err := range s.Messages(ctx, q) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, m.ID)
	}
	return ids, nil
}

func full(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	ids, err := list(ctx, s, t)
	if err != nil {
		return 0, 0, err
	}
	return bodies(ctx, s, ids)
}

func bodies(ctx context.Context, s *session.Session, ids []session.ID) (messages int, size int64, err error) {
	for body, err := range s.Bodies(ctx, ids...) {
		if err != nil {
			return 0, 0, err
		}
		n, err := io.Copy(io.Discard, body)
		if err != nil {
			return 0, 0, err
		}
		messages++
		size += n
	}
	return messages, size, nil
}

func summaries(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	for m, err := range s.Messages(ctx, session.Query{Folder: folder(t)}) {
		if err != nil {
			return 0, 0, err
		}
		messages++
		size += rowOf(m).text()
	}
	return messages, size, nil
}

// both lists a folder and then reads what it has.
func both(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	var ids []session.ID
	var text int64
	for m, err := range s.Messages(ctx, session.Query{Folder: folder(t)}) {
		if err != nil {
			return 0, 0, err
		}
		ids = append(ids, m.ID)
		text += rowOf(m).text()
	}
	messages, size, err = bodies(ctx, s, ids)
	return messages, text + size, err
}

// keep keeps all messages of a listing as they come.
func keep(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	var all []*session.Message
	for m, err := range s.Messages(ctx, session.Query{Folder: folder(t)}) {
		if err != nil {
			return 0, 0, err
		}
		all = append(all, m)
	}
	for _, m := range all {
		size += rowOf(m).text()
	}
	return len(all), size, nil
}

// collect keeps what a listing shows of every message.
func collect(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	var rows []*row
	for m, err := range s.Messages(ctx, session.Query{Folder: folder(t)}) {
		if err != nil {
			return 0, 0, err
		}
		r := rowOf(m)
		rows = append(rows, &r)
	}
	for _, r := range rows {
		size += r.text()
	}
	return len(rows), size, nil
}

// row is what a listing shows of a message.
type row struct {
	id                    session.ID
	flags                 session.Flags
	received, date        time.Time
	size                  int64
	subject               string
	from, replyTo, to, cc []mail.Address
}

func rowOf(m *session.Message) row {
	h := m.Header
	date, _ := h.Date() // there may be none
	return row{
		id: m.ID, flags: m.Flags, received: m.Received, date: date, size: m.Size,
		subject: h.Subject(), from: h.From(), replyTo: h.ReplyTo(), to: h.To(), cc: h.Cc(),
	}
}

// text returns how much there is to show.
func (r row) text() int64 {
	n := len(r.subject)
	for _, list := range [][]mail.Address{r.from, r.replyTo, r.to, r.cc} {
		for _, a := range list {
			n += len(a.Name) + len(a.Address)
		}
	}
	return int64(n)
}

// opens reads messages from all over the folder, as many at a time as there may
// be connections.
func opens(ctx context.Context, s *session.Session, t task.Task) (messages int, size int64, err error) {
	ids, err := list(ctx, s, t)
	if err != nil {
		return 0, 0, err
	}
	wanted := make(chan session.ID)
	failed := make(chan error, t.Connections)
	var total atomic.Int64
	var workers sync.WaitGroup
	for range t.Connections {
		workers.Go(func() {
			for id := range wanted {
				n, err := drop(ctx, s, id)
				if err != nil {
					failed <- err
					return
				}
				total.Add(n)
			}
		})
	}
	const step = 7919 // a prime, so that neighbours are far apart
	for i := range t.Opens {
		select {
		case wanted <- ids[i*step%len(ids)]:
		case err := <-failed:
			return 0, 0, err
		}
	}
	close(wanted)
	workers.Wait()
	select {
	case err := <-failed:
		return 0, 0, err
	default:
		return t.Opens, total.Load(), nil
	}
}

// drop reads one message.
func drop(ctx context.Context, s *session.Session, id session.ID) (int64, error) {
	body, err := s.Open(ctx, id)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		_ = body.Close() // the first error tells more
		return n, err
	}
	return n, body.Close()
}
