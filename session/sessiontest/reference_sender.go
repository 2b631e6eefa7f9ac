package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// referenceSender is the way out of a Reference.
type referenceSender struct{ client *referenceClient }

// Close implements [session.Outgoing].
func (s referenceSender) Close() error { return s.client.Close() }

// Send implements [session.Outgoing].
func (s referenceSender) Send(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
	rec := session.Receipt{Outcome: session.NotSent}
	err := s.check(e, m)
	if err == nil {
		rec.MessageID, err = messageID(m)
	}
	if err == nil {
		err = s.deliver(ctx, e, m, &rec)
	}
	if err != nil {
		err = &session.SendError{Receipt: rec, Err: err}
	}
	return rec, err
}

// check refuses what cannot be an envelope.
func (s referenceSender) check(e session.Envelope, m message.Source) error {
	if m == nil {
		return session.ErrEmptyMessage
	}
	if len(e.To) == 0 {
		return errors.New("the envelope has no recipient")
	}
	addresses := e.To
	if e.From != "" {
		addresses = append([]string{e.From}, e.To...)
	}
	for _, a := range addresses {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }) {
			return fmt.Errorf("%q is not an address", a)
		}
	}
	return nil
}

// messageID reads the header of a message.
func messageID(m message.Source) (string, error) {
	r, err := m.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	var head bytes.Buffer
	if _, err := io.CopyN(&head, r, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if head.Len() == 0 {
		return "", session.ErrEmptyMessage
	}
	return message.ParseHeader(head.Bytes()).MessageID(), nil
}

// deliver goes through the dialogue and keeps the receipt true at each step.
func (s referenceSender) deliver(ctx context.Context, e session.Envelope, m message.Source, rec *session.Receipt) error {
	k, err := s.client.ask(ctx, question{Op: "send", Envelope: e, Size: m.Size()})
	if err != nil {
		return err
	}
	refused, err := recipients(k, e, rec)
	if err != nil {
		return k.end(err)
	}
	if refused == len(e.To) {
		return k.end(rec.Recipients[0].Err)
	}
	if err := copyTo(k.talk, m); err != nil {
		return k.end(err)
	}
	// The empty chunk is what makes the message whole: until it is on its way
	// nobody gets anything, and from here on nobody knows without an answer.
	if err := k.writeChunk(nil); err != nil {
		return k.end(err)
	}
	rec.Outcome = session.SentUnknown
	if err := k.w.Flush(); err != nil {
		return k.end(err)
	}
	a, err := k.take()
	if err != nil {
		return k.end(err)
	}
	if err := a.failure("send"); err != nil {
		rec.Outcome = session.NotSent
		return k.end(err)
	}
	rec.Outcome = session.Accepted
	for i := range rec.Recipients {
		rec.Recipients[i].Accepted = rec.Recipients[i].Err == nil
		if err := rec.Recipients[i].Err; err != nil {
			rec.Outcome = session.Partial
		}
	}
	if err := k.end(nil); err != nil && rec.Outcome == session.Accepted {
		return nil // however the connection ends
	}
	return firstRefusal(rec.Recipients)
}

// recipients reads the answer for each recipient.
func recipients(k *call, e session.Envelope, rec *session.Receipt) (refused int, err error) {
	var all []session.Recipient
	for _, to := range e.To {
		a, err := k.take()
		if err != nil {
			return 0, err
		}
		r := session.Recipient{Address: to, Err: a.failure("recipient " + to)}
		if strings.Contains(a.Error, "too large") {
			return 0, a.failure("send")
		}
		if r.Err != nil {
			refused++
		}
		all = append(all, r)
	}
	rec.Recipients = all
	return refused, nil
}

func firstRefusal(recipients []session.Recipient) error {
	for _, r := range recipients {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// copyTo writes a message in chunks, all but the empty one at its end. A source
// that gives another number of bytes than it said is not sent.
func copyTo(t *talk, m message.Source) error {
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, chunkSize)
	total := int64(0)
	for {
		n, err := r.Read(buf)
		total += int64(n)
		if n > 0 {
			if err := t.writeChunk(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if size := m.Size(); size >= 0 && size != total {
		return fmt.Errorf("the source has %d bytes and says %d", total, size)
	}
	return nil
}
