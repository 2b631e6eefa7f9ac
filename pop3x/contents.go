package pop3x

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// What is read of a message for a preview: pages of HTML begin with what nobody
// sees.
const (
	previewLines = "200"
	previewBytes = 64 << 10
)

// contentFields are the parts of a summary that are in a message, and not in its
// header.
const contentFields = session.FieldStructure | session.FieldPreview

// contents finds out what is in the messages of a page, where the query asks for
// that: the structure from whole messages, and a preview from their first lines.
func (l *listing) contents(ctx context.Context, items []item) error {
	wanted := l.query.Fields & contentFields
	var lacking []item
	for _, it := range items {
		m := it.message
		if m != nil && m.Incomplete == nil && (wanted&session.FieldPreview != 0 || wanted != 0 && m.Structure == nil) {
			lacking = append(lacking, it)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return l.client.do(ctx, task{op: "fetch", attrs: []slog.Attr{slog.Int("messages", len(lacking))}, run: func(cn *conn) error {
		p, err := l.locate(cn, lacking)
		if err != nil {
			return err
		}
		return p.contents(cn, wanted)
	}})
}

// contents reads the messages of a page, or their first lines.
func (p *paging) contents(cn *conn, wanted session.Fields) error {
	w := &window{conn: cn, op: opRetr, numbers: p.numbers, size: cn.sizeOf}
	if wanted == session.FieldPreview && cn.caps.has(opTop) {
		w.op, w.lines, w.size = opTop, previewLines, func(int) int64 { return previewBytes }
	}
	for i := range p.numbers {
		m := p.items[p.at[i]].message
		d, err := w.begin()
		if answered(err) {
			m.Incomplete = err
			continue
		}
		if err != nil {
			return err
		}
		if err := content(m, d, wanted); err != nil {
			m.Incomplete = fmt.Errorf("%s: %w", cn.server, err)
		}
		if err := w.end(d); err != nil {
			return err
		}
	}
	return nil
}

// content reads what is wanted of one message.
func content(m *session.Message, r io.Reader, wanted session.Fields) error {
	var start beginning
	r = io.TeeReader(r, &start)
	if wanted&session.FieldStructure != 0 && m.Structure == nil {
		s, err := message.ReadStructure(r)
		if err != nil {
			return err
		}
		m.Structure = s
	} else if _, err := io.Copy(io.Discard, io.LimitReader(r, previewBytes)); err != nil {
		return err
	}
	if wanted&session.FieldPreview != 0 {
		return preview(m, start.Bytes())
	}
	return nil
}

// beginning keeps the first bytes that are written to it.
type beginning struct{ bytes.Buffer }

// Write implements [io.Writer].
func (b *beginning) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), max(0, previewBytes-b.Len()))]) // a Buffer never fails
	return len(p), nil
}

// preview makes a preview of the beginning of a message.
func preview(m *session.Message, start []byte) (err error) {
	m.Preview, err = message.ReadPreview(bytes.NewReader(start))
	return err
}
