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
	disposition, params := parseDisposition(n.header.Get("Content-Disposition"))
	name := fileName(params, n.params)
	switch {
	case disposition == "attachment":
	case n.mediaType == "text/plain" && b.isText(n, name, &b.text):
		addText(&b.text, b.decodeText(n))
		return
	case n.mediaType == "text/html" && b.isText(n, name, &b.html):
		addText(&b.html, b.decodeText(n))
		return
	}
	if b.parts > b.maxParts {
		return
	}
	a := Attachment{
		Part: n.number(), Name: name, ContentType: n.mediaType, Params: n.params,
		ContentID: contentID(n.header), Inline: disposition == "inline",
	}
	if disposition == "" {
		a.Inline = a.ContentID != "" || n.within("multipart/related") || n.within("multipart/alternative")
	}
	a.Content = b.decode(n)
	b.msg.Attachments = append(b.msg.Attachments, a)
}

// isText reports whether a part of a text type belongs to the text that has
// gathered in what. A named one does only if it is the first; one of several
// alternatives if it is the first of its type; and what follows the root of a
// multipart/related is there to be referred to.
func (b *builder) isText(n *node, name string, what *strings.Builder) bool {
	alternative := n.within("multipart/alternative")
	if name != "" && (b.text.Len() > 0 || b.html.Len() > 0) && !alternative {
		return false
	}
	if n.within("multipart/related") && n.parent != b.before && what.Len() > 0 {
		return false
	}
	if alternative {
		taken := &n.parent.plainTaken
		if n.mediaType == "text/html" {
			taken = &n.parent.htmlTaken
		}
		if *taken {
			return false
		}
		*taken = true
	}
	return true
}

// within reports whether n is directly inside of a multipart of that type.
func (n *node) within(mediaType string) bool {
	return n.parent != nil && n.parent.mediaType == mediaType
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
