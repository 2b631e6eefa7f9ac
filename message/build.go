package message

import (
	"io"
	"strings"

	"github.com/jhillyerd/enmime/v2"
)

// A builder makes a [Message] from its parts.
type builder struct {
	msg *Message
	raw []byte

	maxParts int
	parts    int  // leaves that were built
	plain    bool // the message passes a limit, so enmime sees nothing of it
	guesses  int  // parts that enmime has seen
	readLeaf func(io.Reader) (*enmime.Part, error)

	before     *node // the part before the one that is built
	sorter     sorter
	text, html strings.Builder
}

// run takes the message apart. Whether it is within the limits is known when
// all of it has been looked at, so nothing is decoded before. Of a message
// beyond them no more parts than may be are kept; the others are built as they
// come.
func (b *builder) run(s *splitter) {
	var kept []*node
	for {
		n, err := s.next()
		if err != nil {
			break
		}
		if n.parent == nil {
			b.msg.Header = n.header
		}
		for chunk := s.body(); chunk != nil; chunk = s.body() {
			n.body = b.raw[n.offset : n.offset+int64(len(n.body)+len(chunk))]
		}
		if len(kept) < b.maxParts && !b.plain {
			kept = append(kept, n)
			continue
		}
		b.plain = true
		b.release(kept)
		kept = nil
		s.settle()
		b.add(n)
	}
	b.plain = b.plain || len(s.passed) > 0
	b.release(kept)
	b.msg.Text, b.msg.HTML = b.text.String(), b.html.String()
}

// release builds the parts that were kept.
func (b *builder) release(kept []*node) {
	for _, n := range kept {
		b.add(n)
	}
}

// add builds a part.
func (b *builder) add(n *node) {
	if b.parts++; !n.multipart {
		b.leaf(n)
	}
	b.before = n
}

// leaf adds a part that is not a multipart.
func (b *builder) leaf(n *node) {
	info := n.info()
	var outer *container
	if n.parent != nil {
		outer = &n.parent.container
	}
	b.sorter.plain, b.sorter.html = b.text.Len() > 0, b.html.Len() > 0
	u := b.sorter.use(info, outer, n.parent == b.before)
	switch {
	case u == useText && n.mediaType == "text/plain":
		addText(&b.text, b.decodeText(n))
		return
	case u == useText:
		addText(&b.html, b.decodeText(n))
		return
	}
	if b.parts > b.maxParts {
		return
	}
	b.msg.Attachments = append(b.msg.Attachments, Attachment{
		Part: info.Number, Name: info.Name, ContentType: info.ContentType, Params: info.Params,
		ContentID: info.ContentID, Inline: u == useInline, Content: b.decode(n),
	})
}

// report keeps a defect of a part.
func (b *builder) report(n *node, d Defect, header bool) {
	if len(b.msg.Defects) < maxDefects || d.Limit > 0 {
		b.msg.Defects = append(b.msg.Defects, n.placed(d, header))
	}
}

// addText appends the text of one more part.
func addText(b *strings.Builder, text string) {
	if b.Len() > 0 && text != "" {
		if s := b.String(); s[len(s)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
	b.WriteString(text)
}
