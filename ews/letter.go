package ews

import (
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// letter is a message on its way to the server: with its size, which has to be
// announced, and its header.
type letter struct {
	sized

	header message.Header
}

// readLetter looks at a message that is to be used for op.
func readLetter(op string, m message.Source) (letter, error) {
	if m == nil {
		return letter{}, fmt.Errorf("ews: %s: %w", op, session.ErrEmptyMessage)
	}
	r, err := m.Open()
	if err != nil {
		return letter{}, &sourceError{fmt.Errorf("ews: %s: open the message: %w", op, err)}
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, maxHeader))
	if err != nil {
		return letter{}, &sourceError{fmt.Errorf("ews: %s: read the message: %w", op, err)}
	}
	if len(head) == 0 {
		return letter{}, fmt.Errorf("ews: %s: %w", op, session.ErrEmptyMessage)
	}
	l := letter{sized: sized{Source: m, size: m.Size()}, header: message.ParseHeader(head)}
	if l.size < 0 {
		n, err := io.Copy(io.Discard, r)
		if err != nil {
			return letter{}, &sourceError{fmt.Errorf("ews: %s: read the message: %w", op, err)}
		}
		l.size = int64(len(head)) + n
	}
	return l, nil
}

// mime writes the message.
func (l *letter) mime() element {
	e := el("t:MimeContent")
	e.content = &l.sized
	return e
}

// readReport is the class of what tells a sender that a message was read. By the MIME
// alone Exchange takes it for an ordinary message, and files its parts as attachments.
const readReport = "REPORT.IPM.Note.IPNRN"

// reportsReading reports whether the message is the answer to a request for such a report
// (RFC 8098).
func (l *letter) reportsReading() bool {
	kind, params, err := mime.ParseMediaType(l.header.Get("Content-Type"))
	return err == nil && kind == "multipart/report" && strings.EqualFold(params["report-type"], "disposition-notification")
}

// searchable reports whether the message can be looked for by its Message-ID.
func (l *letter) searchable() bool {
	id := l.header.MessageID()
	for _, r := range id {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return id != ""
}

// named is the condition that a message has the Message-ID of this one.
func (l *letter) named() element {
	return compare("IsEqualTo", field("message:InternetMessageId"), "<"+l.header.MessageID()+">")
}
